//! How the columns of a stream meet those of its table: names, types, and the statements that fill where they are
//! loaded. What brings rows on from a stage is in [`crate::landing`].

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use pgwire::{identifier, oid};
use sdk::{Category, Column, Error, NewColumn, Result, TypeChange};

use crate::encode::Encoding;
use crate::landing::Way;
use crate::prepared::Prepared;
use crate::target::{TargetColumn, TargetName};

const TYPE_KEY: &str = "rapidbyte.type";
/// One column of the stream and of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedColumn {
    /// Where it is in the stream.
    pub(crate) place: usize,
    pub(crate) encoding: Encoding,
    pub(crate) target: TargetColumn,
    pub(crate) cast: Cast,
}

/// What the server makes of what is sent for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// It is of the column's type.
    None,
    /// It is the column's type as text.
    FromText,
    /// It is of another type, and must keep its value. `sent` is what it is sent as, `source` its type at the source.
    Coerce { sent: String, sent_oid: u32, source: String },
}

impl PlannedColumn {
    /// The type that values are sent as.
    pub(crate) fn sent_oid(&self) -> u32 {
        match self.cast {
            Cast::None => self.target.type_oid,
            Cast::FromText => oid::TEXT,
            Cast::Coerce { sent_oid, .. } => sent_oid,
        }
    }
}

/// All columns of a stream, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) table: String,
    /// Where rows wait whose values the server must cast, or which it must merge: a table of the session's own, which is
    /// empty after each transaction.
    pub(crate) stage: String,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) way: Way,
}

/// The columns of its table that a stream's schema describes.
pub(crate) fn source_columns(prepared: &Prepared, schema: &Schema) -> Result<Vec<Column>> {
    let fields = schema.fields().iter();
    fields
        .filter(|field| !prepared.is_of_event(field.name()))
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
    /// Fit a stream to its table, which has all of the stream's columns but those that are left out.
    pub(crate) fn new(prepared: &Prepared, schema: &Schema, existing: &[TargetColumn], way: Way) -> Result<Plan> {
        let mut columns = Vec::new();
        for (place, field) in
            schema.fields().iter().enumerate().filter(|(_, field)| !prepared.is_of_event(field.name()))
        {
            match existing.iter().find(|target| target.name == *field.name()) {
                Some(target) if target.is_generated => {}
                Some(target) => columns.push(fit(place, field, target, prepared.evolution.type_change)?),
                None if prepared.evolution.new_column == NewColumn::Ignore => {}
                None => return Err(column_missing(&prepared.name, field)),
            }
        }
        let stage = format!("pg_temp.rapidbyte_stage_{}", prepared.index);
        Ok(Plan { table: prepared.name.quoted(), stage, columns, way })
    }

    /// Fit a stream to a table that is filled in the place of its own.
    pub(crate) fn shared(
        prepared: &Prepared,
        schema: &Schema,
        existing: &[TargetColumn],
        table: &TargetName,
    ) -> Result<Plan> {
        Ok(Plan { table: table.quoted(), ..Plan::new(prepared, schema, existing, Way::Append)? })
    }

    /// The columns of a batch that are written, in the order of the plan.
    pub(crate) fn selected(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if self.columns.len() == batch.num_columns() {
            return Ok(batch.clone());
        }
        let places: Vec<_> = self.columns.iter().map(|column| column.place).collect();
        batch.project(&places).map_err(|error| Error::new(Category::Internal, "arrow", error.to_string()))
    }

    /// Whether rows are only added, so that they need no key.
    fn is_adding(&self) -> bool {
        matches!(self.way, Way::Append | Way::Replace)
    }

    /// Whether COPY BINARY can go to the table itself.
    pub(crate) fn is_copied_directly(&self) -> bool {
        self.is_adding() && self.columns.iter().all(|column| column.cast == Cast::None)
    }

    /// Whether INSERT, which can cast, can go to the table itself.
    pub(crate) fn is_inserted_directly(&self) -> bool {
        self.is_adding() && !self.columns.iter().any(|column| matches!(column.cast, Cast::Coerce { .. }))
    }

    pub(crate) fn copy_statement(&self) -> String {
        let into = if self.is_copied_directly() { &self.table } else { &self.stage };
        format!("COPY {into} {} FROM STDIN (FORMAT binary)", self.column_list())
    }

    /// Make the stage, whatever was left of an earlier one. Once for all batches: each table that is made and dropped in a
    /// transaction is locked up to its end.
    pub(crate) fn create_stage_statement(&self) -> String {
        let columns = self.columns.iter();
        let columns = columns.map(|column| format!("{} {}", identifier(&column.target.name), sent_type(column)));
        let (stage, columns) = (&self.stage, columns.collect::<Vec<_>>().join(", "));
        format!("DROP TABLE IF EXISTS {stage}; CREATE TEMPORARY TABLE {stage} ({columns}) ON COMMIT DELETE ROWS")
    }

    /// INSERT of one row of binary parameters.
    pub(crate) fn insert_statement(&self) -> String {
        let is_direct = self.is_inserted_directly();
        let into = if is_direct { &self.table } else { &self.stage };
        if self.columns.is_empty() {
            return format!("INSERT INTO {into} DEFAULT VALUES");
        }
        let values = self.columns.iter().zip(1..).map(|(column, number)| {
            let value = format!("${number}");
            if is_direct { cast(column, value) } else { value }
        });
        let values = values.collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {into} {} OVERRIDING SYSTEM VALUE VALUES ({values})", self.column_list())
    }

    pub(crate) fn parameter_oids(&self) -> Vec<u32> {
        self.columns.iter().map(PlannedColumn::sent_oid).collect()
    }

    pub(crate) fn column_list(&self) -> String {
        if self.columns.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.columns.iter().map(|column| identifier(&column.target.name)).collect();
        format!("({})", names.join(", "))
    }
}

/// Choose how a column is sent, and what the server makes of it.
fn fit(place: usize, field: &Field, target: &TargetColumn, policy: TypeChange) -> Result<PlannedColumn> {
    let source = type_name(field)?;
    let planned = |encoding, cast| Ok(PlannedColumn { place, encoding, target: target.clone(), cast });
    if source == target.type_name {
        return match Encoding::of(field.data_type(), target.type_oid) {
            Some(Encoding::CastFromText) => planned(Encoding::CastFromText, Cast::FromText),
            Some(encoding) => planned(encoding, Cast::None),
            None => Err(type_mismatch(field, target)),
        };
    }
    match (policy, Encoding::own(field.data_type())) {
        (TypeChange::Null, _) => planned(Encoding::Null, Cast::None),
        (TypeChange::Coerce, Some((encoding, sent_oid))) => {
            let sent = if sent_oid == oid::TEXT { "pg_catalog.text".to_owned() } else { source.clone() };
            planned(encoding, Cast::Coerce { sent, sent_oid, source })
        }
        _ => Err(type_mismatch(field, target)),
    }
}

fn type_mismatch(field: &Field, target: &TargetColumn) -> Error {
    let message =
        format!("Column {}: {} values cannot be stored as {}.", field.name(), field.data_type(), target.type_name);
    Error::new(Category::Schema, "type_mismatch", message).detail("column", field.name())
}

/// The type that values wait in a stage as.
pub(crate) fn sent_type(column: &PlannedColumn) -> &str {
    match &column.cast {
        Cast::None => &column.target.type_name,
        Cast::FromText => "pg_catalog.text",
        Cast::Coerce { sent, .. } => sent,
    }
}

pub(crate) fn cast(column: &PlannedColumn, value: String) -> String {
    match &column.cast {
        Cast::None => value,
        Cast::FromText if column.target.has_own_cast => {
            // From this kind of text no cast is declared, so that the type's own input reads it.
            format!("{value}::pg_catalog.bpchar::{}", column.target.type_name)
        }
        Cast::FromText => format!("{value}::{}", column.target.type_name),
        Cast::Coerce { source, .. } => format!("{value}::{source}::{}", column.target.type_name),
    }
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
    use std::collections::HashMap;

    use arrow_schema::{DataType, Field, Schema};
    use pgwire::oid;
    use sdk::{NewColumn, SchemaEvolution, TypeChange, WriteMode};

    use super::Plan;
    use crate::landing::Way;
    use crate::prepared::Prepared;
    use crate::target::{TargetColumn, TargetName};

    fn plan_with(
        columns: &[(&str, DataType, &str)],
        existing: &[TargetColumn],
        evolution: SchemaEvolution,
    ) -> Option<Plan> {
        let field = |(name, data_type, type_name): &(&str, DataType, &str)| {
            let metadata = HashMap::from([("rapidbyte.type".to_owned(), (*type_name).to_owned())]);
            Field::new(*name, data_type.clone(), true).with_metadata(metadata)
        };
        let fields: Vec<_> = columns.iter().map(field).collect();
        let prepared = Prepared {
            index: 0,
            stream: "t".into(),
            name: TargetName { schema: "s".into(), table: "t".into() },
            mode: WriteMode::Append,
            key: vec![],
            is_unique_at_source: false,
            evolution,
            is_sifted: false,
            changes: vec![],
            columns: vec![],
            applied: None,
        };
        Plan::new(&prepared, &Schema::new(fields), existing, Way::Append).ok()
    }

    fn plan(columns: &[(&str, DataType, &str, u32)]) -> Option<Plan> {
        let existing: Vec<_> = columns
            .iter()
            .map(|(name, _, type_name, type_oid)| TargetColumn::plain(name, type_name, *type_oid))
            .collect();
        let sent: Vec<_> =
            columns.iter().map(|(name, data_type, type_name, _)| (*name, data_type.clone(), *type_name)).collect();
        plan_with(&sent, &existing, SchemaEvolution::default())
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
            (plan.create_stage_statement(), plan.copy_statement(), plan.insert_statement(), plan.parameter_oids())
        });
        let expected = (
            r#"DROP TABLE IF EXISTS pg_temp.rapidbyte_stage_0; CREATE TEMPORARY TABLE pg_temp.rapidbyte_stage_0 ("id" integer, "span" pg_catalog.text) ON COMMIT DELETE ROWS"#
                .to_owned(),
            r#"COPY pg_temp.rapidbyte_stage_0 ("id", "span") FROM STDIN (FORMAT binary)"#.to_owned(),
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

    #[test]
    fn another_type_is_cast_by_the_server_or_sent_as_null() {
        let columns = [("n", DataType::Int64, "bigint"), ("j", DataType::Utf8, "jsonb")];
        let existing = [TargetColumn::plain("n", "integer", oid::INT4), TargetColumn::plain("j", "json", oid::JSON)];
        let with = |type_change| plan_with(&columns, &existing, SchemaEvolution { type_change, ..Default::default() });
        assert!(with(TypeChange::Fail).is_none());
        let coerced = with(TypeChange::Coerce).map(|plan| {
            (plan.create_stage_statement(), plan.unstage_statement(), plan.coercion_queries(), plan.parameter_oids())
        });
        let expected = (
            r#"DROP TABLE IF EXISTS pg_temp.rapidbyte_stage_0; CREATE TEMPORARY TABLE pg_temp.rapidbyte_stage_0 ("n" bigint, "j" pg_catalog.text) ON COMMIT DELETE ROWS"#.to_owned(),
            r#"INSERT INTO "s"."t" ("n", "j") OVERRIDING SYSTEM VALUE SELECT "n"::bigint::integer, "j"::jsonb::json FROM pg_temp.rapidbyte_stage_0"#.to_owned(),
            vec![
                ("n".to_owned(), r#"SELECT 1 FROM pg_temp.rapidbyte_stage_0 WHERE "n"::bigint::integer::bigint::pg_catalog.text IS DISTINCT FROM "n"::bigint::pg_catalog.text LIMIT 1"#.to_owned()),
                ("j".to_owned(), r#"SELECT 1 FROM pg_temp.rapidbyte_stage_0 WHERE "j"::jsonb::json::jsonb::pg_catalog.text IS DISTINCT FROM "j"::jsonb::pg_catalog.text LIMIT 1"#.to_owned()),
            ],
            vec![oid::INT8, oid::TEXT],
        );
        assert_eq!(coerced, Some(expected));
        let nulled = with(TypeChange::Null).map(|plan| plan.copy_statement());
        assert_eq!(nulled.as_deref(), Some(r#"COPY "s"."t" ("n", "j") FROM STDIN (FORMAT binary)"#));
    }

    #[test]
    fn columns_that_are_ignored_or_generated_are_not_written() {
        let columns =
            [("a", DataType::Int32, "integer"), ("b", DataType::Int32, "integer"), ("c", DataType::Int32, "integer")];
        let generated = TargetColumn { is_generated: true, ..TargetColumn::plain("a", "integer", oid::INT4) };
        let existing = [generated, TargetColumn::plain("c", "integer", oid::INT4)];
        assert!(plan_with(&columns, &existing, SchemaEvolution::default()).is_none());
        let ignore = SchemaEvolution { new_column: NewColumn::Ignore, ..Default::default() };
        let places = plan_with(&columns, &existing, ignore)
            .map(|plan| plan.columns.into_iter().map(|column| column.place).collect::<Vec<_>>());
        assert_eq!(places, Some(vec![2]));
    }
}
