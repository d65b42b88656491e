//! COMMIT, and what is known of it when the answer is not the expected one.

use pgwire::Connection;
use sdk::{Category, CommitState, Error, Result, Socket};

/// End the transaction that wrote `tables`.
pub(crate) fn execute(connection: &mut Connection<Socket>, tables: &str) -> Result<()> {
    match connection.execute("COMMIT") {
        Ok(tag) if tag == "COMMIT" => Ok(()),
        Ok(tag) => {
            let message = format!("The server answered {tag} to COMMIT of {tables}.");
            Err(Error::new(Category::Internal, "not_committed", message).commit_state(CommitState::BeforeCommit))
        }
        Err(error) => {
            let state =
                if error.is_connection_lost() { CommitState::AfterCommitUnknown } else { CommitState::BeforeCommit };
            Err(Error::from(error).commit_state(state).detail("table", tables))
        }
    }
}
