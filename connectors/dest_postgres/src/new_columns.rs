//! Whether columns can be made: their names, and that the database has their types.
//!
//! The server cuts a name that is too long without an error, and what is made then has another name than what is looked
//! for.

use pgwire::{Connection, MOST_NAME_BYTES};
use sdk::{Category, Column, Error, Result, Socket};

use crate::target::TargetName;

/// Check that columns can be made: their names, and that the database has their types.
pub(crate) fn verify(connection: &mut Connection<Socket>, name: &TargetName, source: &[Column]) -> Result<()> {
    for column in source {
        require_name("column", &column.name, name)?;
    }
    let types: Vec<&str> = source.iter().map(|column| column.type_name.as_str()).collect();
    let known: Vec<String> =
        (1..=types.len()).map(|place| format!("pg_catalog.to_regtype(${place}) IS NOT NULL")).collect();
    let rows = connection.query(&format!("SELECT {}", known.join(", ")), &types)?;
    let is_known = |place: usize| rows.first().is_some_and(|row| row.is_true(place));
    match source.iter().enumerate().find(|(place, _)| !is_known(*place)) {
        Some((_, column)) => Err(type_not_found(column, name)),
        None => Ok(()),
    }
}

fn type_not_found(column: &Column, name: &TargetName) -> Error {
    let message = format!(
        "Column {} of {} is of type {}, which the destination does not have; create the type, or the extension that has \
         it, in that schema there first.",
        column.name,
        name.display_name(),
        column.type_name
    );
    Error::new(Category::Schema, "type_not_found", message).detail("column", &column.name)
}

/// Refuse what no object of a server can be called; `what` is `table`'s column, its schema or itself.
pub(crate) fn require_name(what: &str, name: &str, table: &TargetName) -> Result<()> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.contains('\0') {
        "has a zero character".to_owned()
    } else if name.len() > MOST_NAME_BYTES {
        format!("has {} bytes, and Postgres takes {MOST_NAME_BYTES} at most", name.len())
    } else {
        return Ok(());
    };
    let remedy = if what == "column" { "give it another in a query, with AS" } else { "choose another" };
    let message = format!("The name {name:?} of a {what} for {} {problem}; {remedy}.", table.display_name());
    Err(Error::new(Category::Schema, "name_not_possible", message).detail(what, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> Option<String> {
        require_name("column", name, &TargetName::of("d", "t", "s.t")).err().map(|error| error.message)
    }

    #[test]
    fn a_name_of_63_bytes_is_taken_and_one_more_is_refused() {
        assert_eq!(refusal(&"n".repeat(63)), None);
        assert!(refusal(&"n".repeat(64)).is_some_and(|message| message.contains("has 64 bytes")));
    }

    #[test]
    fn bytes_count_and_not_letters() {
        assert_eq!(refusal(&"é".repeat(31)), None);
        assert!(refusal(&"é".repeat(32)).is_some_and(|message| message.contains("has 64 bytes")));
    }

    #[test]
    fn no_name_and_a_zero_character_are_refused() {
        assert!(refusal("").is_some_and(|message| message.contains("is empty")));
        assert!(refusal("a\0b").is_some_and(|message| message.contains("zero character")));
    }
}
