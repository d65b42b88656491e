//! COPY ... TO STDOUT (FORMAT binary): tuples out of the bodies of CopyData messages.
//!
//! Source: the PostgreSQL documentation, "COPY", section "Binary Format". The server sends each tuple in a message of
//! its own; anything else is refused, never guessed at.

use crate::error::{Error, Result};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER_BYTES: usize = 19;
const TRAILER: i16 = -1;
const NULL: i32 = -1;

/// The state of one copy: whether the header came, and whether the trailer did.
#[derive(Debug)]
pub struct CopyOut {
    fields: usize,
    has_header: bool,
    is_complete: bool,
}

impl CopyOut {
    /// Expect tuples of `fields` fields.
    pub fn new(fields: usize) -> CopyOut {
        CopyOut { fields, has_header: false, is_complete: false }
    }

    /// Whether the trailer came, without which the data is cut short.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Read the body of one CopyData message; `None` where it holds no tuple.
    #[inline]
    pub fn tuple<'a>(&mut self, body: &'a [u8]) -> Result<Option<Fields<'a>>> {
        let body = if self.has_header { body } else { self.after_header(body)? };
        let Some((count, rest)) = body.split_first_chunk::<2>() else {
            return if body.is_empty() { Ok(None) } else { Err(malformed("a tuple without its field count")) };
        };
        let count = i16::from_be_bytes(*count);
        if count == TRAILER && rest.is_empty() && !self.is_complete {
            self.is_complete = true;
            return Ok(None);
        }
        if self.is_complete || usize::try_from(count) != Ok(self.fields) {
            return Err(malformed("a tuple with an unexpected number of fields"));
        }
        Ok(Some(Fields { rest }))
    }

    #[cold]
    fn after_header<'a>(&mut self, body: &'a [u8]) -> Result<&'a [u8]> {
        let header = body.get(..HEADER_BYTES).filter(|header| header.starts_with(SIGNATURE));
        let Some([.., a, b, c, d]) = header else {
            return Err(malformed("no header"));
        };
        let extension = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        self.has_header = true;
        body.get(HEADER_BYTES.saturating_add(extension)..).ok_or_else(|| malformed("a header that is cut short"))
    }
}

/// The fields of one tuple, in order; `None` is NULL.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a tuple that was put together here, without its count.
    pub fn of(tuple: &'a [u8]) -> Fields<'a> {
        Fields { rest: tuple }
    }

    /// Take the next field.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<&'a [u8]>> {
        let (length, rest) =
            self.rest.split_first_chunk::<4>().ok_or_else(|| malformed("a field without its length"))?;
        let length = i32::from_be_bytes(*length);
        if length == NULL {
            self.rest = rest;
            return Ok(None);
        }
        let (field, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(|| malformed("a field that is cut short"))?;
        self.rest = rest;
        Ok(Some(field))
    }

    /// The fields that were not taken yet, as [`Fields::of`] reads them.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// The number of bytes after the fields that were taken.
    #[inline(always)]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Check that no byte is left after the last field.
    #[inline(always)]
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed("bytes after the last field")) }
    }
}

#[cold]
fn malformed(what: &str) -> Error {
    Error::Protocol(format!("COPY sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::{CopyOut, HEADER_BYTES, SIGNATURE};

    fn header() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }

    fn fields_of(copy: &mut CopyOut, body: &[u8], count: usize) -> Option<Vec<Option<Vec<u8>>>> {
        let mut fields = copy.tuple(body).ok()??;
        let found = (0..count)
            .map(|_| fields.next_field().ok().map(|field| field.map(<[u8]>::to_vec)))
            .collect::<Option<_>>()?;
        fields.finish().ok()?;
        Some(found)
    }

    #[test]
    fn the_first_tuple_may_follow_the_header_in_its_message() {
        let mut copy = CopyOut::new(2);
        let mut body = header();
        body.extend([0, 2, 0, 0, 0, 1, 7, 255, 255, 255, 255]);
        assert_eq!(fields_of(&mut copy, &body, 2), Some(vec![Some(vec![7]), None]));
        assert_eq!(fields_of(&mut copy, &[0, 2, 255, 255, 255, 255, 0, 0, 0, 0], 2), Some(vec![None, Some(vec![])]));
        assert!(!copy.is_complete());
        assert!(matches!(copy.tuple(&[255, 255]), Ok(None)));
        assert!(copy.is_complete());
    }

    #[test]
    fn a_header_extension_is_skipped() {
        let mut copy = CopyOut::new(0);
        let mut body = header();
        body[HEADER_BYTES - 1] = 3;
        body.extend([9, 9, 9, 0, 0]);
        assert!(matches!(copy.tuple(&body), Ok(Some(_))));
    }

    #[test]
    fn every_cut_of_a_tuple_is_refused() {
        let body = [0, 2, 0, 0, 0, 1, 7, 0, 0, 0, 2, 8, 9];
        for length in 1..body.len() {
            let mut copy = CopyOut { fields: 2, has_header: true, is_complete: false };
            assert_eq!(fields_of(&mut copy, &body[..length], 2), None, "cut at {length}");
        }
    }

    #[test]
    fn a_wrong_count_a_negative_length_and_a_tuple_after_the_end_are_refused() {
        let mut copy = CopyOut { fields: 1, has_header: true, is_complete: false };
        assert!(copy.tuple(&[0, 2]).is_err());
        assert_eq!(fields_of(&mut copy, &[0, 1, 255, 255, 255, 254], 1), None);
        assert!(matches!(copy.tuple(&[255, 255]), Ok(None)));
        assert!(copy.tuple(&[0, 1, 255, 255, 255, 255]).is_err());
        assert!(CopyOut::new(1).tuple(b"PGCOPY").is_err());
    }
}
