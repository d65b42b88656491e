//! Values as Postgres prints them, which it can also read back.

use std::fmt::{Display, LowerExp};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_schema::DataType;

use crate::moment::{print_date, print_time, print_timestamp};

/// What stands for NaN among decimals (docs/ABI.md §9).
const DECIMAL_NAN: i128 = i128::MAX;

/// The value of a row as text; none for NULL, and for a type that no batch has.
pub(crate) fn printed(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => if column.as_boolean().value(row) { "t" } else { "f" }.to_owned(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => print_float(column.as_primitive::<Float32Type>().value(row), 6),
        DataType::Float64 => print_float(column.as_primitive::<Float64Type>().value(row), 15),
        DataType::Decimal128(_, scale) => {
            print_decimal(column.as_primitive::<Decimal128Type>().value(row), usize::try_from(*scale).unwrap_or(0))
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => format!("\\x{}", hexadecimal(column.as_binary::<i32>().value(row))),
        DataType::FixedSizeBinary(16) => print_uuid(column.as_fixed_size_binary().value(row)),
        DataType::Date32 => print_date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(_) => print_time(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(_, zone) => {
            print_timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row), zone.is_some())
        }
        _ => return None,
    })
}

/// The shortest digits that tell a number, with an exponent from 10^`most` on and below 10^-4.
fn print_float(value: impl Display + LowerExp, most: i32) -> String {
    let plain = value.to_string();
    match plain.as_str() {
        "inf" => return "Infinity".to_owned(),
        "-inf" => return "-Infinity".to_owned(),
        _ => {}
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, Ok(exponent))) =
        scientific.split_once('e').map(|(mantissa, text)| (mantissa, text.parse::<i32>()))
    else {
        return plain; // NaN
    };
    if (-4..most).contains(&exponent) {
        return plain;
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

fn print_decimal(value: i128, scale: usize) -> String {
    if value == DECIMAL_NAN {
        return "NaN".to_owned();
    }
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if value < 0 { "-" } else { "" })
}

fn print_uuid(bytes: &[u8]) -> String {
    let text = hexadecimal(bytes);
    [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| &text[from..to]).join("-")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int32Array,
        StringArray,
    };

    use super::{print_decimal, printed};

    #[test]
    fn values_are_printed_as_postgres_does() {
        let uuid = FixedSizeBinaryArray::try_from_iter([[0xabu8; 16]].iter()).map(|array| Arc::new(array) as ArrayRef);
        let decimal =
            Decimal128Array::from(vec![-5]).with_precision_and_scale(4, 2).map(|array| Arc::new(array) as ArrayRef);
        let columns: Vec<(ArrayRef, &str)> = vec![
            (Arc::new(BooleanArray::from(vec![true])), "t"),
            (Arc::new(Int32Array::from(vec![-7])), "-7"),
            (Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])), "-Infinity"),
            (Arc::new(Float64Array::from(vec![f64::NAN])), "NaN"),
            (Arc::new(Float64Array::from(vec![0.1])), "0.1"),
            (Arc::new(Float64Array::from(vec![-1.5e300])), "-1.5e+300"),
            (Arc::new(Float64Array::from(vec![1e-5])), "1e-05"),
            (Arc::new(Float64Array::from(vec![123_456_789_012_345.0])), "123456789012345"),
            (Arc::new(Float64Array::from(vec![0.0001])), "0.0001"),
            (Arc::new(StringArray::from(vec!["é"])), "é"),
            (Arc::new(BinaryArray::from(vec![&[0u8, 255][..]])), "\\x00ff"),
            (uuid.unwrap_or_else(|error| panic!("{error}")), "abababab-abab-abab-abab-abababababab"),
            (decimal.unwrap_or_else(|error| panic!("{error}")), "-0.05"),
        ];
        for (column, text) in columns {
            assert_eq!(printed(&column, 0).as_deref(), Some(text));
        }
        assert_eq!(printed(&Int32Array::from(vec![None]), 0), None);
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(print_decimal(1_234_500, 4), "123.4500");
        assert_eq!(print_decimal(7, 0), "7");
        assert_eq!(print_decimal(i128::MAX, 2), "NaN");
    }
}
