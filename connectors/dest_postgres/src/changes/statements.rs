//! What changes come to, as statements: rows wait in a stage of their stream's own, from where the table takes them.

use std::collections::BTreeSet;

use pgwire::identifier;

use super::{Deletes, EventPlan, FLAG};
use crate::landing::is_same_where_equal;
use crate::plan::{Plan, PlannedColumn, cast, sent_type};

/// What becomes of staged rows, by the number of their part: those of several changes may wait in one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// They come.
    pub(crate) rows: i32,
    /// Rows with their keys go before others come.
    pub(crate) gone: i32,
    /// Rows with their keys go after that.
    pub(crate) left: i32,
}

impl Parts {
    /// The parts of the `number`-th time that something is staged.
    pub(crate) fn of(number: i32) -> Parts {
        let first = number * 3;
        Parts { rows: first, gone: first + 1, left: first + 2 }
    }
}

/// A byte for each column of a row: 1 where its value is in the table. NULL where all are told.
const KEPT: &str = "\"_rb_kept\"";
const PART: &str = "\"_rb_part\"";

/// The statements of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statements {
    stage: String,
    plan: Plan,
    /// The columns of the key, by their places in the plan.
    key: Vec<usize>,
    deletes: Deletes,
}

impl Statements {
    pub(crate) fn new(stream: usize, plan: &Plan, events: &EventPlan, deletes: Deletes) -> Statements {
        let stage = format!("rapidbyte_changes_{stream}");
        Statements { stage, plan: plan.clone(), key: events.key.clone(), deletes }
    }

    fn staged(&self) -> String {
        format!("pg_temp.{}", self.stage)
    }

    /// Make the stage, whatever was left of an earlier one.
    pub(crate) fn create_stage(&self) -> String {
        let own = self.plan.columns.iter().map(|column| (identifier(&column.target.name), sent_type(column)));
        let from = self.key_columns().zip(1..).map(|(column, number)| (from_name(number), sent_type(column)));
        let columns = own.chain(from).map(|(name, type_name)| format!("{name} {type_name}"));
        format!(
            "DROP TABLE IF EXISTS pg_temp.{stage}; CREATE TEMPORARY TABLE {stage} ({}, {KEPT} pg_catalog.bytea, \
             {PART} pg_catalog.int4) ON COMMIT DELETE ROWS",
            columns.collect::<Vec<_>>().join(", "),
            stage = self.stage
        )
    }

    pub(crate) fn empty_stage(&self) -> String {
        format!("TRUNCATE {}", self.staged())
    }

    pub(crate) fn copy_to_stage(&self) -> String {
        format!("COPY {} FROM STDIN (FORMAT binary)", self.staged())
    }

    /// For each column of another type a query that finds a value which the cast would change.
    pub(crate) fn coercions(&self) -> Vec<(String, String)> {
        self.plan.coercions_of(&self.staged())
    }

    /// Take all rows away.
    pub(crate) fn clear(&self) -> String {
        match self.deletes {
            Deletes::Hard => format!("DELETE FROM {}", self.plan.table),
            Deletes::Flag => format!("UPDATE {} SET \"{FLAG}\" = true WHERE NOT \"{FLAG}\"", self.plan.table),
        }
    }

    /// Take rows away whose keys are staged as `part`.
    pub(crate) fn delete(&self, part: i32) -> String {
        let (table, staged, same) = (&self.plan.table, self.staged(), self.is_key_of(&self.own_names()));
        match self.deletes {
            Deletes::Hard => {
                format!("DELETE FROM {table} AS old USING {staged} AS new WHERE new.{PART} = {part} AND {same}")
            }
            Deletes::Flag => format!(
                "UPDATE {table} AS old SET \"{FLAG}\" = true FROM {staged} AS new WHERE new.{PART} = {part} AND {same} \
                 AND NOT old.\"{FLAG}\""
            ),
        }
    }

    /// Finds a row that needs a value of the table's, which does not have it.
    pub(crate) fn missing(&self, part: i32) -> String {
        format!(
            "SELECT 1 FROM {} AS new WHERE new.{PART} = {part} AND new.{KEPT} IS NOT NULL \
             AND NOT EXISTS (SELECT FROM {} AS old WHERE {}) LIMIT 1",
            self.staged(),
            self.plan.table,
            self.is_source()
        )
    }

    /// Bring the staged rows; those of `kept` have values in the table.
    pub(crate) fn upsert(&self, part: i32, kept: &BTreeSet<usize>) -> String {
        let values = self.plan.columns.iter().enumerate().map(|(place, column)| {
            let name = identifier(&column.target.name);
            let value = cast(column, format!("new.{name}"));
            if kept.contains(&place) {
                format!("CASE WHEN pg_catalog.get_byte(new.{KEPT}, {place}) = 1 THEN old.{name} ELSE {value} END")
            } else {
                value
            }
        });
        let flag = (self.deletes == Deletes::Flag).then(|| "false".to_owned());
        let values = values.chain(flag).collect::<Vec<_>>().join(", ");
        let join = if kept.is_empty() {
            String::new()
        } else {
            format!(" LEFT JOIN {} AS old ON {}", self.plan.table, self.is_source())
        };
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {} AS new{join} WHERE new.{PART} = {part}{}",
            self.plan.table,
            self.written_names().join(", "),
            self.staged(),
            self.on_conflict()
        )
    }

    /// Change the one staged row where it is, with its key; the columns of `kept` stay as they are.
    pub(crate) fn move_in_place(&self, part: i32, kept: &BTreeSet<usize>) -> String {
        let told = self.plan.columns.iter().enumerate().filter(|(place, _)| !kept.contains(place));
        let settings = told.map(|(_, column)| {
            let name = identifier(&column.target.name);
            format!("{name} = {}", cast(column, format!("new.{name}")))
        });
        format!(
            "UPDATE {} AS old SET {} FROM {} AS new WHERE new.{PART} = {part} AND {}",
            self.plan.table,
            settings.collect::<Vec<_>>().join(", "),
            self.staged(),
            self.is_source()
        )
    }

    /// Whether a key can be changed where it is: not that of a flagged row, which stays, and not one that the database
    /// gives out itself.
    pub(crate) fn can_move_in_place(&self) -> bool {
        self.deletes == Deletes::Hard && !self.key_columns().any(|column| column.target.is_always_given)
    }

    fn on_conflict(&self) -> String {
        let keys = self.own_names().join(", ");
        let is_set = |(place, column): &(usize, &PlannedColumn)| {
            !(self.key.contains(place) && is_same_where_equal(column.target.type_oid))
        };
        let set = self.plan.columns.iter().enumerate().filter(is_set);
        let names = set.map(|(_, column)| identifier(&column.target.name));
        let flag = (self.deletes == Deletes::Flag).then(|| format!("\"{FLAG}\""));
        let settings: Vec<_> = names.chain(flag).map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        if settings.is_empty() {
            return format!(" ON CONFLICT ({keys}) DO NOTHING");
        }
        format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", settings.join(", "))
    }

    fn written_names(&self) -> Vec<String> {
        let flag = (self.deletes == Deletes::Flag).then(|| format!("\"{FLAG}\""));
        self.plan.columns.iter().map(|column| identifier(&column.target.name)).chain(flag).collect()
    }

    fn key_columns(&self) -> impl Iterator<Item = &PlannedColumn> {
        self.key.iter().filter_map(|place| self.plan.columns.get(*place))
    }

    fn own_names(&self) -> Vec<String> {
        self.key_columns().map(|column| identifier(&column.target.name)).collect()
    }

    /// Whether `old` is the row that `new` takes values from: one that is not deleted.
    fn is_source(&self) -> String {
        let from: Vec<_> = (1..=self.key.len()).map(from_name).collect();
        let same = self.is_key_of(&from);
        if self.deletes == Deletes::Flag { format!("{same} AND NOT old.\"{FLAG}\"") } else { same }
    }

    /// Whether the key of `old` is what `new` has under these names.
    fn is_key_of(&self, names: &[String]) -> String {
        let same = self.key_columns().zip(names).map(|(column, name)| {
            let value = cast(column, format!("new.{name}"));
            format!("old.{} = {value}", identifier(&column.target.name))
        });
        same.collect::<Vec<_>>().join(" AND ")
    }
}

fn from_name(number: usize) -> String {
    format!("\"_rb_from_{number}\"")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pgwire::oid;

    use super::{Parts, Statements};
    use crate::changes::Deletes;
    use crate::encode::Encoding;
    use crate::landing::Way;
    use crate::plan::{Cast, Plan, PlannedColumn};
    use crate::target::TargetColumn;

    fn statements(deletes: Deletes) -> Statements {
        let column = |place, name: &str, (type_name, oid): (&str, u32), encoding| PlannedColumn {
            place,
            encoding,
            target: TargetColumn::plain(name, type_name, oid),
            cast: if encoding == Encoding::CastFromText { Cast::FromText } else { Cast::None },
        };
        let columns = vec![
            column(0, "id", ("integer", oid::INT4), Encoding::Int32),
            column(1, "span", ("interval", 1186), Encoding::CastFromText),
        ];
        let plan = Plan { table: r#""s"."t""#.into(), stage: String::new(), columns, way: Way::Append };
        Statements { stage: "stage".into(), plan, key: vec![0], deletes }
    }

    const FLAGGED: &str = r#""_rb_deleted""#;

    #[test]
    fn rows_are_staged_with_the_keys_they_come_from() {
        let expected = r#"DROP TABLE IF EXISTS pg_temp.stage; CREATE TEMPORARY TABLE stage ("id" integer, "span" pg_catalog.text, "_rb_from_1" integer, "_rb_kept" pg_catalog.bytea, "_rb_part" pg_catalog.int4) ON COMMIT DELETE ROWS"#;
        assert_eq!(statements(Deletes::Hard).create_stage(), expected);
    }

    #[test]
    fn whole_rows_need_no_look_at_the_table() {
        let expected = r#"INSERT INTO "s"."t" ("id", "span") OVERRIDING SYSTEM VALUE SELECT new."id", new."span"::interval FROM pg_temp.stage AS new WHERE new."_rb_part" = 0 ON CONFLICT ("id") DO UPDATE SET "span" = EXCLUDED."span""#;
        assert_eq!(statements(Deletes::Hard).upsert(0, &BTreeSet::new()), expected);
    }

    #[test]
    fn what_is_not_told_is_taken_from_a_row_that_is_not_deleted() {
        let kept = BTreeSet::from([1]);
        let value =
            r#"CASE WHEN pg_catalog.get_byte(new."_rb_kept", 1) = 1 THEN old."span" ELSE new."span"::interval END"#;
        let join = r#"FROM pg_temp.stage AS new LEFT JOIN "s"."t" AS old ON old."id" = new."_rb_from_1""#;
        let hard = statements(Deletes::Hard).upsert(0, &kept);
        assert!(hard.contains(&format!(r#"SELECT new."id", {value} {join} WHERE"#)), "{hard}");
        let flag = statements(Deletes::Flag).upsert(0, &kept);
        assert!(flag.contains(&format!(r#"{value}, false {join} AND NOT old.{FLAGGED} WHERE"#)), "{flag}");
        assert!(flag.ends_with(&format!("{FLAGGED} = EXCLUDED.{FLAGGED}")), "{flag}");
        let moved = r#"UPDATE "s"."t" AS old SET "id" = new."id" FROM pg_temp.stage AS new WHERE new."_rb_part" = 0 AND old."id" = new."_rb_from_1""#;
        assert_eq!(statements(Deletes::Hard).move_in_place(0, &kept), moved);
    }

    #[test]
    fn rows_that_go_are_deleted_or_flagged() {
        let hard =
            r#"DELETE FROM "s"."t" AS old USING pg_temp.stage AS new WHERE new."_rb_part" = 1 AND old."id" = new."id""#;
        assert_eq!(statements(Deletes::Hard).delete(Parts::of(0).gone), hard);
        let flag = r#"UPDATE "s"."t" AS old SET "_rb_deleted" = true FROM pg_temp.stage AS new WHERE new."_rb_part" = 1 AND old."id" = new."id" AND NOT old."_rb_deleted""#;
        assert_eq!(statements(Deletes::Flag).delete(Parts::of(0).gone), flag);
        let clear = r#"UPDATE "s"."t" SET "_rb_deleted" = true WHERE NOT "_rb_deleted""#;
        assert_eq!(statements(Deletes::Flag).clear(), clear);
    }

    #[test]
    fn a_key_moves_in_place_where_it_may_be_set_and_nothing_stays_under_it() {
        assert!(statements(Deletes::Hard).can_move_in_place());
        assert!(!statements(Deletes::Flag).can_move_in_place());
        let mut given = statements(Deletes::Hard);
        given.plan.columns[0].target.is_always_given = true;
        assert!(!given.can_move_in_place());
    }
}
