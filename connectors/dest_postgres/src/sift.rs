//! Finding the rows of a batch that the table does not take: what fails as a whole is loaded in halves.
//!
//! Each part is loaded behind a savepoint, so that the rows which were taken before stay. A row that fails alone is
//! handed to the host, which keeps or drops it as the policy says.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::ArrowError;
use pgwire::Connection;
use sdk::{Category, Error, Rejection, Result, Socket, log};

use crate::encode::{Encoding, Rows};
use crate::load::{Load, LoadMethod};
use crate::plan::{Cast, Plan, PlannedColumn};

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

    /// The values of a row: texts as they came, since the server may not even have their characters, and the others as
    /// it prints them; none where they cannot be sent.
    fn values(
        &self,
        connection: &mut Connection<Socket>,
        row: &RecordBatch,
    ) -> Result<BTreeMap<String, Option<String>>> {
        let selected = self.plan.selected(row)?;
        let mut values = BTreeMap::new();
        let mut others = Vec::new();
        for (place, column) in self.plan.columns.iter().enumerate() {
            match selected.column(place).as_string_opt::<i32>() {
                Some(texts) if column.encoding != Encoding::Null => {
                    let text = texts.is_valid(0).then(|| texts.value(0).to_owned());
                    values.insert(column.target.name.clone(), text);
                }
                _ => others.push(place),
            }
        }
        let columns: Vec<_> = others.iter().filter_map(|&place| self.plan.columns.get(place)).collect();
        let selected = selected.project(&others).map_err(|error| arrow(&error))?;
        let mut tuple = Vec::new();
        let rows = Rows::new(&selected, columns.iter().map(|column| column.encoding))?;
        if columns.is_empty() || rows.write(0, &mut tuple).is_err() {
            return Ok(values);
        }
        let oids: Vec<_> = columns.iter().map(|column| column.sent_oid()).collect();
        let answer = connection.query_tuple(&printing_query(&columns), &oids, &tuple)?;
        let printed = |place| answer.as_ref().and_then(|row| row.optional(place)).map(str::to_owned);
        values.extend(columns.iter().enumerate().map(|(place, column)| (column.target.name.clone(), printed(place))));
        Ok(values)
    }
}

fn printing_query(columns: &[&PlannedColumn]) -> String {
    let printed = columns.iter().zip(1..).map(|(column, number)| match &column.cast {
        Cast::Coerce { source, .. } => format!("${number}::{source}::pg_catalog.text"),
        Cast::None | Cast::FromText => format!("${number}::pg_catalog.text"),
    });
    format!("SELECT {}", printed.collect::<Vec<_>>().join(", "))
}

fn arrow(error: &ArrowError) -> Error {
    Error::new(Category::Internal, "arrow", error.to_string())
}
