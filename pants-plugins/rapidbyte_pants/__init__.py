"""Pants backends that build, test and check connectors compiled to WebAssembly, and the pipelines that use them."""
