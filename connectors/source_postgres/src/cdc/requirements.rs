//! What a table must be so that its changes can be read: published, it must tell which row was changed.

use pgwire::{Connection, qualified};
use sdk::{Category, Error, Result, Socket};

use crate::table::Table;

/// Check a table, and the partitions that hold its rows. Writes nothing.
pub(crate) fn verify(connection: &mut Connection<Socket>, table: &Table) -> Result<()> {
    let quoted = qualified(&table.schema, &table.name);
    let sql = "SELECT relkind IN ('r', 'p') AND relpersistence = 'p' AND NOT relispartition FROM pg_catalog.pg_class \
               WHERE oid = $1::pg_catalog.regclass";
    if !connection.query(sql, &[&quoted])?.first().is_some_and(|row| row.is_true(0)) {
        let message = format!(
            "{} has no changes of its own to read: it is a view, unlogged, a partition, or elsewhere; name an ordinary \
             table or the root of a partitioned one, or use sync_mode full_refresh.",
            table.display_name()
        );
        return Err(of_table("not_publishable", message, table));
    }
    require_told(connection, table, &quoted)?;
    // What is published without an identity cannot be updated or deleted from any more, by anybody.
    let sql = "SELECT c.oid::pg_catalog.regclass::pg_catalog.text \
               FROM (SELECT $1::pg_catalog.regclass::pg_catalog.oid AS oid UNION \
               SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass) WHERE isleaf) AS t \
               JOIN pg_catalog.pg_class c USING (oid) \
               WHERE c.relkind = 'r' AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i \
               WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary \
               WHEN 'i' THEN i.indisreplident ELSE false END) ORDER BY 1 LIMIT 1";
    let rows = connection.query(sql, &[&quoted])?;
    let Some(without) = rows.first() else {
        return Ok(());
    };
    let without = without.text(0)?;
    let message = format!(
        "Table {without} has nothing that tells its rows apart, so that once its changes are published it could not be \
         updated or deleted from any more; give it a primary key, or ALTER TABLE {without} REPLICA IDENTITY FULL."
    );
    Err(of_table("no_replica_identity", message, table))
}

/// Check that changes have all columns: those that the server computes are not sent with them.
fn require_told(connection: &mut Connection<Socket>, table: &Table, quoted: &str) -> Result<()> {
    let sql =
        "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::pg_catalog.regclass AND attgenerated <> ''";
    let rows = connection.query(sql, &[quoted])?;
    let is_read = |name: &&str| table.columns.iter().any(|column| column.name == **name);
    let Some(name) = rows.iter().filter_map(|row| row.optional(0)).find(is_read) else {
        return Ok(());
    };
    let message = format!(
        "Column {name} of {} is computed by the server, which does not send it with changes; leave it out with `columns`.",
        table.display_name()
    );
    Err(of_table("generated_column", message, table).detail("column", name))
}

fn of_table(code: &str, message: String, table: &Table) -> Error {
    Error::new(Category::Schema, code, message).detail("stream", table.display_name())
}
