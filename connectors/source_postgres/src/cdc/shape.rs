//! What the rows of a stream look like from some place of the log on, as the server says before it sends changes of them.

use pgwire::pgoutput::{Relation, RelationColumn};
use pgwire::{Connection, oid};
use sdk::{Category, Error, Result, Socket};

use super::event::{Purpose, events_of};
use super::identity::with_identity;
use super::watch::table_now;
use crate::catalog;
use crate::prepared::Prepared;
use crate::table::{Table, TableColumn};

/// The columns that changes of a stream have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Those of the table that are moved.
    pub(crate) table: Table,
    /// Those of the events.
    pub(crate) events: Table,
    /// Not older than what the stream was prepared as, so that the policies of schema evolution are asked about it.
    pub(crate) is_judged: bool,
}

impl Shape {
    /// What the stream was prepared as.
    pub(crate) fn of_prepared(prepared: &Prepared) -> Shape {
        let table = prepared.captured.as_ref().unwrap_or(&prepared.table).clone();
        Shape { table, events: prepared.table.clone(), is_judged: true }
    }

    /// What changes have that are older than what the stream was prepared as, or are of that.
    pub(crate) fn earlier(reader: &mut Connection<Socket>, relation: &Relation, prepared: &Prepared) -> Result<Shape> {
        let known = Shape::of_prepared(prepared);
        let told = told(relation, prepared);
        if is_of(&known.table.columns, &told) {
            return Ok(known);
        }
        let columns = described(reader, &told, &known.table.columns)?;
        let table = Table { columns, ..known.table };
        require_key(&table, prepared.purpose)?;
        Ok(Shape { events: events_of(&table, prepared.purpose)?, table, is_judged: false })
    }

    /// What changes have that are newer than what the stream was prepared as. The table is looked up again: what it must
    /// be for its changes to be read, it must be still.
    pub(crate) fn later(reader: &mut Connection<Socket>, relation: &Relation, prepared: &Prepared) -> Result<Shape> {
        let request = &prepared.request;
        let found = table_now(reader, prepared)?;
        let found = with_identity(reader, request, found)?;
        // It may have changed once more since. Columns that the server computes are not sent.
        let all: Vec<_> = relation.columns.iter().collect();
        let mut now = Table { columns: described(reader, &all, &found.columns)?, ..found };
        let is_there = |name: &String| now.columns.iter().any(|column| column.name == *name);
        if !now.primary_key.iter().all(is_there) {
            let flagged = relation.columns.iter().filter(|column| column.is_key);
            now.primary_key = flagged.map(|column| column.name.clone()).collect();
        }
        let Prepared { table: events, captured, .. } = Prepared::new(request, now)?;
        let table = captured.unwrap_or_else(|| events.clone());
        Ok(Shape { table, events, is_judged: true })
    }

    /// Whether rows of the one are rows of the other.
    pub(crate) fn is_same(&self, other: &Shape) -> bool {
        self.is_judged == other.is_judged
            && self.events.columns == other.events.columns
            && self.table.primary_key == other.table.primary_key
    }
}

/// The columns that are moved, in their order.
fn told<'a>(relation: &'a Relation, prepared: &Prepared) -> Vec<&'a RelationColumn> {
    match &prepared.request.columns {
        None => relation.columns.iter().collect(),
        Some(names) => {
            let find = |name: &String| relation.columns.iter().find(|column| column.name == *name);
            names.iter().filter_map(find).collect()
        }
    }
}

fn is_of(columns: &[TableColumn], told: &[&RelationColumn]) -> bool {
    columns.len() == told.len() && columns.iter().zip(told).all(|(column, told)| is_column(column, told))
}

fn is_column(column: &TableColumn, told: &RelationColumn) -> bool {
    (column.name.as_str(), column.type_oid, column.type_modifier)
        == (told.name.as_str(), told.type_oid, told.type_modifier)
}

/// Columns with their types by name. A type that was dropped since has left its values as text.
fn described(
    reader: &mut Connection<Socket>,
    told: &[&RelationColumn],
    known: &[TableColumn],
) -> Result<Vec<TableColumn>> {
    let mut columns = Vec::new();
    for told in told {
        if let Some(column) = known.iter().find(|column| is_column(column, told)) {
            columns.push(column.clone());
            continue;
        }
        let found = catalog::type_name(reader, told.type_oid, told.type_modifier)?;
        let (type_name, type_oid, type_modifier) = match found {
            Some(name) => (name, told.type_oid, told.type_modifier),
            None => ("text".to_owned(), oid::TEXT, -1),
        };
        let name = told.name.clone();
        columns.push(TableColumn {
            name,
            type_name,
            type_oid,
            type_modifier,
            is_nullable: true,
            is_deterministic: true,
        });
    }
    Ok(columns)
}

/// Changes that are applied tell rows apart by their key, which they do not have where it is newer than they are.
fn require_key(table: &Table, purpose: Purpose) -> Result<()> {
    let is_there = |name: &&String| table.columns.iter().any(|column| column.name == **name);
    let missing = table.primary_key.iter().find(|name| !is_there(name)).filter(|_| purpose == Purpose::Apply);
    let Some(name) = missing else {
        return Ok(());
    };
    let message = format!(
        "Changes of {} come from before its key had a column {name}, and cannot be applied by that; drop its table in the \
         destination, so that it is copied anew.",
        table.display_name()
    );
    Err(Error::new(Category::Schema, "key_changed", message).detail("stream", table.display_name()))
}

#[cfg(test)]
mod tests {
    use pgwire::oid;
    use pgwire::pgoutput::RelationColumn;

    use super::{Shape, is_of, require_key};
    use crate::cdc::event::Purpose;
    use crate::samples;

    fn told(name: &str, type_oid: u32, type_modifier: i32) -> RelationColumn {
        RelationColumn { name: name.into(), type_oid, type_modifier, is_key: false }
    }

    #[test]
    fn columns_are_those_of_a_table_by_name_type_and_modifier_in_their_order() {
        let columns = [samples::column("a", "integer", oid::INT4), samples::column("b", "text", oid::TEXT)];
        let (a, b) = (told("a", oid::INT4, -1), told("b", oid::TEXT, -1));
        assert!(is_of(&columns, &[&a, &b]));
        assert!(!is_of(&columns, &[&b, &a]));
        assert!(!is_of(&columns, &[&a]));
        assert!(!is_of(&columns, &[&told("a", oid::INT8, -1), &b]));
        assert!(!is_of(&columns, &[&a, &told("b", oid::TEXT, 9)]));
    }

    #[test]
    fn a_shape_is_another_where_its_columns_or_its_key_are_or_the_policies_are_asked() {
        let table = samples::table(&[("a", "integer", oid::INT4)], &["a"]);
        let shape = Shape { events: table.clone(), table, is_judged: true };
        let mut grown = shape.clone();
        grown.table.estimated_rows = Some(7);
        assert!(shape.is_same(&grown));
        assert!(!shape.is_same(&Shape { is_judged: false, ..shape.clone() }));
        let mut other = shape.clone();
        other.table.primary_key.clear();
        assert!(!shape.is_same(&other));
        let mut nullable = shape.clone();
        nullable.events.columns[0].is_nullable = false;
        assert!(!shape.is_same(&nullable));
    }

    #[test]
    fn changes_without_their_key_are_not_applied() {
        let table = samples::table(&[("a", "integer", oid::INT4)], &["b"]);
        let code = |purpose| require_key(&table, purpose).err().map(|error| error.code);
        assert_eq!(code(Purpose::Append), None);
        assert_eq!(code(Purpose::Apply).as_deref(), Some("key_changed"));
    }
}
