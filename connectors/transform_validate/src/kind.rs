//! What a column holds, as far as rules care, by the source's name of its type (docs/ABI.md §9).

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// Numbers without a fraction.
    Integer,
    /// Numbers of a precision, or of any.
    Numeric,
    Real,
    Double,
    Date,
    Time,
    Timestamp {
        has_zone: bool,
    },
    Bytes,
    Uuid,
    /// Text, and every other type by its text form.
    Text,
}

impl Kind {
    /// The kind of a type as `format_type` prints it.
    pub(crate) fn named(type_name: &str) -> Kind {
        match without_modifier(type_name).as_str() {
            "boolean" => Kind::Boolean,
            "smallint" | "integer" | "bigint" => Kind::Integer,
            "numeric" => Kind::Numeric,
            "real" => Kind::Real,
            "double precision" => Kind::Double,
            "date" => Kind::Date,
            "time" | "time without time zone" => Kind::Time,
            "timestamp" | "timestamp without time zone" => Kind::Timestamp { has_zone: false },
            "timestamptz" | "timestamp with time zone" => Kind::Timestamp { has_zone: true },
            "bytea" => Kind::Bytes,
            "uuid" => Kind::Uuid,
            _ => Kind::Text,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::Boolean => "booleans",
            Kind::Integer => "whole numbers",
            Kind::Numeric => "exact numbers",
            Kind::Real | Kind::Double => "floating-point numbers",
            Kind::Date => "dates",
            Kind::Time => "times",
            Kind::Timestamp { .. } => "timestamps",
            Kind::Bytes => "bytes",
            Kind::Uuid => "UUIDs",
            Kind::Text => "text",
        })
    }
}

/// `timestamp(3) with time zone` without its `(3)`; an array keeps its brackets, and is of no kind but text.
fn without_modifier(type_name: &str) -> String {
    match (type_name.find('('), type_name.find(')')) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &type_name[..open], &type_name[close + 1..]),
        _ => type_name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn types_are_told_without_their_modifiers() {
        let kinds = [
            ("numeric(18,6)", Kind::Numeric),
            ("numeric", Kind::Numeric),
            ("timestamp(3) with time zone", Kind::Timestamp { has_zone: true }),
            ("timestamp without time zone", Kind::Timestamp { has_zone: false }),
            ("time(0) without time zone", Kind::Time),
            ("character varying(255)", Kind::Text),
            ("time with time zone", Kind::Text),
            ("numeric(4,2)[]", Kind::Text),
            ("bigint", Kind::Integer),
            ("real", Kind::Real),
            ("double precision", Kind::Double),
        ];
        assert_eq!(kinds.map(|(name, _)| Kind::named(name)), kinds.map(|(_, kind)| kind));
    }
}
