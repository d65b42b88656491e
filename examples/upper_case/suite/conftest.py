"""Loads rapidbyte's harness for this suite."""

pytest_plugins = ["harness.plugin"]
