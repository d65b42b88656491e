//! Bytes that are nearly right: samples of a format, cut, changed, doubled and put together.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// What is done to a sample.
#[derive(Clone, Debug)]
enum Mutation {
    Cut(Index),
    Flip(Index, u8),
    /// Write a number where a length or a count may be.
    Number(Index, i32),
    Insert(Index, u8),
    Remove(Index),
    /// Go on with the end of another sample.
    Splice(Index, Index, Index),
}

/// Give the number of cases of each property: in the nightly profile, 100,000 of the five together.
pub fn cases() -> u32 {
    if std::env::var("RAPIDBYTE_TEST_PROFILE").is_ok_and(|profile| profile == "nightly") { 20_000 } else { 1_000 }
}

/// Give samples with up to four mutations, none among them.
pub fn mutated(samples: &[&[u8]]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let samples: Vec<Vec<u8>> = samples.iter().map(|sample| sample.to_vec()).collect();
    (any::<Index>(), vec(mutation(), 0..=4)).prop_map(move |(chosen, mutations)| {
        let mut bytes = samples[chosen.index(samples.len())].clone();
        for mutation in mutations {
            apply(&mutation, &mut bytes, &samples);
        }
        bytes
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let numbers = prop::sample::select(vec![0, 1, 2, 3, 4, 255, 32767, 65535, -1, -2, i32::MAX, i32::MIN]);
    prop_oneof![
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        (any::<Index>(), numbers).prop_map(|(at, number)| Mutation::Number(at, number)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        any::<Index>().prop_map(Mutation::Remove),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, other, from)| Mutation::Splice(at, other, from)),
    ]
}

fn apply(mutation: &Mutation, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Mutation::Flip(at, bits) => {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        Mutation::Number(at, number) => {
            let at = at.index(bytes.len());
            for (place, byte) in bytes[at..].iter_mut().zip(number.to_be_bytes()) {
                *place = byte;
            }
        }
        Mutation::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Mutation::Remove(at) => {
            bytes.remove(at.index(bytes.len()));
        }
        Mutation::Splice(at, other, from) => {
            let other = &samples[other.index(samples.len())];
            bytes.truncate(at.index(bytes.len()));
            bytes.extend(&other[from.index(other.len().max(1)).min(other.len())..]);
        }
    }
}
