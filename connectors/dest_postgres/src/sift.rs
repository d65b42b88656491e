//! Finding the rows of a batch that the table does not take: what fails as a whole is loaded in halves.
//!
//! Each part is loaded behind a savepoint, so that the rows which were taken before stay. A row that fails alone is
//! handed to the host, which keeps or drops it as the policy says.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use pgwire::Connection;
use sdk::{Category, Error, Rejection, Result, Socket, log};

use crate::encode::Rows;
use crate::load::{Load, LoadMethod};
use crate::plan::{Cast, Plan};

/// Everything that stays the same while batches of a stream are sifted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sieve<'a> {
    pub(crate) stream: usize,
    pub(crate) plan: &'a Plan,
    pub(crate) method: LoadMethod,
}

impl Sieve<'_> {
    /// Have the server check at each statement what it could check at the commit, where no row can be told any more.
    pub(crate) fn begin(connection: &mut Connection<Socket>) -> Result<()> {
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")?;
        Ok(())
    }

    /// Load the rows that the table takes, and reject the others; how many these were.
    pub(crate) fn load(&self, connection: &mut Connection<Socket>, batch: &RecordBatch) -> Result<u64> {
        if batch.num_rows() == 0 {
            return Ok(0);
        }
        connection.execute("SAVEPOINT part")?;
        let Err(error) = self.load_whole(connection, batch) else {
            connection.execute("RELEASE SAVEPOINT part")?;
            return Ok(0);
        };
        if !connection.is_idle() || error.category != Category::Data {
            return Err(error);
        }
        connection.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")?;
        if batch.num_rows() == 1 {
            return self.reject(connection, batch, &error).map(|()| 1);
        }
        let half = batch.num_rows() / 2;
        let first = self.load(connection, &batch.slice(0, half))?;
        Ok(first + self.load(connection, &batch.slice(half, batch.num_rows() - half))?)
    }

    fn load_whole(&self, connection: &mut Connection<Socket>, batch: &RecordBatch) -> Result<()> {
        let mut load = Load::begin(connection, self.plan, self.method)?;
        let loaded = load
            .write(connection, self.plan, batch)
            .and_then(|()| load.finish(connection, self.plan))
            .and_then(|()| load.clear(connection));
        if loaded.is_err() {
            load.abandon(connection)?;
        }
        loaded
    }

    fn reject(&self, connection: &mut Connection<Socket>, row: &RecordBatch, error: &Error) -> Result<()> {
        let values = self.values(connection, row)?;
        sdk::reject(&Rejection::new(self.stream, error, values))?;
        log::point("destination.rejected");
        Ok(())
    }

    /// The values of a row as the server prints them; none where they cannot even be sent.
    fn values(
        &self,
        connection: &mut Connection<Socket>,
        row: &RecordBatch,
    ) -> Result<BTreeMap<String, Option<String>>> {
        let selected = self.plan.selected(row)?;
        let mut tuple = Vec::new();
        let rows = Rows::new(&selected, self.plan.columns.iter().map(|column| column.encoding))?;
        if self.plan.columns.is_empty() || rows.write(0, &mut tuple).is_err() {
            return Ok(BTreeMap::new());
        }
        let answer = connection.query_tuple(&self.printing_query(), &self.plan.parameter_oids(), &tuple)?;
        let names = self.plan.columns.iter().map(|column| column.target.name.clone()).enumerate();
        Ok(names
            .map(|(place, name)| (name, answer.as_ref().and_then(|row| row.optional(place)).map(str::to_owned)))
            .collect())
    }

    fn printing_query(&self) -> String {
        let printed = self.plan.columns.iter().zip(1..).map(|(column, number)| match &column.cast {
            Cast::Coerce { source, .. } => format!("${number}::{source}::pg_catalog.text"),
            Cast::None | Cast::FromText => format!("${number}::pg_catalog.text"),
        });
        format!("SELECT {}", printed.collect::<Vec<_>>().join(", "))
    }
}
