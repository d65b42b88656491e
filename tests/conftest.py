"""Lists the plugins of all tests."""

pytest_plugins = ["harness.frozen", "harness.unused_plugins"]
