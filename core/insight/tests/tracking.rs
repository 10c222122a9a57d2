//! Tracks against the answers of py-motmetrics and TrackEval (`golden/make_tracking.py` made the file), the report and its
//! errors.

use foretell_insight::boxes::BoundingBox;
use foretell_insight::tracking::{
    FRAME_BOXES_MAX, Figures, Sequence, TRACKING_REPORT_VERSION, TrackingErrorKind, TrackingReport, Tracks,
};
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
    sequences: Vec<Both>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Both {
    truths: Rows,
    hypotheses: Rows,
}

#[derive(Deserialize)]
struct Rows {
    frames: Vec<i64>,
    ids: Vec<i64>,
    boxes: Vec<[f64; 4]>,
    labels: Vec<u32>,
}

#[derive(Deserialize)]
struct Expected {
    overall: Value,
    sequences: Vec<Value>,
}

fn boxes(sides: &[[f64; 4]]) -> Vec<BoundingBox> {
    sides.iter().map(|&[x, y, width, height]| BoundingBox { x, y, width, height }).collect()
}

impl Rows {
    fn tracks<'a>(&'a self, boxes: &'a [BoundingBox]) -> Tracks<'a> {
        Tracks { frames: &self.frames, ids: &self.ids, boxes, labels: Some(&self.labels) }
    }
}

#[test]
fn figures_are_those_of_motmetrics_and_trackeval() {
    let file: File = serde_json::from_str(include_str!("golden/tracking.json")).expect("valid JSON");
    assert!(file.cases.len() > 15);
    for Case { name, sequences, expected } in &file.cases {
        let boxes: Vec<_> =
            sequences.iter().map(|both| (boxes(&both.truths.boxes), boxes(&both.hypotheses.boxes))).collect();
        let sequences = sequences.iter().zip(&boxes).map(|(both, (drawn, found))| Sequence {
            name,
            truths: both.truths.tracks(drawn),
            hypotheses: both.hypotheses.tracks(found),
        });
        let report = TrackingReport::new(&sequences.collect::<Vec<_>>()).expect("good columns");
        check(name, &expected.overall, &report.overall);
        assert_eq!(report.sequences.len(), expected.sequences.len());
        for (expected, found) in expected.sequences.iter().zip(&report.sequences) {
            check(name, expected, &found.figures);
        }
        let named: Vec<&str> = report.undefined.iter().map(|missing| missing.metric.as_str()).collect();
        let null = serde_json::to_value(&report.overall).expect("plain data");
        let null = null.as_object().expect("an object").iter().filter(|(_, figure)| figure.is_null());
        assert_eq!(named.len(), null.clone().count(), "{name}");
        assert!(null.clone().all(|(metric, _)| named.contains(&metric.as_str())), "{name}: {named:?}");
    }
}

fn check(name: &str, expected: &Value, found: &Figures) {
    let found = serde_json::to_value(found).expect("plain data");
    let expected = expected.as_object().expect("an object");
    assert!(expected.len() > 20);
    for (metric, expected) in expected {
        let found = &found[metric];
        let agrees = match (expected.as_f64(), found.as_f64()) {
            (Some(expected), Some(found)) => (expected - found).abs() <= TOLERANCE,
            _ => expected.is_null() && found.is_null(),
        };
        assert!(agrees, "{name}: {metric}: expected {expected}, found {found}");
    }
}

const SQUARE: BoundingBox = BoundingBox { x: 0.0, y: 0.0, width: 8.0, height: 8.0 };
const TRACKS: Tracks<'static> = Tracks { frames: &[4, 5], ids: &[1, 1], boxes: &[SQUARE; 2], labels: None };
const NONE: Tracks<'static> = Tracks { frames: &[], ids: &[], boxes: &[], labels: None };

#[test]
fn what_does_not_exist_is_null_and_named() {
    let report = TrackingReport::new(&[Sequence { name: "empty", truths: NONE, hypotheses: NONE }]);
    let report = report.expect("good columns");
    assert_eq!(report.version, TRACKING_REPORT_VERSION);
    assert_eq!((report.overall.frames, report.overall.mota, report.overall.hota), (0, None, None));
    assert_eq!(report.undefined.len(), 12);
    assert_eq!(report.undefined[0].reason, "no box was drawn; choose sequences with truths");
    assert_eq!(TrackingReport::new(&[]).expect("no sequence is none that is wrong").overall, report.overall);
    let json = serde_json::to_string(&report).expect("plain data");
    assert_eq!(serde_json::from_str::<TrackingReport>(&json).expect("own JSON"), report);
}

#[test]
fn what_is_wrong_with_columns_is_said() {
    let broken = [SQUARE, BoundingBox { height: f64::NAN, ..SQUARE }];
    let many = FRAME_BOXES_MAX + 1;
    let (frames, ids, boxes) = (vec![3; many], (0..many as i64).collect::<Vec<_>>(), vec![SQUARE; many]);
    let crowd = Tracks { frames: &frames, ids: &ids, boxes: &boxes, labels: None };
    for (truths, hypotheses, expected) in [
        (
            Tracks { ids: &[1], ..TRACKS },
            TRACKS,
            "sequence `clip`: expected 2 values in the column `ids` of the truths, one a box, found 1",
        ),
        (
            TRACKS,
            Tracks { frames: &[1, 2, 3], ..TRACKS },
            "sequence `clip`: expected 2 values in the column `frames` of the hypotheses, one a box, found 3",
        ),
        (
            Tracks { labels: Some(&[0]), ..TRACKS },
            Tracks { labels: Some(&[0, 0]), ..TRACKS },
            "sequence `clip`: expected 2 values in the column `labels` of the truths, one a box, found 1",
        ),
        (
            Tracks { labels: Some(&[0, 0]), ..TRACKS },
            TRACKS,
            "sequence `clip`: the hypotheses have no labels, but the others have; give labels to both or to none",
        ),
        (
            Tracks { boxes: &broken, ..TRACKS },
            TRACKS,
            "sequence `clip`: the box in row 1 of the truths is 8 x NaN at (0, 0); expected sides of at least 0, and \
             numbers of at most 1000000000",
        ),
        (
            TRACKS,
            Tracks { frames: &[5, 5], ..TRACKS },
            "sequence `clip`: id 1 is there twice in frame 5 of the hypotheses; an id marks one box in a frame",
        ),
        (
            TRACKS,
            crowd,
            "sequence `clip`: expected at most 1000 hypotheses in a frame, found 1001 in frame 3",
        ),
    ] {
        let error = TrackingReport::new(&[Sequence { name: "clip", truths, hypotheses }]);
        assert_eq!(error.expect_err("bad columns").to_string(), expected);
    }
}

#[test]
fn a_table_of_all_ids_that_would_not_fit_is_refused() {
    let ids: Vec<i64> = (0..6_000).collect();
    let boxes = vec![SQUARE; ids.len()];
    let tracks = Tracks { frames: &ids, ids: &ids, boxes: &boxes, labels: None };
    let error = TrackingReport::new(&[Sequence { name: "clip", truths: tracks, hypotheses: tracks }]);
    let expected = TrackingErrorKind::Pairs { objects: 6_000, tracks: 6_000 };
    assert_eq!(error.expect_err("too many pairs").kind, expected);
}
