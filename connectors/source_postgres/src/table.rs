//! A table as the catalogs describe it, and the query that reads it.

use pgwire::{identifier, oid, qualified};
use sdk::{Category, Column, Error, Result, Stream};

use crate::form::Form;

/// A column with what it takes to decode it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) type_oid: u32,
    pub(crate) type_modifier: i32,
    pub(crate) is_nullable: bool,
    /// Values that compare as equal are equal byte for byte.
    pub(crate) is_deterministic: bool,
}

impl TableColumn {
    pub(crate) fn form(&self) -> Form {
        Form::of(self.type_oid, self.type_modifier)
    }

    /// What is read of the column. A type that somebody made may have a cast to text that says something else, so that
    /// its own output is asked for by name; `IS DISTINCT FROM` tells NULL from a row of NULLs.
    fn expression(&self) -> String {
        let name = identifier(&self.name);
        if self.form() != Form::CastToText {
            name
        } else if self.type_oid < oid::FIRST_OF_USERS {
            format!("{name}::pg_catalog.text")
        } else {
            format!("CASE WHEN {name} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {name}) END")
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// What changes call it, by whatever name it goes.
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) estimated_rows: Option<u64>,
    pub(crate) estimated_bytes: Option<u64>,
    /// Its pages, where it can be read in ranges of them.
    pub(crate) extent: Option<u64>,
    /// What it is to all sessions of its server.
    pub(crate) identity: Option<String>,
}

impl Table {
    /// `schema.table`, for people.
    pub(crate) fn display_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Keep the named columns, in the order they are named; none named keeps all.
    pub(crate) fn project(mut self, names: Option<&[String]>) -> Result<Table> {
        let Some(names) = names else {
            return Ok(self);
        };
        let (found, missing): (Vec<_>, Vec<_>) = names
            .iter()
            .map(|name| (name, self.columns.iter().find(|column| column.name == *name)))
            .partition(|(_, column)| column.is_some());
        if !missing.is_empty() {
            let missing: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
            let known: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let message = format!(
                "Table {} has no column {}; it has {}.",
                self.display_name(),
                missing.join(", "),
                known.join(", ")
            );
            return Err(Error::new(Category::Schema, "column_not_found", message).detail("stream", self.display_name()));
        }
        self.columns = found.into_iter().filter_map(|(_, column)| column.cloned()).collect();
        Ok(self)
    }

    /// COPY of the columns, of what `also` adds to them, and of the rows that `tail` leaves. Columns without a binary
    /// form of their own here are read as text.
    pub(crate) fn copy_statement(&self, also: &str, tail: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(TableColumn::expression).collect();
        format!(
            "COPY (SELECT {}{also} FROM {}{tail}) TO STDOUT (FORMAT binary)",
            columns.join(", "),
            qualified(&self.schema, &self.name)
        )
    }

    pub(crate) fn into_stream(self) -> Stream {
        let name = self.display_name();
        let columns = self.columns.into_iter();
        Stream {
            name,
            columns: columns
                .map(|column| Column { name: column.name, type_name: column.type_name, nullable: column.is_nullable })
                .collect(),
            primary_key: self.primary_key,
            estimated_rows: self.estimated_rows,
            estimated_bytes: self.estimated_bytes,
            extent: self.extent,
            identity: self.identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use pgwire::oid;

    use super::Table;
    use crate::samples::column;

    fn table() -> Table {
        Table {
            oid: 0,
            schema: "public".into(),
            name: "Or\"ders".into(),
            columns: vec![
                column("id", "integer", oid::INT4),
                column("span", "interval", 1186),
                column("note", "text", oid::TEXT),
            ],
            primary_key: vec!["id".into()],
            estimated_rows: None,
            estimated_bytes: None,
            extent: None,
            identity: None,
        }
    }

    #[test]
    fn the_statement_quotes_names_and_casts_text_forms() {
        assert_eq!(
            table().copy_statement("", ""),
            r#"COPY (SELECT "id", "span"::pg_catalog.text, "note" FROM "public"."Or""ders") TO STDOUT (FORMAT binary)"#
        );
        assert_eq!(
            table().copy_statement(", 1", " LIMIT 2"),
            r#"COPY (SELECT "id", "span"::pg_catalog.text, "note", 1 FROM "public"."Or""ders" LIMIT 2) TO STDOUT (FORMAT binary)"#
        );
    }

    #[test]
    fn a_type_that_somebody_made_is_read_by_its_own_output() {
        let table = Table { columns: vec![column("mood", "public.mood", 16_384)], ..table() };
        assert_eq!(
            table.copy_statement("", ""),
            r#"COPY (SELECT CASE WHEN "mood" IS DISTINCT FROM NULL THEN pg_catalog.format('%s', "mood") END FROM "public"."Or""ders") TO STDOUT (FORMAT binary)"#
        );
    }

    #[test]
    fn a_projection_keeps_the_order_it_names() {
        let names = ["note".to_owned(), "id".to_owned()];
        let columns = table()
            .project(Some(&names))
            .map(|table| table.columns.into_iter().map(|column| column.name).collect::<Vec<_>>());
        assert_eq!(columns.ok(), Some(vec!["note".to_owned(), "id".to_owned()]));
    }

    #[test]
    fn a_missing_column_is_named_with_those_there_are() {
        let error = table().project(Some(&["nope".to_owned()])).err();
        let error = error.map(|error| (error.code, error.message));
        let message = "Table public.Or\"ders has no column nope; it has id, span, note.".to_owned();
        assert_eq!(error, Some(("column_not_found".to_owned(), message)));
    }
}
