//! Dates, times and timestamps since 1970-01-01 (docs/ABI.md §9) as text, in the forms of Postgres under `ISO`.

const DAY_MICROS: i64 = 86_400_000_000;
const SECOND_MICROS: i64 = 1_000_000;
const LEAST_MICROS: i64 = -211_000_000_000_000_000; // before 4714 BC, where the timestamps of Postgres begin
const MOST_YEAR: i64 = 5_874_897; // of a date in Postgres

/// Days since 1970-01-01 of `2024-02-29`.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if !(1..=MOST_YEAR).contains(&year) || month > 12 || day > 31 {
        return None;
    }
    let days = days_of(year, month, day);
    (civil_of(days) == (year, month, day)).then_some(days)
}

/// Microseconds since midnight of `12:30`, `12:30:05` or `12:30:05.25`.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    let micros = digits(&format!("{fraction:0<6}"), 6).filter(|_| (1..=6).contains(&fraction.len()))?;
    if hour > 24 || minute > 59 || second > 59 {
        return None;
    }
    let total = ((hour * 60 + minute) * 60 + second) * SECOND_MICROS + micros;
    (total <= DAY_MICROS).then_some(total)
}

/// Microseconds since 1970 of a date, or of a date and a time with a blank or a `T` between; where `has_zone`, a zone
/// such as `Z` or `+02:00` may follow, and none is UTC.
pub(crate) fn parse_timestamp(text: &str, has_zone: bool) -> Option<i64> {
    let Some((date, time)) = text.split_once([' ', 'T']) else {
        return parse_date(text)?.checked_mul(DAY_MICROS);
    };
    let (time, zone_micros) = if has_zone { split_zone(time)? } else { (time, 0) };
    parse_date(date)?.checked_mul(DAY_MICROS)?.checked_add(parse_time(time)?)?.checked_sub(zone_micros)
}

fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(place) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, zone) = time.split_at(place);
    let offset = &zone[1..];
    let micros = if offset.contains(':') { parse_time(offset)? } else { digits(offset, 2)? * 3600 * SECOND_MICROS };
    Some((time, if zone.starts_with('-') { -micros } else { micros }))
}

pub(crate) fn print_date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        _ => {
            let (date, era) = print_day(i64::from(days));
            format!("{date}{era}")
        }
    }
}

pub(crate) fn print_time(micros: i64) -> String {
    let (seconds, fraction) = (micros / SECOND_MICROS, micros % SECOND_MICROS);
    let fraction =
        if fraction == 0 { String::new() } else { format!(".{fraction:06}").trim_end_matches('0').to_owned() };
    format!("{:02}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Microseconds since 1970 in the order of time: what 64 bits do not hold has wrapped around to the least values.
pub(crate) fn in_order(micros: i64) -> i128 {
    let has_wrapped = i64::MIN < micros && micros < LEAST_MICROS;
    i128::from(micros) + if has_wrapped { 1 << 64 } else { 0 }
}

pub(crate) fn print_timestamp(micros: i64, has_zone: bool) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        _ => {
            let days = in_order(micros).div_euclid(i128::from(DAY_MICROS));
            let (date, era) = print_day(i64::try_from(days).unwrap_or(i64::MAX));
            let time = print_time(micros.wrapping_sub(days.wrapping_mul(i128::from(DAY_MICROS)) as i64));
            format!("{date} {time}{}{era}", if has_zone { "+00" } else { "" })
        }
    }
}

/// A day, and what Postgres writes at the end of it before the year 1.
fn print_day(days: i64) -> (String, &'static str) {
    let (year, month, day) = civil_of(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn digits(text: &str, least: usize) -> Option<i64> {
    let is_number = text.len() >= least && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, whose years begin in March here.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (month, day) = ((shifted + 2) % 12 + 1, day_of_year - (153 * shifted + 2) / 5 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, days) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("1900-03-01", -25_508), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(parse_date(text), Some(days), "{text}");
            assert_eq!(i32::try_from(days).map(print_date).as_deref(), Ok(text));
        }
        for text in ["2023-02-29", "2024-13-01", "2024-00-01", "2024-1-1", "0000-01-01", "today", "2024-01-01x", ""] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn times_and_zones_are_read() {
        assert_eq!(parse_time("24:00:00"), Some(DAY_MICROS));
        assert_eq!(parse_time("00:00:01.5"), Some(1_500_000));
        assert_eq!(parse_timestamp("1970-01-02", false), Some(DAY_MICROS));
        assert_eq!(parse_timestamp("1970-01-01T02:00+02:00", true), Some(0));
        assert_eq!(parse_timestamp("1970-01-01 00:00:00-01", true), Some(3600 * SECOND_MICROS));
        assert_eq!(parse_timestamp("1970-01-01 00:00Z", true), Some(0));
        for text in [
            "1970-01-01 00:00Z",
            "1970-01-01 25:00",
            "1970-01-01 00:60",
            "1970-01-01 00",
            "1970-01-01 00:00:00.1234567",
        ] {
            assert_eq!(parse_timestamp(text, false), None, "{text}");
        }
    }

    #[test]
    fn the_ends_and_the_years_before_1_are_printed_as_postgres_does() {
        assert_eq!((print_date(i32::MAX), print_timestamp(i64::MIN, true)), ("infinity".into(), "-infinity".into()));
        assert_eq!(print_timestamp(i64::MIN + 1, false), "294247-01-10 04:00:54.775809");
        assert!(in_order(i64::MIN) < in_order(0) && in_order(0) < in_order(i64::MIN + 1));
        assert_eq!(print_date(-719_163), "0001-12-31 BC");
        assert_eq!(print_timestamp(-1, true), "1969-12-31 23:59:59.999999+00");
        assert_eq!(print_timestamp(1_500_000, false), "1970-01-01 00:00:01.5");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
            prop_assert_eq!(parse_timestamp(&print_timestamp(micros, true), true), Some(micros));
        }
    }
}
