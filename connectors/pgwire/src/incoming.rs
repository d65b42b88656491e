//! Messages out of the bytes a server sent, parsed where they lie.

use bytes::BytesMut;
use postgres_protocol::message::backend;

use crate::error::{Error, Result};

const HEAD_BYTES: usize = 5;
/// The server's own limit of one message.
const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// Bytes that were read and not yet consumed.
#[derive(Debug)]
pub struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    wanted: usize,
}

/// One message: its tag, and where its body lies until more bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub tag: u8,
    start: usize,
    end: usize,
}

impl Incoming {
    /// Read in pieces of up to `capacity` bytes.
    pub fn new(capacity: usize) -> Incoming {
        Incoming { bytes: vec![0; capacity.max(HEAD_BYTES)], start: 0, end: 0, wanted: HEAD_BYTES }
    }

    /// Cut off the next message; `None` when more bytes are needed.
    #[inline]
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        let Some(&[tag, a, b, c, d]) = self.bytes[self.start..self.end].first_chunk::<HEAD_BYTES>() else {
            self.wanted = HEAD_BYTES;
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        if !(HEAD_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
            return Err(Error::Protocol(format!("the server sent a message of {length} bytes")));
        }
        if self.end - self.start < length {
            self.wanted = length;
            return Ok(None);
        }
        let message = Message { tag, start: self.start + HEAD_BYTES, end: self.start + length };
        self.start += length;
        Ok(Some(message))
    }

    /// The body of a message, before more bytes are read.
    #[inline]
    pub fn body(&self, message: Message) -> &[u8] {
        &self.bytes[message.start..message.end]
    }

    /// Parse a message of the control path.
    pub fn parse(&self, message: Message) -> Result<backend::Message> {
        let mut bytes = BytesMut::from(&self.bytes[message.start - HEAD_BYTES..message.end]);
        backend::Message::parse(&mut bytes)?
            .ok_or_else(|| Error::Protocol("the server sent a message that is cut short".to_owned()))
    }

    /// Where the next bytes go, with room for all that the next message still needs.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() < self.wanted {
            self.bytes.resize(self.wanted.next_power_of_two(), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Say how many bytes were read into [`Incoming::room`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::Incoming;

    fn feed(incoming: &mut Incoming, bytes: &[u8]) {
        let room = incoming.room();
        room[..bytes.len()].copy_from_slice(bytes);
        incoming.filled(bytes.len());
    }

    #[test]
    fn a_message_comes_whole_however_its_bytes_arrive() {
        let mut incoming = Incoming::new(5);
        let sent = b"d\0\0\0\x07abcZ\0\0\0\x05I";
        let mut found = Vec::new();
        for byte in sent {
            feed(&mut incoming, &[*byte]);
            while let Ok(Some(message)) = incoming.next_message() {
                found.push((message.tag, incoming.body(message).to_vec()));
            }
        }
        assert_eq!(found, [(b'd', b"abc".to_vec()), (b'Z', b"I".to_vec())]);
    }

    #[test]
    fn several_messages_of_one_read_come_one_by_one() {
        let mut incoming = Incoming::new(64);
        feed(&mut incoming, b"1\0\0\0\x042\0\0\0\x04C");
        let tags: Vec<_> =
            std::iter::from_fn(|| incoming.next_message().ok().flatten()).map(|message| message.tag).collect();
        assert_eq!(tags, *b"12");
    }

    #[test]
    fn an_impossible_length_is_refused() {
        for length in [0u32, 3, 1 << 30, u32::MAX] {
            let mut incoming = Incoming::new(64);
            let mut bytes = vec![b'd'];
            bytes.extend(length.to_be_bytes());
            feed(&mut incoming, &bytes);
            assert!(incoming.next_message().is_err(), "length {length}");
        }
    }
}
