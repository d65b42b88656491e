//! How the columns of a stream meet those of its table: names, types, and the statements that load them.

use arrow_schema::{Field, Schema};
use pgwire::{identifier, oid};
use sdk::{Category, Column, Error, Result};

use crate::encode::Encoding;
use crate::target::{TargetColumn, TargetName};

const TYPE_KEY: &str = "rapidbyte.type";
/// The stage of a stream whose values the server must cast; gone with the transaction.
const STAGE: &str = "pg_temp.rapidbyte_stage";

/// One column of the stream and of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedColumn {
    pub(crate) encoding: Encoding,
    target: TargetColumn,
}

/// All columns of a stream, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    table: String,
    pub(crate) columns: Vec<PlannedColumn>,
}

/// The columns a stream's schema describes.
pub(crate) fn source_columns(schema: &Schema) -> Result<Vec<Column>> {
    schema
        .fields()
        .iter()
        .map(|field| Ok(Column { name: field.name().clone(), type_name: type_name(field)?, nullable: true }))
        .collect()
}

fn type_name(field: &Field) -> Result<String> {
    let missing = || {
        Error::new(
            Category::Schema,
            "type_missing",
            format!("Column {} of the stream does not tell its type.", field.name()),
        )
    };
    field.metadata().get(TYPE_KEY).cloned().ok_or_else(missing)
}

impl Plan {
    /// Fit a stream to its table, which has all of the stream's columns.
    pub(crate) fn new(name: &TargetName, schema: &Schema, existing: &[TargetColumn]) -> Result<Plan> {
        let columns = schema.fields().iter().map(|field| {
            let target = existing.iter().find(|target| target.name == *field.name());
            let target = target.ok_or_else(|| column_missing(name, field))?.clone();
            let encoding = Encoding::of(field.data_type(), target.type_oid).ok_or_else(|| {
                let message = format!(
                    "Column {}: {} values cannot be stored as {}.",
                    field.name(),
                    field.data_type(),
                    target.type_name
                );
                Error::new(Category::Schema, "type_mismatch", message).detail("column", field.name())
            })?;
            Ok(PlannedColumn { encoding, target })
        });
        Ok(Plan { table: name.quoted(), columns: columns.collect::<Result<_>>()? })
    }

    /// Whether COPY BINARY can go to the table itself.
    pub(crate) fn is_direct(&self) -> bool {
        self.columns.iter().all(|column| column.encoding != Encoding::CastFromText)
    }

    pub(crate) fn copy_statement(&self) -> String {
        let into = if self.is_direct() { self.table.as_str() } else { STAGE };
        format!("COPY {into} {} FROM STDIN (FORMAT binary)", self.column_list())
    }

    pub(crate) fn create_stage_statement(&self) -> String {
        let columns = self.columns.iter().map(|column| {
            let type_name =
                if column.encoding == Encoding::CastFromText { "pg_catalog.text" } else { &column.target.type_name };
            format!("{} {type_name}", identifier(&column.target.name))
        });
        format!("CREATE TEMPORARY TABLE rapidbyte_stage ({}) ON COMMIT DROP", columns.collect::<Vec<_>>().join(", "))
    }

    /// Move what was staged into the table, cast by the server.
    pub(crate) fn unstage_statement(&self) -> String {
        let values = self.columns.iter().map(|column| cast(column, identifier(&column.target.name)));
        let values = values.collect::<Vec<_>>().join(", ");
        format!(
            "INSERT INTO {} {} OVERRIDING SYSTEM VALUE SELECT {values} FROM {STAGE}",
            self.table,
            self.column_list()
        )
    }

    /// INSERT of one row of binary parameters.
    pub(crate) fn insert_statement(&self) -> String {
        if self.columns.is_empty() {
            return format!("INSERT INTO {} DEFAULT VALUES", self.table);
        }
        let values = self.columns.iter().zip(1..).map(|(column, number)| cast(column, format!("${number}")));
        let values = values.collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {} {} OVERRIDING SYSTEM VALUE VALUES ({values})", self.table, self.column_list())
    }

    pub(crate) fn parameter_oids(&self) -> Vec<u32> {
        let oid_of = |column: &PlannedColumn| {
            if column.encoding == Encoding::CastFromText { oid::TEXT } else { column.target.type_oid }
        };
        self.columns.iter().map(oid_of).collect()
    }

    fn column_list(&self) -> String {
        if self.columns.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.columns.iter().map(|column| identifier(&column.target.name)).collect();
        format!("({})", names.join(", "))
    }
}

fn cast(column: &PlannedColumn, value: String) -> String {
    if column.encoding == Encoding::CastFromText { format!("{value}::{}", column.target.type_name) } else { value }
}

fn column_missing(name: &TargetName, field: &Field) -> Error {
    let message = format!(
        "Table {} in the destination has lost its column {} during the run.",
        name.display_name(),
        field.name()
    );
    Error::new(Category::Schema, "column_missing", message)
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field, Schema};
    use pgwire::oid;

    use super::Plan;
    use crate::target::{TargetColumn, TargetName};

    fn plan(columns: &[(&str, DataType, &str, u32)]) -> Option<Plan> {
        let fields: Vec<_> =
            columns.iter().map(|(name, data_type, _, _)| Field::new(*name, data_type.clone(), true)).collect();
        let target = |(name, _, type_name, type_oid): &(&str, DataType, &str, u32)| TargetColumn {
            name: (*name).into(),
            type_name: (*type_name).into(),
            type_oid: *type_oid,
        };
        let existing: Vec<_> = columns.iter().map(target).collect();
        Plan::new(&TargetName { schema: "s".into(), table: "t".into() }, &Schema::new(fields), &existing).ok()
    }

    #[test]
    fn native_columns_are_copied_straight_into_the_table() {
        let plan = plan(&[("id", DataType::Int32, "integer", oid::INT4), ("A b", DataType::Utf8, "text", oid::TEXT)]);
        let statement = plan.as_ref().map(Plan::copy_statement);
        assert_eq!(statement.as_deref(), Some(r#"COPY "s"."t" ("id", "A b") FROM STDIN (FORMAT binary)"#));
        let insert = plan.as_ref().map(Plan::insert_statement);
        assert_eq!(
            insert.as_deref(),
            Some(r#"INSERT INTO "s"."t" ("id", "A b") OVERRIDING SYSTEM VALUE VALUES ($1, $2)"#)
        );
    }

    #[test]
    fn text_forms_are_staged_and_cast_by_the_server() {
        let plan = plan(&[("id", DataType::Int32, "integer", oid::INT4), ("span", DataType::Utf8, "interval", 1186)]);
        let statements = plan.map(|plan| {
            (
                plan.create_stage_statement(),
                plan.copy_statement(),
                plan.unstage_statement(),
                plan.insert_statement(),
                plan.parameter_oids(),
            )
        });
        let expected = (
            r#"CREATE TEMPORARY TABLE rapidbyte_stage ("id" integer, "span" pg_catalog.text) ON COMMIT DROP"#.to_owned(),
            r#"COPY pg_temp.rapidbyte_stage ("id", "span") FROM STDIN (FORMAT binary)"#.to_owned(),
            r#"INSERT INTO "s"."t" ("id", "span") OVERRIDING SYSTEM VALUE SELECT "id", "span"::interval FROM pg_temp.rapidbyte_stage"#.to_owned(),
            r#"INSERT INTO "s"."t" ("id", "span") OVERRIDING SYSTEM VALUE VALUES ($1, $2::interval)"#.to_owned(),
            vec![oid::INT4, oid::TEXT],
        );
        assert_eq!(statements, Some(expected));
    }

    #[test]
    fn values_that_do_not_fit_the_type_are_refused() {
        assert!(plan(&[("id", DataType::Int64, "integer", oid::INT4)]).is_none());
        assert!(plan(&[("id", DataType::Binary, "interval", 1186)]).is_none());
    }
}
