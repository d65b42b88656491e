//! A rule at work on one column of a stream: it finds the rows that break it, and says why.

use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Schema};
use regex::Regex;
use sdk::{Category, Error, Result};

use crate::config::{Assertion, Bounds, Rule};
use crate::kind::Kind;
use crate::printed::printed;
use crate::range::Limits;
use crate::unique::Seen;

const SHOWN_CHARS: usize = 64;
const TYPE_KEY: &str = "rapidbyte.type";

#[derive(Debug)]
pub(crate) struct ColumnCheck {
    place: usize,
    column: String,
    kind: Kind,
    name: &'static str,
    test: Test,
}

#[derive(Debug)]
enum Test {
    NotNull,
    Regex(Regex),
    Range(Limits, String),
    Unique(Seen),
}

impl ColumnCheck {
    /// Find the rule's column among those that arrive.
    pub(crate) fn new(rule: &Rule, schema: &Schema) -> Result<ColumnCheck> {
        let place = schema.index_of(&rule.column).map_err(|_| missing(&rule.column))?;
        let field = schema.field(place);
        let kind = field.metadata().get(TYPE_KEY).map_or(Kind::Text, |name| Kind::named(name));
        let test = match &rule.assertion {
            Assertion::NotNull => Test::NotNull,
            Assertion::Unique => Test::Unique(Seen::default()),
            Assertion::Regex(_) if *field.data_type() != DataType::Utf8 => return Err(missing(&rule.column)),
            Assertion::Regex(pattern) => Test::Regex(
                Regex::new(pattern).map_err(|error| Error::new(Category::Config, "bad_rule", error.to_string()))?,
            ),
            Assertion::Range(bounds) => Test::Range(
                Limits::new(bounds, kind).map_err(|why| Error::new(Category::Config, "rule_type", why))?,
                described(bounds),
            ),
        };
        Ok(ColumnCheck { place, column: rule.column.clone(), kind, name: rule.assertion.name(), test })
    }

    /// Tell `tell` every row of a batch that breaks the rule, in ascending order, with the reason.
    pub(crate) fn find(&mut self, batch: &RecordBatch, tell: &mut impl FnMut(usize, String)) -> Result<()> {
        let column = batch.column(self.place);
        let (name, title) = (self.name, &self.column);
        let mut told = |row: usize, what: String| tell(row, format!("{name}({title}): {what}"));
        match &mut self.test {
            Test::NotNull if column.null_count() == 0 => {}
            Test::NotNull => {
                let rows = (0..column.len()).filter(|row| column.is_null(*row));
                rows.for_each(|row| told(row, "is NULL".to_owned()));
            }
            Test::Regex(pattern) => {
                for (row, text) in column.as_string::<i32>().iter().enumerate() {
                    if !text.is_some_and(|text| pattern.is_match(text)) {
                        told(row, format!("{} does not match {}", shown(column, row), pattern.as_str()));
                    }
                }
            }
            Test::Range(limits, range) => {
                limits.find_outside(column, &mut |row| told(row, format!("{} is not {range}", shown(column, row))))?;
            }
            Test::Unique(seen) => {
                for row in 0..column.len() {
                    if !seen.take(column, row, self.kind)? {
                        told(row, format!("{} came before", shown(column, row)));
                    }
                }
            }
        }
        Ok(())
    }
}

fn described(bounds: &Bounds) -> String {
    match (&bounds.min, &bounds.max) {
        (Some(min), Some(max)) => format!("from {} to {}", min.text(), max.text()),
        (Some(min), None) => format!("at least {}", min.text()),
        (None, max) => format!("at most {}", max.as_ref().map_or("", |max| max.text())),
    }
}

/// A value for people, cut where it is long.
fn shown(column: &dyn Array, row: usize) -> String {
    let text = printed(column, row).unwrap_or_else(|| "NULL".to_owned());
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn missing(column: &str) -> Error {
    let message = format!("The column {column} did not arrive as it was planned. Run again.");
    Error::new(Category::Schema, "schema_changed", message)
}
