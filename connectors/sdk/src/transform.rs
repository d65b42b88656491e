//! The way of frames through a transform: every row that comes is given on, rejected, or counted as filtered.

use std::collections::BTreeMap;

use crate::batch::{BatchReader, batch_frame, end_frame, schema_frame};
use crate::channel::{Arrival, FrameKind, Inbox, Metadata, emit};
use crate::connector::{Transform, Transformation};
use crate::error::{Category, Error, Result};
use crate::reject::{Rejection, reject};
use crate::request::{Moved, RunRequest};

/// Takes the rows of one stream that cannot go on, and counts them.
#[derive(Debug)]
pub struct Rejects {
    stream: usize,
    rows: u64,
}

impl Rejects {
    /// Hand a row over, by its columns as text, with all of its reasons. Only where the stream's `on_data_error` is not
    /// `fail`: there an error is to be returned.
    pub fn reject(&mut self, code: &str, reasons: Vec<String>, row: BTreeMap<String, Option<String>>) -> Result<()> {
        let (stream, category, code) = (self.stream, Category::Data, code.to_owned());
        reject(Rejection { stream, category, code, reasons, row, unreadable: Vec::new(), place: None })?;
        self.rows += 1;
        Ok(())
    }
}

/// One stream while it passes.
struct Passing<T> {
    reader: BatchReader,
    transformation: T,
    is_reshaped: bool,
    rows: u64,
    bytes: u64,
    filtered: u64,
}

/// Pass the streams of a request on, to the end of each.
pub(crate) fn run<T: Transform>(transform: &mut T, request: &RunRequest, inbox: &mut Inbox) -> Result<Vec<Moved>> {
    let mut passing = BTreeMap::new();
    let mut moved = Vec::new();
    while let Some(arrival) = inbox.receive()? {
        let stream = arrival.metadata.stream;
        let known = passing.get_mut(&stream);
        match (arrival.metadata.kind, known) {
            (FrameKind::Schema, None) => {
                passing.insert(stream, begin(transform, arrival)?);
            }
            (FrameKind::Batch, Some(passing)) => passing.pass(arrival)?,
            (FrameKind::End, Some(passing)) => moved.push(passing.end(&arrival.metadata)?),
            (kind, _) => {
                let message = format!("A {kind:?} frame of stream {stream} came out of order.");
                return Err(Error::new(Category::Frame, "out_of_order", message));
            }
        }
    }
    if moved.len() == request.streams.len() {
        return Ok(moved);
    }
    Err(Error::new(Category::Frame, "stream_missing", "The frames ended without all of the streams."))
}

fn begin<T: Transform>(transform: &mut T, arrival: Arrival) -> Result<Passing<T::Transformation>> {
    let Arrival { metadata, frame } = arrival;
    let reader = BatchReader::new(&frame)?;
    let transformation = transform.begin(metadata.stream, reader.schema())?;
    let schema = transformation.schema();
    let is_reshaped = schema != *reader.schema();
    emit(if is_reshaped { schema_frame(&schema)? } else { frame }, &metadata)?;
    Ok(Passing { reader, transformation, is_reshaped, rows: 0, bytes: 0, filtered: 0 })
}

impl<T: Transformation> Passing<T> {
    /// Give a batch on, or what becomes of it. One that loses all of its rows is still sent, for its position.
    fn pass(&mut self, arrival: Arrival) -> Result<()> {
        let Arrival { metadata, frame } = arrival;
        let mut rejects = Rejects { stream: metadata.stream, rows: 0 };
        let batch = self.reader.read(&frame, metadata.rows)?;
        let outcome = self.transformation.apply(&batch, &mut rejects)?;
        let rows = outcome.as_ref().map_or(metadata.rows, |batch| batch.num_rows() as u64);
        let filtered = metadata
            .rows
            .checked_sub(rows + rejects.rows)
            .ok_or_else(|| wrong("A transform gave more rows than it took."))?;
        self.rows += rows;
        self.bytes += metadata.bytes;
        self.filtered += filtered;
        let frame = match outcome {
            None if self.is_reshaped => return Err(wrong("A transform gave a batch of another schema than its own.")),
            None => frame,
            Some(batch) => {
                drop(frame); // the host lends only so many bytes at once
                batch_frame(&batch)?
            }
        };
        emit(frame, &Metadata { rows, filtered, ..metadata })
    }

    fn end(&mut self, metadata: &Metadata) -> Result<Moved> {
        let (index, rows, bytes, filtered) = (metadata.stream, self.rows, self.bytes, self.filtered);
        emit(end_frame()?, &Metadata { rows, bytes, filtered, ..metadata.clone() })?;
        Ok(Moved { index, rows, bytes })
    }
}

fn wrong(message: &str) -> Error {
    Error::new(Category::Internal, "bad_transform", message)
}
