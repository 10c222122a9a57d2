use foretell_store::prediction::{NewPrediction, Prediction, PredictionErrorKind, PredictionFilter};
use foretell_store::record::{Reject, RejectFilter};

use crate::shop::{Shop, order};

fn scored(record_id: i64) -> NewPrediction {
    NewPrediction { record_id, score: Some(0.1 * record_id as f64), label: Some("keep".into()), output: None }
}

async fn shop_of(orders: i64) -> (Shop, Vec<i64>) {
    Shop::with((0..orders).map(|number| order(number, "ann", number)).collect()).await
}

#[tokio::test]
async fn predictions_are_read_back_as_they_were_written() {
    let (shop, ids) = shop_of(700).await;
    let run_id = shop.run("1.0.0").await;
    let mut written: Vec<_> = ids.iter().map(|id| scored(*id)).collect();
    written[1] = NewPrediction { record_id: ids[1], score: None, label: None, output: Some("[1,2]".into()) };
    shop.store.write_predictions(run_id, &written, &[]).await.unwrap();

    assert_eq!(shop.store.count_predictions(run_id).await.unwrap(), 700);
    let read = shop.store.predictions(PredictionFilter::run(run_id), 1_000).await.unwrap();
    let expected = written.into_iter().map(|NewPrediction { record_id, score, label, output }| Prediction {
        run_id,
        record_id,
        score,
        label,
        output,
    });
    assert!(read.iter().cloned().eq(expected));

    let page = PredictionFilter::Run { run_id, after: Some(ids[9]) };
    assert_eq!(shop.store.predictions(page, 2).await.unwrap(), read[10..12]);
    let later = shop.run("2.0.0").await;
    shop.store.write_predictions(later, &[scored(ids[0])], &[]).await.unwrap();
    let of_record = shop.store.predictions(PredictionFilter::Record(ids[0]), 10).await.unwrap();
    assert_eq!(of_record.iter().map(|prediction| prediction.run_id).collect::<Vec<_>>(), [run_id, later]);
}

#[tokio::test]
async fn a_record_is_scored_once_by_a_run() {
    // The repetition is in the second statement of the batch: what the first one wrote must go too.
    let (shop, ids) = shop_of(600).await;
    let run_id = shop.run("1.0.0").await;
    shop.store.write_predictions(run_id, &[scored(ids[550])], &[]).await.unwrap();
    let all: Vec<_> = ids.iter().map(|id| scored(*id)).collect();
    let reject = Reject { reason: "it failed".into(), ..Reject::default() };

    let error = shop.store.write_predictions(run_id, &all, std::slice::from_ref(&reject)).await.unwrap_err();
    assert_eq!(error.run_id, run_id);
    assert!(matches!(error.kind, PredictionErrorKind::AlreadyPredicted(id) if id == ids[550]), "{error:?}");
    assert_eq!(shop.count("prediction").await, 1);
    assert_eq!(shop.count("rejected_record").await, 0, "rejects go with their batch");

    let twice = [scored(ids[3]), scored(ids[4]), scored(ids[3])];
    let error = shop.store.write_predictions(run_id, &twice, &[]).await.unwrap_err();
    assert!(matches!(error.kind, PredictionErrorKind::AlreadyPredicted(id) if id == ids[3]), "{error:?}");
    assert_eq!(shop.count("prediction").await, 1);
}

#[tokio::test]
async fn predictions_of_unknown_things_are_refused_by_name() {
    let (shop, ids) = shop_of(1).await;
    let run_id = shop.run("1.0.0").await;
    let kind = |run_id, prediction: NewPrediction| {
        let store = shop.store.clone();
        async move { store.write_predictions(run_id, &[prediction], &[]).await.unwrap_err().kind }
    };
    assert!(matches!(kind(run_id, scored(4_711)).await, PredictionErrorKind::UnknownRecord(4_711)));
    assert!(matches!(kind(99, scored(ids[0])).await, PredictionErrorKind::UnknownRun));
    for score in [f64::NAN, f64::NEG_INFINITY] {
        let prediction = NewPrediction { score: Some(score), ..scored(ids[0]) };
        assert!(matches!(kind(run_id, prediction).await, PredictionErrorKind::NotFinite(id) if id == ids[0]));
    }
    assert_eq!(shop.count("prediction").await, 0);
}

#[tokio::test]
async fn rejects_of_a_run_are_kept_beside_its_predictions() {
    let (shop, ids) = shop_of(2).await;
    let run_id = shop.run("1.0.0").await;
    let reject =
        Reject { record_id: Some(ids[1]), reason: "the plugin panicked".into(), ..Reject::default() };
    shop.store.write_predictions(run_id, &[scored(ids[0])], &[reject]).await.unwrap();
    let kept = shop.store.rejects(RejectFilter::Run(run_id), 10).await.unwrap();
    assert_eq!((kept.len(), kept[0].record_id, kept[0].run_id), (1, Some(ids[1]), Some(run_id)));

    let unknown = Reject { record_id: Some(4_711), reason: "?".into(), ..Reject::default() };
    let error = shop.store.write_predictions(run_id, &[], &[unknown]).await.unwrap_err();
    assert!(matches!(error.kind, PredictionErrorKind::UnknownRecord(4_711)));
}
