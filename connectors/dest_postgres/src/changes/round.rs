//! A round: the changes of several tables up to one place of the log, at most one batch of each (docs/ABI.md §9).
//!
//! What fails as a whole is done in halves, down to single changes, which the source did in this order too: so what only
//! the order was wrong for comes right, and what is left is a change that the table does not take.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use pgwire::Connection;
use sdk::{Category, Error, Result, Socket, log};

use super::apply::{Application, Staged};
use super::event::{EventPlan, Events};
use super::order::{Order, Step, cuts, is_going};
use super::statements::Statements;
use crate::load::LoadMethod;
use crate::plan::Plan;
use crate::sift::Sieve;
use crate::target::TargetName;

/// A table that changes are applied to.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) stream: usize,
    pub(crate) name: &'a TargetName,
    pub(crate) plan: &'a Plan,
    pub(crate) events: &'a EventPlan,
    pub(crate) statements: &'a Statements,
    /// Changes that it does not take are handed to the host.
    pub(crate) is_sifted: bool,
}

/// All tables, by their places in the run.
pub(crate) type Tables<'a> = BTreeMap<usize, Target<'a>>;

/// A batch of a table, and how many rows of it came before.
#[derive(Debug)]
struct Arrived {
    batch: RecordBatch,
    first: u64,
}

/// The batches of a round.
#[derive(Debug, Default)]
pub(crate) struct Round {
    batches: BTreeMap<usize, Arrived>,
}

impl Round {
    /// Whether a batch of a table begins another round.
    pub(crate) fn is_over(&self, table: usize) -> bool {
        self.batches.keys().next_back().is_some_and(|last| table <= *last)
    }

    pub(crate) fn push(&mut self, table: usize, batch: RecordBatch, first: u64) {
        self.batches.insert(table, Arrived { batch, first });
    }

    /// Apply the round; how many changes of each table were rejected.
    pub(crate) fn apply(
        self,
        connection: &mut Connection<Socket>,
        tables: &Tables<'_>,
        order: &Order,
    ) -> Result<BTreeMap<usize, u64>> {
        if self.batches.is_empty() {
            return Ok(BTreeMap::new());
        }
        log::point("destination.before_round");
        let mut work = Work {
            connection,
            tables,
            order,
            batches: &self.batches,
            staged: BTreeMap::new(),
            rejected: BTreeMap::new(),
        };
        let mut ordered = Vec::new();
        for (table, arrived) in &self.batches {
            let mut steps = work.steps(*table, &arrived.batch)?;
            if order.has(*table) {
                ordered.append(&mut steps);
            } else {
                work.perform(&steps)?;
            }
        }
        ordered.sort_by_key(|step| (step.place, step.table));
        for cut in cuts(&ordered) {
            work.perform(cut)?;
        }
        let rejected = work.rejected;
        log::point("destination.applied");
        Ok(rejected)
    }
}

/// A round that is being applied.
struct Work<'a> {
    connection: &'a mut Connection<Socket>,
    tables: &'a Tables<'a>,
    order: &'a Order,
    batches: &'a BTreeMap<usize, Arrived>,
    staged: BTreeMap<usize, Staged>,
    rejected: BTreeMap<usize, u64>,
}

impl<'a> Work<'a> {
    fn target(&self, table: usize) -> Result<Target<'a>> {
        self.tables.get(&table).copied().ok_or_else(|| unknown(table))
    }

    fn arrived(&self, table: usize) -> Result<&'a Arrived> {
        self.batches.get(&table).ok_or_else(|| unknown(table))
    }

    fn steps(&self, table: usize, batch: &RecordBatch) -> Result<Vec<Step>> {
        let target = self.target(table)?;
        let events = Events::new(batch, target.events, target.plan)?;
        let step = |row| {
            let (place, operation) = (events.place(row)?, events.operation(row)?);
            Ok(Step { place, table, row, operation, moves: events.moves(row) })
        };
        (0..batch.num_rows()).map(step).collect()
    }

    /// Do some steps at once, or in halves.
    fn perform(&mut self, steps: &[Step]) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let Some(error) = self.failure(steps, true)? else {
            return Ok(());
        };
        if let [step] = steps {
            return match self.failure(steps, false)? {
                None => Ok(()),
                Some(_) => self.give_up(step, error),
            };
        }
        let (left, right) = steps.split_at(steps.len() / 2);
        self.perform(left)?;
        self.perform(right)
    }

    /// Try some steps behind a savepoint; what the table does not take of them.
    fn failure(&mut self, steps: &[Step], is_in_place: bool) -> Result<Option<Error>> {
        self.connection.execute("SAVEPOINT part")?;
        match self.attempt(steps, is_in_place) {
            Ok(()) => {
                self.connection.execute("RELEASE SAVEPOINT part")?;
                Ok(None)
            }
            Err(error) if self.connection.is_idle() && error.category == Category::Data => {
                self.connection.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")?;
                self.staged.values_mut().for_each(Staged::forget);
                Ok(Some(error))
            }
            Err(error) => Err(error),
        }
    }

    fn attempt(&mut self, steps: &[Step], is_in_place: bool) -> Result<()> {
        let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for step in steps {
            rows.entry(step.table).or_default().push(step.row);
        }
        for table in self.order.sorted(rows.keys().copied().collect(), is_going(steps)) {
            let (target, arrived) = (self.target(table)?, self.arrived(table)?);
            let Target { plan, events, statements, .. } = target;
            let application = Application { plan, events, statements, batch: &arrived.batch, is_in_place };
            let rows = rows.get(&table).map_or(&[][..], Vec::as_slice);
            let staged = self.staged.entry(table).or_default();
            application
                .apply(self.connection, rows, staged)
                .map_err(|error| error.detail("table", target.name.display_name()))?;
        }
        Ok(())
    }

    /// Hand a change over that the table does not take, or fail.
    fn give_up(&mut self, step: &Step, error: Error) -> Result<()> {
        let (target, arrived) = (self.target(step.table)?, self.arrived(step.table)?);
        if !target.is_sifted {
            return Err(error);
        }
        let sieve = Sieve { stream: target.stream, plan: target.plan, method: LoadMethod::Copy };
        let events = Events::new(&arrived.batch, target.events, target.plan)?;
        let untold = events.untold(step.row)?;
        let row = arrived.batch.slice(step.row, 1);
        sieve.reject(self.connection, &row, arrived.first + step.row as u64, &error, untold)?;
        *self.rejected.entry(step.table).or_default() += 1;
        Ok(())
    }
}

fn unknown(table: usize) -> Error {
    Error::new(Category::Internal, "not_prepared", format!("Changes came of table {table}, which has no plan."))
}
