//! What differs between a stream and its table, and what becomes of it: four axes, each with a policy.

use pgwire::identifier;
use sdk::{Category, Column, Error, NewColumn, NullabilityChange, RemovedColumn, Result, SchemaEvolution, TypeChange};

use crate::changes::FLAG;
use crate::target::{TargetColumn, TargetName};

/// One difference that the policies let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The table gets the column; the rows that it has get NULL.
    Add(Column),
    /// The column is not moved.
    Ignore { column: String },
    /// The table computes the column itself.
    Generated { column: String },
    /// The column gets what it has for rows that say nothing of it.
    Removed { column: String },
    /// The server casts values, and refuses those that it would change.
    Coerce { column: String, from: String, to: String },
    /// The column gets NULL.
    Null { column: String, from: String, to: String },
    /// NULL may come for a column that takes none: such a row is a bad row.
    Nullability { column: String },
    /// The table gets the column that tells which rows were deleted.
    Flag,
}

impl Change {
    /// What happens, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Change::Add(column) => format!("column {} ({}) will be added", column.name, column.type_name),
            Change::Ignore { column } => format!("column {column} is new at the source and is left out"),
            Change::Generated { column } => format!("column {column} is generated in the destination"),
            Change::Removed { column } => format!("column {column} is no longer moved and gets its default"),
            Change::Coerce { column, from, to } => format!("column {column} is cast from {from} to {to}"),
            Change::Null { column, from, to } => {
                format!("column {column} gets NULL, since {from} at the source is {to} in the destination")
            }
            Change::Flag => format!("column {FLAG} will be added, true for rows that are deleted at the source"),
            Change::Nullability { column } => {
                format!("column {column} may be NULL at the source and not in the destination")
            }
        }
    }
}

/// Compare a stream with its table. All that the policies refuse is told together.
pub(crate) fn compare(
    name: &TargetName,
    source: &[Column],
    existing: &[TargetColumn],
    policy: SchemaEvolution,
) -> Result<Vec<Change>> {
    let table = name.display_name();
    let mut found = Vec::new();
    for column in source {
        match existing.iter().find(|target| target.name == column.name) {
            None => found.push(of_new(&table, column, policy.new_column)),
            Some(target) if target.is_generated => {
                found.push(Ok(Change::Generated { column: column.name.clone() }));
            }
            Some(target) => {
                if target.type_name != column.type_name {
                    found.push(of_type(&table, column, target, policy.type_change));
                }
                if column.nullable && !target.is_nullable {
                    found.push(of_nullability(&table, column, policy.nullability_change));
                }
            }
        }
    }
    let is_gone = |target: &&TargetColumn| !target.is_generated && !source.iter().any(|c| c.name == target.name);
    found.extend(existing.iter().filter(is_gone).map(|target| of_removed(&table, target, policy.removed_column)));
    let (changes, refusals): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let refusals: Vec<Error> = refusals.into_iter().filter_map(Result::err).collect();
    match merged(refusals) {
        Some(error) => Err(error.detail("table", table)),
        None => Ok(changes.into_iter().filter_map(Result::ok).collect()),
    }
}

/// The first refusal, with the messages of all.
fn merged(refusals: Vec<Error>) -> Option<Error> {
    let message = refusals.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("\n");
    let first = refusals.into_iter().next()?;
    Some(Error { message, ..first })
}

fn of_new(table: &str, column: &Column, policy: NewColumn) -> Result<Change> {
    match policy {
        NewColumn::Add => Ok(Change::Add(column.clone())),
        NewColumn::Ignore => Ok(Change::Ignore { column: column.name.clone() }),
        NewColumn::Fail => {
            let message = format!(
                "Table {table} in the destination has no column {}; add it ({}), leave it out with `columns`, or set \
                 schema_evolution.new_column.",
                column.name,
                identifier_and_type(column)
            );
            refuse("column_missing", message, &column.name)
        }
    }
}

fn identifier_and_type(column: &Column) -> String {
    format!("{} {}", identifier(&column.name), column.type_name)
}

fn of_type(table: &str, column: &Column, target: &TargetColumn, policy: TypeChange) -> Result<Change> {
    let (name, from, to) = (column.name.clone(), column.type_name.clone(), target.type_name.clone());
    match policy {
        TypeChange::Coerce => Ok(Change::Coerce { column: name, from, to }),
        TypeChange::Null if target.is_nullable => Ok(Change::Null { column: name, from, to }),
        TypeChange::Null => {
            let message =
                format!("Column {name} of table {table} is {to}, not {from}, and takes no NULL in its place.");
            refuse("type_mismatch", message, &name)
        }
        TypeChange::Fail => {
            let message = format!(
                "Column {name} of table {table} is {from} at the source and {to} in the destination; alter one of \
                 them, or set schema_evolution.type_change."
            );
            refuse("type_mismatch", message, &name)
        }
    }
}

fn of_nullability(table: &str, column: &Column, policy: NullabilityChange) -> Result<Change> {
    match policy {
        NullabilityChange::Allow => Ok(Change::Nullability { column: column.name.clone() }),
        NullabilityChange::Fail => {
            let message = format!(
                "Column {} of table {table} is NOT NULL in the destination and may be NULL at the source; alter one of \
                 them, or set schema_evolution.nullability_change.",
                column.name
            );
            refuse("nullability_mismatch", message, &column.name)
        }
    }
}

fn of_removed(table: &str, target: &TargetColumn, policy: RemovedColumn) -> Result<Change> {
    let name = &target.name;
    if policy == RemovedColumn::Fail {
        let message = format!(
            "Column {name} of table {table} in the destination does not come from the source; drop it, or set \
             schema_evolution.removed_column."
        );
        return refuse("column_removed", message, name);
    }
    if target.is_required() {
        let message = format!(
            "Column {name} of table {table} in the destination does not come from the source, is NOT NULL and has no \
             default; give it one, or drop the constraint."
        );
        return refuse("column_required", message, name);
    }
    Ok(Change::Removed { column: name.clone() })
}

fn refuse(code: &str, message: String, column: &str) -> Result<Change> {
    Err(Error::new(Category::Schema, code, message).detail("column", column))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sdk::{Column, NewColumn, NullabilityChange, RemovedColumn, SchemaEvolution, TypeChange};

    use super::{Change, compare};
    use crate::target::{TargetColumn, TargetName};

    fn column(name: &str, type_name: &str, nullable: bool) -> Column {
        Column { name: name.into(), type_name: type_name.into(), nullable }
    }

    fn target(name: &str, type_name: &str, is_nullable: bool) -> TargetColumn {
        TargetColumn { is_nullable, ..TargetColumn::plain(name, type_name, 0) }
    }

    /// The changes, or the code of the refusal and the number of its lines.
    fn found(
        source: &[Column],
        existing: &[TargetColumn],
        policy: SchemaEvolution,
    ) -> Result<Vec<Change>, (String, usize)> {
        let name = TargetName { schema: "s".into(), table: "t".into() };
        compare(&name, source, existing, policy).map_err(|error| (error.code, error.message.lines().count()))
    }

    fn refused(code: &str) -> Result<Vec<Change>, (String, usize)> {
        Err((code.to_owned(), 1))
    }

    #[test]
    fn a_new_column_is_added_ignored_or_refused() {
        let source = [column("a", "text", true)];
        let with = |new_column| found(&source, &[], SchemaEvolution { new_column, ..Default::default() });
        assert_eq!(with(NewColumn::Add), Ok(vec![Change::Add(source[0].clone())]));
        assert_eq!(with(NewColumn::Ignore), Ok(vec![Change::Ignore { column: "a".into() }]));
        assert_eq!(with(NewColumn::Fail), refused("column_missing"));
    }

    #[test]
    fn a_removed_column_is_left_or_refused_and_must_do_without_a_value() {
        let with = |removed_column, is_nullable| {
            let policy = SchemaEvolution { removed_column, ..Default::default() };
            found(&[], &[target("a", "text", is_nullable)], policy)
        };
        assert_eq!(with(RemovedColumn::Ignore, true), Ok(vec![Change::Removed { column: "a".into() }]));
        assert_eq!(with(RemovedColumn::Ignore, false), refused("column_required"));
        assert_eq!(with(RemovedColumn::Fail, true), refused("column_removed"));
    }

    #[test]
    fn another_type_is_cast_made_null_or_refused() {
        let with = |type_change, is_nullable| {
            let policy = SchemaEvolution { type_change, ..Default::default() };
            found(&[column("a", "bigint", false)], &[target("a", "integer", is_nullable)], policy)
        };
        let (column, from, to) = (|| "a".to_owned(), || "bigint".to_owned(), || "integer".to_owned());
        let coerce = Change::Coerce { column: column(), from: from(), to: to() };
        assert_eq!(with(TypeChange::Coerce, false), Ok(vec![coerce]));
        let null = Change::Null { column: column(), from: from(), to: to() };
        assert_eq!(with(TypeChange::Null, true), Ok(vec![null]));
        assert_eq!(with(TypeChange::Null, false), refused("type_mismatch"));
        assert_eq!(with(TypeChange::Fail, true), refused("type_mismatch"));
    }

    #[test]
    fn null_for_a_column_that_takes_none_is_allowed_or_refused() {
        let with = |nullability_change| {
            let policy = SchemaEvolution { nullability_change, ..Default::default() };
            found(&[column("a", "text", true)], &[target("a", "text", false)], policy)
        };
        assert_eq!(with(NullabilityChange::Allow), Ok(vec![Change::Nullability { column: "a".into() }]));
        assert_eq!(with(NullabilityChange::Fail), refused("nullability_mismatch"));
    }

    #[test]
    fn generated_columns_are_left_to_the_table_and_equal_ones_are_no_change() {
        let generated = TargetColumn { is_generated: true, ..target("a", "integer", false) };
        let expected = Ok(vec![Change::Generated { column: "a".into() }]);
        assert_eq!(
            found(&[column("a", "text", true)], std::slice::from_ref(&generated), SchemaEvolution::default()),
            expected
        );
        assert_eq!(found(&[], &[generated], SchemaEvolution::default()), Ok(vec![]));
        let same = [column("a", "text", true)];
        assert_eq!(found(&same, &[target("a", "text", true)], SchemaEvolution::default()), Ok(vec![]));
    }

    /// Columns of few names and types, so that they often meet.
    fn columns() -> impl Strategy<Value = Vec<(String, String, bool)>> {
        let column = (prop_oneof!["a", "b", "c"], prop_oneof!["text", "integer"], any::<bool>());
        proptest::collection::vec(column, 0..4).prop_map(|mut columns| {
            columns.sort();
            columns.dedup_by(|left, right| left.0 == right.0);
            columns
        })
    }

    fn policies() -> impl Strategy<Value = SchemaEvolution> {
        let new_column = prop_oneof![Just(NewColumn::Add), Just(NewColumn::Ignore), Just(NewColumn::Fail)];
        let removed_column = prop_oneof![Just(RemovedColumn::Ignore), Just(RemovedColumn::Fail)];
        let type_change = prop_oneof![Just(TypeChange::Coerce), Just(TypeChange::Fail), Just(TypeChange::Null)];
        let nullability_change = prop_oneof![Just(NullabilityChange::Allow), Just(NullabilityChange::Fail)];
        (new_column, removed_column, type_change, nullability_change).prop_map(
            |(new_column, removed_column, type_change, nullability_change)| SchemaEvolution {
                new_column,
                removed_column,
                type_change,
                nullability_change,
            },
        )
    }

    /// The policies that let pass whatever can pass at all.
    const LENIENT: SchemaEvolution = SchemaEvolution {
        new_column: NewColumn::Ignore,
        removed_column: RemovedColumn::Ignore,
        type_change: TypeChange::Coerce,
        nullability_change: NullabilityChange::Allow,
    };

    proptest! {
        #[test]
        fn the_axes_are_independent(source in columns(), existing in columns(), policy in policies()) {
            let source: Vec<Column> = source.iter().map(|(name, kind, nullable)| column(name, kind, *nullable)).collect();
            let existing: Vec<_> = existing.iter().map(|(name, kind, nullable)| target(name, kind, *nullable)).collect();
            let with = |policy| found(&source, &existing, policy);
            let lines = |policy: SchemaEvolution| with(policy).err().map_or(0, |(_, lines)| lines);
            let axes = [
                SchemaEvolution { new_column: policy.new_column, ..LENIENT },
                SchemaEvolution { removed_column: policy.removed_column, ..LENIENT },
                SchemaEvolution { type_change: policy.type_change, ..LENIENT },
                SchemaEvolution { nullability_change: policy.nullability_change, ..LENIENT },
            ];
            let never = lines(LENIENT); // what no policy lets pass: a column that must have a value, and gets none
            prop_assert_eq!(lines(policy), never + axes.iter().map(|axis| lines(*axis) - never).sum::<usize>());
            if let Ok(changes) = with(policy) {
                prop_assert_eq!(changes.len(), with(LENIENT).map_or(0, |changes| changes.len()));
            }
        }

        #[test]
        fn a_table_that_was_made_from_the_stream_differs_in_nothing(source in columns(), policy in policies()) {
            let made: Vec<_> = source.iter().map(|(name, kind, nullable)| target(name, kind, *nullable)).collect();
            let source: Vec<Column> = source.iter().map(|(name, kind, nullable)| column(name, kind, *nullable)).collect();
            prop_assert_eq!(found(&source, &made, policy), Ok(vec![]));
        }
    }

    #[test]
    fn all_refusals_are_told_together() {
        let source = [column("a", "text", true), column("b", "text", true)];
        let policy = SchemaEvolution { new_column: NewColumn::Fail, ..Default::default() };
        assert_eq!(found(&source, &[], policy), Err(("column_missing".to_owned(), 2)));
    }
}
