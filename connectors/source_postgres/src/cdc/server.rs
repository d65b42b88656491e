//! What reading changes asks of a server and of its user, and how far its log goes.

use pgwire::{Connection, Lsn};
use sdk::{Category, Error, Result, Socket};

const OLDEST: u32 = 130_000;

/// Check that the server decodes its log, and lets us read it. Writes nothing.
pub(crate) fn verify(connection: &mut Connection<Socket>) -> Result<()> {
    let sql = "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery(), \
               pg_catalog.current_setting('wal_level'), current_user, \
               EXISTS (SELECT FROM pg_catalog.pg_roles WHERE (rolreplication OR rolsuper) AND rolname = current_user \
               OR rolname = 'rds_replication' AND pg_catalog.pg_has_role(oid, 'MEMBER'))";
    let rows = connection.query(sql, &[])?;
    let row = rows.first().ok_or_else(|| Error::new(Category::Internal, "protocol", "A question got no answer."))?;
    let refuse = |category, code, message: String| Err(Error::new(category, code, message));
    if row.parsed::<u32>(0)? < OLDEST {
        let message = "sync_mode cdc needs PostgreSQL 13 or newer at the source; use incremental or full_refresh.";
        return refuse(Category::Config, "server_too_old", message.to_owned());
    }
    if row.is_true(1) {
        let message = "The source is a standby, where no publication can be made; name its primary as `host`.";
        return refuse(Category::Config, "standby", message.to_owned());
    }
    if row.text(2)? != "logical" {
        let message = format!(
            "wal_level is {} at the source, and sync_mode cdc needs logical: ALTER SYSTEM SET wal_level = 'logical', and \
             restart the server.",
            row.text(2)?
        );
        return refuse(Category::Config, "wal_level", message);
    }
    if !row.is_true(4) {
        let user = row.text(3)?;
        let message = format!("User {user} may not read changes; ALTER ROLE {user} REPLICATION.");
        return refuse(Category::Permission, "no_replication", message);
    }
    Ok(())
}

/// Where the next record of the log will be: everything that is committed by now is before it.
pub(crate) fn end_of_log(connection: &mut Connection<Socket>) -> Result<Lsn> {
    let sql = "SELECT pg_catalog.pg_current_wal_insert_lsn(), pg_catalog.current_setting('wal_block_size'), \
               pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))";
    let rows = connection.query(sql, &[])?;
    let row = rows.first().ok_or_else(|| Error::new(Category::Internal, "protocol", "A question got no answer."))?;
    Ok(before_page_head(row.text(0)?.parse()?, row.parsed(1)?, row.parsed(2)?))
}

/// Up to where the log can be read at this moment.
pub(crate) fn flushed(connection: &mut Connection<Socket>) -> Result<Lsn> {
    let rows = connection.query("SELECT pg_catalog.pg_current_wal_flush_lsn()", &[])?;
    let row = rows.first().ok_or_else(|| Error::new(Category::Internal, "protocol", "A question got no answer."))?;
    Ok(row.text(0)?.parse()?)
}

/// The end of the record before: the next one begins behind the head of its page, where nothing ever ends.
fn before_page_head(next: Lsn, page_bytes: u64, segment_bytes: u64) -> Lsn {
    const LONG_HEAD_BYTES: u64 = 40;
    const SHORT_HEAD_BYTES: u64 = 24;
    if next.0 % segment_bytes == LONG_HEAD_BYTES {
        return Lsn(next.0 - LONG_HEAD_BYTES);
    }
    Lsn(if next.0 % page_bytes == SHORT_HEAD_BYTES { next.0 - SHORT_HEAD_BYTES } else { next.0 })
}

#[cfg(test)]
mod tests {
    use pgwire::Lsn;

    use super::before_page_head;

    #[test]
    fn the_end_is_never_behind_the_head_of_an_empty_page() {
        let end = |next| before_page_head(Lsn(next), 8192, 1 << 24).0;
        assert_eq!(end(8192 + 24), 8192);
        assert_eq!(end(8192 + 32), 8192 + 32);
        assert_eq!(end((1 << 24) + 40), 1 << 24);
        assert_eq!(end(8192 + 40), 8192 + 40);
    }
}
