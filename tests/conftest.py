"""Lists the plugin of all tests."""

pytest_plugins = ["harness.unused_plugins"]
