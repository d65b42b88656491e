//! Truncating a timestamp to a part of it, over all timestamps: DataFusion's function loses those far from today.

use sdk::calendar::Date;

const MICROS_PER_DAY: i64 = 86_400_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Part {
    /// Read the name of a part.
    pub(crate) fn named(name: &str) -> Option<Part> {
        Some(match name.to_lowercase().as_str() {
            "millisecond" | "milliseconds" => Part::Millisecond,
            "second" => Part::Second,
            "minute" => Part::Minute,
            "hour" => Part::Hour,
            "day" => Part::Day,
            "week" => Part::Week,
            "month" => Part::Month,
            "quarter" => Part::Quarter,
            "year" => Part::Year,
            _ => return None,
        })
    }

    /// The beginning of the part that a time lies in; of an infinite one, itself.
    pub(crate) fn truncate(self, micros: i64) -> i64 {
        if micros == i64::MIN || micros == i64::MAX {
            return micros;
        }
        let days = micros.div_euclid(MICROS_PER_DAY);
        let to = |unit: i64| micros - micros.rem_euclid(unit);
        let from_date = |change: fn(Date) -> Date| change(Date::of_days(days)).days() * MICROS_PER_DAY;
        match self {
            Part::Millisecond => to(1_000),
            Part::Second => to(1_000_000),
            Part::Minute => to(60_000_000),
            Part::Hour => to(3_600_000_000),
            Part::Day => to(MICROS_PER_DAY),
            // 1970-01-01 was a Thursday.
            Part::Week => (days - (days + 3).rem_euclid(7)) * MICROS_PER_DAY,
            Part::Month => from_date(|date| Date { day: 1, ..date }),
            Part::Quarter => from_date(|date| Date { day: 1, month: date.month - (date.month - 1) % 3, ..date }),
            Part::Year => from_date(|date| Date { day: 1, month: 1, ..date }),
        }
    }
}
