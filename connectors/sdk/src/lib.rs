//! The guest side of the connector ABI (docs/ABI.md): what a connector is written against.
//!
//! A connector implements [`Connector`], with [`Source`], [`Transform`] or [`Destination`], and names its type once with
//! [`export_source!`], [`export_transform!`] or [`export_destination!`]. Everything the host lends it is a type here: [`Frame`], [`Inbox`] and [`emit`] for
//! batches, [`Socket`] for the network, [`log`](mod@log) for people, [`state`] for what must be known in the
//! next run.

mod abi;
mod abi_numbers;
pub mod batch;
pub mod calendar;
mod channel;
mod connector;
mod cut;
mod error;
mod export;
mod frame;
pub mod log;
mod range;
mod reject;
mod request;
mod socket;
pub mod state;
pub mod text;
mod transform;

pub use abi_numbers::Status;
pub use channel::{
    Arrival, FrameKind, Inbox, Metadata, checkpoint, durable_position, emit, report_lag, stop_requested,
};
pub use connector::{Connector, Destination, Source, Transform, Transformation};
pub use error::{Category, CommitState, Error, Result, Scope};
pub use frame::Frame;
pub use range::next_range;
pub use reject::{Rejection, reject};
pub use request::{
    Check, CheckStatus, CheckpointInterval, Column, DataErrorPolicy, Holding, HoldingsRequest, Moved, NewColumn,
    NullCursor, NullabilityChange, PrepareRequest, PreparedStreams, PublishRequest, Reader, Receipt, RemovedColumn,
    Reshaped, ResumeRequest, Resumed, RunRequest, SchemaEvolution, Server, SnapshotRequest, Snapshotted, Stream,
    StreamRequest, SyncMode, TargetPlan, TypeChange, WriteMode,
};
pub use socket::{Socket, TlsRequest, Verify};
pub use transform::Rejects;

/// What the export macros expand to; not for use by hand.
#[doc(hidden)]
pub mod abi_glue {
    pub use crate::abi::allocate;
    pub use crate::export::{Call, Instance, serve_destination, serve_source, serve_transform};
}
