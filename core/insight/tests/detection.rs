//! Detections against the answers of pycocotools (`golden/make_detection.py` made the file), the report and its errors.

use foretell_insight::bootstrap::{Bootstrap, BootstrapError};
use foretell_insight::boxes::{BoundingBox, Table};
use foretell_insight::detection::{
    Columns, DETECTION_REPORT_VERSION, DetectionError, DetectionReport, Detections, Truths,
};
use foretell_insight::report::Estimate;
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    images: usize,
    labels: usize,
    truths: Drawn,
    detections: Found,
    expected: Value,
}

#[derive(Deserialize)]
struct Drawn {
    images: Vec<u32>,
    labels: Vec<u32>,
    boxes: Vec<[f64; 4]>,
    areas: Vec<f64>,
    crowds: Vec<bool>,
}

#[derive(Deserialize)]
struct Found {
    images: Vec<u32>,
    labels: Vec<u32>,
    boxes: Vec<[f64; 4]>,
    scores: Vec<f64>,
}

fn boxes(sides: &[[f64; 4]]) -> Vec<BoundingBox> {
    sides.iter().map(|&[x, y, width, height]| BoundingBox { x, y, width, height }).collect()
}

fn names(labels: usize) -> Vec<String> {
    (0..labels).map(|label| format!("label {label}")).collect()
}

fn value(estimate: Option<Estimate>) -> Option<f64> {
    estimate.map(|estimate| estimate.value)
}

#[test]
fn figures_are_those_of_pycocotools() {
    let file: File = serde_json::from_str(include_str!("golden/detection.json")).expect("valid JSON");
    assert!(file.cases.len() > 15);
    for case in &file.cases {
        let name = &case.name;
        let labels = names(case.labels);
        let (drawn, found) = (boxes(&case.truths.boxes), boxes(&case.detections.boxes));
        let truths = Truths {
            images: &case.truths.images,
            labels: &case.truths.labels,
            boxes: &drawn,
            areas: Some(&case.truths.areas),
            crowds: Some(&case.truths.crowds),
        };
        let detections = Detections {
            images: &case.detections.images,
            labels: &case.detections.labels,
            boxes: &found,
            scores: &case.detections.scores,
        };
        let columns = Columns { images: case.images, labels: &labels, truths, detections };
        let report = DetectionReport::new(&columns, None).expect("good columns");
        for (metric, found) in [
            ("map", value(report.map)),
            ("ap50", value(report.ap50)),
            ("ap75", report.ap75),
            ("ap_small", report.ap_small),
            ("ap_medium", report.ap_medium),
            ("ap_large", report.ap_large),
            ("ar1", report.ar1),
            ("ar10", report.ar10),
            ("ar100", report.ar100),
            ("ar_small", report.ar_small),
            ("ar_medium", report.ar_medium),
            ("ar_large", report.ar_large),
        ] {
            check(name, metric, &case.expected[metric], found);
            let named = report.undefined.iter().any(|missing| missing.metric == metric);
            assert_eq!(named, found.is_none(), "{name}: {metric}");
        }
        for (n, class) in report.classes.iter().enumerate() {
            let expected = &case.expected["classes"][n];
            check(name, "ap of a label", &expected["ap"], value(class.ap));
            check(name, "ap50 of a label", &expected["ap50"], class.ap50);
            check(name, "ap75 of a label", &expected["ap75"], class.ap75);
            check(name, "ar100 of a label", &expected["ar100"], class.ar100);
        }
        let crowds = case.truths.crowds.iter().filter(|crowd| **crowd).count();
        assert_eq!((report.truths, report.crowds), (drawn.len() - crowds, crowds), "{name}");
        assert_eq!(report.classes.iter().map(|class| class.detections).sum::<usize>(), found.len(), "{name}");
    }
}

fn check(name: &str, metric: &str, expected: &Value, found: Option<f64>) {
    let agrees = match (expected.as_f64(), found) {
        (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE,
        (_, found) => expected.is_null() && found.is_none(),
    };
    assert!(agrees, "{name}: {metric}: expected {expected}, found {found:?}");
}

fn square(x: f64) -> BoundingBox {
    BoundingBox { x, y: 0.0, width: 40.0, height: 40.0 }
}

/// Two images of one label: found in the first, and in the second neither found nor right.
const IMAGES: [u32; 2] = [0, 1];
const LABELS: [u32; 2] = [0, 0];
const SCORES: [f64; 2] = [0.9, 0.8];

fn report_of(
    images: usize,
    labels: &[String],
    drawn: &[BoundingBox],
    found: &[BoundingBox],
    change: impl FnOnce(&mut Columns<'_>),
) -> Result<DetectionReport, DetectionError> {
    let truths = Truths { images: &IMAGES, labels: &LABELS, boxes: drawn, areas: None, crowds: None };
    let detections = Detections { images: &IMAGES, labels: &LABELS, boxes: found, scores: &SCORES };
    let mut columns = Columns { images, labels, truths, detections };
    change(&mut columns);
    DetectionReport::new(&columns, None)
}

#[test]
fn the_area_of_the_box_is_taken_where_none_is_given() {
    let (labels, boxes) = (names(1), [square(0.0), square(100.0)]);
    let report = report_of(2, &labels, &boxes, &boxes, |_| {}).expect("good columns");
    assert_eq!(report.version, DETECTION_REPORT_VERSION);
    assert_eq!((report.ap_small, report.ap_medium, report.ap_large), (None, Some(1.0), None));
    let report = report_of(2, &labels, &boxes, &boxes, |columns| columns.truths.areas = Some(&[100.0; 2]));
    let report = report.expect("good columns");
    assert_eq!((report.ap_small, report.ap_medium, report.ap_large), (Some(1.0), None, None));
}

#[test]
fn what_is_wrong_with_columns_is_said() {
    let (labels, boxes) = (names(1), [square(0.0), square(1.0)]);
    let broken = BoundingBox { width: -1.0, ..square(0.0) };
    let endless = BoundingBox { x: f64::INFINITY, ..square(0.0) };
    let error = |images, drawn: &[BoundingBox], change: fn(&mut Columns<'_>)| {
        report_of(images, &labels, drawn, &boxes, change).expect_err("bad columns").to_string()
    };
    let table: [(String, &str); 11] = [
        (
            error(0, &boxes, |_| {}),
            "expected 1 to 2147483647 images, found 0; name every image that was looked at",
        ),
        (error(2, &boxes, |columns| columns.labels = &[]), "expected 1 to 100000 labels, found 0"),
        (error(1, &boxes, |_| {}), "row 1 of the truths is in image 1; there are 1, counted from 0"),
        (
            error(2, &boxes, |columns| columns.detections.labels = &[0, 7]),
            "row 1 of the detections has label number 7; there are 1, counted from 0",
        ),
        (
            error(2, &boxes, |columns| columns.truths.images = &[0]),
            "expected 2 values in the column `images` of the truths, one a box, found 1",
        ),
        (
            error(2, &boxes, |columns| columns.truths.crowds = Some(&[true])),
            "expected 2 values in the column `crowds` of the truths, one a box, found 1",
        ),
        (
            error(2, &boxes, |columns| columns.detections.scores = &[0.5; 3]),
            "expected 2 values in the column `scores` of the detections, one a box, found 3",
        ),
        (
            error(2, &boxes, |columns| columns.detections.scores = &[0.5, f64::NAN]),
            "row 1 of the detections has a score that is not a number; leave such detections out",
        ),
        (
            error(2, &boxes, |columns| columns.truths.areas = Some(&[1.0, -2.0])),
            "row 1 of the truths has the area -2; expected a number of at least 0",
        ),
        (
            error(2, &[square(0.0), broken], |_| {}),
            "the box in row 1 of the truths is -1 x 40 at (0, 0); expected sides of at least 0, and numbers of at most \
             1000000000",
        ),
        (
            error(2, &[endless, square(0.0)], |_| {}),
            "the box in row 0 of the truths is 40 x 40 at (inf, 0); expected sides of at least 0, and numbers of at most \
             1000000000",
        ),
    ];
    for (found, expected) in table {
        assert_eq!(found, expected);
    }
    let unknown = report_of(2, &labels, &boxes, &boxes, |columns| columns.detections.images = &[0, 2]);
    let expected = DetectionError::UnknownImage { table: Table::Detections, row: 1, found: 2, images: 2 };
    assert_eq!(unknown, Err(expected));
}

/// `images` images with a truth each, found in every second one, of two labels in turn.
fn alternating(images: usize, bootstrap: &Bootstrap) -> Result<DetectionReport, DetectionError> {
    let numbers: Vec<u32> = (0..images as u32).collect();
    let of_label: Vec<u32> = numbers.iter().map(|image| image / 2 % 2).collect();
    let drawn = vec![square(0.0); images];
    let found: Vec<BoundingBox> = numbers.iter().map(|image| square(f64::from(image % 2) * 90.0)).collect();
    let scores: Vec<f64> = numbers.iter().map(|image| f64::from(*image)).collect();
    let labels = names(3);
    let truths = Truths { images: &numbers, labels: &of_label, boxes: &drawn, areas: None, crowds: None };
    let detections = Detections { images: &numbers, labels: &of_label, boxes: &found, scores: &scores };
    DetectionReport::new(&Columns { images, labels: &labels, truths, detections }, Some(bootstrap))
}

#[test]
fn intervals_hold_the_figure_and_depend_on_the_seed_alone() {
    let report = |seed| alternating(200, &Bootstrap { seed, replicates: 300, ..Bootstrap::default() });
    let one = report(3).expect("good settings");
    for estimate in [one.map, one.ap50, one.classes[0].ap, one.classes[1].ap] {
        let estimate = estimate.expect("there are truths");
        let interval = estimate.interval.expect("asked for");
        assert!(interval.low < estimate.value && estimate.value < interval.high, "{estimate:?}");
        assert!(interval.high - interval.low < 0.3, "{estimate:?}");
        assert_eq!((interval.replicates, interval.undefined), (300, 0));
    }
    assert!(one.classes[2].ap.is_none(), "there is nothing of the third label");
    assert_eq!(report(3), report(3));
    assert_ne!(report(3), report(4));
    let settings = Bootstrap { replicates: 0, ..Bootstrap::default() };
    let expected = DetectionError::Bootstrap(BootstrapError::Replicates { found: 0 });
    assert_eq!(alternating(4, &settings), Err(expected));
}

#[test]
fn the_report_is_the_same_after_json() {
    let report =
        alternating(12, &Bootstrap { replicates: 20, ..Bootstrap::default() }).expect("good columns");
    let json = serde_json::to_string(&report).expect("plain data");
    assert_eq!(serde_json::from_str::<DetectionReport>(&json).expect("own JSON"), report);
    let named: Vec<&str> = report.undefined.iter().map(|missing| missing.metric.as_str()).collect();
    assert_eq!(named, ["ap_small", "ap_large", "ar_small", "ar_large", "classes.label 2"]);
    assert_eq!(report.undefined[0].reason, "none of 12 boxes to be found is small");
}
