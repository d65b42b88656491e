//! Functions that DataFusion lacks, or has with another meaning than Postgres. Queries do not name them.

use std::any::Any;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, StringArray};
use arrow_schema::DataType;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::sql_type::UUID;
use crate::truncate::Part;

/// All of them take one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Own {
    /// A value as the server prints it.
    Text,
    /// A text as a uuid.
    Uuid,
    /// The text of a time without the zone behind it, which a time without zone ignores.
    WithoutZone,
    /// A float without its fraction; halves go to the even neighbour, as where the server casts to an integer.
    RoundEven,
    /// The beginning of the part of a timestamp that it lies in.
    Truncate(Part),
    /// A float by which it compares: all NaN are one, and so are both zeros.
    FloatKey,
    /// The value itself, under a cast that the query asks for, to tell it from one that the planner adds.
    Asked,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OwnFunction {
    own: Own,
    signature: Signature,
}

impl Own {
    /// Call it.
    pub(crate) fn of(self, argument: Expr) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(OwnFunction { own: self, signature }).call(vec![argument])
    }

    /// Tell which of them a function is.
    pub(crate) fn called(function: &ScalarUDF) -> Option<Own> {
        function.inner().as_any().downcast_ref::<OwnFunction>().map(|function| function.own)
    }
}

impl ScalarUDFImpl for OwnFunction {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.own {
            Own::Text => "text",
            Own::Uuid => "uuid",
            Own::WithoutZone => "without_zone",
            Own::RoundEven => "round",
            Own::Truncate(_) => "date_trunc",
            Own::FloatKey => "float_key",
            Own::Asked => "value",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match (self.own, arguments) {
            (Own::Text, _) => DataType::Utf8,
            (Own::Uuid, _) => UUID,
            (_, [argument]) => argument.clone(),
            _ => DataType::Null,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [argument] = arrays.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} takes one argument", self.name())));
        };
        let result: ArrayRef = match self.own {
            Own::Text => Arc::new(texts(argument)),
            Own::Uuid => Arc::new(uuids(argument.as_string::<i32>())?),
            Own::WithoutZone => {
                let texts: StringArray =
                    argument.as_string::<i32>().iter().map(|text| text.map(without_zone)).collect();
                Arc::new(texts)
            }
            Own::RoundEven => floats(argument, f32::round_ties_even, f64::round_ties_even),
            Own::Truncate(part) => {
                let times = argument.as_primitive::<TimestampMicrosecondType>();
                let truncated = times.unary::<_, TimestampMicrosecondType>(|time| part.truncate(time));
                Arc::new(truncated.with_data_type(times.data_type().clone()))
            }
            Own::FloatKey => floats(
                argument,
                |value| if value.is_nan() { f32::NAN } else { value + 0.0 },
                |value| if value.is_nan() { f64::NAN } else { value + 0.0 },
            ),
            Own::Asked => argument.clone(),
        };
        Ok(ColumnarValue::Array(result))
    }
}

fn texts(values: &ArrayRef) -> StringArray {
    (0..values.len()).map(|row| sdk::text::of_value(values, row)).collect()
}

/// A zone follows the hour, which ends at the first colon: before it, a sign is part of the date.
fn without_zone(text: &str) -> &str {
    let zone = text.find(':').and_then(|colon| Some(colon + text.get(colon..)?.find(['+', '-', 'Z', 'z'])?));
    zone.and_then(|at| text.get(..at)).unwrap_or(text).trim_end()
}

fn floats(values: &ArrayRef, single: impl Fn(f32) -> f32, double: impl Fn(f64) -> f64) -> ArrayRef {
    match values.data_type() {
        DataType::Float32 => Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(single)),
        DataType::Float64 => Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(double)),
        _ => values.clone(),
    }
}

fn uuids(texts: &StringArray) -> Result<FixedSizeBinaryArray> {
    let parsed = texts.iter().map(|text| match text {
        None => Ok(None),
        Some(text) => parse_uuid(text)
            .map(Some)
            .ok_or_else(|| DataFusionError::Execution(format!("invalid input syntax for type uuid: {text:?}"))),
    });
    let parsed: Vec<Option<[u8; 16]>> = parsed.collect::<Result<_>>()?;
    Ok(FixedSizeBinaryArray::try_from_sparse_iter_with_size(parsed.into_iter(), 16)?)
}

/// Read a uuid as Postgres does: in braces or not, with a hyphen after any four digits.
pub(crate) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    let mut bytes = [0u8; 16];
    let mut digits = 0;
    let mut follows_hyphen = true;
    for character in inner.chars() {
        if character == '-' {
            if follows_hyphen || digits % 4 != 0 || digits == 32 {
                return None;
            }
            follows_hyphen = true;
            continue;
        }
        let digit = u8::try_from(character.to_digit(16)?).ok()?;
        let byte = bytes.get_mut(digits / 2)?;
        *byte = *byte << 4 | digit;
        digits += 1;
        follows_hyphen = false;
    }
    (digits == 32).then_some(bytes)
}
