"""Tests of the Rust backend."""
