//! The Postgres destination: Arrow batches into tables, by COPY BINARY or by INSERT.
//!
//! [`target`] knows what the database has and makes what is missing, [`plan`] fits the columns of a stream to those
//! of its table, [`encode`] turns Arrow values into binary fields, [`load`] sends them, [`stream`] holds the one
//! transaction in which a stream becomes visible.

mod encode;
mod load;
mod plan;
mod stream;
mod target;

use pgwire::Session;
use sdk::batch::BatchReader;
use sdk::{
    Category, Check, Connector, Destination, Error, FrameKind, Inbox, Moved, Result, RunRequest, Server, StreamRequest,
};
use serde::Deserialize;
use serde_json::Value;

use load::LoadMethod;
use stream::StreamWriter;
use target::TargetName;

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    session: pgwire::Config,
    #[serde(default)]
    load_method: LoadMethod,
}

/// A session that writes, and the tables that were prepared.
#[derive(Debug)]
pub struct PostgresDestination {
    session: Session,
    load_method: LoadMethod,
    targets: Vec<(usize, TargetName)>,
}

impl Connector for PostgresDestination {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(PostgresDestination, Server)> {
        let config: Config = serde_json::from_value(config)
            .map_err(|error| Error::new(Category::Config, "config", error.to_string()))?;
        let session = Session::open(config.session)?;
        let server = session.server();
        Ok((PostgresDestination { session, load_method: config.load_method, targets: Vec::new() }, server))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let schema = self.session.config.schema.clone();
        Ok(vec![target::check_schema(&mut self.session.connection, &schema)?])
    }

    fn close(&mut self) -> Result<()> {
        Ok(self.session.close()?)
    }
}

impl Destination for PostgresDestination {
    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<()> {
        self.targets = streams
            .into_iter()
            .map(|request| {
                let source = request.source.as_ref().ok_or_else(|| unprepared(request.index))?;
                let name = TargetName::of(&self.session.config.schema, &request.name, &source.name);
                target::verify(&mut self.session.connection, &name, &source.columns)?;
                Ok((request.index, name))
            })
            .collect::<Result<_>>()?;
        Ok(())
    }

    fn run(&mut self, request: &RunRequest, inbox: &mut Inbox) -> Result<Vec<Moved>> {
        let mut moved = Vec::new();
        while moved.len() < request.streams.len() {
            let Some(first) = inbox.receive()? else {
                return Err(Error::new(
                    Category::Frame,
                    "stream_missing",
                    "The source ended without all of its streams.",
                ));
            };
            if first.metadata.kind != FrameKind::Schema {
                return Err(Error::new(Category::Frame, "no_schema", "A stream began without its schema."));
            }
            let index = first.metadata.stream;
            let name = self.targets.iter().find(|(prepared, _)| *prepared == index).map(|(_, name)| name.clone());
            let name = name.ok_or_else(|| unprepared(index))?;
            let reader = BatchReader::new(&first.frame)?;
            let mut writer = StreamWriter::begin(&mut self.session.connection, name, reader, self.load_method)?;
            moved.push(writer.write(index, inbox)?);
        }
        Ok(moved)
    }
}

fn unprepared(index: usize) -> Error {
    Error::new(Category::Internal, "not_prepared", format!("Stream {index} was not prepared."))
}

sdk::export_destination!(PostgresDestination, "../manifest.json");
