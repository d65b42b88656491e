"""Makes pipeline documents targets that depend on the connectors they use."""
