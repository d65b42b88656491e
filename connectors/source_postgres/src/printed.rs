//! Fields of rows that cannot be moved, as the server prints them, so that they can be read back once they can.

use pgwire::numeric;

use crate::form::Form;

const EPOCH_DAYS: i64 = 10_957; // 2000-01-01, counted from 1970-01-01
const DAY_MICROS: i64 = 86_400_000_000;
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// The text of a field; `None` where it has none that the server would read as the same value.
pub(crate) fn text_of(form: Form, field: &[u8]) -> Option<String> {
    match form {
        Form::Text | Form::CastToText => text(field),
        Form::Jsonb => text(field.get(1..)?),
        Form::Bool => Some(if *field.first()? == 0 { "f" } else { "t" }.to_owned()),
        Form::Int16 => Some(i16::from_be_bytes(field.try_into().ok()?).to_string()),
        Form::Int32 => Some(i32::from_be_bytes(field.try_into().ok()?).to_string()),
        Form::Int64 => Some(i64::from_be_bytes(field.try_into().ok()?).to_string()),
        Form::Float32 => Some(f32::from_be_bytes(field.try_into().ok()?).to_string()),
        Form::Float64 => Some(f64::from_be_bytes(field.try_into().ok()?).to_string()),
        Form::Decimal { scale, .. } => decimal(numeric::decode(field, u32::from(scale)).ok()?, usize::from(scale)),
        Form::Bytes => Some(format!("\\x{}", hexadecimal(field))),
        Form::Uuid => uuid(field),
        Form::Date => match i32::from_be_bytes(field.try_into().ok()?) {
            i32::MAX => Some("infinity".to_owned()),
            i32::MIN => Some("-infinity".to_owned()),
            days => Some(with_era(i64::from(days), "")),
        },
        Form::Time => Some(time(i64::from_be_bytes(field.try_into().ok()?))),
        Form::Timestamp { has_zone } => match i64::from_be_bytes(field.try_into().ok()?) {
            i64::MAX => Some("infinity".to_owned()),
            i64::MIN => Some("-infinity".to_owned()),
            micros => Some(timestamp(micros, has_zone)),
        },
    }
}

/// What people see of a field that has no text.
pub(crate) fn bytes_of(field: &[u8]) -> String {
    format!("\\x{}", hexadecimal(field))
}

fn text(field: &[u8]) -> Option<String> {
    String::from_utf8(field.to_vec()).ok()
}

fn hexadecimal(field: &[u8]) -> String {
    field.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal(unscaled: i128, scale: usize) -> Option<String> {
    if unscaled == numeric::NAN {
        return Some("NaN".to_owned());
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn uuid(field: &[u8]) -> Option<String> {
    let digits = hexadecimal(field);
    let mut rest = digits.as_str();
    let mut groups = Vec::new();
    for size in UUID_GROUPS {
        let (group, following) = rest.split_at_checked(size)?;
        groups.push(group);
        rest = following;
    }
    rest.is_empty().then(|| groups.join("-"))
}

fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn timestamp(micros: i64, has_zone: bool) -> String {
    let zone = if has_zone { "+00" } else { "" };
    with_era(micros.div_euclid(DAY_MICROS), &format!(" {}{zone}", time(micros.rem_euclid(DAY_MICROS))))
}

/// A day since 2000-01-01 in the Gregorian calendar, and what follows it; years before 1 are marked BC.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn with_era(days: i64, rest: &str) -> String {
    let shifted = days + EPOCH_DAYS + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (year, mark) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    format!("{year:04}-{month:02}-{day:02}{rest}{mark}")
}

#[cfg(test)]
mod tests {
    use super::{bytes_of, text_of};
    use crate::form::Form;

    fn printed(form: Form, field: &[u8]) -> String {
        text_of(form, field).unwrap_or_default()
    }

    #[test]
    fn texts_numbers_and_bytes_are_printed_as_in_sql() {
        assert_eq!(printed(Form::Text, "é".as_bytes()), "é");
        assert_eq!(printed(Form::Jsonb, b"\x01{}"), "{}");
        assert_eq!(printed(Form::Bool, &[1]), "t");
        assert_eq!(printed(Form::Int16, &[255, 255]), "-1");
        assert_eq!(printed(Form::Int32, &[0, 0, 1, 0]), "256");
        assert_eq!(printed(Form::Int64, &[0, 0, 0, 0, 0, 0, 0, 7]), "7");
        assert_eq!(printed(Form::Float32, &0.1f32.to_be_bytes()), "0.1");
        assert_eq!(printed(Form::Float64, &f64::NEG_INFINITY.to_be_bytes()), "-inf");
        assert_eq!(printed(Form::Bytes, &[0xde, 0xad]), "\\xdead");
        assert_eq!(printed(Form::Uuid, &[0x11; 16]), "11111111-1111-1111-1111-111111111111");
    }

    #[test]
    fn numerics_have_their_scale() {
        let form = Form::Decimal { precision: 9, scale: 2 };
        assert_eq!(printed(form, b"\0\x01\0\0\x40\0\0\x02\0\x05"), "-5.00");
        assert_eq!(printed(form, b"\0\x01\xff\xff\0\0\0\x02\x01\xf4"), "0.05");
        assert_eq!(printed(form, b"\0\0\0\0\xc0\0\0\x00"), "NaN");
        assert_eq!(printed(Form::Decimal { precision: 9, scale: 0 }, b"\0\x01\0\0\0\0\0\0\0\x05"), "5");
    }

    #[test]
    fn dates_and_times_are_those_of_the_calendar_however_far() {
        let stamp = |micros: i64| printed(Form::Timestamp { has_zone: false }, &micros.to_be_bytes());
        assert_eq!(stamp(0), "2000-01-01 00:00:00.000000");
        assert_eq!(stamp(-1), "1999-12-31 23:59:59.999999");
        assert_eq!(stamp(9_223_371_331_199_000_000), "294276-12-31 23:59:59.000000");
        assert_eq!(stamp(-211_813_488_000_000_000), "4714-11-24 00:00:00.000000 BC");
        assert_eq!(stamp(i64::MAX), "infinity");
        assert_eq!(printed(Form::Timestamp { has_zone: true }, &[0; 8]), "2000-01-01 00:00:00.000000+00");
        assert_eq!(printed(Form::Date, &59i32.to_be_bytes()), "2000-02-29");
        assert_eq!(printed(Form::Date, &i32::MIN.to_be_bytes()), "-infinity");
        assert_eq!(printed(Form::Time, &86_400_000_000i64.to_be_bytes()), "24:00:00.000000");
    }

    #[test]
    fn what_is_no_value_has_no_text() {
        assert_eq!(text_of(Form::Text, &[0xff]), None);
        assert_eq!(text_of(Form::Int32, &[0]), None);
        assert_eq!(text_of(Form::Uuid, &[0; 3]), None);
        assert_eq!(bytes_of(&[0xff, 0]), "\\xff00");
    }
}
