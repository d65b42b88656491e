"""A pipeline with a transform next to the same without one."""
