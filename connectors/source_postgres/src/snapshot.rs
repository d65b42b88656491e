//! The snapshot that the sessions of a run share: one exports it, and the others see the tables as that one does.

use pgwire::{Connection, Lsn, literal};
use sdk::{Category, Error, Result, Socket};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the host passes from one instance to the others. It holds while a transaction that has the snapshot lasts.
#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    id: String,
    /// The place of the log that it shows, where it was taken at one.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

/// Let other sessions see what this transaction sees: the tables as they are `at` a place of the log, or at some moment.
pub(crate) fn export(connection: &mut Connection<Socket>, at: Option<Lsn>) -> Result<Value> {
    let rows = connection.query("SELECT pg_catalog.pg_export_snapshot()", &[])?;
    let id = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    serde_json::to_value(Snapshot { id, at: at.map(|at| at.to_string()) }).map_err(unusable)
}

/// See what another session sees, and at which place of the log; the transaction has asked nothing yet.
pub(crate) fn join(connection: &mut Connection<Socket>, document: &Value) -> Result<Option<Lsn>> {
    let snapshot: Snapshot = serde_json::from_value(document.clone()).map_err(unusable)?;
    match connection.execute(&format!("SET TRANSACTION SNAPSHOT {}", literal(&snapshot.id))) {
        Ok(_) => Ok(snapshot.at.map(|at| at.parse()).transpose()?),
        Err(error) if error.is_connection_lost() => Err(error.into()),
        Err(error) => {
            let message = format!("The snapshot of this run can no longer be joined: {}", Error::from(error).message);
            Err(Error::new(Category::TransientDb, "snapshot_gone", message).retryable())
        }
    }
}

fn unusable(error: serde_json::Error) -> Error {
    Error::new(Category::Internal, "snapshot", error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Snapshot;

    #[test]
    fn a_snapshot_is_passed_on_by_its_name() {
        let name = "00000004-0000001B-1";
        let document = serde_json::to_value(Snapshot { id: name.into(), at: None }).ok();
        assert_eq!(document, Some(json!({"id": name})));
        let placed = serde_json::to_value(Snapshot { id: name.into(), at: Some("1/2".into()) }).ok();
        assert_eq!(placed, Some(json!({"id": name, "at": "1/2"})));
        let read = document.and_then(|document| serde_json::from_value::<Snapshot>(document).ok());
        assert_eq!(read.map(|snapshot| snapshot.id).as_deref(), Some(name));
    }
}
