//! INSERT of binary rows through a pipeline: one Bind and Execute for each row, one Sync for many.
//!
//! A tuple of COPY BINARY (field count, then each field with its length) is laid out as the parameters of a Bind.

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use crate::error::Result;

const BINARY: i16 = 1;
/// Execute of the unnamed portal without a row limit.
const EXECUTE: [u8; 10] = [b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0];

/// Parse the unnamed statement with parameters of these types, and sync.
pub(crate) fn parse_message(sql: &str, parameter_oids: &[u32]) -> Result<BytesMut> {
    let mut message = BytesMut::new();
    frontend::parse("", sql, parameter_oids.iter().copied(), &mut message)?;
    frontend::sync(&mut message);
    Ok(message)
}

/// Append a Bind of one tuple, and its Execute.
pub fn bind_and_execute(tuple: &[u8], out: &mut Vec<u8>) {
    let length = 4 + 2 + 4 + tuple.len() + 2;
    out.push(b'B');
    out.extend((length as u32).to_be_bytes());
    out.extend([0, 0]); // unnamed portal, unnamed statement
    out.extend(1i16.to_be_bytes());
    out.extend(BINARY.to_be_bytes());
    out.extend(tuple);
    out.extend(0i16.to_be_bytes());
    out.extend(EXECUTE);
}

#[cfg(test)]
mod tests {
    use super::bind_and_execute;

    #[test]
    fn a_tuple_becomes_the_parameters_of_a_bind() {
        let mut out = Vec::new();
        bind_and_execute(&[0, 1, 0, 0, 0, 2, 7, 8], &mut out);
        let bind = b"B\0\0\0\x14\0\0\0\x01\0\x01\0\x01\0\0\0\x02\x07\x08\0\0";
        let execute = b"E\0\0\0\x09\0\0\0\0\0";
        assert_eq!(out, [&bind[..], &execute[..]].concat());
    }
}
