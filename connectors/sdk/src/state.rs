//! Small values that a connector keeps from one run to the next (docs/ABI.md §10). What is written is durable when the
//! call returns. Never the only copy of a cursor: that lives in the destination, beside the rows it covers.

use serde::Serialize;

use crate::abi;
use crate::abi_numbers::Status;
use crate::error::{Category, Error, Result};

/// Room for a first look, which most values fit.
const USUAL_BYTES: usize = 4096;

/// Whose a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// All connectors of the pipeline share it.
    Pipeline,
    /// Those who move this stream share it.
    Stream { stream: usize },
    /// It is this connector's alone.
    Connector,
}

/// The name of a value in its scope: at most 255 bytes that can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Key<'a> {
    #[serde(flatten)]
    pub scope: Scope,
    pub name: &'a str,
}

/// Read a value; `None` where there is none.
pub fn get(key: Key<'_>) -> Result<Option<Vec<u8>>> {
    let document = document(key)?;
    let mut value = vec![0; USUAL_BYTES];
    loop {
        let length = match abi::state_get(&document, &mut value) {
            Ok(length) => usize::try_from(length).unwrap_or(0),
            Err(Status::NotFound) => return Ok(None),
            Err(status) => return Err(Error::of_status(status, "to read a kept value")),
        };
        let is_whole = length <= value.len();
        value.resize(length, 0);
        if is_whole {
            return Ok(Some(value));
        }
    }
}

/// Write a value of at most 1 MiB, whatever was there.
pub fn put(key: Key<'_>, value: &[u8]) -> Result<()> {
    abi::state_put(&document(key)?, value).map_err(|status| Error::of_status(status, "to keep a value"))?;
    Ok(())
}

/// Write `value` if `expected` is there now, and tell whether it was; `None` stands for no value.
pub fn compare_and_swap(key: Key<'_>, expected: Option<&[u8]>, value: Option<&[u8]>) -> Result<bool> {
    let swapped = abi::state_compare_and_swap(&document(key)?, expected, value)
        .map_err(|status| Error::of_status(status, "to keep a value"))?;
    Ok(swapped == 1)
}

fn document(key: Key<'_>) -> Result<Vec<u8>> {
    serde_json::to_vec(&key).map_err(|error| Error::new(Category::Internal, "metadata", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{Key, Scope, compare_and_swap, document, get, put};

    fn text(scope: Scope) -> Option<String> {
        document(Key { scope, name: "slot" }).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    }

    #[test]
    fn a_key_has_the_documented_shape() {
        assert_eq!(text(Scope::Pipeline).as_deref(), Some(r#"{"scope":"pipeline","name":"slot"}"#));
        assert_eq!(text(Scope::Connector).as_deref(), Some(r#"{"scope":"connector","name":"slot"}"#));
        assert_eq!(
            text(Scope::Stream { stream: 2 }).as_deref(),
            Some(r#"{"scope":"stream","stream":2,"name":"slot"}"#)
        );
    }

    #[test]
    fn without_a_host_nothing_is_kept() {
        let key = Key { scope: Scope::Pipeline, name: "slot" };
        assert!(get(key).is_err() && put(key, b"").is_err() && compare_and_swap(key, None, None).is_err());
    }
}
