//! Keys of a table: the unique constraint that an upsert goes by, and what other tables refer to.

use std::collections::BTreeMap;

use pgwire::Connection;
use sdk::{Category, Column, Error, Result, Socket};

use crate::target::TargetName;

/// Indexes that can settle a conflict: unique, at once, over plain columns and all rows.
const UNIQUE_COLUMNS: &str = "\
    SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i \
    CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, place) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
    WHERE i.indrelid = $1::pg_catalog.regclass AND k.place <= i.indnkeyatts AND i.indisunique AND i.indimmediate \
    AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indexrelid, k.place";

/// The columns of the first foreign key, and by which operators of their types it finds values equal: by its mere name, `=`
/// is that of text for a type of an extension, which an empty search path hides.
const REFERENCED_COLUMNS: &str = "\
    SELECT a.attname, pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM ( \
    SELECT confrelid, confkey, conppeqop FROM pg_catalog.pg_constraint \
    WHERE confrelid = $1::pg_catalog.regclass AND contype = 'f' ORDER BY oid LIMIT 1) AS c \
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(c.confkey), pg_catalog.unnest(c.conppeqop)) \
    WITH ORDINALITY AS k(attnum, operator, place) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum \
    JOIN pg_catalog.pg_operator o ON o.oid = k.operator JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
    ORDER BY k.place";

/// What a foreign key refers to: columns, and for each the operator by which its values are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Referenced {
    pub(crate) columns: Vec<String>,
    pub(crate) equality: Vec<String>,
}

/// Check that the columns of a key are moved.
pub(crate) fn require_selected(stream: &str, key: &[String], columns: &[Column]) -> Result<()> {
    let Some(missing) = key.iter().find(|name| !columns.iter().any(|column| column.name == **name)) else {
        return Ok(());
    };
    let message = format!("Column {missing} of the key of {stream} is not moved; add it to `columns`.");
    Err(Error::new(Category::Schema, "key_not_selected", message).detail("stream", stream).detail("column", missing))
}

/// Check that an existing table has a unique constraint over exactly these columns.
pub(crate) fn require_unique(connection: &mut Connection<Socket>, name: &TargetName, key: &[String]) -> Result<()> {
    let keys = grouped(connection, UNIQUE_COLUMNS, name)?;
    let fits = |columns: &Vec<String>| columns.len() == key.len() && key.iter().all(|column| columns.contains(column));
    if keys.iter().any(fits) {
        return Ok(());
    }
    let columns = key.iter().map(|column| pgwire::identifier(column)).collect::<Vec<_>>().join(", ");
    let message = format!(
        "Table {} in the destination has no unique constraint over ({columns}), which upsert needs; \
         ALTER TABLE {} ADD UNIQUE ({columns}).",
        name.display_name(),
        name.quoted()
    );
    Err(Error::new(Category::Schema, "no_unique_constraint", message).detail("table", name.display_name()))
}

/// The columns of a table that a foreign key refers to, if one does.
pub(crate) fn referenced(connection: &mut Connection<Socket>, name: &TargetName) -> Result<Option<Referenced>> {
    let mut referenced = Referenced::default();
    for row in connection.query(REFERENCED_COLUMNS, &[&name.quoted()])? {
        referenced.columns.push(row.text(0)?.to_owned());
        referenced.equality.push(row.text(1)?.to_owned());
    }
    Ok(Some(referenced).filter(|referenced| !referenced.columns.is_empty()))
}

/// The column names of a query, by the object in its first column.
fn grouped(connection: &mut Connection<Socket>, sql: &str, name: &TargetName) -> Result<Vec<Vec<String>>> {
    let mut groups: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for row in connection.query(sql, &[&name.quoted()])? {
        groups.entry(row.parsed(0)?).or_default().push(row.text(1)?.to_owned());
    }
    Ok(groups.into_values().collect())
}
