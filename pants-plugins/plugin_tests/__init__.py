"""Runs the tests of Pants plugins on the pytest of their own resolve."""
