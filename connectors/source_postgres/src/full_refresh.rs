//! A full refresh: one COPY of the whole table, emitted as a schema, batches and an end.

use pgwire::Connection;
use pgwire::copy_out::CopyOut;
use sdk::{Category, Error, Moved, Result, RunRequest, Socket};

use crate::emitter::Emitter;
use crate::prepared::Prepared;

/// Read a table and emit it. Emits nothing when the server refuses the query.
pub(crate) fn read(connection: &mut Connection<Socket>, prepared: &Prepared, request: &RunRequest) -> Result<Moved> {
    let table = &prepared.table;
    connection.begin_copy_out(&table.copy_statement("", ""))?;
    let mut emitter = Emitter::begin(prepared, request)?;
    let mut copy = CopyOut::new(table.columns.len());
    while let Some(message) = connection.next_copy_data()? {
        let body = connection.body(message);
        let Some(mut fields) = copy.tuple(body)? else {
            continue;
        };
        emitter.push(&mut fields, body.len())?;
        fields.finish()?;
        if emitter.is_full() {
            emitter.emit_batch(None)?;
        }
    }
    require_whole(&copy)?;
    emitter.end(None)
}

pub(crate) fn require_whole(copy: &CopyOut) -> Result<()> {
    if copy.is_complete() {
        return Ok(());
    }
    Err(Error::new(Category::Internal, "protocol", "The server ended COPY without its trailer."))
}
