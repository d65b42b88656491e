//! Receipts: what is durable of each stream, written in the transaction of its rows (docs/ABI.md §10).
//!
//! They live in a schema of their own, one row for each pipeline, stream and table. Whoever moves a stream holds an
//! advisory lock on its receipt for as long as the session lasts, so that a commit of a session whose client has died
//! is waited for before the receipt is read.

use pgwire::{Connection, Row, literal};
use sdk::{Category, Error, Receipt, Result, Socket};

use crate::prepared::Prepared;
use crate::target::{demand, lock_creation, schema_exists, verify_database_privilege};

pub(crate) const SCHEMA: &str = "_rapidbyte";
const TABLE: &str = "_rapidbyte.receipts";
const LOCK_TIMEOUT: &str = "60s";
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _rapidbyte.receipts (\
    pipeline text NOT NULL, stream text NOT NULL, target_schema text NOT NULL, target_table text NOT NULL, \
    run_id text NOT NULL, attempt integer NOT NULL, position jsonb, \
    row_count bigint NOT NULL, byte_count bigint NOT NULL, \
    is_complete boolean NOT NULL, is_finished boolean NOT NULL, \
    committed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), \
    PRIMARY KEY (pipeline, stream, target_schema, target_table))";

const KEY: &str = "pipeline = $1 AND stream = $2 AND target_schema = $3 AND target_table = $4";

/// Whose receipt is written: the pipeline, and its present run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) pipeline: String,
    pub(crate) run_id: String,
}

/// Make schema and table where they are missing.
pub(crate) fn create(connection: &mut Connection<Socket>) -> Result<()> {
    if table_exists(connection)? {
        return Ok(());
    }
    connection.execute("BEGIN")?;
    lock_creation(connection, SCHEMA)?;
    if !schema_exists(connection, SCHEMA)? {
        connection.execute("CREATE SCHEMA _rapidbyte")?;
    }
    connection.execute(CREATE_TABLE)?;
    connection.execute("COMMIT")?;
    Ok(())
}

fn table_exists(connection: &mut Connection<Socket>) -> Result<bool> {
    let rows = connection.query("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[TABLE])?;
    Ok(rows.first().is_some_and(|row| row.is_true(0)))
}

/// Check that receipts can be written; writes nothing.
pub(crate) fn verify(connection: &mut Connection<Socket>) -> Result<()> {
    if !schema_exists(connection, SCHEMA)? {
        return verify_database_privilege(connection, TABLE);
    }
    let privilege = "pg_catalog.has_schema_privilege($1, 'USAGE')";
    demand(connection, TABLE, privilege, SCHEMA, "USAGE ON SCHEMA")?; // without it the table cannot even be looked up
    if !table_exists(connection)? {
        let privilege = "pg_catalog.has_schema_privilege($1, 'CREATE')";
        return demand(connection, TABLE, privilege, SCHEMA, "CREATE ON SCHEMA");
    }
    let privilege = "pg_catalog.has_table_privilege($1, 'SELECT') AND pg_catalog.has_table_privilege($1, 'INSERT') \
                     AND pg_catalog.has_table_privilege($1, 'UPDATE')";
    demand(connection, TABLE, privilege, TABLE, "SELECT, INSERT, UPDATE ON")
}

/// Wait until no other session moves this stream of the pipeline, and keep others out as long as this session lasts.
pub(crate) fn lock(connection: &mut Connection<Socket>, run: &Run, prepared: &Prepared) -> Result<()> {
    let key = literal(&lock_name(run, prepared));
    let statements = format!(
        "SET lock_timeout = '{LOCK_TIMEOUT}'; \
         SELECT pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended({key}, 0)); RESET lock_timeout"
    );
    connection.execute(&statements).map_err(|error| busy(error.into(), run, prepared))?;
    Ok(())
}

/// What is locked: the same for all runs that move a stream to its table.
pub(crate) fn lock_name(run: &Run, prepared: &Prepared) -> String {
    format!("rapidbyte:stream:{}:{}:{}", run.pipeline, prepared.stream, prepared.name.quoted())
}

fn busy(error: Error, run: &Run, prepared: &Prepared) -> Error {
    if error.code != LOCK_NOT_AVAILABLE {
        return error;
    }
    let message = format!(
        "Another run of pipeline {} is writing {}; wait until it has ended.",
        run.pipeline,
        prepared.name.display_name()
    );
    Error::new(Category::TransientDb, LOCK_NOT_AVAILABLE, message).retryable()
}

/// The receipt of a stream, if there is one.
pub(crate) fn read(connection: &mut Connection<Socket>, run: &Run, prepared: &Prepared) -> Result<Option<Receipt>> {
    let sql =
        format!("SELECT run_id, position, row_count, byte_count, is_complete, is_finished FROM {TABLE} WHERE {KEY}");
    let name = &prepared.name;
    let rows = connection.query(&sql, &[&run.pipeline, &prepared.stream, &name.schema, &name.table])?;
    rows.first().map(read_receipt).transpose()
}

fn read_receipt(row: &Row) -> Result<Receipt> {
    let position = row.optional(1).map(serde_json::from_str).transpose();
    Ok(Receipt {
        run_id: row.text(0)?.to_owned(),
        position: position.map_err(|error| Error::new(Category::Internal, "receipt", error.to_string()))?,
        rows: row.parsed(2)?,
        bytes: row.parsed(3)?,
        is_complete: row.is_true(4),
        is_finished: row.is_true(5),
    })
}

/// What a transaction makes durable of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress<'a> {
    pub(crate) attempt: u32,
    pub(crate) position: Option<&'a serde_json::Value>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) is_complete: bool,
}

/// Write a receipt inside the transaction of the rows it covers.
pub(crate) fn write(
    connection: &mut Connection<Socket>,
    run: &Run,
    prepared: &Prepared,
    progress: Progress<'_>,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {TABLE} AS r (pipeline, stream, target_schema, target_table, run_id, attempt, position, \
         row_count, byte_count, is_complete, is_finished) VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.int4, \
         NULLIF($7::pg_catalog.text, '')::pg_catalog.jsonb, $8::pg_catalog.int8, $9::pg_catalog.int8, \
         $10::pg_catalog.bool, false) \
         ON CONFLICT (pipeline, stream, target_schema, target_table) DO UPDATE SET run_id = EXCLUDED.run_id, \
         attempt = EXCLUDED.attempt, position = EXCLUDED.position, row_count = EXCLUDED.row_count, \
         byte_count = EXCLUDED.byte_count, is_complete = EXCLUDED.is_complete, is_finished = false, \
         committed_at = pg_catalog.clock_timestamp()"
    );
    let name = &prepared.name;
    let position = progress.position.map(serde_json::Value::to_string).unwrap_or_default();
    let (attempt, rows, bytes) = (progress.attempt.to_string(), progress.rows.to_string(), progress.bytes.to_string());
    let is_complete = if progress.is_complete { "true" } else { "false" };
    let parameters = [
        run.pipeline.as_str(),
        &prepared.stream,
        &name.schema,
        &name.table,
        &run.run_id,
        &attempt,
        &position,
        &rows,
        &bytes,
        is_complete,
    ];
    connection.query(&sql, &parameters)?;
    Ok(())
}

/// Say of the receipts of these streams that the run which they belong to is over; all of them, or none.
pub(crate) fn finish(connection: &mut Connection<Socket>, run: &Run, streams: &[Prepared]) -> Result<()> {
    let keys = streams.iter().map(|prepared| {
        let values = [&run.pipeline, &prepared.stream, &prepared.name.schema, &prepared.name.table];
        format!("({})", values.map(|value| literal(value)).join(", "))
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    connection.execute(&format!(
        "UPDATE {TABLE} SET is_finished = true \
         WHERE is_complete AND (pipeline, stream, target_schema, target_table) IN ({keys})"
    ))?;
    Ok(())
}
