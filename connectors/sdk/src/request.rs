//! The documents of the lifecycle calls (docs/ABI.md §3).

use serde::{Deserialize, Serialize};

/// What `open` tells of the other side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    pub server: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Ok,
    Warn,
    Fail,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    pub name: String,
    pub status: CheckStatus,
    pub message: String,
}

/// A column; `type` is the source's own name of its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub nullable: bool,
}

/// A table as its source describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub name: String,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub estimated_rows: Option<u64>,
    pub estimated_bytes: Option<u64>,
}

/// One stream that a run will move.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StreamRequest {
    pub index: usize,
    pub name: String,
    pub columns: Option<Vec<String>>,
    pub sync_mode: String,
    pub write_mode: String,
    /// What the source's `prepare` gave; none for the source itself.
    pub source: Option<Stream>,
}

/// Which prepared streams to move now, and where a source aims to cut its batches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunRequest {
    pub streams: Vec<usize>,
    pub batch_rows: usize,
    pub batch_bytes: usize,
}

/// What a run moved of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub index: usize,
    pub rows: u64,
    pub bytes: u64,
}
