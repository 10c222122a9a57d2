//! `foretell prediction` and `foretell verify`: where predictions come from, and whether they come out again.

use foretell_store::lineage::NewRun;
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_tests::{Finished, Workshop, onnx_runtime};
use serde_json::json;

use super::{DOES_NOT_HOLD, DONE, FAILED, foretell, foretell_with, install_moody, orders, score_all};

fn verify(workshop: &Workshop, more: &[&str]) -> Finished {
    foretell_with(workshop, onnx_runtime().path(), &[&["verify"], more].concat())
}

/// A workshop with 40 orders that were scored, and the run.
async fn scored() -> (Workshop, Store, i64) {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let store = orders(&workshop, 40).await;
    let run = score_all(&workshop, &store).await;
    (workshop, store, run)
}

/// Stores a run like `run`, with the score 0.5 for every order.
async fn forge(store: &Store, run: i64) -> i64 {
    let run = store.run(run).await.unwrap().unwrap();
    let forged = store
        .begin_run(&NewRun {
            plugin_version_id: run.plugin_version_id,
            model_ids: Vec::new(),
            config: run.config,
            onnxruntime: run.onnxruntime,
            threads: run.threads,
            program: run.program,
            author: run.author,
            selection: run.selection,
            shadow: false,
        })
        .await
        .unwrap();
    let prediction =
        |record_id| NewPrediction { record_id, score: Some(0.5), label: Some("kept".into()), output: None };
    store.write_predictions(forged, &(1..=40).map(prediction).collect::<Vec<_>>(), &[]).await.unwrap();
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_names_all_that_produced_it() {
    let (workshop, store, run) = scored().await;
    store.close().await;
    let runs = foretell(&workshop, &["prediction", "runs", "--json"]).json();
    assert_eq!((&runs["total"], &runs["runs"][0]["predictions"]), (&json!(1), &json!(40)), "{runs}");
    let table = foretell(&workshop, &["prediction", "runs"]).stdout;
    assert!(table.contains("moody@1.0.0") && table.contains(" 40 "), "{table}");

    let shown = foretell(&workshop, &["prediction", "show", "4", "--json"]);
    assert_eq!(shown.code, DONE, "{shown:?}");
    let shown = shown.json();
    let (prediction, made_by) = (&shown["predictions"][0], &shown["predictions"][0]["run"]);
    assert_eq!(shown["record"]["external_id"], "order-3");
    assert_eq!(shown["source"]["kind"], "live");
    assert_eq!(shown["labels"][0]["name"], "returned");
    assert_eq!(prediction["label"], "kept");
    assert_eq!(made_by["id"], run);
    assert_eq!(made_by["program"], "test 0");
    assert_eq!(made_by["onnxruntime"], onnx_runtime().version());
    assert_eq!(made_by["config"], json!({"patience": 3}));
    assert_eq!((&made_by["record_watermark"], &made_by["label_watermark"]), (&json!(40), &json!(40)));
    let inspected = foretell(&workshop, &["plugin", "inspect", "moody", "--json"]).json();
    let files = &inspected["installation"]["files"];
    assert_eq!(made_by["plugin"]["manifest_hash"], files[0]["hash"]);
    assert_eq!(made_by["plugin"]["library_hash"], files[1]["hash"]);
    let manifest = prediction["manifest"].as_str().unwrap();
    assert_eq!(made_by["plugin"]["manifest_hash"], blake3::hash(manifest.as_bytes()).to_hex().as_str());

    let words = foretell(&workshop, &["prediction", "show", "4"]).stdout;
    let hashes = ["/plugin/library_hash", "/plugin/manifest_hash", "/config_hash"];
    for hash in hashes.map(|key| made_by.pointer(key).unwrap().as_str().unwrap()) {
        assert!(words.contains(hash), "{words}");
    }
    assert!(words.contains("records up to 40, labels up to 40"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn predictions_of_several_runs_stand_beside_each_other() {
    let (workshop, store, run) = scored().await;
    let forged = forge(&store, run).await;
    store.close().await;
    let shown = foretell(&workshop, &["prediction", "show", "4", "--json"]).json();
    let runs: Vec<_> =
        shown["predictions"].as_array().unwrap().iter().map(|one| one["run"]["id"].clone()).collect();
    assert_eq!(runs, [forged, run], "the latest comes first");
    let one = foretell(&workshop, &["prediction", "show", "4", "--run", &run.to_string(), "--json"]).json();
    assert_eq!(one["predictions"].as_array().unwrap().len(), 1);
    let unfinished = foretell(&workshop, &["prediction", "runs", "--limit", "1"]).stdout;
    assert!(unfinished.contains("not finished") && unfinished.contains("1 of 2 runs"), "{unfinished}");
    let unknown = foretell(&workshop, &["prediction", "show", "4", "--run", "99"]);
    assert_eq!(unknown.code, FAILED);
    assert!(unknown.told().contains("there is no run 99"), "{}", unknown.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_again_holds() {
    let (workshop, store, run) = scored().await;
    store.close().await;
    let finished = verify(&workshop, &["--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let report = finished.json();
    assert_eq!(report["holds"], true);
    assert_eq!((&report["predictions"], &report["equal"]), (&json!(40), &json!(40)));
    assert_eq!(report["largest_difference"], 0.0);
    let some = verify(&workshop, &["--run", &run.to_string(), "--limit", "7"]);
    assert_eq!(some.code, DONE);
    insta::assert_snapshot!(some.stdout, @"
    runs                1
    predictions         7
    equal               7 within 1e-6
    not equal           0
    largest difference  0
    ");
    let unknown = verify(&workshop, &["--run", "99"]);
    assert_eq!(unknown.code, FAILED);
    assert!(unknown.told().contains("there is no run 99"), "{}", unknown.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_out_again_is_told() {
    let (workshop, store, run) = scored().await;
    let forged = forge(&store, run).await.to_string();
    store.close().await;
    let finished = verify(&workshop, &["--json"]);
    assert_eq!(finished.code, DOES_NOT_HOLD, "{finished:?}");
    let report = finished.json();
    assert_eq!(
        (&report["holds"], &report["runs"], &report["predictions"]),
        (&json!(false), &json!(2), &json!(80))
    );
    assert_eq!(report["equal"], 44, "an amount in ten is 0.5: {report}");
    let difference = report["largest_difference"].as_f64().unwrap();
    assert!((difference - 0.5).abs() < 1e-6, "{report}");
    assert_eq!(report["differences"][0]["stored"], 0.5);

    let words = verify(&workshop, &["--run", &forged]);
    assert_eq!(words.code, DOES_NOT_HOLD);
    assert!(words.stdout.contains("not equal           36"), "{}", words.stdout);
    assert!(words.stdout.contains("... and 16 more"), "{}", words.stdout);
    assert_eq!(verify(&workshop, &["--tolerance", "0.51"]).code, DONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_of_the_run_the_fix_is_told() {
    let (workshop, store, _) = scored().await;
    store.close().await;
    assert_eq!(foretell(&workshop, &["plugin", "remove", "moody"]).code, DONE);
    let finished = verify(&workshop, &[]);
    assert_eq!(finished.code, FAILED);
    assert!(finished.told().contains("run 1: plugin `moody@1.0.0` is not installed"), "{}", finished.told());

    install_moody(&workshop);
    let library = foretell_tests::library("foretell_moody");
    let installed = workshop.path("home/plugins/moody/1.0.0").join(library.file_name().unwrap());
    std::fs::write(installed, "something else").unwrap();
    let finished = verify(&workshop, &[]);
    assert_eq!(finished.code, FAILED);
    let (told, before) = (finished.told(), blake3::hash(&std::fs::read(library).unwrap()));
    assert!(told.contains(before.to_hex().as_str()) && told.contains("has changed since"), "{told}");
    assert!(told.contains(blake3::hash(b"something else").to_hex().as_str()), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_predictions_nothing_is_needed() {
    let workshop = Workshop::default();
    orders(&workshop, 1).await.close().await;
    let finished = foretell_with(&workshop, "nowhere.so".as_ref(), &["verify"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    assert!(finished.stdout.contains("nothing to verify"), "{finished:?}");
    let runs = foretell(&workshop, &["prediction", "runs"]);
    assert_eq!((runs.code, runs.stdout.as_str()), (DONE, "no run: nothing was scored yet\n"));
    let shown = foretell(&workshop, &["prediction", "show", "1"]);
    assert_eq!(shown.code, FAILED);
    assert!(shown.told().contains("there is no prediction for record 1"), "{}", shown.told());
}
