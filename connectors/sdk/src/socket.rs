//! A connected stream socket of the host, as blocking `Read` and `Write`.
//!
//! The host's reads and writes never block; this type sleeps in `sock_wait` instead of spinning.

use std::io;

use serde::Serialize;

use crate::abi;
use crate::abi_numbers::{READABLE, Status, WRITABLE};
use crate::error::{Category, Error, Result};

const NO_TIMEOUT: i32 = -1;
const MAX_BINDING_BYTES: usize = 64;

/// What a server's certificate must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    None,
    Ca,
    Full,
}

/// What [`Socket::start_tls`] asks for (docs/ABI.md §7): the server's name, and files by their paths.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TlsRequest<'a> {
    pub server_name: &'a str,
    pub verify: Verify,
    pub roots: Option<&'a str>,
    pub certificate: Option<&'a str>,
    pub key: Option<&'a str>,
}

/// A socket, closed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    handle: i64,
}

impl Socket {
    /// Connect to `host`, a name, an address or the path of a Unix socket, within `timeout_ms`.
    pub fn connect(host: &str, port: u16, timeout_ms: i32) -> Result<Socket> {
        let doing = if host.starts_with('/') {
            format!("to connect to {host}")
        } else {
            format!("to connect to {host}:{port}")
        };
        let handle = abi::sock_connect(host, port, timeout_ms)
            .map_err(|status| Error::of_status(status, &doing).detail("host", host).detail("port", port.to_string()))?;
        Ok(Socket { handle })
    }

    /// Shake hands within `timeout_ms`, and move all further bytes under TLS. After an error the socket is closed.
    pub fn start_tls(&mut self, request: &TlsRequest<'_>, timeout_ms: i32) -> Result<()> {
        let document = serde_json::to_vec(request)
            .map_err(|error| Error::new(Category::Internal, "tls_request", error.to_string()))?;
        let doing = format!("to secure the connection to {}", request.server_name);
        abi::sock_start_tls(self.handle, &document, timeout_ms)
            .map_err(|status| Error::of_status(status, &doing).detail("host", request.server_name))?;
        Ok(())
    }

    /// The channel binding `tls-server-end-point` of the server's certificate; empty where there is none.
    pub fn tls_end_point(&self) -> Vec<u8> {
        let mut binding = vec![0; MAX_BINDING_BYTES];
        let length = abi::sock_tls_end_point(self.handle, &mut binding).unwrap_or(0);
        binding.truncate(usize::try_from(length).unwrap_or(0));
        binding
    }

    /// Whether a read would give bytes, or the end, at once, or does within `timeout_ms`.
    pub fn is_readable(&self, timeout_ms: i32) -> io::Result<bool> {
        self.wait(READABLE, timeout_ms)
    }

    fn wait(&self, interest: u32, timeout_ms: i32) -> io::Result<bool> {
        let mut record = [0u8; 16];
        record[..8].copy_from_slice(&self.handle.to_le_bytes());
        record[8..12].copy_from_slice(&interest.to_le_bytes());
        let ready =
            abi::sock_wait(&mut record, 1, timeout_ms).map_err(|status| failure(status, "to wait for the server"))?;
        Ok(ready > 0)
    }
}

fn failure(status: Status, doing: &str) -> io::Error {
    io::Error::other(Error::of_status(status, doing))
}

impl io::Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match abi::sock_read(self.handle, into) {
                Ok(count) => return Ok(usize::try_from(count).unwrap_or(0)),
                Err(Status::WouldBlock) => self.wait(READABLE, NO_TIMEOUT)?,
                Err(status) => return Err(failure(status, "to read from the server")),
            };
        }
    }
}

impl io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match abi::sock_write(self.handle, bytes) {
                Ok(count) => return Ok(usize::try_from(count).unwrap_or(0)),
                Err(Status::WouldBlock) => self.wait(WRITABLE, NO_TIMEOUT)?,
                Err(status) => return Err(failure(status, "to write to the server")),
            };
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        abi::sock_close(self.handle);
    }
}
