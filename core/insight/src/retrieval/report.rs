//! What people ask of ranked lists, in one value that serialises to JSON.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::accuracy::Accuracy;
use super::diversity::Diversity;
use super::exposure::Exposure;
use super::finder::Finder;
use super::{CUTOFFS_MAX, Columns, RetrievalError};
use crate::bootstrap::{Bootstrap, Interval};
use crate::report::{Estimate, UndefinedMetric};

/// The version of the JSON form.
pub const RANKING_REPORT_VERSION: u32 = 1;

/// What a report shall contain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Look at this many first places, 1 to [`CUTOFFS_MAX`] of them. The order does not matter.
    pub cutoffs: Vec<NonZeroUsize>,
    /// How to make the intervals of the hit rate and of NDCG; None leaves them out.
    pub bootstrap: Option<Bootstrap>,
}

impl Default for Settings {
    /// The first 5 and the first 10 places, without intervals.
    fn default() -> Settings {
        Settings { cutoffs: [5, 10].into_iter().filter_map(NonZeroUsize::new).collect(), bootstrap: None }
    }
}

/// How good ranked lists are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankingReport {
    /// [`RANKING_REPORT_VERSION`].
    pub version: u32,
    /// How many rows have a target: those that accuracy is the mean of.
    pub rows: usize,
    /// How many rows have none, and are not counted there.
    pub without_target: usize,
    /// How many of `rows` have an empty list, and are misses.
    pub empty: usize,
    /// How many items the catalogue has.
    pub items: usize,
    /// One for each of [`Settings::cutoffs`], ascending and without repeats.
    pub cutoffs: Vec<Cutoff>,
    /// What does not exist for these rows, and why.
    pub undefined: Vec<UndefinedMetric>,
}

/// The figures of the first `k` places.
///
/// Those from `hit_rate` to `mrr` are means over the rows that have a target, and null when none has. The others are of
/// all lists, with or without a target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cutoff {
    /// How many places are looked at.
    pub k: usize,
    /// The share of the rows with a target among the first `k`, see [`Hits::hit`](super::Hits::hit).
    pub hit_rate: Option<Estimate>,
    /// See [`Hits::ndcg`](super::Hits::ndcg).
    pub ndcg: Option<Estimate>,
    /// See [`Hits::precision`](super::Hits::precision).
    pub precision: Option<f64>,
    /// See [`Hits::recall`](super::Hits::recall).
    pub recall: Option<f64>,
    /// The mean of [`Hits::average_precision`](super::Hits::average_precision).
    pub map: Option<f64>,
    /// The mean of [`Hits::reciprocal_rank`](super::Hits::reciprocal_rank).
    pub mrr: Option<f64>,
    /// The share of the catalogue that stands in at least one list.
    pub coverage: f64,
    /// How unevenly the places are shared among all items of the catalogue, see [`gini`](super::gini()): 0 when each
    /// stands in as many lists. Null when all lists are empty.
    pub gini: Option<f64>,
    /// The mean popularity of the items shown, each as often as it is shown. Null when all lists are empty.
    pub popularity: Option<f64>,
    /// The mean self-information of the items shown, in bits: `-log2 p(item)`, where `p` is the share of the population
    /// that the item is known to (Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender
    /// systems", PNAS 107(10), 2010). What everybody knows has 0. Null when nothing that is known is shown.
    pub novelty: Option<f64>,
    /// Places with an item of popularity 0. Its self-information would be infinite, so it is not part of `novelty`.
    pub unseen: u64,
    /// The share of pairs of a list's items that have different categories, as mean over the lists with at least two
    /// items of known category: the intra-list distance of Zhang and Hurley, "Avoiding monotony", RecSys 2008, with a
    /// distance of 0 or 1. Null without categories, or when no list has a pair.
    pub diversity: Option<f64>,
}

impl RankingReport {
    /// Evaluates ranked lists against what was looked for.
    ///
    /// Places behind the greatest cutoff are not looked at.
    ///
    /// # Errors
    /// [`RetrievalError`]: columns that do not fit together, or settings outside their range.
    pub fn new(columns: &Columns<'_>, settings: &Settings) -> Result<RankingReport, RetrievalError> {
        columns.check()?;
        let cutoffs = ascending(&settings.cutoffs)?;
        let greatest = cutoffs.last().map_or(0, |k| k.get());
        let items = columns.popularity.counts.len();
        let mut finder = Finder::new(items);
        let mut accuracy = Accuracy::new(&cutoffs);
        let mut exposure = Exposure::new(items, &cutoffs);
        let mut diversity = columns.categories.map(|categories| Diversity::new(categories, &cutoffs));
        let (mut without_target, mut empty) = (0, 0);
        for (row, (list, targets)) in columns.lists.iter().zip(columns.targets.iter()).enumerate() {
            let list = &list[..list.len().min(greatest)];
            match finder.find(row, list, targets)? {
                Some(hits) => {
                    accuracy.add(hits);
                    empty += usize::from(list.is_empty());
                }
                None => without_target += 1,
            }
            exposure.add(list);
            if let Some(diversity) = &mut diversity {
                diversity.add(list);
            }
        }
        let intervals = match &settings.bootstrap {
            Some(bootstrap) if accuracy.rows() > 0 => accuracy.intervals(bootstrap)?,
            _ => vec![None; 2 * cutoffs.len()],
        };
        let (hit_rates, ndcgs) = intervals.split_at(cutoffs.len());
        let figures = |n: usize| {
            let means = accuracy.means(n);
            let mean = means.as_ref();
            let shown = exposure.shown(n, &columns.popularity);
            let estimate = |value, interval: &[Option<Interval>]| Estimate { value, interval: interval[n] };
            Cutoff {
                k: cutoffs[n].get(),
                hit_rate: mean.map(|mean| estimate(mean.hit_rate, hit_rates)),
                ndcg: mean.map(|mean| estimate(mean.ndcg, ndcgs)),
                precision: mean.map(|mean| mean.precision),
                recall: mean.map(|mean| mean.recall),
                map: mean.map(|mean| mean.map),
                mrr: mean.map(|mean| mean.mrr),
                coverage: shown.coverage,
                gini: shown.gini,
                popularity: shown.popularity,
                novelty: shown.novelty,
                unseen: shown.unseen,
                diversity: diversity.as_ref().and_then(|diversity| diversity.mean(n)),
            }
        };
        let figures: Vec<Cutoff> = (0..cutoffs.len()).map(figures).collect();
        Ok(RankingReport {
            version: RANKING_REPORT_VERSION,
            rows: accuracy.rows(),
            without_target,
            empty,
            items,
            undefined: undefined(&figures, columns),
            cutoffs: figures,
        })
    }
}

/// The cutoffs in order, each once.
fn ascending(cutoffs: &[NonZeroUsize]) -> Result<Vec<NonZeroUsize>, RetrievalError> {
    if !(1..=CUTOFFS_MAX).contains(&cutoffs.len()) {
        return Err(RetrievalError::Cutoffs { found: cutoffs.len() });
    }
    let mut cutoffs = cutoffs.to_vec();
    cutoffs.sort_unstable();
    cutoffs.dedup();
    Ok(cutoffs)
}

/// What is null at any cutoff, and why.
fn undefined(cutoffs: &[Cutoff], columns: &Columns<'_>) -> Vec<UndefinedMetric> {
    let lacks = |figure: fn(&Cutoff) -> bool| cutoffs.iter().any(figure);
    let rows = columns.lists.len();
    let no_target = format!("none of {rows} rows has a target; select rows whose outcome is known");
    let no_item =
        format!("all {rows} lists are empty; fit the model, or select rows that it has an answer for");
    let unknown = "no item that is shown has a popularity above 0; count it over a longer period".to_owned();
    let no_pair = "no list has two items whose category is known".to_owned();
    let diversity = columns.categories.is_some() && lacks(|cutoff| cutoff.diversity.is_none());
    let metrics = [
        ("hit_rate", lacks(|cutoff| cutoff.hit_rate.is_none()), &no_target),
        ("ndcg", lacks(|cutoff| cutoff.ndcg.is_none()), &no_target),
        ("precision", lacks(|cutoff| cutoff.precision.is_none()), &no_target),
        ("recall", lacks(|cutoff| cutoff.recall.is_none()), &no_target),
        ("map", lacks(|cutoff| cutoff.map.is_none()), &no_target),
        ("mrr", lacks(|cutoff| cutoff.mrr.is_none()), &no_target),
        ("gini", lacks(|cutoff| cutoff.gini.is_none()), &no_item),
        ("popularity", lacks(|cutoff| cutoff.popularity.is_none()), &no_item),
        ("novelty", lacks(|cutoff| cutoff.novelty.is_none()), &unknown),
        ("diversity", diversity, &no_pair),
    ];
    let lacking = metrics.into_iter().filter(|&(_, lacks, _)| lacks);
    lacking
        .map(|(metric, _, reason)| UndefinedMetric { metric: metric.to_owned(), reason: reason.clone() })
        .collect()
}
