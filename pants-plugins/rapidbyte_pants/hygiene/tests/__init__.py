"""Tests of the linters of the build."""
