//! Plugins that keep the contract.

use foretell_tests::{Workshop, build_directory};

use super::{BAD, DONE, FAILED, WRONG_COMMAND_LINE, bad, results, those, validate};

#[test]
fn a_plugin_that_keeps_the_contract_passes_everything() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "GOOD", BAD);
    let finished = validate(&workshop, directory.to_str().unwrap(), &["--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let found = results(&finished);
    assert_eq!(those(&found, "passed").len(), found.len(), "{found:?}");
    assert_eq!(finished.json()["plugin"], "bad@1.0.0");

    let table = validate(&workshop, directory.to_str().unwrap(), &["--check", "empty-batch"]);
    assert_eq!(table.code, DONE, "{table:?}");
    assert!(table.stdout.contains("empty-batch                   passed"), "{}", table.stdout);
    assert!(table.stdout.ends_with("bad@1.0.0: 4 passed\n"), "{}", table.stdout);
}

/// Nothing failed, nothing was left out, and what does not apply is what the manifests don't ask for.
#[test]
fn the_plugins_of_this_workspace_pass() {
    let workshop = Workshop::default();
    for (plugin, not_applicable) in [
        ("fraud-feed-forward", &["learning-repeats"][..]),
        ("retail-item-knn", &[]),
        ("retail-next-item", &["learning-repeats"]),
        ("retail-demand", &["learning-repeats"]),
        ("vehicle-tracker", &["history-only-from-the-past", "learning-repeats"]),
        ("vehicle-decision", &["history-only-from-the-past", "learning-repeats"]),
    ] {
        let directory = build_directory().join("plugins").join(plugin);
        let finished = validate(&workshop, directory.to_str().unwrap(), &["--fuzz", "100", "--json"]);
        assert_eq!(finished.code, DONE, "{plugin}: {finished:?}");
        let found = results(&finished);
        assert_eq!(those(&found, "not-applicable"), not_applicable, "{plugin}: {found:?}");
        assert_eq!(those(&found, "passed").len() + not_applicable.len(), found.len(), "{plugin}: {found:?}");
        assert_eq!(finished.json()["fuzz"]["cases"], 100);
    }
}

#[test]
fn an_installed_plugin_is_found_by_its_name() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "GOOD", BAD);
    let installed = workshop.run("foretell", &["plugin", "install", directory.to_str().unwrap()], "");
    assert_eq!(installed.code, DONE, "{installed:?}");
    let finished = validate(&workshop, "bad@1.0.0", &["--check", "manifest-schema", "--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    assert!(finished.json()["directory"].as_str().unwrap().ends_with("plugins/bad/1.0.0"), "{finished:?}");
}

#[test]
fn what_can_not_be_asked_for_is_told() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "GOOD", BAD);
    let unknown = validate(&workshop, directory.to_str().unwrap(), &["--check", "empty-batches"]);
    assert_eq!(unknown.code, FAILED, "{unknown:?}");
    assert!(unknown.told().contains("expected a check, found `empty-batches`"), "{}", unknown.told());
    let nothing = workshop.run("foretell", &["plugin", "validate"], "");
    assert_eq!(nothing.code, WRONG_COMMAND_LINE, "{nothing:?}");
    for more in [&["--timeout", "0s"][..], &["--fuzz", "1000000000"], &["--reproduce", "1", "--seed", "2"]] {
        let finished = validate(&workshop, directory.to_str().unwrap(), more);
        assert_eq!(finished.code, WRONG_COMMAND_LINE, "{more:?}: {finished:?}");
    }
}
