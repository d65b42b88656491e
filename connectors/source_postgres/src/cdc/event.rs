//! Events: the columns that an appended change has besides those of its table, and the tuples they make.

use pgwire::Lsn;
use pgwire::pgoutput::Datum;
use pgwire::{literal, oid};
use sdk::{Category, Error, Result};
use serde_json::{Map, Value};

use super::text_value::write_binary;
use crate::form::Form;
use crate::table::{Table, TableColumn};

const PG_LSN_OID: u32 = 3220;
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// Name, type, and the type's OID (docs/ABI.md §9).
const COLUMNS: [(&str, &str, u32); 7] = [
    ("_rb_op", "text", oid::TEXT),
    ("_rb_lsn", "pg_lsn", PG_LSN_OID),
    ("_rb_seq", "bigint", oid::INT8),
    ("_rb_xid", "bigint", oid::INT8),
    ("_rb_committed_at", "timestamp with time zone", oid::TIMESTAMPTZ),
    ("_rb_old_key", "jsonb", oid::JSONB),
    ("_rb_unchanged", "jsonb", oid::JSONB),
];

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
    /// The key before the change, where that changed it.
    pub(crate) old_key: Option<Map<String, Value>>,
}

/// The table that events of a table are rows of.
pub(crate) fn events_of(table: &Table) -> Result<Table> {
    let column = |(name, type_name, type_oid): &(&str, &str, u32)| TableColumn {
        name: (*name).to_owned(),
        type_name: (*type_name).to_owned(),
        type_oid: *type_oid,
        type_modifier: -1,
        is_nullable: true,
        is_deterministic: true,
    };
    if let Some((name, ..)) = COLUMNS.iter().find(|(name, ..)| table.columns.iter().any(|own| own.name == *name)) {
        let message = format!(
            "Table {} has a column {name} of its own, which events need for themselves; leave it out with `columns`, or \
             rename it.",
            table.display_name()
        );
        return Err(Error::new(Category::Schema, "column_reserved", message).detail("stream", table.display_name()));
    }
    let mut events = Table { extent: None, ..table.clone() };
    events.columns.extend(COLUMNS.iter().map(column));
    Ok(events)
}

/// What a snapshot's COPY adds to each row, so that it is an event.
pub(crate) fn snapshot_columns(at: Lsn) -> String {
    let at = literal(&at.to_string());
    format!(
        ", 'snapshot'::pg_catalog.text, {at}::pg_catalog.text, NULL::pg_catalog.int8, NULL::pg_catalog.int8, \
         NULL::pg_catalog.timestamptz, NULL::pg_catalog.jsonb, NULL::pg_catalog.jsonb"
    )
}

impl Event<'_> {
    /// Write the fields of the tuple, each with its length; values that the server did not tell are NULL, and named.
    pub(crate) fn write(&self, table: &Table, out: &mut Vec<u8>) -> Result<()> {
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
        field(&i64::from(of.id).to_be_bytes(), out);
        field(&of.committed_at.to_be_bytes(), out);
        json(self.old_key.clone().map(Value::Object), out)?;
        json((!unchanged.is_empty()).then_some(Value::Array(unchanged)), out)
    }
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
    use serde_json::Map;

    use super::{Event, Operation, Transaction, events_of};
    use crate::samples;
    use crate::table::Table;

    fn table(names: &[&str]) -> Table {
        samples::table(&names.iter().map(|name| (*name, "integer", oid::INT4)).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn a_change_is_a_tuple_with_its_place_and_what_is_not_told() -> sdk::Result<()> {
        let transaction = Transaction { commit: Lsn(0x1_0000_00FF), committed_at: 5, id: 7, sequence: 2 };
        let old_key = Some(Map::from_iter([("a".to_owned(), "1".into())]));
        let values = vec![Datum::Text(b"2"), Datum::Null, Datum::Unchanged];
        let event = Event { operation: Operation::Update, transaction, values, old_key };
        let mut tuple = Vec::new();
        event.write(&table(&["a", "b", "c"]), &mut tuple)?;
        let mut fields = Fields::of(&tuple);
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
        for field in expected {
            assert_eq!(fields.next_field()?, field);
        }
        assert!(fields.finish().is_ok());
        Ok(())
    }

    #[test]
    fn a_table_with_a_column_that_events_need_is_refused() {
        assert_eq!(events_of(&table(&["a"])).map(|events| events.columns.len()).ok(), Some(8));
        let error = events_of(&table(&["_rb_lsn"])).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("column_reserved"));
    }
}
