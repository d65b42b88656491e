"""Runs the ruff of a resolve: Pants ships a backend for one that predates `ruff check` and `ruff format`."""
