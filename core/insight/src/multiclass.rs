//! How well scores tell several classes apart.
//!
//! ```
//! use foretell_insight::multiclass::MulticlassReport;
//!
//! let labels = ["cat", "dog", "owl"].map(str::to_owned);
//! // One score for each class, row by row.
//! let scores = [0.8, 0.1, 0.1, 0.2, 0.5, 0.3, 0.3, 0.4, 0.3];
//! let report = MulticlassReport::new(&labels, &scores, &[0, 1, 2], None)?;
//! assert_eq!(report.accuracy.value, 2.0 / 3.0);
//! assert_eq!(report.confusion[2], [0, 1, 0], "the owl was taken for a dog");
//! # Ok::<(), foretell_insight::multiclass::MulticlassError>(())
//! ```
//!
//! # Contract
//! A row is decided for the class with the greatest score, the first of those that are equal.
//!
//! The *macro* area under the ROC curve is the mean over classes of the area for that class against all others, each class
//! alike, however rare (Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006, section 9.2, with
//! equal weights). It does not exist where a class has no row.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, BootstrapError, Rows};
use crate::classification::{Ranking, RankingError};
use crate::report::Estimate;

/// The most classes: the confusion is a table of their square.
pub const CLASSES_MAX: usize = 1_000;

/// How well scores tell classes apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MulticlassReport {
    /// How many rows were evaluated.
    pub rows: usize,
    /// The share of rows that were decided rightly.
    pub accuracy: Estimate,
    /// The mean over classes of the area under the ROC curve of each against all others.
    pub macro_auc: Option<Estimate>,
    /// The mean over classes of [`ClassReport::recall`], also called balanced accuracy; null if a class has no row.
    pub macro_recall: Option<Estimate>,
    /// One for each class, in the order of the labels.
    pub classes: Vec<ClassReport>,
    /// `confusion[truth][decision]`, as counts of rows.
    pub confusion: Vec<Vec<u64>>,
}

/// How well one class is told from all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// Its name.
    pub label: String,
    /// Rows that are of it.
    pub rows: u64,
    /// The share of these rows that were decided for it; null if there are none.
    pub recall: Option<Estimate>,
    /// The share of rows decided for it that are of it; null if there are none.
    pub precision: Option<f64>,
    /// The harmonic mean of both; null if there are neither such rows nor such decisions.
    pub f1: Option<f64>,
    /// The area under the ROC curve of its score, against all other classes.
    pub roc_auc: Option<Estimate>,
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MulticlassError {
    /// There must be a choice.
    #[error("expected 2 to {CLASSES_MAX} classes, found {found}")]
    Classes {
        /// How many there are.
        found: usize,
    },
    /// The columns do not describe the same rows.
    #[error("expected {classes} scores for each of {rows} rows, found {found} scores")]
    Lengths {
        /// How many classes there are.
        classes: usize,
        /// Rows of the truth column.
        rows: usize,
        /// How many scores there are.
        found: usize,
    },
    /// A row is of a class that there is not.
    #[error("row {row} is of class number {found}; there are {classes}, counted from 0")]
    Truth {
        /// The row, counted from 0.
        row: usize,
        /// What its truth says.
        found: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// The scores cannot be ranked.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

impl MulticlassReport {
    /// Evaluates scores against truths: `scores` has one for each of the `labels`, row by row, and `truths[i]` is the place of
    /// the label that row `i` has. Without a `bootstrap` there are no intervals; with one, rows are drawn class by class.
    ///
    /// # Errors
    /// [`MulticlassError`]: columns that do not fit, scores that are no numbers, settings outside their range.
    pub fn new(
        labels: &[String],
        scores: &[f64],
        truths: &[usize],
        bootstrap: Option<&Bootstrap>,
    ) -> Result<MulticlassReport, MulticlassError> {
        let table = Table::new(labels.len(), scores, truths)?;
        let ones = vec![1; truths.len()];
        let values = table.figures(&ones);
        let intervals = match bootstrap {
            Some(bootstrap) => {
                bootstrap.intervals_of_many(&Rows::strata(truths), |counts| table.figures(counts))?
            }
            None => vec![None; values.len()],
        };
        let estimate = |n: usize| values[n].map(|value| Estimate { value, interval: intervals[n] });
        let confusion = table.confusion(&ones);
        let classes = labels.iter().enumerate().map(|(class, label)| {
            let right = confusion[class][class];
            let rows: u64 = confusion[class].iter().sum();
            let decided: u64 = confusion.iter().map(|decisions| decisions[class]).sum();
            let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
            ClassReport {
                label: label.clone(),
                rows,
                recall: estimate(Table::recall(class)),
                precision: ratio(right, decided),
                f1: ratio(2 * right, rows + decided),
                roc_auc: estimate(Table::area(class)),
            }
        });
        Ok(MulticlassReport {
            rows: truths.len(),
            accuracy: estimate(ACCURACY).expect("there are rows"),
            macro_auc: estimate(MACRO_AUC),
            macro_recall: estimate(MACRO_RECALL),
            classes: classes.collect(),
            confusion,
        })
    }
}

/// Places of the figures that are about all classes.
const ACCURACY: usize = 0;
const MACRO_AUC: usize = 1;
const MACRO_RECALL: usize = 2;
/// How many these are.
const OVERALL: usize = 3;

/// Rows, ready for many draws.
struct Table<'a> {
    truths: &'a [usize],
    decisions: Vec<usize>,
    /// For each class, its scores against all others.
    rankings: Vec<Ranking>,
}

impl<'a> Table<'a> {
    fn new(classes: usize, scores: &[f64], truths: &'a [usize]) -> Result<Self, MulticlassError> {
        let rows = truths.len();
        if !(2..=CLASSES_MAX).contains(&classes) {
            return Err(MulticlassError::Classes { found: classes });
        }
        if scores.len() != rows * classes {
            return Err(MulticlassError::Lengths { classes, rows, found: scores.len() });
        }
        if let Some(row) = truths.iter().position(|truth| *truth >= classes) {
            return Err(MulticlassError::Truth { row, found: truths[row], classes });
        }
        let rankings = (0..classes).map(|class| {
            let own: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
            let is_own: Vec<bool> = truths.iter().map(|truth| *truth == class).collect();
            Ranking::new(&own, &is_own)
        });
        let rankings = rankings.collect::<Result<Vec<_>, _>>()?;
        let best = |scores: &[f64]| {
            let better = |best: usize, other: usize| if scores[other] > scores[best] { other } else { best };
            (1..classes).fold(0, better)
        };
        Ok(Self { truths, decisions: scores.chunks_exact(classes).map(best).collect(), rankings })
    }

    /// Place of the area of a class among the figures.
    fn area(class: usize) -> usize {
        OVERALL + 2 * class
    }

    /// Place of the recall of a class among the figures.
    fn recall(class: usize) -> usize {
        OVERALL + 2 * class + 1
    }

    fn confusion(&self, counts: &[u32]) -> Vec<Vec<u64>> {
        let classes = self.rankings.len();
        let mut confusion = vec![vec![0; classes]; classes];
        for ((&truth, &decision), &count) in self.truths.iter().zip(&self.decisions).zip(counts) {
            confusion[truth][decision] += u64::from(count);
        }
        confusion
    }

    /// All figures when row `i` is drawn `counts[i]` times.
    fn figures(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let confusion = self.confusion(counts);
        let right: u64 = confusion.iter().enumerate().map(|(class, decisions)| decisions[class]).sum();
        let rows: u64 = confusion.iter().flatten().sum();
        let mut by_position = vec![0; counts.len()];
        let each: Vec<[Option<f64>; 2]> = self
            .rankings
            .iter()
            .zip(&confusion)
            .enumerate()
            .map(|(class, (ranking, decisions))| {
                for (place, &row) in by_position.iter_mut().zip(ranking.order()) {
                    *place = counts[row as usize];
                }
                let of_class: u64 = decisions.iter().sum();
                let recall = (of_class > 0).then(|| decisions[class] as f64 / of_class as f64);
                [ranking.roc_auc_of_draw(&by_position), recall]
            })
            .collect();
        let mean = |n: usize| {
            let sum: Option<f64> = each.iter().map(|figures| figures[n]).sum();
            sum.map(|sum| sum / each.len() as f64)
        };
        let accuracy = (rows > 0).then(|| right as f64 / rows as f64);
        let overall = [accuracy, mean(0), mean(1)];
        overall.into_iter().chain(each.iter().flatten().copied()).collect()
    }
}
