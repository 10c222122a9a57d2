//! The metrics of all rows, and what is needed to draw the rows again.

use std::num::NonZeroUsize;

use super::Hits;
use crate::bootstrap::{Bootstrap, BootstrapError, Interval, Rows};

/// The sums of all rows, for each cutoff; and the rows in which something was found, since only they add to a sum.
pub(super) struct Accuracy<'a> {
    cutoffs: &'a [NonZeroUsize],
    /// The rows that have a target.
    rows: usize,
    /// By cutoff.
    sums: Vec<Sums>,
    found: Vec<Found>,
    /// By row of `found`, and in it by cutoff.
    ndcg: Vec<f64>,
}

#[derive(Clone, Default)]
struct Sums {
    rows_with_hit: u64,
    hits: u64,
    ndcg: f64,
    recall: f64,
    average_precision: f64,
    reciprocal_rank: f64,
}

/// A row in which a target was found.
struct Found {
    /// Among the rows that have a target, counted from 0.
    row: u32,
    /// The place of the first hit.
    first: u32,
}

/// The means at one cutoff.
pub(super) struct Means {
    pub(super) hit_rate: f64,
    pub(super) ndcg: f64,
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) map: f64,
    pub(super) mrr: f64,
}

impl<'a> Accuracy<'a> {
    pub(super) fn new(cutoffs: &'a [NonZeroUsize]) -> Accuracy<'a> {
        let sums = vec![Sums::default(); cutoffs.len()];
        Accuracy { cutoffs, rows: 0, sums, found: Vec::new(), ndcg: Vec::new() }
    }

    /// One more row that has a target.
    pub(super) fn add(&mut self, hits: &Hits) {
        if let Some(first) = hits.first() {
            self.found.push(Found { row: self.rows as u32, first });
            for (sums, &k) in self.sums.iter_mut().zip(self.cutoffs) {
                let ndcg = hits.ndcg(k);
                self.ndcg.push(ndcg);
                sums.rows_with_hit += u64::from(hits.hit(k));
                sums.hits += hits.found(k) as u64;
                sums.ndcg += ndcg;
                sums.recall += hits.recall(k);
                sums.average_precision += hits.average_precision(k);
                sums.reciprocal_rank += hits.reciprocal_rank(k);
            }
        }
        self.rows += 1;
    }

    /// How many rows have a target.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The means at cutoff `n`; None when no row has a target.
    pub(super) fn means(&self, n: usize) -> Option<Means> {
        let sums = &self.sums[n];
        let mean = |sum: f64| sum / self.rows as f64;
        (self.rows > 0).then(|| Means {
            hit_rate: mean(sums.rows_with_hit as f64),
            ndcg: mean(sums.ndcg),
            // Counted, where adding up `hits / k` would round a million times.
            precision: mean(sums.hits as f64) / self.cutoffs[n].get() as f64,
            recall: mean(sums.recall),
            map: mean(sums.average_precision),
            mrr: mean(sums.reciprocal_rank),
        })
    }

    /// The intervals of the hit rate at each cutoff, and behind them of NDCG at each cutoff, all from the same draws.
    pub(super) fn intervals(&self, bootstrap: &Bootstrap) -> Result<Vec<Option<Interval>>, BootstrapError> {
        bootstrap.intervals_of_many(&Rows::all(self.rows), |counts| self.of_draw(counts))
    }

    fn of_draw(&self, counts: &[u32]) -> Vec<Option<f64>> {
        let cutoffs = self.cutoffs.len();
        let mut sums = vec![0.0; 2 * cutoffs];
        let (hits, ndcg) = sums.split_at_mut(cutoffs);
        for (found, gains) in self.found.iter().zip(self.ndcg.chunks_exact(cutoffs)) {
            let count = f64::from(counts[found.row as usize]);
            for (n, k) in self.cutoffs.iter().enumerate() {
                hits[n] += if (found.first as usize) < k.get() { count } else { 0.0 };
                ndcg[n] += count * gains[n];
            }
        }
        sums.into_iter().map(|sum| Some(sum / self.rows as f64)).collect()
    }
}
