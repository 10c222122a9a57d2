//! What a plugin answers: one row for each record, in a form that its task fixes.

mod answers;
mod boxes;
mod classes;
mod forecast;
mod grow;
mod maps;
mod novelty;
mod ranking;

pub use answers::{Answers, Form};
pub use boxes::{Detected, Detections, Tracked, Tracks};
pub use classes::Classes;
pub use forecast::{Forecasts, Step};
use foretell_abi::{ArrowArray, ArrowSchema};
pub use maps::{Maps, Masks};
pub use novelty::WithNovelty;
pub use ranking::Rankings;

use crate::Error;
use crate::owned::{Type, Values as Column};

/// Predictions of one task, filled by [`crate::Plugin::predict`] and handed to the host.
pub trait Predictions: Sized {
    /// Room for `rows` predictions.
    fn with_capacity(rows: usize) -> Self;
    /// Number of predictions so far.
    fn len(&self) -> usize;
    /// Whether there is none so far.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Types of their columns.
    #[doc(hidden)]
    fn types() -> Vec<Type>;
    /// Their columns, or why they can't be handed over.
    #[doc(hidden)]
    fn into_columns(self) -> Result<Vec<Column>, Error>;
    /// Their Arrow type: a struct.
    fn schema() -> ArrowSchema {
        Type::structure(c"", Self::types()).into_schema()
    }
    /// Hands them over, or says why they can't be.
    fn into_array(self) -> Result<ArrowArray, Error> {
        let length = self.len();
        Ok(Column::structure(length, self.into_columns()?).into_array())
    }
}

macro_rules! one_float {
    ($(#[$docs:meta])* $name:ident, $column:literal) => {
        $(#[$docs])*
        #[derive(Debug, Default)]
        pub struct $name(Vec<f32>);

        impl $name {
            /// Adds the next record's.
            pub fn push(&mut self, value: f32) {
                self.0.push(value);
            }

            /// Makes room for `rows` of them at once, zero at first, to be written in place.
            pub fn fill(&mut self, rows: usize) -> &mut [f32] {
                self.0.resize(rows, 0.0);
                &mut self.0
            }

            /// Those of all records so far.
            pub fn as_slice(&self) -> &[f32] {
                &self.0
            }
        }

        impl Predictions for $name {
            fn with_capacity(rows: usize) -> Self {
                Self(Vec::with_capacity(rows))
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn types() -> Vec<Type> {
                vec![Type::leaf($column, c"f")]
            }

            fn into_columns(self) -> Result<Vec<Column>, Error> {
                Ok(vec![Column::floats(self.0)])
            }
        }
    };
}
one_float!(
    /// Binary classification: the probability, 0 to 1, that the record has the manifest's `positive` label.
    Scores,
    c"score"
);
one_float!(
    /// Regression: the value, in the manifest's unit.
    Values,
    c"value"
);
