use foretell_store::label::NewLabel;
use foretell_store::prediction::{NewPrediction, RunSelection, ScoredErrorKind, ScoredFilter};
use foretell_store::record::LabelValue;
use proptest::prelude::*;

use crate::shop::{Shop, order};

/// Orders 0 to 3, stored in the reverse order of their times (0, 10, 20, 30).
async fn shop() -> (Shop, Vec<i64>) {
    let (shop, mut ids) =
        Shop::with((0..4).rev().map(|number| order(number, "ann", number * 10)).collect()).await;
    ids.reverse();
    (shop, ids)
}

async fn score(shop: &Shop, run_id: i64, scores: &[(i64, Option<f64>)]) {
    let predictions: Vec<_> = scores
        .iter()
        .map(|(record_id, score)| NewPrediction {
            record_id: *record_id,
            score: *score,
            ..NewPrediction::default()
        })
        .collect();
    shop.store.write_predictions(run_id, &predictions, &[]).await.unwrap();
}

#[tokio::test]
async fn columns_are_in_the_order_of_time_and_belong_together() {
    let (shop, ids) = shop().await;
    let run_id = shop.run("1.0.0").await;
    let tenth = 0.1 + 0.2;
    score(&shop, run_id, &[(ids[0], Some(0.5)), (ids[1], None), (ids[3], Some(tenth))]).await;
    let filter = ScoredFilter {
        external_ids: true,
        fields: vec!["customer".into(), "amount".into(), "colour".into()],
        ..ScoredFilter::new("shop", RunSelection::Run(run_id), "returned")
    };
    let scored = shop.store.scored(&filter).await.unwrap();
    assert_eq!(scored.record_ids, [ids[0], ids[3]], "a record without a score is left out");
    assert_eq!(scored.event_times, [0, 30]);
    assert_eq!(scored.scores, [0.5, tenth], "scores are exact");
    assert_eq!(scored.labels, [Some(0.0), Some(0.0)]);
    assert_eq!(scored.external_ids, [Some("order-0".to_owned()), Some("order-3".to_owned())]);
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(scored.fields[0], [text("ann"), text("ann")]);
    assert_eq!(scored.fields[1], [text("0.5"), text("3.5")]);
    assert_eq!(scored.fields[2], [None, None]);

    let middle = ScoredFilter { from: Some(1), to: Some(30), ..filter.clone() };
    assert!(shop.store.scored(&middle).await.unwrap().is_empty());
    let last = ScoredFilter { from: Some(30), ..filter };
    assert_eq!(shop.store.scored(&last).await.unwrap().record_ids, [ids[3]]);
}

#[tokio::test]
async fn a_label_holds_as_of_the_time_that_is_asked_for() {
    let (shop, ids) = shop().await;
    let run_id = shop.run("1.0.0").await;
    score(&shop, run_id, &[(ids[0], Some(0.5))]).await;
    let known_at = shop.store.labels(ids[0]).await.unwrap()[0].known_at;
    let change = NewLabel {
        record_id: ids[0],
        name: "returned".into(),
        value: LabelValue::Bool(true),
        known_at: known_at + 5,
        source: "review".into(),
    };
    shop.store.add_labels(&[change]).await.unwrap();
    let filter = ScoredFilter::new("shop", RunSelection::Run(run_id), "returned");
    let expected =
        [(known_at - 1, None), (known_at, Some(0.0)), (known_at + 4, Some(0.0)), (known_at + 5, Some(1.0))];
    for (time, label) in expected {
        let filter = ScoredFilter { known_by: Some(time), ..filter.clone() };
        assert_eq!(shop.store.scored(&filter).await.unwrap().labels, [label], "known by {time}");
    }
    assert_eq!(shop.store.scored(&filter).await.unwrap().labels, [Some(1.0)]);
    let other = ScoredFilter { label: "late".into(), ..filter };
    assert_eq!(shop.store.scored(&other).await.unwrap().labels, [None]);
}

#[tokio::test]
async fn of_several_runs_the_latest_that_scored_a_record_counts() {
    let (shop, ids) = shop().await;
    let runs = [shop.run("1.0.0").await, shop.run("2.0.0").await, shop.run("1.0.0").await];
    score(&shop, runs[0], &[(ids[0], Some(0.1)), (ids[1], Some(0.1)), (ids[2], Some(0.1))]).await;
    score(&shop, runs[1], &[(ids[0], Some(0.2)), (ids[1], Some(0.2))]).await;
    score(&shop, runs[2], &[(ids[0], Some(0.3))]).await;
    let scores = |runs| {
        let store = shop.store.clone();
        async move { store.scored(&ScoredFilter::new("shop", runs, "returned")).await.unwrap().scores }
    };
    let plugin = |version: Option<&str>| RunSelection::Plugin {
        name: "returns".into(),
        version: version.map(str::to_owned),
    };
    assert_eq!(scores(plugin(None)).await, [0.3, 0.2, 0.1]);
    assert_eq!(scores(plugin(Some("1.0.0"))).await, [0.3, 0.1, 0.1]);
    assert_eq!(scores(RunSelection::Model("model-2.0.0".into())).await, [0.2, 0.2]);
    assert_eq!(scores(RunSelection::Run(runs[0])).await, [0.1, 0.1, 0.1]);
}

#[tokio::test]
async fn a_long_selection_is_read_in_pieces_without_a_seam() {
    // Ten records at each time, so that pieces end between records of the same time.
    let (shop, ids) = Shop::with((0..20_000).map(|number| order(number, "ann", number / 10)).collect()).await;
    let run_id = shop.run("1.0.0").await;
    let scores: Vec<_> = ids.iter().map(|id| (*id, Some(*id as f64))).collect();
    score(&shop, run_id, &scores).await;
    let filter = ScoredFilter {
        external_ids: true,
        fields: vec!["amount".into()],
        ..ScoredFilter::new("shop", RunSelection::Run(run_id), "returned")
    };
    let scored = shop.store.scored(&filter).await.unwrap();
    assert_eq!(scored.record_ids, ids);
    assert!(scored.scores.iter().zip(&ids).all(|(score, id)| *score == *id as f64));
    assert!((0..).zip(&scored.event_times).all(|(number, time)| *time == number / 10));
    assert!((0..).zip(&scored.external_ids).all(|(number, name)| *name == Some(format!("order-{number}"))));
    assert!((0..).zip(&scored.fields[0]).all(|(number, amount)| *amount == Some(format!("{number}.5"))));
}

#[tokio::test]
async fn a_selection_without_a_run_and_a_label_without_a_number_are_errors() {
    let (shop, ids) = shop().await;
    let run_id = shop.run("1.0.0").await;
    let kind = |domain: &str, runs| {
        let filter = ScoredFilter::new(domain, runs, "returned");
        let store = shop.store.clone();
        async move { store.scored(&filter).await.map(|scored| scored.len()).map_err(|error| error.kind) }
    };
    assert!(matches!(kind("shop", RunSelection::Run(99)).await, Err(ScoredErrorKind::NoRun)));
    assert!(matches!(kind("warehouse", RunSelection::Run(run_id)).await, Err(ScoredErrorKind::NoRun)));
    assert!(matches!(kind("shop", RunSelection::Model("none".into())).await, Err(ScoredErrorKind::NoRun)));
    assert!(matches!(kind("shop", RunSelection::Run(run_id)).await, Ok(0)));

    score(&shop, run_id, &[(ids[0], Some(0.1))]).await;
    let text = NewLabel {
        record_id: ids[0],
        name: "returned".into(),
        value: LabelValue::Text("maybe".into()),
        known_at: i64::MAX,
        source: "review".into(),
    };
    shop.store.add_labels(&[text]).await.unwrap();
    let error = kind("shop", RunSelection::Run(run_id)).await.unwrap_err();
    assert!(matches!(error, ScoredErrorKind::TextLabel { record_id, .. } if record_id == ids[0]));
    assert!(!error.to_string().contains("maybe"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Scores and labels travel as text on the way out. Not a bit may change.
    #[test]
    fn scores_and_labels_are_read_back_exactly(
        values in prop::collection::vec((any_number(), any_number()), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let orders = (0..).zip(&values).map(|(number, (_, label))| {
                let mut order = order(number, "ann", number);
                order.labels[0].value = LabelValue::Number(*label);
                order
            });
            let (shop, ids) = Shop::with(orders.collect()).await;
            let run_id = shop.run("1.0.0").await;
            let scores: Vec<_> = ids.iter().zip(&values).map(|(id, (score, _))| (*id, Some(*score))).collect();
            score(&shop, run_id, &scores).await;
            let filter = ScoredFilter::new("shop", RunSelection::Run(run_id), "returned");
            let scored = shop.store.scored(&filter).await.unwrap();
            assert_eq!(scored.scores, values.iter().map(|(score, _)| *score).collect::<Vec<_>>());
            assert_eq!(scored.labels, values.iter().map(|(_, label)| Some(*label)).collect::<Vec<_>>());
        });
    }
}

/// Zero, and both signs of the magnitudes for which this is promised.
fn any_number() -> impl Strategy<Value = f64> {
    let magnitude = (1.0..10.0_f64, -80..80).prop_map(|(digits, power)| digits * 10_f64.powi(power));
    prop_oneof![Just(0.0), 0.0..=1.0, magnitude.clone(), magnitude.prop_map(|value| -value)]
}
