//! A column: binary fields in, an Arrow array out (docs/ABI.md §9).

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use pgwire::{datetime, numeric};
use sdk::{Category, Error, Result};

use crate::form::{Form, UUID_BYTES};

const JSONB_VERSION: u8 = 1;

/// The values of one column of the batch that is being filled.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    form: Form,
    /// Text is looked at value by value; else all of it at the end, which is quicker.
    is_text_checked: bool,
    count: usize,
    null_count: usize,
    /// Which values are not NULL; empty until the first that is.
    validity: BooleanBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBufferBuilder),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int128(Vec<i128>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Fixed(Vec<u8>),
    Variable { offsets: Vec<i32>, bytes: Vec<u8> },
}

impl Values {
    fn new(form: Form) -> Values {
        match form {
            Form::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            Form::Int16 => Values::Int16(Vec::new()),
            Form::Int32 | Form::Date => Values::Int32(Vec::new()),
            Form::Int64 | Form::Time | Form::Timestamp { .. } => Values::Int64(Vec::new()),
            Form::Decimal { .. } => Values::Int128(Vec::new()),
            Form::Float32 => Values::Float32(Vec::new()),
            Form::Float64 => Values::Float64(Vec::new()),
            Form::Uuid => Values::Fixed(Vec::new()),
            Form::Text | Form::Jsonb | Form::CastToText | Form::Bytes => {
                Values::Variable { offsets: vec![0], bytes: Vec::new() }
            }
        }
    }
}

impl ColumnBuilder {
    pub(crate) fn new(form: Form, is_text_checked: bool) -> ColumnBuilder {
        ColumnBuilder {
            form,
            is_text_checked: is_text_checked && form != Form::Bytes,
            count: 0,
            null_count: 0,
            validity: BooleanBufferBuilder::new(0),
            values: Values::new(form),
        }
    }

    /// Append one field; `None` is NULL.
    #[inline(always)]
    pub(crate) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        match field {
            Some(field) => {
                if self.null_count > 0 {
                    self.validity.append(true);
                }
                self.count += 1;
                self.push_value(field)
            }
            None => {
                self.push_null();
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn push_value(&mut self, field: &[u8]) -> Result<()> {
        match (&mut self.values, self.form) {
            (Values::Bool(values), _) => values.append(fixed::<1>(field)?[0] != 0),
            (Values::Int16(values), _) => values.push(i16::from_be_bytes(fixed(field)?)),
            (Values::Int32(values), Form::Date) => {
                values.push(
                    datetime::date_to_unix(i32::from_be_bytes(fixed(field)?)).ok_or_else(|| out_of_range("date"))?,
                );
            }
            (Values::Int32(values), _) => values.push(i32::from_be_bytes(fixed(field)?)),
            (Values::Int64(values), Form::Timestamp { .. }) => {
                let micros = datetime::timestamp_to_unix(i64::from_be_bytes(fixed(field)?));
                values.push(micros.ok_or_else(|| out_of_range("timestamp"))?);
            }
            (Values::Int64(values), _) => values.push(i64::from_be_bytes(fixed(field)?)),
            (Values::Int128(values), Form::Decimal { scale, .. }) => {
                values.push(numeric::decode(field, u32::from(scale))?)
            }
            (Values::Int128(_), _) => return Err(malformed()),
            (Values::Float32(values), _) => values.push(f32::from_be_bytes(fixed(field)?)),
            (Values::Float64(values), _) => values.push(f64::from_be_bytes(fixed(field)?)),
            (Values::Fixed(values), _) => values.extend(fixed::<{ UUID_BYTES as usize }>(field)?),
            (Values::Variable { offsets, bytes }, form) => {
                let text = if form == Form::Jsonb { without_version(field)? } else { field };
                if self.is_text_checked && std::str::from_utf8(text).is_err() {
                    return Err(not_text());
                }
                bytes.extend_from_slice(text);
                offsets.push(i32::try_from(bytes.len()).map_err(|_| out_of_range("batch of text"))?);
            }
        }
        Ok(())
    }

    fn push_null(&mut self) {
        if self.null_count == 0 {
            self.validity.append_n(self.count, true);
        }
        self.validity.append(false);
        self.null_count += 1;
        self.count += 1;
        match &mut self.values {
            Values::Bool(values) => values.append(false),
            Values::Int16(values) => values.push(0),
            Values::Int32(values) => values.push(0),
            Values::Int64(values) => values.push(0),
            Values::Int128(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Fixed(values) => values.extend([0; UUID_BYTES as usize]),
            Values::Variable { offsets, .. } => offsets.push(offsets.last().copied().unwrap_or(0)),
        }
    }

    /// Forget all values but the first `rows`, of which this column has as many or one more.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if self.null_count > 0 && self.count > rows {
            self.null_count -= usize::from(self.validity.len() > rows && !self.validity.get_bit(rows));
            self.validity.truncate(rows);
            if self.null_count == 0 {
                self.validity = BooleanBufferBuilder::new(0);
            }
        }
        self.count = rows;
        match &mut self.values {
            Values::Bool(values) => values.truncate(rows),
            Values::Int16(values) => values.truncate(rows),
            Values::Int32(values) => values.truncate(rows),
            Values::Int64(values) => values.truncate(rows),
            Values::Int128(values) => values.truncate(rows),
            Values::Float32(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Fixed(values) => values.truncate(rows * UUID_BYTES as usize),
            Values::Variable { offsets, bytes } => {
                offsets.truncate(rows + 1);
                bytes.truncate(offsets.last().map_or(0, |&end| usize::try_from(end).unwrap_or(0)));
            }
        }
    }

    /// Take the array of all values so far, and begin the next batch with as much room.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = (self.null_count > 0).then(|| NullBuffer::new(self.validity.finish()));
        (self.count, self.null_count) = (0, 0);
        let is_text = matches!(self.values, Values::Variable { .. }) && self.form != Form::Bytes;
        self.take_values(nulls).map_err(|error| {
            if is_text { not_text() } else { Error::new(Category::Internal, "arrow", error.to_string()) }
        })
    }

    fn take_values(&mut self, nulls: Option<NullBuffer>) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(match (&mut self.values, self.form) {
            (Values::Bool(values), _) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            (Values::Int16(values), _) => primitive::<Int16Type>(values, nulls)?,
            (Values::Int32(values), Form::Date) => primitive::<Date32Type>(values, nulls)?,
            (Values::Int32(values), _) => primitive::<Int32Type>(values, nulls)?,
            (Values::Int64(values), Form::Time) => primitive::<Time64MicrosecondType>(values, nulls)?,
            (Values::Int64(values), Form::Timestamp { has_zone }) => {
                let array = PrimitiveArray::<TimestampMicrosecondType>::try_new(taken(values), nulls)?;
                Arc::new(array.with_timezone_opt(has_zone.then_some("UTC")))
            }
            (Values::Int64(values), _) => primitive::<Int64Type>(values, nulls)?,
            (Values::Int128(values), form) => {
                let array = PrimitiveArray::<Decimal128Type>::try_new(taken(values), nulls)?;
                Arc::new(array.with_data_type(form.data_type()))
            }
            (Values::Float32(values), _) => primitive::<Float32Type>(values, nulls)?,
            (Values::Float64(values), _) => primitive::<Float64Type>(values, nulls)?,
            (Values::Fixed(values), _) => {
                let bytes = Buffer::from_vec(std::mem::take(values));
                Arc::new(FixedSizeBinaryArray::try_new(UUID_BYTES, bytes, nulls)?)
            }
            (Values::Variable { offsets, bytes }, form) => {
                let starts = OffsetBuffer::new(taken(offsets));
                offsets.push(0);
                let room = bytes.len();
                let content = Buffer::from_vec(std::mem::replace(bytes, Vec::with_capacity(room)));
                match form {
                    Form::Bytes => Arc::new(BinaryArray::try_new(starts, content, nulls)?),
                    _ => Arc::new(StringArray::try_new(starts, content, nulls)?),
                }
            }
        })
    }
}

fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let room = values.len();
    ScalarBuffer::from(std::mem::replace(values, Vec::with_capacity(room)))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> std::result::Result<ArrayRef, ArrowError> {
    Ok(Arc::new(PrimitiveArray::<T>::try_new(taken(values), nulls)?))
}

#[inline(always)]
fn fixed<const N: usize>(field: &[u8]) -> Result<[u8; N]> {
    field.try_into().map_err(|_| malformed())
}

#[inline(always)]
fn without_version(field: &[u8]) -> Result<&[u8]> {
    match field.split_first() {
        Some((&JSONB_VERSION, text)) => Ok(text),
        _ => Err(malformed()),
    }
}

#[cold]
fn malformed() -> Error {
    Error::new(Category::Internal, "protocol", "The server sent a field whose size does not fit its type.")
}

#[cold]
fn not_text() -> Error {
    let message = "a text is not UTF-8, which a database with encoding SQL_ASCII does not prevent.";
    Error::new(Category::Data, "not_utf8", message)
}

#[cold]
fn out_of_range(what: &str) -> Error {
    Error::new(Category::Data, "value_out_of_range", format!("a {what} is outside the range that can be moved."))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Decimal128Type, Int16Type};
    use arrow_schema::DataType;

    use super::ColumnBuilder;
    use crate::form::Form;

    fn column(form: Form, fields: &[Option<&[u8]>]) -> Option<arrow_array::ArrayRef> {
        let mut builder = ColumnBuilder::new(form, false);
        for field in fields {
            builder.push(*field).ok()?;
        }
        builder.finish().ok()
    }

    #[test]
    fn nulls_keep_their_place() {
        let array = column(Form::Int16, &[Some(&[0, 7]), None, Some(&[255, 255])]);
        let values: Option<Vec<_>> = array.map(|array| array.as_primitive::<Int16Type>().iter().collect());
        assert_eq!(values, Some(vec![Some(7), None, Some(-1)]));
    }

    #[test]
    fn a_builder_begins_anew_after_a_batch() {
        let mut builder = ColumnBuilder::new(Form::Text, false);
        assert!(builder.push(Some(b"ab")).is_ok() && builder.push(None).is_ok());
        assert_eq!(builder.finish().map(|array| (array.len(), array.null_count())).ok(), Some((2, 1)));
        assert!(builder.push(Some("é".as_bytes())).is_ok());
        let second = builder.finish().ok();
        let second = second.as_ref().map(|array| array.as_string::<i32>());
        assert_eq!(second.map(|array| (array.len(), array.null_count(), array.value(0))), Some((1, 0, "é")));
    }

    #[test]
    fn dates_decimals_and_jsonb_are_translated() {
        let date = column(Form::Date, &[Some(&[0, 0, 0, 0]), Some(&i32::MAX.to_be_bytes())]);
        assert_eq!(
            date.map(|array| array.as_primitive::<Date32Type>().values().to_vec()),
            Some(vec![10_957, i32::MAX])
        );
        let decimal = column(Form::Decimal { precision: 4, scale: 2 }, &[Some(&[0, 1, 0, 0, 64, 0, 0, 2, 0, 5])]);
        assert_eq!(decimal.as_ref().map(|array| array.data_type().clone()), Some(DataType::Decimal128(4, 2)));
        assert_eq!(decimal.map(|array| array.as_primitive::<Decimal128Type>().value(0)), Some(-500));
        let jsonb = column(Form::Jsonb, &[Some(b"\x01{}")]);
        assert_eq!(jsonb.map(|array| array.as_string::<i32>().value(0).to_owned()).as_deref(), Some("{}"));
    }

    #[test]
    fn text_that_is_none_is_refused_where_it_stands_or_at_the_end() {
        let code = |is_text_checked| {
            let mut builder = ColumnBuilder::new(Form::Text, is_text_checked);
            let pushed = builder.push(Some(&[0xff])).map_err(|error| (error.code, "push"));
            pushed.and_then(|()| builder.finish().map_err(|error| (error.code, "finish"))).err()
        };
        assert_eq!(code(true), Some(("not_utf8".to_owned(), "push")));
        assert_eq!(code(false), Some(("not_utf8".to_owned(), "finish")));
        assert!(ColumnBuilder::new(Form::Bytes, true).push(Some(&[0xff])).is_ok());
    }

    #[test]
    fn fields_of_the_wrong_size_and_invalid_text_are_refused() {
        assert!(column(Form::Int32, &[Some(&[0])]).is_none());
        assert!(column(Form::Uuid, &[Some(&[0; 15])]).is_none());
        assert!(column(Form::Jsonb, &[Some(&[2, 123])]).is_none());
        assert!(column(Form::Text, &[Some(&[0xff])]).is_none());
    }
}
