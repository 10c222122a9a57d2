//! Two models against each other: the answers of SciPy and scikit-learn (`golden/make_comparison.py` made the file),
//! decisions, intervals, and what cannot be compared.

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::comparison::{
    COMPARISON_VERSION, Change, Columns, Comparison, ComparisonError, Decisions, FLIPS_MAX, SHIFT_SHARES,
    Side, most_moved,
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

struct Case {
    name: String,
    old: Vec<f64>,
    new: Vec<f64>,
    labels: Vec<Option<bool>>,
    expected: Value,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn golden() -> (Vec<Case>, [f64; 2]) {
    let file: Value = serde_json::from_str(include_str!("golden/comparison.json")).expect("valid JSON");
    assert_eq!(numbers(&file["shares"]), SHIFT_SHARES);
    let case = |case: &Value| Case {
        name: case["name"].as_str().expect("a name").to_owned(),
        old: numbers(&case["old"]),
        new: numbers(&case["new"]),
        labels: numbers(&case["labels"])
            .iter()
            .map(|&label| (label >= 0.0).then_some(label == 1.0))
            .collect(),
        expected: case["expected"].clone(),
    };
    let thresholds = numbers(&file["thresholds"]).try_into().expect("one for each model");
    (file["cases"].as_array().expect("cases").iter().map(case).collect(), thresholds)
}

fn check(name: &str, what: &str, found: Option<f64>, expected: &Value) {
    let agrees = match (expected.as_f64(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE * expected.abs().max(1.0),
        (expected, found) => expected.is_none() && found.is_none(),
    };
    assert!(agrees, "{name}: {what}: expected {expected}, found {found:?}");
}

fn scores<'a>(old: &'a [f64], new: &'a [f64]) -> Columns<'a> {
    Columns { old, new, decisions: None, labels: None }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

#[test]
fn correlations_and_shift_are_those_of_scipy() {
    let (cases, _) = golden();
    assert!(cases.len() >= 15);
    for Case { name, old, new, expected, .. } in cases {
        let found = Comparison::new(&scores(&old, &new), None).expect("good columns");
        check(&name, "pearson", found.correlation.pearson, &expected["pearson"]);
        check(&name, "spearman", found.correlation.spearman, &expected["spearman"]);
        check(&name, "kendall", found.correlation.kendall, &expected["kendall"]);
        let shift = &expected["shift"];
        check(&name, "mean", Some(found.shift.mean), &shift["mean"]);
        check(&name, "mean_absolute", Some(found.shift.mean_absolute), &shift["mean_absolute"]);
        check(&name, "root_mean_square", Some(found.shift.root_mean_square), &shift["root_mean_square"]);
        check(&name, "distance", Some(found.shift.kolmogorov_smirnov), &shift["kolmogorov_smirnov"]);
        let quantiles = shift["quantiles"].as_array().expect("quantiles");
        assert_eq!(found.shift.quantiles.len(), quantiles.len());
        for (found, expected) in found.shift.quantiles.iter().zip(quantiles) {
            check(&name, &format!("quantile {}", found.share), Some(found.difference), expected);
        }
        assert_eq!((found.records, found.version), (old.len(), COMPARISON_VERSION));
        assert!(found.decisions.is_none() && found.labelled.is_none());
    }
}

#[test]
fn decisions_and_metrics_are_those_of_scikit_learn() {
    let (cases, thresholds) = golden();
    let classes = names(2);
    for Case { name, old, new, labels, expected } in cases {
        let decide = |scores: &[f64], threshold: f64| -> Vec<Option<u16>> {
            scores.iter().map(|&score| Some(u16::from(score >= threshold))).collect()
        };
        let (old_classes, new_classes) = (decide(&old, thresholds[0]), decide(&new, thresholds[1]));
        let decisions =
            Decisions { classes: &classes, old: &old_classes, new: &new_classes, positive: Some(1) };
        let columns = Columns { decisions: Some(decisions), labels: Some(&labels), ..scores(&old, &new) };
        let found = Comparison::new(&columns, None).expect("good columns");

        let decided = found.decisions.expect("decisions");
        let positive = decided.positive.expect("a positive class");
        let counts = serde_json::json!({
            "agreement": decided.agreement, "became_positive": positive.became_positive,
            "became_negative": positive.became_negative, "right": positive.right, "wrong": positive.wrong,
        });
        assert_eq!(counts, expected["decisions"], "{name}");
        assert_eq!(decided.flipped, positive.became_positive + positive.became_negative, "{name}");

        let expected = &expected["labelled"];
        assert_eq!(found.labelled.is_none(), expected.is_null(), "{name}");
        let Some(labelled) = found.labelled else { continue };
        assert_eq!(labelled.rows as u64, expected["rows"], "{name}");
        assert_eq!(labelled.positives as u64, expected["positives"], "{name}");
        let mut missing = 0;
        for (metric, change) in [
            ("roc_auc", labelled.roc_auc),
            ("average_precision", labelled.average_precision),
            ("log_loss", labelled.log_loss),
            ("brier_score", labelled.brier_score),
        ] {
            let [old, new, difference] =
                [change.old, change.new, change.difference].map(|estimate| estimate.map(|found| found.value));
            check(&name, metric, old, &expected["old"][metric]);
            check(&name, metric, new, &expected["new"][metric]);
            assert_eq!(difference, old.zip(new).map(|(old, new)| new - old), "{name}: {metric}");
            missing += usize::from(old.is_none()) + usize::from(new.is_none());
        }
        assert_eq!(labelled.undefined.len(), missing, "{name}: what does not exist says why");
    }
}

#[test]
fn flips_are_counted_by_kind() {
    let classes = names(3);
    let old = [0, 0, 0, 1, 1, 2, 2].map(Some);
    let new = [1, 1, 0, 0, 2, 1, 2].map(Some);
    let decisions = Decisions { classes: &classes, old: &old, new: &new, positive: Some(2) };
    let labels = [None, Some(true), Some(true), None, Some(false), Some(false), Some(true)];
    let columns =
        Columns { decisions: Some(decisions), labels: Some(&labels), ..scores(&[0.5; 7], &[0.5; 7]) };
    let found = Comparison::new(&columns, None).expect("good columns").decisions.expect("decisions");
    assert_eq!((found.decided, found.undecided, found.flipped), (7, 0, 5));
    assert_eq!(found.agreement, Some(2.0 / 7.0));
    let kinds: Vec<_> =
        found.flips.iter().map(|flip| (flip.from.as_str(), flip.to.as_str(), flip.records)).collect();
    assert_eq!(
        kinds,
        [
            ("class 0", "class 1", 2),
            ("class 1", "class 0", 1),
            ("class 1", "class 2", 1),
            ("class 2", "class 1", 1)
        ]
    );
    let positive = found.positive.expect("a positive class");
    assert_eq!(positive.class, "class 2");
    assert_eq!((positive.became_positive, positive.became_negative), (1, 1));
    assert_eq!((positive.right, positive.wrong), (Some(1), Some(1)), "a flip from 0 to 1 counts nowhere");
}

#[test]
fn rows_without_a_decision_count_only_as_such() {
    let classes = names(2);
    let (old, new) = ([Some(0), None, Some(1), None], [None, Some(1), Some(0), None]);
    let of = |rows: usize| {
        let decisions = Decisions { classes: &classes, old: &old[..rows], new: &new[..rows], positive: None };
        let (old, new) = ([0.1; 4], [0.2; 4]);
        let columns = Columns { decisions: Some(decisions), ..scores(&old[..rows], &new[..rows]) };
        Comparison::new(&columns, None).expect("good columns").decisions.expect("decisions")
    };
    let found = of(4);
    assert_eq!((found.decided, found.undecided, found.flipped), (1, 3, 1));
    assert_eq!((found.agreement, found.positive), (Some(0.0), None));
    assert_eq!(of(2).agreement, None);
}

#[test]
fn rare_kinds_of_flips_are_left_out_and_counted() {
    // Class c becomes c + 1, twice for the first ten classes.
    let classes = names(FLIPS_MAX + 21);
    let old: Vec<_> = (0..FLIPS_MAX as u16 + 20).chain(0..10).map(Some).collect();
    let new: Vec<_> = old.iter().map(|class| class.map(|class| class + 1)).collect();
    let decisions = Decisions { classes: &classes, old: &old, new: &new, positive: None };
    let column = vec![0.5; old.len()];
    let columns = Columns { decisions: Some(decisions), ..scores(&column, &column) };
    let found = Comparison::new(&columns, None).expect("good columns").decisions.expect("decisions");
    assert_eq!((found.flips.len(), found.flips_left_out), (FLIPS_MAX, 20));
    assert!(found.flips[..10].iter().all(|flip| flip.records == 2));
    let listed: u64 = found.flips.iter().map(|flip| flip.records).sum();
    assert_eq!(listed + found.flips_left_out, found.flipped);
}

/// Scores that say something about every third row, once well and once better, and 300 labels.
fn two_models() -> (Vec<f64>, Vec<f64>, Vec<Option<bool>>) {
    let noise = |row: u32| f64::from(row * 7919 % 400) / 400.0;
    let label = |row: u32| row.is_multiple_of(3);
    let score = |weight: f64| {
        move |row: u32| (1.0 - weight) * noise(row) + if label(row) { weight * 0.9 } else { weight * 0.1 }
    };
    let labels = (0..400).map(|row| (row % 4 != 1).then(|| label(row))).collect();
    ((0..400).map(score(0.3)).collect(), (0..400).map(score(0.4)).collect(), labels)
}

fn changes(comparison: &Comparison) -> [Change; 4] {
    let labelled = comparison.labelled.as_ref().expect("some rows are labelled");
    [labelled.roc_auc, labelled.average_precision, labelled.log_loss, labelled.brier_score]
}

#[test]
fn the_interval_of_a_difference_is_narrower_than_those_of_the_models() {
    let (old, new, labels) = two_models();
    let columns = Columns { labels: Some(&labels), ..scores(&old, &new) };
    let bootstrap = |seed| Some(Bootstrap { replicates: 300, seed, ..Bootstrap::default() });
    let found = Comparison::new(&columns, bootstrap(1)).expect("good columns");
    for change in changes(&found) {
        let estimates = [change.old, change.new, change.difference].map(|found| found.expect("it exists"));
        let widths = estimates.map(|estimate| {
            let interval = estimate.interval.expect("asked for");
            assert!(interval.low <= estimate.value && estimate.value <= interval.high, "{estimate:?}");
            interval.high - interval.low
        });
        assert!(widths[2] < 0.8 * widths[0].min(widths[1]), "the draws are not the same ones: {widths:?}");
    }
    assert_eq!(Comparison::new(&columns, bootstrap(1)), Ok(found.clone()));
    assert_ne!(changes(&Comparison::new(&columns, bootstrap(2)).expect("good columns")), changes(&found));
}

#[test]
fn a_model_with_the_same_order_has_no_difference_on_any_draw() {
    let (old, _, labels) = two_models();
    let new: Vec<f64> = old.iter().map(|score| score * score).collect();
    let columns = Columns { labels: Some(&labels), ..scores(&old, &new) };
    let bootstrap = Bootstrap { replicates: 100, ..Bootstrap::default() };
    let found = Comparison::new(&columns, Some(bootstrap)).expect("good columns");
    let [roc_auc, average_precision, _, brier_score] = changes(&found).map(|change| {
        let interval = change.difference.expect("it exists").interval.expect("asked for");
        (interval.low, interval.high)
    });
    assert_eq!((roc_auc, average_precision), ((0.0, 0.0), (0.0, 0.0)));
    assert!(brier_score.0 < brier_score.1);
}

#[test]
fn what_cannot_be_compared_is_named() {
    let error = |columns: &Columns<'_>| Comparison::new(columns, None).expect_err("bad columns");
    assert_eq!(error(&scores(&[], &[])), ComparisonError::Empty);
    let message = error(&scores(&[0.5], &[])).to_string();
    assert_eq!(message, "expected 1 rows in every column, found 0 new scores");
    for bad in [f64::NAN, f64::INFINITY, -1e101] {
        let error = error(&scores(&[0.5, 0.5], &[0.5, bad]));
        assert!(matches!(error, ComparisonError::Score { side: Side::New, row: 1, .. }), "{error}");
        assert!(error.to_string().contains("expected a number from -1e100 to 1e100"), "{error}");
    }
    let labels = Columns { labels: Some(&[None]), ..scores(&[0.5, 0.5], &[0.5, 0.5]) };
    assert_eq!(error(&labels), ComparisonError::Lengths { column: "labels", expected: 2, found: 1 });

    let classes = names(2);
    let decided = |old, new, positive| {
        let decisions = Decisions { classes: &classes, old, new, positive };
        error(&Columns { decisions: Some(decisions), ..scores(&[0.5], &[0.5]) })
    };
    assert_eq!(
        decided(&[Some(0)], &[], None),
        ComparisonError::Lengths { column: "new decisions", expected: 1, found: 0 }
    );
    assert_eq!(
        decided(&[Some(2)], &[None], None),
        ComparisonError::UnknownClass { side: Side::Old, row: 0, class: 2, classes: 2 }
    );
    assert_eq!(decided(&[None], &[None], Some(2)), ComparisonError::UnknownPositive { class: 2, classes: 2 });
    let columns = Columns { labels: Some(&[Some(true)]), ..scores(&[0.5], &[0.5]) };
    let none = Bootstrap { replicates: 0, ..Bootstrap::default() };
    assert!(matches!(Comparison::new(&columns, Some(none)), Err(ComparisonError::Bootstrap(_))));
}

#[test]
fn what_does_not_exist_names_the_model_and_the_row() {
    let labels = [None, Some(true), Some(false)];
    let columns = Columns { labels: Some(&labels), ..scores(&[7.0, 0.5, 0.5], &[0.5, 0.5, 1.5]) };
    let labelled =
        Comparison::new(&columns, None).expect("good columns").labelled.expect("two rows are labelled");
    let undefined: Vec<_> = labelled
        .undefined
        .iter()
        .map(|missing| (missing.side, missing.metric.as_str(), missing.reason.as_str()))
        .collect();
    let reason = "the score of row 2 is 1.5; expected a probability from 0 to 1";
    assert_eq!(undefined, [(Side::New, "log_loss", reason), (Side::New, "brier_score", reason)]);
    assert!(labelled.log_loss.old.is_some() && labelled.log_loss.difference.is_none());
}

#[test]
fn rows_without_a_label_have_no_metrics() {
    let columns = Columns { labels: Some(&[None, None]), ..scores(&[0.1, 0.2], &[0.2, 0.1]) };
    assert_eq!(Comparison::new(&columns, None).expect("good columns").labelled, None);
}

#[test]
fn json_reads_back_as_the_same_comparison() {
    let (old, new, labels) = two_models();
    let classes = names(2);
    let decide = |scores: &[f64]| -> Vec<_> { scores.iter().map(|s| Some(u16::from(*s > 0.5))).collect() };
    let decided = (decide(&old), decide(&new));
    let decisions = Decisions { classes: &classes, old: &decided.0, new: &decided.1, positive: Some(1) };
    let columns = Columns { decisions: Some(decisions), labels: Some(&labels), ..scores(&old, &new) };
    let bootstrap = Bootstrap { replicates: 50, ..Bootstrap::default() };
    let comparison = Comparison::new(&columns, Some(bootstrap)).expect("good columns");
    let json = serde_json::to_string(&comparison).expect("plain data");
    assert_eq!(serde_json::from_str::<Comparison>(&json).expect("its own form"), comparison);
}

#[test]
fn most_moved_takes_any_count() {
    let (old, new) = ([0.5, 0.1, 0.9, 0.5], [0.5, 0.4, 0.6, 0.4]);
    assert_eq!(most_moved(&old, &new, 0), [0; 0]);
    assert_eq!(most_moved(&[], &[], 3), [0; 0]);
    assert_eq!(most_moved(&old, &new, usize::MAX).len(), 4);
    assert_eq!(most_moved(&[0.0, 0.25, 1.0, 0.25], &[0.0, 0.0, 0.75, 0.25], 3), [1, 2, 0]);
}

/// What is quadratic takes minutes here.
#[test]
fn many_rows_are_compared() {
    let rows: u64 = 200_000;
    let at = |row: u64, factor: u64| (row * factor % rows) as f64 / rows as f64;
    let old: Vec<f64> = (0..rows).map(|row| at(row, 7919)).collect();
    // One half of the rows has a score of its own, the other one is tied.
    let new: Vec<f64> =
        (0..rows).map(|row| if row.is_multiple_of(2) { at(row, 7919) } else { 0.5 }).collect();
    let labels: Vec<_> =
        (0..rows).map(|row| row.is_multiple_of(5).then_some(row.is_multiple_of(10))).collect();
    let columns = Columns { labels: Some(&labels), ..scores(&old, &new) };
    let bootstrap = Bootstrap { replicates: 4, ..Bootstrap::default() };
    let found = Comparison::new(&columns, Some(bootstrap)).expect("good columns");
    assert_eq!(found.records as u64, rows);
    assert!(found.correlation.kendall.is_some_and(|tau| 0.0 < tau && tau < 1.0));
    assert_eq!(most_moved(&old, &new, 1_000).len(), 1_000);
}
