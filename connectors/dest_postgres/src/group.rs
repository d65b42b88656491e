//! Several streams that one position stands for: what it covers of all of them becomes durable in one transaction, with
//! a receipt for each.
//!
//! Their batches alternate, so that each is loaded by itself. Changes that are applied wait for those of other tables of
//! their round. Where the columns of a stream change, what came before is committed if it can be, and the policies are
//! asked as at the start of a run.

use std::borrow::Cow;
use std::time::Instant;

use pgwire::Connection;
use sdk::batch::BatchReader;
use sdk::{Arrival, Category, CommitState, Error, Frame, FrameKind, Inbox, Metadata, Moved, Result, Socket, log};
use serde_json::Value;

use crate::changes::{EventPlan, Order, Round, Statements, Tables, Target, deferred};
use crate::commit;
use crate::load::make_stage;
use crate::plan::Plan;
use crate::prepared::{Prepared, Terms};
use crate::receipt::{self, Progress};
use crate::sift::Sieve;
use crate::stream::{Assignment, make_plan};

const FOREIGN_KEY_VIOLATION: &str = "23503";

/// Writes the frames of several streams.
#[derive(Debug)]
pub(crate) struct GroupWriter<'a> {
    connection: &'a mut Connection<Socket>,
    members: Vec<Member<'a>>,
    terms: Terms<'a>,
    /// The position up to which everything came, where nothing came after it and it is not committed.
    settled: Option<Value>,
    round: Round,
    order: Order,
    /// Whether a transaction is open: a run without an end has none as long as nothing comes.
    is_open: bool,
    uncommitted_rows: u64,
    uncommitted_bytes: u64,
    committed_at: Instant,
}

/// One of the streams, and what arrived of it.
#[derive(Debug)]
struct Member<'a> {
    assignment: Assignment<'a>,
    /// How it meets its table, with the columns that it has now.
    prepared: Cow<'a, Prepared>,
    /// Its schema, and how that meets its table; none before it came.
    inflow: Option<Inflow>,
    rows: u64,
    bytes: u64,
    rejected_rows: u64,
    has_ended: bool,
}

#[derive(Debug)]
struct Inflow {
    reader: BatchReader,
    plan: Plan,
    /// How changes are applied; none where batches are loaded.
    applied: Option<(EventPlan, Statements)>,
}

impl<'a> GroupWriter<'a> {
    pub(crate) fn new(
        connection: &'a mut Connection<Socket>,
        assignments: Vec<Assignment<'a>>,
        terms: Terms<'a>,
    ) -> GroupWriter<'a> {
        let member = |assignment: Assignment<'a>| Member {
            assignment,
            prepared: Cow::Borrowed(assignment.prepared),
            inflow: None,
            rows: 0,
            bytes: 0,
            rejected_rows: 0,
            has_ended: false,
        };
        let members = assignments.into_iter().map(member).collect();
        GroupWriter {
            connection,
            members,
            terms,
            settled: None,
            round: Round::default(),
            order: Order::default(),
            is_open: false,
            uncommitted_rows: 0,
            uncommitted_bytes: 0,
            committed_at: Instant::now(),
        }
    }

    /// Write frames up to the end of all streams, commit, and say so to the host.
    pub(crate) fn write(&mut self, inbox: &mut Inbox) -> Result<Vec<Moved>> {
        let written = self.receive(inbox).and_then(|position| self.commit(position.as_ref(), true));
        written.map_err(|error| self.rolled_back(error))?;
        let moved = |member: &Member<'_>| Moved { index: member.index(), rows: member.rows, bytes: member.bytes };
        Ok(self.members.iter().map(moved).collect())
    }

    /// Begin a transaction where there is none.
    fn open(&mut self) -> Result<()> {
        if self.is_open {
            return Ok(());
        }
        self.connection.execute("BEGIN")?;
        self.is_open = true;
        let has = |is: fn(&Prepared) -> bool| self.members.iter().any(|member| is(&member.prepared));
        if has(|prepared| prepared.applied.is_some()) {
            deferred::begin(self.connection)?;
        } else if has(|prepared| prepared.is_sifted) {
            Sieve::begin(self.connection)?;
        }
        Ok(())
    }

    /// Take frames until all streams have ended; the position after all of them.
    fn receive(&mut self, inbox: &mut Inbox) -> Result<Option<Value>> {
        loop {
            let arrival = inbox.receive()?;
            let Some(Arrival { metadata, frame }) = arrival else {
                return Err(Error::new(Category::Frame, "no_end", "The source ended without all of its streams."));
            };
            match metadata.kind {
                FrameKind::Schema => {
                    self.settle()?;
                    self.begin_member(&metadata, &frame)?;
                }
                FrameKind::Batch => {
                    self.settled = None;
                    self.write_batch(&metadata, &frame)?;
                    if metadata.position.is_some() {
                        self.end_round()?;
                    }
                    log::point("destination.written");
                    if metadata.position.is_some() && self.is_due() {
                        self.commit(metadata.position.as_ref(), false)?;
                    } else {
                        self.settled = metadata.position;
                    }
                }
                FrameKind::End => {
                    self.end_round()?;
                    self.member(&metadata)?.end(&metadata)?;
                    if self.members.iter().all(|member| member.has_ended) {
                        return Ok(metadata.position);
                    }
                }
            }
        }
    }

    fn member(&mut self, metadata: &Metadata) -> Result<&mut Member<'a>> {
        let member = self.members.iter_mut().find(|member| member.index() == metadata.stream && !member.has_ended);
        member.ok_or_else(not_expected)
    }

    /// Apply what came before the columns of a stream change, and commit it if there is a position for that: what the
    /// policies may refuse is then the first that is not durable.
    fn settle(&mut self) -> Result<()> {
        self.end_round()?;
        if let Some(position) = self.settled.take() {
            self.commit(Some(&position), false)?;
        }
        Ok(())
    }

    fn begin_member(&mut self, metadata: &Metadata, frame: &Frame) -> Result<()> {
        self.open()?;
        let member = self.members.iter_mut().find(|member| member.index() == metadata.stream && !member.has_ended);
        let member = member.ok_or_else(not_expected)?;
        if member.inflow.is_some() && !self.terms.is_captured(metadata.stream) {
            return Err(Error::new(Category::Frame, "second_schema", "A stream has two schemas."));
        }
        let reader = BatchReader::new(frame)?;
        let first = member.assignment.prepared;
        member.prepared = match &metadata.source {
            Some(source) => match self.terms.prepare(self.connection, metadata.stream, source)? {
                Some(anew) => Cow::Owned(anew),
                None => Cow::Borrowed(first),
            },
            None if member.inflow.is_some() => Cow::Owned(first.earlier()),
            None => Cow::Borrowed(first),
        };
        let prepared = member.prepared.as_ref();
        let is_new = member.inflow.is_none();
        if !is_new && prepared.applied.is_some() && !prepared.changes.is_empty() {
            deferred::settle(self.connection, &prepared.name)?;
        }
        let plan = make_plan(self.connection, prepared, reader.schema())
            .map_err(|error| error.detail("table", prepared.name.display_name()))?;
        let applied = match prepared.applied {
            Some(deletes) => {
                let events = EventPlan::new(reader.schema(), &plan, &prepared.key)?;
                let statements = Statements::new(prepared.index, &plan, &events, deletes);
                self.connection.execute(&statements.create_stage())?;
                Some((events, statements))
            }
            None => {
                make_stage(self.connection, &plan, member.assignment.method)?;
                None
            }
        };
        member.inflow = Some(Inflow { reader, plan, applied });
        if !is_new {
            log::point("destination.reshaped");
        } else if self.members.iter().all(|member| member.inflow.is_some()) {
            let names: Vec<_> = self.members.iter().map(|member| &member.prepared.name).collect();
            self.order = Order::of(self.connection, &names)?;
            log::point("destination.begun");
        }
        Ok(())
    }

    /// Apply the changes that wait, of all tables.
    fn end_round(&mut self) -> Result<()> {
        let tables: Tables<'_> =
            self.members.iter().enumerate().filter_map(|(at, member)| Some((at, member.target()?))).collect();
        let rejected = std::mem::take(&mut self.round).apply(self.connection, &tables, &self.order)?;
        for (at, rows) in rejected {
            if let Some(member) = self.members.get_mut(at) {
                member.rejected_rows += rows;
            }
        }
        Ok(())
    }

    fn write_batch(&mut self, metadata: &Metadata, frame: &Frame) -> Result<()> {
        // A receipt for a stream whose table is still to be made would be taken for one of a table that was dropped.
        if self.members.iter().any(|member| member.inflow.is_none()) {
            return Err(Error::new(Category::Frame, "no_schema", "A batch came before the schemas of all streams."));
        }
        let at = self.members.iter().position(|member| member.index() == metadata.stream && !member.has_ended);
        let at = at.ok_or_else(not_expected)?;
        if self.round.is_over(at) {
            self.end_round()?;
        }
        if metadata.rows > 0 {
            self.open()?;
        }
        let Some(Member { assignment, prepared, inflow: Some(inflow), rows, bytes, rejected_rows, .. }) =
            self.members.get_mut(at)
        else {
            return Err(not_expected());
        };
        let batch = inflow.reader.read(frame, metadata.rows)?;
        let sieve = Sieve { stream: prepared.index, plan: &inflow.plan, method: assignment.method };
        if inflow.applied.is_some() {
            self.round.push(at, batch, *rows);
        } else if metadata.rows == 0 {
            // A position alone, of a source that has nothing else to say.
        } else if prepared.is_sifted {
            let rejected = sieve.load(self.connection, &batch, *rows);
            *rejected_rows += rejected.map_err(|error| error.detail("table", prepared.name.display_name()))?;
        } else {
            let loaded = sieve.load_whole(self.connection, &batch);
            loaded.map_err(|error| error.detail("table", prepared.name.display_name()))?;
        }
        *rows += metadata.rows;
        *bytes += metadata.bytes;
        self.uncommitted_rows += metadata.rows;
        self.uncommitted_bytes += metadata.bytes;
        Ok(())
    }

    /// Whether the interval of checkpoints is over.
    fn is_due(&self) -> bool {
        let interval = self.members.first().map(|member| member.assignment.interval).unwrap_or_default();
        interval.is_over(self.uncommitted_rows, self.uncommitted_bytes, self.committed_at.elapsed())
    }

    /// Make durable what arrived of all streams, each with its receipt, and say so to the host.
    fn commit(&mut self, position: Option<&Value>, is_complete: bool) -> Result<()> {
        self.open()?;
        log::point("destination.before_receipt");
        for member in &self.members {
            let Assignment { run, attempt, earlier_rows, earlier_bytes, .. } = member.assignment;
            let progress = Progress {
                attempt,
                position,
                rows: earlier_rows + member.rows - member.rejected_rows,
                bytes: earlier_bytes + member.bytes,
                is_complete,
            };
            receipt::write(self.connection, run, &member.prepared, progress)?;
        }
        log::point("destination.before_commit");
        commit::execute(self.connection, &self.tables())?;
        log::point("destination.committed");
        (self.is_open, self.uncommitted_rows, self.uncommitted_bytes) = (false, 0, 0);
        self.committed_at = Instant::now();
        for member in &self.members {
            sdk::checkpoint(member.index(), member.rows, member.bytes, position)?;
        }
        Ok(())
    }

    fn tables(&self) -> String {
        let names = self.members.iter().map(|member| member.prepared.name.display_name());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Roll back after `error`, which stays the error also when the connection is gone: then the server rolls back.
    fn rolled_back(&mut self, error: Error) -> Error {
        if self.is_open && !(self.connection.is_idle() && self.connection.execute("ROLLBACK").is_ok()) {
            log::debug("the connection was lost before ROLLBACK; the server rolls back by itself");
        }
        let is_applied = self.members.iter().any(|member| member.prepared.applied.is_some());
        let error = if is_applied && error.code == FOREIGN_KEY_VIOLATION { still_to_come(error) } else { error };
        if error.commit_state.is_some() { error } else { error.commit_state(CommitState::BeforeCommit) }
    }
}

/// Tables that were copied at different times need not agree before the changes between these have come.
fn still_to_come(error: Error) -> Error {
    let message = format!(
        "{}\nWhere one of the tables was copied after the other, what it refers to may be still to come: drop the foreign \
         key in the destination, run until there is nothing new, and add it again.",
        error.message
    );
    Error { message, ..error }
}

fn not_expected() -> Error {
    Error::new(Category::Frame, "not_expected", "A frame came of a stream that is not moved.")
}

impl Member<'_> {
    /// The table that its changes are applied to.
    fn target(&self) -> Option<Target<'_>> {
        let Inflow { plan, applied: Some((events, statements)), .. } = self.inflow.as_ref()? else {
            return None;
        };
        let prepared = self.prepared.as_ref();
        let name = &prepared.name;
        Some(Target { stream: prepared.index, name, plan, events, statements, is_sifted: prepared.is_sifted })
    }

    fn index(&self) -> usize {
        self.assignment.prepared.index
    }

    fn end(&mut self, metadata: &Metadata) -> Result<()> {
        if metadata.rows != self.rows || self.inflow.is_none() {
            let message = format!("The stream says it has {} rows, and {} came.", metadata.rows, self.rows);
            return Err(Error::new(Category::Frame, "end_count", message));
        }
        self.has_ended = true;
        Ok(())
    }
}
