//! The published protocol, step by step through the product's programs.

use std::ffi::OsString;
use std::path::Path;

use chrono::NaiveDate;
use foretell_fraud::split::{DELAY_DAYS, TEST_DAYS, TRAIN_DAYS};
use foretell_insight::report::Estimate;
use foretell_terminal::Failure;
use serde::Deserialize;

use crate::product::{Product, Scored};
use crate::program::Finished;

/// What `foretell-fraud import --json` answers.
#[derive(Debug, Deserialize)]
pub(super) struct Imported {
    pub(super) rows: u64,
    pub(super) stored: u64,
    pub(super) rejected: u64,
    pub(super) seconds: f64,
}

/// What of `foretell-fraud evaluate --json` is looked at.
#[derive(Debug, Deserialize)]
struct Evaluated {
    rows: u64,
    positives: u64,
    roc_auc: Estimate,
    average_precision: Estimate,
    card_precision: CardPrecision,
}

#[derive(Debug, Deserialize)]
struct CardPrecision {
    mean: f64,
}

/// The three metrics of the protocol, with 95 % intervals where there are some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metrics {
    pub(super) rows: u64,
    pub(super) frauds: u64,
    pub(super) auc_roc: Estimate,
    pub(super) average_precision: Estimate,
    pub(super) card_precision: f64,
}

impl Metrics {
    /// AUC ROC, average precision, Card Precision@100.
    pub(super) fn figures(&self) -> [f64; 3] {
        [self.auc_roc.value, self.average_precision.value, self.card_precision]
    }
}

/// Imports the handbook's table.
pub(super) fn import(product: &Product, table: &Path) -> Result<(Imported, Finished), Failure> {
    let arguments: [OsString; 5] =
        ["import".into(), table.into(), "--mapping".into(), "handbook".into(), "--json".into()];
    product.ask("foretell-fraud", arguments)
}

/// Scores the transactions of `days`, or all there are, whether they were scored before or not.
pub(super) fn score(
    product: &Product,
    days: Option<[NaiveDate; 2]>,
    model: Option<&Path>,
) -> Result<(Scored, Finished), Failure> {
    let mut arguments: Vec<OsString> = vec!["score".into(), "--again".into(), "--json".into()];
    if let Some([from, to]) = days {
        arguments.extend(["--from".into(), from.to_string().into(), "--to".into(), to.to_string().into()]);
    }
    if let Some(model) = model {
        arguments.extend(["--model".into(), model.into()]);
    }
    product.ask("foretell-fraud", arguments)
}

/// Scores the test week of a split, and evaluates it as published.
pub(super) fn test_week(
    product: &Product,
    start: NaiveDate,
    model: Option<&Path>,
) -> Result<Metrics, Failure> {
    let (scored, _) = score(product, Some(test_days(start)), model)?;
    evaluate(product, scored.run, start)
}

/// Evaluates a run on the test week of a split.
pub(super) fn evaluate(product: &Product, run: i64, start: NaiveDate) -> Result<Metrics, Failure> {
    let arguments = ["evaluate", "--split-start", &start.to_string(), "--run", &run.to_string(), "--json"];
    let (evaluated, _) = product.ask::<Evaluated, _>("foretell-fraud", arguments)?;
    Ok(Metrics {
        rows: evaluated.rows,
        frauds: evaluated.positives,
        auc_roc: evaluated.roc_auc,
        average_precision: evaluated.average_precision,
        card_precision: evaluated.card_precision.mean,
    })
}

/// The first day of a split's test week, and the day after its last.
pub(super) fn test_days(start: NaiveDate) -> [NaiveDate; 2] {
    let first = start + chrono::Days::new(u64::from(TRAIN_DAYS + DELAY_DAYS));
    [first, first + chrono::Days::new(u64::from(TEST_DAYS))]
}

#[cfg(test)]
mod tests {
    use foretell_fraud::split::SINGLE;

    #[test]
    fn the_single_split_is_tested_from_8_to_14_august() {
        assert_eq!(super::test_days(SINGLE).map(|day| day.to_string()), ["2018-08-08", "2018-08-15"]);
    }
}
