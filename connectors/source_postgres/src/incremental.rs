//! An incremental read: the rows from the last cursor value on, without those that were taken before.

use std::collections::HashMap;
use std::ops::Range;

use pgwire::Connection;
use pgwire::copy_out::{CopyOut, Fields};
use pgwire::qualified;
use sdk::{Category, Error, Moved, NullCursor, Result, RunRequest, Socket, WriteMode, log};
use serde_json::Value;

use crate::cursor::Cursor;
use crate::emitter::Emitter;
use crate::full_refresh::require_whole;
use crate::position::{Position, Taken, digest_of, places};
use crate::prepared::Prepared;
use crate::table::Table;

/// Where to begin, and what to leave out there.
struct Start {
    condition: String,
    known: Option<Known>,
    /// The position to keep when nothing comes.
    position: Option<Value>,
}

/// Rows with the cursor value `value` that were taken before, by their digests.
struct Known {
    value: String,
    places: Vec<usize>,
    counts: HashMap<u128, u64>,
}

/// Read what is new since `position` and emit it, with positions.
pub(crate) fn read(
    connection: &mut Connection<Socket>,
    prepared: &Prepared,
    cursor: &Cursor,
    request: &RunRequest,
) -> Result<Moved> {
    let table = &prepared.table;
    let mut start = begin(connection, table, cursor, request.position_of(prepared.index))?;
    handle_placeless(connection, table, cursor)?;
    let identity = places(&cursor.identity, table).unwrap_or_default();
    let mut taken = Taken::new(cursor, &identity, table);
    connection.begin_copy_out(&statement(table, cursor, &start.condition))?;
    let mut emitter = Emitter::begin(prepared, request)?;
    let mut copy = CopyOut::new(table.columns.len() + 1);
    let mut ranges = Vec::new();
    while let Some(message) = connection.next_copy_data()? {
        let body = connection.body(message);
        let Some(mut fields) = copy.tuple(body)? else {
            continue;
        };
        let row = Row::split(body, fields, table.columns.len() + 1, &mut ranges)?;
        if !emitter.has_room(body.len()) {
            emitter.emit_batch(taken.position_of_batch()?)?;
        }
        taken.push(row.cursor(), |out| row.write_identity(&identity, out));
        if start.known.as_mut().is_some_and(|known| known.take(row)) {
            continue;
        }
        emitter.push(&mut fields, body.len())?;
        if emitter.is_full() {
            emitter.emit_batch(taken.position_of_batch()?)?;
        }
    }
    require_whole(&copy)?;
    emitter.end(taken.position()?.or(start.position))
}

fn statement(table: &Table, cursor: &Cursor, condition: &str) -> String {
    table.copy_statement(&format!(", {}", cursor.text_expression()), &cursor.ordered(condition))
}

/// Find out where to begin.
fn begin(
    connection: &mut Connection<Socket>,
    table: &Table,
    cursor: &Cursor,
    document: Option<&Value>,
) -> Result<Start> {
    let Some(document) = document else {
        return Ok(Start { condition: cursor.not_null(), known: None, position: None });
    };
    let position = Position::read(document, cursor, table)?;
    let at_value = cursor.condition(">=", &position.value);
    let start = |condition, known| Start { condition, known, position: Some(document.clone()) };
    match (position.places(table), position.digests()) {
        (Some(places), Some(counts)) => {
            Ok(start(at_value, Some(Known { value: position.value.clone(), places, counts })))
        }
        // An upsert may read rows again.
        _ if cursor.write_mode == WriteMode::Upsert => Ok(start(at_value, None)),
        (Some(places), None) => {
            require_unchanged(connection, table, cursor, &position, &places)?;
            Ok(start(cursor.condition(">", &position.value), None))
        }
        (None, _) => Err(changed(
            table,
            "boundary_columns_changed",
            "The columns that tell rows apart are no longer what they were, so that it cannot be told which rows with \
             the last cursor value were moved already; name a `tie_breaker_field`, use upsert, or drop the \
             destination's table to begin anew.",
        )),
    }
}

/// Check that the rows with the last value, which are too many to know each of them, are still the same.
fn require_unchanged(
    connection: &mut Connection<Socket>,
    table: &Table,
    cursor: &Cursor,
    position: &Position,
    places: &[usize],
) -> Result<()> {
    let mut found = Taken::new(cursor, places, table);
    connection.begin_copy_out(&statement(table, cursor, &cursor.condition("=", &position.value)))?;
    let mut copy = CopyOut::new(table.columns.len() + 1);
    let mut ranges = Vec::new();
    while let Some(message) = connection.next_copy_data()? {
        let body = connection.body(message);
        if let Some(fields) = copy.tuple(body)? {
            let row = Row::split(body, fields, table.columns.len() + 1, &mut ranges)?;
            found.push(row.cursor(), |out| row.write_identity(places, out));
        }
    }
    require_whole(&copy)?;
    let (count, sum) = found.sum();
    if position.is_sum(count, sum) {
        return Ok(());
    }
    Err(changed(
        table,
        "boundary_changed",
        &format!(
            "{} rows with the cursor value {} were moved, and there are other ones now: {count}. They are too many to \
             tell which are new; use upsert, or a cursor with fewer equal values.",
            position.count, position.value
        ),
    ))
}

fn changed(table: &Table, code: &str, what: &str) -> Error {
    let message = format!("{} cannot be read on exactly. {what}", table.display_name());
    Error::new(Category::Schema, code, message).detail("stream", table.display_name())
}

impl Known {
    /// Whether this row was taken before; each of them is found once.
    fn take(&mut self, row: Row<'_>) -> bool {
        if row.cursor() != self.value.as_bytes() {
            return false;
        }
        let mut identity = Vec::new();
        row.write_identity(&self.places, &mut identity);
        match self.counts.get_mut(&digest_of(&identity)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The fields of one tuple, the last of which is the cursor's text.
#[derive(Clone, Copy)]
struct Row<'a> {
    body: &'a [u8],
    ranges: &'a [Option<Range<usize>>],
}

impl<'a> Row<'a> {
    /// Find the fields of a tuple; `ranges` is room for where they are.
    #[inline]
    fn split(
        body: &'a [u8],
        mut fields: Fields<'_>,
        count: usize,
        ranges: &'a mut Vec<Option<Range<usize>>>,
    ) -> Result<Row<'a>> {
        ranges.clear();
        for _ in 0..count {
            let field = fields.next_field()?;
            let end = body.len() - fields.remaining();
            ranges.push(field.map(|field| end - field.len()..end));
        }
        fields.finish()?;
        Ok(Row { body, ranges })
    }

    #[inline]
    fn field(&self, place: usize) -> Option<&'a [u8]> {
        self.body.get(self.ranges.get(place)?.clone()?)
    }

    #[inline]
    fn cursor(&self) -> &'a [u8] {
        self.field(self.ranges.len() - 1).unwrap_or_default()
    }

    /// Append what tells a row apart, each field with its length.
    #[inline]
    fn write_identity(&self, places: &[usize], out: &mut Vec<u8>) {
        for &place in places {
            let field = self.field(place);
            out.extend(field.map_or(-1, |field| field.len() as i64).to_be_bytes());
            out.extend_from_slice(field.unwrap_or_default());
        }
    }
}

/// A row without a cursor value has no place in the order, and one whose value is infinite or NaN would be the last for
/// ever: the policy for rows without a cursor decides on both.
fn handle_placeless(connection: &mut Connection<Socket>, table: &Table, cursor: &Cursor) -> Result<()> {
    let column = pgwire::identifier(&cursor.column.name);
    let is_null = cursor.column.is_nullable.then(|| format!("{column} IS NULL"));
    let kinds = [
        (is_null, "null_cursor", "is NULL"),
        (cursor.is_endless(), "endless_cursor", "is infinite or NaN, so that no later row could come after them"),
    ];
    for (condition, code, what) in kinds {
        let Some(condition) = condition else { continue };
        let sql = format!("SELECT 1 FROM {} WHERE {condition} LIMIT 1", qualified(&table.schema, &table.name));
        if connection.query(&sql, &[])?.is_empty() {
            continue;
        }
        let (table, column) = (table.display_name(), &cursor.column.name);
        if cursor.on_null == NullCursor::Fail {
            let message = format!(
                "{table} has rows whose cursor {column} {what}; give them a value, use another cursor, or set \
                 `null_cursor: skip` to leave them out."
            );
            return Err(Error::new(Category::Data, code, message).detail("stream", table));
        }
        log::warn(&format!("rows of {table} are left out: their cursor {column} {what}"));
    }
    Ok(())
}
