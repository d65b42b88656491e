"""What to try next, for failures whose message comes from a server or the system and cannot know it."""

from __future__ import annotations

from collections.abc import Mapping

from rapidbyte.errors import RapidbyteError

_HINTS: Mapping[str, str] = {
    # Codes of the host and the connectors.
    "batch_too_large": "raise resources.max_batch_bytes in the pipeline.",
    "connection_closed": "the server's log says why it closed the connection.",
    "connection_lost": "check the network and the server's log, then run again: nothing was half written.",
    "connection_refused": "check `host` and `port` in the connector's config.",
    "connection_reset": "check the network and the server's log, then run again: nothing was half written.",
    "host_denied": "add the host to permissions.network.allowed_hosts of the connector, if it should be reached.",
    "memory_limit": "raise limits.max_memory of the connector, or lower resources.max_batch_bytes.",
    "table_not_found": "`rapidbyte discover` with the same pipeline file lists the tables there are.",
    "column_not_found": "`rapidbyte discover` with the same pipeline file lists the columns there are.",
    "not_utf8": "mend the text at the source, or leave such rows out with `on_data_error` of the destination.",
    "tls_not_offered": "set `sslmode` to prefer or disable, or switch ssl on in the server's postgresql.conf.",
    "timed_out": "check that no firewall is in between; limits.timeout_seconds of the connector says how long to wait.",
    # SQLSTATEs of Postgres.
    "28000": "check `user` and `sslmode` in the connector's config, and the server's pg_hba.conf.",
    "28P01": "check `user` and `password` in the connector's config; a password with special characters needs quotes.",
    "3D000": "check `database` in the connector's config; `psql -l` lists those of a server.",
    "3F000": "check `schema` in the connector's config.",
    "42501": "ask the owner of the database to GRANT what the message names to the `user` of the config.",
    "42P01": "check the stream's name and `schema` in the connector's config.",
    "25006": "the server accepts no writes; is it a standby?",
    "40P01": "other sessions lock the same tables in another order; run again when they have ended.",
    "53100": "make room on the server's disk, then run again.",
    "53300": "wait for other sessions to end, or raise max_connections on the server.",
    "55P03": "another session locks the table; run again when it has ended, or raise lock_timeout of the `user`.",
    "57P01": "the server was shut down or the session ended by its administrator; run again when it is back.",
    "57P02": "the server broke down; run again when it is back.",
    "57P03": "the server is starting up or shutting down; run again in a moment.",
    "0A000": "where row-level security forbids COPY, set `load_method` to insert in the destination's config.",
    "55000": "make ready what the message names, such as by REFRESH MATERIALIZED VIEW, then run again.",
    "22P05": "give the destination's database the encoding UTF8, or leave such rows out with `on_data_error`.",
    "22P02": "a value does not fit the type of its column in the destination.",
    "22003": "a value does not fit the type of its column in the destination.",
    "22012": "a view of the source divides by zero; mend it, or leave the column out with `columns`.",
    "23502": "a column of the destination allows no NULL, but the source has some.",
    "23503": "move the table that the message names first.",
    "23514": "change the row at the source, or the destination's constraint that the message names.",
    "57014": "raise statement_timeout for the `user` of the config on that server.",
    "P0001": "a function or trigger of the server refused this; its owner knows why.",
    "23505": "append only adds rows: empty the destination's table first if its rows should be replaced.",
}


def hint_for(error: RapidbyteError) -> str | None:
    """Return one line that helps with `error`, or None when its message says it all."""
    return _HINTS.get(error.code)
