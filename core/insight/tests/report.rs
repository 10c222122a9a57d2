//! The report: what it holds, what it leaves out and why, and its JSON form.

use std::num::NonZeroUsize;

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::classification::{Costs, Ranking};
use foretell_insight::report::{ClassificationReport, REPORT_VERSION, ReportError, Settings};

fn columns() -> (Vec<f64>, Vec<bool>) {
    (0..200).map(|row: u32| (f64::from(row * 37 % 200) / 200.0, row * 37 % 200 + row % 60 > 190)).unzip()
}

fn settings() -> Settings {
    Settings {
        thresholds: vec![0.5, 0.9],
        false_positive_rates: vec![0.01, 0.1],
        top: [10, 50].into_iter().filter_map(NonZeroUsize::new).collect(),
        costs: Some(Costs { false_positive: 5.0, false_negative: 60.0, ..Costs::default() }),
        bootstrap: Some(Bootstrap { replicates: 200, ..Bootstrap::default() }),
        ..Settings::full(3)
    }
}

#[test]
fn every_figure_is_the_one_of_the_ranking() {
    let (scores, labels) = columns();
    let ranking = Ranking::new(&scores, &labels).expect("good columns");
    let report = ClassificationReport::new(&scores, &labels, &settings()).expect("good settings");
    assert_eq!(report.version, REPORT_VERSION);
    assert_eq!((report.rows, report.positives), (200, ranking.positives()));
    for (estimate, value) in [
        (report.roc_auc, ranking.roc_auc()),
        (report.average_precision, ranking.average_precision()),
        (report.log_loss, ranking.log_loss()),
        (report.brier_score, ranking.brier_score()),
    ] {
        let estimate = estimate.expect("both classes and probabilities");
        let interval = estimate.interval.expect("asked for");
        assert_eq!(Ok(estimate.value), value);
        assert!(interval.low < estimate.value && estimate.value < interval.high, "{estimate:?}");
    }
    assert_eq!(report.thresholds[1].confusion, ranking.confusion(0.9));
    assert_eq!(report.top[0].k, 10);
    assert!(report.cheapest.is_some_and(|cheapest| cheapest.total < cheapest.total_without));
    assert!(!report.roc_curve.is_empty() && !report.precision_recall_curve.is_empty());
    assert!(report.undefined.is_empty());
}

#[test]
fn json_reads_back_as_the_same_report() {
    let (scores, labels) = columns();
    let report = ClassificationReport::new(&scores, &labels, &settings()).expect("good settings");
    let json = serde_json::to_string(&report).expect("plain data");
    let again: ClassificationReport = serde_json::from_str(&json).expect("its own form");
    assert_eq!((again.rows, again.top.len(), again.roc_curve.len()), (200, 2, report.roc_curve.len()));
    assert_eq!(serde_json::to_string(&again).expect("plain data").len(), json.len());
}

#[test]
fn rows_of_one_class_get_a_report_that_says_what_is_missing() {
    let report =
        ClassificationReport::new(&[0.1, 0.7, 0.2], &[false; 3], &settings()).expect("good settings");
    assert_eq!((report.roc_auc, report.average_precision), (None, None));
    assert!(report.log_loss.is_some() && report.calibration.is_some());
    let named: Vec<&str> = report.undefined.iter().map(|missing| missing.metric.as_str()).collect();
    assert_eq!(named, ["roc_auc", "average_precision", "roc_curve", "precision_recall_curve"]);
    assert_eq!(report.undefined[0].reason, "all 3 rows are negative; select rows of both classes");
}

#[test]
fn scores_that_are_no_probabilities_are_still_ranked() {
    let report = ClassificationReport::new(&[-2.0, 7.0], &[false, true], &settings()).expect("good settings");
    assert_eq!(report.roc_auc.map(|estimate| estimate.value), Some(1.0));
    assert_eq!((report.log_loss, report.brier_score, report.calibration), (None, None, None));
    assert_eq!(report.undefined.len(), 3);
}

#[test]
fn wrong_settings_and_columns_are_errors() {
    let rate = Settings { false_positive_rates: vec![2.0], ..Settings::default() };
    let error = ClassificationReport::new(&[0.5, 0.6], &[true, false], &rate).expect_err("a bad rate");
    assert!(matches!(error, ReportError::Setting(_)), "{error}");
    let error = ClassificationReport::new(&[], &[], &Settings::default()).expect_err("no rows");
    assert!(matches!(error, ReportError::Ranking(_)), "{error}");
}
