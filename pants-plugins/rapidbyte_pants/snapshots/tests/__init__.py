"""Tests of the backend of snapshots."""
