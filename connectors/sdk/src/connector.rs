//! What a connector implements. One value lives from `open` to `close`.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;

use crate::channel::Inbox;
use crate::error::{Error, Result};
use crate::request::{
    Check, Holding, HoldingsRequest, Moved, PrepareRequest, PreparedStreams, PublishRequest, Reshaped, ResumeRequest,
    Resumed, RunRequest, Server, SnapshotRequest, Snapshotted, Stream, StreamRequest, TargetPlan,
};
use crate::transform::Rejects;

/// What every connector has.
pub trait Connector: Sized {
    /// The manifest of docs/ABI.md §2, as JSON.
    const MANIFEST: &'static str;

    /// Connect with a config that fits the manifest's schema.
    fn open(config: Value) -> Result<(Self, Server)>;

    /// Verify what can be verified without reading a row, and without writing.
    fn check(&mut self) -> Result<Vec<Check>>;

    /// Leave the other side tidy, also after an error or a cancellation.
    fn close(&mut self) -> Result<()>;
}

/// Reads streams and emits their frames.
pub trait Source: Connector {
    /// List what can be read.
    fn discover(&mut self) -> Result<Vec<Stream>>;

    /// List what the other side keeps for a pipeline between its runs, and drop what was made for it, where that is asked
    /// for. Most keep nothing.
    fn holdings(&mut self, _request: HoldingsRequest) -> Result<Vec<Holding>> {
        Ok(Vec::new())
    }

    /// Look the streams up; the answer is in the order of the request, with the projection applied.
    fn prepare(&mut self, request: PrepareRequest) -> Result<PreparedStreams>;

    /// Have the other side keep the changes of all of some streams from here on, and take the snapshot that several instances
    /// copy some of them from; it holds until all of them are run together. A source that gives streams of changes an
    /// extent has this.
    fn snapshot(&mut self, _request: SnapshotRequest) -> Result<Snapshotted> {
        Err(Error::not_supported("snapshot"))
    }

    /// Read prepared streams and emit them: for each a schema, batches and an end. Where they are several, the schemas of
    /// all come before the first batch, and a position stands for all of them.
    fn run(&mut self, request: &RunRequest) -> Result<Vec<Moved>>;
}

/// Changes rows on their way. It may leave rows out and reject others, and makes none.
pub trait Transform: Connector {
    type Transformation: Transformation;

    /// Plan the streams, which come as their `source` says; the answer, in the same order, is how they leave.
    fn prepare(&mut self, streams: Vec<StreamRequest>) -> Result<Vec<Reshaped>>;

    /// Begin a prepared stream, whose batches have this schema.
    fn begin(&mut self, stream: usize, schema: &SchemaRef) -> Result<Self::Transformation>;
}

/// What a transform does with one stream. It ends with the run.
pub trait Transformation {
    /// The schema of what leaves.
    fn schema(&self) -> SchemaRef;

    /// Make of a batch what leaves in its place; none when it leaves as it came. Rows that are missing in it and were
    /// not rejected count as filtered.
    fn apply(&mut self, batch: &RecordBatch, rejects: &mut Rejects) -> Result<Option<RecordBatch>>;
}

/// Receives frames and writes their rows.
pub trait Destination: Connector {
    /// Compare the streams with what the target has, and tell what will be changed there; write nothing.
    fn prepare(&mut self, request: PrepareRequest) -> Result<Vec<TargetPlan>>;

    /// Take a prepared stream over: wait until no other session writes it for this pipeline, which holds until `close`,
    /// and tell what is durable of it.
    fn resume(&mut self, request: ResumeRequest) -> Result<Resumed>;

    /// Write what arrives, its position in the same transaction, and checkpoint what is durable.
    fn run(&mut self, request: &RunRequest, inbox: &mut Inbox) -> Result<Vec<Moved>>;

    /// Make durable, in one commit with its receipt, what several instances wrote of a stream that this one took over.
    fn publish(&mut self, request: PublishRequest) -> Result<Vec<Moved>>;

    /// Mark the receipts of all prepared streams: the run is over, and the next one begins anew.
    fn finish(&mut self) -> Result<()>;
}
