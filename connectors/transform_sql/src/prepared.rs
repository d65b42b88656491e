//! A stream that a query was planned for, by what its source said of it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use datafusion_sql::sqlparser::ast::Statement;
use sdk::{Category, Column, DataErrorPolicy, Error, Result, Stream, StreamRequest};

use crate::form::{FORM_KEY, TEXT_FORM, TYPE_KEY};
use crate::plan;
use crate::program::Program;
use crate::sql_type;
use crate::statement;
use crate::table::TableName;

#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) index: usize,
    pub(crate) on_data_error: DataErrorPolicy,
    statement: Statement,
    leaving: Vec<Column>,
}

impl Prepared {
    /// Plan the query for a stream; how the stream leaves.
    pub(crate) fn new(query: &str, request: StreamRequest, now_micros: i64) -> Result<(Prepared, Stream)> {
        let source = request.source.ok_or_else(|| {
            Error::new(Category::Internal, "not_described", format!("Nothing is known of stream {}.", request.name))
        })?;
        let of_stream = |error: Error| error.detail("stream", &request.name);
        let table = TableName::new(&request.name, &source.name);
        let statement = statement::parse(query, &table).map_err(of_stream)?;
        let program = plan::program(&statement, &schema_of(&source), now_micros).map_err(of_stream)?;
        let leaving = columns_of(program.schema());
        let stream = Stream { columns: leaving.clone(), primary_key: primary_key(&source, &program), ..source };
        let (index, on_data_error) = (request.index, request.on_data_error);
        Ok((Prepared { index, on_data_error, statement, leaving }, stream))
    }

    /// Plan it anew over the schema that the batches have.
    pub(crate) fn program(&self, schema: &SchemaRef, now_micros: i64) -> Result<Program> {
        let program = plan::program(&self.statement, schema, now_micros)?;
        let leaving = columns_of(program.schema());
        let is_same = |(now, then): (&Column, &Column)| now.name == then.name && now.type_name == then.type_name;
        if leaving.len() == self.leaving.len() && leaving.iter().zip(&self.leaving).all(is_same) {
            return Ok(program);
        }
        let message = "The columns of the stream are no longer those that the query was planned for: run it again.";
        Err(Error::new(Category::Schema, "schema_changed", message))
    }
}

/// The schema that batches of a stream will have, by docs/ABI.md §9.
fn schema_of(stream: &Stream) -> SchemaRef {
    let fields = stream.columns.iter().map(|column| {
        let (data_type, is_text_form) = sql_type::of_source(&column.type_name);
        let mut metadata = HashMap::from([(TYPE_KEY.to_owned(), column.type_name.clone())]);
        if is_text_form {
            metadata.insert(FORM_KEY.to_owned(), TEXT_FORM.to_owned());
        }
        Field::new(&column.name, data_type, column.nullable).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn columns_of(schema: &SchemaRef) -> Vec<Column> {
    let fields = schema.fields().iter();
    let columns = fields.map(|field| Column {
        name: field.name().clone(),
        type_name: field.metadata().get(TYPE_KEY).cloned().unwrap_or_default(),
        nullable: field.is_nullable(),
    });
    columns.collect()
}

/// The key that still tells rows apart: all of its columns leave as they came, perhaps under other names.
fn primary_key(source: &Stream, program: &Program) -> Vec<String> {
    let names = source.primary_key.iter().map(|name| {
        let origin = source.columns.iter().position(|column| column.name == *name)?;
        program.name_of(origin).map(str::to_owned)
    });
    names.collect::<Option<Vec<_>>>().unwrap_or_default()
}
