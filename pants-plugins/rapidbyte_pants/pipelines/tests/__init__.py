"""Tests of the backend of pipeline documents."""
