//! What the server keeps for a pipeline of changes: its slot and its publication, and how to be rid of those that were
//! made for it. What the config names belongs to whoever named it, and is never dropped.

use pgwire::{Connection, Row, identifier, literal};
use sdk::{Category, Error, Holding, Result, Socket};
use serde_json::{Value, json};

use super::names::Names;

const SLOT: &str = "replication slot";
const PUBLICATION: &str = "publication";
const IN_USE: &str = "55006";

/// List what is there, of the pipeline's names, whosever it is.
pub(crate) fn list(connection: &mut Connection<Socket>, names: &Names) -> Result<Vec<Holding>> {
    Ok(slot(connection, names)?.into_iter().chain(publication(connection, names)?).collect())
}

/// Drop what was made for the pipeline, or nothing; the answer is all that was there, and whether it was dropped.
pub(crate) fn drop_ours(connection: &mut Connection<Socket>, names: &Names) -> Result<Vec<Holding>> {
    let mut holdings = list(connection, names)?;
    let has = |kind| holdings.iter().any(|holding: &Holding| holding.kind == kind && holding.is_ours);
    let (has_slot, has_publication) = (has(SLOT), has(PUBLICATION));
    connection.execute("BEGIN")?;
    if has_publication {
        connection.execute(&format!("DROP PUBLICATION {}", identifier(&names.publication)))?;
    }
    if has_slot {
        // Last, since no rollback brings a slot back.
        let sql = format!("SELECT pg_catalog.pg_drop_replication_slot({})", literal(&names.slot));
        connection.query(&sql, &[]).map_err(|error| kept(error.into(), &names.slot))?;
    }
    connection.execute("COMMIT")?;
    for holding in &mut holdings {
        holding.is_dropped = holding.is_ours;
    }
    Ok(holdings)
}

fn slot(connection: &mut Connection<Socket>, names: &Names) -> Result<Option<Holding>> {
    let sql = "SELECT plugin = 'pgoutput' AND database = pg_catalog.current_database(), active_pid, restart_lsn, \
               confirmed_flush_lsn, pg_catalog.pg_wal_lsn_diff(e.lsn, confirmed_flush_lsn)::pg_catalog.int8, \
               pg_catalog.pg_wal_lsn_diff(e.lsn, restart_lsn)::pg_catalog.int8, wal_status, safe_wal_size \
               FROM pg_catalog.pg_replication_slots, (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() \
               THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) AS e \
               WHERE slot_name = $1";
    let rows = connection.query(sql, &[&names.slot])?;
    let of_row = |row: &Row| Holding {
        kind: SLOT.to_owned(),
        name: names.slot.clone(),
        is_ours: names.is_slot_ours && row.is_true(0),
        is_dropped: false,
        details: json!({
            "is_active": row.optional(1).is_some(),
            "process": number(row, 1),
            "restart_lsn": row.optional(2),
            "confirmed_lsn": row.optional(3),
            "behind_bytes": number(row, 4),
            "kept_bytes": number(row, 5),
            "wal_status": row.optional(6),
            "safe_wal_size": number(row, 7),
        }),
    };
    Ok(rows.first().map(of_row))
}

fn publication(connection: &mut Connection<Socket>, names: &Names) -> Result<Option<Holding>> {
    let sql = "SELECT pg_catalog.pg_get_userbyid(pubowner), (SELECT pg_catalog.string_agg(pg_catalog.format('%s.%s', \
               schemaname, tablename), ', ' ORDER BY schemaname, tablename) FROM pg_catalog.pg_publication_tables t \
               WHERE t.pubname = p.pubname), pg_catalog.pg_get_userbyid(pubowner) = current_user FROM pg_catalog.pg_publication p WHERE pubname = $1";
    let rows = connection.query(sql, &[&names.publication])?;
    let of_row = |row: &Row| Holding {
        kind: PUBLICATION.to_owned(),
        name: names.publication.clone(),
        // One that somebody else made under this name is theirs.
        is_ours: names.is_publication_ours && row.is_true(2),
        is_dropped: false,
        details: json!({"owner": row.optional(0), "tables": row.optional(1)}),
    };
    Ok(rows.first().map(of_row))
}

/// Say what to do where the slot cannot be dropped.
fn kept(error: Error, name: &str) -> Error {
    if error.code != IN_USE {
        return error.detail("slot", name);
    }
    let message = format!(
        "Slot {name} is read from at this moment, and nothing was dropped; end the run that reads from it, and drop again."
    );
    Error::new(Category::TransientDb, "slot_in_use", message).detail("slot", name)
}

fn number(row: &Row, place: usize) -> Value {
    row.optional(place).and_then(|text| text.parse::<i64>().ok()).map_or(Value::Null, Value::from)
}
