//! Tables and requests that the tests of several files are about.

use sdk::{DataErrorPolicy, NullCursor, SchemaEvolution, StreamRequest, SyncMode, WriteMode};

use crate::table::{Table, TableColumn};

/// `"s"."t"` with these columns, by name, type and OID, and this primary key.
pub(crate) fn table(columns: &[(&str, &str, u32)], key: &[&str]) -> Table {
    Table {
        oid: 0,
        schema: "s".into(),
        name: "t".into(),
        columns: columns.iter().map(|(name, type_name, type_oid)| column(name, type_name, *type_oid)).collect(),
        primary_key: key.iter().map(|name| (*name).into()).collect(),
        estimated_rows: None,
        estimated_bytes: None,
        extent: None,
        identity: None,
    }
}

/// A column that may be NULL.
pub(crate) fn column(name: &str, type_name: &str, type_oid: u32) -> TableColumn {
    TableColumn {
        name: name.into(),
        type_name: type_name.into(),
        type_oid,
        type_modifier: -1,
        is_nullable: true,
        is_deterministic: true,
    }
}

/// A request to read `t` by a cursor.
pub(crate) fn request(cursor: &str, tie_breaker: Option<&str>, write_mode: WriteMode) -> StreamRequest {
    StreamRequest {
        index: 0,
        name: "t".into(),
        columns: None,
        sync_mode: SyncMode::Incremental,
        write_mode,
        cursor_field: Some(cursor.into()),
        tie_breaker_field: tie_breaker.map(str::to_owned),
        null_cursor: NullCursor::Fail,
        cursor_lag: 0.0,
        primary_key: None,
        on_data_error: DataErrorPolicy::Fail,
        schema_evolution: SchemaEvolution::default(),
        source: None,
    }
}
