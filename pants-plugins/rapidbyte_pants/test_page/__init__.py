"""Writes one page of the tests of a run: what passed, what failed and why, how long it took, and what really ran."""
