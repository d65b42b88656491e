//! A transform that writes the text of some columns in capital letters.
//!
//! [`UpperCase`] looks at the streams before a row moves; [`Capitals`] is one of them while its batches pass.

mod capitals;

use arrow_schema::SchemaRef;
use sdk::{Category, Check, CheckStatus, Connector, Error, Reshaped, Result, Server, Stream, StreamRequest, Transform};
use serde::Deserialize;
use serde_json::Value;

use capitals::Capitals;

/// The types of Postgres whose values are text, as a source names them; with a length, something follows.
const TEXT_TYPES: [&str; 2] = ["text", "character"];

/// The config, which the host has held against the manifest's schema.
#[derive(Debug, Deserialize)]
pub struct UpperCase {
    columns: Vec<String>,
}

impl Connector for UpperCase {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(UpperCase, Server)> {
        let transform: UpperCase = serde_json::from_value(config)
            .map_err(|error| Error::new(Category::Config, "bad_config", error.to_string()))?;
        let server = format!("{} columns", transform.columns.len());
        Ok((transform, Server { server }))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let message = format!("{} in capital letters", self.columns.join(", "));
        Ok(vec![Check { name: "columns".to_owned(), status: CheckStatus::Ok, message }])
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Transform for UpperCase {
    type Transformation = Capitals;

    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<Vec<Reshaped>> {
        let mut leaving = Vec::new();
        for request in streams {
            let stream = request
                .source
                .ok_or_else(|| Error::new(Category::Internal, "not_prepared", "The stream has no columns yet."))?;
            self.columns.iter().try_for_each(|column| require_text(&stream, column))?;
            leaving.push(Reshaped { stream, whole_stream: false });
        }
        Ok(leaving)
    }

    fn begin(&mut self, _stream: usize, schema: &SchemaRef) -> Result<Capitals> {
        Capitals::new(schema, &self.columns)
    }
}

/// Refuse a column that the stream does not have, or that holds no text.
fn require_text(stream: &Stream, name: &str) -> Result<()> {
    let Some(column) = stream.columns.iter().find(|column| column.name == name) else {
        let known: Vec<_> = stream.columns.iter().map(|column| column.name.as_str()).collect();
        let known = known.join(", ");
        let message = format!("{} has no column {name}; it has {known}.", stream.name);
        return Err(Error::new(Category::Config, "unknown_column", message));
    };
    if TEXT_TYPES.iter().any(|text| column.type_name.starts_with(text)) {
        return Ok(());
    }
    let message = format!(
        "The column {name} of {} is of type {}, and only text has capital letters. Take it from `columns`.",
        stream.name, column.type_name
    );
    Err(Error::new(Category::Config, "no_text", message))
}

sdk::export_transform!(UpperCase, "../manifest.json");
