"""Tests of the backend that explains changes."""
