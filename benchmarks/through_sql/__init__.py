"""A pipeline with an SQL transform next to the same without one."""
