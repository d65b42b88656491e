//! The errors of a query: what is refused before a row moves, and what a row meets.

use arrow_schema::ArrowError;
use datafusion_common::{DataFusionError, SchemaError};
use sdk::{Category, Error};

/// What a query needs that a transform cannot give: it sees one batch of rows after the other, and keeps none.
pub(crate) const NEEDS_ALL_ROWS: &str = "It needs all rows of the stream at once, and a transform sees one batch after \
     the other: use a view at the source, or do it in the destination.";

/// A query, or a part of it, that is not taken.
pub(crate) fn refused(code: &str, message: impl Into<String>) -> Error {
    Error::new(Category::Config, code, message)
}

/// A construct that no transform has, and what to do instead.
pub(crate) fn not_supported(what: &str, remedy: &str) -> Error {
    refused("sql_not_supported", format!("The query of a transform cannot have {what}. {remedy}"))
}

/// Carry an error of ours through DataFusion's code; [`of_planning`] finds it again.
pub(crate) fn carried(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What DataFusion says of a query that it cannot plan.
pub(crate) fn of_planning(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(error) => error.clone(),
            None => Error::new(Category::Internal, "sql_plan", inner.to_string()),
        },
        DataFusionError::SchemaError(schema, _) => of_schema(schema),
        DataFusionError::Internal(text) => Error::new(Category::Internal, "sql_plan", text),
        root => refused("sql_invalid", format!("The query cannot be planned: {}", root.message())),
    }
}

fn of_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let column = field.flat_name();
            let message = format!("The query asks for column {column}; the columns are: {}.", known.join(", "));
            refused("sql_unknown_column", message)
        }
        other => refused("sql_invalid", format!("The query cannot be planned: {other}")),
    }
}

/// What goes wrong with rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failure {
    /// At least one row of the batch cannot be computed.
    Rows(Error),
    /// No row is at fault.
    Broken(Error),
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Failure {
        match error.find_root() {
            DataFusionError::Execution(text) => Failure::row(text),
            DataFusionError::ArrowError(arrow, _) => of_arrow(arrow),
            DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
                Some(error) => Failure::Rows(error.clone()),
                None => Failure::broken(inner.as_ref()),
            },
            other => Failure::broken(other),
        }
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Failure {
        of_arrow(&error)
    }
}

impl Failure {
    pub(crate) fn row(reason: &str) -> Failure {
        let reason = reason.trim_end_matches('.');
        Failure::Rows(Error::new(Category::Data, "sql_value", format!("The query cannot compute a row: {reason}.")))
    }

    fn broken(error: &dyn std::fmt::Display) -> Failure {
        Failure::Broken(Error::new(Category::Internal, "sql_evaluation", error.to_string()))
    }
}

fn of_arrow(error: &ArrowError) -> Failure {
    match error {
        ArrowError::CastError(text)
        | ArrowError::ParseError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::ArithmeticOverflow(text)
        | ArrowError::InvalidArgumentError(text) => Failure::row(text),
        ArrowError::DivideByZero => Failure::row("division by zero"),
        other => Failure::broken(other),
    }
}
