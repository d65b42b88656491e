"""Lists the plugins for the harness's own tests."""

pytest_plugins = ["pytester", "harness.fix_server", "harness.fix_schemas", "harness.fix_database"]
