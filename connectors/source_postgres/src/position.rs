//! How far an incremental stream was read: the last cursor value, and which rows of that value were taken.
//!
//! Rows with the last value may still arrive, so the next read begins at it, not after it. What was taken is known by
//! a digest of each row; where these are too many, by their sum, which shows that nothing changed, or that it did.

use std::collections::HashMap;

use sdk::{Category, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cursor::Cursor;
use crate::table::Table;

/// More rows than this with one cursor value are known by their sum only.
const MOST_DIGESTS: usize = 4096;
/// More rows than this keep a batch in the middle of a stream from having a position.
const MOST_DIGESTS_OF_BATCH: usize = 256;

/// What a receipt keeps for the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    cursor: String,
    #[serde(rename = "type")]
    type_name: String,
    pub(crate) value: String,
    identity: Vec<String>,
    /// A digest of the names and types of `identity`.
    layout: String,
    pub(crate) count: u64,
    sum: String,
    /// A digest of each row that was taken with `value`; none where they are too many.
    digests: Option<Vec<String>>,
}

impl Position {
    /// Read a position and check that it is one of this cursor.
    pub(crate) fn read(document: &Value, cursor: &Cursor, table: &Table) -> Result<Position> {
        let position: Position = serde_json::from_value(document.clone())
            .map_err(|error| Error::new(Category::Internal, "position", error.to_string()))?;
        let column = &cursor.column;
        if (position.cursor.as_str(), position.type_name.as_str()) == (column.name.as_str(), column.type_name.as_str())
        {
            return Ok(position);
        }
        let message = format!(
            "{} was read up to a value of {} ({}), and its cursor is now {} ({}); set the cursor back, or drop the \
             destination's table to begin anew.",
            table.display_name(),
            position.cursor,
            position.type_name,
            column.name,
            column.type_name
        );
        Err(Error::new(Category::Schema, "cursor_changed", message).detail("stream", table.display_name()))
    }

    /// Where the columns that tell rows apart are in the table; `None` when they are no longer what they were.
    pub(crate) fn places(&self, table: &Table) -> Option<Vec<usize>> {
        let places = places(&self.identity, table)?;
        (layout(&places, table) == self.layout).then_some(places)
    }

    /// How often each row was taken, by its digest; `None` when only their sum is known.
    pub(crate) fn digests(&self) -> Option<HashMap<u128, u64>> {
        let mut counts = HashMap::new();
        for digest in self.digests.as_ref()? {
            *counts.entry(u128::from_str_radix(digest, 16).ok()?).or_insert(0) += 1;
        }
        Some(counts)
    }

    /// Whether these are the rows that were taken.
    pub(crate) fn is_sum(&self, count: u64, sum: u128) -> bool {
        (self.count, self.sum.as_str()) == (count, hex(sum).as_str())
    }

    pub(crate) fn to_document(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|error| Error::new(Category::Internal, "position", error.to_string()))
    }
}

/// Where columns are in the table, all of them or none.
pub(crate) fn places(names: &[String], table: &Table) -> Option<Vec<usize>> {
    names.iter().map(|name| table.columns.iter().position(|column| column.name == *name)).collect()
}

fn layout(places: &[usize], table: &Table) -> String {
    let mut text = Vec::new();
    for column in places.iter().filter_map(|&place| table.columns.get(place)) {
        text.extend(format!("{}\0{}\0", column.name, column.type_name).into_bytes());
    }
    hex(digest_of(&text))
}

fn hex(digest: u128) -> String {
    format!("{digest:032x}")
}

/// The first half of SHA-256: no two rows that differ have ever had the same.
pub(crate) fn digest_of(bytes: &[u8]) -> u128 {
    Sha256::digest(bytes).iter().take(16).fold(0, |digest, &byte| digest << 8 | u128::from(byte))
}

/// The rows with the latest cursor value of those that were read so far. They are digested only once they are known
/// not to be followed by a greater value at once.
#[derive(Debug)]
pub(crate) struct Taken {
    cursor: String,
    type_name: String,
    identity: Vec<String>,
    layout: String,
    value: Option<Vec<u8>>,
    /// Rows as they came, one after the other, and where each ends.
    raw: Vec<u8>,
    ends: Vec<usize>,
    digests: Vec<u128>,
    count: u64,
    sum: u128,
}

const MOST_RAW_BYTES: usize = 64 * 1024;

impl Taken {
    pub(crate) fn new(cursor: &Cursor, places: &[usize], table: &Table) -> Taken {
        Taken {
            cursor: cursor.column.name.clone(),
            type_name: cursor.column.type_name.clone(),
            identity: cursor.identity.clone(),
            layout: layout(places, table),
            value: None,
            raw: Vec::new(),
            ends: Vec::new(),
            digests: Vec::new(),
            count: 0,
            sum: 0,
        }
    }

    /// Take a row with this cursor value; `write` appends what tells it apart.
    #[inline]
    pub(crate) fn push(&mut self, value: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        if self.value.as_deref() != Some(value) {
            self.restart(value);
        }
        write(&mut self.raw);
        self.ends.push(self.raw.len());
        if self.raw.len() >= MOST_RAW_BYTES {
            self.digest();
        }
    }

    fn restart(&mut self, value: &[u8]) {
        let kept = self.value.get_or_insert_default();
        kept.clear();
        kept.extend_from_slice(value);
        self.raw.clear();
        self.ends.clear();
        self.digests.clear();
        (self.count, self.sum) = (0, 0);
    }

    fn digest(&mut self) {
        let mut start = 0;
        for &end in &self.ends {
            let digest = digest_of(self.raw.get(start..end).unwrap_or_default());
            if self.digests.len() <= MOST_DIGESTS {
                self.digests.push(digest);
            }
            self.count += 1;
            self.sum = self.sum.wrapping_add(digest);
            start = end;
        }
        self.raw.clear();
        self.ends.clear();
    }

    /// The count and the sum of the digests.
    pub(crate) fn sum(&mut self) -> (u64, u128) {
        self.digest();
        (self.count, self.sum)
    }

    /// The position after a batch in the middle of the stream, where it would be short.
    pub(crate) fn position_of_batch(&mut self) -> Result<Option<Value>> {
        self.digest();
        if self.digests.len() > MOST_DIGESTS_OF_BATCH {
            return Ok(None);
        }
        self.position()
    }

    /// The position after all that was read; `None` when nothing was.
    pub(crate) fn position(&mut self) -> Result<Option<Value>> {
        self.digest();
        let Some(value) = &self.value else {
            return Ok(None);
        };
        let Ok(value) = std::str::from_utf8(value) else {
            let message = format!("The last value of the cursor {} is not UTF-8; it cannot be kept.", self.cursor);
            return Err(Error::new(Category::Data, "not_utf8", message).detail("column", &self.cursor));
        };
        let are_known = self.digests.len() <= MOST_DIGESTS;
        let position = Position {
            cursor: self.cursor.clone(),
            type_name: self.type_name.clone(),
            value: value.to_owned(),
            identity: self.identity.clone(),
            layout: self.layout.clone(),
            count: self.count,
            sum: hex(self.sum),
            digests: are_known.then(|| self.digests.iter().map(|digest| hex(*digest)).collect()),
        };
        position.to_document().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pgwire::oid;
    use sdk::WriteMode;
    use serde_json::Value;

    use super::{MOST_DIGESTS, Position, Taken, digest_of, places};
    use crate::cursor::Cursor;
    use crate::samples::{request, table};
    use crate::table::Table;

    fn notes() -> Table {
        table(&[("c", "integer", oid::INT4), ("note", "text", oid::TEXT)], &[])
    }

    fn cursor(table: &Table) -> sdk::Result<Cursor> {
        Cursor::new(&request("c", None, WriteMode::Append), table)
    }

    fn taken(table: &Table, rows: &[(&str, &str)]) -> sdk::Result<Taken> {
        let cursor = cursor(table)?;
        let mut taken = Taken::new(&cursor, &places(&cursor.identity, table).unwrap_or_default(), table);
        for (value, row) in rows {
            taken.push(value.as_bytes(), |out| out.extend(row.bytes()));
        }
        Ok(taken)
    }

    fn position(table: &Table, rows: &[(&str, &str)]) -> sdk::Result<Option<Value>> {
        taken(table, rows)?.position()
    }

    #[test]
    fn only_rows_with_the_last_value_are_known_each_as_often_as_it_came() -> sdk::Result<()> {
        let table = notes();
        let document = position(&table, &[("1", "a"), ("2", "b"), ("2", "c"), ("2", "b")])?.unwrap_or_default();
        let position = Position::read(&document, &cursor(&table)?, &table)?;
        assert_eq!((position.value.as_str(), position.count), ("2", 3));
        let expected = HashMap::from([(digest_of(b"b"), 2), (digest_of(b"c"), 1)]);
        assert_eq!(position.digests(), Some(expected));
        assert_eq!(position.places(&table), Some(vec![0, 1]));
        Ok(())
    }

    #[test]
    fn nothing_read_is_no_position() -> sdk::Result<()> {
        assert_eq!(position(&notes(), &[])?, None);
        Ok(())
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_rather_than_changed() -> sdk::Result<()> {
        let table = notes();
        let mut taken = taken(&table, &[("1", "a")])?;
        taken.push(b"caf\xe9", |_| {});
        assert_eq!(taken.position().err().map(|error| error.code).as_deref(), Some("not_utf8"));
        Ok(())
    }

    #[test]
    fn too_many_rows_are_known_by_their_sum_in_any_order() -> sdk::Result<()> {
        let table = notes();
        let names: Vec<String> = (0..=MOST_DIGESTS).map(|number| number.to_string()).collect();
        let mut rows: Vec<(&str, &str)> = names.iter().map(|name| ("7", name.as_str())).collect();
        let document = position(&table, &rows)?.unwrap_or_default();
        let position = Position::read(&document, &cursor(&table)?, &table)?;
        assert_eq!((position.digests(), position.count), (None, MOST_DIGESTS as u64 + 1));
        rows.reverse();
        let (count, sum) = taken(&table, &rows)?.sum();
        assert!(position.is_sum(count, sum));
        rows.pop();
        let (count, sum) = taken(&table, &rows)?.sum();
        assert!(!position.is_sum(count, sum));
        assert_eq!(taken(&table, &rows)?.position_of_batch()?, None);
        Ok(())
    }

    #[test]
    fn columns_that_changed_no_longer_tell_rows_apart_and_others_do_not_matter() -> sdk::Result<()> {
        let table_before = notes();
        let document = position(&table_before, &[("1", "a")])?.unwrap_or_default();
        let places_in = |now: &Table| Position::read(&document, &cursor(now)?, now).map(|p| p.places(now));
        let more = table(&[("new", "text", oid::TEXT), ("c", "integer", oid::INT4), ("note", "text", oid::TEXT)], &[]);
        assert_eq!(places_in(&more)?, Some(vec![1, 2]));
        let fewer = table(&[("c", "integer", oid::INT4)], &[]);
        assert_eq!(places_in(&fewer)?, None);
        let retyped = table(&[("c", "integer", oid::INT4), ("note", "json", oid::JSON)], &[]);
        assert_eq!(places_in(&retyped)?, None);
        Ok(())
    }

    #[test]
    fn position_of_another_cursor_is_refused() -> sdk::Result<()> {
        let table_before = notes();
        let document = position(&table_before, &[("1", "a")])?.unwrap_or_default();
        let retyped = table(&[("c", "bigint", oid::INT8), ("note", "text", oid::TEXT)], &[]);
        let error = Position::read(&document, &cursor(&retyped)?, &retyped).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("cursor_changed"));
        Ok(())
    }
}
