//! The frames of one stream on their way out: a schema, batches that are cut where they are full, an end.

use std::collections::BTreeMap;

use sdk::batch::{batch_frame, end_frame, schema_frame};
use sdk::{Category, Error, FrameKind, Metadata, Moved, Rejection, Result, RunRequest, log};
use serde_json::Value;

use pgwire::copy_out::Fields;

use crate::batch::BatchBuilder;
use crate::prepared::Prepared;
use crate::printed::{bytes_of, text_of};
use crate::table::Table;

const TOO_LARGE: &str = "batch_too_large";
/// With every field, whose length they are.
const LENGTH_BYTES: usize = 4;

pub(crate) struct Emitter {
    index: usize,
    table: Table,
    /// Rows that cannot be read are handed to the host.
    is_sifted: bool,
    batch: BatchBuilder,
    batch_bytes: usize,
    /// What a row may take in Arrow besides its own bytes.
    row_bytes: usize,
    most_rows: usize,
    most_bytes: usize,
    rows: u64,
    bytes: u64,
}

impl Emitter {
    /// Begin a stream by emitting its schema.
    pub(crate) fn begin(prepared: &Prepared, request: &RunRequest) -> Result<Emitter> {
        let Prepared { index, table, is_sifted, .. } = prepared;
        let emitter = Emitter {
            index: *index,
            table: table.clone(),
            is_sifted: *is_sifted,
            batch: BatchBuilder::new(table, *is_sifted),
            batch_bytes: 0,
            row_bytes: row_bytes(table),
            most_rows: request.batch_rows,
            most_bytes: request.batch_bytes,
            rows: 0,
            bytes: 0,
        };
        emitter.emit_schema(prepared.captured.is_some())?;
        Ok(emitter)
    }

    /// Go on with rows of other columns, before which nothing waits. `is_judged`: the policies are asked about them.
    pub(crate) fn reshape(&mut self, table: &Table, is_judged: bool) -> Result<()> {
        self.table = table.clone();
        self.row_bytes = row_bytes(table);
        self.batch = BatchBuilder::new(table, self.is_sifted);
        self.emit_schema(is_judged)
    }

    fn emit_schema(&self, is_judged: bool) -> Result<()> {
        let source = is_judged.then(|| self.table.clone().into_stream());
        let metadata = Metadata { source, ..self.metadata(FrameKind::Schema, 0, 0, None) };
        sdk::emit(schema_frame(self.batch.schema())?, &metadata)
    }

    /// Whether a tuple of `size` bytes goes into the batch of those before; one that is large goes alone, whatever its size.
    #[inline]
    pub(crate) fn has_room(&self, size: usize) -> bool {
        self.is_empty() || self.size_bytes() + self.size_of(size) <= self.most_bytes
    }

    /// Take one tuple of `size` bytes; fields that follow those of the table are left.
    #[inline]
    pub(crate) fn push(&mut self, fields: &mut Fields<'_>, size: usize) -> Result<()> {
        let whole = *fields;
        if let Err(error) = self.batch.push(fields) {
            *fields = whole;
            return self.reject(fields, error);
        }
        self.batch_bytes += size;
        Ok(())
    }

    /// Hand over a row that cannot be read, or fail where the policy wants that.
    #[cold]
    fn reject(&mut self, fields: &mut Fields<'_>, error: Error) -> Result<()> {
        if !self.is_sifted || error.category != Category::Data {
            return Err(error);
        }
        self.batch.forget_rest();
        let (mut row, mut unreadable) = (BTreeMap::new(), Vec::new());
        for column in &self.table.columns {
            let field = fields.next_field()?;
            let text = field.map(|field| text_of(column.form(), field));
            if text == Some(None) {
                unreadable.push(column.name.clone());
            }
            row.insert(column.name.clone(), text.map(|text| text.or_else(|| field.map(bytes_of)).unwrap_or_default()));
        }
        sdk::reject(Rejection::new(self.index, &error, row).unreadable(unreadable))
    }

    /// What the tuples since the last batch take in one, in bytes, at most.
    pub(crate) fn size_bytes(&self) -> usize {
        self.batch_bytes + self.batch.rows() * self.row_bytes
    }

    /// The same of one tuple of `size` bytes.
    pub(crate) fn size_of(&self, size: usize) -> usize {
        size + self.row_bytes
    }

    /// Whether nothing was taken since the last batch.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.rows() == 0
    }

    /// Whether it is time to emit a batch.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.batch.rows() >= self.most_rows || self.size_bytes() >= self.most_bytes
    }

    /// Emit what was taken, with the position after it.
    pub(crate) fn emit_batch(&mut self, position: Option<Value>) -> Result<()> {
        let batch = self.batch.finish()?;
        let (rows, bytes) = (batch.num_rows() as u64, self.batch_bytes as u64);
        let frame = batch_frame(&batch).map_err(|error| self.described(error, rows))?;
        sdk::emit(frame, &self.metadata(FrameKind::Batch, rows, bytes, position))?;
        log::point("source.emitted");
        self.rows += rows;
        self.bytes += bytes;
        self.batch_bytes = 0;
        Ok(())
    }

    /// Emit what is left and the end, with the position after all of it.
    pub(crate) fn end(mut self, position: Option<Value>) -> Result<Moved> {
        if self.batch.rows() > 0 {
            self.emit_batch(None)?;
        }
        sdk::emit(end_frame()?, &self.metadata(FrameKind::End, self.rows, self.bytes, position))?;
        log::point("source.ended");
        Ok(Moved { index: self.index, rows: self.rows, bytes: self.bytes })
    }

    /// Say where it was that a row alone is larger than a batch may be.
    #[cold]
    fn described(&self, error: Error, rows: u64) -> Error {
        if error.code != TOO_LARGE || rows != 1 {
            return error;
        }
        let message =
            format!("A row of {} is larger than a batch may be. {}", self.table.display_name(), error.message);
        Error { message, ..error }
    }

    fn metadata(&self, kind: FrameKind, rows: u64, bytes: u64, position: Option<Value>) -> Metadata {
        Metadata { stream: self.index, kind, rows, bytes, position, filtered: 0, source: None }
    }
}

/// What the values of a row may take in Arrow that they do not in a tuple, where NULL is a length alone.
fn row_bytes(table: &Table) -> usize {
    table.columns.iter().map(|column| column.form().width().saturating_sub(LENGTH_BYTES)).sum()
}

#[cfg(test)]
mod tests {
    use pgwire::oid;

    use super::row_bytes;
    use crate::samples;

    #[test]
    fn values_of_a_width_take_it_also_where_they_are_null() {
        let columns = [("a", "text", oid::TEXT), ("b", "uuid", oid::UUID), ("c", "bigint", oid::INT8)];
        assert_eq!(row_bytes(&samples::table(&columns, &[])), 12 + 4);
        assert_eq!(row_bytes(&samples::table(&[("b", "boolean", oid::BOOL), ("i", "integer", oid::INT4)], &[])), 0);
    }
}
