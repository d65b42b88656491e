//! Values as the server prints them, turned into the binary fields that COPY would have: changes come as text, since
//! that is the one form that every type has.
//!
//! The session's settings fix how values are printed (docs/ABI.md §9).

use pgwire::numeric;
use sdk::{Category, Error, Result};

use crate::form::{Form, UUID_BYTES};

const JSONB_VERSION: u8 = 1;
const MICROS_OF_SECOND: i64 = 1_000_000;
const MICROS_OF_DAY: i64 = 86_400 * MICROS_OF_SECOND;
const LENGTH_BYTES: usize = 4;

/// Append the field of a value, without its length.
pub(crate) fn write_binary(form: Form, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    match form {
        Form::Text | Form::CastToText => out.extend_from_slice(text),
        Form::Jsonb => {
            out.push(JSONB_VERSION);
            out.extend_from_slice(text);
        }
        _ => {
            let text = std::str::from_utf8(text).map_err(|_| unreadable(form, "no text"))?;
            write_parsed(form, text, out).ok_or_else(|| unreadable(form, text))?;
        }
    }
    Ok(())
}

fn write_parsed(form: Form, text: &str, out: &mut Vec<u8>) -> Option<()> {
    match form {
        Form::Bool => out.push(match text {
            "t" => 1,
            "f" => 0,
            _ => return None,
        }),
        Form::Int16 => out.extend(text.parse::<i16>().ok()?.to_be_bytes()),
        Form::Int32 => out.extend(text.parse::<i32>().ok()?.to_be_bytes()),
        Form::Int64 => out.extend(text.parse::<i64>().ok()?.to_be_bytes()),
        Form::Float32 => out.extend(text.parse::<f32>().ok()?.to_be_bytes()),
        Form::Float64 => out.extend(text.parse::<f64>().ok()?.to_be_bytes()),
        Form::Decimal { scale, .. } => {
            let mut field = Vec::new();
            numeric::encode(unscaled(text, u32::from(scale))?, u32::from(scale), &mut field);
            out.extend_from_slice(field.get(LENGTH_BYTES..)?);
        }
        Form::Bytes => write_hex(text.strip_prefix("\\x")?, out)?,
        Form::Uuid => {
            let before = out.len();
            write_hex(&text.replace('-', ""), out)?;
            (out.len() - before == UUID_BYTES as usize).then_some(())?;
        }
        Form::Date => out.extend(date(text)?.to_be_bytes()),
        Form::Time => out.extend(time(text)?.to_be_bytes()),
        Form::Timestamp { .. } => out.extend(timestamp(text)?.to_be_bytes()),
        Form::Text | Form::Jsonb | Form::CastToText => return None,
    }
    Some(())
}

/// A decimal of exactly `scale` places, as an integer.
fn unscaled(text: &str, scale: u32) -> Option<i128> {
    if text == "NaN" {
        return Some(numeric::NAN);
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let missing = scale.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let all = format!("{whole}{fraction}");
    let is_number = !all.is_empty() && all.bytes().all(|byte| byte.is_ascii_digit());
    let value = is_number.then(|| all.parse::<i128>().ok()).flatten()?;
    value.checked_mul(10i128.checked_pow(missing)?)?.checked_mul(sign)
}

fn write_hex(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let pairs = text.as_bytes().chunks(2);
    for pair in pairs {
        let &[high, low] = pair else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        out.push((digit(high)? << 4 | digit(low)?) as u8);
    }
    Some(())
}

/// Days since 2000.
fn date(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(i32::MAX),
        "-infinity" => Some(i32::MIN),
        _ => {
            let (text, is_before_christ) = era(text);
            i32::try_from(days(text, is_before_christ)?).ok()
        }
    }
}

/// Microseconds since 2000, of a time in UTC.
fn timestamp(text: &str) -> Option<i64> {
    match text {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        _ => {
            let (text, is_before_christ) = era(text);
            let (day, clock) = text.split_once(' ')?;
            let clock = time(clock.strip_suffix("+00").unwrap_or(clock))?;
            days(day, is_before_christ)?.checked_mul(MICROS_OF_DAY)?.checked_add(clock)
        }
    }
}

fn era(text: &str) -> (&str, bool) {
    text.strip_suffix(" BC").map_or((text, false), |text| (text, true))
}

/// Days from 2000-01-01 to a day of the Gregorian calendar, which years before its invention are counted by too.
fn days(text: &str, is_before_christ: bool) -> Option<i64> {
    const FROM_YEAR_0_TO_2000: i64 = 730_425; // from the first of March, where a leap day is the last of its year
    let mut parts = text.split('-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_day = parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day);
    let year = if is_before_christ { 1 - year } else { year };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    is_day.then(|| 365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - FROM_YEAR_0_TO_2000)
}

/// Microseconds since midnight.
fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':').map(number);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let micros = number(fraction)? * 10i64.checked_pow(6u32.checked_sub(u32::try_from(fraction.len()).ok()?)?)?;
    let whole = (hours * 60 + minutes) * 60 + seconds;
    parts.next().is_none().then_some(whole * MICROS_OF_SECOND + micros)
}

/// A short number without a sign.
fn number(text: &str) -> Option<i64> {
    ((1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cold]
fn unreadable(form: Form, text: &str) -> Error {
    let message = format!("A change has the value {text:?}, which cannot be read as {}.", form.data_type());
    Error::new(Category::Data, "value_unreadable", message)
}

#[cfg(test)]
mod tests {
    use super::write_binary;
    use crate::form::Form;

    fn field(form: Form, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        write_binary(form, text.as_bytes(), &mut out).ok()?;
        Some(out)
    }

    fn micros(text: &str) -> Option<i64> {
        let bytes = field(Form::Timestamp { has_zone: true }, text)?;
        Some(i64::from_be_bytes(bytes.try_into().ok()?))
    }

    fn days(text: &str) -> Option<i32> {
        Some(i32::from_be_bytes(field(Form::Date, text)?.try_into().ok()?))
    }

    #[test]
    fn numbers_and_booleans_are_those_that_are_printed() {
        assert_eq!(field(Form::Bool, "t"), Some(vec![1]));
        assert_eq!(field(Form::Int16, "-2"), Some(vec![255, 254]));
        assert_eq!(field(Form::Int64, "9223372036854775807"), Some(i64::MAX.to_be_bytes().to_vec()));
        assert_eq!(field(Form::Float32, "-0"), Some((-0f32).to_be_bytes().to_vec()));
        assert_eq!(field(Form::Float64, "1e-307"), Some(1e-307f64.to_be_bytes().to_vec()));
        assert_eq!(field(Form::Float64, "-Infinity"), Some(f64::NEG_INFINITY.to_be_bytes().to_vec()));
        assert!(field(Form::Float64, "NaN").is_some());
    }

    #[test]
    fn decimals_have_their_scale() {
        let form = Form::Decimal { precision: 6, scale: 2 };
        // As COPY BINARY sends them: -5.00 and 1234.05.
        assert_eq!(field(form, "-5.00"), Some(vec![0, 1, 0, 0, 64, 0, 0, 2, 0, 5]));
        assert_eq!(field(form, "1234.05"), Some(vec![0, 2, 0, 0, 0, 0, 0, 2, 4, 210, 1, 244]));
        assert_eq!(field(form, "0.1"), field(form, "0.10"));
        assert!(field(form, "NaN").is_some());
        for text in ["", "-", ".", "1.234", "1e3", "1.-2", "+1"] {
            assert_eq!(field(form, text), None, "{text}");
        }
    }

    #[test]
    fn bytes_uuids_and_jsonb_get_their_binary_forms() {
        assert_eq!(field(Form::Bytes, "\\x00fF"), Some(vec![0, 255]));
        assert_eq!(field(Form::Bytes, "\\x"), Some(vec![]));
        assert_eq!(field(Form::Uuid, "00000000-0000-0000-0000-0000000000ff").map(|field| field[15]), Some(255));
        assert_eq!(field(Form::Jsonb, "{}"), Some(b"\x01{}".to_vec()));
        assert_eq!(field(Form::CastToText, "1 day"), Some(b"1 day".to_vec()));
    }

    #[test]
    fn days_are_counted_from_2000() {
        // By the server: SELECT date '...' - date '2000-01-01'.
        let cases = [
            ("2000-01-01", 0),
            ("2000-03-01", 60),
            ("1999-12-31", -1),
            ("1970-01-01", -10_957),
            ("1900-02-28", -36_466),
            ("2024-02-29", 8_825),
            ("0001-01-01", -730_119),
            ("0001-12-31 BC", -730_120),
            ("4713-11-24 BC", -2_451_179),
            ("5874897-12-31", 2_145_031_948),
            ("infinity", i32::MAX),
            ("-infinity", i32::MIN),
        ];
        for (text, expected) in cases {
            assert_eq!(days(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn timestamps_are_microseconds_from_2000() {
        assert_eq!(micros("2000-01-01 00:00:00+00"), Some(0));
        assert_eq!(micros("1999-12-31 23:59:59.999999"), Some(-1));
        assert_eq!(micros("2000-01-02 00:00:01.5+00"), Some(86_401_500_000));
        assert_eq!(micros("294276-12-31 23:59:59.999999+00"), Some(9_223_371_331_199_999_999));
        assert_eq!(micros("4713-11-24 00:00:00+00 BC"), Some(-2_451_179 * 86_400_000_000));
        assert_eq!(micros("infinity"), Some(i64::MAX));
        assert_eq!(field(Form::Time, "24:00:00"), Some(86_400_000_000i64.to_be_bytes().to_vec()));
    }

    #[test]
    fn what_is_printed_otherwise_is_refused() {
        let forms = [
            Form::Bool,
            Form::Int16,
            Form::Int32,
            Form::Int64,
            Form::Float32,
            Form::Float64,
            Form::Bytes,
            Form::Uuid,
            Form::Date,
            Form::Time,
            Form::Timestamp { has_zone: false },
        ];
        for form in forms {
            for text in ["", "x", "2000-13-01", "2000-01", "1:2", "2000-01-01 1:2:3.1234567", "\\x0", "ff"] {
                assert_eq!(field(form, text), None, "{form:?} of {text}");
            }
        }
        assert!(write_binary(Form::Int32, &[0xff], &mut Vec::new()).is_err());
    }
}
