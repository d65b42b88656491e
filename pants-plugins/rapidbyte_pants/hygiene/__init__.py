"""Linters of the build itself: files that no target owns, fixtures and dependencies that nothing needs."""
