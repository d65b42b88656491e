"""Tests of the backend of outside services."""
