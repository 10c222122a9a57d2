//! The metrics against scikit-learn's answers; `golden/make.py` made the file.

use std::num::NonZeroUsize;

use foretell_insight::classification::{Ranking, Undefined};
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

struct Case {
    name: String,
    ranking: Ranking,
    /// A draw, by position.
    counts: Vec<u32>,
    bins: NonZeroUsize,
    expected: Value,
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("an infinity"),
        value => value.as_f64().expect("a number"),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("golden/classification.json")).expect("valid JSON");
    let bins = NonZeroUsize::new(number(&file["bins"]) as usize).expect("some bins");
    let case = |case: &Value| {
        let labels: Vec<bool> = numbers(&case["labels"]).iter().map(|&label| label == 1.0).collect();
        let ranking = Ranking::new(&numbers(&case["scores"]), &labels).expect("a column without NaN");
        let by_row = numbers(&case["counts"]);
        Case {
            name: case["name"].as_str().expect("a name").to_owned(),
            counts: ranking.order().iter().map(|&row| by_row[row as usize] as u32).collect(),
            ranking,
            bins,
            expected: case["expected"].clone(),
        }
    };
    file["cases"].as_array().expect("cases").iter().map(case).collect()
}

fn check(case: &Case, what: &str, found: Option<f64>) {
    let expected = &case.expected[what];
    let agrees = match (expected.as_f64(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE * expected.abs().max(1.0),
        (expected, found) => expected.is_none() && found.is_none(),
    };
    assert!(agrees, "{}: {what}: expected {expected}, found {found:?}", case.name);
}

#[test]
fn areas_and_losses() {
    for case in cases() {
        let ranking = &case.ranking;
        check(&case, "roc_auc", ranking.roc_auc().ok());
        check(&case, "average_precision", ranking.average_precision().ok());
        check(&case, "log_loss", ranking.log_loss().ok());
        check(&case, "brier_score", ranking.brier_score().ok());
    }
}

#[test]
fn areas_of_a_draw_are_those_of_weighted_rows() {
    for case in cases() {
        check(&case, "roc_auc_of_draw", case.ranking.roc_auc_of_draw(&case.counts));
        check(&case, "average_precision_of_draw", case.ranking.average_precision_of_draw(&case.counts));
    }
}

#[test]
fn decisions_at_thresholds() {
    for case in cases() {
        for decision in case.expected["decisions"].as_array().expect("decisions") {
            let threshold = number(&decision["threshold"]);
            let found = case.ranking.confusion(threshold);
            let counts =
                [found.true_positives, found.false_positives, found.true_negatives, found.false_negatives];
            assert_eq!(serde_json::json!(counts), decision["counts"], "{} at {threshold}", case.name);
            for (found, expected) in [found.precision(), found.recall(), found.f1()]
                .iter()
                .zip(decision["ratios"].as_array().expect("three ratios"))
            {
                assert_eq!(found.is_some(), expected.is_number(), "{} at {threshold}", case.name);
                let gap = found.unwrap_or(0.0) - expected.as_f64().unwrap_or(0.0);
                assert!(gap.abs() <= TOLERANCE, "{} at {threshold}: {found:?} {expected}", case.name);
            }
        }
    }
}

#[test]
fn calibration() {
    let mut compared = 0;
    for case in cases() {
        let expected = &case.expected["calibration"];
        if expected.is_null() {
            continue;
        }
        let found = case.ranking.calibration(case.bins).expect("probabilities");
        assert!(
            (found.expected_error - number(&expected["expected_error"])).abs() <= TOLERANCE,
            "{}",
            case.name
        );
        let curve: Vec<_> =
            found.curve.iter().map(|b| [b.rows as f64, b.mean_score, b.positive_rate]).collect();
        same_points(&case.name, &curve, &expected["curve"]);
        compared += 1;
    }
    assert!(compared >= 10);
}

#[test]
fn curves() {
    let mut compared = 0;
    for case in cases() {
        if case.expected["roc_curve"].is_null() {
            continue;
        }
        let roc = case.ranking.roc_curve(usize::MAX).expect("both classes");
        let roc: Vec<_> = roc.iter().map(|p| [p.false_positive_rate, p.true_positive_rate]).collect();
        same_points(&case.name, &roc, &case.expected["roc_curve"]);
        let pr = case.ranking.precision_recall_curve(usize::MAX).expect("a positive row");
        let pr: Vec<_> = pr.iter().map(|p| [p.precision, p.recall]).collect();
        same_points(&case.name, &pr, &case.expected["precision_recall_curve"]);
        compared += 1;
    }
    assert!(compared >= 10);
}

fn same_points<const N: usize>(name: &str, found: &[[f64; N]], expected: &Value) {
    let expected = expected.as_array().expect("points");
    assert_eq!(found.len(), expected.len(), "{name}: number of points");
    for (found, expected) in found.iter().zip(expected) {
        for (found, expected) in found.iter().zip(numbers(expected)) {
            assert!((found - expected).abs() <= TOLERANCE, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn what_does_not_exist_says_why() {
    for case in cases() {
        if let Err(error) = case.ranking.roc_auc() {
            assert!(matches!(error.cause, Undefined::OneClass { .. }), "{}", case.name);
            assert!(error.to_string().contains("select rows of both classes"), "{error}");
        }
        if let Err(error) = case.ranking.log_loss() {
            assert!(matches!(error.cause, Undefined::NotAProbability { .. }), "{}", case.name);
        }
    }
}
