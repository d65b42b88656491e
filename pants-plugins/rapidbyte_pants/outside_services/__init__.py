"""Keeps the results of tests that used a service outside of the sandbox from everybody else."""
