//! A log sequence number: a place in the server's write-ahead log.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Places compare in the order of the log. Their text is the server's: two hexadecimal numbers, such as `16/B374D848`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}

impl FromStr for Lsn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Lsn, Error> {
        let half = |text: &str| match text.len() {
            1..=8 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(text, 16).ok(),
            _ => None,
        };
        let lsn = text.split_once('/').and_then(|(high, low)| Some((half(high)?, half(low)?)));
        let (high, low) = lsn.ok_or_else(|| Error::Protocol(format!("`{text}` is no place in the log")))?;
        Ok(Lsn(u64::from(high) << 32 | u64::from(low)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Lsn;

    #[test]
    fn the_text_is_the_servers() {
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
        assert_eq!(Lsn(1).to_string(), "0/1");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "/", "0", "0/", "/0", "0/G", "0/+1", "0/123456789", "1/2/3", " 0/1"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_place_comes_back(number in any::<u64>()) {
            prop_assert_eq!(Lsn(number).to_string().parse::<Lsn>().ok(), Some(Lsn(number)));
        }

        #[test]
        fn places_compare_as_their_numbers_do(left in any::<u64>(), right in any::<u64>()) {
            prop_assert_eq!(Lsn(left).cmp(&Lsn(right)), left.cmp(&right));
        }
    }
}
