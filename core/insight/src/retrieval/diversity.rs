//! How different the items of a list are from each other.

use std::num::NonZeroUsize;

use super::exposure::segments;

/// Counts pairs of items with different categories, list by list.
pub(super) struct Diversity<'a> {
    cutoffs: &'a [NonZeroUsize],
    /// By item, numbered without gaps; None where nothing is known.
    categories: Vec<Option<u32>>,
    /// By category: how many items of the list at hand have it. All 0 between lists.
    counts: Vec<u64>,
    /// By cutoff.
    sums: Vec<Sum>,
}

#[derive(Clone, Default)]
struct Sum {
    shares: f64,
    lists: u64,
}

impl<'a> Diversity<'a> {
    pub(super) fn new(categories: &[Option<u32>], cutoffs: &'a [NonZeroUsize]) -> Diversity<'a> {
        let mut distinct: Vec<u32> = categories.iter().copied().flatten().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let number = |category: u32| distinct.partition_point(|&other| other < category) as u32;
        Diversity {
            cutoffs,
            categories: categories.iter().map(|&category| category.map(number)).collect(),
            counts: vec![0; distinct.len()],
            sums: vec![Sum::default(); cutoffs.len()],
        }
    }

    /// One more list, of items of the catalogue.
    pub(super) fn add(&mut self, list: &[u32]) {
        let (mut items, mut alike) = (0u64, 0u64);
        for (sum, places) in self.sums.iter_mut().zip(segments(self.cutoffs, list.len())) {
            for category in list[places].iter().filter_map(|&item| self.categories[item as usize]) {
                let count = &mut self.counts[category as usize];
                alike += *count;
                items += 1;
                *count += 1;
            }
            if items > 1 {
                let pairs = items * (items - 1) / 2;
                sum.shares += (pairs - alike) as f64 / pairs as f64;
                sum.lists += 1;
            }
        }
        for category in list.iter().filter_map(|&item| self.categories[item as usize]) {
            self.counts[category as usize] = 0;
        }
    }

    /// The mean over the lists that have a pair at cutoff `n`; None when none has.
    pub(super) fn mean(&self, n: usize) -> Option<f64> {
        let sum = &self.sums[n];
        (sum.lists > 0).then(|| sum.shares / sum.lists as f64)
    }
}
