"""The benchmark's command line: processes that end with the first batch, for each chain of connectors in turn."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from statistics import median

import psycopg

from pg_to_pg.workload import DESTINATION_SCHEMA, SOURCE_SCHEMA, TABLE, make_source
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from through_transform.passage import Passage

_FEW_ROWS = 10


class Starting(Enum):
    """Which connectors start, on threads of their own: the source, and the transform behind it if there is one."""

    SOURCE = "source"
    VALIDATE = "source and validate"
    SQL = "source and sql"

    @property
    def transforms(self) -> Sequence[Mapping[str, object]]:
        """The transforms of the document: the least of each kind that is measured elsewhere."""
        passage = {
            Starting.SOURCE: Passage.NONE,
            Starting.VALIDATE: Passage.NOT_NULL,
            Starting.SQL: Passage.IDENTITY,
        }[self]
        return passage.transforms


@dataclass(frozen=True, slots=True)
class Start:
    """The seconds from the call to the first batch, and those of the whole process."""

    first_batch_s: float
    process_s: float


def main() -> None:
    """Run everything and print lines for people, or one JSON document at the end."""
    options = _parser().parse_args()
    starts: dict[Starting, list[Start]] = {starting: [] for starting in Starting}
    with (
        EmbeddedPostgres.start() as server,
        psycopg.connect(server.address.dsn(), autocommit=True) as session,
    ):
        make_source(session, _FEW_ROWS)
        for round_number in range(options.rounds + 1):
            for starting in Starting:
                start = _start(server.address, starting)
                if round_number > 0:  # the first one compiles what it needs
                    starts[starting].append(start)
    for starting, all_of in starts.items():
        first_ms = sorted(1000 * start.first_batch_s for start in all_of)
        print(
            f"{starting.value}: median {median(first_ms):.0f} ms to the first batch, "
            f"{first_ms[0]:.0f} to {first_ms[-1]:.0f}; "
            f"{1000 * median(start.process_s for start in all_of):.0f} ms the process",
            flush=True,
        )
    if options.json:
        print(json.dumps({starting.value: [asdict(start) for start in all_of] for starting, all_of in starts.items()}))


def _start(address: ServerAddress, starting: Starting) -> Start:
    """Let a process show one row, and time it from inside and from outside."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "start_up.child", json.dumps(_document(address, starting))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    process_s = time.perf_counter() - started
    result = json.loads(done.stdout)
    if result["rows"] != 1:
        raise RuntimeError(f"A start of {starting.value} gave {result['rows']} rows; its time means nothing.")
    return Start(result["seconds"], process_s)


def _document(address: ServerAddress, starting: Starting) -> Mapping[str, object]:
    server = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "database": address.database,
    }
    return {
        "version": "1.0",
        "pipeline": "start_up",
        "source": {
            "use": "postgres",
            "config": {**server, "schema": SOURCE_SCHEMA},
            "streams": [{"name": TABLE, "sync_mode": "full_refresh"}],
        },
        "transforms": list(starting.transforms),
        "destination": {
            "use": "postgres",
            "write_mode": "append",
            "config": {**server, "schema": DESTINATION_SCHEMA},
        },
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="starts of each, in turn")
    parser.add_argument("--json", action="store_true", help="end with a JSON document of all figures")
    return parser


if __name__ == "__main__":
    main()
