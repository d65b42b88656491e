//! The table a stream is written to: what the database has of it, and how it is made.

use pgwire::{Connection, Row, identifier, literal, qualified};
use sdk::{Category, Check, CheckStatus, Column, Error, Result, Socket, WriteMode};

use crate::changes::FLAG_DEFINITION;
use crate::drift::Change;
use crate::key;
use crate::new_columns;
use crate::permission;
use crate::prepared::Prepared;

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
    pub(crate) is_nullable: bool,
    /// The database computes it, and takes no value for it.
    pub(crate) is_generated: bool,
    /// The database has a value for rows that give none.
    pub(crate) has_default: bool,
    /// The database gives each row a value of its own, and no other can be set in a row that is there.
    pub(crate) is_always_given: bool,
    /// Somebody's function casts text to its type, in the place of the type's own input.
    pub(crate) has_own_cast: bool,
}

impl TargetColumn {
    /// Whether every row must give a value.
    pub(crate) fn is_required(&self) -> bool {
        !self.is_nullable && !self.has_default
    }

    /// An ordinary column that may be NULL.
    #[cfg(test)]
    pub(crate) fn plain(name: &str, type_name: &str, type_oid: u32) -> TargetColumn {
        TargetColumn {
            name: name.into(),
            type_name: type_name.into(),
            type_oid,
            is_nullable: true,
            is_generated: false,
            has_default: false,
            is_always_given: false,
            has_own_cast: false,
        }
    }
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
    let sql = "SELECT c.relkind, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.attnotnull, \
               a.attgenerated <> '', a.atthasdef OR a.attidentity <> '', a.attidentity = 'a', \
               (SELECT pg_catalog.bool_and(k.castsource = 25) FROM pg_catalog.pg_cast k \
                WHERE k.casttarget = a.atttypid AND k.castsource IN (25, 1042) AND k.castmethod = 'f') \
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
    Ok(TargetColumn {
        name: row.text(1)?.to_owned(),
        type_name: row.text(2)?.to_owned(),
        type_oid: row.parsed(3)?,
        is_nullable: !row.is_true(4),
        is_generated: row.is_true(5),
        has_default: row.is_true(6),
        is_always_given: row.is_true(7),
        has_own_cast: row.is_true(8),
    })
}

/// Compare a stream with what the database has, and the privileges with what writing takes. Writes nothing.
pub(crate) fn verify(connection: &mut Connection<Socket>, prepared: &Prepared, source: &[Column]) -> Result<()> {
    let name = &prepared.name;
    let existing = columns(connection, name)?;
    match existing {
        Some(_) => {
            verify_changes(connection, prepared)?;
            verify_way(connection, prepared, source)?;
            permission::verify_table(connection, prepared)?;
        }
        None => {
            new_columns::require_name("schema", &name.schema, name)?;
            new_columns::require_name("table", &name.table, name)?;
            new_columns::verify(connection, name, source)?;
            if schema_exists(connection, &name.schema)? {
                let privilege = "pg_catalog.has_schema_privilege($1, 'CREATE')";
                demand(connection, &name.display_name(), privilege, &name.schema, "CREATE ON SCHEMA")?;
            } else {
                verify_database_privilege(connection, &name.display_name())?;
            }
        }
    }
    permission::verify_temporary(connection, prepared, source, existing.is_some())
}

/// Check that an existing table has the key that the mode goes by.
fn verify_way(connection: &mut Connection<Socket>, prepared: &Prepared, source: &[Column]) -> Result<()> {
    match prepared.mode {
        WriteMode::Append => Ok(()),
        WriteMode::Upsert => key::require_unique(connection, &prepared.name, &prepared.key),
        WriteMode::Replace => match key::referenced(connection, &prepared.name)? {
            Some(_) if prepared.is_sifted => Err(cannot_sift(prepared)),
            Some(referenced) => key::require_selected(&prepared.stream, &referenced.columns, source),
            None => Ok(()),
        },
    }
}

/// What did not come again is known only when all rows have come, and then none can be told any more.
fn cannot_sift(prepared: &Prepared) -> Error {
    let table = prepared.name.display_name();
    let message = format!(
        "Table {table} is referred to by a foreign key: it can be replaced only as a whole, with on_data_error: fail."
    );
    Error::new(Category::Schema, "referenced_table", message).detail("table", table)
}

/// Check that the database can do what is to be changed.
fn verify_changes(connection: &mut Connection<Socket>, prepared: &Prepared) -> Result<()> {
    let name = &prepared.name;
    for change in &prepared.changes {
        match change {
            Change::Add(column) => {
                new_columns::verify(connection, name, std::slice::from_ref(column))?;
                demand_ownership(connection, name)?;
            }
            Change::Flag => demand_ownership(connection, name)?,
            Change::Coerce { column, from, to } => {
                let query = format!("SELECT NULL::{from}::{to}::{from}");
                connection.query(&query, &[]).map_err(|error| not_coercible(error.into(), name, column, from, to))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn demand_ownership(connection: &mut Connection<Socket>, name: &TargetName) -> Result<()> {
    let is_owner = "(SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class \
                    WHERE oid = $1::pg_catalog.regclass)";
    demand(connection, &name.display_name(), is_owner, &name.quoted(), "the role that owns")
}

fn not_coercible(error: Error, name: &TargetName, column: &str, from: &str, to: &str) -> Error {
    if error.category != Category::Schema {
        return error;
    }
    let message = format!(
        "Column {column} of table {} is {from} at the source and {to} in the destination, and the one cannot be cast \
         to the other and back; alter one of them.",
        name.display_name()
    );
    Error::new(Category::Schema, "type_not_coercible", message).detail("column", column)
}

/// Add the columns that are new at the source, inside the transaction of the stream.
pub(crate) fn evolve(connection: &mut Connection<Socket>, prepared: &Prepared) -> Result<()> {
    for change in &prepared.changes {
        if let Change::Add(column) = change {
            let (table, name) = (prepared.name.quoted(), identifier(&column.name));
            connection.execute(&format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {}", column.type_name))?;
        }
        if *change == Change::Flag {
            let table = prepared.name.quoted();
            connection.execute(&format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {FLAG_DEFINITION}"))?;
        }
    }
    Ok(())
}

/// Check a privilege on an object, without which `what` cannot be written.
pub(crate) fn demand(
    connection: &mut Connection<Socket>,
    what: &str,
    privilege: &str,
    object: &str,
    grant: &str,
) -> Result<()> {
    let rows = connection.query(&format!("SELECT {privilege}, current_user"), &[object])?;
    let Some(row) = rows.first().filter(|row| !row.is_true(0)) else {
        return Ok(());
    };
    let message = format!("User {} may not write {what}; GRANT {grant} {object}.", row.text(1)?);
    Err(Error::new(Category::Permission, "42501", message).detail("table", what))
}

pub(crate) fn verify_database_privilege(connection: &mut Connection<Socket>, what: &str) -> Result<()> {
    let rows = connection.query("SELECT pg_catalog.current_database()", &[])?;
    let database = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    demand(connection, what, "pg_catalog.has_database_privilege($1, 'CREATE')", &database, "CREATE ON DATABASE")
}

pub(crate) fn schema_exists(connection: &mut Connection<Socket>, schema: &str) -> Result<bool> {
    Ok(!connection.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[schema])?.is_empty())
}

/// Tell whether the schema is there or could be made.
pub(crate) fn check_schema(connection: &mut Connection<Socket>, schema: &str) -> Result<Check> {
    let what = format!("{schema}.*");
    let exists = schema_exists(connection, schema)?;
    let verdict = if exists {
        demand(connection, &what, "pg_catalog.has_schema_privilege($1, 'USAGE')", schema, "USAGE ON SCHEMA")
    } else {
        verify_database_privilege(connection, &what)
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
pub(crate) fn create(connection: &mut Connection<Socket>, prepared: &Prepared, source: &[Column]) -> Result<()> {
    let name = &prepared.name;
    if columns(connection, name)?.is_some() {
        return Ok(());
    }
    lock_name(connection, name)?;
    let definition = definition(prepared, source);
    connection.execute(&format!("CREATE TABLE IF NOT EXISTS {} ({definition})", name.quoted()))?;
    Ok(())
}

/// Columns and key of a stream's table as CREATE TABLE has them.
pub(crate) fn definition(prepared: &Prepared, source: &[Column]) -> String {
    let mut parts: Vec<_> =
        source.iter().map(|column| format!("{} {}", identifier(&column.name), column.type_name)).collect();
    if !prepared.key.is_empty() {
        let key: Vec<_> = prepared.key.iter().map(|column| identifier(column)).collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    if prepared.is_flagged() {
        parts.push(FLAG_DEFINITION.to_owned());
    }
    parts.join(", ")
}

/// Make the schema of a table where it is missing, and wait for other sessions that are making the table, up to the end
/// of the transaction. IF NOT EXISTS does not wait for another session that is making the same thing: it fails.
pub(crate) fn lock_name(connection: &mut Connection<Socket>, name: &TargetName) -> Result<()> {
    if !schema_exists(connection, &name.schema)? {
        lock_creation(connection, &name.schema)?;
        connection.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(&name.schema)))?;
    }
    lock_creation(connection, &name.quoted())
}

/// Wait for other sessions that are making the same thing, up to the end of the transaction.
pub(crate) fn lock_creation(connection: &mut Connection<Socket>, object: &str) -> Result<()> {
    let key = literal(&format!("rapidbyte:create:{object}"));
    connection.execute(&format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({key}, 0))"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::TargetName;

    fn name(requested: &str, found: &str) -> String {
        TargetName::of("lake", requested, found).table
    }

    #[test]
    fn the_table_keeps_its_name_and_loses_its_schema() {
        assert_eq!(name("users", "public.users"), "users");
        assert_eq!(name("sales.users", "sales.users"), "users");
        assert_eq!(name("a.b", "public.a.b"), "a.b");
    }
}
