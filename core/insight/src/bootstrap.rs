//! How sure is a figure? Percentile bootstrap intervals, from a seed.
//!
//! The rows are drawn again with replacement, as many as there are, many times; the statistic is computed for
//! each draw; the interval is the middle part of the answers (Efron and Tibshirani, "An introduction to the
//! bootstrap", 1993, chapter 13).
//!
//! ```
//! use foretell_insight::bootstrap::{Bootstrap, Rows};
//! use foretell_insight::classification::Ranking;
//!
//! let scores = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1];
//! let labels = [true, true, false, true, false, true, false, false];
//! let ranking = Ranking::new(&scores, &labels)?;
//!
//! // One draw serves both statistics, and nothing is sorted again.
//! let [auc, precision] = Bootstrap::default().intervals(&Rows::strata(ranking.labels()), |counts| {
//!     [ranking.roc_auc_of_draw(counts), ranking.average_precision_of_draw(counts)]
//! })?;
//! let auc = auc.expect("every stratified draw has both classes");
//! assert!(auc.low <= ranking.roc_auc()? && ranking.roc_auc()? <= auc.high);
//! assert!(precision.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Contract
//! A draw is handed over as **counts**: how many times each row was drawn. That says all about a draw for any
//! statistic that does not depend on the order of rows, and a statistic over sorted rows need not sort them
//! again: one replicate of the metrics in [`classification`](crate::classification) is one pass.
//!
//! **Invariant:** replicate `i` has a random stream of its own, so that the answer depends on the seed and
//! not on the number of threads.
//!
//! # Pitfalls
//! - Rows are drawn one by one, as if they were independent. Rows of one customer or patient are not, and the
//!   interval is then too narrow.
//! - Tails are made of few replicates: 200 are enough for a look, 1,000 for a report.
//! - An interval says how the figure would move with other rows of the same kind, not with other times.

use std::num::NonZeroUsize;

use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::classification::ROWS_MAX;

/// The most replicates: beyond, the interval no longer changes in a digit that means anything.
pub const REPLICATES_MAX: u32 = 100_000;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many times the rows are drawn again, 1 to [`REPLICATES_MAX`].
    pub replicates: u32,
    /// The share of replicates inside the interval, between 0 and 1, such as 0.95.
    pub confidence: f64,
    /// The same seed gives the same interval.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1,000 replicates, 95 %, seed 0.
    fn default() -> Bootstrap {
        Bootstrap { replicates: 1_000, confidence: 0.95, seed: 0 }
    }
}

/// The middle part of the replicates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The share of replicates between them.
    pub confidence: f64,
    /// How many replicates the interval was made of.
    pub replicates: u32,
    /// How many more were drawn for which the statistic does not exist, such as a draw without positive rows.
    /// When they are many, the interval is not to be trusted: draw by strata.
    pub undefined: u32,
}

/// Why intervals cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The number of replicates is 0 or too great.
    #[error("expected 1 to {REPLICATES_MAX} replicates, found {found}")]
    Replicates {
        /// What was asked for.
        found: u32,
    },
    /// The confidence is not a share.
    #[error("expected a confidence between 0 and 1 such as 0.95, found {found}")]
    Confidence {
        /// What was asked for.
        found: f64,
    },
    /// There is nothing to draw from, or too much.
    #[error("expected 1 to {ROWS_MAX} rows to draw from, found {found}")]
    Rows {
        /// How many rows there are.
        found: usize,
    },
}

/// What is drawn from: all rows alike, or each stratum by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    total: usize,
    /// The rows of each stratum; empty when all rows are one stratum.
    strata: Vec<Vec<u32>>,
}

impl Rows {
    /// All rows alike.
    pub fn all(total: usize) -> Rows {
        Rows { total, strata: Vec::new() }
    }

    /// Each stratum by itself: a draw has as many rows of each as there are, so that a rare class never
    /// vanishes. Row `i` belongs to the stratum `strata[i]`.
    ///
    /// The interval then answers for a fixed share of each stratum, and is a little narrower.
    pub fn strata<S: Ord>(strata: &[S]) -> Rows {
        let total = strata.len();
        let mut order: Vec<u32> = (0u32..).zip(strata).map(|(row, _)| row).collect();
        order.sort_by_key(|&row| &strata[row as usize]);
        let same = |a: &u32, b: &u32| strata[*a as usize] == strata[*b as usize];
        Rows { total, strata: order.chunk_by(same).map(<[u32]>::to_vec).collect() }
    }

    /// Sets `counts` to how many times each row is drawn.
    fn draw(&self, counts: &mut [u32], random: &mut ChaCha8Rng) {
        counts.fill(0);
        if self.strata.is_empty() {
            for row in below(counts.len()).sample_iter(random).take(counts.len()) {
                counts[row as usize] += 1;
            }
            return;
        }
        for stratum in &self.strata {
            for member in below(stratum.len()).sample_iter(&mut *random).take(stratum.len()) {
                counts[stratum[member as usize] as usize] += 1;
            }
        }
    }
}

/// Evenly distributed numbers from 0 to `end - 1`.
fn below(end: usize) -> Uniform<u32> {
    Uniform::new(0, end as u32).expect("a stratum has rows, and at most `ROWS_MAX`")
}

impl Bootstrap {
    /// The intervals of `N` statistics, computed together on each draw.
    ///
    /// `statistics` gets the counts of a draw, `counts[i]` for row `i`, and answers None for a statistic that
    /// does not exist on this draw. An interval is None when no draw gave its statistic. The work is spread
    /// over the processors; each thread keeps 4 bytes a row.
    ///
    /// # Errors
    /// [`BootstrapError`]: a setting outside its range, or no rows.
    pub fn intervals<const N: usize>(
        &self,
        rows: &Rows,
        statistics: impl Fn(&[u32]) -> [Option<f64>; N] + Sync,
    ) -> Result<[Option<Interval>; N], BootstrapError> {
        let answers = self.answers(rows, statistics)?;
        Ok(std::array::from_fn(|n| self.interval_of(answers.iter().map(|answer| answer[n]))))
    }

    /// As [`Bootstrap::intervals`], for a number of statistics that is known only when the program runs: the same for
    /// every draw.
    pub(crate) fn intervals_of_many(
        &self,
        rows: &Rows,
        statistics: impl Fn(&[u32]) -> Vec<Option<f64>> + Sync,
    ) -> Result<Vec<Option<Interval>>, BootstrapError> {
        let answers = self.answers(rows, statistics)?;
        let interval = |n: usize| self.interval_of(answers.iter().map(|answer| answer[n]));
        Ok((0..answers.first().map_or(0, Vec::len)).map(interval).collect())
    }

    /// What `statistics` says of each draw.
    fn answers<A: Send>(
        &self,
        rows: &Rows,
        statistics: impl Fn(&[u32]) -> A + Sync,
    ) -> Result<Vec<A>, BootstrapError> {
        self.check(rows)?;
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u32;
        let replicate_share = |first: u32| {
            let mut counts = vec![0; rows.total];
            let mut answers = Vec::new();
            for replicate in (first..self.replicates).step_by(threads as usize) {
                rows.draw(&mut counts, &mut self.stream(replicate));
                answers.push(statistics(&counts));
            }
            answers
        };
        Ok(std::thread::scope(|scope| {
            let others: Vec<_> =
                (1..threads).map(|first| scope.spawn(move || replicate_share(first))).collect();
            let mut answers = replicate_share(0);
            for other in others {
                answers.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            answers
        }))
    }

    fn check(&self, rows: &Rows) -> Result<(), BootstrapError> {
        if !(1..=REPLICATES_MAX).contains(&self.replicates) {
            return Err(BootstrapError::Replicates { found: self.replicates });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(BootstrapError::Confidence { found: self.confidence });
        }
        if !(1..=ROWS_MAX).contains(&rows.total) {
            return Err(BootstrapError::Rows { found: rows.total });
        }
        Ok(())
    }

    /// The random numbers of one replicate.
    fn stream(&self, replicate: u32) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(u64::from(replicate));
        random
    }

    fn interval_of(&self, answers: impl Iterator<Item = Option<f64>>) -> Option<Interval> {
        let mut values: Vec<f64> = answers.flatten().collect();
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        Some(Interval {
            low: quantile(&values, tail),
            high: quantile(&values, 1.0 - tail),
            confidence: self.confidence,
            replicates: values.len() as u32,
            undefined: self.replicates - values.len() as u32,
        })
    }
}

/// The quantile of ascending values, linear between neighbours (type 7 of Hyndman and Fan, "Sample quantiles
/// in statistical packages", The American Statistician 50, 1996).
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let below = values[place.floor() as usize];
    let above = values[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantile_is_linear_between_neighbours() {
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (1.0, 8.0), (0.5, 3.0), (0.25, 1.75), (0.9, 6.8)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12, "{share}");
        }
        assert_eq!(quantile(&[5.0], 0.3), 5.0);
    }
}
