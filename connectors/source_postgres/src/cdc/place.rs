//! How far all streams of a slot were read: one position, which the receipts of all of them hold.

use std::collections::BTreeMap;

use pgwire::Lsn;
use sdk::{Category, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::prepared::Prepared;

/// Everything that was committed before `lsn` is moved, and of each of `snapshots` all that was before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// None before the first run, which begins where the slot does.
    pub(crate) lsn: Option<Lsn>,
    /// By stream; one that is not here has yet to be copied.
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
}

/// The first copy of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The place of the log that it shows.
    pub(crate) at: Lsn,
    /// What had the changes of the table sent since before then.
    pub(crate) published_by: String,
    /// The table that was copied, by its number; none where that was not noted yet.
    pub(crate) table: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    lsn: String,
    snapshots: BTreeMap<String, SnapshotDocument>,
}

#[derive(Serialize, Deserialize)]
struct SnapshotDocument {
    at: String,
    published_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<u32>,
}

impl Place {
    /// Read the positions of streams. One without a position is copied, whatever the others say of it.
    pub(crate) fn read<'a>(streams: &[&Prepared], position_of: impl Fn(usize) -> Option<&'a Value>) -> Result<Place> {
        let of_stream = |prepared: &&Prepared| {
            let document = position_of(prepared.index)?;
            Some(Place::parse(document).map(|place| (prepared.table.display_name(), place)))
        };
        Place::joined(streams.iter().filter_map(of_stream).collect::<Result<_>>()?)
    }

    /// The place of all streams, which was written for all of them at once.
    fn joined(found: Vec<(String, Place)>) -> Result<Place> {
        let mut place = Place { lsn: found.iter().filter_map(|(_, place)| place.lsn).max(), ..Place::default() };
        for (name, own) in found {
            if own.lsn != place.lsn {
                let message = format!(
                    "Stream {name} was left out while the others were read further, and what it missed is not kept; drop \
                     its table in the destination, so that it is copied anew."
                );
                return Err(Error::new(Category::Data, "stream_left_out", message).detail("stream", name));
            }
            if let Some(snapshot) = own.snapshots.get(&name) {
                place.snapshots.insert(name, snapshot.clone());
            }
        }
        Ok(place)
    }

    fn parse(document: &Value) -> Result<Place> {
        let malformed = |why: String| Error::new(Category::Internal, "position", why);
        let document = Document::deserialize(document).map_err(|error| malformed(error.to_string()))?;
        let snapshots = document.snapshots.into_iter().map(|(name, SnapshotDocument { at, published_by, table })| {
            Ok((name, Snapshot { at: at.parse()?, published_by, table }))
        });
        Ok(Place { lsn: Some(document.lsn.parse()?), snapshots: snapshots.collect::<Result<_>>()? })
    }

    /// What a receipt keeps.
    pub(crate) fn to_document(&self) -> Result<Value> {
        let document_of = |snapshot: &Snapshot| SnapshotDocument {
            at: snapshot.at.to_string(),
            published_by: snapshot.published_by.clone(),
            table: snapshot.table,
        };
        let snapshots = self.snapshots.iter().map(|(name, snapshot)| (name.clone(), document_of(snapshot))).collect();
        let document = Document { lsn: self.lsn.unwrap_or_default().to_string(), snapshots };
        serde_json::to_value(document).map_err(|error| Error::new(Category::Internal, "position", error.to_string()))
    }

    /// Where a document that was made here says that the log was read up to.
    pub(crate) fn lsn_of(document: &Value) -> Result<Lsn> {
        Ok(Place::parse(document)?.lsn.unwrap_or_default())
    }

    /// Check that a stream's table is the one that was copied, and take note of it.
    pub(crate) fn require_same(&mut self, stream: &str, table: u32) -> Result<()> {
        let Some(snapshot) = self.snapshots.get_mut(stream) else {
            return Ok(());
        };
        if *snapshot.table.get_or_insert(table) == table {
            return Ok(());
        }
        let message = format!(
            "Table {stream} is not the one whose changes were read so far: that was dropped, or renamed. Drop its table in \
             the destination, so that this one is copied anew, or give the other one its name back."
        );
        Err(Error::new(Category::Data, "table_replaced", message).detail("stream", stream))
    }

    /// Check that a stream's changes were sent without a break since its snapshot; `published_by` is what has them sent.
    pub(crate) fn require_published(&self, stream: &str, published_by: &str) -> Result<()> {
        if self.snapshots.get(stream).is_none_or(|snapshot| snapshot.published_by == published_by) {
            return Ok(());
        }
        let message = format!(
            "Table {stream} was taken out of the publication, or that was dropped, and put back; what changed meanwhile was \
             not sent. Drop its table in the destination, so that it is copied anew."
        );
        Err(Error::new(Category::Data, "publication_recreated", message).detail("stream", stream))
    }

    /// Whether a stream's snapshot shows a transaction already.
    pub(crate) fn is_copied(&self, stream: &str, commit: Lsn) -> bool {
        self.snapshots.get(stream).is_none_or(|snapshot| commit < snapshot.at)
    }
}

#[cfg(test)]
mod tests {
    use pgwire::Lsn;

    use super::{Place, Snapshot};

    fn snapshot(at: u64) -> Snapshot {
        Snapshot { at: Lsn(at), published_by: "1/2".into(), table: Some(7) }
    }

    #[test]
    fn a_place_comes_back_from_its_document() -> sdk::Result<()> {
        let mut place = Place { lsn: Some(Lsn(0x1_0000_0002)), ..Place::default() };
        place.snapshots.insert("s.t".into(), snapshot(9));
        let document = place.to_document()?;
        assert_eq!(
            document.to_string(),
            r#"{"lsn":"1/2","snapshots":{"s.t":{"at":"0/9","published_by":"1/2","table":7}}}"#
        );
        assert_eq!((Place::parse(&document)?, Place::lsn_of(&document)?), (place, Lsn(0x1_0000_0002)));
        assert!(Place::parse(&serde_json::json!({"value": "7"})).is_err());
        Ok(())
    }

    #[test]
    fn streams_are_at_one_place_or_one_was_left_out() -> sdk::Result<()> {
        let at = |lsn: u64, name: &str| {
            let mut place = Place { lsn: Some(Lsn(lsn)), ..Place::default() };
            place.snapshots.insert("a".into(), snapshot(1));
            (name.to_owned(), place)
        };
        let joined = Place::joined(vec![at(7, "a"), at(7, "b")])?;
        assert_eq!(joined, at(7, "a").1, "b has a receipt, and was not copied yet");
        assert_eq!(Place::joined(vec![])?, Place::default());
        let error = Place::joined(vec![at(7, "a"), at(8, "b")]).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("stream_left_out"));
        Ok(())
    }

    #[test]
    fn a_publication_that_was_made_anew_is_told() {
        let mut place = Place::default();
        place.snapshots.insert("s.t".into(), snapshot(9));
        let code = |stream, by| place.require_published(stream, by).err().map(|error| error.code);
        assert_eq!(code("s.t", "1/2"), None);
        assert_eq!(code("s.new", "1/3"), None);
        assert_eq!(code("s.t", "1/3").as_deref(), Some("publication_recreated"));
    }

    #[test]
    fn a_table_in_place_of_the_one_that_was_copied_is_told() {
        let mut place = Place::default();
        place.snapshots.insert("s.t".into(), snapshot(9));
        place.snapshots.insert("s.old".into(), Snapshot { table: None, ..snapshot(9) });
        let mut code = |stream, table| place.require_same(stream, table).err().map(|error| error.code);
        assert_eq!((code("s.t", 7), code("s.new", 8)), (None, None));
        assert_eq!(code("s.t", 8).as_deref(), Some("table_replaced"));
        assert_eq!(code("s.old", 8), None, "a receipt without a number");
        assert_eq!(code("s.old", 9).as_deref(), Some("table_replaced"));
    }

    #[test]
    fn a_snapshot_shows_what_was_committed_before_it() {
        let mut place = Place::default();
        place.snapshots.insert("s.t".into(), snapshot(9));
        assert!(place.is_copied("s.t", Lsn(8)));
        assert!(!place.is_copied("s.t", Lsn(9)));
        assert!(place.is_copied("s.new", Lsn(9)));
    }
}
