//! Changes out of the log, from one place of it up to another, or on and on, in the order of their commits.

use std::rc::Rc;

use pgwire::pgoutput::{Message, Old, Tuple};
use pgwire::replication::{FromServer, status_update};
use pgwire::{Connection, Lsn};
use sdk::{Category, Error, Rejection, Result, Socket, log};

use super::event::{Event, Operation, Transaction};
use super::outbox::Outbox;
use super::place::Place;
use super::relations::{Mapping, Relations};
use super::shape::Shape;
use super::tail::{Standing, Tail};
use super::watch::Watch;
use crate::prepared::Prepared;

/// After so long without a word, the server is asked how far it is.
const PAUSE_MS: i32 = 100;

/// A reader of one slot.
pub(crate) struct Changes<'a> {
    watch: Watch<'a>,
    relations: Relations,
    place: Place,
    /// Where the log ended before the tables were looked up. It is the first place that is not read any more, unless
    /// reading has no end.
    end: Lsn,
    is_endless: bool,
    /// Up to where there were changes of the streams.
    changed: Lsn,
    transaction: Option<Transaction>,
    /// Something of the transaction was handed on.
    is_inside: bool,
    /// What was handed on last of each stream.
    shapes: Vec<Rc<Shape>>,
    tuple: Vec<u8>,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(watch: Watch<'a>, place: Place, end: Lsn) -> Changes<'a> {
        let changed = place.lsn.unwrap_or_default(); // with what was copied
        Changes {
            watch,
            relations: Relations::default(),
            place,
            end,
            is_endless: false,
            changed,
            transaction: None,
            is_inside: false,
            shapes: watch.streams.iter().map(|prepared| Rc::new(Shape::of_prepared(prepared))).collect(),
            tuple: Vec::new(),
        }
    }

    /// Read on a replication that has begun, up to the end, or until `tail` says so; how far that was. `reader` looks up
    /// what the log does not tell.
    pub(crate) fn read(
        mut self,
        reader: &mut Connection<Socket>,
        connection: &mut Connection<Socket>,
        outbox: &mut Outbox,
        mut tail: Option<Tail<'_>>,
    ) -> Result<Place> {
        self.is_endless = tail.is_some();
        while self.is_endless || self.place.lsn < Some(self.end) {
            if let Some(tail) = tail.as_mut().filter(|tail| self.transaction.is_none() && tail.is_time())
                && !tail.proceed(
                    reader,
                    connection,
                    outbox,
                    Standing { place: &self.place, changed: self.changed, durable: self.durable()? },
                )?
            {
                break;
            }
            let Some(message) = connection.next_replicated(PAUSE_MS)? else {
                if tail.is_none() {
                    connection.send_replicated(&status_update(self.durable()?, true))?;
                }
                continue;
            };
            let is_answered = match FromServer::read(connection.body(message))? {
                FromServer::Data { payload } => {
                    if !self.take(reader, payload, outbox)? {
                        break;
                    }
                    false
                }
                FromServer::Keepalive { end, is_reply_requested } => {
                    if self.transaction.is_none() {
                        self.place.lsn = self.place.lsn.max(Some(end));
                    }
                    is_reply_requested
                }
            };
            if is_answered {
                connection.send_replicated(&status_update(self.durable()?, false))?;
            }
        }
        if !self.is_endless {
            self.place.lsn = self.place.lsn.max(Some(self.end));
        }
        Ok(self.place)
    }

    /// Up to where all streams are durable, as far as that is known here; never more than was committed.
    fn durable(&self) -> Result<Lsn> {
        durable(self.watch.streams)
    }

    /// Take one message; whether there may be more.
    fn take(&mut self, reader: &mut Connection<Socket>, payload: &[u8], outbox: &mut Outbox) -> Result<bool> {
        match Message::read(payload)? {
            Message::Begin { commit, .. } if commit >= self.end && !self.is_endless => return Ok(false),
            Message::Begin { commit, committed_at, transaction } => {
                self.is_inside = false;
                self.transaction = Some(Transaction { commit, committed_at, id: transaction, sequence: 0 });
            }
            Message::Commit { end } => {
                if self.transaction.take().is_some_and(|transaction| transaction.sequence > 0) {
                    self.changed = end;
                }
                self.place.lsn = Some(end);
                outbox.settle(&self.place)?;
            }
            Message::Relation(relation) => {
                let is_earlier = self.transaction.is_none_or(|transaction| transaction.commit < self.end);
                self.relations.learn(reader, &relation, self.watch, is_earlier)?;
            }
            Message::Insert { relation, new } => self.change(Operation::Insert, relation, &new, None, outbox)?,
            Message::Update { relation, old, new } => {
                self.change(Operation::Update, relation, &new, old.as_ref(), outbox)?;
            }
            Message::Delete { relation, old } => {
                self.change(Operation::Delete, relation, old.tuple(), None, outbox)?;
            }
            Message::Truncate { relations } => {
                let nothing = Tuple { values: Vec::new() };
                for relation in relations {
                    self.change(Operation::Truncate, relation, &nothing, None, outbox)?;
                }
            }
            Message::Aside => {}
        }
        Ok(true)
    }

    fn change(
        &mut self,
        operation: Operation,
        relation: u32,
        row: &Tuple<'_>,
        old: Option<&Old<'_>>,
        outbox: &mut Outbox,
    ) -> Result<()> {
        let transaction = self.transaction.as_mut().ok_or_else(outside)?;
        let Some(mapping) = self.relations.find(relation)? else {
            return Ok(());
        };
        transaction.sequence += 1;
        let Some(prepared) = self.watch.streams.get(mapping.stream) else {
            return Ok(());
        };
        if self.place.is_copied(&prepared.table.display_name(), transaction.commit) {
            return Ok(());
        }
        let event = Event {
            operation,
            transaction: *transaction,
            values: mapping.values(row, old),
            old_key: old.and_then(|old| mapping.old_key(old.tuple(), row)),
        };
        let current = self.shapes.get_mut(mapping.stream);
        let between = (!self.is_inside).then_some(&self.place);
        self.is_inside = true;
        if let Some(current) = current
            && !Rc::ptr_eq(current, &mapping.shape)
        {
            if !current.is_same(&mapping.shape) {
                let Shape { events, is_judged, .. } = mapping.shape.as_ref();
                outbox.reshape(mapping.stream, events, *is_judged, between)?;
                log::point("source.reshaped");
            }
            *current = mapping.shape.clone();
        }
        push(&event, prepared, mapping, &mut self.tuple, outbox)
    }
}

/// Up to where all streams are durable in this run; the very beginning where nothing is yet.
pub(crate) fn durable(streams: &[&Prepared]) -> Result<Lsn> {
    let mut least = None;
    for prepared in streams {
        let position = sdk::durable_position(prepared.index)?;
        let lsn = position.as_ref().map_or(Ok(Lsn(0)), Place::lsn_of)?;
        least = Some(least.map_or(lsn, |least: Lsn| least.min(lsn)));
    }
    Ok(least.unwrap_or_default())
}

/// Hand an event on; one with a value that cannot be moved is rejected, where the policy wants that.
fn push(
    event: &Event<'_>,
    prepared: &Prepared,
    mapping: &Mapping,
    tuple: &mut Vec<u8>,
    outbox: &mut Outbox,
) -> Result<()> {
    let table = &mapping.shape.table;
    match event.write(table, prepared.purpose, tuple) {
        Ok(()) => outbox.push(mapping.stream, tuple),
        Err(error) if prepared.is_sifted && error.category == Category::Data => {
            let columns = table.columns.iter().map(|column| column.name.clone());
            let printed = event.values.iter().map(|value| match value {
                pgwire::pgoutput::Datum::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                _ => None,
            });
            sdk::reject(Rejection::new(prepared.index, &error, columns.zip(printed).collect()))
        }
        Err(error) => Err(error.detail("stream", table.display_name())),
    }
}

fn outside() -> Error {
    Error::new(Category::Internal, "protocol", "The server sent a change outside of a transaction.")
}
