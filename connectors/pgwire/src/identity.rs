//! What a table is to every session of its server, by whatever name or address it got there.

/// An expression over `c` of `pg_class` that is equal for two sessions where they see one table, and else differs. When a
/// server started tells it from others, and any user may ask it.
pub const IDENTITY: &str = "\
    pg_catalog.format('%s/%s/%s', \
    (EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8, \
    (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()), c.oid)";
