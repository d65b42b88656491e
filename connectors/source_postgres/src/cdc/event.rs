//! Events: the columns that a change has besides those of its table, and the tuples they make.
//!
//! One that is appended tells everything of itself; one that is applied to its table tells what that takes.

use pgwire::Lsn;
use pgwire::pgoutput::Datum;
use pgwire::{literal, oid};
use sdk::{Category, Error, Result, WriteMode};
use serde_json::Value;

use super::text_value::write_binary;
use crate::form::Form;
use crate::table::{Table, TableColumn};

const PG_LSN_OID: u32 = 3220;
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// Name, type, and the type's OID (docs/ABI.md §9).
type EventColumn = (&'static str, &'static str, u32);

/// Of every event.
const COMMON: [EventColumn; 3] =
    [("_rb_op", "text", oid::TEXT), ("_rb_lsn", "pg_lsn", PG_LSN_OID), ("_rb_seq", "bigint", oid::INT8)];
const UNCHANGED: EventColumn = ("_rb_unchanged", "jsonb", oid::JSONB);
/// Of one that is appended.
const APPENDED: [EventColumn; 4] = [
    ("_rb_xid", "bigint", oid::INT8),
    ("_rb_committed_at", "timestamp with time zone", oid::TIMESTAMPTZ),
    ("_rb_old_key", "jsonb", oid::JSONB),
    UNCHANGED,
];
/// Of one that is applied, and followed by one for each column of the key, of its type: `_rb_old_1` and so on.
const APPLIED: [EventColumn; 1] = [UNCHANGED];
const OLD_PREFIX: &str = "_rb_old_";

/// What becomes of events in the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Each is a row of its own.
    Append,
    /// They make a table equal to theirs.
    Apply,
}

impl Purpose {
    pub(crate) fn of(mode: WriteMode) -> Purpose {
        if mode == WriteMode::Upsert { Purpose::Apply } else { Purpose::Append }
    }

    fn columns(self) -> impl Iterator<Item = &'static EventColumn> {
        let own: &[EventColumn] = if self == Purpose::Apply { &APPLIED } else { &APPENDED };
        COMMON.iter().chain(own)
    }

    /// The columns of the key before a change, which stand behind all others.
    fn old_columns(self, table: &Table) -> Vec<TableColumn> {
        if self == Purpose::Append {
            return Vec::new();
        }
        let of_key = table.primary_key.iter().filter_map(|name| table.columns.iter().find(|own| own.name == *name));
        let old = |(place, column): (usize, &TableColumn)| TableColumn {
            name: format!("{OLD_PREFIX}{}", place + 1),
            is_nullable: true,
            ..column.clone()
        };
        of_key.enumerate().map(old).collect()
    }
}

/// What was done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Delete => "delete",
            Operation::Truncate => "truncate",
        }
    }
}

/// The transaction of a change. Its commit tells its place among the others, `sequence` that of the change in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) commit: Lsn,
    /// In microseconds since 2000.
    pub(crate) committed_at: i64,
    pub(crate) id: u32,
    pub(crate) sequence: i64,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event<'a> {
    pub(crate) operation: Operation,
    pub(crate) transaction: Transaction,
    /// In the order of the table's columns.
    pub(crate) values: Vec<Datum<'a>>,
    /// The key before the change, by its columns, where that changed it.
    pub(crate) old_key: Option<Vec<(&'a str, Datum<'a>)>>,
}

/// The table that events of a table are rows of.
pub(crate) fn events_of(table: &Table, purpose: Purpose) -> Result<Table> {
    let column = |(name, type_name, type_oid): &EventColumn| TableColumn {
        name: (*name).to_owned(),
        type_name: (*type_name).to_owned(),
        type_oid: *type_oid,
        type_modifier: -1,
        is_nullable: true,
        is_deterministic: true,
    };
    let added: Vec<_> = purpose.columns().map(column).chain(purpose.old_columns(table)).collect();
    if let Some(taken) = table.columns.iter().find(|own| added.iter().any(|column| column.name == own.name)) {
        let message = format!(
            "Table {} has a column {} of its own, which events need for themselves; leave it out with `columns`, or \
             rename it.",
            table.display_name(),
            taken.name
        );
        return Err(Error::new(Category::Schema, "column_reserved", message).detail("stream", table.display_name()));
    }
    let mut events = table.clone();
    events.columns.extend(added);
    Ok(events)
}

/// What a snapshot's COPY adds to each row, so that it is an event.
pub(crate) fn snapshot_columns(table: &Table, purpose: Purpose, at: Lsn) -> String {
    let nulls = purpose.columns().count() + purpose.old_columns(table).len() - 2;
    let at = literal(&at.to_string());
    format!(", 'snapshot'::pg_catalog.text, {at}::pg_catalog.text{}", ", NULL::pg_catalog.text".repeat(nulls))
}

impl Event<'_> {
    /// Write the fields of the tuple, each with its length; values that the server did not tell are NULL, and named.
    pub(crate) fn write(&self, table: &Table, purpose: Purpose, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let mut unchanged = Vec::new();
        for (column, value) in table.columns.iter().zip(&self.values) {
            match value {
                Datum::Text(text) => {
                    write_field(column.form(), text, out).map_err(|error| error.detail("column", &column.name))?
                }
                Datum::Null => out.extend(NULL),
                Datum::Unchanged => {
                    unchanged.push(Value::from(column.name.clone()));
                    out.extend(NULL);
                }
            }
        }
        let of = self.transaction;
        field(self.operation.name().as_bytes(), out);
        field(of.commit.to_string().as_bytes(), out);
        field(&of.sequence.to_be_bytes(), out);
        let unchanged = (!unchanged.is_empty()).then_some(Value::Array(unchanged));
        match purpose {
            Purpose::Append => {
                field(&i64::from(of.id).to_be_bytes(), out);
                field(&of.committed_at.to_be_bytes(), out);
                json(self.old_key.as_deref().map(printed).transpose()?, out)?;
                json(unchanged, out)
            }
            Purpose::Apply => {
                json(unchanged, out)?;
                self.write_old_key(table, out)
            }
        }
    }

    fn write_old_key(&self, table: &Table, out: &mut Vec<u8>) -> Result<()> {
        for name in &table.primary_key {
            let old = self.old_key.iter().flatten().find(|(own, _)| own == name);
            let form = table.columns.iter().find(|column| column.name == *name).map(TableColumn::form);
            match (old, form) {
                (Some((_, Datum::Text(text))), Some(form)) => {
                    write_field(form, text, out).map_err(|error| error.detail("column", name))?
                }
                _ => out.extend(NULL),
            }
        }
        Ok(())
    }
}

/// A key as texts by column.
fn printed(key: &[(&str, Datum<'_>)]) -> Result<Value> {
    let value = |datum: &Datum<'_>| match datum {
        Datum::Text(text) => std::str::from_utf8(text).map(Value::from).map_err(|_| not_text()),
        _ => Ok(Value::Null),
    };
    Ok(Value::Object(key.iter().map(|(name, datum)| Ok(((*name).to_owned(), value(datum)?))).collect::<Result<_>>()?))
}

fn not_text() -> Error {
    Error::new(Category::Data, "invalid_utf8", "A key before a change is no UTF-8, and cannot be told as jsonb.")
}

fn json(value: Option<Value>, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Some(value) => write_field(Form::Jsonb, value.to_string().as_bytes(), out),
        None => {
            out.extend(NULL);
            Ok(())
        }
    }
}

fn write_field(form: Form, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    out.extend(NULL);
    write_binary(form, text, out)?;
    let length = (out.len() - start - NULL.len()) as i32;
    out[start..start + NULL.len()].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn field(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use pgwire::Lsn;
    use pgwire::copy_out::Fields;
    use pgwire::oid;
    use pgwire::pgoutput::Datum;

    use super::{Event, Operation, Purpose, Transaction, events_of};
    use crate::samples;
    use crate::table::Table;

    fn table(names: &[&str]) -> Table {
        samples::table(&names.iter().map(|name| (*name, "integer", oid::INT4)).collect::<Vec<_>>(), &["a"])
    }

    #[test]
    fn a_change_is_a_tuple_with_its_place_and_what_is_not_told() -> sdk::Result<()> {
        let transaction = Transaction { commit: Lsn(0x1_0000_00FF), committed_at: 5, id: 7, sequence: 2 };
        let old_key = Some(vec![("a", Datum::Text(b"1"))]);
        let values = vec![Datum::Text(b"2"), Datum::Null, Datum::Unchanged];
        let event = Event { operation: Operation::Update, transaction, values, old_key };
        let mut tuple = Vec::new();
        event.write(&table(&["a", "b", "c"]), Purpose::Append, &mut tuple)?;
        let expected: [Option<&[u8]>; 10] = [
            Some(&[0, 0, 0, 2]),
            None,
            None,
            Some(b"update"),
            Some(b"1/FF"),
            Some(&[0, 0, 0, 0, 0, 0, 0, 2]),
            Some(&[0, 0, 0, 0, 0, 0, 0, 7]),
            Some(&[0, 0, 0, 0, 0, 0, 0, 5]),
            Some(b"\x01{\"a\":\"1\"}"),
            Some(b"\x01[\"c\"]"),
        ];
        require(&tuple, &expected)?;
        event.write(&table(&["a", "b", "c"]), Purpose::Apply, &mut tuple)?;
        let mut applied = expected[..6].to_vec();
        applied.extend([Some(&b"\x01[\"c\"]"[..]), Some(&[0, 0, 0, 1])]);
        require(&tuple, &applied)
    }

    fn require(tuple: &[u8], expected: &[Option<&[u8]>]) -> sdk::Result<()> {
        let mut fields = Fields::of(tuple);
        for field in expected {
            assert_eq!(fields.next_field()?, *field);
        }
        assert!(fields.finish().is_ok());
        Ok(())
    }

    #[test]
    fn a_table_with_a_column_that_events_need_is_refused() {
        let names = |purpose| {
            let events = events_of(&table(&["a", "b"]), purpose).ok()?;
            Some(events.columns.into_iter().skip(2).map(|column| column.name).collect::<Vec<_>>().join(" "))
        };
        let appended = "_rb_op _rb_lsn _rb_seq _rb_xid _rb_committed_at _rb_old_key _rb_unchanged";
        assert_eq!(names(Purpose::Append).as_deref(), Some(appended));
        assert_eq!(names(Purpose::Apply).as_deref(), Some("_rb_op _rb_lsn _rb_seq _rb_unchanged _rb_old_1"));
        let code = |purpose| events_of(&table(&["a", "_rb_xid"]), purpose).err().map(|error| error.code);
        assert_eq!(code(Purpose::Append).as_deref(), Some("column_reserved"));
        assert_eq!(code(Purpose::Apply), None);
    }
}
