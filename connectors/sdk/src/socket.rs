//! A connected stream socket of the host, as blocking `Read` and `Write`.
//!
//! The host's reads and writes never block; this type sleeps in `sock_wait` instead of spinning.

use std::io;

use crate::abi;
use crate::abi_numbers::{READABLE, Status, WRITABLE};
use crate::error::{Error, Result};

const NO_TIMEOUT: i32 = -1;

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

    /// Whether a read would give bytes, or the end, at once.
    pub fn is_readable(&self) -> io::Result<bool> {
        self.wait(READABLE, 0)
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
