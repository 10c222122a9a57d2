use foretell_store::label::NewLabel;
use foretell_store::members::Members;
use foretell_store::prediction::{Answered, AnsweredFilter, NewPrediction, RunSelection, ScoredErrorKind};
use foretell_store::record::{LabelValue, Reject};
use foretell_store::selection::Selection;

use crate::shop::{Shop, order};

fn filter(runs: RunSelection, records: Members) -> AnsweredFilter {
    AnsweredFilter { domain: "shop".into(), runs, records, label: "verdict".into() }
}

#[tokio::test]
async fn answers_come_whole_and_beside_labels_of_any_kind() {
    let orders = (0..5).rev().map(|number| order(number, "ann", number * 10)).collect();
    let (shop, ids) = Shop::with(orders).await;
    let label = |record_id, value| NewLabel {
        record_id,
        name: "verdict".into(),
        value,
        known_at: 1,
        source: "review".into(),
    };
    let text = |text: &str| LabelValue::Text(text.into());
    let labels =
        [label(ids[0], text("broken")), label(ids[1], LabelValue::Bool(true)), label(ids[0], text("late"))];
    shop.store.add_labels(&labels).await.unwrap();
    let runs = [shop.run("1.0.0").await, shop.run("2.0.0").await];
    let prediction = |record_id, score| NewPrediction {
        record_id,
        score,
        label: Some("late".into()),
        output: Some(r#"{"late":0.5}"#.into()),
    };
    let first: Vec<_> = ids[..4].iter().map(|id| prediction(*id, Some(0.5))).collect();
    shop.store.write_predictions(runs[0], &first, &[]).await.unwrap();
    let reject =
        |reason: &str| Reject { record_id: Some(ids[4]), reason: reason.into(), ..Reject::default() };
    shop.store.write_predictions(runs[0], &[], &[reject("no amount")]).await.unwrap();
    let aside = [reject("no colour"), Reject { record_id: Some(ids[2]), ..reject("not asked for") }];
    shop.store.write_predictions(runs[1], &[prediction(ids[1], None)], &aside).await.unwrap();

    let plugin = RunSelection::Plugin { name: "returns".into(), version: None };
    let asked = [ids[0], ids[1], ids[3], ids[4]].into_iter().collect();
    let filtered = filter(plugin, asked);
    let unanswered = shop.store.unanswered(&filtered).await.unwrap();
    let latest = (ids[4], runs[1], "no colour");
    let unanswered = unanswered.iter().map(|aside| (aside.record_id, aside.run_id, aside.reason.as_str()));
    assert_eq!(unanswered.collect::<Vec<_>>(), [latest]);
    let found = shop.store.answered(&filtered).await.unwrap();
    let answer = |place: usize, run_id, score, label| Answered {
        record_id: ids[place],
        run_id,
        score,
        decision: Some("late".into()),
        output: Some(r#"{"late":0.5}"#.into()),
        label,
    };
    let expected = [
        answer(0, runs[0], Some(0.5), Some(text("late"))),
        answer(1, runs[1], None, Some(LabelValue::Bool(true))),
        answer(3, runs[0], Some(0.5), None),
    ];
    assert_eq!(found, expected, "the latest run and label count; who has no prediction is left out");
    let error = shop.store.answered(&filter(RunSelection::Run(99), Members::default())).await.unwrap_err();
    assert!(matches!(error.kind, ScoredErrorKind::NoRun));
}

#[tokio::test]
async fn ids_and_names_lead_to_records() {
    let (shop, ids) = Shop::with((0..4).map(|number| order(number, "ann", 40 - number)).collect()).await;
    let chosen = Selection { from: Some(38), ..Selection::domain("shop") };
    assert_eq!(shop.store.selected(&chosen).await.unwrap(), ids[..3].iter().copied().collect());
    let named = Selection { records: Some(ids[1..].iter().copied().collect()), ..chosen };
    assert_eq!(shop.store.selected(&named).await.unwrap(), ids[1..3].iter().copied().collect());
    assert_eq!(named.describe().matches("3 records by their ids").count(), 1, "{}", named.describe());

    let found = shop.store.records_by_external_ids("shop", ["order-2", "order-9", "order-0"]).await.unwrap();
    let mut found: Vec<i64> = found.into_iter().map(|record| record.id).collect();
    found.sort_unstable();
    assert_eq!(found, [ids[0], ids[2]]);
    let among = [ids[3], ids[1], 99].into_iter().collect();
    let among = shop.store.records_among(&among).await.unwrap();
    assert_eq!(among.iter().map(|record| record.id).collect::<Vec<_>>(), [ids[1], ids[3]]);
    assert!(shop.store.records_by_external_ids("cafe", ["order-2"]).await.unwrap().is_empty());
}
