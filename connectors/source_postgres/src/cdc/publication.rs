//! The publication: which tables the server sends changes of. A pipeline makes its own and adds tables to it; one that
//! the config names is left alone once it is there.

use pgwire::{Connection, Row, identifier, qualified};
use sdk::{Category, Error, Result, Socket, log};

use super::names::Names;
use crate::table::Table;

/// The statement that is missing, if one is.
pub(crate) type Missing = Option<String>;

/// Find out what is missing, and check that it can be made. Writes nothing.
pub(crate) fn plan(connection: &mut Connection<Socket>, names: &Names, tables: &[&Table]) -> Result<Missing> {
    let name = identifier(&names.publication);
    let sql = "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot \
               FROM pg_catalog.pg_publication WHERE pubname = $1";
    let Some(row) = connection.query(sql, &[&names.publication])?.into_iter().next() else {
        let quoted = tables.iter().map(|table| quoted(table)).collect::<Vec<_>>().join(", ");
        let statement =
            format!("CREATE PUBLICATION {name} FOR TABLE {quoted} WITH (publish_via_partition_root = true)");
        require_database_privilege(connection, &statement)?;
        require_ownership(connection, tables, &statement)?;
        return Ok(Some(statement));
    };
    require_whole(&row, names)?;
    let mut missing = Vec::new();
    for table in tables {
        if !is_published(connection, names, table)? {
            missing.push(*table);
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    let quoted = missing.iter().map(|table| quoted(table)).collect::<Vec<_>>().join(", ");
    let statement = format!("ALTER PUBLICATION {name} ADD TABLE {quoted}");
    if names.is_publication_ours {
        require_ownership(connection, &missing, &statement)?;
        return Ok(Some(statement));
    }
    let message = format!("Publication {} lacks a table; {statement}.", names.publication);
    Err(Error::new(Category::Schema, "publication_lacks_table", message).detail("publication", &names.publication))
}

/// Make what is missing.
pub(crate) fn complete(connection: &mut Connection<Socket>, names: &Names, tables: &[&Table]) -> Result<()> {
    if let Some(statement) = plan(connection, names, tables)? {
        connection.execute(&statement).map_err(|error| unmade(error.into(), &statement))?;
        log::point("source.published");
    }
    Ok(())
}

fn quoted(table: &Table) -> String {
    qualified(&table.schema, &table.name)
}

fn require_whole(row: &Row, names: &Names) -> Result<()> {
    let name = identifier(&names.publication);
    let option = match (row.is_true(0), row.is_true(1)) {
        (true, true) => return Ok(()),
        (false, _) => "publish = 'insert, update, delete, truncate'",
        (true, false) => "publish_via_partition_root = true",
    };
    let message = format!(
        "Publication {} does not send all changes; ALTER PUBLICATION {name} SET ({option}).",
        names.publication
    );
    Err(Error::new(Category::Schema, "publication_partial", message).detail("publication", &names.publication))
}

/// Whether a table is in the publication, with all of its rows and all columns that are moved.
fn is_published(connection: &mut Connection<Socket>, names: &Names, table: &Table) -> Result<bool> {
    // Column lists and filters came with version 15; before, the view has no such columns.
    let sql = "SELECT pg_catalog.to_jsonb(t) -> 'attnames', pg_catalog.to_jsonb(t) ->> 'rowfilter' \
               FROM pg_catalog.pg_publication_tables t WHERE pubname = $1 AND schemaname = $2 AND tablename = $3";
    let rows = connection.query(sql, &[&names.publication, &table.schema, &table.name])?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    let columns: Option<Vec<String>> = row.optional(0).and_then(|text| serde_json::from_str(text).ok());
    let lacks = |column: &str| columns.as_ref().is_some_and(|columns| !columns.iter().any(|name| name == column));
    let lacking = table.columns.iter().find(|column| lacks(&column.name));
    let reason = match (row.optional(1), lacking) {
        (Some(filter), _) => format!("sends only rows of {} with {filter}", table.display_name()),
        (None, Some(column)) => format!("does not send column {} of {}", column.name, table.display_name()),
        (None, None) => return Ok(true),
    };
    let message = format!("Publication {} {reason}; take that out of it.", names.publication);
    Err(Error::new(Category::Schema, "publication_partial", message).detail("publication", &names.publication))
}

fn require_database_privilege(connection: &mut Connection<Socket>, statement: &str) -> Result<()> {
    let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";
    if connection.query(sql, &[])?.first().is_some_and(|row| row.is_true(0)) {
        return Ok(());
    }
    let message = format!("The publication is missing, and this user may not make it; {statement}.");
    Err(Error::new(Category::Permission, "publication_missing", message))
}

/// Only its owner may publish a table.
fn require_ownership(connection: &mut Connection<Socket>, tables: &[&Table], statement: &str) -> Result<()> {
    let sql = "SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class \
               WHERE oid = $1::pg_catalog.regclass";
    for table in tables {
        if !connection.query(sql, &[&quoted(table)])?.first().is_some_and(|row| row.is_true(0)) {
            let message =
                format!("This user may not publish {}; have its owner run {statement}.", table.display_name());
            let error = Error::new(Category::Permission, "publication_missing", message);
            return Err(error.detail("stream", table.display_name()));
        }
    }
    Ok(())
}

fn unmade(error: Error, statement: &str) -> Error {
    if error.category != Category::Permission {
        return error;
    }
    let message = format!("{} Have the tables' owner run: {statement}.", error.message);
    Error { message, ..error }
}
