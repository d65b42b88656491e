//! The order in which changes reach tables that refer to each other.
//!
//! What a row refers to must be there before it and go after it, and what deletes or changes it may take others along. So
//! the changes of such tables are cut, in the order of their commits, where one of another kind comes; within a cut only
//! the order of the tables matters. Tables that refer to nothing, and to which nothing refers, have no order.

use std::collections::BTreeMap;

use pgwire::Connection;
use sdk::{Result, Socket};

use super::event::Place;
use super::net::Operation;
use crate::target::TargetName;

/// By table, those that it refers to; and whether some table refers to it.
const REFERENCES: &str = "\
    SELECT c.confrelid = t.oid, f.relname, n.nspname FROM (SELECT $1::pg_catalog.regclass::pg_catalog.oid AS oid) AS t \
    JOIN pg_catalog.pg_constraint c ON c.contype = 'f' AND t.oid IN (c.conrelid, c.confrelid) \
    JOIN pg_catalog.pg_class f ON f.oid = c.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace";

/// Which tables of a run have an order, and how deep each stands: one is deeper than all that it refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    depths: BTreeMap<usize, usize>,
}

/// One change of one of several tables, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) place: Place,
    pub(crate) table: usize,
    pub(crate) row: usize,
    pub(crate) operation: Operation,
    /// It changes the key of its row.
    pub(crate) moves: bool,
}

/// What may be done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Come,
    Go,
    Clear,
    Move,
}

impl Step {
    fn kind(&self) -> Kind {
        match self.operation {
            _ if self.moves => Kind::Move,
            Operation::Put | Operation::Update => Kind::Come,
            Operation::Delete => Kind::Go,
            Operation::Truncate => Kind::Clear,
        }
    }
}

impl Order {
    /// Look up which of the tables are part of a foreign key.
    pub(crate) fn of(connection: &mut Connection<Socket>, tables: &[&TargetName]) -> Result<Order> {
        let mut references = BTreeMap::new();
        for (place, table) in tables.iter().enumerate() {
            let rows = connection.query(REFERENCES, &[&table.quoted()])?;
            if rows.is_empty() {
                continue;
            }
            let mut parents = Vec::new();
            for row in &rows {
                let parent = TargetName { schema: row.text(2)?.to_owned(), table: row.text(1)?.to_owned() };
                parents.extend(tables.iter().position(|table| **table == parent).filter(|parent| *parent != place));
            }
            references.insert(place, parents);
        }
        Ok(Order { depths: depths(&references) })
    }

    /// Whether a table is part of a foreign key.
    pub(crate) fn has(&self, table: usize) -> bool {
        self.depths.contains_key(&table)
    }

    /// The tables of one cut in the order in which they are written: what is referred to comes first, and goes last.
    pub(crate) fn sorted(&self, mut tables: Vec<usize>, is_going: bool) -> Vec<usize> {
        let depth = |table: &usize| self.depths.get(table).copied().unwrap_or_default();
        tables.sort_by_key(|table| (depth(table), *table));
        if is_going {
            tables.reverse();
        }
        tables
    }
}

/// Cut changes into what may be done at once. Each change of a key stands alone: others may follow it.
pub(crate) fn cuts(steps: &[Step]) -> impl Iterator<Item = &[Step]> {
    steps.chunk_by(|left, right| left.kind() == right.kind() && left.kind() != Kind::Move)
}

/// Whether the rows of a cut go.
pub(crate) fn is_going(steps: &[Step]) -> bool {
    steps.first().is_some_and(|step| matches!(step.kind(), Kind::Go | Kind::Clear))
}

/// How deep each table stands; in a circle, as deep as can be told.
fn depths(references: &BTreeMap<usize, Vec<usize>>) -> BTreeMap<usize, usize> {
    let mut depths: BTreeMap<usize, usize> = references.keys().map(|table| (*table, 0)).collect();
    for _ in 0..references.len() {
        for (table, parents) in references {
            let deepest = parents.iter().filter_map(|parent| depths.get(parent)).max().copied();
            if let Some(deepest) = deepest {
                depths.insert(*table, (deepest + 1).min(references.len()));
            }
        }
    }
    depths
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pgwire::Lsn;

    use super::{Operation, Order, Step, cuts, depths, is_going};

    #[test]
    fn what_is_referred_to_comes_first_and_goes_last() {
        let order = Order { depths: depths(&BTreeMap::from([(0, vec![1]), (1, vec![3]), (3, vec![])])) };
        assert_eq!(order.sorted(vec![0, 1, 3], false), [3, 1, 0]);
        assert_eq!(order.sorted(vec![3, 0, 1], true), [0, 1, 3]);
        assert!(order.has(3) && !order.has(2));
    }

    #[test]
    fn a_circle_has_some_order() {
        let order = Order { depths: depths(&BTreeMap::from([(0, vec![1]), (1, vec![0])])) };
        assert_eq!(order.sorted(vec![1, 0], false).len(), 2);
    }

    #[test]
    fn changes_are_cut_where_one_of_another_kind_comes() {
        let step =
            |row: usize, operation, moves| Step { place: (Lsn(1), row as i64), table: row % 2, row, operation, moves };
        let steps = [
            step(0, Operation::Put, false),
            step(1, Operation::Update, false),
            step(2, Operation::Update, true),
            step(3, Operation::Update, true),
            step(4, Operation::Delete, false),
            step(5, Operation::Delete, false),
            step(6, Operation::Truncate, false),
        ];
        let found: Vec<_> = cuts(&steps).map(|cut| (cut.len(), is_going(cut))).collect();
        assert_eq!(found, [(2, false), (1, false), (1, false), (2, true), (1, true)]);
    }
}
