//! Decisions: what happens at a threshold, at the top of the list, and where to put the threshold.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::ranking::{MetricError, Ranking, Undefined};

/// Decisions against truth, as counts of rows.
///
/// Ratios that would divide by zero are None: precision where nothing was flagged is not 0, it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// Positive and flagged.
    pub true_positives: u64,
    /// Negative and flagged.
    pub false_positives: u64,
    /// Negative and not flagged.
    pub true_negatives: u64,
    /// Positive and not flagged.
    pub false_negatives: u64,
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Confusion {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.flagged() + self.true_negatives + self.false_negatives
    }

    /// Rows that were flagged.
    pub fn flagged(&self) -> u64 {
        self.true_positives + self.false_positives
    }

    /// The share of flagged rows that are positive; None when nothing was flagged.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positives, self.flagged())
    }

    /// The share of positive rows that were flagged, also called sensitivity; None without positive rows.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// The harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`; None when nothing is positive and
    /// nothing was flagged.
    pub fn f1(&self) -> Option<f64> {
        let doubled = 2 * self.true_positives;
        ratio(doubled, doubled + self.false_positives + self.false_negatives)
    }

    /// The share of negative rows that were flagged; None without negative rows.
    pub fn false_positive_rate(&self) -> Option<f64> {
        ratio(self.false_positives, self.false_positives + self.true_negatives)
    }

    /// The share of negative rows that were not flagged; None without negative rows.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_negatives, self.false_positives + self.true_negatives)
    }

    /// The share of rows that were decided rightly; None without rows.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positives + self.true_negatives, self.rows())
    }
}

/// A threshold and what it does to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// Rows with at least this score are flagged; None flags nothing, whatever the score.
    pub threshold: Option<f64>,
    /// The decisions.
    pub confusion: Confusion,
    /// See [`Confusion::precision`].
    pub precision: Option<f64>,
    /// See [`Confusion::recall`].
    pub recall: Option<f64>,
    /// See [`Confusion::f1`].
    pub f1: Option<f64>,
    /// See [`Confusion::false_positive_rate`].
    pub false_positive_rate: Option<f64>,
}

/// An [`OperatingPoint`] before its ratios are taken: a walk over all thresholds needs few of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(super) threshold: Option<f64>,
    pub(crate) confusion: Confusion,
}

impl OperatingPoint {
    fn new(threshold: Option<f64>, confusion: Confusion) -> OperatingPoint {
        OperatingPoint {
            threshold,
            confusion,
            precision: confusion.precision(),
            recall: confusion.recall(),
            f1: confusion.f1(),
            false_positive_rate: confusion.false_positive_rate(),
        }
    }
}

/// Precision and recall when the `k` highest scores are looked at, whatever they are.
///
/// Where `k` falls among tied rows, which of them are looked at is a matter of chance: `precision` and
/// `recall` are the means over all orders of the tied rows, and the pair `precision_low`, `precision_high`
/// says what the worst and the best order would give. They are equal when no tie is cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// How many rows were looked at: what was asked for, or all rows if there are fewer.
    pub k: usize,
    /// The mean share of positives among them.
    pub precision: f64,
    /// The least share that an order of the tied rows can give.
    pub precision_low: f64,
    /// The greatest share that an order of the tied rows can give.
    pub precision_high: f64,
    /// The mean share of all positives that is among them; None without positive rows.
    pub recall: Option<f64>,
}

/// What each decision costs, all in one unit; a gain is a negative cost.
///
/// ```
/// use foretell_insight::classification::{Costs, Ranking};
///
/// let ranking = Ranking::new(&[0.9, 0.5, 0.3, 0.2], &[true, false, true, false])?;
/// let costs = Costs { false_positive: 5.0, false_negative: 60.0, ..Costs::default() };
/// let best = ranking.cheapest(&costs)?;
/// assert_eq!(best.threshold, Some(0.3));
/// assert_eq!(costs.total(&best.confusion), 5.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Costs {
    /// A positive row that is flagged, such as the price of looking at it.
    pub true_positive: f64,
    /// A negative row that is flagged.
    pub false_positive: f64,
    /// A negative row that passes.
    pub true_negative: f64,
    /// A positive row that passes.
    pub false_negative: f64,
}

impl Costs {
    /// The cost of all these decisions together.
    pub fn total(&self, decisions: &Confusion) -> f64 {
        self.true_positive * decisions.true_positives as f64
            + self.false_positive * decisions.false_positives as f64
            + self.true_negative * decisions.true_negatives as f64
            + self.false_negative * decisions.false_negatives as f64
    }

    fn are_finite(&self) -> bool {
        [self.true_positive, self.false_positive, self.true_negative, self.false_negative]
            .iter()
            .all(|cost| cost.is_finite())
    }
}

impl Ranking {
    /// The decisions when rows with `score >= threshold` are flagged; a NaN threshold flags nothing.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        let flagged = self.scores().partition_point(|&score| score >= threshold);
        let hits = self.labels()[..flagged].iter().filter(|&&label| label).count();
        self.confusion_of(hits as u64, flagged as u64)
    }

    /// [`Ranking::confusion`] together with its ratios.
    pub fn at_threshold(&self, threshold: f64) -> OperatingPoint {
        OperatingPoint::new(Some(threshold), self.confusion(threshold))
    }

    /// Precision and recall among the `k` highest scores; see [`Top`] for ties. A `k` above the number of rows
    /// means all rows.
    pub fn top(&self, k: NonZeroUsize) -> Top {
        let k = k.get().min(self.rows());
        let mut above = 0;
        for (group, tally) in self.groups().zip(self.tallies()) {
            if group.end < k {
                above += tally.positives;
                continue;
            }
            let taken = (k - group.start) as u64;
            let share = taken as f64 / group.len() as f64;
            let hits = above as f64 + tally.positives as f64 * share;
            let part = |hits: f64| hits / k as f64;
            return Top {
                k,
                precision: part(hits),
                precision_low: part((above + taken.saturating_sub(tally.negatives)) as f64),
                precision_high: part((above + taken.min(tally.positives)) as f64),
                recall: (self.positives() > 0).then(|| hits / self.positives() as f64),
            };
        }
        unreachable!("the last group ends at the number of rows, which `k` does not exceed")
    }

    /// The lowest threshold that flags at most this share of the negative rows: the most recall that the
    /// false-positive rate allows.
    ///
    /// The threshold is None when even the highest score is shared by too many negative rows, so that nothing
    /// may be flagged. Choose it on other rows than those it is judged on.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] without negative rows, [`Undefined::Rate`] for a rate outside 0 to 1.
    pub fn at_false_positive_rate(&self, rate: f64) -> Result<OperatingPoint, MetricError> {
        let metric = "threshold_at_false_positive_rate";
        if !(0.0..=1.0).contains(&rate) {
            return Err(MetricError { metric, cause: Undefined::Rate { rate } });
        }
        if self.negatives() == 0 {
            return Err(self.one_class(metric));
        }
        let allowed = |step: &Step| step.confusion.false_positive_rate().is_some_and(|found| found <= rate);
        let last = self.steps().take_while(allowed).last().unwrap_or_else(|| self.flag_nothing());
        Ok(OperatingPoint::new(last.threshold, last.confusion))
    }

    /// The cost when rows with `score >= threshold` are flagged.
    pub fn cost(&self, threshold: f64, costs: &Costs) -> f64 {
        costs.total(&self.confusion(threshold))
    }

    /// The threshold with the least cost; of equally cheap ones the highest, which flags the fewest rows.
    ///
    /// # Errors
    /// [`Undefined::Cost`] when a cost is infinite or NaN.
    pub fn cheapest(&self, costs: &Costs) -> Result<OperatingPoint, MetricError> {
        if !costs.are_finite() {
            return Err(MetricError { metric: "cheapest_threshold", cause: Undefined::Cost });
        }
        let mut best = self.flag_nothing();
        let mut least = costs.total(&best.confusion);
        for step in self.steps() {
            let cost = costs.total(&step.confusion);
            if cost < least {
                (best, least) = (step, cost);
            }
        }
        Ok(OperatingPoint::new(best.threshold, best.confusion))
    }

    /// One step per distinct score, from the highest threshold to the lowest, which flags every row.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let (mut hits, mut flagged) = (0, 0);
        self.groups().zip(self.tallies()).map(move |(group, tally)| {
            hits += tally.positives;
            flagged += tally.positives + tally.negatives;
            Step { threshold: Some(self.scores()[group.start]), confusion: self.confusion_of(hits, flagged) }
        })
    }

    /// The decisions above the highest score.
    pub(crate) fn flag_nothing(&self) -> Step {
        Step { threshold: None, confusion: self.confusion_of(0, 0) }
    }

    fn confusion_of(&self, hits: u64, flagged: u64) -> Confusion {
        let false_positives = flagged - hits;
        Confusion {
            true_positives: hits,
            false_positives,
            true_negatives: self.negatives() as u64 - false_positives,
            false_negatives: self.positives() as u64 - hits,
        }
    }
}
