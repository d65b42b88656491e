//! The cursor of an incremental stream: the column that orders it, and how a value of it is written and compared.

use pgwire::{identifier, literal, oid, qualified};
use sdk::{Category, Error, NullCursor, Result, StreamRequest, WriteMode};

use crate::table::{Table, TableColumn};

/// Types with one order, and with one text for values that are equal.
const ORDERED_TYPES: [u32; 13] = [
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::NUMERIC,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::TEXT,
    oid::VARCHAR,
    oid::BPCHAR,
    oid::DATE,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::UUID,
];

/// How a stream is read incrementally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) column: TableColumn,
    tie_breaker: Option<String>,
    /// The columns that tell apart rows with one cursor value.
    pub(crate) identity: Vec<String>,
    pub(crate) write_mode: WriteMode,
    pub(crate) on_null: NullCursor,
    /// What rows must fulfil besides, so that the read stays behind.
    bound: Option<String>,
    /// The least value that no later one can come after, for types that have such; none where the bound leaves it out.
    endless: Option<String>,
}

impl Cursor {
    /// Find the cursor of a request in the table, whose columns are those that are moved.
    pub(crate) fn new(request: &StreamRequest, table: &Table) -> Result<Cursor> {
        let name = request.cursor_field.as_deref().unwrap_or_default();
        let column = selected(table, name, "cursor_field")?.clone();
        if !ORDERED_TYPES.contains(&column.type_oid) || !column.is_deterministic {
            let message = format!(
                "Column {name} of {} is of type {}, which cannot be a cursor; use a column of integers, numeric, \
                 floats, text, dates, timestamps or uuid with a deterministic collation.",
                table.display_name(),
                column.type_name
            );
            return Err(of_column(Error::new(Category::Schema, "cursor_type", message), table, name));
        }
        if let Some(name) = &request.tie_breaker_field {
            selected(table, name, "tie_breaker_field")?;
        }
        let bound = bound(request.cursor_lag, table, &column)?;
        Ok(Cursor {
            endless: if bound.is_none() { endless(&column).map(str::to_owned) } else { None },
            bound,
            column,
            tie_breaker: request.tie_breaker_field.clone(),
            identity: identity(request, table),
            write_mode: request.write_mode,
            on_null: request.null_cursor,
        })
    }

    /// The value as text, the same for all values that are equal.
    pub(crate) fn text_expression(&self) -> String {
        let name = identifier(&self.column.name);
        match self.column.type_oid {
            oid::NUMERIC => format!("pg_catalog.trim_scale({name})::pg_catalog.text"),
            oid::FLOAT4 => format!("({name} + 0::pg_catalog.float4)::pg_catalog.text"),
            oid::FLOAT8 => format!("({name} + 0::pg_catalog.float8)::pg_catalog.text"),
            _ => format!("{name}::pg_catalog.text"),
        }
    }

    /// Compare the column with a value that was read before.
    pub(crate) fn condition(&self, operator: &str, value: &str) -> String {
        format!("{} {operator} {}::{}", identifier(&self.column.name), literal(value), self.column.type_name)
    }

    /// What follows the table in a query: the rows that `condition` names, in the order of the cursor. A bare name in
    /// ORDER BY would be that of the result, where the column may have been cast to text.
    pub(crate) fn ordered(&self, condition: &str) -> String {
        let name = |column: &str| format!("moved.{}", identifier(column));
        let tie_breaker = self.tie_breaker.as_deref().map(|tie| format!(", {}", name(tie))).unwrap_or_default();
        let ends = self.has_successors().into_iter().chain(self.bound.clone());
        let ends: String = ends.map(|end| format!(" AND {end}")).collect();
        format!(" AS moved WHERE {condition}{ends} ORDER BY {}{tie_breaker}", name(&self.column.name))
    }

    /// The rows whose cursor is infinite or NaN; none for types without such values.
    pub(crate) fn is_endless(&self) -> Option<String> {
        self.endless.as_deref().map(|endless| format!("{} >= {endless}", identifier(&self.column.name)))
    }

    fn has_successors(&self) -> Option<String> {
        self.endless.as_deref().map(|endless| format!("{} < {endless}", identifier(&self.column.name)))
    }

    /// All rows that have a cursor.
    pub(crate) fn not_null(&self) -> String {
        format!("{} IS NOT NULL", identifier(&self.column.name))
    }
}

/// The least value of a type that is infinite or NaN. Finite numerics end below 10^131072, on every server.
fn endless(column: &TableColumn) -> Option<&'static str> {
    match column.type_oid {
        oid::FLOAT4 => Some("'Infinity'::pg_catalog.float4"),
        oid::FLOAT8 => Some("'Infinity'::pg_catalog.float8"),
        oid::NUMERIC => Some("'1e131071'::pg_catalog.numeric"),
        oid::DATE => Some("'infinity'::pg_catalog.date"),
        oid::TIMESTAMP => Some("'infinity'::pg_catalog.timestamp"),
        oid::TIMESTAMPTZ => Some("'infinity'::pg_catalog.timestamptz"),
        _ => None,
    }
}

/// The condition that keeps a read behind the clock, or behind the greatest value.
fn bound(lag: f64, table: &Table, column: &TableColumn) -> Result<Option<String>> {
    if lag <= 0.0 {
        return Ok(None);
    }
    let name = identifier(&column.name);
    let clock = format!("pg_catalog.now() - pg_catalog.make_interval(secs => {lag})");
    match column.type_oid {
        oid::TIMESTAMPTZ => Ok(Some(format!("{name} <= {clock}"))),
        oid::TIMESTAMP | oid::DATE => Ok(Some(format!("{name} <= ({clock})::pg_catalog.timestamp"))),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8 => {
            let finite = endless(column).map(|endless| format!(" WHERE {name} < {endless}")).unwrap_or_default();
            let table = qualified(&table.schema, &table.name);
            let greatest = format!("(SELECT pg_catalog.max({name}) FROM {table}{finite})");
            Ok(Some(format!("{name} <= {greatest} - {lag}")))
        }
        _ => {
            let message = format!(
                "Column {} of {} is of type {}, which has no distance for `cursor_lag`; remove it, or use a cursor of \
                 numbers, dates or timestamps.",
                column.name,
                table.display_name(),
                column.type_name
            );
            Err(of_column(Error::new(Category::Schema, "cursor_type", message), table, &column.name))
        }
    }
}

/// For append, the key tells rows apart, as a row is added once for each value of its cursor. An upsert wants the last
/// state of a row, so that any change tells it apart.
fn identity(request: &StreamRequest, table: &Table) -> Vec<String> {
    let is_moved = |name: &String| table.columns.iter().any(|column| column.name == *name);
    let key: Vec<String> = match &request.tie_breaker_field {
        Some(tie_breaker) => vec![tie_breaker.clone()],
        None => table.primary_key.clone(),
    };
    if request.write_mode == WriteMode::Append && !key.is_empty() && key.iter().all(is_moved) {
        return key;
    }
    table.columns.iter().map(|column| column.name.clone()).collect()
}

fn selected<'a>(table: &'a Table, name: &str, key: &str) -> Result<&'a TableColumn> {
    table.columns.iter().find(|column| column.name == name).ok_or_else(|| {
        let known: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let message = format!(
            "The `{key}` {name} is not among the columns that are read of {}: {}.",
            table.display_name(),
            known.join(", ")
        );
        of_column(Error::new(Category::Schema, "cursor_not_found", message), table, name)
    })
}

fn of_column(error: Error, table: &Table, column: &str) -> Error {
    error.detail("stream", table.display_name()).detail("column", column)
}

#[cfg(test)]
mod tests {
    use pgwire::oid;
    use sdk::{StreamRequest, WriteMode};

    use super::Cursor;
    use crate::samples::{request, table};
    use crate::table::Table;

    fn orders() -> Table {
        let columns = [("id", "integer", oid::INT4), ("at", "numeric(9,2)", oid::NUMERIC), ("j", "jsonb", oid::JSONB)];
        table(&columns, &["id"])
    }

    fn code(cursor: &str, tie_breaker: Option<&str>) -> Option<String> {
        Cursor::new(&request(cursor, tie_breaker, WriteMode::Append), &orders()).err().map(|error| error.code)
    }

    #[test]
    fn a_cursor_is_a_column_that_is_read_and_has_one_order() {
        assert_eq!(code("at", Some("id")), None);
        assert_eq!(code("nope", None).as_deref(), Some("cursor_not_found"));
        assert_eq!(code("at", Some("nope")).as_deref(), Some("cursor_not_found"));
        assert_eq!(code("j", None).as_deref(), Some("cursor_type"));
    }

    #[test]
    fn queries_quote_names_and_values_and_end_in_the_order_of_the_cursor() {
        let cursor = Cursor::new(&request("at", Some("id"), WriteMode::Append), &orders()).ok();
        let cursor = cursor.as_ref();
        let condition = cursor.map(|cursor| cursor.condition(">=", "1.5"));
        assert_eq!(condition.as_deref(), Some(r#""at" >= '1.5'::numeric(9,2)"#));
        let tail = cursor.map(|cursor| cursor.ordered(&cursor.not_null()));
        assert_eq!(
            tail.as_deref(),
            Some(
                r#" AS moved WHERE "at" IS NOT NULL AND "at" < '1e131071'::pg_catalog.numeric ORDER BY moved."at", moved."id""#
            )
        );
        let text = cursor.map(Cursor::text_expression);
        assert_eq!(text.as_deref(), Some(r#"pg_catalog.trim_scale("at")::pg_catalog.text"#));
    }

    #[test]
    fn append_tells_rows_apart_by_their_key_and_upsert_by_all_of_them() {
        let identity = |table: &Table, tie_breaker, mode| {
            Cursor::new(&request("at", tie_breaker, mode), table).map(|cursor| cursor.identity.join(",")).ok()
        };
        assert_eq!(identity(&orders(), None, WriteMode::Append).as_deref(), Some("id"));
        assert_eq!(identity(&orders(), Some("j"), WriteMode::Append).as_deref(), Some("j"));
        assert_eq!(identity(&orders(), None, WriteMode::Upsert).as_deref(), Some("id,at,j"));
        let keyless = table(&[("at", "date", oid::DATE), ("n", "text", oid::TEXT)], &[]);
        assert_eq!(identity(&keyless, None, WriteMode::Append).as_deref(), Some("at,n"));
    }

    #[test]
    fn a_lag_keeps_the_read_behind_the_clock_or_the_greatest_value() {
        let columns = [("n", "integer", oid::INT4), ("z", "timestamptz", oid::TIMESTAMPTZ), ("u", "uuid", oid::UUID)];
        let table = table(&columns, &[]);
        let bound = |cursor: &str| {
            let request = StreamRequest { cursor_lag: 1.5, ..request(cursor, None, WriteMode::Append) };
            Cursor::new(&request, &table).map(|cursor| cursor.ordered("true")).ok()
        };
        let expected =
            r#" AS moved WHERE true AND "n" <= (SELECT pg_catalog.max("n") FROM "s"."t") - 1.5 ORDER BY moved."n""#;
        assert_eq!(bound("n").as_deref(), Some(expected));
        let expected = r#" AS moved WHERE true AND "z" <= pg_catalog.now() - pg_catalog.make_interval(secs => 1.5) ORDER BY moved."z""#;
        assert_eq!(bound("z").as_deref(), Some(expected));
        assert_eq!(bound("u"), None);
    }
}
