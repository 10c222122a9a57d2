//! How good recommendations were: what was answered, beside what was bought next, and beside what is popular.

use std::num::NonZeroUsize;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::lists::Lists;
use foretell_insight::report::Estimate;
use foretell_insight::retrieval::{Columns, Cutoff, Popularity, RankingReport, Settings};
use foretell_store::open::Store;
use foretell_store::time::{Micros, format_time};
use foretell_terminal::{Failure, Output, format_count};
use serde::Serialize;

use super::answers::{Answers, Asked};
use super::model::read_failure;
use crate::catalogue::Catalogue;
use crate::ledger::{Ledger, Names};
use crate::protocol::{Group, Pair, popular};

/// What is measured, and how.
pub(super) struct Measure<'m> {
    pub(super) ledger: &'m Ledger,
    pub(super) group: Group,
    pub(super) pairs: &'m [Pair],
    /// What was bought before this time is known: popularity is counted from it.
    pub(super) known_before: Micros,
    pub(super) top: &'m [NonZeroUsize],
    pub(super) resamples: u32,
    pub(super) seed: u64,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Measured {
    /// When the first and the last target were bought.
    from: String,
    to: String,
    questions: usize,
    /// Popularity and novelty are counted from what was bought before.
    known_before: String,
    /// The plugin's lists; none, where only popularity was asked about.
    pub(super) recommended: Option<RankingReport>,
    /// The most popular items that the customer did not have.
    pub(super) popularity: RankingReport,
}

/// The purchases that are asked about, in the order of the pairs.
pub(super) fn asked(ledger: &Ledger, pairs: &[Pair]) -> Vec<Asked> {
    let lines = pairs.iter().map(|pair| &ledger.lines[pair.question]);
    lines.map(|line| Asked { record: line.record, time: line.time }).collect()
}

impl Measure<'_> {
    /// Measures answers, whose items are numbered by `items`: those of the ledger, and further ones.
    pub(super) async fn measure(
        &self,
        store: &Store,
        answers: Option<&Answers<Vec<u32>>>,
        items: &Names,
    ) -> Result<Measured, Failure> {
        let mut counts = self.ledger.sold_before(self.known_before);
        let longest = self.top.iter().map(|top| top.get()).max().unwrap_or(1);
        let popular = popular(self.ledger, self.group, self.pairs, &counts, longest);
        counts.resize(items.len(), 0);
        let categories = categories(store, items).await?;
        let known = Known { counts: &counts, categories: &categories };
        let recommended = answers.map(|answers| {
            let mut lists = (Vec::new(), vec![0]);
            for pair in self.pairs {
                let record = self.ledger.lines[pair.question].record;
                lists.0.extend(answers.get(&record).into_iter().flatten());
                lists.1.push(lists.0.len());
            }
            self.report(&lists, &known)
        });
        let times = || self.pairs.iter().map(|pair| self.ledger.lines[pair.target].time);
        Ok(Measured {
            from: times().min().map(format_time).unwrap_or_default(),
            to: times().max().map(format_time).unwrap_or_default(),
            questions: self.pairs.len(),
            known_before: format_time(self.known_before),
            recommended: recommended.transpose()?,
            popularity: self.report(&popular, &known)?,
        })
    }

    fn report(&self, lists: &(Vec<u32>, Vec<usize>), known: &Known<'_>) -> Result<RankingReport, Failure> {
        let targets: Vec<u32> = self.pairs.iter().map(|pair| self.ledger.lines[pair.target].item).collect();
        let offsets: Vec<usize> = (0..=targets.len()).collect();
        let columns = Columns {
            lists: Lists::new(&lists.0, &lists.1).map_err(|error| Failure::new(&error))?,
            targets: Lists::new(&targets, &offsets).map_err(|error| Failure::new(&error))?,
            popularity: Popularity { counts: known.counts, population: known.counts.iter().sum() },
            categories: known.categories.as_deref(),
        };
        let bootstrap = (self.resamples > 0).then(|| Bootstrap {
            replicates: self.resamples,
            seed: self.seed,
            ..Bootstrap::default()
        });
        let settings = Settings { cutoffs: self.top.to_vec(), bootstrap };
        RankingReport::new(&columns, &settings).map_err(|error| Failure::new(&error))
    }
}

/// What is known of the items, by number.
struct Known<'k> {
    counts: &'k [u64],
    categories: &'k Option<Vec<Option<u32>>>,
}

/// The category of each item, numbered; nothing without a catalogue.
async fn categories(store: &Store, items: &Names) -> Result<Option<Vec<Option<u32>>>, Failure> {
    if Catalogue::is_empty(store).await.map_err(read_failure)? {
        return Ok(None);
    }
    let catalogue = Catalogue::read(store).await.map_err(read_failure)?;
    let mut names = Names::default();
    let category = |item| {
        let category = catalogue.get(items.name(item))?.category.as_deref()?;
        Some(names.number(category))
    };
    Ok(Some((0..items.len() as u32).map(category).collect()))
}

impl Measured {
    /// A table of some metrics, a column for the plugin and one for popularity.
    pub(super) fn draw(&self, output: Output, unit: &str, metrics: fn(&Cutoff) -> Vec<Metric>) {
        output.line(&format!(
            "{} {unit}, from {} to {}, out of {} items",
            format_count(self.questions as u64),
            self.from,
            self.to,
            format_count(self.popularity.items as u64)
        ));
        output.line("");
        let Some(recommended) = &self.recommended else {
            let rows = self.popularity.cutoffs.iter().flat_map(|cutoff| {
                metrics(cutoff).into_iter().map(|metric| vec![metric.name, metric.value, metric.interval])
            });
            output.table(&["metric", "popularity#", "95 % interval"], rows);
            return;
        };
        let pairs = recommended.cutoffs.iter().zip(&self.popularity.cutoffs);
        let rows = pairs.flat_map(|(ours, popular)| {
            let rows = metrics(ours).into_iter().zip(metrics(popular));
            rows.map(|(ours, popular)| {
                vec![ours.name, ours.value, ours.interval, popular.value, popular.interval]
            })
        });
        output.table(&["metric", "model#", "95 % interval", "popularity#", "95 % interval"], rows);
        if recommended.empty > 0 {
            output.line(&format!(
                "{} questions have no answer, and count as misses",
                format_count(recommended.empty as u64)
            ));
        }
    }
}

/// A row of a table.
pub(super) struct Metric {
    name: String,
    value: String,
    interval: String,
}

/// Whether the item was found.
pub(super) fn accuracy(cutoff: &Cutoff) -> Vec<Metric> {
    let metric = |name: &str, estimate: Option<Estimate>| Metric {
        name: format!("{name}@{}", cutoff.k),
        value: estimate.map(|estimate| format!("{:.4}", estimate.value)).unwrap_or_default(),
        interval: estimate
            .and_then(|estimate| estimate.interval)
            .map(|interval| format!("{:.4} to {:.4}", interval.low, interval.high))
            .unwrap_or_default(),
    };
    vec![metric("HR", cutoff.hit_rate), metric("NDCG", cutoff.ndcg)]
}

/// Everything: whether the item was found, and what else the lists are like.
pub(super) fn all(cutoff: &Cutoff) -> Vec<Metric> {
    let metric = |name: &str, value: Option<f64>, digits: usize| Metric {
        name: format!("{name}@{}", cutoff.k),
        value: value.map(|value| format!("{value:.digits$}")).unwrap_or_default(),
        interval: String::new(),
    };
    let mut metrics = accuracy(cutoff);
    metrics.extend([
        metric("MRR", cutoff.mrr, 4),
        metric("MAP", cutoff.map, 4),
        metric("coverage", Some(cutoff.coverage), 4),
        metric("Gini", cutoff.gini, 4),
        metric("mean popularity", cutoff.popularity, 1),
        metric("novelty", cutoff.novelty, 2),
        metric("diversity", cutoff.diversity, 4),
    ]);
    metrics
}
