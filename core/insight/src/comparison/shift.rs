//! How far scores moved.

use serde::{Deserialize, Serialize};

use crate::bootstrap::quantile;

/// The quantiles of [`ScoreShift::quantiles`], as shares of the rows.
pub const SHIFT_SHARES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

/// How far scores moved, from old to new, in the unit of the scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreShift {
    /// The mean difference: whether scores rose or fell as a whole.
    pub mean: f64,
    /// The mean size of a difference.
    pub mean_absolute: f64,
    /// The root of the mean squared difference: as `mean_absolute`, with more weight on great differences.
    pub root_mean_square: f64,
    /// One for each of [`SHIFT_SHARES`].
    pub quantiles: Vec<ShiftQuantile>,
    /// The two-sample Kolmogorov-Smirnov distance, from 0 to 1: the greatest difference, over all thresholds, between
    /// the shares of rows that both models flag there. 0 says that a threshold means the same for both, not that they
    /// flag the same rows.
    pub kolmogorov_smirnov: f64,
}

/// A difference, and the share of the rows that have it or a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShiftQuantile {
    /// The share of the rows, from 0 to 1.
    pub share: f64,
    /// The difference, linear between neighbours.
    pub difference: f64,
}

impl ScoreShift {
    pub(super) fn new(old: &[f64], new: &[f64], kolmogorov_smirnov: f64) -> ScoreShift {
        let mut differences: Vec<f64> = old.iter().zip(new).map(|(old, new)| new - old).collect();
        let mean_of = |term: fn(f64) -> f64| mean(differences.iter().map(|&difference| term(difference)));
        let (mean, mean_absolute) = (mean_of(|difference| difference), mean_of(f64::abs));
        let root_mean_square = mean_of(|difference| difference * difference).sqrt();
        differences.sort_unstable_by(f64::total_cmp);
        let quantiles =
            SHIFT_SHARES.map(|share| ShiftQuantile { share, difference: quantile(&differences, share) });
        ScoreShift {
            mean,
            mean_absolute,
            root_mean_square,
            quantiles: quantiles.to_vec(),
            kolmogorov_smirnov,
        }
    }
}

pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}
