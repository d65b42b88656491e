//! What changes of a table tell of the row that was there before: its replica identity, which the key must be part of.

use pgwire::{Connection, Row, qualified};
use sdk::{Category, Error, Result, Socket, StreamRequest, WriteMode};

use crate::table::Table;

/// Of each table that holds rows, its replica identity and the columns of that, where an index has them.
const IDENTITIES: &str = "\
    SELECT c.relreplident, c.oid::pg_catalog.regclass::pg_catalog.text, (SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place) \
    FROM pg_catalog.pg_index i \
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, place) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
    WHERE i.indrelid = c.oid AND k.place <= i.indnkeyatts \
    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) \
    FROM (SELECT $1::pg_catalog.regclass::pg_catalog.oid AS oid UNION \
    SELECT relid FROM pg_catalog.pg_partition_tree($1::pg_catalog.regclass) WHERE isleaf) AS t \
    JOIN pg_catalog.pg_class c USING (oid) WHERE c.relkind = 'r' ORDER BY c.oid";

/// The replica identity of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    table: String,
    /// None where all columns are told.
    columns: Option<Vec<String>>,
    /// It is that of an index which was chosen for it.
    is_chosen: bool,
}

/// Give a table the key that its changes go by: the one that was asked for, where they are applied, or else the columns
/// of its replica identity, or its primary key. What has no identity stays as it is, and is refused later.
pub(crate) fn with_identity(
    connection: &mut Connection<Socket>,
    request: &StreamRequest,
    table: Table,
) -> Result<Table> {
    let rows = connection.query(IDENTITIES, &[&qualified(&table.schema, &table.name)])?;
    let identities: Vec<_> = rows.iter().map(read).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let is_applied = request.write_mode == WriteMode::Upsert;
    let wanted = request.primary_key.as_ref().filter(|key| is_applied && !key.is_empty());
    let primary_key = key_of(&identities, wanted, &table.primary_key);
    if is_applied {
        require_told(&table, &identities, &primary_key)?;
    }
    // Sessions that fill a table together cannot settle which of two rows with one key it keeps.
    let extent = table.extent.filter(|_| !is_applied || primary_key == table.primary_key);
    Ok(Table { primary_key, extent, ..table })
}

fn read(row: &Row) -> Result<Option<Identity>> {
    let (kind, table) = (row.text(0)?, row.text(1)?.to_owned());
    let columns: Option<Vec<String>> = row.optional(2).map(serde_json::from_str).transpose().map_err(malformed)?;
    let is_chosen = kind == "i";
    Ok((kind == "f" || columns.is_some()).then_some(Identity { table, columns, is_chosen }))
}

fn key_of(identities: &[Identity], wanted: Option<&Vec<String>>, primary_key: &[String]) -> Vec<String> {
    let chosen = identities.iter().filter(|identity| identity.is_chosen).find_map(|identity| identity.columns.clone());
    wanted.cloned().or(chosen).unwrap_or_else(|| primary_key.to_vec())
}

/// Check that changes tell of each row before them which one it was.
fn require_told(table: &Table, identities: &[Identity], key: &[String]) -> Result<()> {
    let untold = |identity: &&Identity| {
        let columns = identity.columns.as_ref();
        columns.is_some_and(|columns| key.iter().any(|name| !columns.contains(name)))
    };
    let Some(identity) = identities.iter().find(untold) else {
        return Ok(());
    };
    let told = identity.columns.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "Changes of {} tell rows apart by ({told}), and upsert by ({}); make `primary_key` the same, or ALTER TABLE {} \
         REPLICA IDENTITY FULL.",
        identity.table,
        key.join(", "),
        identity.table
    );
    Err(Error::new(Category::Schema, "key_not_told", message).detail("stream", table.display_name()))
}

fn malformed(error: serde_json::Error) -> Error {
    Error::new(Category::Internal, "catalog", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Identity, key_of, require_told};
    use crate::samples;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn identity(columns: Option<&[&str]>, is_chosen: bool) -> Identity {
        Identity { table: "t".into(), columns: columns.map(names), is_chosen }
    }

    #[test]
    fn the_key_is_what_was_asked_for_or_chosen_or_the_primary_one() {
        let (own, wanted) = (names(&["id"]), names(&["email"]));
        let chosen = [identity(Some(&["id"]), false), identity(Some(&["code"]), true)];
        assert_eq!(key_of(&chosen[..1], None, &own), own);
        assert_eq!(key_of(&chosen, None, &own), names(&["code"]));
        assert_eq!(key_of(&chosen, Some(&wanted), &own), wanted);
        assert_eq!(key_of(&[identity(None, false)], None, &[]), names(&[]));
    }

    #[test]
    fn a_key_that_changes_do_not_tell_is_refused() {
        let code = |columns, key: &[&str]| {
            let told = require_told(&samples::table(&[], &[]), &[identity(columns, false)], &names(key));
            told.err().map(|error| error.code)
        };
        assert_eq!(code(Some(&["a", "b"]), &["b"]), None);
        assert_eq!(code(None, &["anything"]), None);
        assert_eq!(code(Some(&["a"]), &["a", "b"]).as_deref(), Some("key_not_told"));
    }
}
