//! A query as it runs: steps over one batch after the other.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use datafusion_physical_expr::PhysicalExpr;

use crate::failure::Failure;
use crate::plan::Slot;
use crate::special::Guard;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Filter { predicate: Arc<dyn PhysicalExpr>, guard: Guard },
    Project { columns: Vec<Arc<dyn PhysicalExpr>>, guard: Guard, schema: SchemaRef },
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    steps: Vec<Step>,
    schema: SchemaRef,
    /// For each column that leaves, the one of the table that it is, if it is one unchanged.
    origins: Vec<Option<usize>>,
    is_identity: bool,
}

impl Program {
    pub(crate) fn new(steps: Vec<Step>, table: &SchemaRef, slots: Vec<Slot>) -> Program {
        let schema = Arc::new(Schema::new(slots.iter().map(|slot| slot.field.clone()).collect::<Vec<_>>()));
        let origins: Vec<Option<usize>> = slots.into_iter().map(|slot| slot.origin).collect();
        let keeps_rows = steps.iter().all(|step| matches!(step, Step::Project { .. }));
        let keeps_columns =
            schema.fields() == table.fields() && origins.iter().enumerate().all(|(at, from)| *from == Some(at));
        Program { steps, schema, origins, is_identity: keeps_rows && keeps_columns }
    }

    /// The schema of what leaves.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Tell whether batches leave as they come.
    pub(crate) fn is_identity(&self) -> bool {
        self.is_identity
    }

    /// The name under which a column of the table leaves unchanged.
    pub(crate) fn name_of(&self, origin: usize) -> Option<&str> {
        let place = self.origins.iter().position(|from| *from == Some(origin))?;
        Some(self.schema.field(place).name())
    }

    /// Compute what leaves of a batch.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        self.steps.iter().try_fold(batch.clone(), |batch, step| step.apply(batch))
    }
}

impl Step {
    fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, Failure> {
        let rows = batch.num_rows();
        if rows == 0 && matches!(self, Step::Filter { .. }) {
            return Ok(batch);
        }
        match self {
            Step::Filter { predicate, guard } => {
                guard.check(&batch)?;
                let kept = predicate.evaluate(&batch)?.into_array(rows)?;
                Ok(filter_record_batch(&batch, kept.as_boolean())?)
            }
            Step::Project { columns, guard, schema } => {
                guard.check(&batch)?;
                let computed = columns.iter().zip(schema.fields()).map(|(column, field)| {
                    let values = column.evaluate(&batch)?.into_array(rows)?;
                    on_the_wire(values, field.data_type())
                });
                let computed = computed.collect::<Result<Vec<_>, Failure>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                Ok(RecordBatch::try_new_with_options(schema.clone(), computed, &options)?)
            }
        }
    }
}

/// Values as docs/ABI.md §9 has their type, which the planner need not have chosen; decimals within their digits.
fn on_the_wire(values: ArrayRef, data_type: &DataType) -> Result<ArrayRef, Failure> {
    let values = if values.data_type() == data_type {
        values
    } else {
        cast_with_options(&values, data_type, &CastOptions { safe: false, ..CastOptions::default() })?
    };
    if let DataType::Decimal128(precision, scale) = data_type {
        let limit = 10u128.pow(u32::from(*precision));
        let decimals = values.as_primitive::<Decimal128Type>();
        let is_too_long = |value: i128| value.unsigned_abs() >= limit && value != i128::MAX;
        if decimals.iter().flatten().any(is_too_long) {
            return Err(Failure::row(&format!("a value has more digits than numeric({precision},{scale}) holds")));
        }
    }
    Ok(values)
}
