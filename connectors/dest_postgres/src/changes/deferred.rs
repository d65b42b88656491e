//! Constraints that the source need not keep in the middle of a transaction: they are looked at by the commit.

use pgwire::{Connection, qualified};
use sdk::{Result, Socket};

use crate::target::TargetName;

/// Those that the server may still have to look at before it alters a table: of it, and of what refers to it.
const OF_TABLE: &str = "\
    SELECT DISTINCT n.nspname, c.conname FROM pg_catalog.pg_constraint c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace \
    WHERE c.condeferrable AND $1::pg_catalog.regclass::pg_catalog.oid IN (c.conrelid, c.confrelid)";

const DEFER: &str = "SET CONSTRAINTS ALL DEFERRED";

/// Look at no constraint before the commit that need not be: what held at each commit of the source holds at ours.
pub(crate) fn begin(connection: &mut Connection<Socket>) -> Result<()> {
    connection.execute(DEFER)?;
    Ok(())
}

/// Have the server look at those of a table now, which it alters only when nothing is left to be looked at. The source has
/// altered its own at this place, so that they hold.
pub(crate) fn settle(connection: &mut Connection<Socket>, table: &TargetName) -> Result<()> {
    let rows = connection.query(OF_TABLE, &[&table.quoted()])?;
    let names = rows.iter().map(|row| Ok(qualified(row.text(0)?, row.text(1)?))).collect::<Result<Vec<_>>>()?;
    if !names.is_empty() {
        connection.execute(&format!("SET CONSTRAINTS {} IMMEDIATE; {DEFER}", names.join(", ")))?;
    }
    Ok(())
}
