//! Arrow values as the binary fields of a tuple (docs/ABI.md §9).

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow_schema::{DataType, TimeUnit};
use pgwire::{datetime, numeric, oid};
use sdk::{Category, Error, Result};

/// A field that is NULL.
pub(crate) const NULL: [u8; 4] = (-1i32).to_be_bytes();
const JSONB_VERSION: u8 = 1;
const UUID_BYTES: i32 = 16;

/// How the values of a column become fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal {
        scale: u8,
    },
    Text,
    Jsonb,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    /// Sent as text; the server casts it.
    CastFromText,
    /// Sent as NULL, whatever came.
    Null,
}

impl Encoding {
    /// The encoding of an Arrow type by itself, and the type that has the same values; text is that of many types.
    pub(crate) fn own(data_type: &DataType) -> Option<(Encoding, u32)> {
        let type_oid = match data_type {
            DataType::Boolean => oid::BOOL,
            DataType::Int16 => oid::INT2,
            DataType::Int32 => oid::INT4,
            DataType::Int64 => oid::INT8,
            DataType::Float32 => oid::FLOAT4,
            DataType::Float64 => oid::FLOAT8,
            DataType::Decimal128(_, _) => oid::NUMERIC,
            DataType::Utf8 => oid::TEXT,
            DataType::Binary => oid::BYTEA,
            DataType::FixedSizeBinary(UUID_BYTES) => oid::UUID,
            DataType::Date32 => oid::DATE,
            DataType::Time64(_) => oid::TIME,
            DataType::Timestamp(_, None) => oid::TIMESTAMP,
            DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
            _ => return None,
        };
        Some((Encoding::of(data_type, type_oid)?, type_oid))
    }

    /// The encoding of an Arrow type for a column of a Postgres type, where there is one.
    pub(crate) fn of(data_type: &DataType, type_oid: u32) -> Option<Encoding> {
        Some(match (data_type, type_oid) {
            (DataType::Boolean, oid::BOOL) => Encoding::Bool,
            (DataType::Int16, oid::INT2) => Encoding::Int16,
            (DataType::Int32, oid::INT4) => Encoding::Int32,
            (DataType::Int64, oid::INT8) => Encoding::Int64,
            (DataType::Float32, oid::FLOAT4) => Encoding::Float32,
            (DataType::Float64, oid::FLOAT8) => Encoding::Float64,
            (DataType::Decimal128(_, scale), oid::NUMERIC) => Encoding::Decimal { scale: u8::try_from(*scale).ok()? },
            (DataType::Utf8, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::JSON) => Encoding::Text,
            (DataType::Utf8, oid::JSONB) => Encoding::Jsonb,
            (DataType::Utf8, _) => Encoding::CastFromText,
            (DataType::Binary, oid::BYTEA) => Encoding::Bytes,
            (DataType::FixedSizeBinary(UUID_BYTES), oid::UUID) => Encoding::Uuid,
            (DataType::Date32, oid::DATE) => Encoding::Date,
            (DataType::Time64(TimeUnit::Microsecond), oid::TIME) => Encoding::Time,
            (DataType::Timestamp(TimeUnit::Microsecond, None), oid::TIMESTAMP) => Encoding::Timestamp,
            (DataType::Timestamp(TimeUnit::Microsecond, Some(_)), oid::TIMESTAMPTZ) => Encoding::Timestamp,
            _ => return None,
        })
    }
}

/// The columns of one batch, ready to be written row by row.
pub(crate) struct Rows<'a> {
    field_count: [u8; 2],
    columns: Vec<ColumnValues<'a>>,
    count: usize,
}

enum ColumnValues<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>, u32),
    Text(&'a StringArray),
    Jsonb(&'a StringArray),
    Bytes(&'a BinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Time(&'a PrimitiveArray<Time64MicrosecondType>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
    Null,
}

impl<'a> Rows<'a> {
    /// Look at a batch whose schema is the one the encodings were chosen for.
    pub(crate) fn new(batch: &'a RecordBatch, encodings: impl Iterator<Item = Encoding>) -> Result<Rows<'a>> {
        let field_count = i16::try_from(batch.num_columns()).map_err(|_| too_many_columns())?;
        let columns =
            batch.columns().iter().zip(encodings).map(|(array, encoding)| ColumnValues::new(array, encoding)).collect();
        Ok(Rows { field_count: field_count.to_be_bytes(), columns, count: batch.num_rows() })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Append one row as a tuple: its field count, then each field with its length.
    #[inline]
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(&self.field_count);
        for column in &self.columns {
            column.write(row, out)?;
        }
        Ok(())
    }
}

impl Rows<'_> {
    /// Append the fields of a row that is put together: for each column a row to take its value from, or NULL.
    pub(crate) fn write_picked(&self, out: &mut Vec<u8>, pick: impl Fn(usize) -> Option<usize>) -> Result<()> {
        for (place, column) in self.columns.iter().enumerate() {
            match pick(place) {
                Some(row) => column.write(row, out)?,
                None => out.extend(NULL),
            }
        }
        Ok(())
    }
}

impl<'a> ColumnValues<'a> {
    fn new(array: &'a ArrayRef, encoding: Encoding) -> ColumnValues<'a> {
        match encoding {
            Encoding::Bool => ColumnValues::Bool(array.as_boolean()),
            Encoding::Int16 => ColumnValues::Int16(array.as_primitive()),
            Encoding::Int32 => ColumnValues::Int32(array.as_primitive()),
            Encoding::Int64 => ColumnValues::Int64(array.as_primitive()),
            Encoding::Float32 => ColumnValues::Float32(array.as_primitive()),
            Encoding::Float64 => ColumnValues::Float64(array.as_primitive()),
            Encoding::Decimal { scale } => ColumnValues::Decimal(array.as_primitive(), u32::from(scale)),
            Encoding::Text | Encoding::CastFromText => ColumnValues::Text(array.as_string()),
            Encoding::Jsonb => ColumnValues::Jsonb(array.as_string()),
            Encoding::Bytes => ColumnValues::Bytes(array.as_binary()),
            Encoding::Uuid => ColumnValues::Uuid(array.as_fixed_size_binary()),
            Encoding::Date => ColumnValues::Date(array.as_primitive()),
            Encoding::Time => ColumnValues::Time(array.as_primitive()),
            Encoding::Timestamp => ColumnValues::Timestamp(array.as_primitive()),
            Encoding::Null => ColumnValues::Null,
        }
    }

    #[inline(always)]
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            out.extend_from_slice(&NULL);
            return Ok(());
        }
        match self {
            ColumnValues::Bool(array) => fixed([u8::from(array.value(row))], out),
            ColumnValues::Int16(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Int32(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Int64(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Float32(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Float64(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Decimal(array, scale) => numeric::encode(array.value(row), *scale, out),
            ColumnValues::Text(array) => variable(array.value(row).as_bytes(), out)?,
            ColumnValues::Jsonb(array) => {
                let text = array.value(row).as_bytes();
                out.extend_from_slice(&field_length(text.len() + 1)?);
                out.push(JSONB_VERSION);
                out.extend_from_slice(text);
            }
            ColumnValues::Bytes(array) => variable(array.value(row), out)?,
            ColumnValues::Uuid(array) => variable(array.value(row), out)?,
            ColumnValues::Date(array) => {
                let days = datetime::date_from_unix(array.value(row)).ok_or_else(|| out_of_range("date"))?;
                fixed(days.to_be_bytes(), out);
            }
            ColumnValues::Time(array) => fixed(array.value(row).to_be_bytes(), out),
            ColumnValues::Timestamp(array) => {
                let micros =
                    datetime::timestamp_from_unix(array.value(row)).ok_or_else(|| out_of_range("timestamp"))?;
                fixed(micros.to_be_bytes(), out);
            }
            ColumnValues::Null => out.extend_from_slice(&NULL),
        }
        Ok(())
    }

    #[inline(always)]
    fn is_null(&self, row: usize) -> bool {
        match self {
            ColumnValues::Bool(array) => array.is_null(row),
            ColumnValues::Int16(array) => array.is_null(row),
            ColumnValues::Int32(array) => array.is_null(row),
            ColumnValues::Int64(array) => array.is_null(row),
            ColumnValues::Float32(array) => array.is_null(row),
            ColumnValues::Float64(array) => array.is_null(row),
            ColumnValues::Decimal(array, _) => array.is_null(row),
            ColumnValues::Text(array) | ColumnValues::Jsonb(array) => array.is_null(row),
            ColumnValues::Bytes(array) => array.is_null(row),
            ColumnValues::Uuid(array) => array.is_null(row),
            ColumnValues::Date(array) => array.is_null(row),
            ColumnValues::Time(array) => array.is_null(row),
            ColumnValues::Timestamp(array) => array.is_null(row),
            ColumnValues::Null => true,
        }
    }
}

/// A field of N bytes with its length, in one append.
#[inline(always)]
fn fixed<const N: usize>(value: [u8; N], out: &mut Vec<u8>) {
    out.reserve(4 + N);
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&value);
}

#[inline(always)]
fn variable(value: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(&field_length(value.len())?);
    out.extend_from_slice(value);
    Ok(())
}

#[inline(always)]
fn field_length(length: usize) -> Result<[u8; 4]> {
    i32::try_from(length).map(i32::to_be_bytes).map_err(|_| out_of_range("value"))
}

#[cold]
fn out_of_range(what: &str) -> Error {
    Error::new(Category::Data, "value_out_of_range", format!("A {what} is outside the range that Postgres can store."))
}

fn too_many_columns() -> Error {
    Error::new(Category::Schema, "too_many_columns", "A stream has more columns than a Postgres tuple can hold.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray};
    use arrow_schema::{DataType, TimeUnit};
    use pgwire::copy_out::CopyOut;
    use pgwire::{numeric, oid};
    use proptest::prelude::*;

    use super::{Encoding, Rows};

    fn tuple(columns: Vec<(&str, ArrayRef, Encoding)>, row: usize) -> Option<Vec<u8>> {
        let encodings: Vec<_> = columns.iter().map(|(_, _, encoding)| *encoding).collect();
        let batch = RecordBatch::try_from_iter(columns.into_iter().map(|(name, array, _)| (name, array))).ok()?;
        let mut out = Vec::new();
        Rows::new(&batch, encodings.into_iter()).ok()?.write(row, &mut out).ok()?;
        Some(out)
    }

    #[test]
    fn a_row_is_a_field_count_and_fields() {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("é"), Some("")]));
        let columns = || vec![("id", ids.clone(), Encoding::Int32), ("name", names.clone(), Encoding::Text)];
        assert_eq!(tuple(columns(), 0), Some(b"\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x02\xc3\xa9".to_vec()));
        assert_eq!(tuple(columns(), 1), Some(b"\0\x02\xff\xff\xff\xff\0\0\0\0".to_vec()));
    }

    #[test]
    fn jsonb_has_its_version_and_decimals_their_scale() {
        let json: ArrayRef = Arc::new(StringArray::from(vec!["{}"]));
        assert_eq!(tuple(vec![("j", json, Encoding::Jsonb)], 0), Some(b"\0\x01\0\0\0\x03\x01{}".to_vec()));
        let decimal = Decimal128Array::from(vec![-500]).with_precision_and_scale(4, 2).ok();
        let decimal = decimal.map(|array| Arc::new(array) as ArrayRef);
        let field = decimal.and_then(|array| tuple(vec![("d", array, Encoding::Decimal { scale: 2 })], 0));
        assert_eq!(field, Some(b"\0\x01\0\0\0\x0a\0\x01\0\0\x40\0\0\x02\0\x05".to_vec()));
    }

    #[test]
    fn a_date_that_postgres_cannot_hold_is_refused() {
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![i32::MIN + 1]));
        assert_eq!(tuple(vec![("d", dates, Encoding::Date)], 0), None);
    }

    #[test]
    fn types_meet_only_where_no_value_changes() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(Encoding::of(&utc, oid::TIMESTAMPTZ), Some(Encoding::Timestamp));
        assert_eq!(Encoding::of(&utc, oid::TIMESTAMP), None);
        assert_eq!(Encoding::of(&DataType::Int32, oid::INT8), None);
        assert_eq!(Encoding::of(&DataType::Utf8, oid::JSONB), Some(Encoding::Jsonb));
        assert_eq!(Encoding::of(&DataType::Utf8, 1186), Some(Encoding::CastFromText));
        assert_eq!(Encoding::of(&DataType::FixedSizeBinary(8), oid::UUID), None);
    }

    /// The fields of a tuple as the server would read them.
    fn fields(tuple: &[u8], count: usize) -> Option<Vec<Option<Vec<u8>>>> {
        let mut copy = CopyOut::new(count);
        copy.tuple(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0").ok()?;
        let mut fields = copy.tuple(tuple).ok()??;
        let found = (0..count).map(|_| fields.next_field().ok().map(|field| field.map(<[u8]>::to_vec))).collect();
        fields.finish().ok()?;
        found
    }

    proptest! {
        #[test]
        fn every_value_arrives_in_its_field(
            rows in proptest::collection::vec((any::<Option<i32>>(), any::<Option<String>>(), proptest::option::of(-(10i128.pow(38) - 1)..10i128.pow(38))), 1..20),
            scale in 0u8..=38,
        ) {
            let integers: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>());
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>());
            let decimals = rows.iter().map(|row| row.2).collect::<Decimal128Array>();
            let decimals = decimals.with_precision_and_scale(38, scale as i8).map(|array| Arc::new(array) as ArrayRef);
            let decimals = decimals.map_err(|error| TestCaseError::fail(error.to_string()))?;
            for (index, row) in rows.iter().enumerate() {
                let tuple = tuple(vec![
                    ("i", integers.clone(), Encoding::Int32),
                    ("t", texts.clone(), Encoding::Text),
                    ("d", decimals.clone(), Encoding::Decimal { scale }),
                ], index);
                let fields = tuple.as_deref().and_then(|tuple| fields(tuple, 3)).unwrap_or_default();
                prop_assert_eq!(fields.len(), 3);
                prop_assert_eq!(&fields[0], &row.0.map(|value| value.to_be_bytes().to_vec()));
                prop_assert_eq!(&fields[1], &row.1.clone().map(String::into_bytes));
                let decimal = fields[2].as_deref().map(|field| numeric::decode(field, u32::from(scale)).ok());
                prop_assert_eq!(decimal, row.2.map(Some));
            }
        }
    }
}
