//! Two models on the same rows: how far do they agree, what moved, and is the new one better?
//!
//! ```
//! use foretell_insight::comparison::{Columns, Comparison, Decisions, most_moved};
//!
//! let old = [0.9, 0.8, 0.4, 0.1];
//! let new = [0.9, 0.3, 0.6, 0.2];
//! let classes = ["keep".to_owned(), "check".to_owned()];
//! let decisions = Decisions {
//!     classes: &classes,
//!     old: &[Some(1), Some(1), Some(0), Some(0)],
//!     new: &[Some(1), Some(0), Some(1), Some(0)],
//!     positive: Some(1),
//! };
//! let labels = [Some(true), Some(false), Some(true), None];
//! let columns = Columns { old: &old, new: &new, decisions: Some(decisions), labels: Some(&labels) };
//! let comparison = Comparison::new(&columns, None)?;
//!
//! let decisions = comparison.decisions.expect("there are decisions");
//! assert_eq!((decisions.agreement, decisions.flipped), (Some(0.5), 2));
//! let flips = decisions.positive.expect("one class is the positive one");
//! assert_eq!((flips.right, flips.wrong), (Some(2), Some(0)));
//! assert_eq!(comparison.correlation.kendall, Some(4.0 / 6.0));
//! assert_eq!(most_moved(&old, &new, 2), [1, 2]);
//!
//! let labelled = comparison.labelled.expect("some rows are labelled");
//! assert_eq!(labelled.roc_auc.difference.map(|change| change.value), Some(0.5));
//! # Ok::<(), foretell_insight::comparison::ComparisonError>(())
//! ```
//!
//! # Concepts
//! - A **difference** is always new minus old: of a row's scores, and of a metric.
//! - A **flip** is a row that the two models decide differently.
//! - Metrics of both models come from the rows that have a label, and both are computed on the same draws. The interval
//!   of their difference is the one to look at: rows that are hard for one model are mostly hard for the other, so the
//!   two intervals may overlap where the difference is certain.
//!
//! # Contract
//! A figure that does not exist for the rows is null: no correlation with a column in which all scores are equal, no
//! ROC AUC of rows of one class. Only columns that cannot be compared are an error.
//!
//! Everything is at most `O(n log n)`. While it works it holds about 50 bytes a row; intervals take 80 for each labelled
//! row, and 8 more for each processor.
//!
//! **Invariant:** swapping the models swaps their figures and turns the sign of every difference.
//!
//! **Invariant:** [`COMPARISON_VERSION`] changes when a field is removed or changes its meaning.
//!
//! # Pitfalls
//! - With few positives, decisions agree nearly always: read the flips, not the share.
//! - Correlations of ranks see order alone. A new model that is right in its order and wrong in its scale has a rho
//!   of 1; the shift shows it.

mod correlation;
mod decision;
mod labelled;
mod moved;
mod rank;
mod shift;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, BootstrapError};
use crate::classification::ROWS_MAX;
use rank::Ranks;

pub use correlation::Correlation;
pub use decision::{DecisionChange, FLIPS_MAX, Flip, PositiveFlips};
pub use labelled::{Change, DRAWN_ROWS_MAX, LabelledChange, REPLICATES_MIN, UndefinedChange};
pub use moved::most_moved;
pub use shift::{SHIFT_SHARES, ScoreShift, ShiftQuantile};

/// The version of the JSON form.
pub const COMPARISON_VERSION: u32 = 1;

/// The greatest size of a score: the square of a difference, and the sum of all squares, are then finite numbers.
pub const SCORE_MAX: f64 = 1e100;

/// One of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The one that is compared with.
    Old,
    /// The one that may take its place.
    New,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Old => "old",
            Side::New => "new",
        })
    }
}

/// What both models decided: a class is a position in `classes`, and None is a row that was not decided.
#[derive(Debug, Clone, Copy)]
pub struct Decisions<'a> {
    /// The names of the classes.
    pub classes: &'a [String],
    /// The old model's decisions.
    pub old: &'a [Option<u16>],
    /// The new model's decisions.
    pub new: &'a [Option<u16>],
    /// The class that a true label means; None when none is, such as among many classes.
    pub positive: Option<u16>,
}

/// What is compared: row `i` of every column belongs to the same record.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// The old model's scores, each at most [`SCORE_MAX`] in size.
    pub old: &'a [f64],
    /// The new model's scores, likewise.
    pub new: &'a [f64],
    /// What both decided, where they decide at all.
    pub decisions: Option<Decisions<'a>>,
    /// What turned out to be true, None where nothing is known: true is what both models look for with a high score.
    pub labels: Option<&'a [Option<bool>]>,
}

/// Two models, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARISON_VERSION`].
    pub version: u32,
    /// How many rows were compared.
    pub records: usize,
    /// How alike the scores are.
    pub correlation: Correlation,
    /// How far the scores moved.
    pub shift: ScoreShift,
    /// What was decided differently; null without decisions.
    pub decisions: Option<DecisionChange>,
    /// How good both models are on the rows that have a label; null when none has.
    pub labelled: Option<LabelledChange>,
}

/// Why two models cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// There are no rows.
    #[error("there are no rows to compare; select at least one record that both models scored")]
    Empty,
    /// The columns do not describe the same rows.
    #[error("expected {expected} rows in every column, found {found} {column}")]
    Lengths {
        /// Which column is longer or shorter.
        column: &'static str,
        /// Rows of the old scores.
        expected: usize,
        /// Rows of this column.
        found: usize,
    },
    /// More than [`ROWS_MAX`] rows.
    #[error("expected at most {ROWS_MAX} rows, found {rows}; compare a shorter period")]
    TooManyRows {
        /// Rows of the columns.
        rows: usize,
    },
    /// A score is NaN, infinite or beyond [`SCORE_MAX`].
    #[error(
        "the {side} score of row {row} is {score}; expected a number from -{SCORE_MAX:e} to {SCORE_MAX:e}"
    )]
    Score {
        /// Whose score.
        side: Side,
        /// The first such row, counted from 0.
        row: usize,
        /// The score.
        score: f64,
    },
    /// A decision has no name.
    #[error("the {side} decision of row {row} is class {class}, and {classes} classes have names")]
    UnknownClass {
        /// Whose decision.
        side: Side,
        /// The first such row, counted from 0.
        row: usize,
        /// The class.
        class: u16,
        /// How many classes there are.
        classes: usize,
    },
    /// The positive class has no name.
    #[error("the positive class is {class}, and {classes} classes have names")]
    UnknownPositive {
        /// The class.
        class: u16,
        /// How many classes there are.
        classes: usize,
    },
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

impl Comparison {
    /// Compares two models; with `bootstrap`, the metrics of labelled rows get intervals.
    ///
    /// Intervals cost as much as everything else together, and more: where rows times replicates exceed
    /// [`DRAWN_ROWS_MAX`], there are fewer replicates than asked for, down to [`REPLICATES_MIN`]. Each interval says
    /// how many it is made of.
    ///
    /// # Errors
    /// [`ComparisonError`]: columns that cannot be compared, or settings outside their range.
    pub fn new(columns: &Columns<'_>, bootstrap: Option<Bootstrap>) -> Result<Comparison, ComparisonError> {
        columns.check()?;
        let Columns { old, new, decisions, labels } = *columns;
        // The ranks go before the labelled rows are sorted, so that there is never room for both.
        let (correlation, kolmogorov_smirnov) = {
            let ranks = (Ranks::new(old), Ranks::new(new));
            (Correlation::new(old, new, &ranks), ranks.0.kolmogorov_smirnov(&ranks.1))
        };
        Ok(Comparison {
            version: COMPARISON_VERSION,
            records: old.len(),
            correlation,
            shift: ScoreShift::new(old, new, kolmogorov_smirnov),
            decisions: decisions.map(|decisions| DecisionChange::new(&decisions, labels)),
            labelled: match labels {
                Some(labels) => LabelledChange::new(old, new, labels, bootstrap)?,
                None => None,
            },
        })
    }
}

impl Columns<'_> {
    fn check(&self) -> Result<(), ComparisonError> {
        let rows = self.old.len();
        let decided = |column: fn(&Decisions<'_>) -> usize| self.decisions.as_ref().map(column);
        let lengths = [
            ("new scores", Some(self.new.len())),
            ("old decisions", decided(|decisions| decisions.old.len())),
            ("new decisions", decided(|decisions| decisions.new.len())),
            ("labels", self.labels.map(<[Option<bool>]>::len)),
        ];
        for (column, found) in lengths.into_iter().filter_map(|(column, found)| Some((column, found?))) {
            if found != rows {
                return Err(ComparisonError::Lengths { column, expected: rows, found });
            }
        }
        match rows {
            0 => return Err(ComparisonError::Empty),
            rows if rows > ROWS_MAX => return Err(ComparisonError::TooManyRows { rows }),
            _ => {}
        }
        for (side, scores) in [(Side::Old, self.old), (Side::New, self.new)] {
            // A NaN is not in the range either.
            let bad = scores.iter().position(|score| !(-SCORE_MAX..=SCORE_MAX).contains(score));
            if let Some(row) = bad {
                return Err(ComparisonError::Score { side, row, score: scores[row] });
            }
        }
        self.decisions.as_ref().map_or(Ok(()), Decisions::check)
    }
}

impl Decisions<'_> {
    fn check(&self) -> Result<(), ComparisonError> {
        let classes = self.classes.len();
        let unknown = |class: u16| usize::from(class) >= classes;
        if let Some(class) = self.positive.filter(|&class| unknown(class)) {
            return Err(ComparisonError::UnknownPositive { class, classes });
        }
        for (side, column) in [(Side::Old, self.old), (Side::New, self.new)] {
            let decided = (0..).zip(column).filter_map(|(row, class)| Some((row, (*class)?)));
            if let Some((row, class)) = decided.into_iter().find(|&(_, class)| unknown(class)) {
                return Err(ComparisonError::UnknownClass { side, row, class, classes });
            }
        }
        Ok(())
    }
}
