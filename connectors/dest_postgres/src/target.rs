//! The table a stream is written to: what the database has of it, and how it is made.

use pgwire::{Connection, Row, identifier, literal, qualified};
use sdk::{Category, Check, CheckStatus, Column, Error, Result, Socket};

/// A table by schema and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetName {
    pub(crate) schema: String,
    pub(crate) table: String,
}

/// A column as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetColumn {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) type_oid: u32,
}

impl TargetName {
    /// The table of a stream that was asked for as `requested` and that its source calls `found`, which is
    /// `schema.table`.
    pub(crate) fn of(schema: &str, requested: &str, found: &str) -> TargetName {
        let is_bare = found.strip_suffix(requested).is_some_and(|schema| schema.ends_with('.'));
        let table = match found.split_once('.') {
            Some((_, table)) if !is_bare => table,
            _ => requested,
        };
        TargetName { schema: schema.to_owned(), table: table.to_owned() }
    }

    pub(crate) fn quoted(&self) -> String {
        qualified(&self.schema, &self.table)
    }

    pub(crate) fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }
}

/// The columns of a table in their order; `None` where there is no table.
pub(crate) fn columns(connection: &mut Connection<Socket>, name: &TargetName) -> Result<Option<Vec<TargetColumn>>> {
    let sql = "SELECT c.relkind, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid \
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               WHERE n.nspname = $1 AND c.relname = $2 ORDER BY a.attnum";
    let rows = connection.query(sql, &[&name.schema, &name.table])?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    if !matches!(first.text(0)?, "r" | "p" | "f") {
        let message = format!("{} exists in the destination and is no table; rename it.", name.display_name());
        return Err(Error::new(Category::Schema, "not_a_table", message).detail("table", name.display_name()));
    }
    let has_columns = rows.iter().filter(|row| row.optional(1).is_some());
    Ok(Some(has_columns.map(read_column).collect::<Result<_>>()?))
}

fn read_column(row: &Row) -> Result<TargetColumn> {
    Ok(TargetColumn { name: row.text(1)?.to_owned(), type_name: row.text(2)?.to_owned(), type_oid: row.parsed(3)? })
}

/// Compare a stream with what the database has, and the privileges with what writing takes. Writes nothing.
pub(crate) fn verify(connection: &mut Connection<Socket>, name: &TargetName, source: &[Column]) -> Result<()> {
    match columns(connection, name)? {
        Some(existing) => {
            fit(name, source, &existing)?;
            demand(connection, name, "pg_catalog.has_table_privilege($1, 'INSERT')", &name.quoted(), "INSERT ON TABLE")
        }
        None => {
            verify_types(connection, name, source)?;
            if schema_exists(connection, &name.schema)? {
                let schema = name.schema.clone();
                demand(connection, name, "pg_catalog.has_schema_privilege($1, 'CREATE')", &schema, "CREATE ON SCHEMA")
            } else {
                verify_database_privilege(connection, name)
            }
        }
    }
}

/// Check that a table has each column of a stream, with the same type.
fn fit(name: &TargetName, source: &[Column], existing: &[TargetColumn]) -> Result<()> {
    for column in source {
        let found = existing.iter().find(|target| target.name == column.name);
        let problem = match found {
            None => format!(
                "Table {} in the destination has no column {}; add it, or leave it out with `columns`.",
                name.display_name(),
                column.name
            ),
            Some(target) if target.type_name != column.type_name => format!(
                "Column {} of table {} is {} at the source and {} in the destination; alter one of them.",
                column.name,
                name.display_name(),
                column.type_name,
                target.type_name
            ),
            Some(_) => continue,
        };
        let code = if found.is_none() { "column_missing" } else { "type_mismatch" };
        return Err(Error::new(Category::Schema, code, problem)
            .detail("table", name.display_name())
            .detail("column", &column.name));
    }
    Ok(())
}

/// Check that the types of a table that is to be made exist.
fn verify_types(connection: &mut Connection<Socket>, name: &TargetName, source: &[Column]) -> Result<()> {
    for column in source {
        let rows = connection.query("SELECT pg_catalog.to_regtype($1) IS NOT NULL", &[&column.type_name])?;
        if !rows.first().is_some_and(|row| row.is_true(0)) {
            let message = format!(
                "Column {} of {} is of type {}, which the destination does not have; create the type there first.",
                column.name,
                name.display_name(),
                column.type_name
            );
            return Err(Error::new(Category::Schema, "type_not_found", message).detail("column", &column.name));
        }
    }
    Ok(())
}

fn demand(
    connection: &mut Connection<Socket>,
    name: &TargetName,
    privilege: &str,
    object: &str,
    grant: &str,
) -> Result<()> {
    let rows = connection.query(&format!("SELECT {privilege}, current_user"), &[object])?;
    let Some(row) = rows.first().filter(|row| !row.is_true(0)) else {
        return Ok(());
    };
    let message = format!("User {} may not write {}; GRANT {grant} {object}.", row.text(1)?, name.display_name());
    Err(Error::new(Category::Permission, "42501", message).detail("table", name.display_name()))
}

fn verify_database_privilege(connection: &mut Connection<Socket>, name: &TargetName) -> Result<()> {
    let rows = connection.query("SELECT pg_catalog.current_database()", &[])?;
    let database = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    demand(connection, name, "pg_catalog.has_database_privilege($1, 'CREATE')", &database, "CREATE ON DATABASE")
}

fn schema_exists(connection: &mut Connection<Socket>, schema: &str) -> Result<bool> {
    Ok(!connection.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[schema])?.is_empty())
}

/// Tell whether the schema is there or could be made.
pub(crate) fn check_schema(connection: &mut Connection<Socket>, schema: &str) -> Result<Check> {
    let name = TargetName { schema: schema.to_owned(), table: "*".to_owned() };
    let exists = schema_exists(connection, schema)?;
    let verdict = if exists {
        demand(connection, &name, "pg_catalog.has_schema_privilege($1, 'USAGE')", schema, "USAGE ON SCHEMA")
    } else {
        verify_database_privilege(connection, &name)
    };
    let (status, message) = match verdict {
        Ok(()) if exists => (CheckStatus::Ok, format!("Schema {schema} can be used.")),
        Ok(()) => (CheckStatus::Ok, format!("Schema {schema} will be made.")),
        Err(error) if error.category == Category::Permission => (CheckStatus::Fail, error.message),
        Err(error) => return Err(error),
    };
    Ok(Check { name: "schema".to_owned(), status, message })
}

/// Make schema and table where they are missing, inside the transaction of the stream.
pub(crate) fn create(connection: &mut Connection<Socket>, name: &TargetName, source: &[Column]) -> Result<()> {
    if columns(connection, name)?.is_some() {
        return Ok(());
    }
    // IF NOT EXISTS does not wait for another session that is making the same thing: it fails. The lock waits.
    if !schema_exists(connection, &name.schema)? {
        lock(connection, &name.schema)?;
        connection.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(&name.schema)))?;
    }
    lock(connection, &name.quoted())?;
    let columns: Vec<_> =
        source.iter().map(|column| format!("{} {}", identifier(&column.name), column.type_name)).collect();
    connection.execute(&format!("CREATE TABLE IF NOT EXISTS {} ({})", name.quoted(), columns.join(", ")))?;
    Ok(())
}

fn lock(connection: &mut Connection<Socket>, object: &str) -> Result<()> {
    let key = literal(&format!("rapidbyte:create:{object}"));
    connection.execute(&format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({key}, 0))"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sdk::Column;

    use super::{TargetColumn, TargetName, fit};

    fn name(requested: &str, found: &str) -> String {
        TargetName::of("lake", requested, found).table
    }

    #[test]
    fn the_table_keeps_its_name_and_loses_its_schema() {
        assert_eq!(name("users", "public.users"), "users");
        assert_eq!(name("sales.users", "sales.users"), "users");
        assert_eq!(name("a.b", "public.a.b"), "a.b");
    }

    #[test]
    fn a_missing_column_and_another_type_are_told_apart() {
        let target = TargetName { schema: "s".into(), table: "t".into() };
        let source = [Column { name: "id".into(), type_name: "integer".into(), nullable: false }];
        let code = |existing: &[TargetColumn]| fit(&target, &source, existing).err().map(|error| error.code);
        let column = |type_name: &str| TargetColumn { name: "id".into(), type_name: type_name.into(), type_oid: 0 };
        assert_eq!(code(&[]).as_deref(), Some("column_missing"));
        assert_eq!(code(&[column("bigint")]).as_deref(), Some("type_mismatch"));
        assert_eq!(code(&[column("integer")]), None);
    }
}
