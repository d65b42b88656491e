//! The table that a query reads, which is the stream, and the names it goes by.

/// A stream by the name that the pipeline gives it, and by the one that its source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableName {
    requested: String,
    full: String,
}

impl TableName {
    pub(crate) fn new(requested: &str, full: &str) -> TableName {
        TableName { requested: requested.to_owned(), full: full.to_owned() }
    }

    /// Tell whether a name, by its parts, is this table's: in full, as in the pipeline, or without its schema.
    pub(crate) fn is_named(&self, parts: &[String]) -> bool {
        let name = parts.join(".");
        name == self.requested || name == self.full || self.full.rsplit_once('.').is_some_and(|(_, last)| last == name)
    }

    /// The name as a query would have it.
    pub(crate) fn written(&self) -> String {
        let parts = self.requested.split('.').map(|part| {
            let is_plain = part.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
                && part.chars().all(|any| any.is_ascii_lowercase() || any.is_ascii_digit() || any == '_');
            if is_plain { part.to_owned() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
        });
        parts.collect::<Vec<_>>().join(".")
    }
}
