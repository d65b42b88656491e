//! Finding the rows that a query cannot compute: what fails as a batch is computed in halves.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use sdk::{Category, DataErrorPolicy, Error, Rejects, Result};

use crate::failure::Failure;
use crate::program::Program;

/// Compute a batch; rows that cannot be computed are handed over where the policy wants that.
pub(crate) fn apply(
    program: &Program,
    batch: &RecordBatch,
    policy: DataErrorPolicy,
    rejects: &mut Rejects,
) -> Result<RecordBatch> {
    match program.apply(batch) {
        Ok(computed) => Ok(computed),
        Err(Failure::Rows(_)) if policy != DataErrorPolicy::Fail => {
            let mut parts = Vec::new();
            sift(program, batch, &mut parts, rejects)?;
            concat_batches(program.schema(), &parts)
                .map_err(|error| Error::new(Category::Internal, "sql_evaluation", error.to_string()))
        }
        Err(Failure::Rows(error) | Failure::Broken(error)) => Err(error),
    }
}

fn sift(program: &Program, batch: &RecordBatch, parts: &mut Vec<RecordBatch>, rejects: &mut Rejects) -> Result<()> {
    let rows = batch.num_rows();
    match program.apply(batch) {
        Ok(computed) => parts.push(computed),
        Err(Failure::Broken(error)) => return Err(error),
        Err(Failure::Rows(error)) if rows <= 1 => {
            rejects.reject(&error.code, vec![error.message], sdk::text::row(batch, 0))?;
        }
        Err(Failure::Rows(_)) => {
            let half = rows / 2;
            sift(program, &batch.slice(0, half), parts, rejects)?;
            sift(program, &batch.slice(half, rows - half), parts, rejects)?;
        }
    }
    Ok(())
}
