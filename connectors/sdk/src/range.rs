//! The ranges of a stream that several instances read at once (docs/ABI.md §6).

use std::ops::Range;

use crate::abi;
use crate::abi_numbers::Status;
use crate::error::{Category, Error, Result};

/// The end of the last range: it has none, and whatever lies behind the extent belongs to it.
const OPEN_END: u64 = i64::MAX as u64;

/// Ask the host for the next range of a stream to read; `None` when all are taken. The last one ends at `u64::MAX`.
pub fn next_range(stream: usize) -> Result<Option<Range<u64>>> {
    let unknown = || Error::new(Category::Internal, "metadata", format!("There is no stream {stream}."));
    let number = i32::try_from(stream).map_err(|_| unknown())?;
    let mut record = [0u8; 16];
    match abi::next_range(number, &mut record) {
        Ok(_) => Ok(Some(read(record))),
        Err(Status::EndOfStream) => Ok(None),
        Err(status) => Err(Error::of_status(status, "to get a range to read")),
    }
}

fn read(record: [u8; 16]) -> Range<u64> {
    let packed = u128::from_le_bytes(record);
    let (begin, end) = (packed as u64, (packed >> 64) as u64);
    begin..if end == OPEN_END { u64::MAX } else { end }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_record_is_two_little_endian_numbers_and_the_greatest_end_is_none() {
        let record = |begin: u64, end: u64| {
            let mut record = [0u8; 16];
            record[..8].copy_from_slice(&begin.to_le_bytes());
            record[8..].copy_from_slice(&end.to_le_bytes());
            record
        };
        assert_eq!(read(record(7, 4096)), 7..4096);
        assert_eq!(read(record(4096, i64::MAX as u64)), 4096..u64::MAX);
    }
}
