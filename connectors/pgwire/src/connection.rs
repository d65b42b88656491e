//! A connection: the one place that reads and writes the stream, and that knows whether the server is idle.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use postgres_protocol::message::{backend, frontend};

use crate::authentication::{Authentication, Step};
use crate::cancel::BackendKey;
use crate::copy_in;
use crate::error::{Error, Result};
use crate::incoming::{Incoming, Message};
use crate::insert;
use crate::query::{Row, query_message};
use crate::server_error::ServerError;
use crate::startup::{Login, SESSION_SETTINGS, startup_message};

const READ_BYTES: usize = 256 * 1024;
const COPY_BOTH_RESPONSE_TAG: u8 = b'W';

/// A stream that blocks, and that can tell whether reading would.
pub trait Stream: Read + Write {
    /// Whether reading would give something at once, or does within `timeout_ms`.
    fn is_readable(&self, timeout_ms: i32) -> io::Result<bool>;

    /// The channel binding `tls-server-end-point`; empty without TLS.
    fn channel_binding(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Stream for sdk::Socket {
    fn is_readable(&self, timeout_ms: i32) -> io::Result<bool> {
        sdk::Socket::is_readable(self, timeout_ms)
    }

    fn channel_binding(&self) -> Vec<u8> {
        self.tls_end_point()
    }
}

/// A session with a server.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    incoming: Incoming,
    server_version: String,
    key: Option<BackendKey>,
    is_idle: bool,
}

impl<S: Stream> Connection<S> {
    /// Log in over a connected stream, and settle the text forms of the session.
    pub fn start(stream: S, login: &Login) -> Result<Connection<S>> {
        let incoming = Incoming::new(READ_BYTES);
        let mut connection = Connection { stream, incoming, server_version: String::new(), key: None, is_idle: false };
        connection.send(&startup_message(login)?)?;
        connection.authenticate(login)?;
        connection.wait_until_idle()?;
        connection.execute(SESSION_SETTINGS)?;
        Ok(connection)
    }

    fn authenticate(&mut self, login: &Login) -> Result<()> {
        let mut authentication = Authentication::new(login, self.stream.channel_binding());
        loop {
            let message = self.receive()?;
            match authentication.answer(&self.incoming.parse(message)?)? {
                Step::Send(answer) => self.send(&answer)?,
                Step::Wait => {}
                Step::Done => return Ok(()),
            }
        }
    }

    /// The version the server gives of itself.
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// Whether the server waits for us; if not, it is in the middle of something.
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    pub(crate) fn key(&self) -> Option<BackendKey> {
        self.key
    }

    /// Run statements that give no rows; the tag of the last one.
    pub fn execute(&mut self, sql: &str) -> Result<String> {
        self.send_query(sql)?;
        self.wait_until_idle()
    }

    /// Run a statement; the number of rows it affected.
    pub fn execute_counted(&mut self, sql: &str) -> Result<u64> {
        let tag = self.execute(sql)?;
        affected_rows(&tag)
    }

    /// Ask a question with text parameters.
    pub fn query(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<Row>> {
        self.send(&query_message(sql, parameters)?)?;
        self.rows()
    }

    /// Ask a question in one message, without parameters: all that a session for replication understands.
    pub fn query_simply(&mut self, sql: &str) -> Result<Vec<Row>> {
        self.send_query(sql)?;
        self.rows()
    }

    fn rows(&mut self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        loop {
            let message = self.receive()?;
            match message.tag {
                backend::DATA_ROW_TAG => {
                    if let backend::Message::DataRow(body) = self.incoming.parse(message)? {
                        rows.push(Row::read(&body)?);
                    }
                }
                backend::READY_FOR_QUERY_TAG => return Ok(rows),
                _ => {}
            }
        }
    }

    /// Start a COPY TO STDOUT; the number of fields of each tuple.
    pub fn begin_copy_out(&mut self, sql: &str) -> Result<usize> {
        self.send_query(sql)?;
        self.copy_response(backend::COPY_OUT_RESPONSE_TAG)
    }

    /// The next CopyData message; `None` when the copy is over and the server idle.
    #[inline]
    pub fn next_copy_data(&mut self) -> Result<Option<Message>> {
        let message = self.receive()?;
        if message.tag == backend::COPY_DATA_TAG {
            return Ok(Some(message));
        }
        if message.tag != backend::COPY_DONE_TAG {
            return Err(unexpected(message.tag));
        }
        self.wait_until_idle()?;
        Ok(None)
    }

    /// The body of the message that was received last.
    #[inline]
    pub fn body(&self, message: Message) -> &[u8] {
        self.incoming.body(message)
    }

    /// Start a COPY FROM STDIN.
    pub fn begin_copy_in(&mut self, sql: &str) -> Result<()> {
        self.send_query(sql)?;
        self.copy_response(backend::COPY_IN_RESPONSE_TAG)?;
        Ok(())
    }

    /// Send CopyData; an error the server has reported meanwhile ends the copy here.
    pub fn send_copy_data(&mut self, message: &[u8]) -> Result<()> {
        while self.stream.is_readable(0)? {
            self.read_some()?;
            while let Some(early) = self.incoming.next_message()? {
                self.refuse_early(early)?;
            }
        }
        self.send(message)
    }

    /// Send the last CopyData and CopyDone; the number of rows that were copied.
    pub fn finish_copy_in(&mut self, message: &[u8]) -> Result<u64> {
        self.send_copy_data(message)?;
        let tag = self.wait_until_idle()?;
        affected_rows(&tag)
    }

    /// Make the server drop a COPY FROM that is under way.
    pub fn fail_copy_in(&mut self, reason: &str) -> Result<()> {
        self.send(&copy_in::fail_message(reason))?;
        match self.wait_until_idle() {
            Err(Error::Server(_)) => Ok(()),
            Err(error) => Err(error),
            Ok(tag) => Err(Error::Protocol(format!("a failed COPY ended with {tag}"))),
        }
    }

    /// Start a START_REPLICATION, in which both sides send CopyData.
    pub fn begin_replication(&mut self, command: &str) -> Result<()> {
        self.send_query(command)?;
        let message = self.receive()?;
        if message.tag == COPY_BOTH_RESPONSE_TAG { Ok(()) } else { Err(unexpected(message.tag)) }
    }

    /// The next CopyData message of a replication; `None` when none has come for `timeout_ms`.
    pub fn next_replicated(&mut self, timeout_ms: i32) -> Result<Option<Message>> {
        loop {
            while let Some(message) = self.incoming.next_message()? {
                if message.tag == backend::COPY_DATA_TAG {
                    return Ok(Some(message));
                }
                self.refuse_early(message)?;
            }
            if !self.stream.is_readable(timeout_ms)? {
                return Ok(None);
            }
            self.read_some()?;
        }
    }

    /// Send a CopyData message of a replication.
    pub fn send_replicated(&mut self, message: &[u8]) -> Result<()> {
        self.send(message)
    }

    /// End a replication, so that its slot is free when this returns; what the server has sent meanwhile is dropped.
    pub fn end_replication(&mut self) -> Result<()> {
        self.send(&copy_in::COPY_DONE)?;
        self.wait_until_idle()?;
        Ok(())
    }

    /// Parse the statement that [`Connection::execute_pipeline`] runs.
    pub fn parse(&mut self, sql: &str, parameter_oids: &[u32]) -> Result<()> {
        self.send(&insert::parse_message(sql, parameter_oids)?)?;
        self.wait_until_idle()?;
        Ok(())
    }

    /// Ask a question with the parameters of a tuple of COPY BINARY; one row of text.
    pub fn query_tuple(&mut self, sql: &str, parameter_oids: &[u32], tuple: &[u8]) -> Result<Option<Row>> {
        self.parse(sql, parameter_oids)?;
        let mut messages = Vec::new();
        insert::bind_and_execute(tuple, &mut messages);
        messages.extend([b'S', 0, 0, 0, 4]);
        self.send(&messages)?;
        Ok(self.rows()?.into_iter().next())
    }

    /// Send Binds and Executes with a Sync; the number of rows they affected together. What the server answers to one
    /// call must fit the socket's buffers, or both sides would wait to write.
    pub fn execute_pipeline(&mut self, messages: &mut Vec<u8>) -> Result<u64> {
        messages.extend([b'S', 0, 0, 0, 4]);
        self.send(messages)?;
        let mut rows = 0;
        loop {
            let message = self.receive()?;
            match message.tag {
                backend::COMMAND_COMPLETE_TAG => rows += affected_rows(&self.command_tag(message)?)?,
                backend::READY_FOR_QUERY_TAG => return Ok(rows),
                _ => {}
            }
        }
    }

    /// Say goodbye.
    pub fn terminate(&mut self) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::terminate(&mut message);
        self.send(&message)
    }

    fn send_query(&mut self, sql: &str) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::query(sql, &mut message)?;
        self.send(&message)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.is_idle = false;
        Ok(self.stream.write_all(bytes)?)
    }

    fn copy_response(&mut self, tag: u8) -> Result<usize> {
        let message = self.receive()?;
        if message.tag != tag {
            return Err(unexpected(message.tag));
        }
        match *self.incoming.body(message) {
            [1, high, low, ..] => Ok(usize::from(u16::from_be_bytes([high, low]))),
            _ => Err(Error::Protocol("COPY is not binary".to_owned())),
        }
    }

    fn wait_until_idle(&mut self) -> Result<String> {
        let mut tag = String::new();
        loop {
            let message = self.receive()?;
            match message.tag {
                backend::COMMAND_COMPLETE_TAG => tag = self.command_tag(message)?,
                backend::BACKEND_KEY_DATA_TAG => {
                    if let backend::Message::BackendKeyData(body) = self.incoming.parse(message)? {
                        self.key = Some(BackendKey { process_id: body.process_id(), secret_key: body.secret_key() });
                    }
                }
                backend::READY_FOR_QUERY_TAG => return Ok(tag),
                _ => {}
            }
        }
    }

    fn command_tag(&self, message: Message) -> Result<String> {
        match self.incoming.parse(message)? {
            backend::Message::CommandComplete(body) => Ok(body.tag()?.to_owned()),
            _ => Err(unexpected(message.tag)),
        }
    }

    /// The next message that is not an aside; an error of the server is returned when the server is idle again.
    #[inline]
    fn receive(&mut self) -> Result<Message> {
        loop {
            let message = self.receive_any()?;
            match message.tag {
                backend::NOTICE_RESPONSE_TAG | backend::NOTIFICATION_RESPONSE_TAG => {}
                backend::PARAMETER_STATUS_TAG => self.keep_parameter(message)?,
                backend::ERROR_RESPONSE_TAG => return Err(self.server_error(message)?),
                _ => {
                    self.is_idle = message.tag == backend::READY_FOR_QUERY_TAG;
                    return Ok(message);
                }
            }
        }
    }

    #[inline]
    fn receive_any(&mut self) -> Result<Message> {
        loop {
            if let Some(message) = self.incoming.next_message()? {
                return Ok(message);
            }
            self.read_some()?;
        }
    }

    fn read_some(&mut self) -> Result<()> {
        let count = self.stream.read(self.incoming.room())?;
        if count == 0 {
            return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        self.incoming.filled(count);
        Ok(())
    }

    /// What may come while we are still sending is an aside, or an error that makes the rest pointless.
    fn refuse_early(&mut self, message: Message) -> Result<()> {
        match message.tag {
            backend::NOTICE_RESPONSE_TAG | backend::NOTIFICATION_RESPONSE_TAG => Ok(()),
            backend::PARAMETER_STATUS_TAG => self.keep_parameter(message),
            backend::ERROR_RESPONSE_TAG => Err(self.server_error(message)?),
            tag => Err(unexpected(tag)),
        }
    }

    #[cold]
    fn server_error(&mut self, message: Message) -> Result<Error> {
        let error = match self.incoming.parse(message)? {
            backend::Message::ErrorResponse(body) => ServerError::read(&body)?,
            _ => return Err(unexpected(message.tag)),
        };
        // A fatal error has no ReadyForQuery behind it: the server closes the connection, and says no more than this.
        while let Ok(message) = self.receive_any() {
            if message.tag == backend::READY_FOR_QUERY_TAG {
                self.is_idle = true;
                break;
            }
        }
        Ok(Error::Server(error))
    }

    fn keep_parameter(&mut self, message: Message) -> Result<()> {
        if let backend::Message::ParameterStatus(body) = self.incoming.parse(message)?
            && body.name()? == "server_version"
        {
            self.server_version = body.value()?.to_owned();
        }
        Ok(())
    }
}

fn unexpected(tag: u8) -> Error {
    Error::Protocol(format!("the server sent a message `{}` out of turn", char::from(tag).escape_default()))
}

/// The count at the end of a command tag such as `COPY 6` or `INSERT 0 1`.
fn affected_rows(tag: &str) -> Result<u64> {
    let count = tag.rsplit(' ').next().and_then(|count| count.parse().ok());
    count.ok_or_else(|| Error::Protocol(format!("a command ended with `{tag}`, which has no count")))
}
