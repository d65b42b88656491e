//! Whether this user may read a table: the schema, each column that is moved, and every row.

use pgwire::{Connection, qualified};
use sdk::{Category, Error, Result, Socket};

use crate::table::Table;

/// Check what reading a table takes; what a view needs below it only its query tells.
pub(crate) fn verify(connection: &mut Connection<Socket>, table: &Table) -> Result<()> {
    let name = qualified(&table.schema, &table.name);
    let rows =
        connection.query("SELECT pg_catalog.has_schema_privilege($1, 'USAGE'), current_user", &[&table.schema])?;
    let user = rows.first().map(|row| row.text(1)).transpose()?.unwrap_or_default().to_owned();
    if rows.first().is_some_and(|row| !row.is_true(0)) {
        return Err(denied(table, &user, &format!("USAGE ON SCHEMA {}", table.schema)));
    }
    let readable = "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::pg_catalog.regclass \
                    AND a.attnum > 0 AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')";
    let rows = connection.query(readable, &[&name])?;
    let is_readable = |column: &str| rows.iter().any(|row| row.optional(0) == Some(column));
    let missing = table.columns.iter().map(|column| column.name.as_str()).filter(|column| !is_readable(column));
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        let what = if rows.is_empty() { String::new() } else { format!(" ({})", missing.join(", ")) };
        return Err(denied(table, &user, &format!("SELECT{what} ON {}", table.display_name())));
    }
    let rows = connection.query("SELECT pg_catalog.row_security_active($1::pg_catalog.regclass)", &[&name])?;
    if rows.first().is_some_and(|row| row.is_true(0)) {
        return Err(row_security(table, &user));
    }
    Ok(())
}

fn denied(table: &Table, user: &str, grant: &str) -> Error {
    let table = table.display_name();
    let message = format!("User {user} may not read {table}; GRANT {grant} TO {user}.");
    Error::new(Category::Permission, "42501", message).detail("stream", table)
}

fn row_security(table: &Table, user: &str) -> Error {
    let table = table.display_name();
    let message = format!(
        "Row-level security of {table} hides rows from user {user}, so that only a part would be moved; \
         ALTER ROLE {user} BYPASSRLS, or connect as a user that its policies do not apply to."
    );
    Error::new(Category::Permission, "row_security", message).detail("stream", table)
}
