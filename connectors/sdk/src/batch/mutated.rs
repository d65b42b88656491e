//! Frames that are nearly Arrow, from a seed: each is read as what it says, or refused, and none makes a reader panic.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array, RecordBatch,
    StringArray,
};
use arrow_buffer::Buffer;
use arrow_ipc::writer::{EncodedData, IpcWriteOptions, write_message};
use arrow_schema::SchemaRef;

use super::{decode_batch, decode_schema, encode_batch, encode_schema};

const CASES: usize = 5_000;
const NIGHTLY_CASES: usize = 100_000;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

/// Numbers from a seed (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn batch() -> RecordBatch {
    let uuids = FixedSizeBinaryArray::from(vec![&[7u8; 16][..]; 3]);
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), Some("\u{1F680}"), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("ratio", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]))),
        ("price", Arc::new(Decimal128Array::from(vec![Some(12), None, Some(-1)]))),
        ("raw", Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(&b""[..])]))),
        ("uuid", Arc::new(uuids)),
    ];
    RecordBatch::try_from_iter(columns).unwrap_or_else(|error| panic!("{error}"))
}

fn written(message: EncodedData) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, message, &IpcWriteOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    out
}

fn change(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    match numbers.below(6) {
        0 => bytes.truncate(at),
        1 | 2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << numbers.below(8)),
        3 => {
            let number = [0i32, 1, -1, 7, 64, 255, 65_536, i32::MAX, i32::MIN][numbers.below(9)];
            bytes.iter_mut().skip(at).zip(number.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        }
        4 => bytes.insert(at, numbers.below(256) as u8),
        _ => {
            bytes.truncate(at);
            bytes.extend(&other[numbers.below(other.len())..]);
        }
    }
}

fn look_at(batch: &RecordBatch, schema: &SchemaRef) {
    assert_eq!((batch.num_rows(), batch.schema_ref()), (3, schema));
    for column in batch.columns() {
        assert_eq!(column.to_data().validate_full().map_err(|error| error.to_string()), Ok(()));
    }
}

#[test]
fn mutated_frames_are_read_or_refused() {
    let batch = batch();
    let schema = batch.schema();
    let schema_bytes = written(encode_schema(&schema));
    let batch_bytes = encode_batch(&batch).map(written).unwrap_or_else(|error| panic!("{error}"));
    let mut numbers = Numbers(SEED);
    let (mut read, mut refused) = (0, 0);
    let is_nightly = std::env::var("RAPIDBYTE_TEST_PROFILE").is_ok_and(|profile| profile == "nightly");
    for case in 0..if is_nightly { NIGHTLY_CASES } else { CASES } {
        let is_schema = case % 2 == 0;
        let (own, other) = if is_schema { (&schema_bytes, &batch_bytes) } else { (&batch_bytes, &schema_bytes) };
        let mut bytes = own.clone();
        for _ in 0..=numbers.below(3) {
            change(&mut bytes, other, &mut numbers);
        }
        let content = Buffer::from_vec(bytes);
        let is_read = if is_schema {
            decode_schema(&content).is_ok()
        } else {
            let found = decode_batch(&schema, &content, 3);
            found.iter().for_each(|batch| look_at(batch, &schema));
            found.is_ok()
        };
        if is_read { read += 1 } else { refused += 1 }
    }
    assert!(read > 0 && refused > 0, "{read} were read, {refused} refused");
}
