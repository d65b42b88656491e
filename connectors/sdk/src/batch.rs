//! Arrow record batches in frames: encapsulated IPC messages, one to a frame (docs/ABI.md §6).

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{
    CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message,
};
use arrow_ipc::{DateUnit, Endianness, Message, Precision, TimeUnit, Type, root_as_message};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::error::{Category, Error, Result};
use crate::frame::Frame;

mod layout;

/// More than the prefix of a message and the padding of its two parts.
const PADDING_BYTES: usize = 256;
/// What every encapsulated message begins with.
const CONTINUATION_MARKER: [u8; 4] = [0xff; 4];

/// Write a schema into a sealed frame.
pub fn schema_frame(schema: &Schema) -> Result<Frame> {
    sealed(encode_schema(schema))
}

/// Write a batch into a sealed frame.
pub fn batch_frame(batch: &RecordBatch) -> Result<Frame> {
    sealed(encode_batch(batch)?)
}

fn encode_schema(schema: &Schema) -> EncodedData {
    let mut tracker = DictionaryTracker::new(true);
    IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut tracker,
        &IpcWriteOptions::default(),
    )
}

fn encode_batch(batch: &RecordBatch) -> Result<EncodedData> {
    let mut tracker = DictionaryTracker::new(true);
    let (dictionaries, message) = IpcDataGenerator::default()
        .encode(batch, &mut tracker, &IpcWriteOptions::default(), &mut CompressionContext::default())
        .map_err(unencodable)?;
    if !dictionaries.is_empty() {
        return Err(Error::new(Category::Internal, "dictionary", "A batch must not hold dictionary columns."));
    }
    Ok(message)
}

fn sealed(message: EncodedData) -> Result<Frame> {
    let mut frame = Frame::new(room_for(&message))?;
    write_message(&mut frame, message, &IpcWriteOptions::default()).map_err(unencodable)?;
    frame.flush().map_err(|error| unencodable(error.into()))?;
    frame.seal()?;
    Ok(frame)
}

/// At least the bytes that the message takes once it is written.
fn room_for(message: &EncodedData) -> usize {
    message.ipc_message.len() + message.arrow_data.len() + PADDING_BYTES
}

/// The end of a stream is an empty frame.
pub fn end_frame() -> Result<Frame> {
    let mut frame = Frame::new(0)?;
    frame.seal()?;
    Ok(frame)
}

fn unencodable(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, io) => match io.downcast::<Error>() {
            Ok(error) => error,
            Err(io) => Error::new(Category::Internal, "arrow", io.to_string()),
        },
        other => Error::new(Category::Internal, "arrow", other.to_string()),
    }
}

/// Reads the batches of one stream and trusts nothing: offsets, UTF-8 and the number of rows are validated.
#[derive(Debug)]
pub struct BatchReader {
    schema: SchemaRef,
}

impl BatchReader {
    /// Begin with a `schema` frame.
    pub fn new(frame: &Frame) -> Result<BatchReader> {
        Ok(BatchReader { schema: Arc::new(decode_schema(&content(frame)?)?) })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Read a `batch` frame that claims to have `rows` rows.
    pub fn read(&mut self, frame: &Frame, rows: u64) -> Result<RecordBatch> {
        decode_batch(&self.schema, &content(frame)?, rows)
    }
}

/// All bytes of a frame, aligned so that arrays can lie in them.
fn content(frame: &Frame) -> Result<Buffer> {
    let mut bytes = MutableBuffer::from_len_zeroed(frame.length()?);
    frame.read(&mut bytes)?;
    Ok(bytes.into())
}

fn decode_schema(bytes: &Buffer) -> Result<Schema> {
    let (message, _) = split(bytes)?;
    let header = message.header_as_schema().ok_or_else(|| invalid("the first frame of a stream holds no schema"))?;
    if header.endianness() != Endianness::Little {
        return Err(invalid("a schema is of big-endian numbers"));
    }
    let fields = header.fields().ok_or_else(|| invalid("a schema has no list of columns"))?;
    match fields.iter().find(|field| !is_of_the_wire(field)) {
        None => Ok(fb_to_schema(header)),
        Some(field) => {
            let (name, kind) = (field.name().unwrap_or_default(), field.type_type().variant_name());
            let kind = if field.dictionary().is_some() { "Dictionary" } else { kind.unwrap_or("unknown") };
            Err(invalid(&format!("column {name} is of type {kind}, in a form that is not of docs/ABI.md")))
        }
    }
}

/// The types of docs/ABI.md §9. The reader of schemas panics over malformed ones, so it is shown nothing else.
fn is_of_the_wire(field: &arrow_ipc::Field<'_>) -> bool {
    let is_plain = match field.type_type() {
        Type::Bool | Type::Utf8 | Type::Binary => true,
        Type::Int => field.type_as_int().is_some_and(|int| int.is_signed() && matches!(int.bitWidth(), 16 | 32 | 64)),
        Type::FloatingPoint => field
            .type_as_floating_point()
            .is_some_and(|float| matches!(float.precision(), Precision::SINGLE | Precision::DOUBLE)),
        Type::Decimal => field.type_as_decimal().is_some_and(|decimal| {
            decimal.bitWidth() == 128
                && (1..=38).contains(&decimal.precision())
                && (0..=decimal.precision()).contains(&decimal.scale())
        }),
        Type::FixedSizeBinary => field.type_as_fixed_size_binary().is_some_and(|binary| binary.byteWidth() == 16),
        Type::Date => field.type_as_date().is_some_and(|date| date.unit() == DateUnit::DAY),
        Type::Time => {
            field.type_as_time().is_some_and(|time| time.bitWidth() == 64 && time.unit() == TimeUnit::MICROSECOND)
        }
        Type::Timestamp => field.type_as_timestamp().is_some_and(|timestamp| timestamp.unit() == TimeUnit::MICROSECOND),
        _ => false,
    };
    is_plain && field.dictionary().is_none()
}

fn decode_batch(schema: &SchemaRef, bytes: &Buffer, rows: u64) -> Result<RecordBatch> {
    let (message, body) = split(bytes)?;
    let header = message.header_as_record_batch().ok_or_else(|| invalid("a frame holds no batch"))?;
    if header.compression().is_some() {
        return Err(invalid("a batch is compressed"));
    }
    layout::check(&header, schema, body.len())?;
    let batch = read_record_batch(&body, header, schema.clone(), &HashMap::new(), None, &message.version());
    let batch = batch.map_err(|error| invalid(&error.to_string()))?;
    if batch.num_rows() as u64 != rows {
        let text = format!("A batch says it has {rows} rows, and has {}.", batch.num_rows());
        return Err(Error::new(Category::Frame, "row_count", text));
    }
    Ok(batch)
}

/// One encapsulated message: a marker, the length of the header, the header, and the body.
fn split(bytes: &Buffer) -> Result<(Message<'_>, Buffer)> {
    let short = || invalid("a frame is cut short");
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    let [a, b, c, d, e, f, g, h] = *head;
    if [a, b, c, d] != CONTINUATION_MARKER {
        return Err(invalid("a frame does not begin with a message"));
    }
    let length = u32::from_le_bytes([e, f, g, h]) as usize;
    let header = rest.get(..length).ok_or_else(short)?;
    let message = root_as_message(header).map_err(|error| invalid(&error.to_string()))?;
    let body = bytes.slice(head.len() + length);
    if usize::try_from(message.bodyLength()) != Ok(body.len()) {
        return Err(invalid("a frame does not hold exactly one message"));
    }
    Ok((message, body))
}

fn invalid(what: &str) -> Error {
    Error::new(Category::Frame, "arrow", format!("A frame is not the Arrow IPC that the ABI asks for: {what}."))
}

#[cfg(test)]
mod mutated;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions, StringArray};
    use arrow_buffer::Buffer;
    use arrow_ipc::writer::{EncodedData, IpcWriteOptions, write_message};
    use arrow_schema::{DataType, Field, Schema, TimeUnit};

    use super::{decode_batch, decode_schema, encode_batch, encode_schema, room_for};

    fn bytes(message: EncodedData) -> Vec<u8> {
        let mut out = Vec::new();
        let room = room_for(&message);
        let written = write_message(&mut out, message, &IpcWriteOptions::default());
        assert!(written.is_ok());
        assert!(out.len() <= room, "{} bytes do not fit {room}", out.len());
        out
    }

    fn batch() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("\u{1F680}"), None]));
        RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn batch_bytes(batch: &RecordBatch) -> Vec<u8> {
        encode_batch(batch).map(bytes).unwrap_or_default()
    }

    #[test]
    fn a_schema_and_a_batch_come_back_equal() {
        let batch = batch();
        let schema = decode_schema(&Buffer::from_vec(bytes(encode_schema(&batch.schema()))));
        assert_eq!(schema.as_ref().ok(), Some(batch.schema().as_ref()));
        let read = decode_batch(&batch.schema(), &Buffer::from_vec(batch_bytes(&batch)), 3);
        assert_eq!(read.ok(), Some(batch));
    }

    #[test]
    fn a_batch_without_columns_keeps_its_rows() {
        let schema = Arc::new(Schema::empty());
        let options = RecordBatchOptions::new().with_row_count(Some(7));
        let batch = RecordBatch::try_new_with_options(schema.clone(), vec![], &options);
        let bytes = batch.map(|batch| batch_bytes(&batch)).unwrap_or_default();
        let read = decode_batch(&schema, &Buffer::from_vec(bytes), 7);
        assert_eq!(read.map(|batch| batch.num_rows()).ok(), Some(7));
    }

    #[test]
    fn a_wrong_number_of_rows_is_refused() {
        let batch = batch();
        let error = decode_batch(&batch.schema(), &Buffer::from_vec(batch_bytes(&batch)), 4).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("row_count"));
    }

    #[test]
    fn every_cut_and_a_message_too_many_are_refused() {
        let batch = batch();
        let whole = batch_bytes(&batch);
        for length in 0..whole.len() {
            let cut = Buffer::from_vec(whole[..length].to_vec());
            assert!(decode_batch(&batch.schema(), &cut, 3).is_err(), "cut at {length}");
        }
        let twice = Buffer::from_vec(whole.repeat(2));
        assert!(decode_batch(&batch.schema(), &twice, 3).is_err());
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let batch = batch();
        let mut bytes = batch_bytes(&batch);
        let rocket = "\u{1F680}".as_bytes();
        let at = bytes.windows(rocket.len()).position(|window| window == rocket).unwrap_or(0);
        bytes[at] = 0xff;
        assert!(decode_batch(&batch.schema(), &Buffer::from_vec(bytes), 3).is_err());
    }

    #[test]
    fn only_columns_of_the_wire_are_read() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Int32, true)));
        let refused = [
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            list,
            DataType::UInt32,
            DataType::Int8,
            DataType::Float16,
            DataType::Decimal256(40, 2),
            DataType::Decimal128(3, -2),
            DataType::FixedSizeBinary(8),
            DataType::Date64,
            DataType::Time32(TimeUnit::Second),
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::LargeUtf8,
        ];
        for data_type in refused {
            let schema = Schema::new(vec![Field::new("d", data_type.clone(), true)]);
            let error = decode_schema(&Buffer::from_vec(bytes(encode_schema(&schema)))).err();
            assert!(error.is_some_and(|error| error.message.contains("column d")), "{data_type}");
        }
        let schema = Schema::new(vec![
            Field::new("a", DataType::Boolean, true),
            Field::new("b", DataType::Int16, true),
            Field::new("c", DataType::Float32, false),
            Field::new("d", DataType::Decimal128(38, 38), true),
            Field::new("e", DataType::FixedSizeBinary(16), true),
            Field::new("f", DataType::Date32, true),
            Field::new("g", DataType::Time64(TimeUnit::Microsecond), true),
            Field::new("h", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("i", DataType::Binary, true),
        ]);
        assert_eq!(decode_schema(&Buffer::from_vec(bytes(encode_schema(&schema)))).ok(), Some(schema));
    }
}
