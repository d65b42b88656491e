"""Lists the plugins of all tests."""

pytest_plugins = ["harness.deselected", "harness.frozen", "harness.unused_plugins"]
