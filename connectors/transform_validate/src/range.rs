//! The values that a range holds, compared exactly as the type of their column compares them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use sdk::{Category, Error, Result};

use crate::config::{Bound, Bounds};
use crate::decimal::{Decimal, Digits};
use crate::kind::Kind;
use crate::moment::{in_order, parse_date, parse_time, parse_timestamp};

/// Both ends as values of a kind; none is no end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limits {
    Exact(Ends<Digits>),
    Real(Ends<f32>),
    Double(Ends<f64>),
    /// Days or microseconds.
    Moment(Ends<i64>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ends<T> {
    min: Option<T>,
    max: Option<T>,
}

impl Limits {
    /// Read the ends of a range of values of a kind, or tell why they are none.
    pub(crate) fn new(bounds: &Bounds, kind: Kind) -> std::result::Result<Limits, String> {
        match kind {
            Kind::Integer | Kind::Numeric => Ok(Limits::Exact(ends(bounds, kind, number)?)),
            Kind::Real => Ok(Limits::Real(ends(bounds, kind, |end| number(end)?.canonical().parse().ok())?)),
            Kind::Double => Ok(Limits::Double(ends(bounds, kind, |end| number(end)?.canonical().parse().ok())?)),
            Kind::Date => Ok(Limits::Moment(ends(bounds, kind, |end| parse_date(end.text()))?)),
            Kind::Time => Ok(Limits::Moment(ends(bounds, kind, |end| parse_time(end.text()))?)),
            Kind::Timestamp { has_zone } => {
                Ok(Limits::Moment(ends(bounds, kind, |end| parse_timestamp(end.text(), has_zone))?))
            }
            Kind::Boolean | Kind::Bytes | Kind::Uuid | Kind::Text => {
                Err(format!("the column holds {kind}, and a range is for numbers, dates and times."))
            }
        }
    }

    /// Tell `tell` every row of a column that is outside; NULL is.
    pub(crate) fn find_outside(&self, column: &ArrayRef, tell: &mut impl FnMut(usize)) -> Result<()> {
        match (self, column.data_type()) {
            (Limits::Exact(ends), DataType::Int16) => each::<Int16Type>(column, ends.units(0), tell),
            (Limits::Exact(ends), DataType::Int32) => each::<Int32Type>(column, ends.units(0), tell),
            (Limits::Exact(ends), DataType::Int64) => each::<Int64Type>(column, ends.units(0), tell),
            (Limits::Exact(ends), DataType::Decimal128(_, scale)) => {
                each::<Decimal128Type>(column, ends.units(usize::try_from(*scale).unwrap_or(0)), tell);
            }
            (Limits::Exact(ends), DataType::Utf8) => ends.find_outside_text(column, tell),
            (Limits::Real(ends), DataType::Float32) => {
                let hold = |value: f32| ends.hold(f64::from(value), |end| f64::from(*end));
                primitives::<Float32Type>(column, hold, tell);
            }
            (Limits::Double(ends), DataType::Float64) => {
                primitives::<Float64Type>(column, |value| ends.hold(value, |end| *end), tell);
            }
            (Limits::Moment(ends), DataType::Date32) => each::<Date32Type>(column, ends.units(), tell),
            (Limits::Moment(ends), DataType::Time64(_)) => each::<Time64MicrosecondType>(column, ends.units(), tell),
            (Limits::Moment(ends), DataType::Timestamp(..)) => {
                let (min, max) = ends.units();
                primitives::<TimestampMicrosecondType>(column, |value| (min..=max).contains(&in_order(value)), tell);
            }
            (_, data_type) => {
                let message = format!("A column with a range arrived as {data_type}, which its type does not.");
                return Err(Error::new(Category::Schema, "rule_type", message));
            }
        }
        Ok(())
    }
}

impl Ends<Digits> {
    /// The least and the greatest value in units of 10^-`scale`; NaN of a decimal is above all of them.
    fn units(&self, scale: usize) -> (i128, i128) {
        let greatest = i128::MAX - i128::from(self.max.is_some());
        let min = self.min.as_ref().map_or(i128::MIN, |end| end.ceiling(scale));
        (min, self.max.as_ref().map_or(greatest, |end| end.floor(scale).min(greatest)))
    }

    fn find_outside_text(&self, column: &ArrayRef, tell: &mut impl FnMut(usize)) {
        let (min, max) = (self.min.clone().map(Decimal::Finite), self.max.clone().map(Decimal::Finite));
        for (row, text) in column.as_string::<i32>().iter().enumerate() {
            let value = text.and_then(Decimal::parse);
            let is_inside = value.is_some_and(|value| {
                min.as_ref().is_none_or(|end| *end <= value) && max.as_ref().is_none_or(|end| value <= *end)
            });
            if !is_inside {
                tell(row);
            }
        }
    }
}

impl Ends<i64> {
    fn units(&self) -> (i128, i128) {
        (self.min.map_or(i128::MIN, i128::from), self.max.map_or(i128::MAX, i128::from))
    }
}

impl<T> Ends<T> {
    /// Whether a number is inside; NaN is above all others.
    fn hold(&self, value: f64, number: impl Fn(&T) -> f64) -> bool {
        let is_above = self.min.as_ref().is_none_or(|end| value.is_nan() || number(end) <= value);
        is_above && self.max.as_ref().is_none_or(|end| value <= number(end))
    }
}

fn each<T>(column: &ArrayRef, (min, max): (i128, i128), tell: &mut impl FnMut(usize))
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    primitives::<T>(column, |value| (min..=max).contains(&value.into()), tell);
}

fn primitives<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    is_inside: impl Fn(T::Native) -> bool,
    tell: &mut impl FnMut(usize),
) {
    for (row, value) in column.as_primitive::<T>().iter().enumerate() {
        if !value.is_some_and(&is_inside) {
            tell(row);
        }
    }
}

fn ends<T: PartialOrd>(
    bounds: &Bounds,
    kind: Kind,
    read: impl Fn(&Bound) -> Option<T>,
) -> std::result::Result<Ends<T>, String> {
    let end = |bound: &Option<Bound>| match bound {
        None => Ok(None),
        Some(bound) => match read(bound) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("the column holds {kind}, and {} is none.", bound.text())),
        },
    };
    let ends = Ends { min: end(&bounds.min)?, max: end(&bounds.max)? };
    match (&ends.min, &ends.max) {
        (Some(min), Some(max)) if min > max => Err("min is more than max.".to_owned()),
        _ => Ok(ends),
    }
}

fn number(end: &Bound) -> Option<Digits> {
    match end {
        Bound::Number(digits, _) => Some(digits.clone()),
        Bound::Text(text) => Digits::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray};
    use serde_json::json;

    use super::Limits;
    use crate::config::{Assertion, read};
    use crate::kind::Kind;

    fn outside(ends: serde_json::Value, kind: Kind, column: ArrayRef) -> Result<Vec<usize>, String> {
        let rules = read(&json!({"rules": [{"assert_range": {"c": ends}}]})).map_err(|error| error.message)?;
        let Some(Assertion::Range(bounds)) = rules.first().map(|rule| &rule.assertion) else {
            return Err("no range".to_owned());
        };
        let mut found = Vec::new();
        let limits = Limits::new(bounds, kind)?;
        limits.find_outside(&column, &mut |row| found.push(row)).map_err(|error| error.message)?;
        Ok(found)
    }

    #[test]
    fn both_ends_are_inside_and_null_is_not() {
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(-1), Some(150), None, Some(151)]));
        assert_eq!(outside(json!({"min": 0, "max": 150}), Kind::Integer, integers.clone()), Ok(vec![1, 3, 4]));
        assert_eq!(outside(json!({"min": -0.5, "max": "150.5"}), Kind::Integer, integers), Ok(vec![1, 3, 4]));
        let greatest: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
        assert_eq!(outside(json!({"min": "-1e30", "max": "1e30"}), Kind::Integer, greatest), Ok(vec![]));
    }

    #[test]
    fn decimals_are_compared_exactly_and_nan_is_above_all() {
        let values = vec![Some(1_234_567), Some(1_234_568), Some(i128::MAX), None];
        let decimals =
            Decimal128Array::from(values).with_precision_and_scale(18, 6).map(|array| Arc::new(array) as ArrayRef);
        let decimals = decimals.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(outside(json!({"max": "1.2345675"}), Kind::Numeric, decimals.clone()), Ok(vec![1, 2, 3]));
        assert_eq!(outside(json!({"min": "1.2345675"}), Kind::Numeric, decimals.clone()), Ok(vec![0, 3]));
        assert_eq!(outside(json!({"max": 1e60}), Kind::Numeric, decimals), Ok(vec![2, 3]));
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec!["0.10", "0.1000000000000000000000000000000000000001", "NaN"]));
        assert_eq!(outside(json!({"max": 0.1}), Kind::Numeric, texts), Ok(vec![1, 2]));
    }

    #[test]
    fn floats_are_compared_as_their_type_has_the_ends() {
        let real: ArrayRef = Arc::new(Float32Array::from(vec![0.1, f32::NAN, f32::NEG_INFINITY]));
        assert_eq!(outside(json!({"min": 0.1, "max": 0.1}), Kind::Real, real.clone()), Ok(vec![1, 2]));
        assert_eq!(outside(json!({"min": 0}), Kind::Real, real), Ok(vec![2]));
        let double: ArrayRef = Arc::new(Float64Array::from(vec![0.1, f64::NAN]));
        assert_eq!(outside(json!({"max": 0.1}), Kind::Double, double), Ok(vec![1]));
    }

    #[test]
    fn dates_have_dates_for_ends_and_infinities_are_beyond_them() {
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, i32::MIN, i32::MAX]));
        assert_eq!(outside(json!({"min": "1970-01-01", "max": "1970-01-01"}), Kind::Date, dates), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn ends_that_are_no_values_of_the_column_are_refused() {
        let nothing = || Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef;
        for (ends, kind, words) in [
            (json!({"min": "soon"}), Kind::Date, "the column holds dates, and soon is none."),
            (json!({"min": 5}), Kind::Timestamp { has_zone: true }, "the column holds timestamps, and 5 is none."),
            (json!({"max": "many"}), Kind::Integer, "the column holds whole numbers, and many is none."),
            (json!({"min": "2", "max": "1"}), Kind::Double, "min is more than max."),
            (json!({"min": 2}), Kind::Text, "the column holds text, and a range is for numbers, dates and times."),
        ] {
            assert_eq!(outside(ends, kind, nothing()), Err(words.to_owned()));
        }
    }
}
