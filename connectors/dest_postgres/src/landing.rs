//! How loaded rows meet those of the table: the statements before and after a load, by write mode.

use pgwire::{Connection, identifier, oid};
use sdk::{Category, Error, Result, Socket, WriteMode};

use crate::key;
use crate::plan::{Cast, Plan, PlannedColumn, cast};
use crate::prepared::Prepared;

/// What becomes of the rows that the table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They stay.
    Append,
    /// They go first. Readers see them up to the commit, since DELETE, unlike TRUNCATE, respects their snapshots.
    Replace,
    /// A foreign key refers to them by these columns: those that come again stay in place, the others go. `equality` has
    /// for each of them the operator by which its values are the same.
    Merge { key: Vec<String>, equality: Vec<String> },
    /// Those with the key of a new row take its values. `is_unique`: no key comes twice.
    Upsert { key: Vec<String>, is_unique: bool },
}

impl Way {
    /// The way of a stream into its table, which exists.
    pub(crate) fn of(connection: &mut Connection<Socket>, prepared: &Prepared) -> Result<Way> {
        Ok(match prepared.mode {
            WriteMode::Append => Way::Append,
            WriteMode::Replace => match key::referenced(connection, &prepared.name)? {
                Some(referenced) => Way::Merge { key: referenced.columns, equality: referenced.equality },
                None => Way::Replace,
            },
            WriteMode::Upsert => Way::Upsert { key: prepared.key.clone(), is_unique: prepared.is_unique_at_source },
        })
    }
}

impl Plan {
    /// What must happen in the transaction before rows are loaded.
    pub(crate) fn clearing_statement(&self) -> Option<String> {
        (self.way == Way::Replace).then(|| format!("DELETE FROM {}", self.table))
    }

    /// Finds out whether a key among the staged rows is NULL, where the table would let it in.
    pub(crate) fn null_key_query(&self) -> Option<String> {
        let Way::Upsert { key, .. } = &self.way else {
            return None;
        };
        let nullable: Vec<_> = self
            .columns
            .iter()
            .filter(|column| column.target.is_nullable && key.contains(&column.target.name))
            .map(|column| format!("{} IS NULL", identifier(&column.target.name)))
            .collect();
        (!nullable.is_empty()).then(|| format!("SELECT 1 FROM {} WHERE {} LIMIT 1", self.stage, nullable.join(" OR ")))
    }

    /// For each column of another type a query that finds a value which the cast would change.
    pub(crate) fn coercion_queries(&self) -> Vec<(String, String)> {
        self.coercions_of(&self.stage)
    }

    /// The same for rows that are staged elsewhere.
    pub(crate) fn coercions_of(&self, stage: &str) -> Vec<(String, String)> {
        let of_column = |column: &PlannedColumn| {
            let Cast::Coerce { source, .. } = &column.cast else {
                return None;
            };
            let name = identifier(&column.target.name);
            let there_and_back = format!("{}::{source}::pg_catalog.text", cast(column, name.clone()));
            let query = format!(
                "SELECT 1 FROM {stage} WHERE {there_and_back} IS DISTINCT FROM {name}::{source}::pg_catalog.text LIMIT 1"
            );
            Some((column.target.name.clone(), query))
        };
        self.columns.iter().filter_map(of_column).collect()
    }

    /// Takes away what did not come again.
    pub(crate) fn pruning_statement(&self) -> Option<String> {
        let Way::Merge { key, equality } = &self.way else {
            return None;
        };
        let same = key.iter().zip(equality).filter_map(|(key, operator)| {
            let column = self.columns.iter().find(|column| column.target.name == *key)?;
            let name = identifier(key);
            Some(format!("{} {operator} old.{name}", cast(column, format!("new.{name}"))))
        });
        let same = same.collect::<Vec<_>>().join(" AND ");
        let (table, stage) = (&self.table, &self.stage);
        Some(format!("DELETE FROM {table} AS old WHERE NOT EXISTS (SELECT 1 FROM {stage} AS new WHERE {same})"))
    }

    /// Move what was staged into the table, cast by the server. The order of a fresh stage is that of its arrival.
    pub(crate) fn unstage_statement(&self) -> String {
        let values = self.columns.iter().map(|column| cast(column, identifier(&column.target.name)));
        let values = values.collect::<Vec<_>>().join(", ");
        let (distinct, order) = match &self.way {
            Way::Upsert { key, is_unique: false } => {
                let key = self.key_columns(key).map(|column| cast(column, identifier(&column.target.name)));
                let key = key.collect::<Vec<_>>().join(", ");
                (format!("DISTINCT ON ({key}) "), format!(" ORDER BY {key}, ctid DESC"))
            }
            _ => (String::new(), String::new()),
        };
        format!(
            "INSERT INTO {} {} OVERRIDING SYSTEM VALUE SELECT {distinct}{values} FROM {}{order}{}",
            self.table,
            self.column_list(),
            self.stage,
            self.on_conflict()
        )
    }

    fn on_conflict(&self) -> String {
        let (Way::Merge { key, .. } | Way::Upsert { key, .. }) = &self.way else {
            return String::new();
        };
        let names = |columns: &[&PlannedColumn]| columns.iter().map(|c| identifier(&c.target.name)).collect::<Vec<_>>();
        let is_key = |column: &&PlannedColumn| key.contains(&column.target.name);
        let keys = names(&self.columns.iter().filter(is_key).collect::<Vec<_>>()).join(", ");
        let is_set = |column: &&PlannedColumn| !is_key(column) || !is_same_where_equal(column.target.type_oid);
        let set: Vec<_> = self.columns.iter().filter(is_set).collect();
        if set.is_empty() {
            return format!(" ON CONFLICT ({keys}) DO NOTHING");
        }
        let settings: Vec<_> = names(&set).iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", settings.join(", "))
    }

    fn key_columns<'a>(&'a self, key: &'a [String]) -> impl Iterator<Item = &'a PlannedColumn> {
        self.columns.iter().filter(|column| key.contains(&column.target.name))
    }

    /// Bring staged rows into the table; the number of them, where each must have arrived.
    pub(crate) fn land(&self, connection: &mut Connection<Socket>) -> Result<Option<u64>> {
        if let Some(query) = self.null_key_query()
            && !connection.query(&query, &[])?.is_empty()
        {
            let message = format!("A row for {} has NULL in its key; upsert cannot tell which row it is.", self.table);
            return Err(Error::new(Category::Data, "null_key", message));
        }
        for (column, query) in self.coercion_queries() {
            if !connection.query(&query, &[])?.is_empty() {
                let message = format!("A value of column {column} for {} would be changed by the cast.", self.table);
                return Err(Error::new(Category::Data, "value_changed", message).detail("column", column));
            }
        }
        if let Some(statement) = self.pruning_statement() {
            connection.execute(&format!("ANALYZE {}", self.stage))?;
            connection.execute(&statement)?;
        }
        let landed = connection.execute_counted(&self.unstage_statement())?;
        Ok(matches!(self.way, Way::Append | Way::Replace).then_some(landed))
    }
}

/// Whether values of a type that are equal are the same, unlike 1.0 and 1.00, or a day and 24 hours: a row that takes
/// the place of another would else keep the old one's key.
pub(crate) fn is_same_where_equal(type_oid: u32) -> bool {
    matches!(
        type_oid,
        oid::BOOL
            | oid::BYTEA
            | oid::INT2
            | oid::INT4
            | oid::INT8
            | oid::TEXT
            | oid::VARCHAR
            | oid::DATE
            | oid::TIME
            | oid::TIMESTAMP
            | oid::TIMESTAMPTZ
            | oid::UUID
    )
}

#[cfg(test)]
mod tests {
    use pgwire::oid;

    use super::Way;
    use crate::encode::Encoding;
    use crate::plan::{Cast, Plan, PlannedColumn};
    use crate::target::TargetColumn;

    fn plan(way: Way) -> Plan {
        let column = |name: &str, (type_name, oid): (&str, u32), encoding: Encoding, is_nullable: bool| PlannedColumn {
            place: 0,
            encoding,
            target: TargetColumn { is_nullable, ..TargetColumn::plain(name, type_name, oid) },
            cast: if encoding == Encoding::CastFromText { Cast::FromText } else { Cast::None },
        };
        let columns = vec![
            column("id", ("integer", oid::INT4), Encoding::Int32, false),
            column("span", ("interval", 1186), Encoding::CastFromText, true),
            column("note", ("text", oid::TEXT), Encoding::Text, true),
        ];
        Plan { table: r#""s"."t""#.into(), stage: "pg_temp.rapidbyte_stage_0".into(), columns, way }
    }

    fn key(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    const INSERT: &str = r#"INSERT INTO "s"."t" ("id", "span", "note") OVERRIDING SYSTEM VALUE SELECT "#;

    #[test]
    fn staged_rows_are_cast_on_their_way() {
        let plan = plan(Way::Append);
        let expected = format!(r#"{INSERT}"id", "span"::interval, "note" FROM pg_temp.rapidbyte_stage_0"#);
        assert_eq!(plan.unstage_statement(), expected);
        assert_eq!((plan.clearing_statement(), plan.pruning_statement(), plan.null_key_query()), (None, None, None));
    }

    #[test]
    fn a_replaced_table_is_emptied_by_delete() {
        assert_eq!(plan(Way::Replace).clearing_statement().as_deref(), Some(r#"DELETE FROM "s"."t""#));
    }

    #[test]
    fn the_last_of_several_rows_with_one_key_wins() {
        let statement = plan(Way::Upsert { key: key(&["id", "span"]), is_unique: false }).unstage_statement();
        let expected = format!(
            r#"{INSERT}DISTINCT ON ("id", "span"::interval) "id", "span"::interval, "note" FROM pg_temp.rapidbyte_stage_0 ORDER BY "id", "span"::interval, ctid DESC ON CONFLICT ("id", "span") DO UPDATE SET "span" = EXCLUDED."span", "note" = EXCLUDED."note""#
        );
        assert_eq!(statement, expected);
    }

    #[test]
    fn of_a_key_of_all_columns_only_what_can_be_equal_and_differ_is_updated() {
        let mut plan = plan(Way::Upsert { key: key(&["id", "span", "note"]), is_unique: true });
        let update = r#" ON CONFLICT ("id", "span", "note") DO UPDATE SET "span" = EXCLUDED."span""#;
        assert!(plan.unstage_statement().ends_with(update));
        plan.columns.remove(1);
        let nothing = r#"FROM pg_temp.rapidbyte_stage_0 ON CONFLICT ("id", "note") DO NOTHING"#;
        assert!(plan.unstage_statement().ends_with(nothing));
        assert_eq!(
            plan.null_key_query().as_deref(),
            Some(r#"SELECT 1 FROM pg_temp.rapidbyte_stage_0 WHERE "note" IS NULL LIMIT 1"#)
        );
    }

    #[test]
    fn rows_that_are_referred_to_stay_when_they_come_again() {
        let equality = vec!["OPERATOR(pg_catalog.=)".to_owned()];
        let plan = plan(Way::Merge { key: key(&["id"]), equality });
        assert_eq!(plan.clearing_statement(), None);
        assert_eq!(
            plan.pruning_statement().as_deref(),
            Some(
                r#"DELETE FROM "s"."t" AS old WHERE NOT EXISTS (SELECT 1 FROM pg_temp.rapidbyte_stage_0 AS new WHERE new."id" OPERATOR(pg_catalog.=) old."id")"#
            )
        );
        let update = r#"ON CONFLICT ("id") DO UPDATE SET "span" = EXCLUDED."span", "note" = EXCLUDED."note""#;
        assert!(plan.unstage_statement().ends_with(update));
    }
}
