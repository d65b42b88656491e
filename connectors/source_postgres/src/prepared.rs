//! A stream that was prepared: its table, and how it is read.

use sdk::{DataErrorPolicy, Result, StreamRequest, SyncMode};

use crate::cursor::Cursor;
use crate::table::Table;

#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) index: usize,
    pub(crate) table: Table,
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
        Ok(Prepared { index: request.index, table, cursor, is_sifted })
    }
}
