//! A frame: a byte buffer that the host owns and this handle refers to.

use std::io;

use crate::abi;
use crate::error::{Error, Result};

/// A handle of a host-owned buffer, dropped with it. Writable until sealed, readable after.
#[derive(Debug)]
pub struct Frame {
    handle: i64,
}

impl Frame {
    /// Ask for a writable frame of at most `capacity` bytes.
    pub fn new(capacity: usize) -> Result<Frame> {
        let capacity = i64::try_from(capacity).unwrap_or(i64::MAX);
        let handle = abi::frame_new(capacity).map_err(|status| Error::of_status(status, "to make a batch"))?;
        Ok(Frame { handle })
    }

    /// Own a handle that `next` gave.
    pub(crate) fn from_handle(handle: i64) -> Frame {
        Frame { handle }
    }

    pub(crate) fn handle(&self) -> i64 {
        self.handle
    }

    /// Give the handle up: the host has consumed it.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }

    /// Make the frame readable, and no longer writable.
    pub fn seal(&mut self) -> Result<()> {
        abi::frame_seal(self.handle).map_err(|status| Error::of_status(status, "to seal a batch"))?;
        Ok(())
    }

    /// The number of bytes of a sealed frame.
    pub fn length(&self) -> Result<usize> {
        let length = abi::frame_len(self.handle).map_err(|status| Error::of_status(status, "to size a batch"))?;
        Ok(usize::try_from(length).unwrap_or(0))
    }

    /// Read as many bytes of a sealed frame as `into` holds.
    pub fn read(&self, into: &mut [u8]) -> Result<()> {
        abi::frame_read(self.handle, 0, into).map_err(|status| Error::of_status(status, "to read a batch"))?;
        Ok(())
    }
}

impl io::Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        abi::frame_write(self.handle, bytes)
            .map_err(|status| io::Error::other(Error::of_status(status, "to write a batch")))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        abi::frame_drop(self.handle);
    }
}
