//! Decimal numbers of any length, compared exactly, in the order of Postgres: NaN is above all others.

use std::cmp::Ordering;

const MOST_EXPONENT: i64 = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    NegativeInfinity,
    Finite(Digits),
    Infinity,
    NaN,
}

/// Digits without zeros at either end of the number; zero is not negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    is_negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    /// Read what Postgres or JSON writes.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        match text {
            "NaN" => Some(Decimal::NaN),
            "Infinity" => Some(Decimal::Infinity),
            "-Infinity" => Some(Decimal::NegativeInfinity),
            _ => Digits::parse(text).map(Decimal::Finite),
        }
    }

    /// The same text for all that are equal.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Decimal::NegativeInfinity => "-Infinity".to_owned(),
            Decimal::Infinity => "Infinity".to_owned(),
            Decimal::NaN => "NaN".to_owned(),
            Decimal::Finite(digits) => digits.canonical(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Decimal::NegativeInfinity => 0,
            Decimal::Finite(_) => 1,
            Decimal::Infinity => 2,
            Decimal::NaN => 3,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self, other) {
            (Decimal::Finite(mine), Decimal::Finite(theirs)) => mine.cmp(theirs),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Digits {
    /// Read a number with an optional sign, fraction and exponent.
    pub(crate) fn parse(text: &str) -> Option<Digits> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) || exponent.abs() > MOST_EXPONENT {
            return None;
        }
        Some(Digits::placed(is_negative, digits, whole.len() as i64 + exponent))
    }

    /// Digits whose point stands after the first `point` of them.
    fn placed(is_negative: bool, mut digits: String, point: i64) -> Digits {
        if point < 0 {
            digits.insert_str(0, &"0".repeat(point.unsigned_abs() as usize));
        }
        let point = usize::try_from(point).unwrap_or(0);
        if point > digits.len() {
            digits.push_str(&"0".repeat(point - digits.len()));
        }
        let (whole, fraction) = digits.split_at(point);
        let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
        Digits { is_negative: is_negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction }
    }

    /// The same text for all that are equal, and another for each other.
    pub(crate) fn canonical(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}0{}.{}0", self.whole, self.fraction)
    }

    /// The least multiple of 10^-`scale` that is not below this, in those units; what does not fit is at the end.
    pub(crate) fn ceiling(&self, scale: usize) -> i128 {
        let (units, is_exact) = self.units(scale);
        if is_exact || self.is_negative { units } else { units.saturating_add(1) }
    }

    /// The greatest multiple of 10^-`scale` that is not above this, in those units.
    pub(crate) fn floor(&self, scale: usize) -> i128 {
        let (units, is_exact) = self.units(scale);
        if is_exact || !self.is_negative { units } else { units.saturating_sub(1) }
    }

    /// This in units of 10^-`scale`, towards zero, and whether nothing was cut off.
    fn units(&self, scale: usize) -> (i128, bool) {
        let kept = self.fraction.len().min(scale);
        let text = format!("{}{}{}", self.whole, &self.fraction[..kept], "0".repeat(scale - kept));
        let magnitude = if text.is_empty() { 0 } else { text.parse::<i128>().unwrap_or(i128::MAX) };
        (if self.is_negative { -magnitude } else { magnitude }, kept == self.fraction.len())
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Digits) -> Ordering {
        let magnitude = || {
            let by_length = self.whole.len().cmp(&other.whole.len());
            by_length.then_with(|| (&self.whole, &self.fraction).cmp(&(&other.whole, &other.fraction)))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Digits) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decimal, Digits};

    #[test]
    fn numbers_stand_in_the_order_of_postgres() {
        let ascending =
            ["-Infinity", "-1e3", "-12.5", "-12.49", "0", "1e-3", "0.01", "9", "10", "1e40", "Infinity", "NaN"];
        let numbers = ascending.map(Decimal::parse);
        assert!(numbers.iter().all(Option::is_some));
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (one, other) in [("1", "1.000"), ("-0", "0.0"), ("1e2", "100"), ("120e-1", "12"), ("+5", "05")] {
            assert_eq!(Decimal::parse(one), Decimal::parse(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", ".", "-", "1.2.3", "1e", "e5", "1e9999", "0x1", "1 ", "infinity"] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_bound_becomes_the_next_value_of_the_scale() {
        let bounds = |text: &str, scale| Digits::parse(text).map(|digits| (digits.floor(scale), digits.ceiling(scale)));
        assert_eq!(bounds("1.234", 2), Some((123, 124)));
        assert_eq!(bounds("-1.234", 2), Some((-124, -123)));
        assert_eq!(bounds("-0.5", 0), Some((-1, 0)));
        assert_eq!(bounds("7", 3), Some((7000, 7000)));
        assert_eq!(bounds("1e60", 0), Some((i128::MAX, i128::MAX)));
    }

    proptest! {
        #[test]
        fn decimals_compare_as_the_integers_that_they_are(a in any::<i64>(), b in any::<i64>(), shift in 0u32..6) {
            let text = |number: i64| Decimal::parse(&format!("{number}e-{shift}"));
            prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
        }
    }
}
