//! The metrics of one list.

use std::num::NonZeroUsize;

use super::RetrievalError;

/// Where the targets of one row stand in its list.
///
/// A *rank* is a place in the list, from 0. The metrics look at the first `k` places; what a list does not have is a
/// miss, so a list shorter than `k` is no better for it. All are between 0 and 1, and 1 is best.
///
/// ```
/// use std::num::NonZeroUsize;
/// use foretell_insight::retrieval::Hits;
///
/// let ten = NonZeroUsize::new(10).expect("10 is not 0");
/// // Two of three targets were found, at the first and at the fourth place.
/// let hits = Hits::new(vec![0, 3], 3)?;
/// assert!(hits.hit(ten));
/// assert_eq!(hits.precision(ten), 2.0 / 10.0);
/// assert_eq!(hits.recall(ten), 2.0 / 3.0);
/// assert_eq!(hits.average_precision(ten), (1.0 / 1.0 + 2.0 / 4.0) / 3.0);
/// // At best, all three would stand at the top.
/// let best = 1.0 + 1.0 / 3f64.log2() + 1.0 / 2.0;
/// assert!((hits.ndcg(ten) - (1.0 + 1.0 / 5f64.log2()) / best).abs() < 1e-15);
/// // Only the first place is looked at.
/// assert_eq!(hits.recall(NonZeroUsize::MIN), 1.0 / 3.0);
/// # Ok::<(), foretell_insight::retrieval::RetrievalError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// Ascending, and no more than `targets`.
    ranks: Vec<u32>,
    /// At least 1.
    targets: usize,
}

impl Hits {
    /// `ranks` are the places, from 0 and ascending, at which targets stand; `targets` says how many there are, found
    /// or not.
    ///
    /// # Errors
    /// [`RetrievalError::Hits`]: no target, more places than targets, or places that do not ascend.
    pub fn new(ranks: Vec<u32>, targets: usize) -> Result<Hits, RetrievalError> {
        let ascending = ranks.windows(2).all(|pair| pair[0] < pair[1]);
        if targets == 0 || ranks.len() > targets || !ascending {
            return Err(RetrievalError::Hits { found: ranks.len(), targets });
        }
        Ok(Hits { ranks, targets })
    }

    /// No hit so far.
    pub(super) fn none() -> Hits {
        Hits { ranks: Vec::new(), targets: 1 }
    }

    /// Begins a row with so many targets, at least 1.
    pub(super) fn begin(&mut self, targets: usize) {
        self.ranks.clear();
        self.targets = targets;
    }

    /// A target stands at this place, behind those before.
    pub(super) fn push(&mut self, rank: u32) {
        self.ranks.push(rank);
    }

    /// The place of the first target, if one was found.
    pub fn first(&self) -> Option<u32> {
        self.ranks.first().copied()
    }

    /// Whether a target is among the first `k`. The mean over rows is the hit rate; with one target for each row it
    /// equals recall.
    pub fn hit(&self, k: NonZeroUsize) -> bool {
        !self.top(k).is_empty()
    }

    /// The share of the first `k` places that hold a target: `hits / k`.
    ///
    /// The best that can be reached is `targets / k`: with one target and `k` = 10 it is 0.1.
    pub fn precision(&self, k: NonZeroUsize) -> f64 {
        self.found(k) as f64 / k.get() as f64
    }

    /// The share of the targets that are among the first `k`: `hits / targets`.
    pub fn recall(&self, k: NonZeroUsize) -> f64 {
        self.found(k) as f64 / self.targets as f64
    }

    /// Normalised discounted cumulative gain, for targets that are all worth the same.
    ///
    /// A hit at rank `r` is worth `1 / log2(r + 2)`, so 1 at the top and 1/2 at the third place; the sum is divided by
    /// that of the best list, which has `min(k, targets)` hits at its top (Järvelin and Kekäläinen, "Cumulated
    /// gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002, with the discount that is usual today).
    pub fn ndcg(&self, k: NonZeroUsize) -> f64 {
        let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
        match self.top(k) {
            [] => 0.0,
            hits => {
                let best = (0..self.targets.min(k.get())).map(gain).sum::<f64>();
                hits.iter().map(|&rank| gain(rank as usize)).sum::<f64>() / best
            }
        }
    }

    /// The sum of the precision at each hit among the first `k`, over the number of targets. The mean over rows is MAP.
    ///
    /// The divisor is the number of all targets, as in trec_eval's `map_cut`, so a row with more than `k` targets can't
    /// reach 1. Some libraries divide by `min(k, targets)` instead; with one target for each row both are the same, and
    /// equal the [reciprocal rank](Hits::reciprocal_rank).
    pub fn average_precision(&self, k: NonZeroUsize) -> f64 {
        let precisions =
            (1u32..).zip(self.top(k)).map(|(hits, &rank)| f64::from(hits) / (f64::from(rank) + 1.0));
        precisions.sum::<f64>() / self.targets as f64
    }

    /// One over the place, counted from 1, of the first hit; 0 when there is none among the first `k`. The mean over
    /// rows is MRR (Voorhees, "The TREC-8 question answering track report", 1999).
    pub fn reciprocal_rank(&self, k: NonZeroUsize) -> f64 {
        self.top(k).first().map_or(0.0, |&rank| 1.0 / (f64::from(rank) + 1.0))
    }

    /// How many targets are among the first `k`.
    pub(super) fn found(&self, k: NonZeroUsize) -> usize {
        self.top(k).len()
    }

    /// The places of the hits among the first `k`.
    fn top(&self, k: NonZeroUsize) -> &[u32] {
        &self.ranks[..self.ranks.partition_point(|&rank| (rank as usize) < k.get())]
    }
}
