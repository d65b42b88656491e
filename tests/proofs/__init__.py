"""Proofs of the build itself: Pants, run on scratch copies of this checkout. See docs/TESTING.md."""
