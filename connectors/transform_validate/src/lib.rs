//! The transform that holds rows against rules: what breaks one is rejected, with all of its reasons.
//!
//! [`config`] reads the rules, [`kind`] says which types each is for, and [`validation`] applies them to a stream by
//! [`check`]. [`decimal`] and [`moment`] are values that are compared exactly, [`printed`] writes values for people and
//! for the dead-letter queue, and [`unique`] remembers those that came.

mod check;
mod config;
mod decimal;
mod kind;
mod moment;
mod printed;
mod range;
mod unique;
mod validation;

use arrow_schema::SchemaRef;
use sdk::{
    Category, Check, CheckStatus, Connector, DataErrorPolicy, Error, Reshaped, Result, Server, Stream, StreamRequest,
    Transform,
};
use serde_json::Value;

use config::{Assertion, Rule};
use validation::Validation;

/// The rules, and the streams that were prepared.
#[derive(Debug)]
pub struct ValidateTransform {
    rules: Vec<Rule>,
    streams: Vec<Prepared>,
}

/// A stream of a run, by the names that the rules know it by.
#[derive(Clone, Debug)]
struct Prepared {
    index: usize,
    name: String,
    policy: DataErrorPolicy,
}

impl Connector for ValidateTransform {
    const MANIFEST: &'static str = include_str!("../manifest.json");

    fn open(config: Value) -> Result<(ValidateTransform, Server)> {
        let rules = config::read(&config)?;
        let server = format!("{} rules", rules.len());
        Ok((ValidateTransform { rules, streams: Vec::new() }, Server { server }))
    }

    fn check(&mut self) -> Result<Vec<Check>> {
        let message = format!("{} columns are held against a rule", self.rules.len());
        Ok(vec![Check { name: "rules".to_owned(), status: CheckStatus::Ok, message }])
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Transform for ValidateTransform {
    type Transformation = Validation;

    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<Vec<Reshaped>> {
        require_known(&self.rules, &streams)?;
        let mut leaving = Vec::new();
        self.streams.clear();
        for request in streams {
            let stream = request.source.ok_or_else(|| unprepared(request.index))?;
            let rules: Vec<_> = self.rules.iter().filter(|rule| rule.is_for(&request.name)).collect();
            rules.iter().try_for_each(|rule| require_fitting(rule, &stream))?;
            let whole_stream = rules.iter().any(|rule| rule.assertion == Assertion::Unique);
            leaving.push(Reshaped { stream, whole_stream });
            let (index, name, policy) = (request.index, request.name, request.on_data_error);
            self.streams.push(Prepared { index, name, policy });
        }
        Ok(leaving)
    }

    fn begin(&mut self, stream: usize, schema: &SchemaRef) -> Result<Validation> {
        let prepared = self.streams.iter().find(|prepared| prepared.index == stream);
        let Prepared { name, policy, .. } = prepared.ok_or_else(|| unprepared(stream))?;
        let rules = self.rules.iter().filter(|rule| rule.is_for(name));
        Validation::new(name, *policy, schema, rules)
    }
}

/// Refuse a rule for a stream that the pipeline does not have.
fn require_known(rules: &[Rule], streams: &[StreamRequest]) -> Result<()> {
    for name in rules.iter().flat_map(|rule| &rule.streams) {
        if !streams.iter().any(|stream| stream.name == *name) {
            let known: Vec<_> = streams.iter().map(|stream| stream.name.as_str()).collect();
            let message = format!("A rule is for the stream {name}, which is none of {}.", known.join(", "));
            return Err(Error::new(Category::Config, "unknown_stream", message));
        }
    }
    Ok(())
}

/// Refuse a rule for a column that is missing, or whose type it is not for.
fn require_fitting(rule: &Rule, stream: &Stream) -> Result<()> {
    let column = stream.columns.iter().find(|column| column.name == rule.column).ok_or_else(|| {
        let known: Vec<_> = stream.columns.iter().map(|column| column.name.as_str()).collect();
        let message = format!(
            "{} is for the column {}, and {} has none of that name; it has {}. Name the streams that the rule is for \
             in its `streams`.",
            rule.assertion.name(),
            rule.column,
            stream.name,
            known.join(", ")
        );
        Error::new(Category::Config, "unknown_column", message)
    })?;
    rule.assertion.require(kind::Kind::named(&column.type_name)).map_err(|why| {
        let message = format!("{} of {}.{}: {why}", rule.assertion.name(), stream.name, rule.column);
        Error::new(Category::Config, "rule_type", message).detail("type", &column.type_name)
    })
}

fn unprepared(index: usize) -> Error {
    Error::new(Category::Internal, "not_prepared", format!("Stream {index} was not prepared."))
}

sdk::export_transform!(ValidateTransform, "../manifest.json");
