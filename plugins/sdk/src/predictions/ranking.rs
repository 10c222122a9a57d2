//! Items in order.

use super::Predictions;
use super::grow::{Ends, Texts};
use crate::Error;
use crate::owned::{Type, Values};

/// Ranking: for each record a list of items, the best first.
///
/// ```
/// use foretell_sdk::{Predictions, Rankings};
///
/// let mut rankings = Rankings::with_capacity(2);
/// rankings.push("tea", 0.75, Some("bought kettle"));
/// rankings.push("milk", 0.25, None);
/// rankings.end_record();
/// rankings.end_record(); // nothing is known about the second record
/// assert_eq!(rankings.len(), 2);
/// ```
///
/// All texts stand in a few buffers that grow, so an item costs no allocation. For reasons that are put together, write each
/// into the same `String`.
#[derive(Debug)]
pub struct Rankings {
    ends: Ends,
    items: Texts,
    scores: Vec<f32>,
    reasons: Texts,
}

impl Rankings {
    /// Adds the next item of the record at hand: its id, its score (higher is better, in the plugin's own measure), and why
    /// it is there, in a few words that a program can read.
    pub fn push(&mut self, item: &str, score: f32, reason: Option<&str>) {
        let fits = self.items.has_room(item) && self.reasons.has_room(reason.unwrap_or_default());
        if self.ends.accept(self.scores.len(), fits) {
            self.items.push(Some(item));
            self.scores.push(score);
            self.reasons.push(reason);
        }
    }

    /// Ends the list of the record at hand, which may be empty.
    pub fn end_record(&mut self) {
        self.ends.push(self.scores.len());
    }
}

impl Predictions for Rankings {
    fn with_capacity(rows: usize) -> Self {
        Self {
            ends: Ends::with_capacity(rows),
            items: Texts::default(),
            scores: Vec::new(),
            reasons: Texts::default(),
        }
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn types() -> Vec<Type> {
        let fields = vec![
            Type::leaf(c"item", c"u"),
            Type::leaf(c"score", c"f"),
            Type::leaf(c"reason", c"u").nullable(),
        ];
        vec![Type::list(c"items", Type::structure(c"item", fields))]
    }

    fn into_columns(self) -> Result<Vec<Values>, Error> {
        let length = self.scores.len();
        let fields = vec![self.items.into_values(), Values::floats(self.scores), self.reasons.into_values()];
        Ok(vec![self.ends.into_values(Values::structure(length, fields))?])
    }
}
