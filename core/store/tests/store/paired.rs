use foretell_store::label::NewLabel;
use foretell_store::prediction::{NewPrediction, PairedErrorKind, PairedFilter};
use foretell_store::record::LabelValue;
use proptest::prelude::*;

use crate::shop::{Shop, order};

/// Orders 0 to `count - 1`, stored in this order, and two runs.
async fn shop(count: i64) -> (Shop, Vec<i64>, [i64; 2]) {
    let (shop, ids) = Shop::with((0..count).map(|number| order(number, "ann", -number)).collect()).await;
    let runs = [shop.run("1.0.0").await, shop.run("2.0.0").await];
    (shop, ids, runs)
}

fn said(record_id: i64, score: impl Into<Option<f64>>, label: Option<&str>) -> NewPrediction {
    NewPrediction { record_id, score: score.into(), label: label.map(str::to_owned), output: None }
}

#[tokio::test]
async fn only_what_both_runs_scored_is_paired_and_the_rest_is_counted() {
    let (shop, ids, [old, new]) = shop(6).await;
    let tenth = 0.1 + 0.2;
    let by_old = [
        said(ids[4], 0.5, Some("keep")),
        said(ids[0], tenth, Some("keep")),
        said(ids[1], None, Some("keep")),
        said(ids[2], 0.9, None),
        said(ids[3], 0.1, Some("keep")),
    ];
    let by_new = [
        said(ids[0], 0.75, Some("return it, \"now\"")),
        said(ids[1], 0.1, Some("keep")),
        said(ids[2], 0.25, Some("keep")),
        said(ids[3], None, Some("lost")),
        said(ids[4], -1e-5, Some("keep")),
        said(ids[5], 0.5, Some("unseen")),
    ];
    shop.store.write_predictions(old, &by_old, &[]).await.unwrap();
    shop.store.write_predictions(new, &by_new, &[]).await.unwrap();
    let paired = shop.store.paired(&PairedFilter::new(old, new)).await.unwrap();
    assert_eq!(paired.record_ids, [ids[0], ids[2], ids[4]], "a record without a score is not scored");
    assert_eq!(paired.old_scores, [tenth, 0.9, 0.5]);
    assert_eq!(paired.new_scores, [0.75, 0.25, -1e-5]);
    let names = |codes: &[Option<u16>]| -> Vec<_> {
        codes.iter().map(|code| code.map(|code| paired.classes[usize::from(code)].as_str())).collect()
    };
    assert_eq!(names(&paired.old_decisions), [Some("keep"), None, Some("keep")]);
    assert_eq!(names(&paired.new_decisions), [Some("return it, \"now\""), Some("keep"), Some("keep")]);
    assert_eq!(paired.classes.len(), 2, "classes of records that are left out are not named");
    assert_eq!((paired.only_old, paired.only_new), (1, 2));
    assert!(paired.labels.is_empty());

    let swapped = shop.store.paired(&PairedFilter::new(new, old)).await.unwrap();
    assert_eq!((swapped.old_scores, swapped.new_scores), (paired.new_scores, paired.old_scores));
    assert_eq!((swapped.only_old, swapped.only_new), (2, 1));
}

#[tokio::test]
async fn a_run_is_paired_with_itself_and_with_an_empty_one() {
    let (shop, ids, [old, new]) = shop(2).await;
    shop.store.write_predictions(old, &[said(ids[1], 0.5, None)], &[]).await.unwrap();
    let itself = shop.store.paired(&PairedFilter::new(old, old)).await.unwrap();
    assert_eq!((itself.len(), itself.only_old, itself.only_new), (1, 0, 0));
    for filter in [PairedFilter::new(old, new), PairedFilter::new(new, old)] {
        let empty = shop.store.paired(&filter).await.unwrap();
        assert!(empty.is_empty());
        assert_eq!(empty.only_old + empty.only_new, 1);
    }
}

#[tokio::test]
async fn the_label_that_holds_stands_beside() {
    let (shop, ids, [old, new]) = shop(3).await;
    for run in [old, new] {
        let predictions: Vec<_> = ids.iter().map(|id| said(*id, 0.5, None)).collect();
        shop.store.write_predictions(run, &predictions, &[]).await.unwrap();
    }
    let known_at = shop.store.labels(ids[0]).await.unwrap()[0].known_at;
    let label = |record_id, value, known_at| NewLabel {
        record_id,
        name: "returned".into(),
        value,
        known_at,
        source: "review".into(),
    };
    let changes = [
        label(ids[0], LabelValue::Bool(true), known_at + 5),
        label(ids[1], LabelValue::Number(0.1 + 0.2), known_at + 5),
    ];
    shop.store.add_labels(&changes).await.unwrap();
    let filter = PairedFilter { label: Some("returned".into()), ..PairedFilter::new(old, new) };
    let labels = |filter: PairedFilter| {
        let store = shop.store.clone();
        async move { store.paired(&filter).await.unwrap().labels }
    };
    let at = |time| PairedFilter { known_by: Some(time), ..filter.clone() };
    assert_eq!(labels(filter.clone()).await, [Some(1.0), Some(0.1 + 0.2), Some(0.0)]);
    assert_eq!(labels(at(known_at + 4)).await, [Some(0.0); 3]);
    // Orders 1 and 2 are older than order 0.
    assert_eq!(labels(at(known_at - 1)).await, [None, Some(0.0), Some(0.0)]);
    assert_eq!(labels(PairedFilter { label: Some("late".into()), ..filter.clone() }).await, [None; 3]);

    shop.store.add_labels(&[label(ids[2], LabelValue::Text("maybe".into()), known_at + 5)]).await.unwrap();
    let error = shop.store.paired(&filter).await.unwrap_err();
    assert!(matches!(error.kind, PairedErrorKind::TextLabel { record_id, .. } if record_id == ids[2]));
    assert!(!error.kind.to_string().contains("maybe"));
    assert!(shop.store.paired(&PairedFilter::new(old, new)).await.is_ok(), "nobody asked for the label");
}

#[tokio::test]
async fn many_records_are_read_in_pieces_without_a_seam() {
    // The old run scored two thirds of the records, the new one three quarters: pieces end where either has a gap.
    let (shop, ids, [old, new]) = shop(40_000).await;
    let mut kept = Vec::new();
    let (mut by_old, mut by_new) = (Vec::new(), Vec::new());
    for (row, id) in ids.iter().enumerate() {
        let (in_old, in_new) = (row % 3 != 0, row % 4 != 0);
        if in_old {
            by_old.push(said(*id, *id as f64, Some(if row % 2 == 0 { "even" } else { "odd" })));
        }
        if in_new {
            by_new.push(said(*id, -*id as f64, Some("odd")));
        }
        if in_old && in_new {
            kept.push(row);
        }
    }
    shop.store.write_predictions(old, &by_old, &[]).await.unwrap();
    shop.store.write_predictions(new, &by_new, &[]).await.unwrap();
    let filter = PairedFilter { label: Some("returned".into()), ..PairedFilter::new(old, new) };
    let paired = shop.store.paired(&filter).await.unwrap();
    let expected: Vec<i64> = kept.iter().map(|row| ids[*row]).collect();
    assert_eq!(paired.record_ids, expected);
    for (place, (row, id)) in kept.iter().zip(&expected).enumerate() {
        assert_eq!((paired.old_scores[place], paired.new_scores[place]), (*id as f64, -*id as f64));
        let class = |code: Option<u16>| paired.classes[usize::from(code.unwrap())].as_str();
        assert_eq!(class(paired.old_decisions[place]), if row % 2 == 0 { "even" } else { "odd" });
        assert_eq!(class(paired.new_decisions[place]), "odd");
    }
    assert_eq!(paired.labels, vec![Some(0.0); kept.len()]);
    assert_eq!(paired.only_old, (by_old.len() - kept.len()) as u64);
    assert_eq!(paired.only_new, (by_new.len() - kept.len()) as u64);
}

#[tokio::test]
async fn a_run_that_is_not_there_is_named() {
    let (shop, _, [old, _]) = shop(1).await;
    for (filter, missing) in [(PairedFilter::new(98, 99), 98), (PairedFilter::new(old, 99), 99)] {
        let error = shop.store.paired(&filter).await.unwrap_err();
        assert!(matches!(error.kind, PairedErrorKind::UnknownRun(run) if run == missing), "{error:?}");
        assert!(error.kind.hint().is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Scores travel as text on the way out. Not a bit may change.
    #[test]
    fn scores_are_read_back_exactly(scores in prop::collection::vec((any_score(), any_score()), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (shop, ids, [old, new]) = shop(scores.len() as i64).await;
            let by = |score: fn(&(f64, f64)) -> f64| -> Vec<_> {
                ids.iter().zip(&scores).map(|(id, scores)| said(*id, score(scores), None)).collect()
            };
            shop.store.write_predictions(old, &by(|scores| scores.0), &[]).await.unwrap();
            shop.store.write_predictions(new, &by(|scores| scores.1), &[]).await.unwrap();
            let paired = shop.store.paired(&PairedFilter::new(old, new)).await.unwrap();
            assert_eq!(paired.old_scores, scores.iter().map(|scores| scores.0).collect::<Vec<_>>());
            assert_eq!(paired.new_scores, scores.iter().map(|scores| scores.1).collect::<Vec<_>>());
        });
    }
}

/// Probabilities, and numbers of either sign, some of them as 32-bit networks answer them.
fn any_score() -> impl Strategy<Value = f64> {
    let magnitude = (-10.0..10.0_f64, -80..79).prop_map(|(digits, power)| digits * 10_f64.powi(power));
    prop_oneof![Just(0.0), 0.0..=1.0, (0.0..=1.0_f32).prop_map(f64::from), magnitude]
}
