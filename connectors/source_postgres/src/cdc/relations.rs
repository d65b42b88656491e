//! Which stream a change belongs to, and where in it the values of the stream's columns are.

use std::collections::HashMap;

use pgwire::pgoutput::{Datum, Old, Relation, Tuple};
use sdk::{Category, Error, Result};

use crate::prepared::Prepared;
use crate::table::Table;

/// The tables that the server has told of, as they were when they were changed.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    known: HashMap<u32, Option<Mapping>>,
}

/// The table of a stream, as changes have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The place of the stream among those that are read.
    pub(crate) stream: usize,
    /// For each column of the stream where it is in a change; none where it did not exist yet.
    places: Vec<Option<usize>>,
    /// The columns that tell rows apart, with their names.
    key: Vec<(String, usize)>,
}

impl Relations {
    /// Take note of a table; others than those of the streams may be published too.
    pub(crate) fn learn(&mut self, relation: &Relation, streams: &[&Prepared]) {
        let stream = streams.iter().position(|prepared| is_of(relation, &prepared.table));
        let mapping =
            stream.and_then(|place| Some(Mapping::new(relation, place, streams.get(place)?.captured.as_ref()?)));
        self.known.insert(relation.id, mapping);
    }

    /// Check that a table is still what it was when it was looked up, where it was changed later than that.
    pub(crate) fn require_same(relation: &Relation, streams: &[&Prepared]) -> Result<()> {
        let prepared = streams.iter().find(|prepared| is_of(relation, &prepared.table));
        let Some((prepared, table)) = prepared.and_then(|prepared| Some((prepared, prepared.captured.as_ref()?)))
        else {
            return Ok(());
        };
        let Some(column) = other_column(relation, table, prepared.is_whole) else {
            return Ok(());
        };
        let name = table.display_name();
        let message = format!(
            "Column {column} of {name} was added, dropped or renamed while its changes were read. What came before that \
             is not read twice; run again, to go on with the table as it is now."
        );
        Err(Error::new(Category::Schema, "schema_changed", message).detail("stream", name))
    }

    /// The stream of a change; `None` where it is not ours.
    pub(crate) fn find(&self, relation: u32) -> Result<Option<&Mapping>> {
        let known = self.known.get(&relation).ok_or_else(|| {
            let message = format!("The server sent a change of table {relation} and did not say which that is.");
            Error::new(Category::Internal, "protocol", message)
        })?;
        Ok(known.as_ref())
    }
}

impl Mapping {
    fn new(relation: &Relation, stream: usize, table: &Table) -> Mapping {
        let place_of = |name: &str| relation.columns.iter().position(|column| column.name == name);
        let flagged = relation.columns.iter().filter(|column| column.is_key).map(|column| column.name.as_str());
        // With a full identity every column is flagged, and the primary key says more.
        let own: Vec<&str> = table.primary_key.iter().map(String::as_str).collect();
        let key = if own.is_empty() { flagged.collect() } else { own };
        Mapping {
            stream,
            places: table.columns.iter().map(|column| place_of(&column.name)).collect(),
            key: key.into_iter().filter_map(|name| Some((name.to_owned(), place_of(name)?))).collect(),
        }
    }

    /// The values of the stream's columns. Those that a change leaves out are taken from `old`, where that has them.
    pub(crate) fn values<'a>(&self, tuple: &Tuple<'a>, old: Option<&Old<'a>>) -> Vec<Datum<'a>> {
        let value = |place: &Option<usize>| {
            let Some(place) = *place else {
                return Datum::Null;
            };
            match (value_at(tuple, place), old) {
                (Datum::Unchanged, Some(Old::Whole(old))) => value_at(old, place),
                // A key that is stored out of line; what does not belong to the identity is NULL there.
                (Datum::Unchanged, Some(Old::Key(old))) => match value_at(old, place) {
                    Datum::Null => Datum::Unchanged,
                    value => value,
                },
                (value, _) => value,
            }
        };
        self.places.iter().map(value).collect()
    }

    /// The key of a row before its change, where that is another one.
    pub(crate) fn old_key<'a>(&'a self, old: &Tuple<'a>, new: &Tuple<'a>) -> Option<Vec<(&'a str, Datum<'a>)>> {
        let is_same =
            |place| matches!(value_at(new, place), Datum::Unchanged) || value_at(old, place) == value_at(new, place);
        let has_changed = !self.key.iter().all(|(_, place)| is_same(*place));
        has_changed.then(|| self.key.iter().map(|(name, place)| (name.as_str(), value_at(old, *place))).collect())
    }
}

fn is_of(relation: &Relation, table: &Table) -> bool {
    (table.schema.as_str(), table.name.as_str()) == (&relation.schema, &relation.name)
}

/// A column that a table lacks, or, where all of its columns are read, has besides.
fn other_column<'a>(relation: &'a Relation, table: &'a Table, is_whole: bool) -> Option<&'a str> {
    let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let told: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    let gone = known.iter().find(|name| !told.contains(name));
    gone.or_else(|| told.iter().find(|name| is_whole && !known.contains(name))).copied()
}

/// A value of a row; one that has no such column is as good as NULL there.
fn value_at<'a>(tuple: &Tuple<'a>, place: usize) -> Datum<'a> {
    tuple.values.get(place).copied().unwrap_or(Datum::Null)
}

#[cfg(test)]
mod tests {
    use pgwire::pgoutput::{Datum, Old, Tuple};

    use super::Mapping;

    fn tuple<'a>(values: &[Datum<'a>]) -> Tuple<'a> {
        Tuple { values: values.to_vec() }
    }

    /// A table of `wide` and its key `id`, which changes have the other way round.
    fn mapping() -> Mapping {
        Mapping { stream: 0, places: vec![Some(1), Some(0), None], key: vec![("id".into(), 0)] }
    }

    #[test]
    fn what_a_change_leaves_out_is_taken_from_the_row_before_where_that_tells_it() {
        let new = tuple(&[Datum::Unchanged, Datum::Unchanged]);
        let values = |old: Option<&Old<'static>>| mapping().values(&new, old);
        assert_eq!(values(None), [Datum::Unchanged, Datum::Unchanged, Datum::Null]);
        let key = Old::Key(tuple(&[Datum::Text(b"7"), Datum::Null]));
        assert_eq!(values(Some(&key)), [Datum::Unchanged, Datum::Text(b"7"), Datum::Null]);
        let whole = Old::Whole(tuple(&[Datum::Text(b"7"), Datum::Null]));
        assert_eq!(values(Some(&whole)), [Datum::Null, Datum::Text(b"7"), Datum::Null]);
    }

    #[test]
    fn a_key_that_was_left_alone_is_no_other_key() {
        let mapping = mapping();
        let old = tuple(&[Datum::Text(b"7"), Datum::Null]);
        let of = |new| mapping.old_key(&old, &tuple(&[new, Datum::Null]));
        assert_eq!(of(Datum::Unchanged), None);
        assert_eq!(of(Datum::Text(b"7")), None);
        assert_eq!(of(Datum::Text(b"8")), Some(vec![("id", Datum::Text(b"7"))]));
    }
}
