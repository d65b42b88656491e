"""How long connectors take from nothing to their first batch."""
