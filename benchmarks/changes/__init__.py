"""Changes through a pipeline, next to what Postgres itself reads of the same slot, and in how much memory."""
