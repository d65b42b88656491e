//! The documents of the lifecycle calls (docs/ABI.md §3).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// What the other side keeps for a pipeline between its runs, such as a replication slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Holding {
    /// What it is, for people.
    pub kind: String,
    pub name: String,
    /// It was made for the pipeline; what was not is never dropped.
    pub is_ours: bool,
    pub is_dropped: bool,
    /// A flat object of what else is known of it.
    pub details: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HoldingsRequest {
    pub pipeline: String,
    /// Drop what was made for the pipeline.
    pub is_dropped: bool,
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
    /// Where it can be cut: into any ranges of 0 to this number. None where it is read as a whole.
    #[serde(default)]
    pub extent: Option<u64>,
    /// What tells its table from every other, in the source's own words, by which a destination knows it for its own.
    #[serde(default)]
    pub identity: Option<String>,
}

/// The streams that a source has prepared, and what its instance sees of them, for others to see the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreparedStreams {
    pub streams: Vec<Stream>,
    pub snapshot: Option<Value>,
    /// The source reads on until it is asked to stop.
    pub is_endless: bool,
}

/// How a stream leaves a transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reshaped {
    #[serde(flatten)]
    pub stream: Stream,
    /// One instance must see all of its rows, and nothing is committed before its end.
    pub whole_stream: bool,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    FullRefresh,
    Incremental,
    Cdc,
}

/// How rows meet those that the target has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    Append,
    Replace,
    Upsert,
}

/// What happens to a row that cannot be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataErrorPolicy {
    #[default]
    Fail,
    Skip,
    Dlq,
}

/// What becomes of a column that the source has and the target has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewColumn {
    #[default]
    Add,
    Ignore,
    Fail,
}

/// What becomes of a column that the target has and the source has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedColumn {
    #[default]
    Ignore,
    Fail,
}

/// What becomes of a column whose type differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeChange {
    Coerce,
    #[default]
    Fail,
    Null,
}

/// What becomes of a column that may be NULL at the source and not in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullabilityChange {
    #[default]
    Allow,
    Fail,
}

/// The policies for what differs between a stream and its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SchemaEvolution {
    pub new_column: NewColumn,
    pub removed_column: RemovedColumn,
    pub type_change: TypeChange,
    pub nullability_change: NullabilityChange,
}

/// What a destination will do to a target before the first row, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetPlan {
    pub index: usize,
    pub changes: Vec<String>,
}

/// What becomes of rows whose cursor is NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullCursor {
    #[default]
    Fail,
    Skip,
}

/// One stream that a run will move.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StreamRequest {
    pub index: usize,
    pub name: String,
    pub columns: Option<Vec<String>>,
    pub sync_mode: SyncMode,
    pub write_mode: WriteMode,
    pub cursor_field: Option<String>,
    pub tie_breaker_field: Option<String>,
    #[serde(default)]
    pub null_cursor: NullCursor,
    /// How far an incremental read stays behind: seconds before the clock, or units below the greatest value.
    #[serde(default)]
    pub cursor_lag: f64,
    /// The key that an upsert goes by; none leaves it to the source's own.
    pub primary_key: Option<Vec<String>>,
    #[serde(default)]
    pub on_data_error: DataErrorPolicy,
    #[serde(default)]
    pub schema_evolution: SchemaEvolution,
    /// What the source's `prepare` gave; none for the source itself.
    pub source: Option<Stream>,
}

/// The streams of a run, and whose run it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PrepareRequest {
    /// The pipeline, which receipts are kept for.
    #[serde(default)]
    pub pipeline: String,
    #[serde(default)]
    pub run_id: String,
    pub streams: Vec<StreamRequest>,
    /// How many instances may be at work at once.
    #[serde(default = "alone")]
    pub lanes: usize,
    /// What a source instance that was prepared before sees, which this one must see too.
    #[serde(default)]
    pub snapshot: Option<Value>,
}

fn alone() -> usize {
    1
}

/// Which stream is about to be moved, for the how manieth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct ResumeRequest {
    pub stream: usize,
    pub attempt: u32,
    /// Several instances would write the stream, where the destination can have that.
    #[serde(default)]
    pub is_shared: bool,
}

/// A stream that was taken over: what is durable of it, and by what several instances may write it, in the
/// destination's own words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resumed {
    pub receipt: Option<Receipt>,
    pub share: Option<Value>,
}

/// Streams of changes, some of which several instances will copy before their changes are read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SnapshotRequest {
    pub streams: Vec<usize>,
    /// For each of `streams` the position of its receipt, if any.
    pub positions: Vec<Option<Value>>,
    /// Those of `streams` that are copied.
    pub copied: Vec<usize>,
}

impl SnapshotRequest {
    /// The position to go on from in one of the streams.
    pub fn position_of(&self, stream: usize) -> Option<&Value> {
        position_of(&self.streams, &self.positions, stream)
    }
}

/// What instances that copy must see, and for each stream that is copied the position that its copy is the rows of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshotted {
    pub snapshot: Value,
    pub positions: Vec<Value>,
}

/// All that several instances wrote of a stream, to be made durable at once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PublishRequest {
    pub stream: usize,
    pub rows: u64,
    pub bytes: u64,
    /// Where the stream goes on behind that; none where that is all of it.
    #[serde(default)]
    pub position: Option<Value>,
}

/// What a destination has durable of a stream, written in the transaction of its rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Receipt {
    pub run_id: String,
    /// Where the source can go on, in its own words.
    pub position: Option<Value>,
    /// What that run has moved so far.
    pub rows: u64,
    pub bytes: u64,
    /// That run moved the stream to its end.
    pub is_complete: bool,
    /// That run moved all of its streams to their ends.
    pub is_finished: bool,
}

/// When a destination makes durable what it has, where a position allows it; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CheckpointInterval {
    pub rows: u64,
    pub bytes: u64,
    pub seconds: u64,
}

impl CheckpointInterval {
    /// Whether so much was done that it is time.
    pub fn is_over(self, rows: u64, bytes: u64, elapsed: Duration) -> bool {
        let is_over = |done: u64, limit: u64| limit > 0 && done >= limit;
        is_over(rows, self.rows) || is_over(bytes, self.bytes) || is_over(elapsed.as_secs(), self.seconds)
    }
}

/// Which of the instances that read a stream at once this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    First,
    Further,
}

/// Which prepared streams to move now, where from, and where a source aims to cut its batches.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RunRequest {
    pub streams: Vec<usize>,
    pub batch_rows: usize,
    pub batch_bytes: usize,
    /// For each of `streams` the position of its receipt, if any.
    #[serde(default)]
    pub positions: Vec<Option<Value>>,
    #[serde(default)]
    pub checkpoint: CheckpointInterval,
    /// The source reads the ranges that the host gives it, beside others; none reads the whole stream.
    #[serde(default)]
    pub reader: Option<Reader>,
    /// The destination writes by this, beside others; none writes the whole stream.
    #[serde(default)]
    pub share: Option<Value>,
}

impl RunRequest {
    /// The position to go on from in one of the streams.
    pub fn position_of(&self, stream: usize) -> Option<&Value> {
        position_of(&self.streams, &self.positions, stream)
    }
}

fn position_of<'a>(streams: &[usize], positions: &'a [Option<Value>], stream: usize) -> Option<&'a Value> {
    let place = streams.iter().position(|index| *index == stream)?;
    positions.get(place)?.as_ref()
}

/// What a run moved of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub index: usize,
    pub rows: u64,
    pub bytes: u64,
}
