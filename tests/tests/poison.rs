//! Records that make a plugin fail cost themselves, and not their batch.

use foretell_jobs::JobOptions;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_store::record::{Appender, NewRecord, RejectFilter, SourceInfo, SourceKind};
use foretell_store::selection::{Selection, Unscored};
use foretell_tests::{Workshop, library, onnx_runtime, plugin_directory, score};

const MANIFEST: &str = r#"
schema = 1
[plugin]
name = "moody"
version = "1.0.0"
description = "does what the record tells it to"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "foretell_moody"
[[input]]
name = "mood"
type = "utf8"
[[input]]
name = "amount"
type = "float64"
minimum = 0.0
maximum = 1.0
[output]
labels = ["no", "yes"]
positive = "yes"
"#;

/// Every record of a hundred is calm, but for these: mood, amount, and what the reject must say.
const POISON: [(usize, &str, &str, Option<&str>, &str); 6] = [
    (3, "\"furious\"", "0.5", None, "furious in row"),
    (4, "\"furious\"", "0.5", None, "furious in row"),
    (50, "\"sulky\"", "0.5", None, "expected `calm`"),
    (51, "\"lost\"", "0.5", None, "the plugin answered NaN; expected a finite number"),
    (70, "\"calm\"", "1.5", Some("amount"), "is 1.5; expected 0 to 1"),
    (99, "\"calm\"", "\"much\"", Some("amount"), ""),
];

async fn filled(workshop: &Workshop) -> Store {
    let store = Store::create_or_open(workshop.database()).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "test", Vec::new(), source).await.unwrap();
    let records = (0..100).map(|index| {
        let poison = POISON.iter().find(|(place, ..)| *place == index);
        let (mood, amount) = poison.map_or(("\"calm\"", "0.25"), |(_, mood, amount, ..)| (mood, amount));
        NewRecord {
            external_id: Some(index.to_string()),
            event_time: index as i64,
            payload: format!("{{\"mood\":{mood},\"amount\":{amount}}}"),
            keys: Vec::new(),
            labels: Vec::new(),
        }
    });
    appender.append(records.collect()).await.unwrap();
    appender.finish().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_with_its_reason() {
    let workshop = Workshop::default();
    let directory = plugin_directory(&workshop.path("moody"), MANIFEST, &library("foretell_moody"));
    let registry = workshop.registry();
    let installed = registry.install(&directory, Existing::Keep).unwrap();
    let runtime = onnx_runtime();
    let plugin =
        Plugin::load(&runtime, registry.verify(&installed).unwrap(), &LoadOptions::default()).unwrap();
    let store = filled(&workshop).await;

    // Whatever the size of a chunk, the same records are set aside.
    for chunk_records in [1, 7, 100] {
        let options = JobOptions { chunk_records, ..JobOptions::new(Selection::default()) };
        let job = score(&workshop, &store, &plugin, &runtime, &options).await.unwrap();
        assert_eq!((job.predicted, job.rejected), (94, 6), "chunks of {chunk_records}");
        let mut rejects = store.rejects(RejectFilter::Run(job.run_id), 100).await.unwrap();
        rejects.sort_by_key(|reject| reject.record_id);
        for (reject, (index, _, _, field, reason)) in rejects.iter().zip(POISON) {
            let record = store.record(reject.record_id.unwrap()).await.unwrap().unwrap();
            assert_eq!(record.external_id.unwrap(), index.to_string());
            assert_eq!(reject.field.as_deref(), field, "{reject:?}");
            assert!(reject.reason.contains(reason), "{reject:?}");
        }
        let predictions = store.predictions(PredictionFilter::run(job.run_id), 100).await.unwrap();
        assert!(predictions.iter().all(|prediction| prediction.score == Some(0.25)));
        assert!(predictions.iter().all(|prediction| prediction.label.as_deref() == Some("no")));
    }
    // What was scored or set aside is not looked at again.
    let unscored = Selection { unscored: Some(Unscored::default()), ..Selection::default() };
    assert_eq!(score(&workshop, &store, &plugin, &runtime, &JobOptions::new(unscored)).await, None);
}
