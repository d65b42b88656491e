//! Rows that cannot be moved, handed to the host with the reason (docs/ABI.md §6).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::abi;
use crate::error::{Category, Error, Result};

/// One row, by its columns as text, and all reasons why it cannot be moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    pub stream: usize,
    pub category: Category,
    pub code: String,
    pub reasons: Vec<String>,
    pub row: BTreeMap<String, Option<String>>,
}

impl Rejection {
    /// Reject a row for the error that it met.
    pub fn new(stream: usize, error: &Error, row: BTreeMap<String, Option<String>>) -> Rejection {
        let (category, code, reasons) = (error.category, error.code.clone(), vec![error.message.clone()]);
        Rejection { stream, category, code, reasons, row }
    }
}

/// Hand a row over; it is kept, where the policy wants that, when this returns.
pub fn reject(rejection: &Rejection) -> Result<()> {
    let document =
        serde_json::to_vec(rejection).map_err(|error| Error::new(Category::Internal, "metadata", error.to_string()))?;
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
}
