//! Are the scores probabilities? Log loss, Brier score, and the reliability of each range of scores.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::ranking::{MetricError, Ranking, Undefined};

/// Bins of equal width that reports use.
pub const CALIBRATION_BINS: NonZeroUsize = NonZeroUsize::new(10).expect("10 is not 0");

/// Scores against observed rates, in bins of equal width.
///
/// Bin `b` of `n` holds the scores in `(b/n, (b+1)/n]`, and the first one 0 as well (Guo et al., "On
/// calibration of modern neural networks", ICML 2017, section 2; there for the predicted class, here for the
/// positive one).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// How many bins of equal width the range 0 to 1 was cut into. The figures below depend on it.
    pub bins: usize,
    /// Expected calibration error: `sum over bins of rows[b] / rows * |positive_rate[b] - mean_score[b]|`.
    pub expected_error: f64,
    /// The greatest `|positive_rate - mean_score|` of any bin that has rows.
    pub greatest_error: f64,
    /// The reliability curve: the bins that have rows, from low scores to high.
    pub curve: Vec<CalibrationBin>,
}

/// One point of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Scores above this belong to the bin.
    pub low: f64,
    /// Scores up to this, inclusive, belong to the bin.
    pub high: f64,
    /// How many rows have such a score.
    pub rows: u64,
    /// Their mean score: what was promised.
    pub mean_score: f64,
    /// Their share of positives: what came true.
    pub positive_rate: f64,
}

impl Ranking {
    /// The mean of `-ln p` over the rows, where `p` is the probability that the score gave to the row's class.
    ///
    /// Probabilities are kept at least `f64::EPSILON` away from 0 and 1, as scikit-learn's `log_loss` does, so
    /// that one confident mistake costs 36 and not infinity. Defined for rows of one class, too.
    ///
    /// # Errors
    /// [`Undefined::NotAProbability`] when a score is outside 0 to 1.
    pub fn log_loss(&self) -> Result<f64, MetricError> {
        self.check_probabilities("log_loss")?;
        Ok(mean(self.log_losses()))
    }

    /// The mean squared difference between the score and the label as 0 or 1 (Brier, "Verification of
    /// forecasts expressed in terms of probability", Monthly Weather Review 78, 1950, halved as is usual for
    /// two classes). 0 is perfect.
    ///
    /// # Errors
    /// [`Undefined::NotAProbability`] when a score is outside 0 to 1.
    pub fn brier_score(&self) -> Result<f64, MetricError> {
        self.check_probabilities("brier_score")?;
        Ok(mean(self.squared_errors()))
    }

    /// The reliability curve and the expected calibration error, in `bins` bins of equal width.
    ///
    /// With few positives nearly all rows fall into the first bin and the error looks small whatever the model
    /// does: look at the curve, too.
    ///
    /// # Errors
    /// [`Undefined::NotAProbability`] when a score is outside 0 to 1.
    pub fn calibration(&self, bins: NonZeroUsize) -> Result<Calibration, MetricError> {
        self.check_probabilities("calibration")?;
        let count = bins.get();
        let edge = |bin: usize| bin as f64 / count as f64;
        let mut curve = Vec::new();
        let mut start = 0;
        // Positions go from high scores to low, so each bin is one stretch of them.
        while let Some(&highest) = self.scores().get(start) {
            let bin = bin_of(highest, count);
            let stretch = self.scores()[start..].partition_point(|&score| bin == 0 || score > edge(bin));
            let rows = start..start + stretch;
            let hits = self.labels()[rows.clone()].iter().filter(|&&label| label).count();
            curve.push(CalibrationBin {
                low: edge(bin),
                high: edge(bin + 1),
                rows: stretch as u64,
                mean_score: mean(self.scores()[rows].iter().copied()),
                positive_rate: hits as f64 / stretch as f64,
            });
            start += stretch;
        }
        curve.reverse();
        let gap = |bin: &CalibrationBin| (bin.positive_rate - bin.mean_score).abs();
        Ok(Calibration {
            bins: count,
            expected_error: curve.iter().map(|bin| bin.rows as f64 / self.rows() as f64 * gap(bin)).sum(),
            greatest_error: curve.iter().map(gap).fold(0.0, f64::max),
            curve,
        })
    }

    /// The term of each position in [`Ranking::log_loss`]. Scores must be probabilities.
    pub(crate) fn log_losses(&self) -> impl ExactSizeIterator<Item = f64> {
        self.scores().iter().zip(self.labels()).map(|(&score, &label)| {
            let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if label { -score.ln() } else { -(-score).ln_1p() }
        })
    }

    /// The term of each position in [`Ranking::brier_score`]. Scores must be probabilities.
    pub(crate) fn squared_errors(&self) -> impl ExactSizeIterator<Item = f64> {
        self.scores()
            .iter()
            .zip(self.labels())
            .map(|(&score, &label)| (score - f64::from(u8::from(label))).powi(2))
    }

    /// Scores are sorted, so the first and the last tell about all.
    fn check_probabilities(&self, metric: &'static str) -> Result<(), MetricError> {
        let last = self.rows() - 1;
        for position in [0, last] {
            let score = self.scores()[position];
            if !(0.0..=1.0).contains(&score) {
                let row = self.order()[position] as usize;
                return Err(MetricError { metric, cause: Undefined::NotAProbability { row, score } });
            }
        }
        Ok(())
    }
}

/// The bin of a probability: the greatest one whose lower edge is below it, else the first.
fn bin_of(score: f64, count: usize) -> usize {
    let guess = ((score * count as f64) as usize).min(count - 1);
    // The product rounds, the edges are quotients: step to the bin that the edges say.
    let edge = |bin: usize| bin as f64 / count as f64;
    if guess > 0 && score <= edge(guess) {
        guess - 1
    } else if guess + 1 < count && score > edge(guess + 1) {
        guess + 1
    } else {
        guess
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}
