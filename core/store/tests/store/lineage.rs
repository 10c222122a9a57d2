use foretell_store::label::NewLabel;
use foretell_store::lineage::LineageErrorKind;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::LabelValue;

use crate::shop::{Shop, model, order, plugin, run};

#[tokio::test]
async fn the_same_plugin_and_model_are_stored_once() {
    let shop = Shop::new().await;
    let first = shop.store.plugin_version(&plugin("1.0.0")).await.unwrap();
    assert_eq!(shop.store.plugin_version(&plugin("1.0.0")).await.unwrap(), first);
    let mut rebuilt = plugin("1.0.0");
    rebuilt.library_hash = "another".into();
    assert_ne!(
        shop.store.plugin_version(&rebuilt).await.unwrap(),
        first,
        "another library is another version"
    );

    let network = shop.store.model(&model("1")).await.unwrap();
    assert_eq!(shop.store.model(&model("1")).await.unwrap(), network);
    assert_ne!(shop.store.model(&model("2")).await.unwrap(), network);
    assert_eq!((shop.count("plugin_version").await, shop.count("model").await), (2, 2));
}

#[tokio::test]
async fn a_run_is_read_back_with_everything_that_made_it() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 0), order(2, "bob", 1)]).await;
    let plugin_version_id = shop.store.plugin_version(&plugin("1.0.0")).await.unwrap();
    let models = [shop.store.model(&model("b")).await.unwrap(), shop.store.model(&model("a")).await.unwrap()];
    let new = run(plugin_version_id, models.to_vec());
    let id = shop.store.begin_run(&new).await.unwrap();
    shop.appender().await.append(vec![order(3, "ann", 2)]).await.unwrap();

    let stored = shop.store.run(id).await.unwrap().unwrap();
    assert_eq!(stored.plugin, plugin("1.0.0"));
    assert_eq!(stored.models, [model("b"), model("a")]);
    assert_eq!(stored.config, new.config);
    assert_eq!(stored.config_hash, blake3::hash(new.config.as_bytes()).to_hex().as_str());
    assert_eq!((stored.record_watermark, stored.label_watermark), (ids[1], 2), "as of the beginning");
    assert_eq!(stored.finished_at, None);

    shop.store.finish_run(id).await.unwrap();
    let later = shop.run("2.0.0").await;
    let runs = shop.store.runs(Some("shop")).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [later, id]);
    assert!(runs[1].finished_at.unwrap() >= runs[1].started_at);
    assert_eq!((runs[0].models.len(), runs[1].models.len()), (1, 2));
    assert!(shop.store.runs(Some("warehouse")).await.unwrap().is_empty());
    assert_eq!(shop.store.run(999).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_of_something_unknown_is_refused() {
    let shop = Shop::new().await;
    let plugin_version_id = shop.store.plugin_version(&plugin("1.0.0")).await.unwrap();
    let error = shop.store.begin_run(&run(999, vec![])).await.unwrap_err();
    assert!(matches!(error.kind, LineageErrorKind::UnknownPluginVersion(999)));
    let error = shop.store.begin_run(&run(plugin_version_id, vec![77])).await.unwrap_err();
    assert!(matches!(error.kind, LineageErrorKind::UnknownModel(77)));
    assert_eq!(shop.count("run").await, 0, "the run went with its model");
    let error = shop.store.finish_run(5).await.unwrap_err();
    assert!(matches!(error.kind, LineageErrorKind::UnknownRun(5)));
}

#[tokio::test]
async fn a_prediction_names_its_record_source_run_and_labels() {
    let (shop, ids) = Shop::with(vec![order(1, "ann", 0)]).await;
    let run_id = shop.run("1.0.0").await;
    let prediction = NewPrediction { record_id: ids[0], score: Some(0.5), ..NewPrediction::default() };
    shop.store.write_predictions(run_id, &[prediction], &[]).await.unwrap();
    let label = NewLabel {
        record_id: ids[0],
        name: "returned".into(),
        value: LabelValue::Bool(true),
        known_at: i64::MAX,
        source: "review".into(),
    };
    shop.store.add_labels(&[label]).await.unwrap();

    let lineage = shop.store.lineage_of(ids[0], run_id).await.unwrap().unwrap();
    assert_eq!(lineage.prediction.score, Some(0.5));
    assert_eq!(lineage.record.external_id.as_deref(), Some("order-1"));
    assert_eq!(lineage.source.name, "orders.csv");
    assert_eq!((lineage.run.id, lineage.run.models.len()), (run_id, 1));
    assert_eq!(lineage.labels.last().unwrap().value, LabelValue::Bool(true));
    assert_eq!(shop.store.lineage_of(ids[0], run_id + 1).await.unwrap(), None);
}
