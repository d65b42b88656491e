"""A test process to play with: joins a lease folder, owns a schema, and waits to be told to end, or to be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg

from harness.schemas import SchemaOwner
from harness.shared_server import lease_server


def main() -> None:
    """Lease the server of the folder in the first argument, say what became ours, and leave at the end of input."""
    server = lease_server(Path(sys.argv[1]))
    with psycopg.connect(server.address.dsn(), autocommit=True) as session:
        owner = SchemaOwner(session)
        orphans = owner.drop_orphans()
        pair = owner.create("worker")
        report = {
            "directory": str(server.directory),
            "guard_pid": server.guard_pid,
            "dsn": server.address.dsn(),
            "schema": pair.source,
            "orphans": orphans,
        }
        print(json.dumps(report), flush=True)
        sys.stdin.read()
        owner.drop(pair)
    server.close()


if __name__ == "__main__":
    main()
