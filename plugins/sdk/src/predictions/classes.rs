//! One of several classes.

use super::Predictions;
use crate::Error;
use crate::owned::{Type, Values};

/// Multiclass classification: for each record a score, 0 to 1, for each of the manifest's `N` labels, in their order.
///
/// ```
/// use foretell_sdk::{Classes, Predictions};
///
/// let mut classes = Classes::<3>::with_capacity(1);
/// classes.push([0.2, 0.7, 0.1]);
/// assert_eq!(classes.len(), 1);
/// ```
#[derive(Debug)]
pub struct Classes<const N: usize>(Vec<[f32; N]>);

impl<const N: usize> Classes<N> {
    /// Adds the next record's scores.
    pub fn push(&mut self, scores: [f32; N]) {
        self.0.push(scores);
    }

    /// Makes room for `rows` records at once, zero at first, to be written in place: row by row, `N` scores each.
    pub fn fill(&mut self, rows: usize) -> &mut [f32] {
        self.0.resize(rows, [0.0; N]);
        self.0.as_flattened_mut()
    }

    /// Those of all records so far.
    pub fn as_slice(&self) -> &[[f32; N]] {
        &self.0
    }
}

impl<const N: usize> Predictions for Classes<N> {
    fn with_capacity(rows: usize) -> Self {
        Self(Vec::with_capacity(rows))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn types() -> Vec<Type> {
        vec![Type::fixed_list(c"scores", Type::leaf(c"item", c"f"), N)]
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        let length = self.0.len();
        Ok(vec![Values::fixed_lists(length, Values::floats(self.0.into_flattened()))])
    }
}
