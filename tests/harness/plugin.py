"""The harness as one plugin of pytest: `pytest_plugins = ["harness.plugin"]` in a `conftest.py` loads its fixtures.

What a fixture needs is made when a test first asks for it: a suite that asks for no server starts none.
"""

from __future__ import annotations

pytest_plugins = [
    "harness.fix_evidence",
    "harness.fix_server",
    "harness.fix_schemas",
    "harness.fix_database",
    "harness.fix_tables",
    "harness.fix_gate",
    "harness.fix_shares",
    "harness.fix_soak",
    "harness.fix_role",
    "harness.fix_pipelines",
    "harness.fix_cli",
    "harness.fix_kills",
    "harness.fix_changes",
    "harness.fix_folder",
]
