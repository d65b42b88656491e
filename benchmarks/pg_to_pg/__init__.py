"""How fast rapidbyte moves a table between Postgres schemas, next to the fastest tools Postgres itself has."""
