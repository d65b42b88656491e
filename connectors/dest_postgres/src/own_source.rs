//! No stream may be written to the table that it is read from, nor to a part of it or a table that it is a part of: what
//! a run adds the next one would read again, and `replace` would empty its own source.

use pgwire::{Connection, IDENTITY};
use sdk::{Category, Error, Result, Socket};

use crate::target::TargetName;

/// Those of a table, its parents and its children, near and far, that are the one with this identity.
const RELATED: &str = "\
    WITH RECURSIVE target (oid) AS ( \
    SELECT t.oid FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
    WHERE n.nspname = $1 AND t.relname = $2), \
    above (oid) AS (SELECT oid FROM target UNION \
    SELECT i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid), \
    below (oid) AS (SELECT oid FROM target UNION \
    SELECT i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid) \
    SELECT c.oid = target.oid FROM target, pg_catalog.pg_class c \
    WHERE c.oid IN (SELECT oid FROM above UNION SELECT oid FROM below)";

/// Refuse a target that is the table with the source's identity, or related to it.
pub(crate) fn refuse(
    connection: &mut Connection<Socket>,
    stream: &str,
    name: &TargetName,
    identity: Option<&str>,
) -> Result<()> {
    let Some(identity) = identity else {
        return Ok(());
    };
    let rows = connection.query(&format!("{RELATED} AND {IDENTITY} = $3"), &[&name.schema, &name.table, identity])?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let what =
        if row.is_true(0) { "is the table that" } else { "is a part of the table, or has the table as a part, that" };
    let message = format!(
        "{} {what} stream {stream} is read from; set destination.config.schema, or another database, so that it is \
         written to a table of its own.",
        name.display_name()
    );
    Err(Error::new(Category::Config, "target_is_source", message).detail("stream", stream))
}
