//! A full refresh: one COPY of the whole table, or one of each range that the host gives this session, emitted as a
//! schema, batches and an end. The first copy of a table whose changes are read is one too, where several sessions make it.
//!
//! Rows keep their places while a session holds a lock on the table: what moves them, VACUUM FULL or CLUSTER, waits for
//! all readers of a stream. A reader that would have to wait for such a statement leaves the ranges to the others, since
//! it would wait for them, too.

use std::ops::Range;

use pgwire::copy_out::CopyOut;
use pgwire::{Connection, Lsn, qualified};
use sdk::{Category, Error, Moved, Reader, Result, RunRequest, Socket, log, next_range};

use crate::cdc::snapshot_columns;
use crate::emitter::Emitter;
use crate::prepared::Prepared;
use crate::table::Table;

const LOCK_TIMEOUT: &str = "100ms";
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Pages have numbers below this one.
const PAGES: u64 = u32::MAX as u64;

/// Read a table and emit it. Emits nothing when the server refuses the query. Rows of a first copy are events, `copied_at` a
/// place of the log.
pub(crate) fn read(
    connection: &mut Connection<Socket>,
    prepared: &Prepared,
    request: &RunRequest,
    copied_at: Option<Lsn>,
) -> Result<Moved> {
    let table = &prepared.table;
    if let Some(reader) = request.reader {
        let select = |range: &Range<u64>| match (&prepared.captured, copied_at) {
            (Some(captured), Some(at)) => {
                captured.copy_statement(&snapshot_columns(captured, prepared.purpose, at), &condition(range))
            }
            _ => table.copy_statement("", &condition(range)),
        };
        return read_ranges(connection, prepared, request, reader, select);
    }
    connection.begin_copy_out(&table.copy_statement("", ""))?;
    let mut emitter = Emitter::begin(prepared, request)?;
    pass_on(connection, table, &mut emitter)?;
    emitter.end(None)
}

/// Read and emit one range after the other, as long as there are some.
fn read_ranges(
    connection: &mut Connection<Socket>,
    prepared: &Prepared,
    request: &RunRequest,
    reader: Reader,
    select: impl Fn(&Range<u64>) -> String,
) -> Result<Moved> {
    let table = &prepared.table;
    let is_locked = match reader {
        Reader::First => connection.execute(&lock_statement(table)).map(|_| true)?,
        Reader::Further => is_free(connection, table)?,
    };
    let mut emitter = Emitter::begin(prepared, request)?;
    while is_locked && let Some(range) = next_range(prepared.index)? {
        connection.begin_copy_out(&select(&range))?;
        pass_on(connection, table, &mut emitter)?;
        log::point("source.range_read");
    }
    emitter.end(None)
}

/// Emit the tuples of a COPY up to its end.
fn pass_on(connection: &mut Connection<Socket>, table: &Table, emitter: &mut Emitter) -> Result<()> {
    let mut copy = CopyOut::new(table.columns.len());
    while let Some(message) = connection.next_copy_data()? {
        let Some(mut fields) = copy.tuple(connection.body(message))? else {
            continue;
        };
        let size = size_of::<i16>() + fields.remaining();
        if !emitter.has_room(size) {
            emitter.emit_batch(None)?;
        }
        emitter.push(&mut fields, size)?;
        fields.finish()?;
        if emitter.is_full() {
            emitter.emit_batch(None)?;
        }
    }
    require_whole(&copy)
}

pub(crate) fn require_whole(copy: &CopyOut) -> Result<()> {
    if copy.is_complete() {
        return Ok(());
    }
    Err(Error::new(Category::Internal, "protocol", "The server ended COPY without its trailer."))
}

/// Lock a table up to the end of the transaction, as reading it does; a right to read one column is enough.
fn lock_statement(table: &Table) -> String {
    format!("SELECT 1 FROM {} LIMIT 0", qualified(&table.schema, &table.name))
}

/// Lock a table, unless somebody waits to lock it against readers.
fn is_free(connection: &mut Connection<Socket>, table: &Table) -> Result<bool> {
    let lock = lock_statement(table);
    let statements = format!(
        "SAVEPOINT joining; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; {lock}; \
         SET LOCAL lock_timeout TO DEFAULT; RELEASE SAVEPOINT joining"
    );
    match connection.execute(&statements).map_err(Error::from) {
        Ok(_) => Ok(true),
        Err(error) if error.code == LOCK_NOT_AVAILABLE => {
            connection.execute("ROLLBACK TO SAVEPOINT joining; RELEASE SAVEPOINT joining")?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The rows of a range of pages; the last range has no end.
fn condition(range: &Range<u64>) -> String {
    let place = |page: u64| format!("'({page},0)'::pg_catalog.tid");
    let end = if range.end < PAGES { format!(" AND ctid < {}", place(range.end)) } else { String::new() };
    format!(" WHERE ctid >= {}{end}", place(range.start))
}

#[cfg(test)]
mod tests {
    use super::condition;

    #[test]
    fn ranges_of_pages_meet_and_the_last_one_is_open() {
        let middle = " WHERE ctid >= '(512,0)'::pg_catalog.tid AND ctid < '(1024,0)'::pg_catalog.tid";
        assert_eq!(condition(&(512..1024)), middle);
        assert_eq!(condition(&(1024..u64::MAX)), " WHERE ctid >= '(1024,0)'::pg_catalog.tid");
        assert_eq!(condition(&(0..u64::from(u32::MAX))), " WHERE ctid >= '(0,0)'::pg_catalog.tid");
    }
}
