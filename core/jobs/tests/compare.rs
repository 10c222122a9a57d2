//! Two runs over stored records, compared.

use foretell_jobs::{CompareError, CompareOptions, CompareReport, MOVED_MAX, Moved, Same, compare};
use foretell_store::lineage::{Model, NewRun, PluginVersion};
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_store::record::{
    Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, SourceInfo, SourceKind,
};
use tempfile::TempDir;

/// A shop with orders, of which every second one came back; the last one is too new to be known.
struct Shop {
    store: Store,
    ids: Vec<i64>,
    _directory: TempDir,
}

const ORDERS: i64 = 8;
const MANIFEST: &str = r#"
schema = 1
[plugin]
name = "returns"
version = "1.0.0"
license = "MIT"
authors = ["The clerk"]
description = "probability that an order comes back"
domain = "shop"
task = "binary-classification"
abi = "1.0"
library = "returns"
[[input]]
name = "amount"
type = "float64"
[output]
labels = ["kept", "returned"]
positive = "returned"
"#;

impl Shop {
    async fn new() -> Shop {
        let directory = TempDir::new().unwrap();
        let store = Store::create_or_open(directory.path().join("shop.db")).await.unwrap();
        let source = SourceInfo { kind: SourceKind::Live, name: "tests".into(), hash: None, mapping: None };
        let mut appender = Appender::begin(&store, "shop", vec![], source).await.unwrap();
        let order = |number: i64| NewRecord {
            external_id: Some(format!("order-{number}")),
            event_time: number * 1_000_000,
            payload: "{}".into(),
            keys: vec![],
            labels: (number + 1 < ORDERS)
                .then(|| NewRecordLabel {
                    name: "returned".into(),
                    value: LabelValue::Bool(number % 2 == 1),
                    known_at: number * 1_000_000,
                })
                .into_iter()
                .collect(),
            media: vec![],
        };
        let outcomes = appender.append((0..ORDERS).map(order).collect()).await.unwrap();
        let ids = outcomes.into_iter().map(Outcome::record_id).collect();
        Shop { store, ids, _directory: directory }
    }

    /// A run of this plugin and model that says this of the first orders, and decides from `threshold` on.
    async fn run(&self, plugin: PluginVersion, model: &str, scores: &[f64], threshold: f64) -> i64 {
        let model = Model {
            plugin: plugin.name.clone(),
            name: "network".into(),
            hash: model.into(),
            file: "returns.onnx".into(),
            bytes: 1,
        };
        let run = NewRun {
            plugin_version_id: self.store.plugin_version(&plugin).await.unwrap(),
            model_ids: vec![self.store.model(&model).await.unwrap()],
            config: "{}".into(),
            onnxruntime: "1.32.0".into(),
            threads: 1,
            program: "tests".into(),
            author: "clerk".into(),
            selection: "{}".into(),
            shadow: false,
        };
        let run = self.store.begin_run(&run).await.unwrap();
        let predictions: Vec<_> = self
            .ids
            .iter()
            .zip(scores)
            .map(|(&record_id, &score)| NewPrediction {
                record_id,
                score: Some(score),
                label: Some(if score >= threshold { "returned" } else { "kept" }.to_owned()),
                output: None,
            })
            .collect();
        self.store.write_predictions(run, &predictions, &[]).await.unwrap();
        run
    }

    async fn compare(&self, options: CompareOptions) -> Result<CompareReport, CompareError> {
        compare(&self.store, options).await
    }
}

fn plugin(version: &str) -> PluginVersion {
    PluginVersion {
        name: "returns".into(),
        version: version.into(),
        domain: "shop".into(),
        task: "binary-classification".into(),
        library_hash: format!("library-{version}"),
        manifest_hash: format!("manifest-{version}"),
        manifest: MANIFEST.into(),
    }
}

fn options(old_run: i64, new_run: i64) -> CompareOptions {
    CompareOptions { old_run, new_run, label: None, moved: 2, seed: 0 }
}

const OLD: [f64; 8] = [0.1, 0.4, 0.7, 0.9, 0.2, 0.3, 0.1, 0.5];
const NEW: [f64; 7] = [0.1, 0.6, 0.2, 0.9, 0.2, 0.3, 0.1];

#[tokio::test]
async fn two_versions_are_set_side_by_side() {
    let shop = Shop::new().await;
    let old = shop.run(plugin("1.0.0"), "a", &OLD, 0.5).await;
    let new = shop.run(plugin("1.1.0"), "b", &NEW, 0.5).await;
    shop.store.finish_run(old).await.unwrap();
    let asked = CompareOptions { label: Some("returned".into()), ..options(old, new) };
    let report = shop.compare(asked.clone()).await.unwrap();

    assert_eq!((report.domain.as_str(), report.task.as_str()), ("shop", "binary-classification"));
    assert_eq!((report.old.run, report.old.plugin.as_str()), (old, "returns@1.0.0"));
    assert_eq!((report.new.run, report.new.plugin.as_str()), (new, "returns@1.1.0"));
    assert_eq!((report.old.models[0].hash.as_str(), report.new.models[0].hash.as_str()), ("a", "b"));
    assert!(report.old.finished_at.is_some() && report.new.finished_at.is_none());
    assert_eq!(report.same, Same { plugin: false, models: false, settings: true });
    assert_eq!((report.comparison.records, report.only_old, report.only_new), (7, 1, 0));

    let decisions = report.comparison.decisions.as_ref().unwrap();
    assert_eq!((decisions.decided, decisions.flipped), (7, 2));
    let positive = decisions.positive.as_ref().unwrap();
    assert_eq!(positive.class, "returned");
    assert_eq!((positive.became_positive, positive.became_negative), (1, 1));
    assert_eq!((positive.right, positive.wrong), (Some(2), Some(0)));
    let roc_auc = report.comparison.labelled.as_ref().unwrap().roc_auc;
    assert_eq!(roc_auc.new.map(|estimate| estimate.value), Some(1.0));
    assert!(roc_auc.difference.is_some_and(|estimate| estimate.value > 0.0 && estimate.interval.is_some()));

    let moved = |row: usize, decisions: [&str; 2], label| Moved {
        record: shop.ids[row],
        external_id: Some(format!("order-{row}")),
        event_time: format!("1970-01-01T00:00:0{row}Z"),
        old_score: OLD[row],
        new_score: NEW[row],
        old_decision: Some(decisions[0].into()),
        new_decision: Some(decisions[1].into()),
        label: Some(label),
    };
    let expected = [moved(2, ["returned", "kept"], 0.0), moved(1, ["kept", "returned"], 1.0)];
    assert_eq!(report.moved, expected);
    assert_eq!(shop.compare(asked).await.unwrap(), report, "the same seed gives the same report");
}

#[tokio::test]
async fn a_run_repeated_has_all_in_common_and_without_a_label_no_metrics() {
    let shop = Shop::new().await;
    let old = shop.run(plugin("1.0.0"), "a", &OLD, 0.5).await;
    let new = shop.run(plugin("1.0.0"), "a", &OLD, 0.5).await;
    let report = shop.compare(CompareOptions { moved: usize::MAX, ..options(old, new) }).await.unwrap();
    assert_eq!(report.same, Same { plugin: true, models: true, settings: true });
    assert_eq!(report.comparison.correlation.spearman, Some(1.0));
    assert_eq!(report.comparison.labelled, None);
    assert_eq!(report.moved.len(), OLD.len().min(MOVED_MAX));
    assert!(report.moved.iter().all(|moved| moved.label.is_none()));
    let positive = report.comparison.decisions.unwrap().positive.unwrap();
    assert_eq!((positive.right, positive.wrong), (None, None));
}

#[tokio::test]
async fn the_positive_class_need_not_have_been_decided_on_and_must_be_the_same() {
    let shop = Shop::new().await;
    let old = shop.run(plugin("1.0.0"), "a", &OLD, 2.0).await;
    let new = shop.run(plugin("1.1.0"), "b", &NEW, 2.0).await;
    let decisions = |report: CompareReport| report.comparison.decisions.unwrap();
    let found = decisions(shop.compare(options(old, new)).await.unwrap());
    assert_eq!((found.agreement, found.positive.unwrap().class.as_str()), (Some(1.0), "returned"));

    let manifest = MANIFEST.replace("positive = \"returned\"", "positive = \"kept\"");
    let other = shop.run(PluginVersion { manifest, ..plugin("2.0.0") }, "c", &NEW, 0.5).await;
    assert_eq!(decisions(shop.compare(options(old, other)).await.unwrap()).positive, None);
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let shop = Shop::new().await;
    let run = shop.run(plugin("1.0.0"), "a", &OLD, 0.5).await;
    let refused = |old, new| shop.compare(options(old, new));

    let error = refused(run, 99).await.unwrap_err();
    assert!(matches!(error, CompareError::UnknownRun(99)), "{error}");

    let warehouse = PluginVersion { domain: "warehouse".into(), ..plugin("2.0.0") };
    let other = shop.run(warehouse, "b", &[], 0.5).await;
    let error = refused(run, other).await.unwrap_err();
    assert!(matches!(error, CompareError::Domains { .. }), "{error}");
    assert!(error.to_string().contains("`shop`") && error.to_string().contains("`warehouse`"), "{error}");

    let price = PluginVersion { task: "regression".into(), ..plugin("3.0.0") };
    let other = shop.run(price.clone(), "c", &OLD, 0.5).await;
    let error = refused(run, other).await.unwrap_err();
    assert!(matches!(error, CompareError::Tasks { .. }) && error.hint().is_some(), "{error}");

    let again = shop.run(price, "c", &NEW, 0.5).await;
    let labelled = CompareOptions { label: Some("returned".into()), ..options(other, again) };
    let error = shop.compare(labelled).await.unwrap_err();
    assert!(matches!(error, CompareError::LabelOfTask { .. }), "{error}");
    assert!(shop.compare(options(other, again)).await.is_ok());

    let empty = shop.run(plugin("1.1.0"), "b", &[], 0.5).await;
    let error = refused(run, empty).await.unwrap_err();
    assert!(matches!(error, CompareError::NothingInCommon { only_old: 8, only_new: 0, .. }), "{error}");
}

#[tokio::test]
async fn of_a_ranking_the_first_items_are_compared_and_of_a_mask_nothing() {
    let shop = Shop::new().await;
    let task = |task: &str, version| PluginVersion { task: task.into(), ..plugin(version) };
    let old = shop.run(task("ranking", "1.0.0"), "a", &OLD, 0.5).await;
    let new = shop.run(task("ranking", "1.1.0"), "b", &NEW, 0.5).await;
    let report = shop.compare(options(old, new)).await.unwrap();
    assert_eq!(report.by, Some("first item"));
    assert_eq!(report.comparison.decisions.unwrap().flipped, 2);

    let old = shop.run(plugin("2.0.0"), "a", &OLD, 0.5).await;
    assert_eq!(shop.compare(options(old, old)).await.unwrap().by, None, "a score says it all");

    let mask = shop.run(task("segmentation", "3.0.0"), "a", &OLD, 0.5).await;
    let error = shop.compare(options(mask, mask)).await.unwrap_err();
    assert!(matches!(&error, CompareError::NoScores { task } if task == "segmentation"), "{error}");
}
