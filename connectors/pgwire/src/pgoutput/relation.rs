//! A Relation message: the table that changes refer to by a number, as it was when they were made.

use super::reader::Reader;
use crate::error::Result;

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What changes call it.
    pub id: u32,
    pub schema: String,
    pub name: String,
    pub columns: Vec<RelationColumn>,
}

/// A column, and whether it tells which row was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationColumn {
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
    pub is_key: bool,
}

const KEY_FLAG: u8 = 1;

impl Relation {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Relation> {
        let (id, schema, name) = (reader.u32()?, reader.text()?, reader.text()?);
        reader.skip(1)?; // the replica identity, which the flags of the columns say better
        let count = reader.count16()?;
        let columns = (0..count).map(|_| RelationColumn::read(reader)).collect::<Result<_>>()?;
        let schema = if schema.is_empty() { "pg_catalog".to_owned() } else { schema };
        Ok(Relation { id, schema, name, columns })
    }
}

impl RelationColumn {
    fn read(reader: &mut Reader<'_>) -> Result<RelationColumn> {
        let flags = reader.byte()?;
        let (name, type_oid) = (reader.text()?, reader.u32()?);
        let type_modifier = reader.u32()?.cast_signed();
        Ok(RelationColumn { name, type_oid, type_modifier, is_key: flags & KEY_FLAG != 0 })
    }
}
