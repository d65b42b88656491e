//! How rows reach the server: COPY, or a pipeline of INSERTs; into the table itself, or into a stage.

use arrow_array::RecordBatch;
use pgwire::Connection;
use pgwire::copy_in::CopyIn;
use pgwire::insert::bind_and_execute;
use sdk::{Category, Error, Result, Socket};
use serde::Deserialize;

use crate::encode::Rows;
use crate::plan::Plan;

const SEND_BYTES: usize = 512 * 1024;
/// What the server answers to so many INSERTs stays far below a socket's buffer.
const PIPELINE_ROWS: usize = 256;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoadMethod {
    #[default]
    Copy,
    Insert,
}

/// A load that is under way in the present transaction.
#[derive(Debug)]
pub(crate) struct Load {
    courier: Courier,
    is_staged: bool,
    sent_rows: u64,
}

#[derive(Debug)]
enum Courier {
    Copy(CopyIn),
    Insert { messages: Vec<u8>, pending: usize, inserted: u64, tuple: Vec<u8> },
}

impl Load {
    /// Begin inside the transaction of the rows.
    pub(crate) fn begin(connection: &mut Connection<Socket>, plan: &Plan, method: LoadMethod) -> Result<Load> {
        let is_staged = is_staged(plan, method);
        let courier = match method {
            LoadMethod::Copy => {
                connection.begin_copy_in(&plan.copy_statement())?;
                Courier::Copy(new_copy())
            }
            LoadMethod::Insert => {
                connection.parse(&plan.insert_statement(), &plan.parameter_oids())?;
                Courier::Insert { messages: Vec::with_capacity(SEND_BYTES), pending: 0, inserted: 0, tuple: Vec::new() }
            }
        };
        Ok(Load { courier, is_staged, sent_rows: 0 })
    }

    /// Send the rows of a batch.
    pub(crate) fn write(
        &mut self,
        connection: &mut Connection<Socket>,
        plan: &Plan,
        batch: &RecordBatch,
    ) -> Result<()> {
        let batch = &plan.selected(batch)?;
        let rows = Rows::new(batch, plan.columns.iter().map(|column| column.encoding))?;
        match &mut self.courier {
            Courier::Copy(copy) => {
                for row in 0..rows.count() {
                    rows.write(row, copy.tuples())?;
                    send_if_full(connection, copy)?;
                }
            }
            Courier::Insert { messages, pending, inserted, tuple } => {
                for row in 0..rows.count() {
                    tuple.clear();
                    rows.write(row, tuple)?;
                    bind_and_execute(tuple, messages);
                    *pending += 1;
                    if *pending >= PIPELINE_ROWS || messages.len() >= SEND_BYTES {
                        *inserted += flush(connection, messages, pending)?;
                    }
                }
            }
        }
        self.sent_rows += rows.count() as u64;
        Ok(())
    }

    /// Send what is left, and have the server put all rows into the table.
    pub(crate) fn finish(&mut self, connection: &mut Connection<Socket>, plan: &Plan) -> Result<()> {
        let stored = match &mut self.courier {
            Courier::Copy(copy) => connection.finish_copy_in(copy.finished())?,
            Courier::Insert { messages, pending, inserted, .. } => *inserted + flush(connection, messages, pending)?,
        };
        self.require_all(stored)?;
        if self.is_staged
            && let Some(landed) = plan.land(connection)?
        {
            self.require_all(landed)?;
        }
        Ok(())
    }

    fn require_all(&self, stored: u64) -> Result<()> {
        if stored == self.sent_rows {
            return Ok(());
        }
        let message = format!(
            "The server stored {stored} rows of {} that were sent; a rule or trigger of the table drops some.",
            self.sent_rows
        );
        Err(Error::new(Category::Data, "rows_dropped", message))
    }

    /// Make room for another load of this transaction.
    pub(crate) fn clear(&mut self, connection: &mut Connection<Socket>, plan: &Plan) -> Result<()> {
        if self.is_staged {
            connection.execute(&format!("TRUNCATE {}", plan.stage))?;
        }
        Ok(())
    }

    /// Take everything back.
    pub(crate) fn abandon(&mut self, connection: &mut Connection<Socket>) -> Result<()> {
        if matches!(self.courier, Courier::Copy(_)) && !connection.is_idle() {
            connection.fail_copy_in("rapidbyte: the stream was not read to its end")?;
        }
        Ok(())
    }
}

/// Make what the loads of a plan need besides its table, inside of a transaction.
pub(crate) fn make_stage(connection: &mut Connection<Socket>, plan: &Plan, method: LoadMethod) -> Result<()> {
    if is_staged(plan, method) {
        connection.execute(&plan.create_stage_statement())?;
    }
    Ok(())
}

fn is_staged(plan: &Plan, method: LoadMethod) -> bool {
    match method {
        LoadMethod::Copy => !plan.is_copied_directly(),
        LoadMethod::Insert => !plan.is_inserted_directly(),
    }
}

/// A copy with room for its messages.
pub(crate) fn new_copy() -> CopyIn {
    CopyIn::new(SEND_BYTES + SEND_BYTES / 4)
}

/// Send the message of a copy that is large enough.
#[inline]
pub(crate) fn send_if_full(connection: &mut Connection<Socket>, copy: &mut CopyIn) -> Result<()> {
    if copy.size() >= SEND_BYTES {
        connection.send_copy_data(copy.sealed())?;
        copy.restart();
    }
    Ok(())
}

fn flush(connection: &mut Connection<Socket>, messages: &mut Vec<u8>, pending: &mut usize) -> Result<u64> {
    if *pending == 0 {
        return Ok(0);
    }
    let inserted = connection.execute_pipeline(messages)?;
    messages.clear();
    *pending = 0;
    Ok(inserted)
}
