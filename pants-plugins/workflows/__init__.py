"""Lints the workflows of GitHub Actions."""
