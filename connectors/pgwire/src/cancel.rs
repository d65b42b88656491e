//! CancelRequest: asks a server to stop what a connection is doing, over a connection of its own.

use bytes::BytesMut;
use postgres_protocol::message::frontend;

/// What names a session to the server that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackendKey {
    pub(crate) process_id: i32,
    pub(crate) secret_key: i32,
}

pub(crate) fn cancel_message(key: BackendKey) -> BytesMut {
    let mut message = BytesMut::new();
    frontend::cancel_request(key.process_id, key.secret_key, &mut message);
    message
}

#[cfg(test)]
mod tests {
    use super::{BackendKey, cancel_message};

    #[test]
    fn the_message_is_the_protocols() {
        let message = cancel_message(BackendKey { process_id: 1, secret_key: 2 });
        assert_eq!(message[..], [0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]);
    }
}
