//! One stream in one transaction: all of its rows become visible together, or none do.

use pgwire::Connection;
use sdk::batch::BatchReader;
use sdk::{Arrival, Category, CommitState, Error, Frame, FrameKind, Inbox, Metadata, Moved, Result, Socket};

use crate::load::{Load, LoadMethod};
use crate::plan::{Plan, source_columns};
use crate::target::{self, TargetName};

/// Writes the frames of one stream.
#[derive(Debug)]
pub(crate) struct StreamWriter<'a> {
    connection: &'a mut Connection<Socket>,
    name: TargetName,
    reader: BatchReader,
    load: Load,
    rows: u64,
    bytes: u64,
}

impl<'a> StreamWriter<'a> {
    /// Open the transaction, make what is missing, and start to load. A failure leaves no transaction behind.
    pub(crate) fn begin(
        connection: &'a mut Connection<Socket>,
        name: TargetName,
        reader: BatchReader,
        method: LoadMethod,
    ) -> Result<StreamWriter<'a>> {
        connection.execute("BEGIN")?;
        match begin_load(connection, &name, &reader, method) {
            Ok(load) => Ok(StreamWriter { connection, name, reader, load, rows: 0, bytes: 0 }),
            Err(error) => {
                if connection.is_idle() {
                    connection.execute("ROLLBACK")?;
                }
                Err(error.detail("table", name.display_name()))
            }
        }
    }

    /// Write frames up to the end of the stream, commit, and say so to the host.
    pub(crate) fn write(&mut self, index: usize, inbox: &mut Inbox) -> Result<Moved> {
        let written = self.receive(index, inbox).and_then(|()| self.load.finish(self.connection));
        if let Err(error) = written {
            return Err(self.rolled_back(error));
        }
        self.commit()?;
        sdk::checkpoint(index, self.rows, self.bytes)?;
        Ok(Moved { index, rows: self.rows, bytes: self.bytes })
    }

    fn receive(&mut self, index: usize, inbox: &mut Inbox) -> Result<()> {
        while let Some(Arrival { metadata, frame }) = inbox.receive()? {
            if metadata.stream != index {
                return Err(Error::new(
                    Category::Frame,
                    "interleaved",
                    "A stream began before the one before it ended.",
                ));
            }
            match metadata.kind {
                FrameKind::Schema => {
                    return Err(Error::new(Category::Frame, "second_schema", "A stream has two schemas."));
                }
                FrameKind::Batch => self.write_batch(metadata, &frame)?,
                FrameKind::End => return self.verify_end(metadata),
            }
        }
        Err(Error::new(Category::Frame, "no_end", "A stream stopped without its end."))
    }

    fn write_batch(&mut self, metadata: Metadata, frame: &Frame) -> Result<()> {
        let batch = self.reader.read(frame, metadata.rows)?;
        self.load.write(self.connection, &batch)?;
        self.rows += metadata.rows;
        self.bytes += metadata.bytes;
        Ok(())
    }

    fn verify_end(&self, metadata: Metadata) -> Result<()> {
        if metadata.rows == self.rows {
            return Ok(());
        }
        let message = format!("The stream says it has {} rows, and {} came.", metadata.rows, self.rows);
        Err(Error::new(Category::Frame, "row_count", message))
    }

    fn commit(&mut self) -> Result<()> {
        match self.connection.execute("COMMIT") {
            Ok(tag) if tag == "COMMIT" => Ok(()),
            Ok(tag) => {
                let message = format!("The server answered {tag} to COMMIT of {}.", self.name.display_name());
                Err(Error::new(Category::Internal, "not_committed", message).commit_state(CommitState::BeforeCommit))
            }
            Err(error) => {
                let state = if error.is_connection_lost() {
                    CommitState::AfterCommitUnknown
                } else {
                    CommitState::BeforeCommit
                };
                Err(Error::from(error).commit_state(state).detail("table", self.name.display_name()))
            }
        }
    }

    /// Roll back after `error`, which stays the error also when the connection is gone: then the server rolls back.
    fn rolled_back(&mut self, error: Error) -> Error {
        let undone = self.load.abandon(self.connection).is_ok()
            && self.connection.is_idle()
            && self.connection.execute("ROLLBACK").is_ok();
        if !undone {
            sdk::log::debug("the connection was lost before ROLLBACK; the server rolls back by itself");
        }
        error.commit_state(CommitState::BeforeCommit).detail("table", self.name.display_name())
    }
}

fn begin_load(
    connection: &mut Connection<Socket>,
    name: &TargetName,
    reader: &BatchReader,
    method: LoadMethod,
) -> Result<Load> {
    target::create(connection, name, &source_columns(reader.schema())?)?;
    let existing = target::columns(connection, name)?.unwrap_or_default();
    let plan = Plan::new(name, reader.schema(), &existing)?;
    Load::begin(connection, plan, method)
}
