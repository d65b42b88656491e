"""Tests of the backend of workflows."""
