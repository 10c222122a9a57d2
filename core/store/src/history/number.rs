//! Numbers are read exactly, or not at all.
//!
//! The reader of arrow-json cuts `5.7` to 5 where a whole number is expected, and takes the text `NaN` for a number. A
//! model must see neither, so whole numbers and numbers have decoders of their own.

use std::sync::Arc;

use arrow_array::builder::PrimitiveBuilder;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType};
use arrow_json::reader::{ArrayDecoder, DecoderContext, DecoderFactory, Tape, TapeElement};
use arrow_schema::{ArrowError, DataType, FieldRef};

/// Makes the decoders for numbers and leaves other fields to arrow-json.
#[derive(Debug)]
pub(super) struct ExactNumbers;

impl DecoderFactory for ExactNumbers {
    fn make_default_decoder(
        &self,
        ctx: &DecoderContext,
        field: &FieldRef,
        _is_nullable: bool,
    ) -> Result<Option<Box<dyn ArrayDecoder>>, ArrowError> {
        let lenient = ctx.ignore_type_conflicts();
        Ok(match field.data_type() {
            DataType::Int64 => Some(Box::new(NumberDecoder::<Int64Type> { lenient, parse: whole })),
            DataType::Float64 => Some(Box::new(NumberDecoder::<Float64Type> { lenient, parse: finite })),
            _ => None,
        })
    }
}

struct NumberDecoder<T: ArrowPrimitiveType> {
    /// Whether what does not fit becomes null instead of an error.
    lenient: bool,
    parse: fn(&str) -> Option<T::Native>,
}

impl<T: ArrowPrimitiveType> ArrayDecoder for NumberDecoder<T> {
    fn decode(&mut self, tape: &Tape<'_>, positions: &[u32]) -> Result<ArrayRef, ArrowError> {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(positions.len());
        for &position in positions {
            let value = match tape.get(position) {
                TapeElement::Null => {
                    builder.append_null();
                    continue;
                }
                TapeElement::Number(text) | TapeElement::String(text) => (self.parse)(tape.get_string(text)),
                _ => None,
            };
            if value.is_none() && !self.lenient {
                return Err(ArrowError::JsonError("a value is not a number of the expected type".to_owned()));
            }
            builder.append_option(value);
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// A whole number, also one written as `5.0` or `5e3`.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number = finite(text)?;
        // Beyond 2^53 not every whole number is a double, so which one was meant is unknown.
        (number.fract() == 0.0 && number.abs() <= (1_i64 << 53) as f64).then_some(number as i64)
    })
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact() {
        let cases = [
            ("5", Some(5)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("5.0", Some(5)),
            ("5e3", Some(5_000)),
            ("5.7", None),
            ("9223372036854775808", None),
            ("1e300", None),
            ("NaN", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_finite() {
        for (text, expected) in
            [("57.16", Some(57.16)), ("NaN", None), ("inf", None), ("1e999", None), ("abc", None)]
        {
            assert_eq!(finite(text), expected, "{text}");
        }
    }
}
