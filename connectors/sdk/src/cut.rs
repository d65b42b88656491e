//! Cutting a rejected row to what the host takes of one: its largest values first, and none without a word.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::{Category, Error, Result};
use crate::reject::Rejection;

/// How much is left of a text that is cut.
const KEPT_BYTES: usize = 1024;

/// What a document gets for being cut, and for each column that is: its name, twice, and what stands around it.
const NOTE_BYTES: usize = 128;

/// Cut a row until its document has at most `most_bytes`, and return how many these are. Columns that were cut are
/// unreadable, and the last reason names them.
pub(crate) fn to_fit(rejection: &mut Rejection, most_bytes: usize) -> Result<usize> {
    let mut size = json_bytes(rejection)?;
    if size <= most_bytes {
        return Ok(size);
    }
    for reason in &mut rejection.reasons {
        size -= shorten(reason)?; // a server may quote a whole value
    }
    size += NOTE_BYTES;
    let mut largest: Vec<(usize, &String, &mut String)> = rejection
        .row
        .iter_mut()
        .filter_map(|(name, text)| text.as_mut().map(|text| (text.len(), name, text)))
        .collect();
    largest.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    let mut told = Vec::new();
    for (length, name, text) in largest {
        if size <= most_bytes || length <= KEPT_BYTES {
            break;
        }
        size = (size + NOTE_BYTES + 2 * json_bytes(name)?).saturating_sub(shorten(text)?);
        told.push(format!("{name} ({length} bytes)"));
        if !rejection.unreadable.contains(name) {
            rejection.unreadable.push(name.clone());
        }
    }
    if !told.is_empty() {
        rejection.reasons.push(format!("Too large to be kept whole, only the beginning is: {}.", told.join(", ")));
    }
    json_bytes(rejection)
}

/// A rejection that has no JSON.
pub(crate) fn not_written(error: &serde_json::Error) -> Error {
    Error::new(Category::Internal, "metadata", error.to_string())
}

/// Leave the beginning of a text; how much shorter that is as JSON.
fn shorten(text: &mut String) -> Result<usize> {
    if text.len() <= KEPT_BYTES {
        return Ok(0);
    }
    let before = json_bytes(text)?;
    let end = (0..=KEPT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.truncate(end);
    Ok(before - json_bytes(text)?)
}

/// How long a value is as JSON, which is not made.
fn json_bytes(value: &impl Serialize) -> Result<usize> {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).map_err(|error| not_written(&error))?;
    Ok(counted.0)
}

/// Counts what is written to it.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{KEPT_BYTES, to_fit};
    use crate::error::{Category, Error};
    use crate::reject::Rejection;

    const MOST_BYTES: usize = 20_000;

    fn rejection(reason: &str, values: &[(&str, Option<&str>)]) -> Rejection {
        let row: BTreeMap<_, _> =
            values.iter().map(|(name, text)| ((*name).to_owned(), text.map(str::to_owned))).collect();
        Rejection::new(0, &Error::new(Category::Data, "23514", reason), row)
    }

    /// Whether the document is as long as it was said to be, and no longer than it may be.
    fn fits(rejection: &mut Rejection) -> bool {
        let size = to_fit(rejection, MOST_BYTES).ok();
        size <= Some(MOST_BYTES) && size == serde_json::to_vec(&*rejection).map(|json| json.len()).ok()
    }

    #[test]
    fn a_row_that_fits_is_left_as_it_is() {
        let mut whole = rejection("No.", &[("id", Some("1")), ("body", Some(&"x".repeat(19_000))), ("none", None)]);
        let before = whole.clone();
        assert!(fits(&mut whole));
        assert_eq!(whole, before);
    }

    #[test]
    fn the_largest_values_are_cut_until_the_rest_fits_and_are_told() {
        let (large, larger) = ("é".repeat(8_000), format!("xx{}", "\u{1}é".repeat(9_000)));
        let values = [("id", Some("1")), ("kept", Some("y")), ("large", Some(&*large)), ("larger", Some(&*larger))];
        let mut row = rejection("No.", &values);
        assert!(fits(&mut row));
        let cut = &larger[..KEPT_BYTES - 1]; // the last byte would be half a character
        let left = [("id", Some("1")), ("kept", Some("y")), ("large", Some(&*large)), ("larger", Some(cut))];
        let reason = "Too large to be kept whole, only the beginning is: larger (27002 bytes).";
        assert_eq!((row.row, row.unreadable), (rejection("No.", &left).row, vec!["larger".to_owned()]));
        assert_eq!(row.reasons, ["No.", reason]);
    }

    #[test]
    fn a_reason_that_quotes_the_value_is_cut_before_it() {
        let value = "x".repeat(15_000);
        let mut row = rejection(&format!("Not a number: {value}"), &[("n", Some(&value))]);
        assert!(fits(&mut row));
        assert_eq!((row.row["n"].as_ref(), row.unreadable.len()), (Some(&value), 0));
        assert_eq!((row.reasons.len(), row.reasons[0].len()), (1, KEPT_BYTES));
    }

    #[test]
    fn many_columns_are_cut_as_one_is_and_each_is_told_once() {
        let (names, value): (Vec<_>, _) = ((0..12).map(|at| format!("column{at}")).collect(), "x".repeat(3_000));
        let values: Vec<_> = names.iter().map(|name| (name.as_str(), Some(value.as_str()))).collect();
        let mut row = rejection("No.", &values).unreadable(vec!["column0".to_owned()]);
        assert!(fits(&mut row));
        let cut = row.row.values().filter(|text| text.as_ref().is_some_and(|text| text.len() == KEPT_BYTES)).count();
        assert!(row.unreadable.iter().all(|name| row.row[name].as_ref().is_some_and(|text| text.len() == KEPT_BYTES)));
        assert_eq!((cut, row.unreadable.len()), (9, 9));
    }
}
