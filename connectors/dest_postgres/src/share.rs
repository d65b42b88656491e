//! A table that is not there yet can be filled by several sessions at once: in a table of `_rapidbyte`, which becomes the
//! stream's own in one transaction, with its receipt.
//!
//! The name is of one attempt of one run, so that a session which outlives its run writes where nobody looks. What runs
//! left behind when they died is dropped by the next one that takes the stream over.

use pgwire::{Connection, identifier, literal, qualified};
use sdk::{Category, CommitState, Error, Result, Socket, WriteMode, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commit;
use crate::prepared::Prepared;
use crate::receipt::{self, LOCK_NOT_AVAILABLE, Progress, Run, SCHEMA, lock_name};
use crate::target::{self, TargetColumn, TargetName};

/// What stands in the way of a table that is still in use.
const LOCK_TIMEOUT: &str = "1s";

/// Why one session must do: `_rapidbyte` takes no tables of this user; its default privileges would come along; or the
/// rows would be published under a name that no subscriber knows.
const OBSTACLES: &str = "\
    SELECT CASE WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE') \
    THEN pg_catalog.format('user %s may not CREATE in schema _rapidbyte', current_user) \
    WHEN EXISTS (SELECT FROM pg_catalog.pg_default_acl WHERE defaclnamespace = n.oid) \
    THEN 'schema _rapidbyte has default privileges' \
    WHEN EXISTS (SELECT FROM pg_catalog.pg_publication WHERE puballtables) THEN 'a publication has all tables' END \
    FROM pg_catalog.pg_namespace n WHERE n.nspname = '_rapidbyte'";

/// The same for publications of whole schemas, which servers have since version 15.
const PUBLISHED_SCHEMAS: &str = "pg_catalog.pg_publication_namespace";

/// What a table gets from the default privileges of its schema when it is made there.
const DEFAULT_GRANTS: &str = "\
    SELECT pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', a.privilege_type, $1::pg_catalog.text, \
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, \
    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
    FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace \
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS a \
    WHERE d.defaclobjtype = 'r' AND n.nspname = $2 AND pg_catalog.pg_get_userbyid(d.defaclrole) = current_user";

/// Renames the constraints of a table that was made as another: to the names that they would have, where these are free.
const OWN_CONSTRAINT_NAMES: &str = "\
    SELECT pg_catalog.format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', $1::pg_catalog.text, conname, own) FROM ( \
    SELECT c.conname, c.connamespace, $2::pg_catalog.text || COALESCE('_' || a.attname, '') || \
    CASE c.contype WHEN 'p' THEN '_pkey' ELSE '_not_null' END AS own FROM pg_catalog.pg_constraint c \
    LEFT JOIN pg_catalog.pg_attribute a ON c.contype = 'n' AND a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
    WHERE c.conrelid = $1::pg_catalog.regclass AND c.contype IN ('p', 'n')) AS named \
    WHERE pg_catalog.octet_length(own) <= 63 \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.relnamespace = connamespace AND r.relname = own)";

/// A table on its way, as the host passes it to other instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    table: String,
}

impl Share {
    pub(crate) fn read(document: &Value) -> Result<Share> {
        serde_json::from_value(document.clone()).map_err(unusable)
    }

    pub(crate) fn document(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(unusable)
    }

    /// Where it is.
    pub(crate) fn name(&self) -> TargetName {
        TargetName { schema: SCHEMA.to_owned(), table: self.table.clone() }
    }
}

fn unusable(error: serde_json::Error) -> Error {
    Error::new(Category::Internal, "share", error.to_string())
}

/// Drop what dead runs left of this stream; the session holds the lock on its receipt.
pub(crate) fn sweep(connection: &mut Connection<Socket>, run: &Run, prepared: &Prepared) -> Result<()> {
    let sql = "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1 AND c.relkind = 'r' AND pg_catalog.starts_with(c.relname, $2) \
               AND pg_catalog.pg_has_role(c.relowner, 'USAGE')";
    let prefix = prefix(connection, run, prepared)?;
    for row in connection.query(sql, &[SCHEMA, &prefix])? {
        drop_table(connection, row.text(0)?)?;
    }
    Ok(())
}

/// Make the table of this attempt where several sessions may fill it; `None` where one must do.
pub(crate) fn open(
    connection: &mut Connection<Socket>,
    run: &Run,
    prepared: &Prepared,
    attempt: u32,
) -> Result<Option<Share>> {
    // Which of two rows with one key is the last, sessions beside each other cannot know: the source must keep keys apart.
    let is_merged = prepared.mode == WriteMode::Upsert && prepared.applied.is_none();
    if is_merged || target::columns(connection, &prepared.name)?.is_some() {
        return Ok(None);
    }
    if let Some(obstacle) = obstacle(connection, &prepared.name.schema)? {
        log::info(&format!("{} is written by one session, since {obstacle}", prepared.name.display_name()));
        return Ok(None);
    }
    let (prefix, own) = (prefix(connection, run, prepared)?, format!("{}:{attempt}", run.run_id));
    let own = (digest(connection, &own, 0)?, digest(connection, &own, 1)?);
    let share = Share { table: format!("{prefix}{}{}", own.0, own.1) };
    let definition = target::definition(prepared, &prepared.columns);
    connection
        .execute(&format!("CREATE TABLE {} ({definition}) WITH (autovacuum_enabled = false)", share.name().quoted()))?;
    log::point("destination.share_opened");
    Ok(Some(share))
}

fn obstacle(connection: &mut Connection<Socket>, schema: &str) -> Result<Option<String>> {
    let found = connection.query(OBSTACLES, &[])?;
    if let Some(reason) = found.first().and_then(|row| row.optional(0)) {
        return Ok(Some(reason.to_owned()));
    }
    if connection.query("SELECT 1 WHERE pg_catalog.to_regclass($1) IS NOT NULL", &[PUBLISHED_SCHEMAS])?.is_empty() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT 1 FROM {PUBLISHED_SCHEMAS} p JOIN pg_catalog.pg_namespace n ON n.oid = p.pnnspid \
         WHERE n.nspname IN ($1, $2) LIMIT 1"
    );
    let is_published = !connection.query(&sql, &[SCHEMA, schema])?.is_empty();
    Ok(is_published.then(|| "a publication has all tables of its schema".to_owned()))
}

/// The columns of a table on its way.
pub(crate) fn columns(connection: &mut Connection<Socket>, name: &TargetName) -> Result<Vec<TargetColumn>> {
    target::columns(connection, name)?.ok_or_else(|| {
        let message = format!("{}, which several sessions fill, is gone; another run has begun.", name.display_name());
        Error::new(Category::TransientDb, "share_gone", message).retryable()
    })
}

/// Make the table the stream's own, and write the receipt that covers it, in one transaction.
pub(crate) fn publish(
    connection: &mut Connection<Socket>,
    share: &Share,
    run: &Run,
    prepared: &Prepared,
    progress: Progress<'_>,
) -> Result<()> {
    log::point("destination.before_publish");
    connection.execute("BEGIN")?;
    let ready = adopt(connection, share, prepared).and_then(|()| {
        log::point("destination.before_receipt");
        receipt::write(connection, run, prepared, progress)
    });
    if let Err(error) = ready {
        if connection.is_idle() {
            connection.execute("ROLLBACK")?;
        }
        return Err(error.commit_state(CommitState::BeforeCommit).detail("table", prepared.name.display_name()));
    }
    log::point("destination.before_commit");
    commit::execute(connection, &prepared.name.display_name())?;
    log::point("destination.committed");
    Ok(())
}

fn adopt(connection: &mut Connection<Socket>, share: &Share, prepared: &Prepared) -> Result<()> {
    let name = &prepared.name;
    target::lock_name(connection, name)?;
    if target::columns(connection, name)?.is_some() {
        let message = format!("Table {} appeared while it was being filled elsewhere.", name.display_name());
        return Err(Error::new(Category::TransientDb, "target_appeared", message).retryable());
    }
    let moved = qualified(&name.schema, &share.table);
    connection.execute(&format!(
        "ALTER TABLE {} RESET (autovacuum_enabled); ALTER TABLE {} SET SCHEMA {}; ALTER TABLE {moved} RENAME TO {}",
        share.name().quoted(),
        share.name().quoted(),
        identifier(&name.schema),
        identifier(&name.table)
    ))?;
    let mut statements = connection.query(OWN_CONSTRAINT_NAMES, &[&name.quoted(), &name.table])?;
    statements.extend(connection.query(DEFAULT_GRANTS, &[&name.quoted(), &name.schema])?);
    for statement in statements {
        connection.execute(statement.text(0)?)?;
    }
    log::point("destination.adopted");
    Ok(())
}

/// Drop a table that will not be needed; one that is in use is left to the next run.
pub(crate) fn discard(connection: &mut Connection<Socket>, share: &Share) -> Result<()> {
    drop_table(connection, &share.table)
}

fn drop_table(connection: &mut Connection<Socket>, table: &str) -> Result<()> {
    let table = qualified(SCHEMA, table);
    match connection.execute(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; DROP TABLE IF EXISTS {table}")) {
        Ok(_) => Ok(()),
        Err(error) => match Error::from(error) {
            error if error.code == LOCK_NOT_AVAILABLE => {
                log::debug(&format!("{table} is still in use and is left to the next run"));
                Ok(())
            }
            error => Err(error),
        },
    }
}

/// How the names of all such tables of a stream begin.
fn prefix(connection: &mut Connection<Socket>, run: &Run, prepared: &Prepared) -> Result<String> {
    Ok(format!("share_{}_", digest(connection, &lock_name(run, prepared), 0)?))
}

/// 16 hexadecimal digits that tell texts apart, so that a name keeps within 63 bytes.
fn digest(connection: &mut Connection<Socket>, text: &str, seed: u8) -> Result<String> {
    let hash = format!("pg_catalog.hashtextextended({}, {seed})", literal(text));
    let rows = connection.query(&format!("SELECT pg_catalog.lpad(pg_catalog.to_hex({hash}), 16, '0')"), &[])?;
    Ok(rows.first().map(|row| row.text(0)).transpose()?.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Share;

    #[test]
    fn a_share_is_passed_on_by_the_name_of_its_table() {
        let share = Share::read(&json!({"table": "share_1"})).ok();
        assert_eq!(share.as_ref().map(|share| share.name().quoted()).as_deref(), Some(r#""_rapidbyte"."share_1""#));
        assert_eq!(share.and_then(|share| share.document().ok()), Some(json!({"table": "share_1"})));
        assert!(Share::read(&json!({})).is_err());
    }
}
