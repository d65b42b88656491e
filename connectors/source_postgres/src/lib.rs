//! The Postgres source: tables and views by COPY BINARY, as Arrow batches.
//!
//! [`catalog`] asks what there is, [`prepared`] is a stream of a run, [`form`] decides what is read as what, [`column`] turns binary fields into Arrow
//! arrays, [`permission`] says whether all of a table may be read, [`batch`] collects tuples, [`emitter`] cuts batches, [`printed`] is how rows look that cannot be moved, [`full_refresh`] and [`incremental`] drive a copy;
//! [`cursor`] is what the latter goes by, and [`position`] how far it came. One repeatable-read transaction spans all
//! streams of an instance, and a [`snapshot`] all instances of a run. [`cdc`] reads changes out of the log instead.

mod batch;
mod catalog;
mod cdc;
mod column;
mod cursor;
mod emitter;
mod form;
mod full_refresh;
mod incremental;
mod permission;
mod position;
mod prepared;
mod printed;
#[cfg(test)]
mod samples;
mod snapshot;
mod table;

use sdk::{
    Check, CheckStatus, Connector, Holding, HoldingsRequest, Moved, PrepareRequest, PreparedStreams, Result,
    RunRequest, Server, SnapshotRequest, Snapshotted, Source, Stream, SyncMode, log,
};
use serde::Deserialize;
use serde_json::Value;

use pgwire::{Lsn, Session};

use cdc::{Capture, Mode, NamesConfig, ReadingConfig, with_identity};
use prepared::Prepared;
use table::Table;

/// A policy that would hide rows is an error, never a part of a table that looks whole.
const WHOLE_TABLES: &str = "SET row_security = off";
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    session: pgwire::Config,
    #[serde(flatten)]
    names: NamesConfig,
    #[serde(default)]
    cdc: ReadingConfig,
}

/// A session that reads, and the tables that were prepared.
#[derive(Debug)]
pub struct PostgresSource {
    session: Session,
    names: NamesConfig,
    mode: Mode,
    streams: Vec<Prepared>,
    /// How changes are read, where some streams want them.
    capture: Option<Capture>,
    /// The session whose transaction has the snapshot of first copies, from when it was taken until changes are read.
    copying: Option<Session>,
    /// The place of the log that first copies show.
    copied_at: Option<Lsn>,
}

impl Connector for PostgresSource {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(PostgresSource, Server)> {
        let config = config_of(config)?;
        let mut session = Session::open(config.session)?;
        session.connection.execute(WHOLE_TABLES).map_err(sdk::Error::from)?;
        let server = session.server();
        let Config { names, cdc: ReadingConfig { mode }, .. } = config;
        let source =
            PostgresSource { session, names, mode, streams: Vec::new(), capture: None, copying: None, copied_at: None };
        Ok((source, server))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let schema = self.session.config.schema.clone();
        Ok(vec![catalog::check_schema(&mut self.session.connection, &schema)?])
    }

    fn close(&mut self) -> Result<()> {
        let copying = self.copying.take().map_or(Ok(()), |mut copying| copying.close());
        self.session.close()?;
        Ok(copying?)
    }
}

impl Source for PostgresSource {
    fn discover(&mut self) -> Result<Vec<Stream>> {
        let schema = self.session.config.schema.clone();
        let tables = catalog::tables(&mut self.session.connection, &schema)?;
        Ok(tables.into_iter().map(Table::into_stream).collect())
    }

    fn holdings(&mut self, request: HoldingsRequest) -> Result<Vec<Holding>> {
        cdc::holdings(&mut self.session, &self.names, &request)
    }

    fn prepare(&mut self, request: PrepareRequest) -> Result<PreparedStreams> {
        let is_captured = request.streams.iter().any(|stream| stream.sync_mode == SyncMode::Cdc);
        cdc::require_only_changes(self.mode, &request.streams)?;
        let begin = || Capture::begin(&mut self.session, &self.names, self.mode, &request.pipeline);
        self.capture = is_captured.then(begin).transpose()?;
        let connection = &mut self.session.connection;
        connection.execute(BEGIN).map_err(sdk::Error::from)?;
        if let Some(snapshot) = &request.snapshot {
            self.copied_at = snapshot::join(connection, snapshot)?;
        }
        let schema = &self.session.config.schema;
        self.streams = request
            .streams
            .iter()
            .map(|request| {
                let table = catalog::table(connection, schema, &request.name)?;
                let is_captured = request.sync_mode == SyncMode::Cdc;
                let table = if is_captured { with_identity(connection, request, table)? } else { table };
                let prepared = Prepared::new(request, table)?;
                permission::verify(connection, prepared.captured.as_ref().unwrap_or(&prepared.table))?;
                Ok(prepared)
            })
            .collect::<Result<_>>()?;
        if let Some(capture) = &self.capture {
            let tables: Vec<_> = self.streams.iter().filter_map(|prepared| prepared.captured.as_ref()).collect();
            capture.verify(connection, &tables)?;
        }
        let snapshot = (request.lanes > 1).then(|| snapshot::export(connection, self.copied_at)).transpose()?;
        log::point("source.prepared");
        let streams = self.streams.iter().map(|prepared| prepared.table.clone().into_stream()).collect();
        Ok(PreparedStreams { streams, snapshot, is_endless: self.mode == Mode::Tail })
    }

    fn snapshot(&mut self, request: SnapshotRequest) -> Result<Snapshotted> {
        let streams = find(&self.streams, &request.streams)?;
        let capture = self.capture.as_ref().ok_or_else(|| unprepared(0))?;
        let (copying, at, positions) = capture.snapshot(&self.session, &streams, &request)?;
        let copying = self.copying.insert(copying);
        self.copied_at = Some(at);
        Ok(Snapshotted { snapshot: snapshot::export(&mut copying.connection, Some(at))?, positions })
    }

    fn run(&mut self, request: &RunRequest) -> Result<Vec<Moved>> {
        let streams = find(&self.streams, &request.streams)?;
        if let Some(capture) = &self.capture
            && request.reader.is_none()
            && streams.iter().all(|prepared| prepared.captured.is_some())
        {
            if let Some(mut copying) = self.copying.take() {
                copying.connection.execute("COMMIT").map_err(sdk::Error::from)?;
                copying.close()?;
            }
            if self.mode == Mode::Tail {
                // The tables were looked up in it; held for days, it would keep the server from cleaning up.
                self.session.connection.execute("COMMIT").map_err(sdk::Error::from)?;
            }
            return capture.run(&self.session, &streams, request);
        }
        let Session { connection, .. } = self.copying.as_mut().unwrap_or(&mut self.session);
        let mut moved = Vec::new();
        for prepared in streams {
            let read = match &prepared.cursor {
                None => full_refresh::read(connection, prepared, request, self.copied_at),
                Some(cursor) => incremental::read(connection, prepared, cursor, request),
            };
            moved.push(read.map_err(|error| error.detail("stream", prepared.table.display_name()))?);
        }
        Ok(moved)
    }
}

fn config_of(config: Value) -> Result<Config> {
    serde_json::from_value(config).map_err(|error| sdk::Error::new(sdk::Category::Config, "config", error.to_string()))
}

fn find<'a>(prepared: &'a [Prepared], wanted: &[usize]) -> Result<Vec<&'a Prepared>> {
    let find =
        |index: &usize| prepared.iter().find(|prepared| prepared.index == *index).ok_or_else(|| unprepared(*index));
    wanted.iter().map(find).collect()
}

fn unprepared(index: usize) -> sdk::Error {
    sdk::Error::new(sdk::Category::Internal, "not_prepared", format!("Stream {index} was not prepared."))
}

fn passed(name: &str, message: String) -> Check {
    Check { name: name.to_owned(), status: CheckStatus::Ok, message }
}

sdk::export_source!(PostgresSource, "../manifest.json");
