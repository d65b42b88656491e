//! The structured error of the ABI (docs/ABI.md §3).

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::abi;
use crate::abi_numbers::Status;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Config,
    Auth,
    Permission,
    RateLimit,
    TransientNetwork,
    TransientDb,
    Data,
    Schema,
    Frame,
    Internal,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Stream,
    Batch,
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    BeforeCommit,
    AfterCommitUnknown,
    AfterCommitConfirmed,
}

/// A failure as the host and its user see it. The message never holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Error {
    pub category: Category,
    pub scope: Scope,
    /// A stable lower-case word, or a server's SQLSTATE.
    pub code: String,
    pub message: String,
    pub retryable: bool,
    pub retry_after_ms: Option<u64>,
    pub safe_to_retry: bool,
    pub commit_state: Option<CommitState>,
    pub details: BTreeMap<String, String>,
}

impl Error {
    /// An error that no retry mends.
    pub fn new(category: Category, code: &str, message: impl Into<String>) -> Error {
        Error {
            category,
            scope: Scope::Stream,
            code: code.to_owned(),
            message: message.into(),
            retryable: false,
            retry_after_ms: None,
            safe_to_retry: false,
            commit_state: None,
            details: BTreeMap::new(),
        }
    }

    /// Say that a later attempt may succeed, having done nothing durable so far.
    pub fn retryable(mut self) -> Error {
        self.retryable = true;
        self.safe_to_retry = true;
        self
    }

    /// Say what is known of the commit; after an unknown one a retry is no longer safe.
    pub fn commit_state(mut self, state: CommitState) -> Error {
        self.safe_to_retry = self.safe_to_retry && state == CommitState::BeforeCommit;
        self.commit_state = Some(state);
        self
    }

    pub fn detail(mut self, name: &str, value: impl Into<String>) -> Error {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// What a call without an implementation answers.
    pub fn not_supported(call: &str) -> Error {
        Error::new(Category::Internal, "not_supported", format!("This connector has no `{call}`."))
    }

    /// The error for a status of an import that has no meaning of its own where it came; in the host's words, which say
    /// what failed and on what, or else by what was being done.
    pub(crate) fn of_status(status: Status, doing: &str) -> Error {
        let (category, code) = match status {
            Status::Cancelled => (Category::Cancelled, "cancelled"),
            Status::Aborted => (Category::Cancelled, "upstream_aborted"),
            Status::Denied => (Category::Permission, "host_denied"),
            Status::NotFound => (Category::TransientNetwork, "host_not_found"),
            Status::Refused => (Category::TransientNetwork, "connection_refused"),
            Status::TimedOut => (Category::TransientNetwork, "timed_out"),
            Status::TlsFailed => (Category::Config, "tls_failed"),
            Status::Untrusted => (Category::Auth, "tls_untrusted"),
            Status::BadFile => (Category::Config, "tls_files"),
            Status::Reset => (Category::TransientNetwork, "connection_reset"),
            Status::TooLarge | Status::Limit => (Category::Data, "batch_too_large"),
            Status::BadHandle | Status::BadState | Status::OutOfBounds | Status::EndOfStream => {
                (Category::Frame, "frame")
            }
            _ => (Category::Internal, "host"),
        };
        let reason = abi::last_error_message();
        let message = if reason.is_empty() { format!("Failed {doing}: {status:?}.") } else { reason };
        let error = Error::new(category, code, message);
        if category == Category::TransientNetwork { error.retryable() } else { error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{Category, CommitState, Error};

    #[test]
    fn an_error_serialises_to_the_documented_shape() {
        let error =
            Error::new(Category::TransientDb, "40P01", "Deadlock.").retryable().detail("stream", "public.users");
        let json = serde_json::to_value(&error).map_err(|e| e.to_string());
        assert_eq!(
            json,
            Ok(serde_json::json!({
                "category": "transient_db", "scope": "stream", "code": "40P01", "message": "Deadlock.",
                "retryable": true, "retry_after_ms": null, "safe_to_retry": true, "commit_state": null,
                "details": {"stream": "public.users"}
            }))
        );
    }

    #[test]
    fn an_unknown_commit_is_not_safe_to_retry() {
        let error =
            Error::new(Category::TransientNetwork, "x", "x").retryable().commit_state(CommitState::AfterCommitUnknown);
        assert!(error.retryable && !error.safe_to_retry);
    }
}
