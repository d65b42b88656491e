//! What a number of changes of one table comes to: which rows of it go, and which come with what values.
//!
//! Rows go by the bytes of their keys. Those of one row are the same in each change of it, since the source tells every
//! change of a key, also to an equal one; so that keys which the table holds for equal need not be known here.

use std::collections::{HashMap, HashSet};

/// The encoded fields of a key.
pub(crate) type Key = Vec<u8>;

/// What was done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It was not there before, or is copied.
    Put,
    Update,
    Delete,
    Truncate,
}

/// One change; `row` is where its values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) row: usize,
    pub(crate) operation: Operation,
    pub(crate) key: Key,
    /// The key before it, where that was another one.
    pub(crate) old: Option<Key>,
    /// The columns that it left as they were and does not tell.
    pub(crate) unchanged: Vec<usize>,
}

/// Where a value is that a change does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In an earlier change.
    Row(usize),
    /// In the table.
    Table,
}

/// A row that is there in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetRow {
    /// Where its values are, but for those of `taken`, which has columns.
    pub(crate) row: usize,
    pub(crate) taken: Vec<(usize, Source)>,
    /// The key under which the table has it now, where values are taken from there; none where nothing is known of it.
    pub(crate) from: Option<Key>,
}

/// What changes come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Net {
    /// All rows that the table has go.
    pub(crate) is_cleared: bool,
    /// Keys whose rows go before others come.
    pub(crate) gone: Vec<Key>,
    /// Keys whose rows go after others took values from them.
    pub(crate) left: Vec<Key>,
    /// In the order of their last changes.
    pub(crate) rows: Vec<NetRow>,
}

/// A row before a change.
enum Before {
    /// It is one of these changes.
    Here(NetRow),
    /// It is what the table has under its key.
    There,
    Nothing,
}

/// Changes that are being added up.
#[derive(Debug, Default)]
struct Sum {
    is_cleared: bool,
    live: HashMap<Key, NetRow>,
    /// Keys whose row in the table is no longer the one that counts.
    touched: HashSet<Key>,
}

/// Add up changes, in their order.
pub(crate) fn net(changes: impl IntoIterator<Item = Change>) -> Net {
    let mut sum = Sum::default();
    for change in changes {
        sum.add(change);
    }
    sum.finish()
}

impl Sum {
    fn add(&mut self, change: Change) {
        let Change { row, operation, key, old, unchanged } = change;
        match operation {
            Operation::Put => {
                self.take(&key);
                self.live.insert(key, NetRow { row, taken: Vec::new(), from: None });
            }
            Operation::Update => {
                let before = self.take(old.as_ref().unwrap_or(&key));
                if old.is_some() {
                    self.take(&key);
                }
                let from = old.unwrap_or_else(|| key.clone());
                self.live.insert(key, before.changed(row, from, unchanged));
            }
            Operation::Delete => {
                self.take(&key);
            }
            Operation::Truncate => *self = Sum { is_cleared: true, ..Sum::default() },
        }
    }

    /// Take a row away from under its key.
    fn take(&mut self, key: &Key) -> Before {
        if let Some(row) = self.live.remove(key) {
            return Before::Here(row);
        }
        if self.touched.insert(key.clone()) && !self.is_cleared { Before::There } else { Before::Nothing }
    }

    fn finish(self) -> Net {
        let Sum { is_cleared, live, touched } = self;
        let has_gone = |key: &Key| !is_cleared && !live.contains_key(key);
        let mut gone: Vec<Key> = touched.into_iter().filter(has_gone).collect();
        gone.sort();
        let needed: HashSet<&Key> = live.values().filter_map(|row| row.from.as_ref()).collect();
        let (left, gone) = gone.into_iter().partition(|key| needed.contains(key));
        let mut rows: Vec<_> = live.into_values().collect();
        rows.sort_by_key(|row| row.row);
        Net { is_cleared, gone, left, rows }
    }
}

impl Before {
    /// The row after a change that left some columns as they were; `from` is the key that it had in the table.
    fn changed(self, row: usize, from: Key, unchanged: Vec<usize>) -> NetRow {
        let source = |column: usize| match &self {
            Before::Here(before) => {
                let taken = before.taken.iter().find(|(taken, _)| *taken == column);
                taken.map_or(Source::Row(before.row), |(_, source)| *source)
            }
            Before::There | Before::Nothing => Source::Table,
        };
        let taken: Vec<_> = unchanged.into_iter().map(|column| (column, source(column))).collect();
        let from = match self {
            Before::Here(before) => before.from,
            Before::There => Some(from),
            Before::Nothing => None,
        };
        let from = from.filter(|_| taken.iter().any(|(_, source)| *source == Source::Table));
        NetRow { row, taken, from }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Change, Key, Net, NetRow, Operation, Source, net};

    const WIDE: usize = 1;

    fn change(row: usize, operation: Operation, key: u8) -> Change {
        Change { row, operation, key: vec![key], old: None, unchanged: vec![] }
    }

    fn row(row: usize, taken: &[(usize, Source)], from: Option<u8>) -> NetRow {
        NetRow { row, taken: taken.to_vec(), from: from.map(|key| vec![key]) }
    }

    #[test]
    fn the_last_of_several_changes_counts_and_takes_what_it_does_not_tell_from_those_before() {
        let update = Change { unchanged: vec![WIDE], ..change(1, Operation::Update, 7) };
        let found = net([change(0, Operation::Put, 7), update.clone()]);
        assert_eq!(found.rows, [row(1, &[(WIDE, Source::Row(0))], None)]);
        assert_eq!(net([update]).rows, [row(1, &[(WIDE, Source::Table)], Some(7))]);
    }

    #[test]
    fn keys_that_are_swapped_take_from_each_other() {
        let moved = |row, from: u8, to: u8| Change {
            old: Some(vec![from]),
            unchanged: vec![WIDE],
            ..change(row, Operation::Update, to)
        };
        let found = net([moved(0, 1, 9), moved(1, 2, 1), moved(2, 9, 2)]);
        let rows = vec![row(1, &[(WIDE, Source::Table)], Some(2)), row(2, &[(WIDE, Source::Table)], Some(1))];
        assert_eq!(found, Net { gone: vec![vec![9]], rows, ..Net::default() });
    }

    #[test]
    fn a_row_that_others_take_from_goes_after_them() {
        let moved = Change { old: Some(vec![1]), unchanged: vec![WIDE], ..change(0, Operation::Update, 2) };
        let found = net([moved, change(1, Operation::Delete, 3)]);
        assert_eq!((found.gone, found.left), (vec![vec![3]], vec![vec![1]]));
    }

    #[test]
    fn what_came_before_a_truncation_is_nothing() {
        let update = Change { unchanged: vec![WIDE], ..change(3, Operation::Update, 1) };
        let found = net([
            change(0, Operation::Put, 1),
            change(1, Operation::Delete, 2),
            change(2, Operation::Truncate, 0),
            update,
        ]);
        let rows = vec![row(3, &[(WIDE, Source::Table)], None)];
        assert_eq!(found, Net { is_cleared: true, rows, ..Net::default() });
    }

    /// A table by its keys: a value that every change tells, and one that some leave alone.
    type Table = BTreeMap<Key, (usize, usize)>;

    fn execute(table: &mut Table, change: &Change) {
        match change.operation {
            Operation::Put => {
                table.insert(change.key.clone(), (change.row, change.row));
            }
            Operation::Update => {
                let before = table.remove(change.old.as_ref().unwrap_or(&change.key)).unwrap_or_default();
                let wide = if change.unchanged.is_empty() { change.row } else { before.1 };
                table.insert(change.key.clone(), (change.row, wide));
            }
            Operation::Delete => {
                table.remove(&change.key);
            }
            Operation::Truncate => table.clear(),
        }
    }

    fn land(table: &mut Table, changes: &[Change], found: &Net) {
        let before = table.clone();
        if found.is_cleared {
            table.clear();
        }
        table.retain(|key, _| !found.gone.contains(key));
        for row in &found.rows {
            let wide = match row.taken.first() {
                None => row.row,
                Some((_, Source::Row(earlier))) => *earlier,
                Some((_, Source::Table)) => row.from.as_ref().and_then(|key| before.get(key)).unwrap_or(&(0, 0)).1,
            };
            table.insert(changes[row.row].key.clone(), (row.row, wide));
        }
        table.retain(|key, _| !found.left.contains(key));
    }

    /// Changes that a table with some keys can have: what is asked for is fitted to what is there.
    fn possible(table: &Table, wanted: &[(u8, u8, u8, bool)]) -> Vec<Change> {
        let mut now = table.clone();
        let mut changes = Vec::new();
        for (kind, first, second, is_kept) in wanted {
            let (key, other) = (vec![*first], vec![*second]);
            let unchanged = if *is_kept { vec![WIDE] } else { vec![] };
            let row = changes.len();
            let change = match (kind, now.contains_key(&key), now.contains_key(&other)) {
                (0, _, _) => Change { row, operation: Operation::Truncate, key: vec![], old: None, unchanged: vec![] },
                (_, false, _) => Change { row, operation: Operation::Put, key, old: None, unchanged: vec![] },
                (1..=3, true, _) => Change { row, operation: Operation::Delete, key, old: None, unchanged: vec![] },
                (4..=7, true, false) => {
                    Change { row, operation: Operation::Update, key: other, old: Some(key), unchanged }
                }
                _ => Change { row, operation: Operation::Update, key, old: None, unchanged },
            };
            execute(&mut now, &change);
            changes.push(change);
        }
        changes
    }

    proptest! {
        #[test]
        fn changes_come_to_what_they_do_one_by_one(
            keys in proptest::collection::btree_set(0..6u8, 0..6),
            wanted in proptest::collection::vec((0..16u8, 0..6u8, 0..6u8, any::<bool>()), 0..30),
        ) {
            let mut one_by_one: Table = keys.into_iter().map(|key| (vec![key], (100 + key as usize, 100 + key as usize))).collect();
            let mut at_once = one_by_one.clone();
            let changes = possible(&one_by_one, &wanted);
            changes.iter().for_each(|change| execute(&mut one_by_one, change));
            land(&mut at_once, &changes, &net(changes.clone()));
            prop_assert_eq!(at_once, one_by_one);
        }
    }
}
