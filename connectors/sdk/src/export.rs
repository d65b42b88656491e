//! The exports of a guest, and the way of a call from JSON to a trait method and back.

use std::cell::RefCell;
use std::sync::Once;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::abi;
use crate::channel::Inbox;
use crate::connector::{Connector, Destination, Source, Transform};
use crate::error::{Category, Error, Result};
use crate::log;
use crate::request::{HoldingsRequest, PrepareRequest, PublishRequest, ResumeRequest, RunRequest, SnapshotRequest};
use crate::transform;

/// A call of the lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Spec,
    Open,
    Check,
    Discover,
    Holdings,
    Prepare,
    Resume,
    Snapshot,
    Run,
    Publish,
    Finish,
    Close,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::Spec => "spec",
            Call::Open => "open",
            Call::Check => "check",
            Call::Discover => "discover",
            Call::Holdings => "holdings",
            Call::Prepare => "prepare",
            Call::Resume => "resume",
            Call::Snapshot => "snapshot",
            Call::Run => "run",
            Call::Publish => "publish",
            Call::Finish => "finish",
            Call::Close => "close",
        }
    }
}

/// The state of an instance between calls: the open connector, and the last result, which the host may still read.
#[derive(Debug)]
pub struct Instance<T> {
    connector: RefCell<Option<T>>,
    result: RefCell<Vec<u8>>,
}

impl<T> Default for Instance<T> {
    fn default() -> Self {
        Instance { connector: RefCell::new(None), result: RefCell::new(Vec::new()) }
    }
}

#[derive(Deserialize)]
struct OpenRequest {
    config: Value,
}

/// Serve one call of a source.
pub fn serve_source<T: Source>(instance: &Instance<T>, call: Call, pointer: *mut u8, length: usize) -> i64 {
    serve(instance, call, pointer, length, |source, request| match call {
        Call::Discover => Ok(json!({"streams": source.discover()?})),
        Call::Holdings => Ok(json!({"holdings": source.holdings(parse::<HoldingsRequest>(request)?)?})),
        Call::Prepare => value(&source.prepare(parse::<PrepareRequest>(request)?)?),
        Call::Snapshot => value(&source.snapshot(parse::<SnapshotRequest>(request)?)?),
        Call::Run => Ok(json!({"streams": source.run(&parse::<RunRequest>(request)?)?})),
        Call::Spec | Call::Open | Call::Check | Call::Resume | Call::Publish | Call::Finish | Call::Close => {
            Err(Error::not_supported(call.name()))
        }
    })
}

/// Serve one call of a transform.
pub fn serve_transform<T: Transform>(instance: &Instance<T>, call: Call, pointer: *mut u8, length: usize) -> i64 {
    serve(instance, call, pointer, length, |served, request| match call {
        Call::Prepare => Ok(json!({"streams": served.prepare(parse::<PrepareRequest>(request)?.streams)?})),
        Call::Run => {
            let request = parse::<RunRequest>(request)?;
            Ok(json!({"streams": transform::run(served, &request, &mut Inbox::default())?}))
        }
        _ => Err(Error::not_supported(call.name())),
    })
}

/// Serve one call of a destination.
pub fn serve_destination<T: Destination>(instance: &Instance<T>, call: Call, pointer: *mut u8, length: usize) -> i64 {
    serve(instance, call, pointer, length, |destination, request| match call {
        Call::Prepare => {
            let request = parse::<PrepareRequest>(request)?;
            Ok(json!({"streams": destination.prepare(request)?}))
        }
        Call::Resume => value(&destination.resume(parse::<ResumeRequest>(request)?)?),
        Call::Run => {
            let request = parse::<RunRequest>(request)?;
            Ok(json!({"streams": destination.run(&request, &mut Inbox::default())?}))
        }
        Call::Publish => Ok(json!({"streams": destination.publish(parse::<PublishRequest>(request)?)?})),
        Call::Finish => {
            destination.finish()?;
            Ok(json!({}))
        }
        Call::Spec | Call::Open | Call::Check | Call::Discover | Call::Holdings | Call::Snapshot | Call::Close => {
            Err(Error::not_supported(call.name()))
        }
    })
}

/// Take the request, answer what every connector answers alike, leave the rest to `of_kind`, and keep the result.
fn serve<T: Connector>(
    instance: &Instance<T>,
    call: Call,
    pointer: *mut u8,
    length: usize,
    of_kind: impl FnOnce(&mut T, &[u8]) -> Result<Value>,
) -> i64 {
    log_panics();
    let outcome = abi::take_request(pointer, length).and_then(|request| {
        let connector = &mut *instance.connector.borrow_mut();
        match call {
            Call::Spec => parse::<Value>(T::MANIFEST.as_bytes()),
            Call::Open => {
                let (opened, server) = T::open(parse::<OpenRequest>(&request)?.config)?;
                *connector = Some(opened);
                value(&server)
            }
            Call::Check => Ok(json!({"checks": opened(connector)?.check()?})),
            Call::Close => close(connector.take()),
            Call::Discover
            | Call::Holdings
            | Call::Prepare
            | Call::Resume
            | Call::Snapshot
            | Call::Run
            | Call::Publish
            | Call::Finish => of_kind(opened(connector)?, &request),
        }
    });
    let document = match outcome {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": error}),
    };
    let mut result = instance.result.borrow_mut();
    *result = document.to_string().into_bytes();
    abi::pack(&result)
}

fn opened<T>(connector: &mut Option<T>) -> Result<&mut T> {
    connector.as_mut().ok_or_else(|| Error::new(Category::Internal, "not_open", "The connector is not open."))
}

fn close<T: Connector>(connector: Option<T>) -> Result<Value> {
    if let Some(mut connector) = connector {
        connector.close()?;
    }
    Ok(json!({}))
}

fn parse<D: DeserializeOwned>(text: &[u8]) -> Result<D> {
    serde_json::from_slice(text).map_err(|error| Error::new(Category::Config, "bad_request", error.to_string()))
}

fn value(document: &impl Serialize) -> Result<Value> {
    serde_json::to_value(document).map_err(|error| Error::new(Category::Internal, "bad_result", error.to_string()))
}

/// A panic traps, and a trap has no text of its own: tell the host first.
fn log_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string()))));
}

/// Export a [`Source`] as the module's lifecycle.
#[macro_export]
macro_rules! export_source {
    ($connector:ty, $manifest:literal) => {
        $crate::export_connector!($connector, $manifest, $crate::abi_glue::serve_source);
    };
}

/// Export a [`Transform`] as the module's lifecycle.
#[macro_export]
macro_rules! export_transform {
    ($connector:ty, $manifest:literal) => {
        $crate::export_connector!($connector, $manifest, $crate::abi_glue::serve_transform);
    };
}

/// Export a [`Destination`] as the module's lifecycle.
#[macro_export]
macro_rules! export_destination {
    ($connector:ty, $manifest:literal) => {
        $crate::export_connector!($connector, $manifest, $crate::abi_glue::serve_destination);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export_connector {
    ($connector:ty, $manifest:literal, $serve:path) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code)]
        mod exports {
            use super::*;
            use $crate::abi_glue::{Call, Instance, allocate};

            // SAFETY: a section of its own, that only the host's parser reads.
            #[unsafe(link_section = "rapidbyte.manifest")]
            #[used]
            static MANIFEST: [u8; include_bytes!($manifest).len()] = *include_bytes!($manifest);

            thread_local! {
                static INSTANCE: Instance<$connector> = Instance::default();
            }

            // SAFETY (for all exports): the names are those of docs/ABI.md, and no other symbol has them.
            #[unsafe(no_mangle)]
            extern "C" fn rb_alloc(length: usize) -> *mut u8 {
                allocate(length)
            }
            $crate::export_connector!(@call $serve, rb_spec, Spec);
            $crate::export_connector!(@call $serve, rb_open, Open);
            $crate::export_connector!(@call $serve, rb_check, Check);
            $crate::export_connector!(@call $serve, rb_discover, Discover);
            $crate::export_connector!(@call $serve, rb_holdings, Holdings);
            $crate::export_connector!(@call $serve, rb_prepare, Prepare);
            $crate::export_connector!(@call $serve, rb_resume, Resume);
            $crate::export_connector!(@call $serve, rb_snapshot, Snapshot);
            $crate::export_connector!(@call $serve, rb_run, Run);
            $crate::export_connector!(@call $serve, rb_publish, Publish);
            $crate::export_connector!(@call $serve, rb_finish, Finish);
            $crate::export_connector!(@call $serve, rb_close, Close);
        }
    };
    (@call $serve:path, $export:ident, $call:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $export(pointer: *mut u8, length: usize) -> i64 {
            INSTANCE.with(|instance| $serve(instance, Call::$call, pointer, length))
        }
    };
}
