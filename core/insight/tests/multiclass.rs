//! Several classes, decisions and masks against scikit-learn's answers, which `golden/make_multiclass.py` wrote, and against
//! plain definitions.

use foretell_insight::bootstrap::Bootstrap;
use foretell_insight::decisions::DecisionReport;
use foretell_insight::multiclass::{MulticlassError, MulticlassReport};
use foretell_insight::overlap::{Overlap, OverlapReport, polygon_mask};
use foretell_insight::report::Estimate;
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;

fn golden(part: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("golden/multiclass.json")).expect("valid JSON");
    file[part].as_array().expect("cases").clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn check(name: &str, expected: &Value, found: Option<f64>) {
    let agrees = match (expected.as_f64(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE,
        (expected, found) => expected.is_none() && found.is_none(),
    };
    assert!(agrees, "{name}: expected {expected}, found {found:?}");
}

fn value(estimate: Option<Estimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.value)
}

#[test]
fn classes_are_told_apart_as_scikit_learn_says() {
    for case in golden("multiclass") {
        let name = case["name"].as_str().expect("a name");
        let classes = case["classes"].as_u64().expect("a number") as usize;
        let labels: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let truths: Vec<usize> = numbers(&case["truths"]).iter().map(|truth| *truth as usize).collect();
        let report = MulticlassReport::new(&labels, &numbers(&case["scores"]), &truths, None).expect(name);
        let expected = &case["expected"];
        check(name, &expected["accuracy"], Some(report.accuracy.value));
        check(name, &expected["macro_auc"], value(report.macro_auc));
        check(name, &expected["macro_recall"], value(report.macro_recall));
        for (class, found) in report.classes.iter().enumerate() {
            check(name, &expected["roc_auc"][class], value(found.roc_auc));
            check(name, &expected["recall"][class], value(found.recall));
            check(name, &expected["precision"][class], found.precision);
            check(name, &expected["f1"][class], found.f1);
            assert_eq!(expected["rows"][class].as_u64(), Some(found.rows), "{name}");
        }
        assert_eq!(
            serde_json::to_value(&report.confusion).expect("numbers"),
            expected["confusion"],
            "{name}"
        );
    }
}

#[test]
fn decisions_are_as_often_right_as_scikit_learn_says() {
    for case in golden("decisions") {
        let name = case["name"].as_str().expect("a name");
        let labels: Vec<bool> = numbers(&case["labels"]).iter().map(|label| *label == 1.0).collect();
        let threshold = case["threshold"].as_f64().expect("a number");
        let report = DecisionReport::new(&numbers(&case["scores"]), &labels, threshold, None).expect(name);
        let expected = &case["expected"];
        check(name, &expected["accuracy"], value(report.accuracy));
        check(name, &expected["sensitivity"], value(report.sensitivity));
        check(name, &expected["specificity"], value(report.specificity));
        check(name, &expected["precision"], value(report.precision));
        check(name, &expected["f1"], value(report.f1));
    }
}

#[test]
fn masks_overlap_as_scikit_learn_says() {
    for case in golden("masks") {
        let name = case["name"].as_str().expect("a name");
        let mask =
            |part: &str| -> Vec<bool> { numbers(&case[part]).iter().map(|pixel| *pixel == 1.0).collect() };
        let overlap = Overlap::of(&mask("found"), &mask("drawn"));
        check(name, &case["expected"]["dice"], overlap.dice());
        check(name, &case["expected"]["jaccard"], overlap.intersection_over_union());
    }
}

#[test]
fn what_has_no_figure_has_none() {
    let labels = ["a", "b", "c"].map(str::to_owned);
    let report = MulticlassReport::new(&labels, &[0.6, 0.3, 0.1, 0.2, 0.7, 0.1], &[0, 1], None).unwrap();
    assert_eq!((report.macro_auc, report.macro_recall), (None, None), "nothing is of class c");
    assert_eq!(
        (report.classes[2].recall, report.classes[2].precision, report.classes[2].f1),
        (None, None, None)
    );
    assert_eq!(value(report.classes[0].roc_auc), Some(1.0));

    let none = Overlap::default();
    assert_eq!((none.dice(), none.intersection_over_union()), (None, None));
    let half = Overlap { common: 1, found: 2, drawn: 2 };
    let missed = Overlap { common: 0, found: 2, drawn: 2 };
    let report = OverlapReport::new(&[none, half, missed, half], None).unwrap();
    assert_eq!((report.images, report.missed, report.empty), (4, 1, 1));
    assert_eq!((value(report.dice), value(report.dice_median)), (Some(1.0 / 3.0), Some(0.5)));
    assert_eq!(OverlapReport::new(&[none], Some(&Bootstrap::default())).unwrap().dice, None);
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let labels = ["a", "b"].map(str::to_owned);
    let refusal =
        |scores: &[f64], truths: &[usize]| MulticlassReport::new(&labels, scores, truths, None).unwrap_err();
    assert_eq!(refusal(&[0.5; 3], &[0, 1]), MulticlassError::Lengths { classes: 2, rows: 2, found: 3 });
    assert_eq!(refusal(&[0.5; 4], &[0, 2]), MulticlassError::Truth { row: 1, found: 2, classes: 2 });
    assert!(matches!(refusal(&[0.5, f64::NAN], &[0]), MulticlassError::Ranking(_)));
    assert!(matches!(refusal(&[], &[]), MulticlassError::Ranking(_)));
    let one = MulticlassReport::new(&labels[..1], &[0.5], &[0], None).unwrap_err();
    assert_eq!(one, MulticlassError::Classes { found: 1 });
}

#[test]
fn intervals_hold_the_figure_and_depend_on_the_seed_alone() {
    let labels = ["a", "b", "c"].map(str::to_owned);
    let truths: Vec<usize> = (0..90).map(|row| row % 3).collect();
    let scores: Vec<f64> = (0..270).map(|place| f64::from((place * 7919 + 13) % 101) / 101.0).collect();
    let seeded = |seed| {
        let bootstrap = Bootstrap { seed, replicates: 200, ..Bootstrap::default() };
        MulticlassReport::new(&labels, &scores, &truths, Some(&bootstrap)).unwrap()
    };
    let report = seeded(1);
    assert_eq!(report, seeded(1));
    assert_ne!(report, seeded(2));
    for estimate in [Some(report.accuracy), report.macro_auc, report.classes[1].recall] {
        let Estimate { value, interval } = estimate.expect("a figure");
        let interval = interval.expect("an interval");
        assert!(interval.low <= value && value <= interval.high && interval.low < interval.high);
    }
}

proptest! {
    #[test]
    fn a_pixel_is_within_a_polygon_if_a_ray_from_it_meets_an_odd_number_of_sides(
        corners in prop::collection::vec(prop::array::uniform2(-0.2..1.2_f64), 3..9),
        width in 1..12_usize,
        height in 1..12_usize,
    ) {
        let mask = polygon_mask(&corners, width, height);
        prop_assert_eq!(mask.len(), width * height);
        for (place, is_within) in mask.into_iter().enumerate() {
            let (x, y) = ((place % width) as f64 + 0.5, (place / width) as f64 + 0.5);
            let corner = |place: usize| {
                let [x, y] = corners[place % corners.len()];
                (x * width as f64, y * height as f64)
            };
            let is_met = |side: &usize| {
                let ((x1, y1), (x2, y2)) = (corner(*side), corner(*side + 1));
                (y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1
            };
            prop_assert_eq!(is_within, (0..corners.len()).filter(is_met).count() % 2 == 1);
        }
    }
}
