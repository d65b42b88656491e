//! The forms of columns: which Postgres type is read as which Arrow type (docs/ABI.md §9).

use arrow_schema::{DataType, TimeUnit};
use pgwire::oid;

pub(crate) const UUID_BYTES: i32 = 16;
const MAX_PRECISION: u8 = 38;

/// How the fields of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Bool,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Text,
    Jsonb,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp {
        has_zone: bool,
    },
    /// The query casts to text.
    CastToText,
}

impl Form {
    /// The form of a type; what has no form of its own is cast to text by the query.
    pub(crate) fn of(type_oid: u32, type_modifier: i32) -> Form {
        match type_oid {
            oid::BOOL => Form::Bool,
            oid::INT2 => Form::Int16,
            oid::INT4 => Form::Int32,
            oid::INT8 => Form::Int64,
            oid::FLOAT4 => Form::Float32,
            oid::FLOAT8 => Form::Float64,
            oid::NUMERIC => decimal(type_modifier).unwrap_or(Form::CastToText),
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::JSON => Form::Text,
            oid::JSONB => Form::Jsonb,
            oid::BYTEA => Form::Bytes,
            oid::UUID => Form::Uuid,
            oid::DATE => Form::Date,
            oid::TIME => Form::Time,
            oid::TIMESTAMP => Form::Timestamp { has_zone: false },
            oid::TIMESTAMPTZ => Form::Timestamp { has_zone: true },
            _ => Form::CastToText,
        }
    }

    /// The bytes that each value takes in Arrow, of NULL too; 0 where that follows from the value.
    pub(crate) fn width(self) -> usize {
        match self {
            Form::Uuid => UUID_BYTES as usize,
            _ => self.data_type().primitive_width().unwrap_or_default(),
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Form::Bool => DataType::Boolean,
            Form::Int16 => DataType::Int16,
            Form::Int32 => DataType::Int32,
            Form::Int64 => DataType::Int64,
            Form::Float32 => DataType::Float32,
            Form::Float64 => DataType::Float64,
            Form::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
            Form::Text | Form::Jsonb | Form::CastToText => DataType::Utf8,
            Form::Bytes => DataType::Binary,
            Form::Uuid => DataType::FixedSizeBinary(UUID_BYTES),
            Form::Date => DataType::Date32,
            Form::Time => DataType::Time64(TimeUnit::Microsecond),
            Form::Timestamp { has_zone } => DataType::Timestamp(TimeUnit::Microsecond, has_zone.then(|| "UTC".into())),
        }
    }
}

/// Precision and scale out of a type modifier, where they fit a 128-bit decimal.
fn decimal(type_modifier: i32) -> Option<Form> {
    let packed = type_modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
    let precision = u8::try_from(packed >> 16).ok().filter(|precision| *precision <= MAX_PRECISION)?;
    let scale = u8::try_from(packed & 0x7ff).ok().filter(|scale| *scale <= precision)?;
    Some(Form::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use pgwire::oid;

    use super::Form;

    #[test]
    fn numerics_that_fit_are_decimals_and_the_rest_is_text() {
        let modifier = |precision: i32, scale: i32| ((precision << 16) | scale) + 4;
        assert_eq!(Form::of(oid::NUMERIC, modifier(18, 6)), Form::Decimal { precision: 18, scale: 6 });
        assert_eq!(Form::of(oid::NUMERIC, modifier(38, 38)), Form::Decimal { precision: 38, scale: 38 });
        assert_eq!(Form::of(oid::NUMERIC, modifier(39, 0)), Form::CastToText);
        assert_eq!(Form::of(oid::NUMERIC, modifier(3, 5)), Form::CastToText);
        assert_eq!(Form::of(oid::NUMERIC, modifier(3, 0x7ff)), Form::CastToText);
        assert_eq!(Form::of(oid::NUMERIC, -1), Form::CastToText);
        assert_eq!(Form::of(1186, -1), Form::CastToText);
    }
}
