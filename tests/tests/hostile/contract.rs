//! Plugins that break the contract: every one is a clear error, and the host lives on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use foretell_runtime::fit::{FitErrorKind, FitStart, Fitting};
use foretell_runtime::hash::Hash;
use foretell_runtime::home::Home;
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::{Existing, Registry};
use foretell_runtime::trust::Verified;
use foretell_tests::{hostile_library, library, plugin_directory};

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

/// The manifest of a hostile plugin with a file of data, empty at first, that it learns.
fn learning_manifest() -> String {
    let empty = Hash::of(b"");
    format!(
        "{HOSTILE}[[model]]\nname = \"pairs\"\nfile = \"pairs.bin\"\nformat = \"data\"\nblake3 = \"{empty}\"\n\
         [fit]\nmodels = [\"pairs\"]\n"
    )
}

/// A home of its own with a hostile plugin that has a file of data.
struct Learner {
    place: tempfile::TempDir,
    registry: Registry,
    runtime: Arc<Runtime>,
}

impl Learner {
    fn new(behaviour: &str, manifest: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let built = hostile_library(&place.path().join("build"), behaviour);
        let directory = plugin_directory(&place.path().join("plugin"), manifest, &built);
        std::fs::write(directory.join("pairs.bin"), "").unwrap();
        let registry = Registry::new(Home::at(place.path().join("home")));
        registry.install(&directory, Existing::Keep).unwrap();
        Self { place, registry, runtime: crate::runtime() }
    }

    /// The plugin `wanted`, as its files are now.
    fn verified(&self, wanted: &str) -> Verified {
        self.registry.verify(&self.registry.find(wanted).unwrap()).unwrap()
    }

    fn begin(&self, seed: u64, update: bool) -> Result<Fitting, String> {
        let options = LoadOptions::default();
        Fitting::begin(&self.runtime, &self.verified("hostile"), &options, FitStart { seed, update })
            .map_err(|error| error.to_string())
    }

    fn load(&self, wanted: &str) -> Result<Plugin, String> {
        Plugin::load(&self.runtime, self.verified(wanted), &LoadOptions::default())
            .map_err(|error| error.to_string())
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("home/plugins/hostile/1.0.0/pairs.bin")
    }
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
    let runtime = crate::runtime();
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
    let runtime = crate::runtime();
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
    let runtime = crate::runtime();
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
    let runtime = crate::runtime();
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
    let runtime = crate::runtime();
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
    let error = load(&directory, &runtime, &LoadOptions { config, sessions: 1, ..LoadOptions::default() })
        .unwrap_err();
    assert!(error.contains("asked to panic while opening"), "{error}");
}

#[test]
fn several_threads_may_predict_at_once() {
    let runtime = crate::runtime();
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

#[test]
fn a_c_plugin_that_keeps_the_contract_learns() {
    let learner = Learner::new("LEARNS", &learning_manifest());
    let pairs = |content: &str| vec![("pairs".to_owned(), content.as_bytes().to_vec())];
    let answer = |wanted: &str| {
        learner.load(wanted).unwrap().predict(&amounts(2)).unwrap().numbers().unwrap().to_vec()
    };
    assert_eq!(answer("hostile"), [0.0, 0.0]);

    let fitting = learner.begin(100, false).unwrap();
    assert_eq!(fitting.schema().fields().len(), 1);
    for rows in [3, 0, 4] {
        fitting.learn(&amounts(rows)).unwrap();
    }
    let learned = fitting.finish().unwrap();
    assert_eq!(learned, pairs("107"));
    let base = learner.verified("hostile@1.0.0");
    learner.registry.install_fitted(&base, &"1.0.0+fit.1".parse().unwrap(), &learned).unwrap();

    // The library says 1.0.0, the manifest 1.0.0+fit.1: what was learned is no other code.
    assert_eq!(answer("hostile"), [0.107, 0.107]);
    assert_eq!(learner.load("hostile").unwrap().name(), "hostile@1.0.0+fit.1");
    assert_eq!(answer("hostile@1.0.0"), [0.0, 0.0]);

    // Learning on begins with what is known, learning anew does not.
    for (update, expected) in [(true, "112"), (false, "105")] {
        let fitting = learner.begin(100, update).unwrap();
        fitting.learn(&amounts(5)).unwrap();
        assert_eq!(fitting.finish().unwrap(), pairs(expected));
    }
}

#[test]
fn a_plugin_that_cannot_learn_is_refused_when_it_begins() {
    for (behaviour, expected) in [
        ("WELL_BEHAVED", "its manifest has `[fit]`, and its library no `foretell.fit/1`"),
        ("NO_CAPABILITY", "its manifest has `[fit]`, and its library no `foretell.fit/1`"),
        ("SMALL_FIT_TABLE", "its `foretell.fit/1` is a table of 39 bytes; expected at least 40"),
        ("NO_BEGIN", "its `foretell.fit/1` has no `begin`"),
        ("NO_LEARN", "its `foretell.fit/1` has no `learn`"),
        ("NO_FINISH", "its `foretell.fit/1` has no `finish`"),
        ("NO_END", "its `foretell.fit/1` has no `end`"),
        ("REFUSES_TO_BEGIN", "it did not begin to learn: setting `depth` is missing; expected a number"),
        ("BEGINS_WITH_NOTHING", "it said that it had begun to learn, and returned null"),
    ] {
        let error = Learner::new(behaviour, &learning_manifest()).begin(0, false).expect_err(behaviour);
        assert!(error.starts_with("plugin `hostile@1.0.0`: "), "{behaviour}: {error}");
        assert!(error.contains(expected), "{behaviour}: {error}");
    }
    let error = Learner::new("LEARNS", HOSTILE).begin(0, false).unwrap_err();
    assert!(error.contains("its manifest has no `[fit]`: it does not learn from records"), "{error}");
}

#[test]
fn a_plugin_that_lies_about_what_it_learned_gives_nothing() {
    for (behaviour, expected) in [
        ("FAILS_TO_FINISH", "it did not write what it learned: too little was learned"),
        (
            "WRITES_UNLISTED",
            "it wrote to `pears`; expected one of the models of its manifest's `[fit]`: pairs",
        ),
        (
            "IGNORES_REFUSAL",
            "it wrote to `pears`; expected one of the models of its manifest's `[fit]`: pairs",
        ),
        ("WRITES_WITHOUT_ERROR", "it wrote to `pears`; expected one of the models of its manifest's `[fit]`"),
        ("WRITES_NOTHING", "it wrote nothing to `pairs`, which its manifest's `[fit]` lists"),
        ("WRITES_TOO_MUCH", "it wrote more than 2147483647 bytes to `pairs`"),
        ("APPENDS_TOO_MUCH", "it wrote more than 2147483647 bytes to `pairs`"),
        ("WRITES_FROM_NULL", "it wrote 5 bytes to `pairs` from a null pointer"),
    ] {
        let learner = Learner::new(behaviour, &learning_manifest());
        // Twice, since the plugin refuses to begin while something that it began was not ended.
        for _ in 0..2 {
            let fitting = learner.begin(0, false).expect(behaviour);
            fitting.learn(&amounts(7)).expect(behaviour);
            let error = fitting.finish().expect_err(behaviour).to_string();
            assert!(error.contains(expected), "{behaviour}: {error}");
            assert!(matches!(fitting.learn(&amounts(7)).unwrap_err().kind, FitErrorKind::Ended));
            assert!(matches!(fitting.finish().unwrap_err().kind, FitErrorKind::Ended));
        }
    }
    let fitting = Learner::new("WRITES_EMPTY", &learning_manifest()).begin(0, false).unwrap();
    assert_eq!(fitting.finish().unwrap(), [("pairs".to_owned(), Vec::new())]);
}

#[test]
fn learning_ends_with_the_first_error_of_the_plugin() {
    for behaviour in ["FAILS_TO_LEARN", "FAILS_TO_LEARN_WITHOUT_WORDS"] {
        let learner = Learner::new(behaviour, &learning_manifest());
        for _ in 0..2 {
            let fitting = learner.begin(0, false).expect(behaviour);
            let error = fitting.learn(&amounts(7)).expect_err(behaviour);
            assert!(error.to_string().contains("it did not learn: "), "{behaviour}: {error}");
            assert!(matches!(fitting.finish().unwrap_err().kind, FitErrorKind::Ended));
        }
    }
    let learner = Learner::new("LEARNS", &learning_manifest());
    let fitting = learner.begin(0, false).unwrap();
    fitting.set_cancelled(true);
    assert!(matches!(fitting.learn(&amounts(7)).unwrap_err().kind, FitErrorKind::Cancelled));
    assert!(matches!(fitting.learn(&amounts(7)).unwrap_err().kind, FitErrorKind::Ended));
    // One that is dropped half-way has ended too.
    for _ in 0..2 {
        learner.begin(0, false).unwrap().learn(&amounts(7)).unwrap();
    }
}

#[test]
fn batches_that_do_not_fit_are_refused_and_learning_goes_on() {
    let learner = Learner::new("LEARNS", &learning_manifest());
    let fitting = learner.begin(0, false).unwrap();
    let error = fitting.learn(&moods(&["calm"])).unwrap_err().to_string();
    let words = "the records have the columns [mood: Utf8, amount: Float64]; expected [amount: Float64]";
    assert!(error.contains(words), "{error}");
    let error = fitting.learn(&amounts(8193)).unwrap_err().to_string();
    assert!(error.contains("8193 records in one call; its manifest allows 8192"), "{error}");
    // Calls from several threads take turns.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| fitting.learn(&amounts(3)).unwrap()));
        }
    });
    assert_eq!(fitting.finish().unwrap(), [("pairs".to_owned(), b"600".to_vec())]);
}

#[test]
fn data_is_lent_by_its_name_and_nothing_else() {
    for (behaviour, expected) in [
        (
            "READS_UNKNOWN_DATA",
            "the manifest lists no model `pears` of format `data`; of this format it lists: pairs",
        ),
        ("READS_TO_NOWHERE", "`read` was given no place to write to"),
        (
            "OPENS_DATA_AS_NETWORK",
            "the manifest lists no model `pairs` of format `onnx`; of this format it lists: none",
        ),
        ("ASKS_FOR_UNKNOWN_CAPABILITY", "there is no such capability"),
    ] {
        let plugin = Learner::new(behaviour, &learning_manifest()).load("hostile").expect(behaviour);
        let error = plugin.predict(&amounts(7)).expect_err(behaviour).to_string();
        assert!(error.contains(expected), "{behaviour}: {error}");
    }
}

#[test]
fn data_that_changed_since_it_was_verified_is_not_lent() {
    let learner = Learner::new("LEARNS", &learning_manifest());
    let verified = learner.verified("hostile");
    std::fs::write(learner.data(), "9").unwrap();
    let options = LoadOptions::default();
    let loaded = Plugin::load(&learner.runtime, verified.clone(), &options).unwrap_err().to_string();
    let begun = Fitting::begin(&learner.runtime, &verified, &options, FitStart::default());
    for error in [loaded, begun.unwrap_err().to_string()] {
        assert!(error.starts_with("plugin `hostile@1.0.0`: model `"), "{error}");
        let (before, after) = (Hash::of(b"").to_string(), Hash::of(b"9").to_string());
        assert!(error.contains(&before) && error.contains(&after), "{error}");
    }
    // What is held is held: a change after the plugin was loaded changes no answer.
    std::fs::write(learner.data(), "").unwrap();
    let plugin = learner.load("hostile").unwrap();
    std::fs::write(learner.data(), "9").unwrap();
    assert_eq!(plugin.predict(&amounts(1)).unwrap().numbers().unwrap(), [0.0]);
}
