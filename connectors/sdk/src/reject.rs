//! Rows that cannot be moved, handed to the host with the reason (docs/ABI.md §6).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::abi;
use crate::abi_numbers::MAX_REJECTION_BYTES;
use crate::cut;
use crate::error::{Category, Error, Result};

/// One row, by its columns as text, and all reasons why it cannot be moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    pub stream: usize,
    pub category: Category,
    pub code: String,
    pub reasons: Vec<String>,
    pub row: BTreeMap<String, Option<String>>,
    /// Columns whose value is missing in `row`, or is there for people only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// Which of the rows that a run received it is, from 0 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
}

impl Rejection {
    /// Reject a row for the error that it met.
    pub fn new(stream: usize, error: &Error, row: BTreeMap<String, Option<String>>) -> Rejection {
        Rejection {
            stream,
            category: error.category,
            code: error.code.clone(),
            reasons: vec![error.message.clone()],
            row,
            unreadable: Vec::new(),
            place: None,
        }
    }

    /// Name columns that the row does not tell as they are.
    pub fn unreadable(self, unreadable: Vec<String>) -> Rejection {
        Rejection { unreadable, ..self }
    }

    /// Tell which of the rows that a run received it is.
    pub fn at(self, place: u64) -> Rejection {
        Rejection { place: Some(place), ..self }
    }
}

/// Hand a row over; it is kept, where the policy wants that, when this returns. Of a row that is larger than the host
/// takes, the largest values are cut, and told as unreadable.
pub fn reject(mut rejection: Rejection) -> Result<()> {
    let size_bytes = cut::to_fit(&mut rejection, MAX_REJECTION_BYTES)?;
    let mut document = Vec::with_capacity(size_bytes); // exactly: memory may be scarce beside such a row
    serde_json::to_writer(&mut document, &rejection).map_err(|error| cut::not_written(&error))?;
    abi::reject(&document).map_err(|status| Error::of_status(status, "to hand a rejected row over"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Rejection;
    use crate::error::{Category, Error};

    #[test]
    fn a_rejection_has_the_documented_shape() {
        let row = BTreeMap::from([("id".to_owned(), Some("1".to_owned())), ("name".to_owned(), None)]);
        let rejection = Rejection::new(2, &Error::new(Category::Data, "23502", "No NULL."), row);
        let json = serde_json::to_string(&rejection).map_err(|error| error.to_string());
        let expected =
            r#"{"stream":2,"category":"data","code":"23502","reasons":["No NULL."],"row":{"id":"1","name":null}}"#;
        assert_eq!(json.as_deref(), Ok(expected));
    }

    #[test]
    fn what_cannot_be_read_and_where_the_row_came_are_told_where_they_are_known() {
        let error = Error::new(Category::Data, "x", "y");
        let rejection = Rejection::new(0, &error, BTreeMap::new()).unreadable(vec!["at".to_owned()]).at(7);
        let json = serde_json::to_string(&rejection).map_err(|error| error.to_string());
        assert!(json.is_ok_and(|json| json.ends_with(r#""row":{},"unreadable":["at"],"place":7}"#)));
    }
}
