//! The Postgres source: tables and views by COPY BINARY, as Arrow batches.
//!
//! [`catalog`] asks what there is, [`form`] decides what is read as what, [`column`] turns binary fields into
//! Arrow arrays, [`batch`] cuts batches out of
//! tuples, [`full_refresh`] drives a copy. One repeatable-read transaction spans all streams of an instance.

mod batch;
mod catalog;
mod column;
mod form;
mod full_refresh;
mod table;

use sdk::{Check, CheckStatus, Connector, Moved, Result, RunRequest, Server, Source, Stream, StreamRequest};
use serde_json::Value;

use pgwire::Session;
use table::Table;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// A session that reads, and the tables that were prepared.
#[derive(Debug)]
pub struct PostgresSource {
    session: Session,
    tables: Vec<(usize, Table)>,
}

impl Connector for PostgresSource {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(PostgresSource, Server)> {
        let session = Session::open(config_of(config)?)?;
        let server = session.server();
        Ok((PostgresSource { session, tables: Vec::new() }, server))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let schema = self.session.config.schema.clone();
        Ok(vec![catalog::check_schema(&mut self.session.connection, &schema)?])
    }

    fn close(&mut self) -> Result<()> {
        Ok(self.session.close()?)
    }
}

impl Source for PostgresSource {
    fn discover(&mut self) -> Result<Vec<Stream>> {
        let schema = self.session.config.schema.clone();
        let tables = catalog::tables(&mut self.session.connection, &schema)?;
        Ok(tables.into_iter().map(Table::into_stream).collect())
    }

    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<Vec<Stream>> {
        self.session.connection.execute(BEGIN).map_err(sdk::Error::from)?;
        let schema = self.session.config.schema.clone();
        self.tables = streams
            .into_iter()
            .map(|request| {
                let table = catalog::table(&mut self.session.connection, &schema, &request.name)?;
                Ok((request.index, table.project(request.columns.as_deref())?))
            })
            .collect::<Result<_>>()?;
        Ok(self.tables.iter().map(|(_, table)| table.clone().into_stream()).collect())
    }

    fn run(&mut self, request: &RunRequest) -> Result<Vec<Moved>> {
        let mut moved = Vec::new();
        for &index in &request.streams {
            let table = self.tables.iter().find(|(prepared, _)| *prepared == index).map(|(_, table)| table);
            let table = table.ok_or_else(|| unprepared(index))?;
            moved.push(full_refresh::read(&mut self.session.connection, index, table, request)?);
        }
        Ok(moved)
    }
}

fn config_of(config: Value) -> Result<pgwire::Config> {
    serde_json::from_value(config).map_err(|error| sdk::Error::new(sdk::Category::Config, "config", error.to_string()))
}

fn unprepared(index: usize) -> sdk::Error {
    sdk::Error::new(sdk::Category::Internal, "not_prepared", format!("Stream {index} was not prepared."))
}

fn passed(name: &str, message: String) -> Check {
    Check { name: name.to_owned(), status: CheckStatus::Ok, message }
}

sdk::export_source!(PostgresSource, "../manifest.json");
