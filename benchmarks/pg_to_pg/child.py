"""One run of the pipeline in a process of its own, which reports its time as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import rapidbyte


def main() -> None:
    """Run the pipeline file in the first argument; variables come from the environment."""
    report = rapidbyte.run_pipeline(Path(sys.argv[1]))
    print(json.dumps({"seconds": report.duration_s, "bytes": report.bytes_read, "lanes": report.streams[0].lanes}))


if __name__ == "__main__":
    main()
