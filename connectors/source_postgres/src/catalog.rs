//! What the system catalogs tell: schemas, tables, columns, keys.

use pgwire::{Connection, IDENTITY, Row};
use sdk::{Category, Check, CheckStatus, Error, Result, Socket};

use crate::passed;
use crate::table::{Table, TableColumn};

/// Ordinary and partitioned tables, views, materialized views and foreign tables.
const READABLE_KINDS: &str = "c.relkind IN ('r', 'p', 'v', 'm', 'f')";
const SUGGESTIONS: usize = 10;

/// The last of these columns is the extent in pages: where each row has its one place in a heap, and the server can go to a range of
/// them, which it can since version 14. Each range of a partitioned table is one of each of its partitions.
const TABLE_COLUMNS: &str = "\
    c.oid, n.nspname, c.relname, \
    CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END, \
    CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) END, \
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 140000 THEN NULL \
    WHEN c.relkind = 'p' THEN ( \
    SELECT CASE WHEN pg_catalog.bool_and(leaf.relkind = 'r' AND heap.oid IS NOT NULL) \
    THEN pg_catalog.max(pg_catalog.pg_relation_size(leaf.oid)) END \
    FROM pg_catalog.pg_partition_tree(c.oid) AS part JOIN pg_catalog.pg_class AS leaf ON leaf.oid = part.relid \
    LEFT JOIN pg_catalog.pg_am AS heap ON heap.oid = leaf.relam AND heap.amname = 'heap' WHERE part.isleaf) \
    WHEN c.relkind IN ('r', 'm') AND NOT c.relhassubclass \
    AND EXISTS (SELECT FROM pg_catalog.pg_am WHERE oid = c.relam AND amname = 'heap') \
    THEN pg_catalog.pg_relation_size(c.oid) \
    END / pg_catalog.current_setting('block_size')::pg_catalog.int8";

/// Look up one table: a bare name in `schema` first, else `schema.table`.
pub(crate) fn table(connection: &mut Connection<Socket>, schema: &str, name: &str) -> Result<Table> {
    let wanted = "$2::pg_catalog.text"; // of type name it would be cut at 63 bytes, and both names may be as long
    let sql = format!(
        "SELECT {TABLE_COLUMNS}, {IDENTITY} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {READABLE_KINDS} AND ((n.nspname = $1 AND c.relname = {wanted}) \
         OR n.nspname || '.' || c.relname = {wanted}) ORDER BY n.nspname = $1 AND c.relname = {wanted} DESC LIMIT 1"
    );
    match connection.query(&sql, &[schema, name])?.first() {
        Some(row) => read_table(connection, row),
        None => Err(table_not_found(connection, schema, name)?),
    }
}

/// Look up one table by its number, under whatever name it goes by now; `None` where it was dropped.
pub(crate) fn table_of(connection: &mut Connection<Socket>, oid: u32) -> Result<Option<Table>> {
    let sql = format!(
        "SELECT {TABLE_COLUMNS}, {IDENTITY} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = $1::pg_catalog.oid"
    );
    let rows = connection.query(&sql, &[&oid.to_string()])?;
    rows.first().map(|row| read_table(connection, row)).transpose()
}

/// All tables of a schema, in the order of their names.
pub(crate) fn tables(connection: &mut Connection<Socket>, schema: &str) -> Result<Vec<Table>> {
    let sql = format!(
        "SELECT {TABLE_COLUMNS}, {IDENTITY} FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {READABLE_KINDS} AND n.nspname = $1 AND NOT c.relispartition ORDER BY c.relname"
    );
    let rows = connection.query(&sql, &[schema])?;
    rows.iter().map(|row| read_table(connection, row)).collect()
}

/// Verify that the schema exists and may be used.
pub(crate) fn check_schema(connection: &mut Connection<Socket>, schema: &str) -> Result<Check> {
    let sql = "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1";
    let rows = connection.query(sql, &[schema])?;
    let failed = |message: String| Check { name: "schema".to_owned(), status: CheckStatus::Fail, message };
    Ok(match rows.first() {
        Some(row) if row.is_true(0) => passed("schema", format!("Schema {schema} can be read.")),
        Some(_) => failed(format!("No privilege on schema {schema}; GRANT USAGE ON SCHEMA to this user.")),
        None => failed(format!("Schema {schema} does not exist; set `schema`.")),
    })
}

fn read_table(connection: &mut Connection<Socket>, row: &Row) -> Result<Table> {
    let oid = row.text(0)?;
    let columns = columns(connection, oid)?;
    Ok(Table {
        oid: row.parsed(0)?,
        schema: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        columns,
        primary_key: primary_key(connection, oid)?,
        estimated_rows: row.optional(3).and_then(|count| count.parse().ok()),
        estimated_bytes: row.optional(4).and_then(|size| size.parse().ok()),
        extent: row.optional(5).and_then(|pages| pages.parse().ok()),
        identity: row.optional(6).map(str::to_owned),
    })
}

/// The name of a type; `None` where it is no longer there.
pub(crate) fn type_name(connection: &mut Connection<Socket>, oid: u32, modifier: i32) -> Result<Option<String>> {
    let sql = "SELECT pg_catalog.format_type(oid, $2::pg_catalog.int4) FROM pg_catalog.pg_type \
               WHERE oid = $1::pg_catalog.oid";
    let rows = connection.query(sql, &[&oid.to_string(), &modifier.to_string()])?;
    rows.first().map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

fn columns(connection: &mut Connection<Socket>, table_oid: &str) -> Result<Vec<TableColumn>> {
    let sql = "SELECT attname, pg_catalog.format_type(atttypid, atttypmod), atttypid, atttypmod, attnotnull, \
               c.collisdeterministic IS NOT FALSE \
               FROM pg_catalog.pg_attribute LEFT JOIN pg_catalog.pg_collation c ON c.oid = attcollation \
               WHERE attrelid = $1::pg_catalog.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let rows = connection.query(sql, &[table_oid])?;
    rows.iter()
        .map(|row| {
            Ok(TableColumn {
                name: row.text(0)?.to_owned(),
                type_name: row.text(1)?.to_owned(),
                type_oid: row.parsed(2)?,
                type_modifier: row.parsed(3)?,
                is_nullable: !row.is_true(4),
                is_deterministic: row.is_true(5),
            })
        })
        .collect()
}

fn primary_key(connection: &mut Connection<Socket>, table_oid: &str) -> Result<Vec<String>> {
    let sql = "SELECT a.attname FROM pg_catalog.pg_index i \
               CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, position) \
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
               WHERE i.indrelid = $1::pg_catalog.oid AND i.indisprimary ORDER BY k.position";
    let rows = connection.query(sql, &[table_oid])?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

fn table_not_found(connection: &mut Connection<Socket>, schema: &str, name: &str) -> Result<Error> {
    let sql = format!(
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {READABLE_KINDS} AND n.nspname = $1 ORDER BY c.relname LIMIT {}",
        SUGGESTIONS + 1
    );
    let found = connection.query(&sql, &[schema])?;
    let mut names: Vec<&str> = found.iter().filter_map(|row| row.optional(0)).collect();
    let has_more = names.len() > SUGGESTIONS;
    names.truncate(SUGGESTIONS);
    let known = match (names.is_empty(), has_more) {
        (true, _) => format!("schema {schema} has no tables that this user can see"),
        (false, false) => format!("schema {schema} has {}", names.join(", ")),
        (false, true) => format!("schema {schema} has {} and more", names.join(", ")),
    };
    let message = format!("Table {name} does not exist in the source; {known}.");
    Ok(Error::new(Category::Schema, "table_not_found", message).detail("stream", name))
}
