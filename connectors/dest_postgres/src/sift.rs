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

/// The columns of a row as text.
type Values = BTreeMap<String, Option<String>>;

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

    /// Load the rows that the table takes, and reject the others; how many these were. `first` is the place of the first
    /// row among those that the run received.
    pub(crate) fn load(&self, connection: &mut Connection<Socket>, batch: &RecordBatch, first: u64) -> Result<u64> {
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
            return self.reject(connection, batch, first, &error, Vec::new()).map(|()| 1);
        }
        let half = batch.num_rows() / 2;
        let rejected = self.load(connection, &batch.slice(0, half), first)?;
        let rest = batch.slice(half, batch.num_rows() - half);
        Ok(rejected + self.load(connection, &rest, first + half as u64)?)
    }

    /// Load all rows of a batch, or fail.
    pub(crate) fn load_whole(&self, connection: &mut Connection<Socket>, batch: &RecordBatch) -> Result<()> {
        let mut load = Load::begin(connection, self.plan, self.method)?;
        let loaded = load
            .write(connection, self.plan, batch)
            .and_then(|()| load.finish(connection, self.plan))
            .and_then(|()| load.clear(connection, self.plan));
        if loaded.is_err() {
            load.abandon(connection)?;
        }
        loaded
    }

    /// Hand one row over, of which some columns are not told.
    pub(crate) fn reject(
        &self,
        connection: &mut Connection<Socket>,
        row: &RecordBatch,
        place: u64,
        error: &Error,
        untold: Vec<String>,
    ) -> Result<()> {
        let (values, mut unreadable) = self.values(connection, row)?;
        unreadable.extend(untold);
        sdk::reject(Rejection::new(self.stream, error, values).unreadable(unreadable).at(place))?;
        log::point("destination.rejected");
        Ok(())
    }

    /// The values of a row, and the columns that have no text: texts as they came, since the server may not even have
    /// their characters, and the others as it prints them.
    fn values(&self, connection: &mut Connection<Socket>, row: &RecordBatch) -> Result<(Values, Vec<String>)> {
        let (mut values, mut unreadable, mut others) = (BTreeMap::new(), Vec::new(), Vec::new());
        for column in &self.plan.columns {
            match row.column(column.place).as_string_opt::<i32>() {
                Some(texts) if column.encoding != Encoding::Null => {
                    let text = texts.is_valid(0).then(|| texts.value(0).to_owned());
                    values.insert(column.target.name.clone(), text);
                }
                _ => others.push(column),
            }
        }
        if let Some(printed) = self.printed(connection, row, &others)? {
            values.extend(printed);
            return Ok((values, unreadable));
        }
        for column in others {
            match self.printed(connection, row, &[column])? {
                Some(value) => values.extend(value),
                None => unreadable.push(column.target.name.clone()),
            }
        }
        Ok((values, unreadable))
    }

    /// Some columns of a row as the server prints them; none where a value cannot be sent, or the server not read it.
    fn printed(
        &self,
        connection: &mut Connection<Socket>,
        row: &RecordBatch,
        columns: &[&PlannedColumn],
    ) -> Result<Option<Values>> {
        if columns.is_empty() {
            return Ok(Some(BTreeMap::new()));
        }
        let places: Vec<_> = columns.iter().map(|column| column.place).collect();
        let selected = row.project(&places).map_err(|error| arrow(&error))?;
        let mut tuple = Vec::new();
        if Rows::new(&selected, columns.iter().map(|column| column.encoding))?.write(0, &mut tuple).is_err() {
            return Ok(None);
        }
        let oids: Vec<_> = columns.iter().map(|column| column.sent_oid()).collect();
        connection.execute("SAVEPOINT printed")?;
        let answer = connection.query_tuple(&printing_query(columns), &oids, &tuple).map_err(Error::from);
        match answer {
            Ok(answer) => {
                connection.execute("RELEASE SAVEPOINT printed")?;
                let names = columns.iter().map(|column| column.target.name.clone()).enumerate();
                Ok(answer.map(|row| names.map(|(at, name)| (name, row.optional(at).map(str::to_owned))).collect()))
            }
            Err(error) if connection.is_idle() && error.category == Category::Data => {
                connection.execute("ROLLBACK TO SAVEPOINT printed; RELEASE SAVEPOINT printed")?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
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
