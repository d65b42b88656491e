//! The first copy of a stream: its rows as one place of the log has them, so that changes can follow from there.
//!
//! The snapshot of a slot lives no longer than the session that made it, and the slot of a pipeline is made once. So the
//! copy takes a slot of its own, which is gone when its session is: a run that dies in a copy leaves nothing behind,
//! and the next one takes another snapshot, at a later place. The pipeline's slot is older than both; what it sends from
//! before a stream's snapshot is not taken again.

use pgwire::copy_out::CopyOut;
use pgwire::{Connection, Lsn, Session, literal};
use sdk::{Category, Error, Result, Socket, log};

use super::event::snapshot_columns;
use super::outbox::Outbox;
use super::place::{Place, Snapshot};
use super::slot;
use crate::catalog;
use crate::full_refresh::require_whole;
use crate::prepared::Prepared;

const SLOT: &str = "rapidbyte_snapshot";

/// Have `reader` see the tables as they are at a place of the log, which is returned; `replication` makes the snapshot.
pub(crate) fn begin(reader: &mut Connection<Socket>, replication: &mut Connection<Socket>) -> Result<Lsn> {
    let rows = reader.query("SELECT pg_catalog.pg_backend_pid()", &[])?;
    let process = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    let name = format!("{SLOT}_{process}");
    let command = format!("CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT");
    replication.execute(slot::WAIT_FOR_WRITERS)?;
    let rows = replication.query_simply(&command).map_err(|error| slot::uncreated(error.into(), &name))?;
    let row =
        rows.first().ok_or_else(|| Error::new(Category::Internal, "protocol", "A slot was made without a word."))?;
    let snapshot = literal(row.text(2)?);
    let statements = format!("{}; SET TRANSACTION SNAPSHOT {snapshot}", crate::BEGIN);
    reader.execute(&statements)?;
    let at = row.text(1)?.parse()?;
    replication.execute(&format!("DROP_REPLICATION_SLOT {name}"))?;
    log::point("source.snapshot_taken");
    Ok(at)
}

/// Copy the streams that `place` does not know yet, and take note of each there; `snapshots` has one for each.
pub(crate) fn copy(
    reader: &mut Session,
    streams: &[&Prepared],
    snapshots: Vec<Snapshot>,
    place: &mut Place,
    outbox: &mut Outbox,
) -> Result<()> {
    for (stream, (prepared, snapshot)) in streams.iter().zip(snapshots).enumerate() {
        let name = prepared.table.display_name();
        if place.snapshots.contains_key(&name) {
            continue;
        }
        require_same(reader, prepared)?;
        copy_table(&mut reader.connection, prepared, stream, snapshot.at, outbox)
            .map_err(|error| error.detail("stream", &name))?;
        place.snapshots.insert(name, snapshot);
        outbox.settle(place)?;
        log::point("source.copied");
    }
    reader.connection.execute("COMMIT")?;
    Ok(())
}

fn copy_table(
    connection: &mut Connection<Socket>,
    prepared: &Prepared,
    stream: usize,
    at: Lsn,
    outbox: &mut Outbox,
) -> Result<()> {
    let Some(table) = &prepared.captured else {
        return Ok(());
    };
    connection.begin_copy_out(&table.copy_statement(&snapshot_columns(table, prepared.purpose, at), ""))?;
    let mut copy = CopyOut::new(prepared.table.columns.len());
    while let Some(message) = connection.next_copy_data()? {
        if let Some(fields) = copy.tuple(connection.body(message))? {
            outbox.push(stream, fields.rest())?;
        }
    }
    require_whole(&copy)
}

/// Check that the table is still the one that was prepared, which the columns of the destination were made from.
pub(crate) fn require_same(reader: &mut Session, prepared: &Prepared) -> Result<()> {
    let name = prepared.table.display_name();
    let now = catalog::table(&mut reader.connection, &prepared.table.schema, &prepared.table.name)?;
    let is_same = prepared.captured.as_ref().is_some_and(|table| {
        now.oid == table.oid
            && table.columns.iter().all(|column| now.columns.contains(column))
            && (!prepared.is_whole || table.columns == now.columns)
    });
    if is_same {
        return Ok(());
    }
    let message = format!("The table {name} changed while the run started. Run again.");
    Err(Error::new(Category::Schema, "schema_changed", message).retryable().detail("stream", name))
}
