"""Runs suites again and again, in any order and several at once, to find what fails sometimes and what stays behind."""
