//! The Postgres destination: Arrow batches into tables, by COPY BINARY or by INSERT.
//!
//! [`prepared`] is a stream and how its rows meet those there, [`target`] knows what the database has and makes what is
//! missing, [`key`] finds its keys, [`permission`] asks what this user may, [`own_source`] that no table is read and written, [`new_columns`] what can be made, [`drift`] tells what differs, [`plan`] fits the columns of a stream to those of its table, [`encode`] turns Arrow
//! values into binary fields, [`load`] sends them, [`sift`] finds those that are not taken, [`landing`] merges them, [`stream`] holds the transactions of one
//! stream, [`group`] those of several together, whose changes are applied by [`changes`], and [`receipt`] says in each of them what it made durable. A [`share`] is a table that several sessions fill at once.

mod changes;
mod commit;
mod drift;
mod encode;
mod group;
mod key;
mod landing;
mod load;
mod new_columns;
mod own_source;
mod permission;
mod plan;
mod prepared;
mod receipt;
mod share;
mod sift;
mod stream;
mod target;

use pgwire::Session;
use sdk::batch::BatchReader;
use sdk::{
    Category, Check, Connector, Destination, Error, FrameKind, Inbox, Moved, PrepareRequest, PublishRequest, Result,
    ResumeRequest, RunRequest, Server, StreamRequest, TargetPlan, log,
};
use serde::Deserialize;
use serde_json::Value;

use changes::Deletes;
use drift::Change;
use group::GroupWriter;
use load::LoadMethod;
use prepared::{Prepared, Terms, require_own_tables};
use receipt::{Progress, Run};
use share::Share;
use stream::{Assignment, StreamWriter};

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    session: pgwire::Config,
    #[serde(default)]
    load_method: LoadMethod,
    #[serde(default)]
    deletes: Deletes,
}

/// A session that writes, the streams that were prepared, and those of them that it has taken over.
#[derive(Debug)]
pub struct PostgresDestination {
    session: Session,
    load_method: LoadMethod,
    deletes: Deletes,
    run: Run,
    requests: Vec<StreamRequest>,
    streams: Vec<Prepared>,
    resumed: Vec<Resumed>,
}

/// A stream that this session may write, and what the same run has written of it before.
#[derive(Clone, Debug)]
struct Resumed {
    index: usize,
    attempt: u32,
    rows: u64,
    bytes: u64,
    /// The table that several sessions fill, as long as it is not the stream's own.
    share: Option<Share>,
}

impl Connector for PostgresDestination {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(PostgresDestination, Server)> {
        let config: Config = serde_json::from_value(config)
            .map_err(|error| Error::new(Category::Config, "config", error.to_string()))?;
        let session = Session::open(config.session)?;
        let server = session.server();
        let destination = PostgresDestination {
            session,
            load_method: config.load_method,
            deletes: config.deletes,
            run: Run::default(),
            requests: Vec::new(),
            streams: Vec::new(),
            resumed: Vec::new(),
        };
        Ok((destination, server))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let schema = self.session.config.schema.clone();
        Ok(vec![target::check_schema(&mut self.session.connection, &schema)?])
    }

    fn close(&mut self) -> Result<()> {
        let shares: Vec<_> = self.resumed.iter_mut().filter_map(|resumed| resumed.share.take()).collect();
        if !shares.is_empty()
            && let Err(error) = self.discard(&shares)
        {
            log::debug(&format!("tables on their way are left to the next run: {error}"));
        }
        Ok(self.session.close()?)
    }
}

impl PostgresDestination {
    /// Drop tables that will not be needed, over a new session where this one is in the middle of something.
    fn discard(&mut self, shares: &[Share]) -> Result<()> {
        if !self.session.connection.is_idle() {
            self.session = Session::open(self.session.config.clone())?;
        }
        shares.iter().try_for_each(|share| share::discard(&mut self.session.connection, share))
    }
}

impl Destination for PostgresDestination {
    fn prepare(&mut self, request: PrepareRequest) -> Result<Vec<TargetPlan>> {
        let connection = &mut self.session.connection;
        receipt::verify(connection)?;
        self.run = Run { pipeline: request.pipeline, run_id: request.run_id };
        self.streams = request
            .streams
            .iter()
            .map(|stream| {
                let source = stream.source.as_ref().ok_or_else(|| unprepared(stream.index))?;
                Prepared::new(connection, &self.session.config.schema, self.deletes, stream, source)
            })
            .collect::<Result<_>>()?;
        require_own_tables(&self.streams)?;
        self.requests = request.streams;
        let plan_of = |prepared: &Prepared| TargetPlan {
            index: prepared.index,
            changes: prepared.changes.iter().map(Change::describe).collect(),
        };
        Ok(self.streams.iter().map(plan_of).collect())
    }

    fn resume(&mut self, request: ResumeRequest) -> Result<sdk::Resumed> {
        let connection = &mut self.session.connection;
        let prepared = find(&self.streams, request.stream)?;
        receipt::create(connection)?;
        receipt::lock(connection, &self.run, prepared)?;
        share::sweep(connection, &self.run, prepared)?;
        let found = receipt::read(connection, &self.run, prepared)?;
        let exists = target::columns(connection, &prepared.name)?.is_some();
        let receipt = found.filter(|_| exists); // a table that was dropped is filled anew
        let earlier = receipt.as_ref().filter(|receipt| receipt.run_id == self.run.run_id);
        let share = if request.is_shared && is_alone(&self.streams, prepared) {
            share::open(connection, &self.run, prepared, request.attempt)?
        } else {
            None
        };
        let document = share.as_ref().map(Share::document).transpose()?;
        self.resumed.retain(|resumed| resumed.index != request.stream);
        self.resumed.push(Resumed {
            index: request.stream,
            attempt: request.attempt,
            rows: earlier.map_or(0, |receipt| receipt.rows),
            bytes: earlier.map_or(0, |receipt| receipt.bytes),
            share,
        });
        log::point("destination.resumed");
        Ok(sdk::Resumed { receipt, share: document })
    }

    fn run(&mut self, request: &RunRequest, inbox: &mut Inbox) -> Result<Vec<Moved>> {
        let share = request.share.as_ref().map(Share::read).transpose()?.map(|share| share.name());
        let assigned = |index: &usize| {
            let resumed = self.resumed.iter().find(|resumed| resumed.index == *index);
            if resumed.is_none() && share.is_none() {
                return Err(unprepared(*index));
            }
            Ok(Assignment {
                run: &self.run,
                prepared: find(&self.streams, *index)?,
                attempt: resumed.map_or(0, |resumed| resumed.attempt),
                earlier_rows: resumed.map_or(0, |resumed| resumed.rows),
                earlier_bytes: resumed.map_or(0, |resumed| resumed.bytes),
                method: self.load_method,
                interval: request.checkpoint,
                share: share.as_ref(),
            })
        };
        let assignments = request.streams.iter().map(assigned).collect::<Result<Vec<_>>>()?;
        let terms = Terms { schema: &self.session.config.schema, deletes: self.deletes, requests: &self.requests };
        let connection = &mut self.session.connection;
        let assignment = match assignments.as_slice() {
            &[assignment] if share.is_some() || !terms.is_captured(assignment.prepared.index) => assignment,
            _ => return GroupWriter::new(connection, assignments, terms).write(inbox),
        };
        let first = inbox.receive()?.filter(|first| first.metadata.kind == FrameKind::Schema);
        let first = first.filter(|first| first.metadata.stream == assignment.prepared.index);
        let Some(first) = first else {
            return Err(Error::new(Category::Frame, "no_schema", "A stream began without its schema."));
        };
        let reader = BatchReader::new(&first.frame)?;
        Ok(vec![StreamWriter::begin(connection, assignment, reader)?.write(inbox)?])
    }

    fn publish(&mut self, request: PublishRequest) -> Result<Vec<Moved>> {
        let index = request.stream;
        let prepared = find(&self.streams, index)?;
        let resumed = self.resumed.iter_mut().find(|resumed| resumed.index == index);
        let resumed = resumed.ok_or_else(|| unprepared(index))?;
        let share = resumed.share.as_ref().ok_or_else(|| unprepared(index))?;
        let (rows, bytes, position) = (request.rows, request.bytes, request.position.as_ref());
        let is_complete = position.is_none();
        let progress = Progress { attempt: resumed.attempt, position, rows, bytes, is_complete };
        share::publish(&mut self.session.connection, share, &self.run, prepared, progress)?;
        (resumed.share, resumed.rows, resumed.bytes) = (None, rows, bytes);
        Ok(vec![Moved { index, rows, bytes }])
    }

    fn finish(&mut self) -> Result<()> {
        log::point("destination.before_finish");
        receipt::finish(&mut self.session.connection, &self.run, &self.streams)?;
        log::point("destination.finished");
        Ok(())
    }
}

fn find(streams: &[Prepared], index: usize) -> Result<&Prepared> {
    streams.iter().find(|prepared| prepared.index == index).ok_or_else(|| unprepared(index))
}

/// Whether no other stream of the run goes to the same table.
fn is_alone(streams: &[Prepared], prepared: &Prepared) -> bool {
    streams.iter().filter(|other| other.name == prepared.name).count() == 1
}

fn unprepared(index: usize) -> Error {
    Error::new(Category::Internal, "not_prepared", format!("Stream {index} was not prepared."))
}

sdk::export_destination!(PostgresDestination, "../manifest.json");
