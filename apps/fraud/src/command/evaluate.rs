//! `foretell-fraud evaluate`

use std::num::NonZeroUsize;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::report::{ClassificationReport, Estimate, Settings};
use foretell_store::labelled::LabelledFilter;
use foretell_store::open::Store;
use foretell_store::prediction::{RunSelection, Scored, ScoredFilter};
use foretell_store::time::format_time;
use foretell_terminal::{Failure, Output, Place, exit, format_count, format_percent};
use serde::Serialize;

use crate::card_precision::{CardPrecision, Columns, Detected, card_precision};
use crate::split::{Windows, day_of, split};
use crate::{DOMAIN, LABEL, PLUGIN, arguments};

/// False-positive rates whose thresholds are shown.
const FALSE_POSITIVE_RATES: [f64; 3] = [0.001, 0.005, 0.01];

#[derive(Serialize)]
struct Report {
    /// Scored transactions without a label, which can't be evaluated.
    unlabelled: usize,
    /// Test transactions of cards that were known to be compromised; only with a split.
    removed: usize,
    from: Option<String>,
    to: Option<String>,
    #[serde(flatten)]
    classification: ClassificationReport,
    card_precision: CardPrecision,
}

/// Transactions to evaluate, row by row.
#[derive(Default)]
struct Rows {
    days: Vec<i64>,
    customers: Vec<Customer>,
    scores: Vec<f64>,
    frauds: Vec<bool>,
}

/// A customer's id. Ids that are numbers are ordered as numbers, which decides ties in Card Precision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Customer {
    Number(u64),
    Text(String),
}

impl Customer {
    fn new(id: Option<String>) -> Self {
        let id = id.unwrap_or_default();
        id.parse().map_or(Self::Text(id), Self::Number)
    }
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Evaluate) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let windows = command.split_start.map(Windows::published);
    let mut scored = scored(&store, command, windows.as_ref()).await?;
    let fields = scored.fields.pop().unwrap_or_default();
    let mut customers: Vec<Customer> = fields.into_iter().map(Customer::new).collect();
    let unlabelled = keep_labelled(&mut scored, &mut customers);
    let (kept, removed) = match &windows {
        None => ((0..scored.scores.len()).collect(), 0),
        Some(windows) => without_known_cards(&store, &scored, &customers, windows).await?,
    };
    let rows = select(&scored, &customers, &kept);
    if rows.scores.is_empty() {
        return Err(Failure::words(
            "there is nothing to evaluate: no scored transaction of this time has a label",
        )
        .hint(Some(
            "score first: `foretell-fraud score`; labels come with an import, or from `foretell-fraud label`",
        )));
    }
    let report = Report {
        unlabelled,
        removed,
        from: scored.event_times.first().copied().map(format_time),
        to: scored.event_times.last().copied().map(format_time),
        classification: classify(command, &rows)?,
        card_precision: cards(command, &rows)?,
    };
    output.show(&report, |output| draw(output, &report));
    Ok(exit::DONE)
}

async fn scored(
    store: &Store,
    command: &arguments::Evaluate,
    windows: Option<&Windows>,
) -> Result<Scored, Failure> {
    let runs = match command.run {
        Some(run) => RunSelection::Run(run),
        None => RunSelection::Plugin { name: PLUGIN.to_owned(), version: None },
    };
    let mut filter = ScoredFilter::new(DOMAIN, runs, LABEL);
    filter.fields = vec!["customer_id".to_owned()];
    match windows {
        Some(windows) => (filter.from, filter.to) = (Some(windows.test().start), Some(windows.test().end)),
        None => {
            filter.from = super::time(command.from.as_deref())?;
            filter.to = super::time(command.to.as_deref())?;
        }
    }
    store.scored(&filter).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))
}

/// Drops rows without a label, and says how many.
fn keep_labelled(scored: &mut Scored, customers: &mut Vec<Customer>) -> usize {
    let labelled: Vec<bool> = scored.labels.iter().map(Option::is_some).collect();
    fn keep<T>(column: &mut Vec<T>, labelled: &[bool]) {
        let mut rows = labelled.iter();
        column.retain(|_| *rows.next().expect("columns are equally long"));
    }
    keep(&mut scored.event_times, &labelled);
    keep(&mut scored.scores, &labelled);
    keep(&mut scored.labels, &labelled);
    keep(customers, &labelled);
    labelled.len() - scored.labels.len()
}

/// Rows of the test week without the cards that were known to be compromised, and how many rows those had.
async fn without_known_cards(
    store: &Store,
    scored: &Scored,
    customers: &[Customer],
    windows: &Windows,
) -> Result<(Vec<usize>, usize), Failure> {
    let filter = LabelledFilter {
        domain: DOMAIN.to_owned(),
        label: LABEL.to_owned(),
        from: windows.all().start,
        to: windows.test().start,
        field: "customer_id".to_owned(),
    };
    let before = store.labelled(&filter).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let first = before.labels.len();
    let times: Vec<i64> = before.event_times.iter().chain(&scored.event_times).copied().collect();
    let frauds: Vec<bool> =
        before.labels.iter().copied().chain(labels(scored)).map(|label| label > 0.5).collect();
    let customers: Vec<Customer> =
        before.fields.into_iter().map(Customer::new).chain(customers.iter().cloned()).collect();
    let split = split(&times, &customers, &frauds, windows).map_err(|error| Failure::new(&error))?;
    Ok((split.test.into_iter().map(|row| row - first).collect(), split.removed.len()))
}

fn labels(scored: &Scored) -> impl Iterator<Item = f64> {
    scored.labels.iter().map(|label| label.expect("rows without a label were dropped"))
}

fn select(scored: &Scored, customers: &[Customer], kept: &[usize]) -> Rows {
    let labels: Vec<f64> = labels(scored).collect();
    Rows {
        days: kept.iter().map(|&row| day_of(scored.event_times[row])).collect(),
        customers: kept.iter().map(|&row| customers[row].clone()).collect(),
        scores: kept.iter().map(|&row| scored.scores[row]).collect(),
        frauds: kept.iter().map(|&row| labels[row] > 0.5).collect(),
    }
}

fn classify(command: &arguments::Evaluate, rows: &Rows) -> Result<ClassificationReport, Failure> {
    let settings = Settings {
        thresholds: vec![0.5],
        false_positive_rates: FALSE_POSITIVE_RATES.to_vec(),
        bootstrap: (command.resamples > 0).then(|| Bootstrap {
            replicates: command.resamples,
            seed: command.seed,
            ..Bootstrap::default()
        }),
        ..Settings::default()
    };
    ClassificationReport::new(&rows.scores, &rows.frauds, &settings).map_err(|error| Failure::new(&error))
}

fn cards(command: &arguments::Evaluate, rows: &Rows) -> Result<CardPrecision, Failure> {
    let columns =
        Columns { days: &rows.days, customers: &rows.customers, scores: &rows.scores, frauds: &rows.frauds };
    let k = NonZeroUsize::new(command.cards as usize).expect("the command line asks for 1 or more");
    card_precision(&columns, k, Detected::Removed).map_err(|error| Failure::new(&error))
}

fn draw(output: Output, report: &Report) {
    let metrics = &report.classification;
    output.line(&format!(
        "{} transactions from {} to {}, {} of them fraud ({})",
        format_count(metrics.rows as u64),
        report.from.as_deref().unwrap_or_default(),
        report.to.as_deref().unwrap_or_default(),
        format_count(metrics.positives as u64),
        format_percent(metrics.positives as f64 / metrics.rows as f64)
    ));
    if report.removed > 0 {
        let removed = format_count(report.removed as u64);
        output.line(&format!("{removed} left out: their cards were known to be compromised"));
    }
    if report.unlabelled > 0 {
        output
            .line(&format!("{} left out: scored, but not labelled", format_count(report.unlabelled as u64)));
    }
    output.line("");
    let estimates = [
        ("ROC AUC", &metrics.roc_auc),
        ("average precision", &metrics.average_precision),
        ("log loss", &metrics.log_loss),
        ("Brier score", &metrics.brier_score),
    ];
    output.table(
        &["metric", "value#", "95 % interval"],
        estimates
            .into_iter()
            .filter_map(|(name, estimate)| Some(estimate_line(name, estimate.as_ref()?)))
            .chain([vec![
                format!("Card Precision@{}", report.card_precision.k),
                format!("{:.4}", report.card_precision.mean),
                String::new(),
            ]]),
    );
    for undefined in &metrics.undefined {
        output.line(&format!("{}: {}", undefined.metric, undefined.reason));
    }
    output.line("");
    output.table(
        &["threshold#", "false positives#", "recall#", "precision#", "flagged#"],
        metrics.thresholds.iter().chain(&metrics.false_positive_rates).map(|point| {
            let percent = |share: Option<f64>| share.map(format_percent).unwrap_or_default();
            vec![
                point.threshold.map_or_else(|| "none".to_owned(), |threshold| format!("{threshold:.4}")),
                percent(point.false_positive_rate),
                percent(point.recall),
                percent(point.precision),
                format_count(point.confusion.flagged()),
            ]
        }),
    );
}

fn estimate_line(name: &str, estimate: &Estimate) -> Vec<String> {
    let interval = estimate.interval.map(|interval| format!("{:.4} to {:.4}", interval.low, interval.high));
    vec![name.to_owned(), format!("{:.4}", estimate.value), interval.unwrap_or_default()]
}
