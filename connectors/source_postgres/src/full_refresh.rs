//! A full refresh: one COPY of the whole table, emitted as a schema, batches and an end.

use pgwire::Connection;
use pgwire::copy_out::CopyOut;
use sdk::batch::{batch_frame, end_frame, schema_frame};
use sdk::{Category, Error, FrameKind, Metadata, Moved, Result, RunRequest, Socket};

use crate::batch::BatchBuilder;
use crate::form::Form;
use crate::table::Table;

/// Read a table and emit it. Emits nothing when the server refuses the query.
pub(crate) fn read(
    connection: &mut Connection<Socket>,
    index: usize,
    table: &Table,
    request: &RunRequest,
) -> Result<Moved> {
    let statement = table.copy_statement(|column| Form::of(column.type_oid, column.type_modifier) == Form::CastToText);
    connection.begin_copy_out(&statement).map_err(|error| of_table(error.into(), table))?;
    let mut reader = Reader { index, batch: BatchBuilder::new(table), batch_bytes: 0, rows: 0, bytes: 0 };
    sdk::emit(schema_frame(reader.batch.schema())?, reader.metadata(FrameKind::Schema, 0, 0))?;
    reader.copy(connection, request).map_err(|error| of_table(error, table))?;
    sdk::emit(end_frame()?, reader.metadata(FrameKind::End, reader.rows, reader.bytes))?;
    Ok(Moved { index, rows: reader.rows, bytes: reader.bytes })
}

fn of_table(error: Error, table: &Table) -> Error {
    error.detail("stream", table.display_name())
}

struct Reader {
    index: usize,
    batch: BatchBuilder,
    batch_bytes: usize,
    rows: u64,
    bytes: u64,
}

impl Reader {
    fn metadata(&self, kind: FrameKind, rows: u64, bytes: u64) -> Metadata {
        Metadata { stream: self.index, kind, rows, bytes }
    }

    fn copy(&mut self, connection: &mut Connection<Socket>, request: &RunRequest) -> Result<()> {
        let mut copy = CopyOut::new(self.batch.schema().fields().len());
        while let Some(message) = connection.next_copy_data()? {
            let body = connection.body(message);
            let Some(fields) = copy.tuple(body)? else {
                continue;
            };
            self.batch.push(fields)?;
            self.batch_bytes += body.len();
            if self.batch.rows() >= request.batch_rows || self.batch_bytes >= request.batch_bytes {
                self.emit_batch()?;
            }
        }
        if !copy.is_complete() {
            return Err(Error::new(Category::Internal, "protocol", "The server ended COPY without its trailer."));
        }
        if self.batch.rows() > 0 { self.emit_batch() } else { Ok(()) }
    }

    fn emit_batch(&mut self) -> Result<()> {
        let batch = self.batch.finish()?;
        let (rows, bytes) = (batch.num_rows() as u64, self.batch_bytes as u64);
        sdk::emit(batch_frame(&batch)?, self.metadata(FrameKind::Batch, rows, bytes))?;
        self.rows += rows;
        self.bytes += bytes;
        self.batch_bytes = 0;
        Ok(())
    }
}
