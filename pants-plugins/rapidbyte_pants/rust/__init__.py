"""Builds the crates of a Cargo workspace, and turns connectors among them into WebAssembly resources."""
