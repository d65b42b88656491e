//! Whether this user may do to a table what its mode takes, to all of its rows, and stage rows where that is needed.

use pgwire::Connection;
use sdk::{Category, Column, Error, Result, Socket, WriteMode};

use crate::changes::Deletes;
use crate::drift::Change;
use crate::key;
use crate::prepared::Prepared;
use crate::target::demand;

/// Types whose values are never sent as text, by the first word of their names; numeric only with a precision.
const NATIVE_TYPES: [&str; 15] = [
    "bigint",
    "boolean",
    "bytea",
    "character",
    "date",
    "double",
    "integer",
    "json",
    "jsonb",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "uuid",
];

/// Check the privileges on a table that exists, and that no policy hides rows which the mode would have to see.
pub(crate) fn verify_table(connection: &mut Connection<Socket>, prepared: &Prepared) -> Result<()> {
    let needed: &[&str] = match prepared.mode {
        WriteMode::Append => &["INSERT"],
        WriteMode::Upsert if prepared.applied == Some(Deletes::Hard) => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        WriteMode::Upsert => &["SELECT", "INSERT", "UPDATE"],
        WriteMode::Replace => &["SELECT", "INSERT", "UPDATE", "DELETE"],
    };
    let (name, quoted) = (prepared.name.display_name(), prepared.name.quoted());
    for privilege in needed {
        let question = format!("pg_catalog.has_table_privilege($1, '{privilege}')");
        demand(connection, &name, &question, &quoted, &format!("{privilege} ON TABLE"))?;
    }
    if prepared.mode == WriteMode::Append {
        return Ok(());
    }
    let sql = "SELECT pg_catalog.row_security_active($1::pg_catalog.regclass), current_user";
    let rows = connection.query(sql, &[&quoted])?;
    match rows.first().filter(|row| row.is_true(0)) {
        Some(row) => Err(row_security(&name, row.text(1)?)),
        None => Ok(()),
    }
}

fn row_security(table: &str, user: &str) -> Error {
    let message = format!(
        "Row-level security of {table} hides rows from user {user}, which could be neither replaced nor updated; \
         ALTER ROLE {user} BYPASSRLS, or use append."
    );
    Error::new(Category::Permission, "row_security", message).detail("table", table)
}

/// Check that a temporary table can be made where rows are merged or cast on their way.
pub(crate) fn verify_temporary(
    connection: &mut Connection<Socket>,
    prepared: &Prepared,
    source: &[Column],
    exists: bool,
) -> Result<()> {
    let is_merged = match prepared.mode {
        WriteMode::Append => false,
        WriteMode::Upsert => true,
        WriteMode::Replace => exists && key::referenced(connection, &prepared.name)?.is_some(),
    };
    let is_coerced = prepared.changes.iter().any(|change| matches!(change, Change::Coerce { .. }));
    if !is_merged && !is_coerced && source.iter().all(|column| is_native(&column.type_name)) {
        return Ok(());
    }
    let rows = connection.query("SELECT pg_catalog.current_database()", &[])?;
    let database = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    let privilege = "pg_catalog.has_database_privilege($1, 'TEMPORARY')";
    demand(connection, &prepared.name.display_name(), privilege, &database, "TEMPORARY ON DATABASE")
}

fn is_native(type_name: &str) -> bool {
    let word = type_name.split([' ', '(', '[']).next().unwrap_or_default();
    let is_text = type_name.ends_with(']') || (word == "time" && type_name.ends_with("with time zone"));
    !is_text && (NATIVE_TYPES.contains(&word) || type_name.starts_with("numeric("))
}

#[cfg(test)]
mod tests {
    use super::is_native;

    #[test]
    fn only_types_that_are_cast_from_text_are_staged() {
        for native in
            ["integer", "numeric(9,2)", "character varying(5)", "timestamp with time zone", "time(3) without time zone"]
        {
            assert!(is_native(native), "{native}");
        }
        for other in ["numeric", "interval", "integer[]", "time with time zone", "shop.mood", "inet", "daterange"] {
            assert!(!is_native(other), "{other}");
        }
    }
}
