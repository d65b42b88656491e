//! COPY ... FROM STDIN (FORMAT binary): tuples into the bodies of CopyData messages.
//!
//! Source: the PostgreSQL documentation, "COPY", section "Binary Format", and "Message Formats".

const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
const COPY_DATA: u8 = b'd';
pub(crate) const COPY_DONE: [u8; 5] = [b'c', 0, 0, 0, 4];
const MESSAGE_START: usize = 5;

/// One CopyData message that is being filled with tuples; its length is set when it is taken.
#[derive(Debug)]
pub struct CopyIn {
    message: Vec<u8>,
}

impl CopyIn {
    /// Begin a copy: the first message opens with the header.
    pub fn new(capacity: usize) -> CopyIn {
        let mut message = Vec::with_capacity(capacity);
        message.extend([COPY_DATA, 0, 0, 0, 0]);
        message.extend(HEADER);
        CopyIn { message }
    }

    /// Where the next tuple goes: its field count and then its fields, each with its length.
    #[inline]
    pub fn tuples(&mut self) -> &mut Vec<u8> {
        &mut self.message
    }

    /// The size of the message so far, in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        self.message.len()
    }

    /// Close the message and look at it; [`CopyIn::restart`] begins the next one.
    pub fn sealed(&mut self) -> &[u8] {
        let length = (self.message.len() - 1) as u32;
        self.message[1..MESSAGE_START].copy_from_slice(&length.to_be_bytes());
        &self.message
    }

    /// Begin the next message.
    pub fn restart(&mut self) {
        self.message.truncate(MESSAGE_START);
    }

    /// Close the last message with the trailer and CopyDone.
    pub fn finished(&mut self) -> &[u8] {
        self.message.extend(TRAILER);
        self.sealed();
        self.message.extend(COPY_DONE);
        &self.message
    }
}

/// CopyFail, which makes the server drop all that was sent.
pub fn fail_message(reason: &str) -> Vec<u8> {
    let reason = reason.replace('\0', "");
    let mut message = vec![b'f'];
    message.extend((reason.len() as u32 + 5).to_be_bytes());
    message.extend(reason.as_bytes());
    message.push(0);
    message
}

#[cfg(test)]
mod tests {
    use super::{CopyIn, HEADER, fail_message};
    use crate::copy_out::CopyOut;

    #[test]
    fn what_is_copied_in_can_be_copied_out() {
        let mut copy = CopyIn::new(0);
        copy.tuples().extend([0, 1, 0, 0, 0, 1, 42]);
        let first = copy.sealed().to_vec();
        assert_eq!(first[..5], [b'd', 0, 0, 0, 30]);
        let mut out = CopyOut::new(1);
        let mut fields = out.tuple(&first[5..]).ok().flatten();
        assert_eq!(fields.as_mut().and_then(|fields| fields.next_field().ok()), Some(Some(&[42u8][..])));

        copy.restart();
        let last = copy.finished().to_vec();
        assert_eq!(last, [b'd', 0, 0, 0, 6, 255, 255, b'c', 0, 0, 0, 4]);
        assert!(matches!(out.tuple(&last[5..7]), Ok(None)));
        assert!(out.is_complete());
    }

    #[test]
    fn an_empty_copy_is_header_trailer_and_done() {
        let mut copy = CopyIn::new(0);
        let message = copy.finished();
        assert_eq!(message.len(), 5 + HEADER.len() + 2 + 5);
        assert_eq!(message[..5], [b'd', 0, 0, 0, 25]);
    }

    #[test]
    fn a_failure_carries_its_reason() {
        assert_eq!(fail_message("no\0pe"), b"f\0\0\0\x09nope\0");
    }
}
