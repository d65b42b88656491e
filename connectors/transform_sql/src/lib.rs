//! The SQL transform: one SELECT over each batch of a stream, planned and computed by DataFusion.
//!
//! A query passes [`statement`] and [`expression`], which know what a transform can do, before DataFusion sees it
//! ([`catalog`], with the [`function`]s and [`sql_type`]s that it may use). [`plan`] makes steps of the plan, whose
//! expressions [`rewrite`], [`cast`], [`literal`] and [`compile`] hold to what Postgres means, with the help of
//! [`own_function`] and [`truncate`], and with [`special`] as a guard. [`program`] runs them, and [`sift`] finds the rows that fail.

mod cast;
mod catalog;
mod compile;
mod dialect;
mod expression;
mod failure;
mod form;
mod function;
mod literal;
mod own_function;
mod plan;
mod prepared;
mod program;
mod rewrite;
mod sift;
mod special;
mod sql_type;
mod statement;
mod table;
mod truncate;

use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sdk::{
    Category, Check, Connector, DataErrorPolicy, Error, Rejects, Reshaped, Result, Server, StreamRequest, Transform,
    Transformation,
};
use serde::Deserialize;
use serde_json::Value;

use prepared::Prepared;
use program::Program;

#[derive(Debug, Deserialize)]
struct Config {
    query: String,
}

/// A query, the time that it takes for now, and the streams that it was planned for.
#[derive(Debug)]
pub struct SqlTransform {
    query: String,
    now_micros: i64,
    streams: Vec<Prepared>,
}

impl Connector for SqlTransform {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(SqlTransform, Server)> {
        let config: Config = serde_json::from_value(config)
            .map_err(|error| Error::new(Category::Config, "bad_config", error.to_string()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_micros()).ok());
        let transform = SqlTransform { query: config.query, now_micros: now.unwrap_or(0), streams: Vec::new() };
        Ok((transform, Server { server: "DataFusion".to_owned() }))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        Ok(Vec::new())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Transform for SqlTransform {
    type Transformation = Transformed;

    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<Vec<Reshaped>> {
        self.streams.clear();
        let mut reshaped = Vec::new();
        for request in streams {
            let (prepared, stream) = Prepared::new(&self.query, request, self.now_micros)?;
            self.streams.push(prepared);
            reshaped.push(Reshaped { stream, whole_stream: false });
        }
        Ok(reshaped)
    }

    fn begin(&mut self, stream: usize, schema: &SchemaRef) -> Result<Transformed> {
        let prepared = self.streams.iter().find(|prepared| prepared.index == stream);
        let prepared = prepared.ok_or_else(|| {
            Error::new(Category::Internal, "not_prepared", format!("Stream {stream} was not prepared."))
        })?;
        Ok(Transformed { program: prepared.program(schema, self.now_micros)?, on_data_error: prepared.on_data_error })
    }
}

/// One stream on its way through the query.
#[derive(Debug)]
pub struct Transformed {
    program: Program,
    on_data_error: DataErrorPolicy,
}

impl Transformation for Transformed {
    fn schema(&self) -> SchemaRef {
        self.program.schema().clone()
    }

    fn apply(&mut self, batch: &RecordBatch, rejects: &mut Rejects) -> Result<Option<RecordBatch>> {
        if self.program.is_identity() {
            return Ok(None);
        }
        sift::apply(&self.program, batch, self.on_data_error, rejects).map(Some)
    }
}

sdk::export_transform!(SqlTransform, "../manifest.json");
