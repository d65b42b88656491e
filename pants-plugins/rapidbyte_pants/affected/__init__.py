"""Explains what a change affects: each test file, and the chain that leads from a changed file to it."""
