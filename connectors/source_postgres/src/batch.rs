//! Batches out of tuples: fills the columns, and says when a batch is full.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use pgwire::copy_out::Fields;
use sdk::{Category, Error, Result};

use crate::column::ColumnBuilder;
use crate::form::Form;
use crate::table::{Table, TableColumn};

const TYPE_KEY: &str = "rapidbyte.type";
const FORM_KEY: &str = "rapidbyte.form";

/// The batch that is being filled.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl BatchBuilder {
    /// `is_sifted`: a row that cannot be read is refused by itself, not with its batch.
    pub(crate) fn new(table: &Table, is_sifted: bool) -> BatchBuilder {
        let forms: Vec<_> = table.columns.iter().map(TableColumn::form).collect();
        let fields: Vec<_> = table
            .columns
            .iter()
            .zip(&forms)
            .map(|(column, form)| {
                let mut metadata = HashMap::from([(TYPE_KEY.to_owned(), column.type_name.clone())]);
                if *form == Form::CastToText {
                    metadata.insert(FORM_KEY.to_owned(), "text".to_owned());
                }
                Field::new(&column.name, form.data_type(), true).with_metadata(metadata)
            })
            .collect();
        let columns = forms.into_iter().map(|form| ColumnBuilder::new(form, is_sifted)).collect();
        BatchBuilder { schema: Arc::new(Schema::new(fields)), columns, rows: 0 }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Append one tuple; fields after those of the columns are left.
    #[inline]
    pub(crate) fn push(&mut self, fields: &mut Fields<'_>) -> Result<()> {
        for (place, column) in self.columns.iter_mut().enumerate() {
            column.push(fields.next_field()?).map_err(|error| named(error, &self.schema, place))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Forget what a tuple left behind that could not be appended.
    pub(crate) fn forget_rest(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
    }

    /// Take all tuples so far as one batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let finish = |(place, column): (usize, &mut ColumnBuilder)| {
            column.finish().map_err(|error| named(error, &self.schema, place))
        };
        let arrays = self.columns.iter_mut().enumerate().map(finish).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::new(Category::Internal, "arrow", error.to_string()))
    }
}

/// Say which column it is whose value cannot be moved.
#[cold]
fn named(error: Error, schema: &SchemaRef, place: usize) -> Error {
    let column = schema.field(place).name();
    let message = format!("Column {column}: {}", error.message);
    Error { message, ..error }.detail("column", column)
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};
    use pgwire::copy_out::CopyOut;
    use pgwire::{datetime, numeric, oid};
    use proptest::prelude::*;

    use super::BatchBuilder;
    use crate::table::{Table, TableColumn};

    const SCALE: u32 = 4;

    /// A row of integer, text, decimal and timestamp, each of which may be NULL.
    type Row = (Option<i32>, Option<String>, Option<i128>, Option<i64>);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let decimal = prop_oneof![-(10i128.pow(20) - 1)..10i128.pow(20), Just(numeric::NAN)];
        let micros = any::<i64>()
            .prop_filter("in the range that moves", |micros| datetime::timestamp_to_unix(*micros).is_some());
        let row = (
            any::<Option<i32>>(),
            any::<Option<String>>(),
            proptest::option::of(decimal),
            proptest::option::of(micros),
        );
        proptest::collection::vec(row, 0..40)
    }

    fn table() -> Table {
        let column = |name: &str, type_oid: u32, type_modifier: i32| TableColumn {
            name: name.into(),
            type_name: String::new(),
            type_oid,
            type_modifier,
            is_nullable: true,
            is_deterministic: true,
        };
        let decimal = column("d", oid::NUMERIC, ((20 << 16) | SCALE as i32) + 4);
        Table {
            oid: 0,
            schema: String::new(),
            name: String::new(),
            columns: vec![
                column("i", oid::INT4, -1),
                column("t", oid::TEXT, -1),
                decimal,
                column("z", oid::TIMESTAMPTZ, -1),
            ],
            primary_key: vec![],
            estimated_rows: None,
            estimated_bytes: None,
            extent: None,
            identity: None,
        }
    }

    /// What the server would send.
    fn tuple(row: &Row) -> Vec<u8> {
        let mut bytes = vec![0, 4];
        let mut field = |value: Option<&[u8]>| match value {
            None => bytes.extend((-1i32).to_be_bytes()),
            Some(value) => {
                bytes.extend((value.len() as i32).to_be_bytes());
                bytes.extend(value);
            }
        };
        field(row.0.map(i32::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
        field(row.1.as_deref().map(str::as_bytes));
        let decimal = row.2.map(|value| {
            let mut out = Vec::new();
            numeric::encode(value, SCALE, &mut out);
            out.split_off(4)
        });
        field(decimal.as_deref());
        field(row.3.map(i64::to_be_bytes).as_ref().map(|bytes| &bytes[..]));
        bytes
    }

    fn read(builder: &mut BatchBuilder, rows: &[Row]) -> sdk::Result<RecordBatch> {
        let mut copy = CopyOut::new(4);
        assert!(copy.tuple(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")?.is_none());
        for row in rows {
            if let Some(mut fields) = copy.tuple(&tuple(row))? {
                builder.push(&mut fields)?;
            }
        }
        builder.finish()
    }

    fn values(batch: &RecordBatch) -> Vec<Row> {
        let (integers, texts) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string::<i32>());
        let decimals = batch.column(2).as_primitive::<Decimal128Type>();
        let times = batch.column(3).as_primitive::<TimestampMicrosecondType>();
        integers
            .iter()
            .zip(texts.iter())
            .zip(decimals.iter().zip(times.iter()))
            .map(|((i, t), (d, z))| (i, t.map(str::to_owned), d, z.and_then(datetime::timestamp_from_unix)))
            .collect()
    }

    proptest! {
        #[test]
        fn every_tuple_arrives_in_its_batch(first in rows(), second in rows()) {
            let mut builder = BatchBuilder::new(&table(), false);
            for rows in [&first, &second] {
                let found = read(&mut builder, rows).map(|batch| values(&batch)).ok();
                prop_assert_eq!(found.as_ref(), Some(rows));
            }
        }

        #[test]
        fn a_tuple_that_cannot_be_read_leaves_the_others_as_they_were(first in rows(), second in rows(), broken in 0..4usize) {
            let mut builder = BatchBuilder::new(&table(), false);
            let mut copy = CopyOut::new(4);
            prop_assert!(matches!(copy.tuple(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"), Ok(None)));
            for (rows, is_last) in [(&first, false), (&second, true)] {
                for row in rows {
                    if let Ok(Some(mut fields)) = copy.tuple(&tuple(row)) {
                        prop_assert!(builder.push(&mut fields).is_ok());
                    }
                }
                if !is_last {
                    let mut bytes = vec![0, 4];
                    (0..4).for_each(|place| bytes.extend(if place == broken { &b"\0\0\0\x01\xff"[..] } else { &b"\xff\xff\xff\xff"[..] }));
                    if let Ok(Some(mut fields)) = copy.tuple(&bytes) {
                        let _ = builder.push(&mut fields);
                        builder.rows = first.len();
                        builder.forget_rest();
                    }
                }
            }
            let expected: Vec<Row> = first.iter().chain(&second).cloned().collect();
            prop_assert_eq!(builder.finish().map(|batch| values(&batch)).ok(), Some(expected));
        }

        #[test]
        fn any_bytes_give_a_row_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut builder = BatchBuilder::new(&table(), false);
            let mut copy = CopyOut::new(4);
            prop_assert!(matches!(copy.tuple(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"), Ok(None)));
            if let Ok(Some(mut fields)) = copy.tuple(&bytes) {
                let _ = builder.push(&mut fields);
            }
        }
    }
}
