//! How a column holds values of its Postgres type, where Arrow's idea of them is another.

use arrow_schema::Field;
use datafusion_common::{Column, DFSchema, Result};

use crate::failure::{carried, refused};
use crate::sql_type::UUID;

/// The metadata of a field, of docs/ABI.md §9.
pub(crate) const TYPE_KEY: &str = "rapidbyte.type";
pub(crate) const FORM_KEY: &str = "rapidbyte.form";
pub(crate) const TEXT_FORM: &str = "text";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Arrow's values are Postgres' values.
    Plain,
    /// `character(n)`: the padding is there, and means nothing.
    Padded,
    /// Sixteen bytes, which order as Postgres orders them.
    Uuid,
    /// The text of a type that orders and compares in its own way.
    Text,
}

/// The form of a field, and the name of its type.
pub(crate) fn of(field: &Field) -> (Form, &str) {
    let type_name = field.metadata().get(TYPE_KEY).map_or("", String::as_str);
    let form = if field.data_type() == &UUID {
        Form::Uuid
    } else if field.metadata().get(FORM_KEY).is_some_and(|form| form == TEXT_FORM)
        || matches!(type_name, "json" | "jsonb")
    {
        Form::Text
    } else if matches!(type_name, "character" | "bpchar") || type_name.starts_with("character(") {
        Form::Padded
    } else {
        Form::Plain
    };
    (form, type_name)
}

/// The field of a column.
pub(crate) fn field<'a>(schema: &'a DFSchema, column: &Column) -> Result<&'a Field> {
    Ok(schema.field(schema.index_of_column(column)?))
}

/// What to say where a column is computed with that cannot be.
pub(crate) fn not_computable(column: &Column, type_name: &str) -> datafusion_common::DataFusionError {
    let name = &column.name;
    let message = format!(
        "The query computes with column {name}, which is {type_name}: a transform can pass it on, test it for NULL, or \
         compute with its text: write {name}::text."
    );
    carried(refused("sql_type", message))
}
