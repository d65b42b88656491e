//! The messages of the output plugin `pgoutput`, version 1: whole transactions, each after its commit, in their order.
//!
//! Source: the PostgreSQL documentation, "Logical Replication Message Formats". Later versions add transactions that
//! are sent before their commit, which a reader without a disk of its own would have to keep in memory: the server,
//! which has one, spills them.

mod reader;
mod relation;
mod tuple;

pub use reader::Reader;
pub use relation::{Relation, RelationColumn};
pub use tuple::{Datum, Tuple};

use crate::error::{Error, Result};
use crate::lsn::Lsn;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction begins. `committed_at` is in microseconds since 2000.
    Begin {
        commit: Lsn,
        committed_at: i64,
        transaction: u32,
    },
    /// It is over; the next one is behind `end`.
    Commit {
        end: Lsn,
    },
    Relation(Relation),
    Insert {
        relation: u32,
        new: Tuple<'a>,
    },
    /// `old` is there when the key changed, or the table's replica identity is full.
    Update {
        relation: u32,
        old: Option<Old<'a>>,
        new: Tuple<'a>,
    },
    Delete {
        relation: u32,
        old: Old<'a>,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// What tells nothing of rows: an origin, a type.
    Aside,
}

/// What is told of a row before its change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old<'a> {
    /// The columns of the replica identity; the others are NULL here.
    Key(Tuple<'a>),
    Whole(Tuple<'a>),
}

impl<'a> Old<'a> {
    pub fn tuple(&self) -> &Tuple<'a> {
        match self {
            Old::Key(tuple) | Old::Whole(tuple) => tuple,
        }
    }
}

impl<'a> Message<'a> {
    /// Read one whole message.
    pub fn read(bytes: &'a [u8]) -> Result<Message<'a>> {
        let mut reader = Reader::new(bytes);
        let message = match reader.byte()? {
            b'B' => Message::Begin { commit: reader.lsn()?, committed_at: reader.i64()?, transaction: reader.u32()? },
            b'C' => {
                reader.skip(1 + 8)?; // flags, where the commit is
                let end = reader.lsn()?;
                reader.skip(8)?; // when
                Message::Commit { end }
            }
            b'R' => Message::Relation(Relation::read(&mut reader)?),
            b'I' => Message::Insert { relation: reader.u32()?, new: new_tuple(&mut reader)? },
            b'U' => update(&mut reader)?,
            b'D' => {
                let (relation, kind) = (reader.u32()?, reader.byte()?);
                Message::Delete { relation, old: old_tuple(kind, &mut reader)? }
            }
            b'T' => {
                let count = reader.count32()?;
                reader.skip(1)?; // CASCADE, RESTART IDENTITY
                Message::Truncate { relations: (0..count).map(|_| reader.u32()).collect::<Result<_>>()? }
            }
            b'O' | b'Y' => return Ok(Message::Aside),
            other => return Err(Error::Protocol(format!("a replication message of the unknown kind {other:#x}"))),
        };
        reader.finish()?;
        Ok(message)
    }
}

fn update<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    let relation = reader.u32()?;
    let old = match reader.byte()? {
        b'N' => return Ok(Message::Update { relation, old: None, new: Tuple::read(reader)? }),
        kind => old_tuple(kind, reader)?,
    };
    Ok(Message::Update { relation, old: Some(old), new: new_tuple(reader)? })
}

fn new_tuple<'a>(reader: &mut Reader<'a>) -> Result<Tuple<'a>> {
    match reader.byte()? {
        b'N' => Tuple::read(reader),
        _ => Err(reader::malformed("has no new row where one must be")),
    }
}

fn old_tuple<'a>(kind: u8, reader: &mut Reader<'a>) -> Result<Old<'a>> {
    match kind {
        b'K' => Ok(Old::Key(Tuple::read(reader)?)),
        b'O' => Ok(Old::Whole(Tuple::read(reader)?)),
        _ => Err(reader::malformed("has an old row of an unknown kind")),
    }
}
