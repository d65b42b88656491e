//! A stream that was prepared: its table, how rows meet those there, and the key they go by.

use pgwire::Connection;
use sdk::{
    Category, Column, DataErrorPolicy, Error, NewColumn, Result, SchemaEvolution, Socket, Stream, StreamRequest,
    SyncMode, TypeChange, WriteMode,
};

use crate::changes::{Deletes, FLAG, is_of_event};
use crate::drift::{Change, compare};
use crate::key;
use crate::own_source;
use crate::target::{TargetName, columns, verify};

/// What streams are prepared by, and are again where their columns change while they are moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) schema: &'a str,
    pub(crate) deletes: Deletes,
    pub(crate) requests: &'a [StreamRequest],
}

impl Terms<'_> {
    /// Whether a stream has changes of a table, whose columns may change between them.
    pub(crate) fn is_captured(&self, index: usize) -> bool {
        self.requests.iter().any(|request| request.index == index && request.sync_mode == SyncMode::Cdc)
    }

    /// Prepare a stream anew that has become `source`; `None` where it was prepared as that.
    pub(crate) fn prepare(
        &self,
        connection: &mut Connection<Socket>,
        index: usize,
        source: &Stream,
    ) -> Result<Option<Prepared>> {
        let request = self.requests.iter().find(|request| request.index == index);
        let is_known = |known: &Stream| known.columns == source.columns && known.primary_key == source.primary_key;
        match request.filter(|request| !request.source.as_ref().is_some_and(is_known)) {
            Some(request) => Prepared::new(connection, self.schema, self.deletes, request, source).map(Some),
            None => Ok(None),
        }
    }
}

/// One stream of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    pub(crate) index: usize,
    pub(crate) stream: String,
    pub(crate) name: TargetName,
    pub(crate) mode: WriteMode,
    /// What an upsert goes by; empty otherwise.
    pub(crate) key: Vec<String>,
    /// The source itself keeps the key unique, so that no value of it can come twice.
    pub(crate) is_unique_at_source: bool,
    pub(crate) evolution: SchemaEvolution,
    /// Rows that the table does not take are found and handed to the host.
    pub(crate) is_sifted: bool,
    /// What differs between the stream and the table that was there.
    pub(crate) changes: Vec<Change>,
    /// The columns of the stream that are its table's.
    pub(crate) columns: Vec<Column>,
    /// It has changes, which are applied; what becomes of rows that are deleted.
    pub(crate) applied: Option<Deletes>,
}

impl Prepared {
    /// Compare a stream with what the database has. Writes nothing.
    pub(crate) fn new(
        connection: &mut Connection<Socket>,
        schema: &str,
        deletes: Deletes,
        request: &StreamRequest,
        source: &Stream,
    ) -> Result<Prepared> {
        let name = TargetName::of(schema, &request.name, &source.name);
        own_source::refuse(connection, &request.name, &name, source.identity.as_deref())?;
        let applied = (is_upsert(request) && request.sync_mode == SyncMode::Cdc).then_some(deletes);
        let wanted = request.primary_key.as_ref().filter(|key| !key.is_empty()).unwrap_or(&source.primary_key);
        let key = if is_upsert(request) { wanted.clone() } else { Vec::new() };
        let mut prepared = Prepared {
            index: request.index,
            stream: request.name.clone(),
            name,
            mode: request.write_mode,
            is_unique_at_source: is_same_set(&key, &source.primary_key),
            key,
            evolution: request.schema_evolution,
            is_sifted: request.on_data_error != DataErrorPolicy::Fail,
            changes: Vec::new(),
            columns: Vec::new(),
            applied,
        };
        let is_own = |column: &&Column| !prepared.is_of_event(&column.name);
        prepared.columns = source.columns.iter().filter(is_own).cloned().collect();
        if is_upsert(request) {
            require_key(&request.name, &prepared.key, &prepared.columns)?;
        }
        prepared.changes = prepared.compare(connection)?;
        verify(connection, &prepared, &prepared.columns)?;
        Ok(prepared)
    }

    fn compare(&self, connection: &mut Connection<Socket>) -> Result<Vec<Change>> {
        let is_flag = |name: &str| self.is_flagged() && name == FLAG;
        if let Some(column) = self.columns.iter().find(|column| is_flag(&column.name)) {
            return Err(flag_taken(&self.stream, &column.name));
        }
        let Some(mut existing) = columns(connection, &self.name)? else {
            return Ok(Vec::new());
        };
        let count = existing.len();
        existing.retain(|column| !is_flag(&column.name));
        let mut changes = compare(&self.name, &self.columns, &existing, self.evolution)?;
        if self.is_flagged() && existing.len() == count {
            changes.push(Change::Flag);
        }
        Ok(changes)
    }

    /// The same for changes from before the stream had its columns. The policies were asked about what it is now; a column
    /// that the table does not have was not one of these.
    pub(crate) fn earlier(&self) -> Prepared {
        let type_change = match self.evolution.type_change {
            TypeChange::Fail => TypeChange::Coerce,
            other => other,
        };
        let evolution = SchemaEvolution { new_column: NewColumn::Ignore, type_change, ..self.evolution };
        Prepared { evolution, changes: Vec::new(), ..self.clone() }
    }

    /// Whether rows that are deleted at the source stay, and are flagged.
    pub(crate) fn is_flagged(&self) -> bool {
        self.applied == Some(Deletes::Flag)
    }

    /// Whether a column of the stream says something of a change, and is none of the table.
    pub(crate) fn is_of_event(&self, column: &str) -> bool {
        self.applied.is_some() && is_of_event(column, self.key.len())
    }
}

fn is_upsert(request: &StreamRequest) -> bool {
    request.write_mode == WriteMode::Upsert
}

fn flag_taken(stream: &str, column: &str) -> Error {
    let message = format!(
        "Stream {stream} has a column {column} of its own, which tells what was deleted; leave it out with `columns`, or \
         set destination.config.deletes to hard."
    );
    Error::new(Category::Schema, "column_reserved", message).detail("stream", stream)
}

/// Refuse two streams that would write one table: the schema of a stream is not part of its target's name.
pub(crate) fn require_own_tables(streams: &[Prepared]) -> Result<()> {
    for (place, prepared) in streams.iter().enumerate() {
        if let Some(twin) = streams.iter().take(place).find(|other| other.name == prepared.name) {
            let message = format!(
                "Streams {} and {} would both write {}; move them by pipelines of their own, each with another \
                 destination.config.schema.",
                twin.stream,
                prepared.stream,
                prepared.name.display_name()
            );
            return Err(Error::new(Category::Config, "target_twice", message).detail("stream", &prepared.stream));
        }
    }
    Ok(())
}

fn require_key(stream: &str, key: &[String], columns: &[Column]) -> Result<()> {
    if key.is_empty() {
        let message = format!(
            "Stream {stream} has no primary key, and upsert needs one; name its columns with `primary_key`, or use \
             append or replace."
        );
        return Err(Error::new(Category::Schema, "no_primary_key", message).detail("stream", stream));
    }
    key::require_selected(stream, key, columns)
}

fn is_same_set(left: &[String], right: &[String]) -> bool {
    left.len() == right.len() && left.iter().all(|name| right.contains(name))
}

#[cfg(test)]
mod tests {
    use sdk::{Column, SchemaEvolution, WriteMode};

    use super::{Prepared, require_key, require_own_tables};
    use crate::target::TargetName;

    fn code(key: &[&str]) -> Option<String> {
        let columns = [Column { name: "id".into(), type_name: "integer".into(), nullable: false }];
        let key: Vec<String> = key.iter().map(|name| (*name).to_owned()).collect();
        require_key("users", &key, &columns).err().map(|error| error.code)
    }

    #[test]
    fn an_upsert_needs_a_key_that_is_among_its_columns() {
        assert_eq!(code(&["id"]), None);
        assert_eq!(code(&[]).as_deref(), Some("no_primary_key"));
        assert_eq!(code(&["id", "region"]).as_deref(), Some("key_not_selected"));
    }

    #[test]
    fn each_stream_has_a_table_of_its_own() {
        let prepared = |stream: &str, table: &str| Prepared {
            index: 0,
            stream: stream.into(),
            name: TargetName { schema: "s".into(), table: table.into() },
            mode: WriteMode::Append,
            key: vec![],
            is_unique_at_source: false,
            evolution: SchemaEvolution::default(),
            is_sifted: false,
            changes: vec![],
            columns: vec![],
            applied: None,
        };
        assert!(require_own_tables(&[prepared("a.t", "t"), prepared("b.u", "u")]).is_ok());
        let error = require_own_tables(&[prepared("a.t", "t"), prepared("b.t", "t")]).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("target_twice"));
    }
}
