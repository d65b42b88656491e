//! Changes as a batch has them: what was done, when, and to which row (docs/ABI.md §9).

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::Schema;
use pgwire::Lsn;
use sdk::{Category, Error, Result};

use super::net::{Change, Key, Operation};
use crate::encode::{Encoding, Rows};
use crate::plan::Plan;

pub(crate) const OPERATION: &str = "_rb_op";
pub(crate) const LSN: &str = "_rb_lsn";
pub(crate) const SEQUENCE: &str = "_rb_seq";
pub(crate) const UNCHANGED: &str = "_rb_unchanged";
const FIELD_COUNT_BYTES: usize = 2;

/// The column of the `number`-th column of the key before a change.
pub(crate) fn old_name(number: usize) -> String {
    format!("_rb_old_{number}")
}

/// Where a change stands among all others; what was copied is before them.
pub(crate) type Place = (Lsn, i64);

/// Where the columns of events are in their stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventPlan {
    operation: usize,
    lsn: usize,
    sequence: usize,
    unchanged: usize,
    old: Vec<usize>,
    /// The columns of the key, by their places in the plan.
    pub(crate) key: Vec<usize>,
}

impl EventPlan {
    /// Find the columns of events beside those of `plan`.
    pub(crate) fn new(schema: &Schema, plan: &Plan, key: &[String]) -> Result<EventPlan> {
        let find = |name: &str| schema.index_of(name).map_err(|_| no_column(name));
        let in_plan = |name: &String| {
            let place = plan.columns.iter().position(|column| column.target.name == *name);
            place.filter(|place| plan.columns[*place].encoding != Encoding::Null).ok_or_else(|| key_not_written(name))
        };
        Ok(EventPlan {
            operation: find(OPERATION)?,
            lsn: find(LSN)?,
            sequence: find(SEQUENCE)?,
            unchanged: find(UNCHANGED)?,
            old: (1..=key.len()).map(|number| find(&old_name(number))).collect::<Result<_>>()?,
            key: key.iter().map(in_plan).collect::<Result<_>>()?,
        })
    }
}

/// The events of one batch.
pub(crate) struct Events<'a> {
    plan: &'a Plan,
    operations: &'a StringArray,
    lsns: &'a StringArray,
    sequences: &'a PrimitiveArray<Int64Type>,
    unchanged: &'a StringArray,
    keys: RecordBatch,
    old_keys: RecordBatch,
    encodings: Vec<Encoding>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, events: &EventPlan, plan: &'a Plan) -> Result<Events<'a>> {
        let texts = |place: usize| batch.column(place).as_string_opt::<i32>().ok_or_else(|| no_column("of text"));
        let places: Vec<_> = events.key.iter().map(|place| plan.columns[*place].place).collect();
        let same_type = places
            .iter()
            .zip(&events.old)
            .all(|(own, old)| batch.column(*own).data_type() == batch.column(*old).data_type());
        if !same_type {
            return Err(no_column("of the key's types"));
        }
        let project = |places: &[usize]| batch.project(places).map_err(|_| no_column("of the key"));
        Ok(Events {
            plan,
            operations: texts(events.operation)?,
            lsns: texts(events.lsn)?,
            sequences: batch.column(events.sequence).as_primitive_opt().ok_or_else(|| no_column(SEQUENCE))?,
            unchanged: texts(events.unchanged)?,
            keys: project(&places)?,
            old_keys: project(&events.old)?,
            encodings: events.key.iter().map(|place| plan.columns[*place].encoding).collect(),
        })
    }

    pub(crate) fn place(&self, row: usize) -> Result<Place> {
        if self.sequences.is_null(row) {
            return Ok((Lsn(0), 0));
        }
        Ok((self.lsns.value(row).parse()?, self.sequences.value(row)))
    }

    pub(crate) fn operation(&self, row: usize) -> Result<Operation> {
        match self.operations.value(row) {
            "insert" | "snapshot" => Ok(Operation::Put),
            "update" => Ok(Operation::Update),
            "delete" => Ok(Operation::Delete),
            "truncate" => Ok(Operation::Truncate),
            other => Err(Error::new(Category::Frame, "unknown_operation", format!("No change is called {other:?}."))),
        }
    }

    /// Whether the key of a row was changed.
    pub(crate) fn moves(&self, row: usize) -> bool {
        self.old_keys.columns().iter().any(|column| column.is_valid(row))
    }

    /// The changes of some rows, with the columns of the plan that they do not tell.
    pub(crate) fn changes(&self, rows: &[usize]) -> Result<Vec<Change>> {
        let keys = Rows::new(&self.keys, self.encodings.iter().copied())?;
        let old_keys = Rows::new(&self.old_keys, self.encodings.iter().copied())?;
        let change = |row: &usize| {
            let (row, operation) = (*row, self.operation(*row)?);
            if operation == Operation::Truncate {
                return Ok(Change { row, operation, key: Vec::new(), old: None, unchanged: Vec::new() });
            }
            if self.keys.columns().iter().any(|column| column.is_null(row)) {
                return Err(null_key(self.plan));
            }
            let old = if self.moves(row) { Some(encoded(&old_keys, row)?) } else { None };
            Ok(Change { row, operation, key: encoded(&keys, row)?, old, unchanged: self.unchanged(row)? })
        };
        rows.iter().map(change).collect()
    }

    /// The names of columns whose value a change does not tell.
    pub(crate) fn untold(&self, row: usize) -> Result<Vec<String>> {
        let name = |place: usize| self.plan.columns.get(place).map(|column| column.target.name.clone());
        Ok(self.unchanged(row)?.into_iter().filter_map(name).collect())
    }

    fn unchanged(&self, row: usize) -> Result<Vec<usize>> {
        if self.unchanged.is_null(row) {
            return Ok(Vec::new());
        }
        let names: Vec<String> = serde_json::from_str(self.unchanged.value(row)).map_err(|_| no_column(UNCHANGED))?;
        let place = |name: &String| self.plan.columns.iter().position(|column| column.target.name == *name);
        Ok(names.iter().filter_map(place).collect())
    }
}

fn encoded(keys: &Rows<'_>, row: usize) -> Result<Key> {
    let mut out = Vec::new();
    keys.write(row, &mut out)?;
    out.drain(..FIELD_COUNT_BYTES);
    Ok(out)
}

fn null_key(plan: &Plan) -> Error {
    let message = format!("A row for {} has NULL in its key; upsert cannot tell which row it is.", plan.table);
    Error::new(Category::Data, "null_key", message)
}

fn no_column(what: &str) -> Error {
    Error::new(
        Category::Frame,
        "no_event",
        format!("A stream of changes has no column {what}, or one of another type."),
    )
}

fn key_not_written(name: &str) -> Error {
    let message = format!("Column {name} of the key is not written, and changes cannot be applied without it.");
    Error::new(Category::Schema, "key_not_selected", message).detail("column", name)
}
