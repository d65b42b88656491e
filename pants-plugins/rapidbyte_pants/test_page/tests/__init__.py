"""Tests of the backend that writes a page of tests."""
