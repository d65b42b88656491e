//! A stream that was prepared: its table, and how it is read.

use sdk::{Category, DataErrorPolicy, Error, Result, StreamRequest, SyncMode};

use crate::cdc::{Purpose, events_of};
use crate::cursor::Cursor;
use crate::table::Table;

#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: StreamRequest,
    pub(crate) index: usize,
    /// What is emitted: the table, or the events of it.
    pub(crate) table: Table,
    /// The table whose changes are read.
    pub(crate) captured: Option<Table>,
    /// What the events are for.
    pub(crate) purpose: Purpose,
    /// All columns of the table are read.
    pub(crate) is_whole: bool,
    /// What an incremental read goes by.
    pub(crate) cursor: Option<Cursor>,
    /// Rows that cannot be read are handed to the host.
    pub(crate) is_sifted: bool,
}

impl Prepared {
    /// Fit a request to its table.
    pub(crate) fn new(request: &StreamRequest, table: Table) -> Result<Prepared> {
        let table = table.project(request.columns.as_deref())?;
        let is_incremental = request.sync_mode == SyncMode::Incremental;
        let cursor = is_incremental.then(|| Cursor::new(request, &table)).transpose()?;
        let is_sifted = request.on_data_error != DataErrorPolicy::Fail;
        let captured = (request.sync_mode == SyncMode::Cdc).then(|| table.clone());
        let purpose = Purpose::of(request.write_mode);
        let table = match &captured {
            Some(captured) => events_of(require_key(captured)?, purpose)?,
            None => table,
        };
        let is_whole = request.columns.is_none();
        Ok(Prepared {
            request: request.clone(),
            index: request.index,
            table,
            captured,
            purpose,
            is_whole,
            cursor,
            is_sifted,
        })
    }
}

/// Rows are told apart by their key, so that it cannot be left out.
fn require_key(table: &Table) -> Result<&Table> {
    let is_there = |name: &String| table.columns.iter().any(|column| column.name == *name);
    match table.primary_key.iter().find(|name| !is_there(name)) {
        None => Ok(table),
        Some(name) => {
            let message = format!("Column {name} of the key of {} is left out; add it.", table.display_name());
            Err(Error::new(Category::Config, "key_not_selected", message).detail("stream", table.display_name()))
        }
    }
}
