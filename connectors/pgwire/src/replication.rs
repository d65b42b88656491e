//! START_REPLICATION: what is inside the CopyData messages of both directions.
//!
//! Source: the PostgreSQL documentation, "Streaming Replication Protocol".

use crate::error::{Error, Result};
use crate::lsn::Lsn;
use crate::pgoutput::Reader;

const XLOG_DATA: u8 = b'w';
const KEEPALIVE: u8 = b'k';
const STATUS_UPDATE: u8 = b'r';
const COPY_DATA: u8 = b'd';

/// One message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// A message of the output plugin.
    Data { payload: &'a [u8] },
    /// All of the log before `end` has been sent, as far as it is for us.
    Keepalive { end: Lsn, is_reply_requested: bool },
}

impl<'a> FromServer<'a> {
    /// Read the body of one CopyData message.
    pub fn read(body: &'a [u8]) -> Result<FromServer<'a>> {
        let mut reader = Reader::new(body);
        match reader.byte()? {
            XLOG_DATA => {
                reader.skip(8 + 8 + 8)?; // where it begins, where the log ends, the server's clock
                Ok(FromServer::Data { payload: reader.rest() })
            }
            KEEPALIVE => {
                let end = reader.lsn()?;
                reader.skip(8)?; // the server's clock
                let is_reply_requested = reader.byte()? != 0;
                reader.finish()?;
                Ok(FromServer::Keepalive { end, is_reply_requested })
            }
            other => Err(Error::Protocol(format!("a replication message of the unknown kind {other:#x}"))),
        }
    }
}

/// The newest version of pgoutput's protocol that a server of this version speaks, as it names its own: 18.1, 17beta2.
///
/// Source: the PostgreSQL documentation, "Logical Streaming Replication Parameters". Further messages come only where the
/// parameters of a newer version ask for them.
pub fn newest_protocol(server_version: &str) -> u8 {
    let end = server_version.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(server_version.len());
    match server_version[..end].parse::<u32>() {
        Ok(16..) => 4,
        Ok(15) => 3,
        Ok(14) => 2,
        _ => 1,
    }
}

/// A CopyData message with a status update: all before `confirmed` is durable here, and need never be sent again.
pub fn status_update(confirmed: Lsn, is_reply_requested: bool) -> Vec<u8> {
    let mut message = vec![COPY_DATA];
    message.extend((4u32 + 1 + 4 * 8 + 1).to_be_bytes());
    message.push(STATUS_UPDATE);
    for place in [confirmed, confirmed, confirmed] {
        message.extend(place.0.to_be_bytes()); // written, flushed, applied
    }
    message.extend(0i64.to_be_bytes()); // our clock, which the server only shows
    message.push(u8::from(is_reply_requested));
    message
}

#[cfg(test)]
mod tests {
    use super::{FromServer, newest_protocol, status_update};
    use crate::lsn::Lsn;

    // As PostgreSQL 18 sent them.
    const KEEPALIVE: &[u8] = b"k\0\0\0\0\x01\xaf\x5e\x40\0\x03\x04\x0f\x99\x12\xfb\x4c\0";
    const HEAD: &[u8] = b"w\0\0\0\0\x01\xaf\x5e\xb0\0\0\0\0\x01\xaf\x5e\xb0\0\x03\x04\x0f\x99\x15\x1e\xdf";

    #[test]
    fn a_server_speaks_the_protocol_of_its_version() {
        let versions = ["13.4", "14.11 (Debian 14.11-1)", "15.6", "16.0", "17beta2", "18.1", "21", "", "one"];
        assert_eq!(versions.map(newest_protocol), [1, 2, 3, 4, 4, 4, 4, 1, 1]);
    }

    #[test]
    fn data_is_what_follows_the_head() {
        for length in 0..HEAD.len() {
            assert!(FromServer::read(&HEAD[..length]).is_err(), "cut at {length}");
        }
        assert_eq!(FromServer::read(HEAD).ok(), Some(FromServer::Data { payload: b"" }));
        let whole = [HEAD, b"C..."].concat();
        assert_eq!(FromServer::read(&whole).ok(), Some(FromServer::Data { payload: b"C..." }));
    }

    #[test]
    fn a_keepalive_tells_how_far_the_log_was_sent() {
        let keepalive = FromServer::Keepalive { end: Lsn(0x1AF_5E40), is_reply_requested: false };
        assert_eq!(FromServer::read(KEEPALIVE).ok(), Some(keepalive));
        for length in 0..KEEPALIVE.len() {
            assert!(FromServer::read(&KEEPALIVE[..length]).is_err(), "cut at {length}");
        }
        assert!(FromServer::read(&[KEEPALIVE, b"\0"].concat()).is_err());
    }

    #[test]
    fn another_kind_is_refused() {
        assert!(FromServer::read(b"x").is_err());
    }

    #[test]
    fn a_status_update_confirms_one_place() {
        let lsn = b"\0\0\0\x16\xb3\x74\xd8\x48";
        let expected = [&b"d\0\0\0\x26r"[..], lsn, lsn, lsn, &[0; 8], &[1]].concat();
        assert_eq!(status_update(Lsn(0x16_B374_D848), true), expected);
    }
}
