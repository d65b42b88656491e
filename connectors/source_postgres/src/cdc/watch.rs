//! Whether the tables of the streams are still those whose changes are read: under their names, and published.
//!
//! The log itself does not tell. After a rename its changes go by another name; a table that is made anew is another one,
//! whatever it is called; and what is not published has no changes at all. To go on would be a gap without a word.

use std::collections::HashMap;

use pgwire::Connection;
use sdk::{Category, Error, Result, Socket};

use super::names::Names;
use super::place::Place;
use crate::catalog;
use crate::prepared::Prepared;
use crate::table::Table;

const TABLES: &str = "\
    SELECT c.oid, n.nspname, c.relname, pg_catalog.format('%s/%s', p.oid, r.oid) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_publication p ON p.pubname = $1 \
    LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid \
    WHERE c.oid = ANY ($2::pg_catalog.oid[])";

/// The streams of a pipeline, and what publishes their tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) names: &'a Names,
    pub(crate) streams: &'a [&'a Prepared],
}

impl Watch<'_> {
    /// Look at all tables as they are now; for each, what has its changes sent: another one when it was taken out and put
    /// back.
    pub(crate) fn look(&self, connection: &mut Connection<Socket>) -> Result<Vec<String>> {
        let numbers: Vec<_> = self.streams.iter().map(|prepared| prepared.table.oid.to_string()).collect();
        let numbers = format!("{{{}}}", numbers.join(","));
        let rows = connection.query(TABLES, &[&self.names.publication, &numbers])?;
        let mut found = HashMap::new();
        for row in &rows {
            found.insert(row.parsed::<u32>(0)?, (format!("{}.{}", row.text(1)?, row.text(2)?), row.text(3)?));
        }
        let publisher = |prepared: &&Prepared| match found.get(&prepared.table.oid) {
            Some((now, publisher)) if *now == prepared.table.display_name() => Ok((*publisher).to_owned()),
            other => Err(lost(prepared, other.map(|(now, _)| now.as_str()))),
        };
        self.streams.iter().map(publisher).collect()
    }

    /// Check that changes of all tables were sent since they were copied, and still are.
    pub(crate) fn verify(&self, connection: &mut Connection<Socket>, place: &Place) -> Result<()> {
        let publishers = self.look(connection)?;
        let mut streams = self.streams.iter().zip(&publishers);
        streams.try_for_each(|(prepared, by)| place.require_published(&prepared.table.display_name(), by))
    }

    /// Whether a table of this name would be taken for that of a stream.
    pub(crate) fn has_name(&self, schema: &str, name: &str) -> bool {
        let own = self.streams.iter().map(|prepared| &prepared.table);
        own.map(|table| (table.schema.as_str(), table.name.as_str())).any(|own| own == (schema, name))
    }
}

/// The table of a stream as it is now, under the name that it had.
pub(crate) fn table_now(connection: &mut Connection<Socket>, prepared: &Prepared) -> Result<Table> {
    let (name, found) = (prepared.table.display_name(), catalog::table_of(connection, prepared.table.oid)?);
    let now = found.as_ref().map(Table::display_name);
    found.filter(|table| table.display_name() == name).ok_or_else(|| lost(prepared, now.as_deref()))
}

/// What to do about a table whose name is another one's, or nobody's; `now` is what it is called, if it is there.
fn lost(prepared: &Prepared, now: Option<&str>) -> Error {
    let name = prepared.table.display_name();
    let (code, message) = match now {
        Some(now) => {
            let message = format!(
                "The table whose changes are read as {name} is called {now} now: give it its name back, or name {now} as \
                 the stream, which copies it anew."
            );
            ("table_renamed", message)
        }
        None => {
            let message = format!(
                "Table {name}, whose changes are read, was dropped: take it out of the document; or, if another one has \
                 its name, drop its table in the destination, so that this one is copied anew."
            );
            ("table_dropped", message)
        }
    };
    Error::new(Category::Schema, code, message).detail("stream", name)
}
