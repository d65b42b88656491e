//! One stream in its transactions: rows and the receipt that covers them become visible together, or neither does.
//!
//! A stream whose source gives no positions is one transaction. Where it gives some, a transaction ends at the first
//! position after the interval of checkpoints.

use std::time::Instant;

use arrow_schema::Schema;
use pgwire::Connection;
use sdk::batch::BatchReader;
use sdk::{
    Arrival, Category, CheckpointInterval, CommitState, Error, Frame, FrameKind, Inbox, Metadata, Moved, Result,
    Socket, WriteMode, log,
};
use serde_json::Value;

use crate::commit;
use crate::landing::Way;
use crate::load::{Load, LoadMethod, make_stage};
use crate::plan::{Plan, source_columns};
use crate::prepared::Prepared;
use crate::receipt::{self, Progress, Run};
use crate::share;
use crate::sift::Sieve;
use crate::target::{self, TargetName};

/// What one `run` writes of a stream, and what the same run has written of it before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assignment<'a> {
    pub(crate) run: &'a Run,
    pub(crate) prepared: &'a Prepared,
    pub(crate) attempt: u32,
    pub(crate) earlier_rows: u64,
    pub(crate) earlier_bytes: u64,
    pub(crate) method: LoadMethod,
    pub(crate) interval: CheckpointInterval,
    /// The table that is filled together with other sessions, which becomes the stream's own later.
    pub(crate) share: Option<&'a TargetName>,
}

/// Rows and bytes that arrived, in all and since the last commit.
#[derive(Debug, Default)]
struct Arrived {
    rows: u64,
    bytes: u64,
    rejected_rows: u64,
    uncommitted_rows: u64,
    uncommitted_bytes: u64,
}

/// Writes the frames of one stream.
#[derive(Debug)]
pub(crate) struct StreamWriter<'a> {
    connection: &'a mut Connection<Socket>,
    assignment: Assignment<'a>,
    reader: BatchReader,
    plan: Plan,
    /// The load of this transaction; none where batches are sifted, each by loads of its own.
    load: Option<Load>,
    arrived: Arrived,
    began_at: Instant,
}

impl<'a> StreamWriter<'a> {
    /// Open the transaction, make what is missing, and start to load. A failure leaves no transaction behind.
    pub(crate) fn begin(
        connection: &'a mut Connection<Socket>,
        assignment: Assignment<'a>,
        reader: BatchReader,
    ) -> Result<StreamWriter<'a>> {
        connection.execute("BEGIN")?;
        match begin_load(connection, &assignment, &reader) {
            Ok((plan, load)) => {
                log::point("destination.begun");
                let (arrived, began_at) = (Arrived::default(), Instant::now());
                Ok(StreamWriter { connection, assignment, reader, plan, load, arrived, began_at })
            }
            Err(error) => {
                if connection.is_idle() {
                    connection.execute("ROLLBACK")?;
                }
                Err(error.detail("table", assignment.prepared.name.display_name()))
            }
        }
    }

    /// Write frames up to the end of the stream, commit, and say so to the host.
    pub(crate) fn write(&mut self, inbox: &mut Inbox) -> Result<Moved> {
        let position = self.receive(inbox)?;
        self.commit(position.as_ref(), true)?;
        Ok(Moved { index: self.index(), rows: self.arrived.rows, bytes: self.arrived.bytes })
    }

    fn index(&self) -> usize {
        self.assignment.prepared.index
    }

    fn receive(&mut self, inbox: &mut Inbox) -> Result<Option<Value>> {
        loop {
            let arrival = inbox.receive().and_then(|arrival| arrival.ok_or_else(no_end));
            let Arrival { metadata, frame } = arrival.map_err(|error| self.rolled_back(error))?;
            if metadata.stream != self.index() {
                let message = "A stream began before the one before it ended.";
                return Err(self.rolled_back(Error::new(Category::Frame, "interleaved", message)));
            }
            match metadata.kind {
                FrameKind::Schema => {
                    let error = Error::new(Category::Frame, "second_schema", "A stream has two schemas.");
                    return Err(self.rolled_back(error));
                }
                FrameKind::Batch => {
                    self.write_batch(&metadata, &frame).map_err(|error| self.rolled_back(error))?;
                    log::point("destination.written");
                    if metadata.position.is_some() && self.is_due() {
                        self.commit(metadata.position.as_ref(), false)?;
                        self.begin_again()?;
                    }
                }
                FrameKind::End => {
                    self.verify_end(&metadata).map_err(|error| self.rolled_back(error))?;
                    return Ok(metadata.position);
                }
            }
        }
    }

    fn write_batch(&mut self, metadata: &Metadata, frame: &Frame) -> Result<()> {
        let batch = self.reader.read(frame, metadata.rows)?;
        match &mut self.load {
            Some(load) => load.write(self.connection, &self.plan, &batch)?,
            None => {
                let sieve = Sieve { stream: self.index(), plan: &self.plan, method: self.assignment.method };
                self.arrived.rejected_rows += sieve.load(self.connection, &batch, self.arrived.rows)?;
            }
        }
        self.arrived.rows += metadata.rows;
        self.arrived.bytes += metadata.bytes;
        self.arrived.uncommitted_rows += metadata.rows;
        self.arrived.uncommitted_bytes += metadata.bytes;
        Ok(())
    }

    /// Whether the interval of checkpoints is over. What replaces a table does so in one commit.
    fn is_due(&self) -> bool {
        let (interval, arrived) = (self.assignment.interval, &self.arrived);
        self.assignment.prepared.mode != WriteMode::Replace
            && interval.is_over(arrived.uncommitted_rows, arrived.uncommitted_bytes, self.began_at.elapsed())
    }

    fn verify_end(&self, metadata: &Metadata) -> Result<()> {
        if metadata.rows == self.arrived.rows {
            return Ok(());
        }
        let message = format!("The stream says it has {} rows, and {} came.", metadata.rows, self.arrived.rows);
        Err(Error::new(Category::Frame, "end_count", message))
    }

    /// Make durable what arrived, with the receipt that covers it, and say so to the host.
    fn commit(&mut self, position: Option<&Value>, is_complete: bool) -> Result<()> {
        let landed = match &mut self.load {
            Some(load) => load.finish(self.connection, &self.plan),
            None => Ok(()),
        };
        if self.assignment.share.is_some() {
            return self.commit_part(landed);
        }
        landed.and_then(|()| self.write_receipt(position, is_complete)).map_err(|error| self.rolled_back(error))?;
        log::point("destination.before_commit");
        commit::execute(self.connection, &self.assignment.prepared.name.display_name())?;
        log::point("destination.committed");
        sdk::checkpoint(self.index(), self.arrived.rows, self.arrived.bytes, position)
    }

    /// Commit what arrived to a table that nobody counts on yet.
    fn commit_part(&mut self, landed: Result<()>) -> Result<()> {
        landed.map_err(|error| self.rolled_back(error))?;
        log::point("destination.before_part");
        commit::execute(self.connection, &self.assignment.prepared.name.display_name())?;
        log::point("destination.part_committed");
        Ok(())
    }

    fn write_receipt(&mut self, position: Option<&Value>, is_complete: bool) -> Result<()> {
        let Assignment { run, prepared, attempt, earlier_rows, earlier_bytes, .. } = self.assignment;
        let progress = Progress {
            attempt,
            position,
            rows: earlier_rows + self.arrived.rows - self.arrived.rejected_rows,
            bytes: earlier_bytes + self.arrived.bytes,
            is_complete,
        };
        log::point("destination.before_receipt");
        receipt::write(self.connection, run, prepared, progress)
    }

    fn begin_again(&mut self) -> Result<()> {
        self.arrived.uncommitted_rows = 0;
        self.arrived.uncommitted_bytes = 0;
        self.began_at = Instant::now();
        self.connection.execute("BEGIN")?;
        let load = begin_loading(self.connection, &self.plan, &self.assignment);
        self.load = load.map_err(|error| self.rolled_back(error))?;
        Ok(())
    }

    /// Roll back after `error`, which stays the error also when the connection is gone: then the server rolls back.
    fn rolled_back(&mut self, error: Error) -> Error {
        let undone = self.load.as_mut().is_none_or(|load| load.abandon(self.connection).is_ok())
            && self.connection.is_idle()
            && self.connection.execute("ROLLBACK").is_ok();
        if !undone {
            log::debug("the connection was lost before ROLLBACK; the server rolls back by itself");
        }
        error.commit_state(CommitState::BeforeCommit).detail("table", self.assignment.prepared.name.display_name())
    }
}

fn begin_load(
    connection: &mut Connection<Socket>,
    assignment: &Assignment<'_>,
    reader: &BatchReader,
) -> Result<(Plan, Option<Load>)> {
    let prepared = assignment.prepared;
    let plan = match assignment.share {
        Some(table) => Plan::shared(prepared, reader.schema(), &share::columns(connection, table)?, table)?,
        None => make_plan(connection, prepared, reader.schema())?,
    };
    if let Some(statement) = plan.clearing_statement() {
        connection.execute(&statement)?;
    }
    make_stage(connection, &plan, assignment.method)?;
    let load = begin_loading(connection, &plan, assignment)?;
    Ok((plan, load))
}

/// Make what is missing for a stream, and fit it to its table.
pub(crate) fn make_plan(connection: &mut Connection<Socket>, prepared: &Prepared, schema: &Schema) -> Result<Plan> {
    target::create(connection, prepared, &source_columns(prepared, schema)?)?;
    target::evolve(connection, prepared)?;
    let existing = target::columns(connection, &prepared.name)?.unwrap_or_default();
    Plan::new(prepared, schema, &existing, Way::of(connection, prepared)?)
}

fn begin_loading(
    connection: &mut Connection<Socket>,
    plan: &Plan,
    assignment: &Assignment<'_>,
) -> Result<Option<Load>> {
    if assignment.prepared.is_sifted {
        Sieve::begin(connection)?;
        return Ok(None);
    }
    Load::begin(connection, plan, assignment.method).map(Some)
}

fn no_end() -> Error {
    Error::new(Category::Frame, "no_end", "A stream stopped without its end.")
}
