//! Plugins that break the contract: every one is a clear error, and the host lives on.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use foretell_runtime::home::Home;
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::{Existing, Registry};
use foretell_tests::{hostile_library, library, onnx_runtime, plugin_directory};

const HOSTILE: &str = r#"
schema = 1
[plugin]
name = "hostile"
version = "1.0.0"
description = "breaks the contract"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "hostile"
[[input]]
name = "amount"
type = "float64"
[output]
labels = ["no", "yes"]
positive = "yes"
"#;

fn moody_manifest(concurrency: &str) -> String {
    HOSTILE
        .replace("\"hostile\"", "\"moody\"")
        .replace(
            "library = \"moody\"",
            &format!("library = \"foretell_moody\"\nconcurrency = \"{concurrency}\""),
        )
        .replace("[[input]]", "[[input]]\nname = \"mood\"\ntype = \"utf8\"\n[[input]]")
}

/// Installs a plugin directory into a home of its own, and loads it from there.
fn load(directory: &Path, runtime: &Arc<Runtime>, options: &LoadOptions) -> Result<Plugin, String> {
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::new(Home::at(home.path()));
    let installed = registry.install(directory, Existing::Keep).map_err(|error| error.to_string())?;
    let verified = registry.verify(&installed).map_err(|error| error.to_string())?;
    Plugin::load(runtime, verified, options).map_err(|error| error.to_string())
}

fn amounts(rows: usize) -> RecordBatch {
    let column: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)));
    RecordBatch::try_from_iter([("amount", column)]).unwrap()
}

fn moods(moods: &[&str]) -> RecordBatch {
    let mood: ArrayRef = Arc::new(StringArray::from_iter_values(moods));
    let amount: ArrayRef = Arc::new(Float64Array::from_iter_values(moods.iter().map(|_| 0.5)));
    RecordBatch::try_from_iter([("mood", mood), ("amount", amount)]).unwrap()
}

#[test]
fn a_plugin_that_breaks_the_contract_is_refused_when_it_is_loaded() {
    let runtime = onnx_runtime();
    for (behaviour, expected) in [
        ("NULL_TABLE", "`foretell_plugin` returned null; expected a table of at least 80 bytes"),
        ("SMALL_TABLE", "returned a table of 16 bytes; expected a table of at least 80 bytes"),
        ("OTHER_MAJOR", "built for plugin interface 2.0, and this host serves 1.0 to 1.0; update foretell"),
        ("NEWER_MINOR", "built for plugin interface 1.1, and this host serves 1.0 to 1.0; update foretell"),
        ("OTHER_NAME", "its manifest says name `hostile`, its library `stranger`"),
        ("NO_PREDICT", "its table has no `predict`"),
        ("REFUSES_TO_OPEN", "it did not open: setting `depth` is missing; expected a number"),
        ("STATES_OTHER_SCHEMA", "the task binary-classification needs Struct"),
        ("STATES_NO_SCHEMA", "its predictions are not stated"),
        ("NO_ENTRY", "exports no `foretell_plugin`; is it a foretell plugin?"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let built = hostile_library(&place.path().join("build"), behaviour);
        let directory = plugin_directory(&place.path().join("plugin"), HOSTILE, &built);
        let error = load(&directory, &runtime, &LoadOptions::default()).expect_err(behaviour);
        assert!(error.starts_with("plugin `hostile@1.0.0`: "), "{behaviour}: {error}");
        assert!(error.contains(expected), "{behaviour}: {error}");
    }
}

#[test]
fn a_plugin_that_breaks_the_contract_fails_its_call_and_no_more() {
    let runtime = onnx_runtime();
    for (behaviour, expected) in [
        ("TOO_FEW_ROWS", "it returned 6 predictions for 7 records; expected one for each"),
        ("TOO_MANY_ROWS", "it returned 8 predictions for 7 records; expected one for each"),
        ("NEGATIVE_LENGTH", "it returned -5 predictions for 7 records; expected one for each"),
        ("ANSWERS_NOTHING", "it returned no predictions, though it said it had succeeded"),
        ("ANSWERS_OTHER_SCHEMA", "`score` has 3 buffers; expected 2"),
        ("ANSWERS_NULL_BUFFER", "`score` has 7 rows and no buffer 1"),
        ("ANSWERS_SHORT_CHILD", "`predictions` has 7 rows, and its child `score` 6"),
        ("RUNS_UNKNOWN_MODEL", "`model_run` was given a model that `model_open` never gave"),
        ("RUNS_BAD_TENSOR", "the manifest lists no model `network`"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let built = hostile_library(&place.path().join("build"), behaviour);
        let directory = plugin_directory(&place.path().join("plugin"), HOSTILE, &built);
        let plugin = load(&directory, &runtime, &LoadOptions::default()).expect(behaviour);
        for _ in 0..3 {
            let error = plugin.predict(&amounts(7)).expect_err(behaviour).to_string();
            assert!(error.starts_with("plugin `hostile@1.0.0`: "), "{behaviour}: {error}");
            assert!(error.contains(expected), "{behaviour}: {error}");
        }
    }
}

#[test]
fn a_plugin_without_words_still_fails() {
    let runtime = onnx_runtime();
    for behaviour in ["FAILS_WITHOUT_WORDS", "LIES_ABOUT_LENGTH_OF_WORDS"] {
        let place = tempfile::tempdir().unwrap();
        let built = hostile_library(&place.path().join("build"), behaviour);
        let directory = plugin_directory(&place.path().join("plugin"), HOSTILE, &built);
        let plugin = load(&directory, &runtime, &LoadOptions::default()).expect(behaviour);
        assert!(plugin.predict(&amounts(7)).is_err(), "{behaviour}");
    }
}

#[test]
fn a_c_plugin_that_keeps_the_contract_answers() {
    let runtime = onnx_runtime();
    let place = tempfile::tempdir().unwrap();
    let built = hostile_library(&place.path().join("build"), "WELL_BEHAVED");
    let directory = plugin_directory(&place.path().join("plugin"), HOSTILE, &built);
    let plugin = load(&directory, &runtime, &LoadOptions::default()).unwrap();
    for rows in [0, 1, 7, 1000] {
        let predictions = plugin.predict(&amounts(rows)).unwrap();
        assert_eq!(predictions.numbers().unwrap(), vec![0.25; rows]);
    }
    let error = plugin.predict(&moods(&["calm"])).unwrap_err().to_string();
    assert!(
        error.contains(
            "the records have the columns [mood: Utf8, amount: Float64]; expected [amount: Float64]"
        ),
        "{error}"
    );
    let error = plugin.predict(&amounts(8193)).unwrap_err().to_string();
    assert!(error.contains("8193 records in one call; its manifest allows 8192"), "{error}");
}

#[test]
fn a_panic_is_an_error_of_its_call() {
    let runtime = onnx_runtime();
    let place = tempfile::tempdir().unwrap();
    let directory = plugin_directory(place.path(), &moody_manifest("parallel"), &library("foretell_moody"));
    let plugin = load(&directory, &runtime, &LoadOptions::default()).unwrap();
    for _ in 0..100 {
        let error = plugin.predict(&moods(&["calm", "furious"])).unwrap_err().to_string();
        assert!(error.contains("lib.rs") && error.contains("furious in row 1"), "{error}");
        assert_eq!(plugin.predict(&moods(&["calm"])).unwrap().numbers().unwrap(), [0.5]);
    }
    let error = plugin.predict(&moods(&["sulky"])).unwrap_err().to_string();
    assert!(error.contains("`mood` is `sulky` in row 0; expected `calm`"), "{error}");

    let config = serde_json::from_str(r#"{"panic":true}"#).unwrap();
    let error = load(&directory, &runtime, &LoadOptions { config, sessions: 1 }).unwrap_err();
    assert!(error.contains("asked to panic while opening"), "{error}");
}

#[test]
fn several_threads_may_predict_at_once() {
    let runtime = onnx_runtime();
    for concurrency in ["parallel", "serial"] {
        let place = tempfile::tempdir().unwrap();
        let directory =
            plugin_directory(place.path(), &moody_manifest(concurrency), &library("foretell_moody"));
        let plugin = load(&directory, &runtime, &LoadOptions::default()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let plugin = &plugin;
                scope.spawn(move || {
                    for round in 0..200 {
                        let poison = (round + thread) % 3 == 0;
                        let batch = moods(if poison { &["calm", "furious"] } else { &["calm", "calm"] });
                        assert_eq!(plugin.predict(&batch).is_err(), poison);
                    }
                });
            }
        });
    }
}

#[test]
fn a_changed_file_is_refused_with_both_hashes() {
    let place = tempfile::tempdir().unwrap();
    let directory = plugin_directory(
        &place.path().join("moody"),
        &moody_manifest("parallel"),
        &library("foretell_moody"),
    );
    let registry = Registry::new(Home::at(place.path().join("home")));
    let installed = registry.install(&directory, Existing::Keep).unwrap();
    let verified = registry.verify(&installed).unwrap();
    let before = verified.library_hash().to_string();

    let mut bytes = std::fs::read(verified.library()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(verified.library(), &bytes).unwrap();
    let after = blake3::hash(&bytes).to_hex().to_string();
    let error = registry.verify(&installed).unwrap_err().to_string();
    assert!(error.contains(&before) && error.contains(&after), "{error}");
}
