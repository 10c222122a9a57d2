//! `foretell doctor`: what it finds, and what it says to do.

use foretell_tests::{Workshop, onnx_runtime};
use serde_json::json;

use super::{DONE, FAILED, foretell_with, install_moody, orders, score_all};

#[tokio::test(flavor = "multi_thread")]
async fn where_everything_is_there_nothing_is_wrong() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let store = orders(&workshop, 20).await;
    score_all(&workshop, &store).await;
    store.close().await;
    let runtime = onnx_runtime();
    let finished = foretell_with(&workshop, runtime.path(), &["doctor", "--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let found = finished.json();
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["home"], workshop.path("home").to_str().unwrap());
    assert_eq!(found["onnxruntime"]["version"], runtime.version());
    #[cfg(target_os = "linux")]
    assert_eq!(found["isolation"], json!({ "files": true, "calls": true, "memory": true }));
    let places: Vec<_> = found["onnxruntime"]["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| place["found"].clone())
        .collect();
    assert_eq!(places[..2], ["usable", "unset"]);
    assert_eq!(places.last().unwrap(), "not_tried");
    assert_eq!(found["plugins"][0]["state"], "trusted");
    let database = &found["database"];
    assert_eq!((&database["state"], &database["writable"]), (&json!("open"), &json!(true)));
    for (name, count) in [("records", 20), ("labels", 20), ("predictions", 20), ("runs", 1), ("entities", 2)]
    {
        assert_eq!(database["stats"][name], count, "{name}");
    }
    assert_eq!(found["problems"], json!([]));
    let words = foretell_with(&workshop, runtime.path(), &["doctor"]).stdout;
    assert!(words.ends_with("\neverything is there\n"), "{words}");
}

#[test]
fn a_named_library_that_is_none_is_one_problem_with_its_fix() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let text = workshop.write("libonnxruntime.so", "not a library");
    for (library, expected) in [
        (text, "can't be loaded"),
        (workshop.path("nowhere.so"), "no such file"),
        (workshop.path(""), "found a directory"),
    ] {
        let finished = foretell_with(&workshop, &library, &["doctor", "--json"]);
        assert_eq!(finished.code, FAILED, "{finished:?}");
        let found = finished.json();
        assert_eq!(found["onnxruntime"]["library"], json!(null));
        let [problem] = &found["problems"].as_array().unwrap()[..] else { panic!("{found}") };
        assert_eq!(problem["place"], "ONNX Runtime");
        let what = problem["problem"].as_str().unwrap();
        assert!(
            what.contains("`FORETELL_ONNXRUNTIME`") && what.contains(library.to_str().unwrap()),
            "{what}"
        );
        assert!(what.contains(expected), "{what}");
        assert!(problem["fix"].as_str().unwrap().contains("ONNX Runtime 1.24 or newer"), "{problem}");

        let words = foretell_with(&workshop, &library, &["doctor"]);
        assert!(words.stdout.contains("1 thing is wrong:\nONNX Runtime: "), "{}", words.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_needs_onnx_runtime_says_where_it_looked() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let store = orders(&workshop, 20).await;
    score_all(&workshop, &store).await;
    store.close().await;
    let text = workshop.write("libonnxruntime.so", "not a library");
    let finished = foretell_with(&workshop, &text, &["verify"]);
    assert_eq!(finished.code, FAILED);
    let told = finished.told();
    assert!(told.starts_with("expected ONNX Runtime 1.24 or newer, found none"), "{told}");
    assert!(
        told.contains(text.to_str().unwrap()) && told.contains("cargo xtask fetch-onnxruntime"),
        "{told}"
    );
}

#[test]
fn a_new_machine_is_told_what_to_do_first() {
    let workshop = Workshop::default();
    let finished = foretell_with(&workshop, onnx_runtime().path(), &["doctor", "--json"]);
    assert_eq!(finished.code, FAILED);
    let found = finished.json();
    assert_eq!(found["database"]["state"], "none", "no database yet is no problem");
    let [problem] = &found["problems"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!((&problem["place"], &problem["problem"]), (&json!("plugins"), &json!("none is installed")));
    assert!(!workshop.database().exists(), "looking makes nothing");
    assert!(!workshop.path("home").exists(), "looking makes nothing");
}

#[test]
fn a_database_that_cannot_be_used_is_a_problem() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    workshop.write("foretell.db", "a text that is long enough to be taken for a database ".repeat(100));
    let found = foretell_with(&workshop, onnx_runtime().path(), &["doctor", "--json"]).json();
    assert_eq!(found["database"]["state"], "unusable");
    assert!(found["problems"][0]["problem"].as_str().unwrap().contains("not a SQLite database"), "{found}");
}
