"""Loads the harness for the end-to-end tests."""

pytest_plugins = ["harness.plugin"]
