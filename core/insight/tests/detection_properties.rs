//! What must hold for any detections.

use foretell_insight::boxes::BoundingBox;
use foretell_insight::detection::{Columns, DetectionReport, Detections, Truths};
use foretell_insight::report::Estimate;
use proptest::prelude::*;

const IMAGES: u32 = 6;
const LABELS: u32 = 3;
const TOLERANCE: f64 = 1e-12;

/// A box that is drawn or found: image, label, box, and whether it is a crowd, or its score.
type Row<T> = (u32, u32, BoundingBox, T);

fn a_box() -> impl Strategy<Value = BoundingBox> {
    (0.0..100.0, 0.0..100.0, 5.0..120.0, 5.0..120.0).prop_map(|(x, y, width, height)| BoundingBox {
        x,
        y,
        width,
        height,
    })
}

/// Boxes that are drawn; a tenth of them are crowds.
fn truths() -> impl Strategy<Value = Vec<Row<bool>>> {
    prop::collection::vec((0..IMAGES, 0..LABELS, a_box(), prop::bool::weighted(0.1)), 1..40)
}

/// Boxes that are found: some anywhere, and some not far from where one is drawn.
fn scenes() -> impl Strategy<Value = (Vec<Row<bool>>, Vec<Row<f64>>)> {
    truths().prop_flat_map(|truths| {
        let near = (0..truths.len(), -6.0..6.0, 0.8..1.25, 0.0..1.0);
        let anywhere = prop::collection::vec((0..IMAGES, 0..LABELS, a_box(), 0.0..1.0), 0..20);
        (Just(truths), prop::collection::vec(near, 0..40), anywhere).prop_map(|(truths, near, anywhere)| {
            let near = near.into_iter().map(|(truth, moved, grown, score)| {
                let (image, label, drawn, _) = truths[truth];
                (image, label, BoundingBox { x: drawn.x + moved, width: drawn.width * grown, ..drawn }, score)
            });
            let found = near.chain(anywhere).collect();
            (truths, found)
        })
    })
}

fn report(truths: &[Row<bool>], found: &[Row<f64>]) -> DetectionReport {
    fn column<T, U>(rows: &[Row<T>], value: impl Fn(&Row<T>) -> U) -> Vec<U> {
        rows.iter().map(value).collect()
    }
    let labels: Vec<String> = (0..LABELS).map(|label| label.to_string()).collect();
    let (images, of_label) = (column(truths, |row| row.0), column(truths, |row| row.1));
    let (boxes, crowds) = (column(truths, |row| row.2), column(truths, |row| row.3));
    let truths =
        Truths { images: &images, labels: &of_label, boxes: &boxes, areas: None, crowds: Some(&crowds) };
    let (images, of_label) = (column(found, |row| row.0), column(found, |row| row.1));
    let (boxes, scores) = (column(found, |row| row.2), column(found, |row| row.3));
    let detections = Detections { images: &images, labels: &of_label, boxes: &boxes, scores: &scores };
    let columns = Columns { images: IMAGES as usize, labels: &labels, truths, detections };
    DetectionReport::new(&columns, None).expect("good columns")
}

/// All figures of a report.
fn figures(report: &DetectionReport) -> Vec<Option<f64>> {
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    let overall = [value(report.map), value(report.ap50), report.ap75, report.ap_small, report.ap_medium];
    let more = [report.ap_large, report.ar1, report.ar10, report.ar100];
    let sizes = [report.ar_small, report.ar_medium, report.ar_large];
    let classes =
        report.classes.iter().flat_map(|class| [value(class.ap), class.ap50, class.ap75, class.ar100]);
    overall.into_iter().chain(more).chain(sizes).chain(classes).collect()
}

fn agree(one: &DetectionReport, two: &DetectionReport) -> Result<(), TestCaseError> {
    for (one, two) in figures(one).into_iter().zip(figures(two)) {
        let close = match (one, two) {
            (Some(one), Some(two)) => (one - two).abs() < TOLERANCE,
            (one, two) => one.is_none() && two.is_none(),
        };
        prop_assert!(close, "{:?} and {:?}", one, two);
    }
    Ok(())
}

proptest! {
    #[test]
    fn figures_are_shares_and_lower_where_more_is_asked((truths, found) in scenes()) {
        let report = report(&truths, &found);
        for figure in figures(&report).into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&figure), "{}", figure);
        }
        prop_assert!(report.ar1 <= report.ar10 && report.ar10 <= report.ar100);
        for class in &report.classes {
            prop_assert!(class.ap.map(|ap| ap.value) <= class.ap50.map(|ap50| ap50 + TOLERANCE));
            prop_assert!(class.ap75 <= class.ap50);
            prop_assert_eq!(class.ap.is_some(), class.truths > 0);
        }
    }

    #[test]
    fn what_is_found_where_it_is_drawn_is_perfect(truths in truths()) {
        let found: Vec<Row<f64>> = (0u32..)
            .zip(&truths)
            .map(|(n, &(image, label, drawn, _))| (image, label, drawn, f64::from(n)))
            .collect();
        let report = report(&truths, &found);
        for figure in [report.map.map(|map| map.value), report.ap75, report.ap_small, report.ap_large, report.ar100] {
            prop_assert!(figure.is_none_or(|figure| (figure - 1.0).abs() < TOLERANCE), "{:?}", figure);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter((truths, found) in scenes(), turn in 0usize..40) {
        let (mut other_truths, mut other_found) = (truths.clone(), found.clone());
        other_truths.reverse();
        other_found.rotate_left(turn.min(found.len()));
        agree(&report(&truths, &found), &report(&other_truths, &other_found))?;
    }

    #[test]
    fn only_the_order_of_scores_matters((truths, found) in scenes()) {
        let other: Vec<Row<f64>> = found.iter().map(|row| (row.0, row.1, row.2, row.3.exp() * 100.0 - 1e3)).collect();
        agree(&report(&truths, &found), &report(&truths, &other))?;
    }

    #[test]
    fn it_does_not_matter_which_image_comes_first((truths, found) in scenes()) {
        let other_truths: Vec<Row<bool>> = truths.iter().map(|row| (IMAGES - 1 - row.0, row.1, row.2, row.3)).collect();
        let other: Vec<Row<f64>> = found.iter().map(|row| (IMAGES - 1 - row.0, row.1, row.2, row.3)).collect();
        agree(&report(&truths, &found), &report(&other_truths, &other))?;
    }

    #[test]
    fn a_last_false_detection_changes_nothing((truths, found) in scenes(), image in 0..IMAGES, label in 0..LABELS) {
        let mut more = found.clone();
        let elsewhere = BoundingBox { x: 5_000.0, y: 5_000.0, width: 50.0, height: 50.0 };
        more.push((image, label, elsewhere, -1.0));
        agree(&report(&truths, &found), &report(&truths, &more))?;
    }

    #[test]
    fn a_first_false_detection_lowers_the_figure((truths, found) in scenes(), image in 0..IMAGES) {
        let mut more = found.clone();
        let elsewhere = BoundingBox { x: 5_000.0, y: 5_000.0, width: 50.0, height: 50.0 };
        more.push((image, 0, elsewhere, 2.0));
        let (before, after) = (report(&truths, &found), report(&truths, &more));
        let ap50 = |report: &DetectionReport| report.classes[0].ap50;
        let lowered = match (ap50(&before), ap50(&after)) {
            (Some(before), Some(after)) => after < before || (before, after) == (0.0, 0.0),
            (before, after) => before == after,
        };
        prop_assert!(lowered, "{:?} and {:?}", ap50(&before), ap50(&after));
    }
}
