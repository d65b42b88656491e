//! `numeric` between its binary form and an unscaled integer.
//!
//! Source: PostgreSQL's numeric_send: digit count, weight, sign and display scale as 16-bit integers, then digits of
//! base 10,000, the first worth 10,000^weight.

use crate::error::{Error, Result};

/// The unscaled value that stands for NaN (docs/ABI.md §9).
pub const NAN: i128 = i128::MAX;

const HEAD_BYTES: usize = 8;
const NEGATIVE: u16 = 0x4000;
const SIGN_NAN: u16 = 0xC000;
const BASE: u64 = 10_000;
const GROUP_DIGITS: u32 = 4;
/// The groups that a 64-bit word takes, with three further digits. Arithmetic on 128 bits is many times slower.
const WORD_GROUPS: usize = 4;
const TENS: [u64; 4] = [1, 10, 100, 1000];
/// More groups than the 39 digits of an `i128` and a partial group need.
const MAX_GROUPS: usize = 12;

/// Read a binary numeric as an integer of `scale` decimal places.
#[inline]
pub fn decode(bytes: &[u8], scale: u32) -> Result<i128> {
    let (head, digits) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(malformed)?;
    let word = |index: usize| u16::from_be_bytes([head[2 * index], head[2 * index + 1]]);
    let (count, weight, sign) = (usize::from(word(0)), i32::from(word(1) as i16), word(2));
    if sign == SIGN_NAN {
        return Ok(NAN);
    }
    if sign & !NEGATIVE != 0 || digits.len() != 2 * count {
        return Err(malformed());
    }
    let magnitude = magnitude(digits, weight, scale)?;
    Ok(if sign == NEGATIVE { -magnitude } else { magnitude })
}

#[inline]
fn magnitude(digits: &[u8], weight: i32, scale: u32) -> Result<i128> {
    let mut groups = digits.chunks_exact(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])));
    let whole = weight + 1 + (scale / GROUP_DIGITS) as i32;
    let mut missing = usize::try_from(whole).unwrap_or(0);
    let tens = TENS[(scale % GROUP_DIGITS) as usize];
    if missing <= WORD_GROUPS {
        let word = word(&mut groups, missing)?;
        return Ok(i128::from(word * tens + part(&mut groups, whole, tens)?));
    }
    let mut value = 0;
    while missing > 0 {
        let count = missing.min(WORD_GROUPS);
        value = appended(value, BASE.pow(count as u32), word(&mut groups, count)?)?;
        missing -= count;
    }
    value = appended(value, tens, part(&mut groups, whole, tens)?)?;
    i128::try_from(value).ok().filter(|&value| value != NAN).ok_or_else(out_of_range)
}

/// What the next groups make, up to [`WORD_GROUPS`] of them; zeros that end a number are not sent.
#[inline]
fn word(groups: &mut impl Iterator<Item = u64>, count: usize) -> Result<u64> {
    let mut value = 0;
    for _ in 0..count {
        let group = groups.next().unwrap_or(0);
        if group >= BASE {
            return Err(malformed());
        }
        value = value * BASE + group;
    }
    Ok(value)
}

/// The first digits of the next group, below `tens`; there are none where it lies right of them all.
#[inline]
fn part(groups: &mut impl Iterator<Item = u64>, whole: i32, tens: u64) -> Result<u64> {
    if tens == 1 || whole < 0 { Ok(0) } else { Ok(word(groups, 1)? / (BASE / tens)) }
}

#[inline]
fn appended(value: u128, base: u64, digits: u64) -> Result<u128> {
    value.checked_mul(base.into()).and_then(|value| value.checked_add(digits.into())).ok_or_else(out_of_range)
}

/// Append a numeric field, with its length, for an integer of `scale` decimal places.
#[inline]
pub fn encode(value: i128, scale: u32, out: &mut Vec<u8>) {
    if value == NAN {
        out.extend(8i32.to_be_bytes());
        return head(0, 0, SIGN_NAN, 0, out);
    }
    let mut groups = [0u16; MAX_GROUPS];
    let mut first = MAX_GROUPS;
    let mut push = |group: u64| {
        first -= 1;
        groups[first] = group as u16;
    };
    let tens = TENS[(scale % GROUP_DIGITS) as usize];
    let (mut large, mut is_partial) = (value.unsigned_abs(), tens > 1);
    while large > u128::from(u64::MAX) {
        let (base, shift) = if is_partial { (tens, BASE / tens) } else { (BASE, 1) };
        push((large % u128::from(base)) as u64 * shift);
        large /= u128::from(base);
        is_partial = false;
    }
    let mut rest = large as u64;
    if is_partial {
        push(rest % tens * (BASE / tens));
        rest /= tens;
    }
    while rest > 0 {
        push(rest % BASE);
        rest /= BASE;
    }
    let weight = (MAX_GROUPS - first) as i16 - scale.div_ceil(GROUP_DIGITS) as i16 - 1;
    trimmed(&groups[first..], weight, if value < 0 { NEGATIVE } else { 0 }, scale, out);
}

/// Write the groups without the zeros at both ends, as the server itself keeps them.
#[inline]
fn trimmed(groups: &[u16], weight: i16, sign: u16, scale: u32, out: &mut Vec<u8>) {
    let leading = groups.iter().take_while(|&&group| group == 0).count();
    let end = groups.iter().rposition(|&group| group != 0).map_or(leading, |last| last + 1);
    let groups = &groups[leading.min(end)..end];
    let weight = if groups.is_empty() { 0 } else { weight - leading as i16 };
    out.reserve(4 + HEAD_BYTES + 2 * MAX_GROUPS);
    out.extend_from_slice(&(HEAD_BYTES as i32 + 2 * groups.len() as i32).to_be_bytes());
    head(groups.len() as u16, weight, sign, scale as u16, out);
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

#[inline]
fn head(count: u16, weight: i16, sign: u16, scale: u16, out: &mut Vec<u8>) {
    let mut bytes = [0u8; HEAD_BYTES];
    bytes[..2].copy_from_slice(&count.to_be_bytes());
    bytes[2..4].copy_from_slice(&weight.to_be_bytes());
    bytes[4..6].copy_from_slice(&sign.to_be_bytes());
    bytes[6..].copy_from_slice(&scale.to_be_bytes());
    out.extend_from_slice(&bytes);
}

#[cold]
fn malformed() -> Error {
    Error::Protocol("the server sent a numeric that cannot be read".to_owned())
}

#[cold]
fn out_of_range() -> Error {
    Error::Protocol("the server sent a numeric of more than 38 digits for a column that has fewer".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NAN, decode, encode};

    fn binary(value: i128, scale: u32) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, scale, &mut out);
        assert_eq!(out[..4], (out.len() as i32 - 4).to_be_bytes());
        out.split_off(4)
    }

    #[test]
    fn known_values_have_the_servers_bytes() {
        // SELECT numeric_send('12345.678901'::numeric(18,6)), and so on
        assert_eq!(binary(12_345_678_901, 6), [0, 4, 0, 1, 0, 0, 0, 6, 0, 1, 9, 41, 26, 133, 0, 100]);
        assert_eq!(binary(0, 6), [0, 0, 0, 0, 0, 0, 0, 6]);
        assert_eq!(binary(-1, 2), [0, 1, 255, 255, 64, 0, 0, 2, 0, 100]);
        assert_eq!(binary(10_000, 0), [0, 1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(binary(NAN, 6), [0, 0, 0, 0, 192, 0, 0, 0]);
    }

    #[test]
    fn the_largest_values_of_38_digits_come_back_at_every_scale() {
        let largest = 10i128.pow(38) - 1;
        for scale in 0..=38 {
            for value in [largest, -largest, 1, -1, 0, NAN] {
                assert_eq!(decode(&binary(value, scale), scale).ok(), Some(value), "{value} at {scale}");
            }
        }
    }

    #[test]
    fn malformed_bytes_are_refused() {
        for bytes in [
            &[][..],
            &[0; 7],
            &[0, 1, 0, 0, 0, 0, 0, 0],
            &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10],
            &[0, 0, 0, 0, 0xD0, 0, 0, 0],
            &[0, 1, 0, 99, 0, 0, 0, 0, 0, 1],
        ] {
            assert!(decode(bytes, 2).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_value_comes_back(value in -(10i128.pow(38) - 1)..10i128.pow(38), scale in 0u32..=38) {
            prop_assert_eq!(decode(&binary(value, scale), scale).ok(), Some(value));
        }

        #[test]
        fn small_values_come_back(value in any::<i32>(), scale in 0u32..=38) {
            prop_assert_eq!(decode(&binary(i128::from(value), scale), scale).ok(), Some(i128::from(value)));
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40), scale in 0u32..=38) {
            let _ = decode(&bytes, scale);
        }
    }
}
