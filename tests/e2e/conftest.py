"""Lists the harness's plugins for the end-to-end tests."""

pytest_plugins = [
    "harness.fix_evidence",
    "harness.fix_server",
    "harness.fix_schemas",
    "harness.fix_database",
    "harness.fix_tables",
    "harness.fix_gate",
    "harness.fix_shares",
    "harness.fix_role",
    "harness.fix_pipelines",
    "harness.fix_cli",
    "harness.fix_kills",
    "harness.fix_changes",
    "harness.fix_soak",
    "harness.fix_folder",
]
