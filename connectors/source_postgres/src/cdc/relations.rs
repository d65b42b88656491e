//! Which stream a change belongs to, and where in it the values of the stream's columns are.

use std::collections::HashMap;
use std::rc::Rc;

use pgwire::Connection;
use pgwire::pgoutput::{Datum, Old, Relation, Tuple};
use sdk::{Category, Error, Result, Socket};

use super::shape::Shape;
use super::watch::Watch;

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
    /// What the changes look like.
    pub(crate) shape: Rc<Shape>,
    /// For each column of the stream where it is in a change; none where it did not exist yet.
    places: Vec<Option<usize>>,
    /// The columns that tell rows apart, with their names.
    key: Vec<(String, usize)>,
}

impl Relations {
    /// Take note of a table; others than those of the streams may be published too. `is_earlier`: what changes have now
    /// is not newer than what the streams were prepared as. A table is told by its number: what it was called when it was
    /// changed need not be what it is called now.
    pub(crate) fn learn(
        &mut self,
        reader: &mut Connection<Socket>,
        relation: &Relation,
        watch: Watch<'_>,
        is_earlier: bool,
    ) -> Result<()> {
        let ours = watch.streams.iter().enumerate().find(|(_, prepared)| prepared.table.oid == relation.id);
        let mapping = match ours {
            None => {
                if !is_earlier && watch.has_name(&relation.schema, &relation.name) {
                    watch.look(reader)?; // its name was given to another one
                }
                None
            }
            Some((stream, prepared)) => {
                let look_up = if is_earlier { Shape::earlier } else { Shape::later };
                let shape = look_up(reader, relation, prepared)?;
                Some(Mapping::new(relation, stream, shape))
            }
        };
        self.known.insert(relation.id, mapping);
        Ok(())
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
    fn new(relation: &Relation, stream: usize, shape: Shape) -> Mapping {
        let table = &shape.table;
        let place_of = |name: &str| relation.columns.iter().position(|column| column.name == name);
        let flagged = relation.columns.iter().filter(|column| column.is_key).map(|column| column.name.as_str());
        // With a full identity every column is flagged, and the primary key says more.
        let own: Vec<&str> = table.primary_key.iter().map(String::as_str).collect();
        let key = if own.is_empty() { flagged.collect() } else { own };
        Mapping {
            stream,
            places: table.columns.iter().map(|column| place_of(&column.name)).collect(),
            key: key.into_iter().filter_map(|name| Some((name.to_owned(), place_of(name)?))).collect(),
            shape: Rc::new(shape),
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

/// A value of a row; one that has no such column is as good as NULL there.
fn value_at<'a>(tuple: &Tuple<'a>, place: usize) -> Datum<'a> {
    tuple.values.get(place).copied().unwrap_or(Datum::Null)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use pgwire::pgoutput::{Datum, Old, Tuple};

    use super::{Mapping, Shape};
    use crate::samples;

    fn tuple<'a>(values: &[Datum<'a>]) -> Tuple<'a> {
        Tuple { values: values.to_vec() }
    }

    /// A table of `wide` and its key `id`, which changes have the other way round.
    fn mapping() -> Mapping {
        let table = samples::table(&[], &[]);
        let shape = Rc::new(Shape { events: table.clone(), table, is_judged: true });
        Mapping { stream: 0, shape, places: vec![Some(1), Some(0), None], key: vec![("id".into(), 0)] }
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
