//! Days since 1970-01-01 and dates of the Gregorian calendar, as far back and ahead as Postgres has them.
//!
//! Years begin in March in both formulas, so that a leap day is the last of its year. 400 years have 146,097 days.

const DAYS_OF_CYCLE: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A date; the year before 1 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Date {
    pub fn of_days(days: i64) -> Date {
        let (cycle, day) = ((days + EPOCH).div_euclid(DAYS_OF_CYCLE), (days + EPOCH).rem_euclid(DAYS_OF_CYCLE));
        let leap_days_before = day / 1_460 - day / 36_524 + day / 146_096;
        let year = (day - leap_days_before) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Date { year: cycle * 400 + year + i64::from(month <= 2), month, day }
    }

    pub fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * month + 2) / 5 + self.day - 1;
        cycle * DAYS_OF_CYCLE + year * 365 + year / 4 - year / 100 + day - EPOCH
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_before_and_after_every_kind_of_leap_day_are_right() {
        let expected = [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (-25_509, (1900, 2, 28)),
            (-25_508, (1900, 3, 1)),
            (2_932_896, (9999, 12, 31)),
            (-719_162, (1, 1, 1)),
            (-719_163, (0, 12, 31)),
            (2_145_042_905, (5_874_897, 12, 31)),
        ];
        for (days, (year, month, day)) in expected {
            assert_eq!(Date::of_days(days), Date { year, month, day });
        }
    }

    #[test]
    fn every_day_of_a_cycle_comes_back_and_follows_the_one_before() {
        for days in -200_000..200_000 {
            assert_eq!(Date::of_days(days).days(), days);
        }
    }
}
