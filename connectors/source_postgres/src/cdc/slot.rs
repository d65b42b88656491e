//! The replication slot: what the server keeps of the log for a pipeline. Whatever is wrong with it is an error that
//! says what to do, since the server itself would just go on behind the gap.

use std::time::{Duration, Instant};

use pgwire::{Connection, Lsn, literal};
use sdk::{Category, Error, Result, Socket};

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: &str = "SELECT pg_catalog.pg_sleep(0.1)";
/// A slot begins where nobody is in the middle of writing, which the server waits for.
pub(crate) const WAIT_FOR_WRITERS: &str = "SET lock_timeout = '60s'";
const BEGIN_ANEW: &str = "to begin anew, drop the slot, if it is there, and the pipeline's tables in the destination";

/// A slot of pgoutput in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// What is before it will not be sent again.
    pub(crate) confirmed: Lsn,
    user: Option<u32>,
}

/// Look a slot up; what is there and cannot be read from is an error.
pub(crate) fn find(connection: &mut Connection<Socket>, name: &str) -> Result<Option<Slot>> {
    let sql = "SELECT plugin = 'pgoutput' AND database = pg_catalog.current_database(), wal_status = 'lost', \
               confirmed_flush_lsn, active_pid, restart_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";
    let rows = connection.query(sql, &[name])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    if !row.is_true(0) {
        let message = format!("Slot {name} is not one of pgoutput in this database; name another `replication_slot`.");
        return Err(Error::new(Category::Config, "slot_of_others", message).detail("slot", name));
    }
    if row.is_true(1) || row.optional(4).is_none() {
        let message = format!(
            "Slot {name} fell so far behind that the server has removed what it still had to send, and changes are \
             lost; raise max_slot_wal_keep_size or run more often, and {BEGIN_ANEW}."
        );
        return Err(of_data("slot_lost", message, name));
    }
    let user = row.optional(3).and_then(|process| process.parse().ok());
    // A slot that waits for writers to come to their end is there, in use by who makes it, and begins nowhere yet.
    let confirmed = row.optional(2).map(str::parse).transpose()?.unwrap_or_default();
    Ok(Some(Slot { confirmed, user }))
}

/// Check that a slot can go on at `position`; `end` is the end of the log.
pub(crate) fn require_range(slot: Option<&Slot>, name: &str, position: Lsn, end: Lsn) -> Result<()> {
    let Some(slot) = slot else {
        let message = format!(
            "Slot {name}, from which changes were read up to {position}, is gone, and with it what came after; \
             {BEGIN_ANEW}."
        );
        return Err(of_data("slot_missing", message, name));
    };
    if slot.confirmed > position {
        let message = format!(
            "Slot {name} begins at {}, and changes were read up to {position}: it was made anew, or somebody else read \
             from it, and what lies between is lost; {BEGIN_ANEW}.",
            slot.confirmed
        );
        return Err(of_data("slot_advanced", message, name));
    }
    if position > end {
        let message = format!(
            "Changes were read up to {position}, and the server's log ends at {end}: it is another server, or it was \
             set back; name the right `host`, or {BEGIN_ANEW}."
        );
        return Err(of_data("position_ahead", message, name));
    }
    Ok(())
}

/// Wait until nobody reads from the slot: the server may take a moment to notice that a run was killed.
pub(crate) fn wait_until_free(connection: &mut Connection<Socket>, name: &str, slot: Slot) -> Result<Slot> {
    let until = Instant::now() + PATIENCE;
    let mut slot = slot;
    while let Some(process) = slot.user {
        if Instant::now() > until {
            let message = format!("Slot {name} is in use by process {process} of the server; end what reads from it.");
            return Err(Error::new(Category::TransientDb, "slot_in_use", message).retryable().detail("slot", name));
        }
        connection.query(PAUSE, &[])?;
        slot = find(connection, name)?.ok_or_else(|| gone(name))?;
    }
    Ok(slot)
}

/// Make the slot; it keeps the log from now on.
pub(crate) fn create(connection: &mut Connection<Socket>, name: &str) -> Result<Slot> {
    let sql = format!("SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot({}, 'pgoutput')", literal(name));
    connection.execute(WAIT_FOR_WRITERS)?;
    let rows = connection.query(&sql, &[]).map_err(|error| uncreated(error.into(), name))?;
    connection.execute("RESET lock_timeout")?;
    let row = rows.first().ok_or_else(|| gone(name))?;
    Ok(Slot { confirmed: row.text(0)?.parse()?, user: None })
}

/// Check that the server has slots to spare for a first run: the pipeline's own, and one while tables are copied.
pub(crate) fn require_room(connection: &mut Connection<Socket>, name: &str) -> Result<()> {
    const NEEDED: u64 = 2;
    let sql = "SELECT pg_catalog.count(*), pg_catalog.current_setting('max_replication_slots') \
               FROM pg_catalog.pg_replication_slots";
    let rows = connection.query(sql, &[])?;
    let row = rows.first().ok_or_else(|| gone(name))?;
    let (used, most) = (row.parsed::<u64>(0)?, row.parsed::<u64>(1)?);
    if used + NEEDED <= most {
        return Ok(());
    }
    let message = format!(
        "The first run needs two replication slots, {name} and one while it copies the tables, and {used} of {most} are \
         taken; raise max_replication_slots, or drop slots that nobody uses."
    );
    Err(Error::new(Category::Config, "no_slot_left", message).detail("slot", name))
}

/// Say what to do where the server has no room for another slot, or does not like its name.
pub(crate) fn uncreated(error: Error, name: &str) -> Error {
    let remedy = match error.code.as_str() {
        "55P03" => {
            let message = "The server makes a slot only where no transaction is in the middle of writing, and one has \
                           been for a minute: look for it in pg_stat_activity, and wait for its end or end it.";
            return Error::new(Category::TransientDb, "slot_waits", message).retryable().detail("slot", name);
        }
        "53400" => "raise max_replication_slots, or drop slots that nobody uses",
        "42602" => "name another `replication_slot`, of lower-case letters, digits and underscores",
        _ => return error.detail("slot", name),
    };
    let message = format!("Slot {name} cannot be made: {} To mend it, {remedy}.", error.message);
    Error::new(Category::Config, "slot_not_made", message).detail("slot", name)
}

fn gone(name: &str) -> Error {
    of_data("slot_missing", format!("Slot {name} was dropped while it was looked at; run again."), name)
}

fn of_data(code: &str, message: String, name: &str) -> Error {
    Error::new(Category::Data, code, message).detail("slot", name)
}

#[cfg(test)]
mod tests {
    use pgwire::Lsn;

    use super::{Slot, require_range};

    #[test]
    fn a_position_is_in_the_range_of_its_slot_or_what_is_wrong_is_told() {
        let code = |confirmed: Option<u64>, position| {
            let slot = confirmed.map(|confirmed| Slot { confirmed: Lsn(confirmed), user: None });
            require_range(slot.as_ref(), "s", Lsn(position), Lsn(100)).err().map(|error| error.code)
        };
        assert_eq!(code(Some(50), 50), None);
        assert_eq!(code(Some(50), 100), None);
        assert_eq!(code(Some(51), 50).as_deref(), Some("slot_advanced"));
        assert_eq!(code(Some(50), 101).as_deref(), Some("position_ahead"));
        assert_eq!(code(None, 50).as_deref(), Some("slot_missing"));
    }
}
