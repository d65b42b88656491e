//! Change data capture: all streams of a pipeline from one slot and one publication.
//!
//! [`server`], [`requirements`] and [`publication`] say before a run what is missing; [`slot`] keeps the log,
//! [`snapshot`] copies what was there before it, [`changes`] reads on; [`relations`], [`shape`] and [`text_value`] turn changes into
//! [`event`]s, which leave by the [`outbox`]; [`identity`] is what they tell rows apart by. [`place`] is how far all of that came,
//! [`tail`] how reading goes on without an end, [`watch`] whether the tables are still the same, and [`holdings`] what stays in the server when a pipeline is given up.

mod changes;
mod event;
mod holdings;
mod identity;
mod names;
mod outbox;
mod place;
mod publication;
mod relations;
mod requirements;
mod server;
mod shape;
mod slot;
mod snapshot;
mod tail;
mod text_value;
mod watch;

use std::collections::BTreeMap;

use pgwire::replication::{newest_protocol, status_update};
use pgwire::{Connection, Lsn, Session, identifier, literal};
use sdk::{
    Category, Error, Holding, HoldingsRequest, Moved, Result, RunRequest, SnapshotRequest, Socket, StreamRequest,
    SyncMode, log,
};
use serde_json::Value;

pub(crate) use event::{Purpose, events_of, snapshot_columns};
pub(crate) use identity::with_identity;
pub(crate) use names::NamesConfig;
pub(crate) use tail::{Mode, ReadingConfig};

use crate::prepared::Prepared;
use crate::table::Table;
use changes::{Changes, durable};
use names::Names;
use outbox::Outbox;
use place::{Place, Snapshot};
use tail::Tail;
use watch::Watch;

/// Far more than a batch may wait for a destination that is slow; the server gives readers up that say nothing for so long.
const SESSION_SETTINGS: &str = "SET wal_sender_timeout = '1h'";
const PAUSE_MS: i32 = 20;

/// What the server keeps for a pipeline; with `is_dropped`, what was made for it is dropped.
pub(crate) fn holdings(session: &mut Session, config: &NamesConfig, request: &HoldingsRequest) -> Result<Vec<Holding>> {
    let names = Names::new(config, &session.config.database, &request.pipeline);
    let work = if request.is_dropped { holdings::drop_ours } else { holdings::list };
    work(&mut session.connection, &names)
}

/// Check that nothing waits for the end of what has none.
pub(crate) fn require_only_changes(mode: Mode, streams: &[StreamRequest]) -> Result<()> {
    let other = streams.iter().find(|stream| stream.sync_mode != SyncMode::Cdc);
    let Some(other) = other.filter(|_| mode == Mode::Tail) else {
        return Ok(());
    };
    let message = format!(
        "With `cdc.mode: tail` a run has no end, and stream {} is not of sync_mode cdc; put it into a pipeline of its own.",
        other.name
    );
    Err(Error::new(Category::Config, "tail_with_others", message).detail("stream", &other.name))
}

/// The changes of some tables, up to where the log ended when they were looked up, or without an end.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    names: Names,
    end: Lsn,
    mode: Mode,
}

impl Capture {
    /// Begin with the end of the log: whatever is read up to it was committed before the tables are looked up.
    pub(crate) fn begin(session: &mut Session, config: &NamesConfig, mode: Mode, pipeline: &str) -> Result<Capture> {
        server::verify(&mut session.connection)?;
        let names = Names::new(config, &session.config.database, pipeline);
        Ok(Capture { names, end: server::end_of_log(&mut session.connection)?, mode })
    }

    /// Check that changes of the tables can be read. Writes nothing.
    pub(crate) fn verify(&self, connection: &mut Connection<Socket>, tables: &[&Table]) -> Result<()> {
        for table in tables {
            requirements::verify(connection, table)?;
        }
        publication::plan(connection, &self.names, tables)?;
        if slot::find(connection, &self.names.slot)?.is_none() {
            slot::require_room(connection, &self.names.slot)?;
        }
        Ok(())
    }

    /// Take the snapshot that several sessions copy some of the streams from: the session that holds it, the place that it
    /// shows, and for each of those streams the position that its copy is the rows of.
    pub(crate) fn snapshot(
        &self,
        session: &Session,
        streams: &[&Prepared],
        request: &SnapshotRequest,
    ) -> Result<(Session, Lsn, Vec<Value>)> {
        let mut reader = session.open_another()?;
        reader.connection.execute(crate::WHOLE_TABLES).map_err(sdk::Error::from)?;
        let (Place { lsn, .. }, publishers) =
            self.begin_at(&mut reader.connection, streams, |index| request.position_of(index))?;
        let mut replication = session.open_replication()?;
        let at = snapshot::begin(&mut reader.connection, &mut replication.connection)?;
        replication.close()?;
        let mut positions = Vec::new();
        for (prepared, published_by) in streams.iter().zip(publishers) {
            if request.copied.contains(&prepared.index) {
                snapshot::require_same(&mut reader, prepared)?;
                let snapshot = snapshot_of(prepared, at, published_by);
                let snapshots = BTreeMap::from([(prepared.table.display_name(), snapshot)]);
                positions.push(Place { lsn, snapshots }.to_document()?);
            }
        }
        Ok((reader, at, positions))
    }

    /// Read all streams on from their place, and confirm what is durable.
    pub(crate) fn run(&self, session: &Session, streams: &[&Prepared], request: &RunRequest) -> Result<Vec<Moved>> {
        let mut reader = session.open_another()?;
        reader.connection.execute(crate::WHOLE_TABLES).map_err(sdk::Error::from)?;
        let mut replication = session.open_replication()?;
        let moved = self.read(&mut reader, &mut replication, streams, request)?;
        reader.close()?; // after an error, the server notices that they are gone
        replication.close()?;
        Ok(moved)
    }

    fn read(
        &self,
        reader: &mut Session,
        replication: &mut Session,
        streams: &[&Prepared],
        request: &RunRequest,
    ) -> Result<Vec<Moved>> {
        let (mut place, publishers) =
            self.begin_at(&mut reader.connection, streams, |index| request.position_of(index))?;
        let start = place.lsn.unwrap_or_default();
        let watch = Watch { names: &self.names, streams };
        // Slots are made before a word reaches the destination: the server waits for all transactions that write, and one
        // of these would be the destination's, where both are in one server.
        let is_copied = |prepared: &&Prepared| place.snapshots.contains_key(&prepared.table.display_name());
        let at = if streams.iter().all(is_copied) {
            None
        } else {
            Some(snapshot::begin(&mut reader.connection, &mut replication.connection)?)
        };
        let mut outbox = Outbox::begin(streams, request)?;
        if let Some(at) = at {
            let snapshots = publishers.into_iter().zip(streams);
            let of = |(published_by, prepared): (String, &&Prepared)| snapshot_of(prepared, at, published_by);
            let snapshots = snapshots.map(of).collect();
            snapshot::copy(reader, streams, snapshots, &mut place, &mut outbox)?;
        }
        let connection = &mut replication.connection;
        connection.execute(SESSION_SETTINGS)?;
        let command = self.start_command(start, newest_protocol(connection.server_version()));
        connection.begin_replication(&command)?;
        let is_endless = self.mode == Mode::Tail;
        let tail = is_endless.then(|| Tail::begin(watch, request, start));
        let changes = Changes::new(watch, place, self.end);
        let place = changes.read(&mut reader.connection, connection, &mut outbox, tail)?;
        let moved = outbox.end(&place)?;
        confirm(connection, streams, place.lsn.unwrap_or_default())?;
        log::point("source.confirmed");
        Ok(moved)
    }

    /// Have the changes of all streams sent, and kept from their place on; which that is, and what has them sent.
    fn begin_at<'a>(
        &self,
        connection: &mut Connection<Socket>,
        streams: &[&Prepared],
        position_of: impl Fn(usize) -> Option<&'a Value>,
    ) -> Result<(Place, Vec<String>)> {
        let tables: Vec<&Table> = streams.iter().filter_map(|prepared| prepared.captured.as_ref()).collect();
        let mut place = Place::read(streams, position_of)?;
        tables.iter().try_for_each(|table| place.require_same(&table.display_name(), table.oid))?;
        publication::complete(connection, &self.names, &tables)?;
        let publishers = Watch { names: &self.names, streams }.look(connection)?;
        for (table, publisher) in tables.iter().zip(&publishers) {
            place.require_published(&table.display_name(), publisher)?;
        }
        place.lsn = Some(self.open_slot(connection, place.lsn)?);
        Ok((place, publishers))
    }

    /// Find the slot, or make it before anything was read; where to begin.
    fn open_slot(&self, connection: &mut Connection<Socket>, position: Option<Lsn>) -> Result<Lsn> {
        let name = &self.names.slot;
        let found = slot::find(connection, name)?;
        if let Some(position) = position {
            let end = server::end_of_log(connection)?;
            slot::require_range(found.as_ref(), name, position, end)?;
        }
        let slot = match found {
            Some(slot) => slot::wait_until_free(connection, name, slot)?,
            None => slot::create(connection, name)?,
        };
        log::point("source.slot_ready");
        Ok(position.unwrap_or(slot.confirmed))
    }

    fn start_command(&self, start: Lsn, protocol: u8) -> String {
        let publication = literal(&identifier(&self.names.publication));
        format!(
            "START_REPLICATION SLOT {} LOGICAL {start} (proto_version '{protocol}', publication_names {publication})",
            identifier(&self.names.slot)
        )
    }
}

/// What is to be known of the copy of a stream from then on.
fn snapshot_of(prepared: &Prepared, at: Lsn, published_by: String) -> Snapshot {
    Snapshot { at, published_by, table: Some(prepared.table.oid) }
}

/// Wait until the destination has committed everything, tell the server, and leave the slot free.
fn confirm(connection: &mut Connection<Socket>, streams: &[&Prepared], all: Lsn) -> Result<()> {
    while durable(streams)? < all {
        connection.next_replicated(PAUSE_MS)?;
    }
    connection.send_replicated(&status_update(all, false))?;
    Ok(connection.end_replication()?)
}
