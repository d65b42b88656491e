//! The values of a row in a change, as text.

use super::reader::{Reader, malformed};
use crate::error::Result;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datum<'a> {
    Null,
    /// A value that is stored out of line, and that the change left as it was: the server does not tell it.
    Unchanged,
    Text(&'a [u8]),
}

/// The values of a row, in the order of the relation's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    pub values: Vec<Datum<'a>>,
}

impl<'a> Tuple<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Tuple<'a>> {
        let count = reader.count16()?;
        let values = (0..count).map(|_| Datum::read(reader)).collect::<Result<_>>()?;
        Ok(Tuple { values })
    }
}

impl<'a> Datum<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Datum<'a>> {
        match reader.byte()? {
            b'n' => Ok(Datum::Null),
            b'u' => Ok(Datum::Unchanged),
            b't' => {
                let length = reader.count32()?;
                Ok(Datum::Text(reader.bytes(length)?))
            }
            _ => Err(malformed("has a value of an unknown kind")),
        }
    }
}
