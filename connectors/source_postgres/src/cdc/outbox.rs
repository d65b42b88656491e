//! The streams of a slot on their way out together. A position stands for all of them: it goes with the last batch of
//! those that are emitted at the end of a transaction. What is emitted at once is a round: a batch at most of each stream,
//! in their order.

use pgwire::copy_out::Fields;
use sdk::{Moved, Result, RunRequest};
use serde_json::Value;

use super::place::Place;
use crate::emitter::Emitter;
use crate::prepared::Prepared;
use crate::table::Table;

/// What is to be emitted of each stream.
pub(crate) struct Outbox {
    emitters: Vec<Emitter>,
    most_bytes: usize,
    /// Batches were emitted inside of a transaction, so that they have no position yet.
    is_owing: bool,
}

impl Outbox {
    /// Begin all streams: each schema comes before the first row of any of them.
    pub(crate) fn begin(streams: &[&Prepared], request: &RunRequest) -> Result<Outbox> {
        let emitters = streams.iter().map(|prepared| Emitter::begin(prepared, request)).collect::<Result<_>>()?;
        Ok(Outbox { emitters, most_bytes: request.batch_bytes, is_owing: false })
    }

    /// Take a row of a stream; what does not fit any more is emitted before it.
    pub(crate) fn push(&mut self, place: usize, tuple: &[u8]) -> Result<()> {
        if !self.has_room(place, tuple.len()) {
            self.emit(None)?;
        }
        match self.emitters.get_mut(place) {
            Some(emitter) => emitter.push(&mut Fields::of(tuple), tuple.len()),
            None => Ok(()),
        }
    }

    /// Go on with other columns of a stream, after all rows before it. `between` is the position there, where it is one
    /// between two transactions.
    pub(crate) fn reshape(
        &mut self,
        place: usize,
        table: &Table,
        is_judged: bool,
        between: Option<&Place>,
    ) -> Result<()> {
        match between {
            Some(position) => self.emit_up_to(position)?,
            None => self.emit(None)?,
        }
        self.emitters.get_mut(place).map_or(Ok(()), |emitter| emitter.reshape(table, is_judged))
    }

    /// A transaction is over: emit if it is time to.
    pub(crate) fn settle(&mut self, place: &Place) -> Result<()> {
        if !(self.is_full() || self.is_owing) {
            return Ok(());
        }
        self.emit(Some(place.to_document()?))
    }

    /// Emit what there is with its position, or the position alone.
    pub(crate) fn emit_up_to(&mut self, place: &Place) -> Result<()> {
        let position = place.to_document()?;
        if self.emitters.iter().any(|emitter| !emitter.is_empty()) {
            return self.emit(Some(position));
        }
        self.is_owing = false;
        self.emitters.last_mut().map_or(Ok(()), |emitter| emitter.emit_batch(Some(position)))
    }

    /// Emit everything, with the position after it. No stream ends before the last batch of all.
    pub(crate) fn end(mut self, place: &Place) -> Result<Vec<Moved>> {
        self.emit(None)?;
        let document = place.to_document()?;
        self.emitters.into_iter().map(|emitter| emitter.end(Some(document.clone()))).collect()
    }

    fn size_bytes(&self) -> usize {
        self.emitters.iter().map(Emitter::size_bytes).sum()
    }

    fn is_full(&self) -> bool {
        self.size_bytes() >= self.most_bytes || self.emitters.iter().any(Emitter::is_full)
    }

    /// Whether a tuple of `size` bytes goes with what there is: one that is large goes alone, whatever its size.
    fn has_room(&self, place: usize, size: usize) -> bool {
        let size = self.emitters.get(place).map_or(0, |emitter| emitter.size_of(size));
        let is_empty = self.emitters.iter().all(Emitter::is_empty);
        is_empty || !self.is_full() && self.size_bytes() + size <= self.most_bytes
    }

    fn emit(&mut self, position: Option<Value>) -> Result<()> {
        self.is_owing = position.is_none();
        let mut filled: Vec<_> = self.emitters.iter_mut().filter(|emitter| !emitter.is_empty()).collect();
        let last = filled.pop();
        for emitter in filled {
            emitter.emit_batch(None)?;
        }
        last.map_or(Ok(()), |emitter| emitter.emit_batch(position))
    }
}
