//! One stream while its batches pass: the columns that change, and the batches with them changed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{ArrowError, SchemaRef};
use sdk::{Category, Error, Rejects, Result, Transformation};

/// The places of the columns in each batch. What leaves has the schema of what came.
#[derive(Debug)]
pub struct Capitals {
    schema: SchemaRef,
    places: Vec<usize>,
}

impl Capitals {
    pub(crate) fn new(schema: &SchemaRef, columns: &[String]) -> Result<Capitals> {
        let places: std::result::Result<_, _> = columns.iter().map(|name| schema.index_of(name)).collect();
        Ok(Capitals { schema: schema.clone(), places: places.map_err(|error| broken(&error))? })
    }

    fn changed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        for place in &self.places {
            let text = batch
                .column(*place)
                .as_string_opt::<i32>()
                .ok_or_else(|| broken(&ArrowError::SchemaError(format!("column {place} holds no text"))))?;
            let capitals: StringArray = text.iter().map(|value| value.map(str::to_uppercase)).collect();
            columns[*place] = Arc::new(capitals);
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| broken(&error))
    }
}

impl Transformation for Capitals {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn apply(&mut self, batch: &RecordBatch, _rejects: &mut Rejects) -> Result<Option<RecordBatch>> {
        self.changed(batch).map(Some)
    }
}

fn broken(error: &ArrowError) -> Error {
    Error::new(Category::Frame, "arrow", error.to_string())
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::sync::Arc;

    use arrow_array::{Int32Array, RecordBatch, StringArray};
    use arrow_schema::{ArrowError, DataType, Field, Schema};

    use super::Capitals;

    fn batch(words: [Option<&str>; 3]) -> Result<RecordBatch, ArrowError> {
        let id = Field::new("id", DataType::Int32, false);
        let word = Field::new("word", DataType::Utf8, true);
        let ids = Int32Array::from(vec![1, 2, 3]);
        let words = StringArray::from(words.to_vec());
        let schema = Schema::new(vec![id, word]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(words)])
    }

    #[test]
    fn only_the_columns_that_are_named_change_and_null_stays_null() -> Result<(), Box<dyn Error>> {
        let came = batch([Some("straße"), None, Some("Ünïcode 1")])?;
        let left = Capitals::new(&came.schema(), &["word".to_owned()])?.changed(&came)?;
        assert_eq!(left, batch([Some("STRASSE"), None, Some("ÜNÏCODE 1")])?);
        Ok(())
    }

    #[test]
    fn column_without_text_is_an_error() -> Result<(), Box<dyn Error>> {
        let came = batch([None; 3])?;
        let outcome = Capitals::new(&came.schema(), &["id".to_owned()])?.changed(&came);
        let message = "Schema error: column 0 holds no text";
        assert_eq!(outcome.map_err(|error| error.message), Err(message.to_owned()));
        Ok(())
    }
}
