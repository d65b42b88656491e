//! Applying a number of changes to one table: they are added up, staged by one COPY, and taken from there.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use pgwire::Connection;
use sdk::{Category, Error, Result, Socket, log};

use super::event::{EventPlan, Events};
use super::net::{Key, Net, NetRow, Source, net};
use super::statements::{Parts, Statements};
use crate::encode::{NULL, Rows};
use crate::load::{new_copy, send_if_full};
use crate::plan::Plan;

/// The columns of a stage besides those of its table and its key.
const OWN_COLUMNS: usize = 2;

/// A stage with more rows is emptied before others are staged: that costs a file each time, and more each time within
/// a transaction, and rows that are done with cost a look.
const MOST_STAGED_ROWS: usize = 1000;

/// What is in the stage of a table, of the round that is being applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staged {
    rows: usize,
    number: i32,
}

impl Staged {
    /// What was staged was rolled back, and so may be that the stage was emptied.
    pub(crate) fn forget(&mut self) {
        self.rows = usize::MAX;
    }
}

impl Default for Staged {
    /// An earlier round may have left anything.
    fn default() -> Staged {
        Staged { rows: usize::MAX, number: 0 }
    }
}

/// A table, and a batch of its changes.
#[derive(Clone, Copy)]
pub(crate) struct Application<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) events: &'a EventPlan,
    pub(crate) statements: &'a Statements,
    pub(crate) batch: &'a RecordBatch,
    /// A change of a key that stands alone is done to the row where it is, if it can be.
    pub(crate) is_in_place: bool,
}

impl Application<'_> {
    /// Apply the changes in some rows of the batch, in their order.
    pub(crate) fn apply(&self, connection: &mut Connection<Socket>, rows: &[usize], staged: &mut Staged) -> Result<()> {
        let changes = Events::new(self.batch, self.events, self.plan)?.changes(rows)?;
        if let [change] = changes.as_slice()
            && let Some(from) = &change.old
            && self.is_in_place
            && self.statements.can_move_in_place()
        {
            let taken = change.unchanged.iter().map(|column| (*column, Source::Table)).collect();
            let row = NetRow { row: change.row, taken, from: Some(from.clone()) };
            if self.is_moved_in_place(connection, row, staged)? {
                return Ok(());
            }
        }
        self.land(connection, &net(changes), staged)
    }

    /// Change the key of a row where it is, so that what refers to it follows or objects; whether it was there.
    fn is_moved_in_place(&self, connection: &mut Connection<Socket>, row: NetRow, staged: &mut Staged) -> Result<bool> {
        let kept = row.taken.iter().map(|(column, _)| *column).collect();
        let parts = self.stage(connection, &Net { rows: vec![row], ..Net::default() }, staged)?;
        Ok(connection.execute_counted(&self.statements.move_in_place(parts.rows, &kept))? > 0)
    }

    fn land(&self, connection: &mut Connection<Socket>, net: &Net, staged: &mut Staged) -> Result<()> {
        let parts = self.stage(connection, net, staged)?;
        log::point("destination.staged");
        if net.is_cleared {
            connection.execute(&self.statements.clear())?;
        }
        if !net.gone.is_empty() {
            connection.execute(&self.statements.delete(parts.gone))?;
        }
        let of_table = |row: &NetRow| row.taken.clone().into_iter().filter(|(_, source)| *source == Source::Table);
        let kept: BTreeSet<usize> = net.rows.iter().flat_map(of_table).map(|(column, _)| column).collect();
        if !kept.is_empty() && !connection.query(&self.statements.missing(parts.rows), &[])?.is_empty() {
            return Err(self.row_missing());
        }
        if !net.rows.is_empty() {
            connection.execute(&self.statements.upsert(parts.rows, &kept))?;
        }
        if !net.left.is_empty() {
            connection.execute(&self.statements.delete(parts.left))?;
        }
        Ok(())
    }

    fn row_missing(&self) -> Error {
        let message = format!(
            "A row for {} was changed but for a value that is stored out of line, and the destination does not have \
             the row to keep it of: it was deleted there, or rejected. ALTER TABLE ... REPLICA IDENTITY FULL at the \
             source has such values told.",
            self.plan.table
        );
        Error::new(Category::Data, "row_missing", message)
    }

    /// Stage what is to be done, and check that casts keep what was staged.
    fn stage(&self, connection: &mut Connection<Socket>, net: &Net, staged: &mut Staged) -> Result<Parts> {
        if staged.rows > MOST_STAGED_ROWS {
            connection.execute(&self.statements.empty_stage())?;
            staged.rows = 0;
        }
        let parts = Parts::of(staged.number);
        staged.rows += net.gone.len() + net.left.len() + net.rows.len();
        staged.number += 1;
        connection.begin_copy_in(&self.statements.copy_to_stage())?;
        let copied = self.copy(connection, net, parts);
        if copied.is_err() && !connection.is_idle() {
            connection.fail_copy_in("rapidbyte: a value cannot be sent")?;
        }
        copied?;
        for (column, query) in self.statements.coercions() {
            if !connection.query(&query, &[])?.is_empty() {
                let message =
                    format!("A value of column {column} for {} would be changed by the cast.", self.plan.table);
                return Err(Error::new(Category::Data, "value_changed", message).detail("column", column));
            }
        }
        Ok(parts)
    }

    fn copy(&self, connection: &mut Connection<Socket>, net: &Net, parts: Parts) -> Result<()> {
        let mut copy = new_copy();
        let selected = self.plan.selected(self.batch)?;
        let values = Rows::new(&selected, self.plan.columns.iter().map(|column| column.encoding))?;
        let gone = net.gone.iter().map(|key| (key, parts.gone));
        for (key, part) in gone.chain(net.left.iter().map(|key| (key, parts.left))) {
            self.write_key(key, part, copy.tuples())?;
            send_if_full(connection, &mut copy)?;
        }
        for row in &net.rows {
            self.write_row(row, &values, parts.rows, copy.tuples())?;
            send_if_full(connection, &mut copy)?;
        }
        connection.finish_copy_in(copy.finished())?;
        Ok(())
    }

    fn write_key(&self, key: &Key, part: i32, out: &mut Vec<u8>) -> Result<()> {
        self.begin(out)?;
        let fields = split(key, self.events.key.len())?;
        for place in 0..self.plan.columns.len() {
            match self.events.key.iter().position(|own| *own == place).and_then(|own| fields.get(own)) {
                Some(field) => out.extend_from_slice(field),
                None => out.extend(NULL),
            }
        }
        self.end(None, &[], part, out);
        Ok(())
    }

    fn write_row(&self, row: &NetRow, values: &Rows<'_>, part: i32, out: &mut Vec<u8>) -> Result<()> {
        self.begin(out)?;
        values.write_picked(out, |column| match row.taken.iter().find(|(taken, _)| *taken == column) {
            None => Some(row.row),
            Some((_, Source::Row(earlier))) => Some(*earlier),
            Some((_, Source::Table)) => None,
        })?;
        let of_table = row.taken.iter().filter(|(_, source)| *source == Source::Table);
        let kept: Vec<usize> = of_table.map(|(column, _)| *column).collect();
        self.end(row.from.as_ref(), &kept, part, out);
        Ok(())
    }

    fn begin(&self, out: &mut Vec<u8>) -> Result<()> {
        let fields = self.plan.columns.len() + self.events.key.len() + OWN_COLUMNS;
        let fields = i16::try_from(fields).map_err(|_| too_many_columns())?;
        out.extend(fields.to_be_bytes());
        Ok(())
    }

    fn end(&self, from: Option<&Key>, kept: &[usize], part: i32, out: &mut Vec<u8>) {
        match from {
            Some(key) => out.extend_from_slice(key),
            None => (0..self.events.key.len()).for_each(|_| out.extend(NULL)),
        }
        if kept.is_empty() {
            out.extend(NULL);
        } else {
            out.extend((self.plan.columns.len() as i32).to_be_bytes());
            out.extend((0..self.plan.columns.len()).map(|place| u8::from(kept.contains(&place))));
        }
        out.extend(4i32.to_be_bytes());
        out.extend(part.to_be_bytes());
    }
}

/// The fields of a key, each with its length.
fn split(key: &[u8], count: usize) -> Result<Vec<&[u8]>> {
    let mut rest = key;
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let length = rest.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        let size = length.map(|length| 4 + usize::try_from(length).unwrap_or_default());
        let (field, after) = size.and_then(|size| rest.split_at_checked(size)).ok_or_else(|| {
            Error::new(Category::Internal, "key", "A key does not have the fields that it was made of.")
        })?;
        fields.push(field);
        rest = after;
    }
    Ok(fields)
}

fn too_many_columns() -> Error {
    Error::new(Category::Schema, "too_many_columns", "A stream has more columns than its changes can be staged with.")
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_key_is_split_into_its_fields() {
        let key = [0, 0, 0, 1, 7, 255, 255, 255, 255, 0, 0, 0, 2, 8, 9];
        let fields: Option<Vec<&[u8]>> = split(&key, 3).ok();
        assert_eq!(fields, Some(vec![&key[..5], &key[5..9], &key[9..]]));
        assert!(split(&key[..6], 2).is_err());
    }
}
