"""One start of a source and its transforms in a process of its own, which reports its time as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time

import rapidbyte


def main() -> None:
    """Show a row of the pipeline whose values are the first argument, as JSON; the time is without Python's imports."""
    for name in ("rapidbyte.engine", "rapidbyte.engine.preview_rows"):
        importlib.import_module(name)
    started = time.perf_counter()
    (preview,) = rapidbyte.preview_pipeline(json.loads(sys.argv[1]), limit=1)
    print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(preview.rows)}))


if __name__ == "__main__":
    main()
