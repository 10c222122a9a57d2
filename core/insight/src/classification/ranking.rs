//! The sorted view that every metric shares, and the two areas under curves.

use std::fmt;

/// The most rows that one ranking holds: positions are 32-bit, which halves the memory of a resample.
pub const ROWS_MAX: usize = u32::MAX as usize;

/// Scores and labels sorted once, by score from high to low.
///
/// *Position* means place in this order, 0 is the highest score; tied rows stand in the order of their rows.
/// Memory is at most 17 bytes a row; building one sorts, every method after that is one pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// By position, descending; never NaN, never negative zero.
    scores: Vec<f64>,
    /// By position.
    labels: Vec<bool>,
    /// The row that stands at each position.
    order: Vec<u32>,
    /// One past the last position of each group of tied rows, ascending.
    ends: Vec<u32>,
    positives: usize,
}

/// Why columns cannot be ranked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RankingError {
    /// There are no rows.
    #[error("there are no rows to rank; select at least one record that has a score and a label")]
    Empty,
    /// The columns do not describe the same rows.
    #[error("expected one label per score, found {scores} scores and {labels} labels")]
    Lengths {
        /// Rows of the score column.
        scores: usize,
        /// Rows of the label column.
        labels: usize,
    },
    /// A NaN has no place in an order.
    #[error("the score of row {row} is not a number; leave out rows that were not scored")]
    NotANumber {
        /// The first such row, counted from 0.
        row: usize,
    },
    /// More than [`ROWS_MAX`] rows.
    #[error("expected at most {ROWS_MAX} rows, found {rows}; evaluate a shorter period")]
    TooManyRows {
        /// Rows of the columns.
        rows: usize,
    },
}

/// A metric that does not exist for these rows, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("cannot compute `{metric}`: {cause}")]
pub struct MetricError {
    /// The metric's name as in reports, such as `roc_auc`.
    pub metric: &'static str,
    /// Why it does not exist.
    #[source]
    pub cause: Undefined,
}

/// Why a metric does not exist.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Undefined {
    /// The metric compares two classes and there is one.
    #[error("all {rows} rows are {class}; select rows of both classes")]
    OneClass {
        /// The class of every row.
        class: Class,
        /// How many rows there are.
        rows: usize,
    },
    /// The metric is about probabilities and a score is not one.
    #[error("the score of row {row} is {score}; expected a probability from 0 to 1")]
    NotAProbability {
        /// The row, counted from 0, with the greatest or the least score.
        row: usize,
        /// Its score.
        score: f64,
    },
    /// A rate was asked for that cannot be.
    #[error("the rate {rate} was asked for; expected a number from 0 to 1")]
    Rate {
        /// The rate that was asked for.
        rate: f64,
    },
    /// A cost is infinite or not a number.
    #[error("a cost is not a finite number; give all four costs in the same unit")]
    Cost,
}

/// The class of a labelled row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The label is false.
    Negative,
    /// The label is true: what the model looks for.
    Positive,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Negative => "negative",
            Class::Positive => "positive",
        })
    }
}

impl Ranking {
    /// Sorts the rows by score, from high to low.
    ///
    /// Infinite scores are allowed. `scores[i]` and `labels[i]` belong to row `i`; a label is true for the
    /// class that the model looks for.
    ///
    /// # Errors
    /// [`RankingError`]: no rows, columns of different length, a NaN score.
    pub fn new(scores: &[f64], labels: &[bool]) -> Result<Ranking, RankingError> {
        let rows = scores.len();
        if rows != labels.len() {
            return Err(RankingError::Lengths { scores: rows, labels: labels.len() });
        }
        if rows == 0 {
            return Err(RankingError::Empty);
        }
        if rows > ROWS_MAX {
            return Err(RankingError::TooManyRows { rows });
        }
        if let Some(row) = scores.iter().position(|score| score.is_nan()) {
            return Err(RankingError::NotANumber { row });
        }
        let mut keys: Vec<(u64, u32)> = (0u32..).zip(scores).map(|(row, &s)| (descending(s), row)).collect();
        keys.sort_unstable();
        let mut ends: Vec<u32> = (1u32..)
            .zip(keys.windows(2))
            .filter(|(_, pair)| pair[0].0 != pair[1].0)
            .map(|(end, _)| end)
            .collect();
        ends.push(rows as u32);
        let order: Vec<u32> = keys.into_iter().map(|(_, row)| row).collect();
        Ok(Ranking {
            scores: order.iter().map(|&row| scores[row as usize] + 0.0).collect(),
            labels: order.iter().map(|&row| labels[row as usize]).collect(),
            positives: labels.iter().filter(|&&label| label).count(),
            order,
            ends,
        })
    }

    /// How many rows there are, at least 1.
    pub fn rows(&self) -> usize {
        self.order.len()
    }

    /// How many rows are positive.
    pub fn positives(&self) -> usize {
        self.positives
    }

    /// How many rows are negative.
    pub fn negatives(&self) -> usize {
        self.rows() - self.positives
    }

    /// The scores by position, from high to low.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The labels by position.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The row that stands at each position: carries any other column into this order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The area under the ROC curve: the chance that a positive row scores higher than a negative one, ties
    /// counting one half.
    ///
    /// This is the Mann-Whitney U statistic over the number of pairs (Hanley and McNeil, "The meaning and use
    /// of the area under a receiver operating characteristic (ROC) curve", Radiology 143, 1982). It is summed in
    /// integers, so it has no rounding but that of the last division.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] unless there are rows of both classes.
    pub fn roc_auc(&self) -> Result<f64, MetricError> {
        area_under_roc(self.tallies()).ok_or_else(|| self.one_class("roc_auc"))
    }

    /// Average precision: the sum over the distinct scores, from high to low, of the precision at that
    /// threshold times the recall gained there.
    ///
    /// `sum over n of (R[n] - R[n-1]) P[n]`, step-wise and not interpolated, as in scikit-learn's
    /// `average_precision_score`. The chance level is the share of positives.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] when no row is positive.
    pub fn average_precision(&self) -> Result<f64, MetricError> {
        average_precision(self.tallies()).ok_or_else(|| self.one_class("average_precision"))
    }

    /// [`Ranking::roc_auc`] of a resample, without sorting again.
    ///
    /// `counts[p]` says how many times the row at **position** `p` was drawn: a [bootstrap](crate::bootstrap)
    /// draws positions as well as rows. To resample two rankings of the same rows together, draw rows and
    /// carry the counts over with [`Ranking::order`]. None when the resample has one class only.
    ///
    /// # Panics
    /// When there is not one count per row.
    pub fn roc_auc_of_draw(&self, counts: &[u32]) -> Option<f64> {
        area_under_roc(self.drawn_tallies(counts))
    }

    /// [`Ranking::average_precision`] of a resample, without sorting again.
    ///
    /// `counts` as in [`Ranking::roc_auc_of_draw`]. None when the resample has no positive row.
    ///
    /// # Panics
    /// When there is not one count per row.
    pub fn average_precision_of_draw(&self, counts: &[u32]) -> Option<f64> {
        average_precision(self.drawn_tallies(counts))
    }

    /// The error of a metric that needs a class which is missing.
    pub(super) fn one_class(&self, metric: &'static str) -> MetricError {
        let class = if self.positives == 0 { Class::Negative } else { Class::Positive };
        MetricError { metric, cause: Undefined::OneClass { class, rows: self.rows() } }
    }

    /// The positions of each group of tied rows, from the highest score to the lowest.
    pub(super) fn groups(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| std::mem::replace(&mut start, end as usize)..end as usize)
    }

    /// How many distinct scores there are.
    pub(super) fn group_count(&self) -> usize {
        self.ends.len()
    }

    /// The positive and negative rows of each group.
    pub(super) fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.groups().map(|group| {
            let rows = group.len() as u64;
            let positives = self.labels[group].iter().map(|&label| u64::from(label)).sum();
            Tally { positives, negatives: rows - positives }
        })
    }

    fn drawn_tallies(&self, counts: &[u32]) -> impl Iterator<Item = Tally> {
        assert_eq!(counts.len(), self.rows(), "one count per row");
        self.groups().map(|group| {
            let (mut drawn, mut positives) = (0, 0);
            for (&label, &count) in self.labels[group.clone()].iter().zip(&counts[group]) {
                drawn += u64::from(count);
                positives += u64::from(count) * u64::from(label);
            }
            Tally { positives, negatives: drawn - positives }
        })
    }
}

/// Rows of each class that share a score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) positives: u64,
    pub(super) negatives: u64,
}

/// A key that sorts as the score does, turned over; both zeros get the same key.
///
/// The bits of a non-negative float sort like integers; those of a negative one sort backwards.
pub(crate) fn descending(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 1 { bits } else { !(bits | 1 << 63) }
}

fn area_under_roc(tallies: impl Iterator<Item = Tally>) -> Option<f64> {
    let (mut positives, mut negatives, mut half_pairs) = (0u64, 0u64, 0u128);
    for tally in tallies {
        half_pairs += u128::from(tally.negatives) * u128::from(2 * positives + tally.positives);
        positives += tally.positives;
        negatives += tally.negatives;
    }
    let all = 2 * u128::from(positives) * u128::from(negatives);
    (all > 0).then(|| half_pairs as f64 / all as f64)
}

fn average_precision(tallies: impl Iterator<Item = Tally>) -> Option<f64> {
    let (mut positives, mut flagged, mut sum) = (0u64, 0u64, 0.0);
    for tally in tallies {
        positives += tally.positives;
        flagged += tally.positives + tally.negatives;
        if tally.positives > 0 {
            sum += tally.positives as f64 * (positives as f64 / flagged as f64);
        }
    }
    (positives > 0).then(|| sum / positives as f64)
}
