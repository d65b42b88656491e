//! Dates and timestamps between Postgres (since 2000-01-01) and Arrow (since 1970-01-01); infinities keep their place
//! at both ends of the range. Timestamps after 294247-01-10, which are too great for microseconds since 1970, wrap around
//! to the least values, where Postgres has none.

const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Days since 2000 to days since 1970; `None` where they do not fit.
#[inline]
pub fn date_to_unix(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => days.checked_add(EPOCH_DAYS).filter(|&days| days != i32::MAX),
    }
}

/// Days since 1970 to days since 2000; `None` where they do not fit.
#[inline]
pub fn date_from_unix(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => days.checked_sub(EPOCH_DAYS).filter(|&days| days != i32::MIN),
    }
}

/// Microseconds since 2000 to microseconds since 1970; `None` for the two that would be taken for infinities.
#[inline]
pub fn timestamp_to_unix(micros: i64) -> Option<i64> {
    match micros {
        i64::MIN | i64::MAX => Some(micros),
        _ => Some(micros.wrapping_add(EPOCH_MICROS)).filter(|&micros| micros != i64::MIN && micros != i64::MAX),
    }
}

/// Microseconds since 1970 to microseconds since 2000; `None` for the two that would be taken for infinities.
#[inline]
pub fn timestamp_from_unix(micros: i64) -> Option<i64> {
    match micros {
        i64::MIN | i64::MAX => Some(micros),
        _ => Some(micros.wrapping_sub(EPOCH_MICROS)).filter(|&micros| micros != i64::MIN && micros != i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_epochs_meet() {
        assert_eq!(date_to_unix(-10_957), Some(0));
        assert_eq!(timestamp_to_unix(0), Some(EPOCH_MICROS));
    }

    #[test]
    fn infinities_stay_at_the_ends() {
        for end in [i32::MIN, i32::MAX] {
            assert_eq!((date_to_unix(end), date_from_unix(end)), (Some(end), Some(end)));
        }
        for end in [i64::MIN, i64::MAX] {
            assert_eq!((timestamp_to_unix(end), timestamp_from_unix(end)), (Some(end), Some(end)));
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(date_to_unix(i32::MAX - 1), None);
        assert_eq!(timestamp_to_unix(i64::MAX - EPOCH_MICROS), None);
        assert_eq!(timestamp_to_unix(i64::MAX - EPOCH_MICROS + 1), None);
        assert_eq!(timestamp_from_unix(i64::MIN + EPOCH_MICROS), None);
        assert_eq!(timestamp_from_unix(i64::MIN + EPOCH_MICROS - 1), None);
    }

    #[test]
    fn the_latest_timestamp_wraps_around_and_comes_back() {
        let latest = 9_223_371_331_200_000_000 - 1; // 294276-12-31 23:59:59.999999
        assert_eq!(timestamp_to_unix(latest), Some(-9_222_426_057_709_551_617));
        assert_eq!(timestamp_from_unix(-9_222_426_057_709_551_617), Some(latest));
    }

    proptest! {
        #[test]
        fn a_date_comes_back(days in any::<i32>()) {
            if let Some(unix) = date_to_unix(days) {
                prop_assert_eq!(date_from_unix(unix), Some(days));
            }
        }

        #[test]
        fn a_timestamp_comes_back(micros in any::<i64>()) {
            if let Some(unix) = timestamp_to_unix(micros) {
                prop_assert_eq!(timestamp_from_unix(unix), Some(micros));
            }
        }
    }
}
