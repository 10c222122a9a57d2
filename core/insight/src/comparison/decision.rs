//! What two models decide differently.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Decisions;

/// The most kinds of flips that a comparison lists. Two classes make two.
pub const FLIPS_MAX: usize = 100;

/// What was decided differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionChange {
    /// Rows that both models decided.
    pub decided: u64,
    /// Rows that one of them did not decide; they count nowhere else.
    pub undecided: u64,
    /// The share of decided rows on which both agree; null when none was decided.
    pub agreement: Option<f64>,
    /// Decided rows on which they do not agree.
    pub flipped: u64,
    /// The kinds of flips, the most frequent first; at most [`FLIPS_MAX`].
    pub flips: Vec<Flip>,
    /// Flipped rows of kinds that are not listed.
    pub flips_left_out: u64,
    /// Flips to and from the positive class; null when there is none.
    pub positive: Option<PositiveFlips>,
}

/// A kind of flip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flip {
    /// The class that the old model decided on.
    pub from: String,
    /// The class that the new model decided on.
    pub to: String,
    /// How many rows.
    pub records: u64,
}

/// Flips to and from the positive class. One between two other classes counts nowhere here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositiveFlips {
    /// The name of the class.
    pub class: String,
    /// Rows that only the new model takes for positive.
    pub became_positive: u64,
    /// Rows that only the old model takes for positive.
    pub became_negative: u64,
    /// Of both, those where the label says that the new model is right; null without labels.
    pub right: Option<u64>,
    /// Of both, those where the label says that the old model was right; null without labels.
    pub wrong: Option<u64>,
}

impl DecisionChange {
    /// The columns are equally long, and every class has a name.
    pub(super) fn new(decisions: &Decisions<'_>, labels: Option<&[Option<bool>]>) -> DecisionChange {
        let (mut decided, mut flipped) = (0, 0);
        let mut kinds: HashMap<(u16, u16), u64> = HashMap::new();
        let mut positive = decisions.positive.map(|class| PositiveFlips {
            class: decisions.classes[usize::from(class)].clone(),
            became_positive: 0,
            became_negative: 0,
            right: labels.map(|_| 0),
            wrong: labels.map(|_| 0),
        });
        for (row, pair) in decisions.old.iter().zip(decisions.new).enumerate() {
            let (Some(from), Some(to)) = pair else { continue };
            decided += 1;
            if from == to {
                continue;
            }
            flipped += 1;
            *kinds.entry((*from, *to)).or_default() += 1;
            if let Some(flips) = &mut positive {
                let is_positive = |class: &u16| Some(*class) == decisions.positive;
                flips.count(is_positive(from), is_positive(to), labels.and_then(|labels| labels[row]));
            }
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|&(kind, records)| (Reverse(records), kind));
        let left_out = kinds.split_off(kinds.len().min(FLIPS_MAX));
        let name = |class: u16| decisions.classes[usize::from(class)].clone();
        DecisionChange {
            decided,
            undecided: decisions.old.len() as u64 - decided,
            agreement: (decided > 0).then(|| (decided - flipped) as f64 / decided as f64),
            flipped,
            flips: kinds
                .into_iter()
                .map(|((from, to), records)| Flip { from: name(from), to: name(to), records })
                .collect(),
            flips_left_out: left_out.into_iter().map(|(_, records)| records).sum(),
            positive,
        }
    }
}

impl PositiveFlips {
    /// Counts a row that the old model took for positive or not (`from`), and the new one (`to`).
    fn count(&mut self, from: bool, to: bool, label: Option<bool>) {
        match (from, to) {
            (false, true) => self.became_positive += 1,
            (true, false) => self.became_negative += 1,
            _ => return,
        }
        let Some(label) = label else { return };
        let judged = if label == to { &mut self.right } else { &mut self.wrong };
        *judged = judged.map(|rows| rows + 1);
    }
}
