//! How far a record is from what the plugin was trained on.

use super::Predictions;
use crate::Error;
use crate::owned::{Type, Values};

/// Predictions `P` of a classification, with how far each record is from what the plugin was trained on: what a manifest
/// promises by `[output.novelty]`.
///
/// ```
/// use foretell_sdk::{Predictions, Scores, WithNovelty};
///
/// let mut predictions = WithNovelty::<Scores>::with_capacity(1);
/// let (scores, novelty) = predictions.parts();
/// scores.push(0.75);
/// novelty.push(2.5);
/// assert_eq!(predictions.len(), 1);
/// ```
#[derive(Debug)]
pub struct WithNovelty<P> {
    predictions: P,
    novelty: Vec<f32>,
}

impl<P> WithNovelty<P> {
    /// The predictions, and the distances, one for each of them in any unit of the plugin's own: larger is farther away.
    pub fn parts(&mut self) -> (&mut P, &mut Vec<f32>) {
        (&mut self.predictions, &mut self.novelty)
    }
}

impl<P: Predictions> Predictions for WithNovelty<P> {
    fn with_capacity(rows: usize) -> Self {
        Self { predictions: P::with_capacity(rows), novelty: Vec::with_capacity(rows) }
    }

    fn len(&self) -> usize {
        self.predictions.len()
    }

    fn types() -> Vec<Type> {
        let mut types = P::types();
        types.push(Type::leaf(c"novelty", c"f"));
        types
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        let (predictions, distances) = (self.predictions.len(), self.novelty.len());
        if predictions != distances {
            return Err(Error::failed(format!(
                "{distances} distances were given for {predictions} predictions; expected one for each"
            )));
        }
        let mut columns = self.predictions.into_columns()?;
        columns.push(Values::floats(self.novelty));
        Ok(columns)
    }
}
