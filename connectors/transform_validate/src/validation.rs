//! One stream held against its rules: rows that break none go on.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use sdk::{Category, DataErrorPolicy, Error, Rejects, Result, Scope, Transformation};

use crate::check::ColumnCheck;
use crate::config::Rule;
use crate::printed::printed;

const CODE: &str = "rule_broken";

/// The rules of a stream at work. It ends with the run, and with it what `assert_unique` remembers.
#[derive(Debug)]
pub struct Validation {
    stream: String,
    policy: DataErrorPolicy,
    schema: SchemaRef,
    checks: Vec<ColumnCheck>,
    rows: u64,
}

impl Validation {
    pub(crate) fn new<'a>(
        stream: &str,
        policy: DataErrorPolicy,
        schema: &SchemaRef,
        rules: impl Iterator<Item = &'a Rule>,
    ) -> Result<Validation> {
        let checks = rules.map(|rule| ColumnCheck::new(rule, schema)).collect::<Result<_>>()?;
        Ok(Validation { stream: stream.to_owned(), policy, schema: schema.clone(), checks, rows: 0 })
    }

    /// The rows of a batch that break rules, each with all of its reasons in the order of the rules.
    fn broken(&mut self, batch: &RecordBatch) -> Result<BTreeMap<usize, Vec<String>>> {
        let mut broken: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for check in &mut self.checks {
            check.find(batch, &mut |row, reason| broken.entry(row).or_default().push(reason))?;
        }
        Ok(broken)
    }

    fn failure(&self, row: u64, reasons: &[String]) -> Error {
        let reasons = reasons.join("; ");
        let message = format!(
            "Row {row} of {}, as the source gave them, breaks a rule: {reasons}. Mend the row, or set \
             destination.on_data_error to skip or dlq.",
            self.stream
        );
        let mut error = Error::new(Category::Data, CODE, message).detail("stream", &self.stream);
        error.scope = Scope::Record;
        error
    }
}

impl Transformation for Validation {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn apply(&mut self, batch: &RecordBatch, rejects: &mut Rejects) -> Result<Option<RecordBatch>> {
        let broken = self.broken(batch)?;
        let earlier = self.rows;
        self.rows += batch.num_rows() as u64;
        let Some((first, reasons)) = broken.first_key_value() else {
            return Ok(None);
        };
        if self.policy == DataErrorPolicy::Fail {
            return Err(self.failure(earlier + *first as u64 + 1, reasons));
        }
        let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(!broken.contains_key(&row))).collect();
        for (row, reasons) in broken {
            rejects.reject(CODE, reasons, values(&self.schema, batch, row))?;
        }
        let left = filter_record_batch(batch, &kept);
        left.map(Some).map_err(|error| Error::new(Category::Internal, "arrow", error.to_string()))
    }
}

fn values(schema: &Schema, batch: &RecordBatch, row: usize) -> BTreeMap<String, Option<String>> {
    let columns = schema.fields().iter().zip(batch.columns());
    columns.map(|(field, column)| (field.name().clone(), printed(column, row))).collect()
}
