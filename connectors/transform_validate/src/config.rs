//! The rules as they are written, in their short and their long forms, as one rule for each column.

use regex::Regex;
use sdk::{Category, Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::decimal::Digits;
use crate::kind::Kind;
use crate::range::Limits;

/// What is asserted of one column, in the streams that are named, or in all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) column: String,
    pub(crate) assertion: Assertion,
    pub(crate) streams: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Assertion {
    NotNull,
    Regex(String),
    Range(Bounds),
    Unique,
}

/// A range with both of its ends; at least one is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) min: Option<Bound>,
    pub(crate) max: Option<Bound>,
}

/// An end of a range: a number, or text that the type of the column gives a meaning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Number(Digits, String),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    assert_not_null: Option<Columns>,
    assert_regex: Option<Value>,
    assert_range: Option<Value>,
    assert_unique: Option<Columns>,
    #[serde(default)]
    streams: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Columns {
    One(String),
    Many(Vec<String>),
}

impl Rule {
    /// Whether the rule is for a stream.
    pub(crate) fn is_for(&self, stream: &str) -> bool {
        self.streams.is_empty() || self.streams.iter().any(|name| name == stream)
    }
}

impl Assertion {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Assertion::NotNull => "assert_not_null",
            Assertion::Regex(_) => "assert_regex",
            Assertion::Range(_) => "assert_range",
            Assertion::Unique => "assert_unique",
        }
    }

    /// Refuse a kind of values that this cannot be asserted of.
    pub(crate) fn require(&self, kind: Kind) -> std::result::Result<(), String> {
        match (self, kind) {
            (Assertion::NotNull | Assertion::Unique, _) | (Assertion::Regex(_), Kind::Text) => Ok(()),
            (Assertion::Regex(_), _) => Err(format!("the column holds {kind}, and a pattern is for text.")),
            (Assertion::Range(bounds), _) => Limits::new(bounds, kind).map(|_| ()),
        }
    }
}

impl Bound {
    pub(crate) fn text(&self) -> &str {
        match self {
            Bound::Number(_, text) | Bound::Text(text) => text,
        }
    }
}

/// Read `rules` of the config. What the manifest's schema cannot say is checked here.
pub(crate) fn read(config: &Value) -> Result<Vec<Rule>> {
    let entries = config.get("rules").and_then(Value::as_array).ok_or_else(|| wrong("rules", "is not a list"))?;
    let mut rules = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let path = format!("rules[{place}]");
        let entry = Entry::deserialize(entry).map_err(|error| wrong(&path, &error.to_string()))?;
        let asserted = assertions(&entry, &path)?;
        if asserted.is_empty() {
            let names = "assert_not_null, assert_regex, assert_range, assert_unique";
            return Err(wrong(&path, &format!("names no rule; write one of {names}")));
        }
        let streams = &entry.streams;
        rules.extend(asserted.into_iter().map(|(column, assertion)| Rule {
            column,
            assertion,
            streams: streams.clone(),
        }));
    }
    Ok(rules)
}

/// Every column of an entry with what is asserted of it.
fn assertions(entry: &Entry, path: &str) -> Result<Vec<(String, Assertion)>> {
    let mut found = Vec::new();
    for (columns, assertion) in
        [(&entry.assert_not_null, Assertion::NotNull), (&entry.assert_unique, Assertion::Unique)]
    {
        let names = match columns {
            None => &[],
            Some(Columns::One(name)) => std::slice::from_ref(name),
            Some(Columns::Many(names)) => names.as_slice(),
        };
        found.extend(names.iter().map(|name| (name.clone(), assertion.clone())));
    }
    if let Some(value) = &entry.assert_regex {
        let path = format!("{path}.assert_regex");
        for (column, pattern) in fields(value, &path, |form| form.len() == 2 && form.contains_key("pattern"))? {
            let pattern = pattern.get("pattern").unwrap_or(&pattern).as_str().map(str::to_owned);
            let pattern = pattern.ok_or_else(|| wrong(&path, &format!("{column} has no pattern")))?;
            Regex::new(&pattern).map_err(|error| wrong(&path, &format!("the pattern of {column}: {error}")))?;
            found.push((column, Assertion::Regex(pattern)));
        }
    }
    if let Some(value) = &entry.assert_range {
        let path = format!("{path}.assert_range");
        for (column, ends) in fields(value, &path, |_| true)? {
            let bounds = bounds(&ends).map_err(|why| wrong(&path, &format!("the range of {column} {why}")))?;
            found.push((column, Assertion::Range(bounds)));
        }
    }
    Ok(found)
}

/// The columns that a rule is written for, each with its own part: `{field: age, ...}`, a list of those, or
/// `{age: ...}`.
fn fields(
    value: &Value,
    path: &str,
    is_form: impl Fn(&Map<String, Value>) -> bool + Copy,
) -> Result<Vec<(String, Value)>> {
    match value {
        Value::Array(items) => {
            let parts = items.iter().map(|item| fields(item, path, is_form)).collect::<Result<Vec<_>>>()?;
            Ok(parts.into_iter().flatten().collect())
        }
        Value::Object(form) => match form.get("field") {
            Some(Value::String(column)) if is_form(form) => {
                let mut rest = form.clone();
                rest.remove("field");
                Ok(vec![(column.clone(), Value::Object(rest))])
            }
            _ => Ok(form.iter().map(|(column, part)| (column.clone(), part.clone())).collect()),
        },
        _ => Err(wrong(path, "is neither a mapping nor a list")),
    }
}

fn bounds(ends: &Value) -> std::result::Result<Bounds, String> {
    let ends = ends.as_object().ok_or("is no mapping with min and max")?;
    if let Some(other) = ends.keys().find(|key| !matches!(key.as_str(), "min" | "max")) {
        return Err(format!("has {other}; it may have min and max"));
    }
    let bounds = Bounds { min: bound(ends.get("min"))?, max: bound(ends.get("max"))? };
    match (&bounds.min, &bounds.max) {
        (None, None) => Err("has neither min nor max".to_owned()),
        (Some(Bound::Number(min, least)), Some(Bound::Number(max, greatest))) if min > max => {
            Err(format!("is empty: {least} is more than {greatest}"))
        }
        _ => Ok(bounds),
    }
}

fn bound(end: Option<&Value>) -> std::result::Result<Option<Bound>, String> {
    match end {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let text = number.to_string();
            let digits = Digits::parse(&text).ok_or_else(|| format!("has an end of {text}, which is too large"))?;
            Ok(Some(Bound::Number(digits, text)))
        }
        Some(Value::String(text)) => Ok(Some(Bound::Text(text.clone()))),
        Some(_) => Err("has an end that is neither a number nor text".to_owned()),
    }
}

fn wrong(path: &str, why: &str) -> Error {
    Error::new(Category::Config, "bad_rule", format!("{path}: {why}."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Assertion, Rule, read};

    fn rules(rules: Value) -> std::result::Result<Vec<(String, &'static str, String)>, String> {
        let told = |rule: Rule| {
            let detail = match &rule.assertion {
                Assertion::Regex(pattern) => pattern.clone(),
                Assertion::Range(bounds) => {
                    let end = |end: &Option<super::Bound>| end.as_ref().map_or("", super::Bound::text).to_owned();
                    format!("{}..{}", end(&bounds.min), end(&bounds.max))
                }
                _ => rule.streams.join(","),
            };
            (rule.column, rule.assertion.name(), detail)
        };
        let read = read(&json!({ "rules": rules })).map_err(|error| error.message)?;
        Ok(read.into_iter().map(told).collect())
    }

    #[test]
    fn short_and_long_forms_say_the_same() {
        let row = |column: &str, name, detail: &str| (column.to_owned(), name, detail.to_owned());
        for (written, expected) in [
            (json!([{"assert_not_null": "a"}]), vec![row("a", "assert_not_null", "")]),
            (
                json!([{"assert_unique": ["a", "b"], "streams": ["s"]}]),
                vec![row("a", "assert_unique", "s"), row("b", "assert_unique", "s")],
            ),
            (
                json!([{"assert_regex": {"a": "^x", "field": "y"}}]),
                vec![row("a", "assert_regex", "^x"), row("field", "assert_regex", "y")],
            ),
            (json!([{"assert_regex": {"field": "a", "pattern": "^x"}}]), vec![row("a", "assert_regex", "^x")]),
            (
                json!([{"assert_regex": [{"field": "a", "pattern": "1"}, {"field": "b", "pattern": "2"}]}]),
                vec![row("a", "assert_regex", "1"), row("b", "assert_regex", "2")],
            ),
            (json!([{"assert_range": {"field": "a", "min": 0, "max": 150}}]), vec![row("a", "assert_range", "0..150")]),
            (
                json!([{"assert_range": {"a": {"min": 0.5}, "field": {"max": "9"}}}]),
                vec![row("a", "assert_range", "0.5.."), row("field", "assert_range", "..9")],
            ),
            (json!([{"assert_range": [{"field": "a", "max": -1}]}]), vec![row("a", "assert_range", "..-1")]),
        ] {
            assert_eq!(rules(written.clone()), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (written, words) in [
            (json!([{"assert_not_null": "a"}, {}]), "rules[1]: names no rule"),
            (json!([{"streams": ["a"]}]), "rules[0]: names no rule"),
            (json!([{"assert_regex": {"a": "("}}]), "rules[0].assert_regex: the pattern of a: regex parse error"),
            (json!([{"assert_regex": {"a": 1}}]), "rules[0].assert_regex: a has no pattern"),
            (json!([{"assert_regex": "a"}]), "rules[0].assert_regex: is neither a mapping nor a list"),
            (json!([{"assert_range": {"field": "a"}}]), "the range of a has neither min nor max"),
            (json!([{"assert_range": {"a": {"min": 2, "max": 1}}}]), "the range of a is empty: 2 is more than 1"),
            (json!([{"assert_range": {"a": {"least": 2}}}]), "the range of a has least; it may have min and max"),
            (json!([{"assert_range": {"a": 5}}]), "the range of a is no mapping with min and max"),
            (json!([{"assert_range": {"a": {"min": true}}}]), "has an end that is neither a number nor text"),
        ] {
            let error = rules(written.clone()).err().unwrap_or_default();
            assert!(error.contains(words), "{written}: {error}");
        }
    }
}
