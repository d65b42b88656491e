//! Fields out of the bytes of a message, in order; a message that is cut short is an error at every byte.

use crate::error::{Error, Result};
use crate::lsn::Lsn;

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub fn count16(&mut self) -> Result<usize> {
        let count = i16::from_be_bytes(self.array()?);
        usize::try_from(count).map_err(|_| malformed("has a negative count"))
    }

    pub fn count32(&mut self) -> Result<usize> {
        let count = i32::from_be_bytes(self.array()?);
        usize::try_from(count).map_err(|_| malformed("has a negative count"))
    }

    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn lsn(&mut self) -> Result<Lsn> {
        Ok(Lsn(u64::from_be_bytes(self.array()?)))
    }

    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub fn skip(&mut self, length: usize) -> Result<()> {
        self.bytes(length).map(|_| ())
    }

    /// A text that ends with a zero byte.
    pub fn text(&mut self) -> Result<String> {
        let length = self.rest.iter().position(|&byte| byte == 0).ok_or_else(cut)?;
        let text = self.bytes(length)?;
        self.skip(1)?;
        String::from_utf8(text.to_vec()).map_err(|_| malformed("has a name that is not UTF-8"))
    }

    /// Everything that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Check that nothing is left.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed("has bytes after its end")) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

#[cold]
fn cut() -> Error {
    malformed("is cut short")
}

#[cold]
pub(crate) fn malformed(what: &str) -> Error {
    Error::Protocol(format!("a replication message {what}"))
}
