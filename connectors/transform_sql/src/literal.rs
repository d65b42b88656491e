//! Texts in quotes that stand for a value of another type, as in `id = '3f2c…'` or `valid_to = 'infinity'`.

use arrow_schema::{DataType, TimeUnit};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Expr;

use crate::cast;
use crate::failure::{carried, refused};
use crate::own_function::parse_uuid;
use crate::sql_type::UUID;

/// The text of a literal.
pub(crate) fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

/// The value that a text stands for where this type is expected.
pub(crate) fn typed(text: &str, data_type: &DataType) -> Result<Expr> {
    if let Some(value) = special(text.trim(), data_type) {
        return Ok(Expr::Literal(value, None));
    }
    if *data_type == UUID {
        let bytes = parse_uuid(text).ok_or_else(|| {
            carried(refused("sql_invalid", format!("The query compares a uuid with '{text}', which is none.")))
        })?;
        return Ok(Expr::Literal(ScalarValue::FixedSizeBinary(16, Some(bytes.to_vec())), None));
    }
    cast::asked(Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None), &DataType::Utf8, data_type)
}

/// Values that Arrow has no text for: how docs/ABI.md §9 holds them.
fn special(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    let is_infinite = text.eq_ignore_ascii_case("infinity");
    let is_least = text.eq_ignore_ascii_case("-infinity");
    match data_type {
        DataType::Date32 if is_infinite => Some(ScalarValue::Date32(Some(i32::MAX))),
        DataType::Date32 if is_least => Some(ScalarValue::Date32(Some(i32::MIN))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) if is_infinite => {
            Some(ScalarValue::TimestampMicrosecond(Some(i64::MAX), zone.clone()))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) if is_least => {
            Some(ScalarValue::TimestampMicrosecond(Some(i64::MIN), zone.clone()))
        }
        DataType::Decimal128(precision, scale) if text.eq_ignore_ascii_case("nan") => {
            Some(ScalarValue::Decimal128(Some(i128::MAX), *precision, *scale))
        }
        _ => None,
    }
}
