//! What must hold for any tracks.

use std::collections::BTreeSet;

use foretell_insight::boxes::BoundingBox;
use foretell_insight::tracking::{Figures, Sequence, TrackingReport, Tracks};
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-12;
const FRAMES: i64 = 8;

/// The figures of CLEAR MOT.
const CLEAR: [&str; 12] = [
    "mota",
    "motp_distance",
    "motp_agreement",
    "precision",
    "recall",
    "switches",
    "false_positives",
    "misses",
    "fragmentations",
    "mostly_tracked",
    "partly_tracked",
    "mostly_lost",
];

/// Frame, id, box.
type Row = (i64, i64, BoundingBox);

fn a_box() -> impl Strategy<Value = BoundingBox> {
    (0.0..60.0, 0.0..20.0, 10.0..40.0, 10.0..40.0).prop_map(|(x, y, width, height)| BoundingBox {
        x,
        y,
        width,
        height,
    })
}

/// Rows in which an id stands at most once in a frame.
fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0..FRAMES, 0i64..6, a_box()), 0..most).prop_map(once)
}

fn once(rows: Vec<Row>) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    rows.into_iter().filter(|row| seen.insert((row.0, row.1))).collect()
}

/// What is drawn, and what is found of it: not quite there, sometimes under another id, and some that is nowhere drawn.
fn scenes() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    rows(40).prop_flat_map(|drawn| {
        let changes = prop::collection::vec((-8.0..8.0, 0i64..8, prop::bool::weighted(0.8)), drawn.len());
        (Just(drawn), changes, rows(10)).prop_map(|(drawn, changes, false_rows)| {
            let found = drawn.iter().zip(changes).filter(|(_, (_, _, seen))| *seen).map(
                |(&(frame, id, drawn), (moved, other, _))| {
                    let id = if other < 6 { id } else { other };
                    (frame, id, BoundingBox { x: drawn.x + moved, ..drawn })
                },
            );
            let found = once(found.chain(false_rows).collect());
            (drawn, found)
        })
    })
}

fn report(sequences: &[(Vec<Row>, Vec<Row>)]) -> TrackingReport {
    type Columns = (Vec<i64>, Vec<i64>, Vec<BoundingBox>);
    let columns = |rows: &[Row]| -> Columns {
        (
            rows.iter().map(|row| row.0).collect(),
            rows.iter().map(|row| row.1).collect(),
            rows.iter().map(|row| row.2).collect(),
        )
    };
    fn tracks(columns: &Columns) -> Tracks<'_> {
        Tracks { frames: &columns.0, ids: &columns.1, boxes: &columns.2, labels: None }
    }
    let columns: Vec<_> = sequences.iter().map(|(drawn, found)| (columns(drawn), columns(found))).collect();
    let sequences = columns.iter().map(|(drawn, found)| Sequence {
        name: "clip",
        truths: tracks(drawn),
        hypotheses: tracks(found),
    });
    TrackingReport::new(&sequences.collect::<Vec<_>>()).expect("good columns")
}

fn figures(drawn: &[Row], found: &[Row]) -> Figures {
    report(&[(drawn.to_vec(), found.to_vec())]).overall
}

/// Every figure but those of the names.
fn agree(one: &Figures, two: &Figures, but: &[&str]) -> Result<(), TestCaseError> {
    let value = |figures: &Figures| serde_json::to_value(figures).expect("plain data");
    let (one, two) = (value(one), value(two));
    for (name, one) in
        one.as_object().expect("an object").iter().filter(|(name, _)| !but.contains(&name.as_str()))
    {
        let two: &Value = &two[name];
        let close = match (one.as_f64(), two.as_f64()) {
            (Some(one), Some(two)) => (one - two).abs() < TOLERANCE,
            _ => one == two,
        };
        prop_assert!(close, "{}: {} and {}", name, one, two);
    }
    Ok(())
}

fn close(one: Option<f64>, two: Option<f64>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => (one - two).abs() < TOLERANCE,
        (one, two) => one.is_none() && two.is_none(),
    }
}

proptest! {
    #[test]
    fn figures_are_shares_and_counts_add_up((drawn, found) in scenes()) {
        let figures = figures(&drawn, &found);
        let shares = [figures.idf1, figures.idp, figures.idr, figures.hota, figures.deta, figures.assa, figures.loca];
        let more = [figures.precision, figures.recall, figures.motp_agreement, figures.motp_distance];
        for share in shares.into_iter().chain(more).flatten() {
            prop_assert!((0.0..=1.0 + TOLERANCE).contains(&share), "{:?}", figures);
        }
        prop_assert!(figures.mota.is_none_or(|mota| mota <= 1.0));
        prop_assert_eq!((figures.truths, figures.hypotheses), (drawn.len() as u64, found.len() as u64));
        // A truth that is not missed is a hypothesis that is not false.
        prop_assert_eq!(figures.truths - figures.misses, figures.hypotheses - figures.false_positives);
        let groups = figures.mostly_tracked + figures.partly_tracked + figures.mostly_lost;
        prop_assert_eq!(groups, figures.objects);
        prop_assert!(figures.switches + figures.misses <= figures.truths);
        // One track for an object finds no more than any track frame by frame.
        prop_assert!(figures.idr <= figures.recall);
    }

    #[test]
    fn what_is_answered_as_it_is_drawn_is_perfect(drawn in rows(40)) {
        let figures = figures(&drawn, &drawn);
        let wrong = figures.misses + figures.false_positives + figures.switches + figures.fragmentations;
        prop_assert_eq!(wrong, 0);
        let all = [figures.mota, figures.idf1, figures.hota, figures.deta, figures.assa, figures.loca];
        for figure in all {
            prop_assert!(figure.is_none_or(|figure| (figure - 1.0).abs() < TOLERANCE), "{:?}", figures);
        }
        prop_assert_eq!(figures.hota.is_some(), !drawn.is_empty());
        prop_assert_eq!(figures.mostly_tracked, figures.objects);
    }

    #[test]
    fn ids_are_names((drawn, found) in scenes()) {
        let renamed = |rows: &[Row], factor: i64| -> Vec<Row> {
            rows.iter().map(|row| (row.0, 100 - row.1 * factor, row.2)).collect()
        };
        agree(&figures(&drawn, &found), &figures(&renamed(&drawn, 9), &renamed(&found, 1)), &[])?;
    }

    #[test]
    fn the_order_of_rows_does_not_matter((drawn, found) in scenes(), turn in 0usize..40) {
        let (mut other_drawn, mut other_found) = (drawn.clone(), found.clone());
        other_drawn.rotate_left(turn.min(drawn.len()));
        other_found.reverse();
        agree(&figures(&drawn, &found), &figures(&drawn, &other_found), &[])?;
        // Two objects that were last found as one track: the first row keeps it, which CLEAR MOT shows.
        agree(&figures(&drawn, &found), &figures(&other_drawn, &found), &CLEAR)?;
    }

    #[test]
    fn time_may_begin_anywhere_and_leave_out_frames((drawn, found) in scenes()) {
        let later = |rows: &[Row]| -> Vec<Row> { rows.iter().map(|row| (row.0 * 7 - 1_000, row.1, row.2)).collect() };
        agree(&figures(&drawn, &found), &figures(&later(&drawn), &later(&found)), &[])?;
    }

    #[test]
    fn two_sequences_are_as_one_of_both(one in scenes(), two in scenes()) {
        // After the first: other frames, other ids.
        let after = |rows: &[Row]| rows.iter().map(|row| (row.0 + 100, row.1 + 100, row.2)).collect::<Vec<Row>>();
        let joined = (
            [one.0.clone(), after(&two.0)].concat(),
            [one.1.clone(), after(&two.1)].concat(),
        );
        let apart = report(&[one, two]);
        agree(&apart.overall, &report(&[joined]).overall, &[])?;
        prop_assert_eq!(apart.sequences.len(), 2);
    }

    #[test]
    fn precision_is_recall_seen_from_the_other_side((drawn, found) in scenes()) {
        let (one, other) = (figures(&drawn, &found), figures(&found, &drawn));
        prop_assert!(close(one.idp, other.idr) && close(one.idr, other.idp) && close(one.idf1, other.idf1));
        for (one, other) in [(one.hota, other.hota), (one.deta, other.deta), (one.assa, other.assa), (one.loca, other.loca)] {
            prop_assert!(close(one, other), "{:?} and {:?}", one, other);
        }
    }
}
