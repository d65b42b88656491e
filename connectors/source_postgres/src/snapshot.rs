//! The snapshot that the sessions of a run share: one exports it, and the others see the tables as that one does.

use pgwire::{Connection, literal};
use sdk::{Category, Error, Result, Socket};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the host passes from one instance to the others. It holds while a transaction that has the snapshot lasts.
#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    id: String,
}

/// Let other sessions see what this transaction sees.
pub(crate) fn export(connection: &mut Connection<Socket>) -> Result<Value> {
    let rows = connection.query("SELECT pg_catalog.pg_export_snapshot()", &[])?;
    let id = rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned();
    serde_json::to_value(Snapshot { id }).map_err(unusable)
}

/// See what another session sees; the transaction has asked nothing yet.
pub(crate) fn join(connection: &mut Connection<Socket>, document: &Value) -> Result<()> {
    let snapshot: Snapshot = serde_json::from_value(document.clone()).map_err(unusable)?;
    match connection.execute(&format!("SET TRANSACTION SNAPSHOT {}", literal(&snapshot.id))) {
        Ok(_) => Ok(()),
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
        let document = serde_json::to_value(Snapshot { id: name.into() }).ok();
        assert_eq!(document, Some(json!({"id": name})));
        let read = document.and_then(|document| serde_json::from_value::<Snapshot>(document).ok());
        assert_eq!(read.map(|snapshot| snapshot.id).as_deref(), Some(name));
    }
}
