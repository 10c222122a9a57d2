//! How often decisions at a threshold are right, and how sure that is.
//!
//! ```
//! use foretell_insight::bootstrap::Bootstrap;
//! use foretell_insight::decisions::DecisionReport;
//!
//! let scores = [0.9, 0.8, 0.3, 0.2];
//! let labels = [true, false, true, false];
//! let report = DecisionReport::new(&scores, &labels, 0.5, Some(&Bootstrap::default()))?;
//! assert_eq!(report.accuracy.expect("there are rows").value, 0.5);
//! assert_eq!(report.sensitivity.expect("there are positive rows").value, 0.5);
//! assert!(report.specificity.expect("there are negative rows").interval.is_some());
//! # Ok::<(), foretell_insight::report::ReportError>(())
//! ```
//!
//! # Contract
//! A row is decided for the positive class if its score is at least the threshold. A share that would divide by zero is null.
//!
//! # Pitfalls
//! - Choose the threshold on other rows than these: one that was chosen on the rows it is judged on looks better than it is.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Rows};
use crate::classification::{Confusion, Ranking};
use crate::report::{Estimate, ReportError};

/// Decisions at one threshold, as shares of rows with their intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecisionReport {
    /// Rows with at least this score are decided for the positive class.
    pub threshold: f64,
    /// The decisions, as counts of rows.
    pub confusion: Confusion,
    /// See [`Confusion::accuracy`].
    pub accuracy: Option<Estimate>,
    /// See [`Confusion::recall`].
    pub sensitivity: Option<Estimate>,
    /// See [`Confusion::specificity`].
    pub specificity: Option<Estimate>,
    /// See [`Confusion::precision`].
    pub precision: Option<Estimate>,
    /// See [`Confusion::f1`].
    pub f1: Option<Estimate>,
}

impl DecisionReport {
    /// Decides at `threshold`; `scores[i]` and `labels[i]` belong to row `i`. Without a `bootstrap` there are no intervals.
    ///
    /// # Errors
    /// [`ReportError`]: columns that cannot be ranked, or settings of the intervals outside their range.
    pub fn new(
        scores: &[f64],
        labels: &[bool],
        threshold: f64,
        bootstrap: Option<&Bootstrap>,
    ) -> Result<DecisionReport, ReportError> {
        let confusion = Ranking::new(scores, labels)?.confusion(threshold);
        let intervals = match bootstrap {
            Some(bootstrap) => bootstrap.intervals(&Rows::all(scores.len()), |counts| {
                let mut drawn = Confusion::default();
                for ((&score, &label), &count) in scores.iter().zip(labels).zip(counts) {
                    let place = match (label, score >= threshold) {
                        (true, true) => &mut drawn.true_positives,
                        (false, true) => &mut drawn.false_positives,
                        (false, false) => &mut drawn.true_negatives,
                        (true, false) => &mut drawn.false_negatives,
                    };
                    *place += u64::from(count);
                }
                shares(&drawn)
            })?,
            None => [None; 5],
        };
        let values = shares(&confusion);
        let share = |n: usize| values[n].map(|value| Estimate { value, interval: intervals[n] });
        Ok(DecisionReport {
            threshold,
            confusion,
            accuracy: share(0),
            sensitivity: share(1),
            specificity: share(2),
            precision: share(3),
            f1: share(4),
        })
    }
}

fn shares(confusion: &Confusion) -> [Option<f64>; 5] {
    [confusion.accuracy(), confusion.recall(), confusion.specificity(), confusion.precision(), confusion.f1()]
}
