//! Values as Postgres prints them: for casts to text, and for people who look at a row that was rejected.
//!
//! The forms are those of `DateStyle = ISO` and `TimeZone = UTC`, of the types that docs/ABI.md §9 puts on the wire.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::calendar::Date;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// A NaN of `numeric`, which no decimal of 38 digits can be.
const NUMERIC_NAN: i128 = i128::MAX;

/// The values of a row by their columns.
pub fn row(batch: &RecordBatch, row: usize) -> BTreeMap<String, Option<String>> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns.map(|(field, column)| (field.name().clone(), of_value(column, row))).collect()
}

/// One value; none for NULL, and for what is of no type of the wire.
pub fn of_value(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            float(f64::from(value), &format!("{value:e}"), 6)
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            float(value, &format!("{value:e}"), 15)
        }
        DataType::Decimal128(_, scale) => {
            decimal(column.as_primitive::<Decimal128Type>().value(row), usize::try_from(*scale).ok()?)
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => format!("\\x{}", hex(column.as_binary::<i32>().value(row))),
        DataType::FixedSizeBinary(16) => uuid(column.as_fixed_size_binary().value(row)),
        DataType::Date32 => date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => time(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row), zone.is_some())
        }
        _ => return None,
    })
}

/// The shortest digits that read back as the value; with an exponent, from 10^`digits` and below 10^-4.
fn float(value: f64, scientific: &str, digits: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..digits).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{all}");
    }
    match all.split_at_checked(whole) {
        None | Some((_, "")) => format!("{sign}{all:0<whole$}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
    }
}

fn decimal(unscaled: i128, scale: usize) -> String {
    if unscaled == NUMERIC_NAN {
        return "NaN".to_owned();
    }
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(bytes: &[u8]) -> String {
    let digits = hex(bytes);
    [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(from, to)| &digits[from..to]).join("-")
}

fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (day, era) = civil(i64::from(days));
            format!("{day}{era}")
        }
    }
}

fn timestamp(micros: i64, has_zone: bool) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        micros => {
            let (day, era) = civil(micros.div_euclid(MICROS_PER_DAY));
            let zone = if has_zone { "+00" } else { "" };
            format!("{day} {}{zone}{era}", time(micros.rem_euclid(MICROS_PER_DAY)))
        }
    }
}

fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { whole } else { format!("{whole}.{}", format!("{fraction:06}").trim_end_matches('0')) }
}

/// The date of a day counted from 1970-01-01, and what follows it before the year 1.
fn civil(days: i64) -> (String, &'static str) {
    let Date { year, month, day } = Date::of_days(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, RecordBatch};

    use super::{date, decimal, float, row, time, timestamp, uuid};

    #[test]
    fn floats_are_printed_as_the_server_prints_them() {
        let double = |value: f64| float(value, &format!("{value:e}"), 15);
        let expected = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100.0, "100"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (1234.5, "1234.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, text) in expected {
            assert_eq!(double(value), text);
        }
        let single = |value: f32| float(f64::from(value), &format!("{value:e}"), 6);
        assert_eq!([single(0.1), single(999_999.0), single(1e6)], ["0.1", "999999", "1e+06"]);
    }

    #[test]
    fn decimals_keep_their_scale() {
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(1234, 2), "12.34");
        assert_eq!(decimal(0, 0), "0");
        assert_eq!(decimal(i128::MAX, 2), "NaN");
    }

    #[test]
    fn dates_are_printed_with_their_era() {
        assert_eq!([date(0), date(2_932_897), date(-719_162)], ["1970-01-01", "10000-01-01", "0001-01-01"]);
        assert_eq!([date(-719_163), date(i32::MAX), date(i32::MIN)], ["0001-12-31 BC", "infinity", "-infinity"]);
    }

    #[test]
    fn times_have_no_more_digits_than_they_need() {
        assert_eq!([time(0), time(86_400_000_000), time(1_500_000)], ["00:00:00", "24:00:00", "00:00:01.5"]);
        assert_eq!(timestamp(-1, false), "1969-12-31 23:59:59.999999");
        assert_eq!(timestamp(0, true), "1970-01-01 00:00:00+00");
        assert_eq!(timestamp(-719_163 * 86_400_000_000, true), "0001-12-31 00:00:00+00 BC");
        assert_eq!([timestamp(i64::MAX, true), timestamp(i64::MIN, false)], ["infinity", "-infinity"]);
    }

    #[test]
    fn a_row_has_its_values_by_column() {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(row(&batch, 0).get("id"), Some(&Some("1".to_owned())));
        assert_eq!(row(&batch, 1).get("id"), Some(&None));
        let bytes: Vec<u8> = (0..16).collect();
        assert_eq!(uuid(&bytes), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
