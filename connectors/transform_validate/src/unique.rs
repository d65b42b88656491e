//! The values of a column that came before, each as 128 bits: short ones as they are, long ones by their digest.

use std::collections::HashSet;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_schema::DataType;
use sdk::{Category, Error, Result};
use sha2::{Digest, Sha256};

use crate::decimal::Decimal;
use crate::kind::Kind;

/// The last byte of what a digest stands for; of short bytes it is their length.
const OF_DIGEST: u8 = 0xff;
const SHORT_BYTES: usize = 15;

/// All values that came so far, with NULL as one of them.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    values: HashSet<u128>,
    has_null: bool,
}

impl Seen {
    /// Take the value of a row; false when it came before. The memory that it needs may not be there.
    pub(crate) fn take(&mut self, column: &dyn Array, row: usize, kind: Kind) -> Result<bool> {
        if column.is_null(row) {
            return Ok(!std::mem::replace(&mut self.has_null, true));
        }
        self.values.try_reserve(1).map_err(|_| self.too_many())?;
        Ok(self.values.insert(key(column, row, kind)?))
    }

    fn too_many(&self) -> Error {
        let message = format!(
            "{} different values are remembered to see whether one comes twice, and there is no memory for more. Raise \
             limits.max_memory of this transform and resources.max_memory, or leave the rule to a unique constraint of \
             the destination.",
            self.values.len()
        );
        Error::new(Category::Data, "too_many_values", message)
    }
}

/// What is the same for equal values of one column, and only for those.
fn key(column: &dyn Array, row: usize, kind: Kind) -> Result<u128> {
    let of_integer = |value: i64| i128::from(value) as u128;
    Ok(match column.data_type() {
        DataType::Boolean => u128::from(column.as_boolean().value(row)),
        DataType::Int16 => of_integer(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => of_integer(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => of_integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => of_float(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => of_float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value(row) as u128,
        DataType::Date32 => of_integer(column.as_primitive::<Date32Type>().value(row).into()),
        DataType::Time64(_) => of_integer(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(..) => of_integer(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Utf8 => of_text(column.as_string::<i32>().value(row), kind),
        DataType::Binary => of_bytes(column.as_binary::<i32>().value(row)),
        DataType::FixedSizeBinary(_) => of_bytes(column.as_fixed_size_binary().value(row)),
        data_type => {
            let message = format!("A column of type {data_type} cannot be unique.");
            return Err(Error::new(Category::Schema, "rule_type", message));
        }
    })
}

/// Zeros of both signs are equal, and so is every NaN.
fn of_float(value: f64) -> u128 {
    let equal = if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::NAN
    } else {
        value
    };
    u128::from(equal.to_bits())
}

/// A number that came as text is what it stands for: 1.0 is 1.00.
fn of_text(text: &str, kind: Kind) -> u128 {
    match Decimal::parse(text) {
        Some(number) if kind == Kind::Numeric => of_bytes(number.canonical().as_bytes()),
        _ => of_bytes(text.as_bytes()),
    }
}

fn of_bytes(bytes: &[u8]) -> u128 {
    let mut key = [0u8; 16];
    if bytes.len() <= SHORT_BYTES {
        key[..bytes.len()].copy_from_slice(bytes);
        key[SHORT_BYTES] = bytes.len() as u8;
    } else {
        key[..SHORT_BYTES].copy_from_slice(&Sha256::digest(bytes)[..SHORT_BYTES]);
        key[SHORT_BYTES] = OF_DIGEST;
    }
    u128::from_le_bytes(key)
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, BinaryArray, Float64Array, Int64Array, StringArray};
    use sha2::{Digest, Sha256};

    use super::{SHORT_BYTES, Seen};
    use crate::kind::Kind;

    fn repeated(column: &dyn Array, kind: Kind) -> Vec<usize> {
        let mut seen = Seen::default();
        (0..column.len()).filter(|row| seen.take(column, *row, kind) == Ok(false)).collect()
    }

    #[test]
    fn a_value_that_came_before_is_told_and_null_is_one() {
        let column = Int64Array::from(vec![Some(1), None, Some(-1), Some(1), None, Some(i64::MIN)]);
        assert_eq!(repeated(&column, Kind::Integer), vec![3, 4]);
    }

    #[test]
    fn short_and_long_text_are_never_taken_for_each_other() {
        let long = "x".repeat(40);
        let column =
            StringArray::from(vec!["", "a", "a\0", "a", &long, "y", &long, "", "fifteen letters", "sixteen letters."]);
        assert_eq!(repeated(&column, Kind::Text), vec![3, 6, 7]);
    }

    #[test]
    fn bytes_that_are_the_digest_of_others_are_not_those() {
        let long = [7u8; 40];
        let digest = Sha256::digest(long);
        let column = BinaryArray::from(vec![&long[..], &digest[..SHORT_BYTES]]);
        assert_eq!(repeated(&column, Kind::Bytes), Vec::<usize>::new());
    }

    #[test]
    fn numbers_are_equal_as_postgres_has_it() {
        let floats = Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]);
        assert_eq!(repeated(&floats, Kind::Double), vec![1, 3]);
        let texts = StringArray::from(vec!["1.0", "1.00", "10", "1e1"]);
        assert_eq!(repeated(&texts, Kind::Numeric), vec![1, 3]);
        assert_eq!(repeated(&texts, Kind::Text), Vec::<usize>::new());
    }
}
