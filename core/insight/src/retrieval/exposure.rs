//! What the lists show of the catalogue, whether or not it is what was looked for.

use std::num::NonZeroUsize;
use std::ops::Range;

use super::Popularity;

/// How often each item stands in the first `k` places of a list.
pub(super) struct Exposure<'a> {
    cutoffs: &'a [NonZeroUsize],
    /// By item, and in it by cutoff: how often the item stands at this cutoff and not yet at the one before.
    counts: Vec<u32>,
}

/// What is shown at one cutoff.
pub(super) struct Shown {
    pub(super) coverage: f64,
    pub(super) gini: Option<f64>,
    pub(super) popularity: Option<f64>,
    pub(super) novelty: Option<f64>,
    pub(super) unseen: u64,
}

impl<'a> Exposure<'a> {
    pub(super) fn new(items: usize, cutoffs: &'a [NonZeroUsize]) -> Exposure<'a> {
        Exposure { cutoffs, counts: vec![0; items * cutoffs.len()] }
    }

    /// One more list, of items of the catalogue. An item stands at most once in it, so 32 bits count all rows.
    pub(super) fn add(&mut self, list: &[u32]) {
        for (n, places) in segments(self.cutoffs, list.len()).enumerate() {
            for &item in &list[places] {
                self.counts[item as usize * self.cutoffs.len() + n] += 1;
            }
        }
    }

    /// The figures at cutoff `n`.
    pub(super) fn shown(&self, n: usize, popularity: &Popularity<'_>) -> Shown {
        let up_to = |counts: &[u32]| counts[..=n].iter().sum::<u32>();
        let counts: Vec<u32> = self.counts.chunks_exact(self.cutoffs.len()).map(up_to).collect();
        let places: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let (mut known, mut seen_of_all, mut information) = (0, 0u128, 0.0);
        let shown = counts.iter().zip(popularity.counts).filter(|&(&count, _)| count > 0);
        for (&count, &seen) in shown.filter(|&(_, &seen)| seen > 0) {
            known += u64::from(count);
            seen_of_all += u128::from(count) * u128::from(seen);
            information += f64::from(count) * (popularity.population as f64 / seen as f64).log2();
        }
        Shown {
            coverage: counts.iter().filter(|&&count| count > 0).count() as f64 / counts.len() as f64,
            popularity: (places > 0).then(|| seen_of_all as f64 / places as f64),
            novelty: (known > 0).then(|| information / known as f64),
            unseen: places - known,
            gini: gini(counts),
        }
    }
}

/// The places of a list that belong to each cutoff and not to the one before; the cutoffs ascend.
pub(super) fn segments(cutoffs: &[NonZeroUsize], length: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    cutoffs.iter().map(move |k| {
        let end = k.get().min(length);
        std::mem::replace(&mut start, end)..end
    })
}

/// The Gini coefficient: 0 when all counts are alike, and near 1 when one of many has everything.
///
/// Half the mean difference between any two counts, over their mean: `sum over i, j of |x[i] - x[j]| / (2 n^2 mean)`.
/// It is computed from the sorted counts, as `sum of (2 i - n - 1) x[i] / (n sum of x)` with `i` from 1, in whole
/// numbers up to the last division. Among `n` counts it is at most `1 - 1 / n`. None when there is nothing to share: no
/// count, or only zeros.
///
/// ```
/// use foretell_insight::retrieval::gini;
///
/// assert_eq!(gini(vec![5, 5, 5, 5]), Some(0.0));
/// assert_eq!(gini(vec![0, 0, 0, 9]), Some(0.75));
/// assert_eq!(gini(vec![0, 0]), None);
/// ```
pub fn gini(mut counts: Vec<u32>) -> Option<f64> {
    counts.sort_unstable();
    let total: u128 = counts.iter().map(|&count| u128::from(count)).sum();
    let n = counts.len() as i128;
    let weighted = (1..).zip(&counts).map(|(i, &count)| (2 * i - n - 1) * i128::from(count));
    (total > 0).then(|| weighted.sum::<i128>() as f64 / (n as f64 * total as f64))
}
