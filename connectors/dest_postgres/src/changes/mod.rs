//! Changes that are applied to a table, so that it becomes equal to the one they come from.
//!
//! [`event`] reads them out of a batch, [`net`] says what a number of them comes to, [`statements`] is that as SQL and
//! [`apply`] executes it. A [`round`] holds the changes of several tables up to one place of the log; [`order`] says in
//! which order they must reach tables that refer to each other, and [`deferred`] what need not hold on the way.

mod apply;
pub(crate) mod deferred;
mod event;
mod net;
mod order;
mod round;
mod statements;

use serde::Deserialize;

pub(crate) use event::EventPlan;
pub(crate) use order::Order;
pub(crate) use round::{Round, Tables, Target};
pub(crate) use statements::Statements;

/// The column of a target whose rows are flagged.
pub(crate) const FLAG: &str = "_rb_deleted";
pub(crate) const FLAG_DEFINITION: &str = "\"_rb_deleted\" pg_catalog.bool NOT NULL DEFAULT false";

/// What becomes of a row that was deleted at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deletes {
    /// It is deleted.
    #[default]
    Hard,
    /// It stays, and is flagged.
    Flag,
}

/// Whether a column belongs to the event and not to its table, whose key has `key_columns` (docs/ABI.md §9).
pub(crate) fn is_of_event(column: &str, key_columns: usize) -> bool {
    matches!(column, event::OPERATION | event::LSN | event::SEQUENCE | event::UNCHANGED)
        || (1..=key_columns).any(|number| column == event::old_name(number))
}

#[cfg(test)]
mod tests {
    use super::is_of_event;

    #[test]
    fn columns_of_the_event_are_told_from_those_of_its_table() {
        let of = |name| is_of_event(name, 2);
        assert!(["_rb_op", "_rb_lsn", "_rb_seq", "_rb_unchanged", "_rb_old_1", "_rb_old_2"].into_iter().all(of));
        assert!(!["id", "_rb_old_3", "_rb_old_", "_rb_xid", "_rb_deleted"].into_iter().any(of));
    }
}
