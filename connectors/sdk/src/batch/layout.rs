//! What the header of a batch says of its body: held to the schema and the body before the reader of batches looks,
//! which panics over what does not fit. Once for each batch, over its columns and not its rows.

use arrow_ipc::{Buffer, FieldNode, RecordBatch};
use arrow_schema::{DataType, Schema};

use super::invalid;
use crate::error::Result;

/// The buffers of text and of bytes, whose values are of many lengths.
const OF_TEXT: usize = 3;

/// Refuse a batch whose columns are not those of the schema, not of its length, or not within its body.
pub(super) fn check(header: &RecordBatch<'_>, schema: &Schema, body_bytes: usize) -> Result<()> {
    let (Some(nodes), Some(buffers)) = (header.nodes(), header.buffers()) else {
        return Err(invalid("a batch has no list of columns"));
    };
    let parts: usize = schema.fields().iter().map(|field| buffers_of(field.data_type())).sum();
    let has_views = header.variadicBufferCounts().is_some_and(|counts| !counts.is_empty());
    if nodes.len() != schema.fields().len() || buffers.len() != parts || has_views {
        return Err(invalid("a batch has not the columns of its schema"));
    }
    let rows = usize::try_from(header.length()).map_err(|_| invalid("a batch is of a negative length"))?;
    if !buffers.iter().all(|buffer| is_within(buffer, body_bytes)) {
        return Err(invalid("a batch has a column that is not within its frame"));
    }
    let mut first = 0;
    for (node, field) in nodes.iter().zip(schema.fields()) {
        let count = buffers_of(field.data_type());
        if !is_of(node, rows, buffers.get(first)) || count == OF_TEXT && !has_whole_offsets(buffers.get(first + 1)) {
            return Err(invalid(&format!("column {} has not the length of its batch", field.name())));
        }
        first += count;
    }
    Ok(())
}

/// How many buffers a column takes: which values are there, where they end if they are of many lengths, and the values.
fn buffers_of(data_type: &DataType) -> usize {
    if matches!(data_type, DataType::Utf8 | DataType::Binary) { OF_TEXT } else { 2 }
}

fn has_whole_offsets(offsets: &Buffer) -> bool {
    offsets.length() % size_of::<i32>() as i64 == 0
}

fn is_within(buffer: &Buffer, body_bytes: usize) -> bool {
    let (offset, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
    matches!((offset, length), (Ok(offset), Ok(length)) if offset <= body_bytes && length <= body_bytes - offset)
}

/// Whether a column has so many rows, and says of each whether it is NULL if any is. What it says of how many are is counted
/// by the reader.
fn is_of(node: &FieldNode, rows: usize, validity: &Buffer) -> bool {
    let (length, nulls) = (usize::try_from(node.length()), usize::try_from(node.null_count()));
    length == Ok(rows)
        && matches!(nulls, Ok(nulls) if nulls <= rows)
        && (nulls == Ok(0) || usize::try_from(validity.length()).is_ok_and(|bytes| bytes >= rows.div_ceil(8)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
    use arrow_buffer::Buffer;
    use arrow_ipc::root_as_message;
    use arrow_ipc::writer::{IpcWriteOptions, write_message};

    use super::super::{decode_batch, encode_batch};

    const HEAD_BYTES: usize = 8;

    /// A number in the header of a batch, by what it belongs to.
    enum Number {
        LengthOfColumn(usize),
        NullsOfColumn(usize),
        OffsetOfBuffer(usize),
        LengthOfBuffer(usize),
    }

    use Number::{LengthOfBuffer, LengthOfColumn, NullsOfColumn, OffsetOfBuffer};

    fn place(bytes: &[u8], number: &Number) -> Option<usize> {
        let header = root_as_message(bytes.get(HEAD_BYTES..)?).ok()?.header_as_record_batch()?;
        let address = match *number {
            LengthOfColumn(at) | NullsOfColumn(at) => std::ptr::from_ref(header.nodes()?.get(at)).addr(),
            OffsetOfBuffer(at) | LengthOfBuffer(at) => std::ptr::from_ref(header.buffers()?.get(at)).addr(),
        };
        let is_second = matches!(number, NullsOfColumn(_) | LengthOfBuffer(_));
        Some(address - bytes.as_ptr().addr() + if is_second { 8 } else { 0 })
    }

    /// What is said of a batch of two columns, an integer of two buffers and a text of three, once a number is another one.
    fn refusal(number: &Number, value: i64) -> Option<String> {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
        let batch = RecordBatch::try_from_iter([("id", ids), ("name", names)]).ok()?;
        let mut bytes = Vec::new();
        write_message(&mut bytes, encode_batch(&batch).ok()?, &IpcWriteOptions::default()).ok()?;
        let at = place(&bytes, number)?;
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        decode_batch(&batch.schema(), &Buffer::from_vec(bytes), 3).err().map(|error| error.message)
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_read() {
        let cases = [
            (OffsetOfBuffer(1), 1 << 40, "not within its frame"),
            (OffsetOfBuffer(4), -8, "not within its frame"),
            (LengthOfBuffer(4), i64::MAX, "not within its frame"),
            (LengthOfBuffer(0), 0, "column id has not the length"),
            (LengthOfBuffer(3), 17, "column name has not the length"),
            (LengthOfColumn(0), 2, "column id has not the length"),
            (LengthOfColumn(1), i64::MIN, "column name has not the length"),
            (NullsOfColumn(0), 4, "column id has not the length"),
            (NullsOfColumn(1), -1, "column name has not the length"),
        ];
        for (number, value, expected) in cases {
            let said = refusal(&number, value).unwrap_or_default();
            assert!(said.contains(expected), "{value}: {said}");
        }
    }
}
