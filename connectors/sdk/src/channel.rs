//! The channel between stages: frames with their metadata, and what has become durable.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::abi;
use crate::abi_numbers::Status;
use crate::error::{Category, Error, Result};
use crate::frame::Frame;
use crate::request::Stream;

/// What a frame is in its stream: one schema, or of changes several, batches after it, then one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    Schema,
    Batch,
    End,
}

/// What travels beside a frame. `bytes` counts the payload as it was read at the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    pub stream: usize,
    pub kind: FrameKind,
    pub rows: u64,
    pub bytes: u64,
    /// Where the source can go on once all up to here is durable; for batches and the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
    /// How many rows a transform has left out since the frame before; in an end, all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filtered: u64,
    /// What a stream of changes is from this schema on, for the policies of schema evolution. A further schema without it is
    /// that of changes which are older than what the stream was prepared as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Stream>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Hand a sealed frame on; blocks while the queue is full.
pub fn emit(frame: Frame, metadata: &Metadata) -> Result<()> {
    let document = encode(metadata)?;
    abi::emit(frame.handle(), &document).map_err(|status| Error::of_status(status, "to pass a batch on"))?;
    frame.forget();
    Ok(())
}

/// Say that the first `rows` rows of a stream are durable, and its receipt with `position`; call it after the commit.
pub fn checkpoint(stream: usize, rows: u64, bytes: u64, position: Option<&Value>) -> Result<()> {
    let document = encode(&Durable { stream, rows, bytes, position })?;
    abi::checkpoint(&document).map_err(|status| Error::of_status(status, "to report committed rows"))?;
    Ok(())
}

#[derive(Serialize)]
struct Durable<'a> {
    stream: usize,
    rows: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a Value>,
}

/// The position that the destination made durable last in this run; `None` before the first one. Does not wait.
pub fn durable_position(stream: usize) -> Result<Option<Value>> {
    let index = i32::try_from(stream).unwrap_or(i32::MAX);
    let asking = |status| Error::of_status(status, "to ask what is durable");
    let document = whole(|text| abi::durable_position(index, text)).map_err(asking)?;
    if document.is_empty() {
        return Ok(None);
    }
    let unreadable = |_| Error::new(Category::Internal, "metadata", "The host passed a position that cannot be read.");
    serde_json::from_slice(&document).map(Some).map_err(unreadable)
}

/// Whether the run is asked to end: a source without an end of its own then ends its streams. Does not wait.
pub fn stop_requested() -> Result<bool> {
    let answer = abi::stop_requested().map_err(|status| Error::of_status(status, "to ask whether to stop"))?;
    Ok(answer > 0)
}

/// Tell, for people, how many bytes there are at the source which are not durable at the destination yet.
pub fn report_lag(bytes: u64) -> Result<()> {
    let size = i64::try_from(bytes).unwrap_or(i64::MAX);
    abi::report_lag(size).map_err(|status| Error::of_status(status, "to tell how far behind it is"))?;
    Ok(())
}

fn encode(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::new(Category::Internal, "metadata", error.to_string()))
}

/// A frame that arrived, sealed.
#[derive(Debug)]
pub struct Arrival {
    pub metadata: Metadata,
    pub frame: Frame,
}

/// The frames of one run, in order. An abort upstream is an error, never the end.
#[derive(Debug, Default)]
pub struct Inbox {
    _private: (),
}

impl Inbox {
    /// Wait for the next frame; `None` after all frames of a whole run.
    pub fn receive(&mut self) -> Result<Option<Arrival>> {
        let frame = match abi::next() {
            Ok(handle) => Frame::from_handle(handle),
            Err(Status::EndOfStream) => return Ok(None),
            Err(status) => return Err(Error::of_status(status, "to receive a batch")),
        };
        let metadata = serde_json::from_slice(&read_metadata(&frame)?)
            .map_err(|_| Error::new(Category::Internal, "metadata", "The host passed metadata that cannot be read."))?;
        Ok(Some(Arrival { metadata, frame }))
    }
}

fn read_metadata(frame: &Frame) -> Result<Vec<u8>> {
    whole(|text| abi::frame_meta(frame.handle(), text)).map_err(|status| Error::of_status(status, "to read metadata"))
}

/// A document that the host writes as far as it fits, which is short unless it holds a long position.
fn whole(mut read: impl FnMut(&mut [u8]) -> abi::Answer) -> std::result::Result<Vec<u8>, Status> {
    let mut text = vec![0u8; 512];
    loop {
        let length = usize::try_from(read(&mut text)?).unwrap_or(0);
        let is_whole = length <= text.len();
        text.resize(length, 0);
        if is_whole {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameKind, Metadata};
    use crate::request::Stream;

    #[test]
    fn metadata_has_the_documented_shape() {
        let mut metadata = Metadata {
            stream: 2,
            kind: FrameKind::Batch,
            rows: 3,
            bytes: 40,
            position: None,
            filtered: 0,
            source: None,
        };
        let json = |metadata: &Metadata| serde_json::to_string(metadata).map_err(|e| e.to_string());
        assert_eq!(json(&metadata).as_deref(), Ok(r#"{"stream":2,"kind":"batch","rows":3,"bytes":40}"#));
        metadata.position = Some(serde_json::json!({"value": "7"}));
        let with_position = r#"{"stream":2,"kind":"batch","rows":3,"bytes":40,"position":{"value":"7"}}"#;
        assert_eq!(json(&metadata).as_deref(), Ok(with_position));
        let filtered = Metadata { position: None, filtered: 4, ..metadata.clone() };
        assert_eq!(json(&filtered).as_deref(), Ok(r#"{"stream":2,"kind":"batch","rows":3,"bytes":40,"filtered":4}"#));
        let source = Stream {
            name: "s.t".into(),
            columns: vec![],
            primary_key: vec![],
            estimated_rows: None,
            estimated_bytes: None,
            extent: None,
            identity: None,
        };
        let schema = Metadata { kind: FrameKind::Schema, position: None, source: Some(source), ..metadata };
        let read = serde_json::from_str::<Metadata>(&json(&schema).unwrap_or_default());
        assert_eq!(read.ok(), Some(schema));
    }
}
