//! Plugins that keep the contract.

use std::collections::BTreeSet;

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

/// A manifest does not say which values belong together, so records that a plugin does not learn from are left out.
#[test]
fn a_plugin_that_learns_from_most_records_passes_everything() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "LEARNS_FROM_SMALL_AMOUNTS", BAD);
    let finished = validate(&workshop, directory.to_str().unwrap(), &["--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let found = results(&finished);
    assert_eq!(those(&found, "passed").len(), found.len(), "{found:?}");
}

/// Checks that do not apply to a plugin without a past that learns nothing.
const NO_PAST: &[&str] = &["history-only-from-the-past", "learning-repeats"];

/// Validates a plugin of this workspace: nothing failed, nothing was left out, and what does not apply is what its manifest doesn't
/// ask for.
fn passes(plugin: &str, cases: u64, not_applicable: &[&str]) {
    let workshop = Workshop::default();
    let directory = build_directory().join("plugins").join(plugin);
    let fuzz = cases.to_string();
    let finished = validate(&workshop, directory.to_str().unwrap(), &["--fuzz", &fuzz, "--json"]);
    assert_eq!(finished.code, DONE, "{plugin}: {finished:?}");
    let found = results(&finished);
    let not_applicable: BTreeSet<_> = not_applicable.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        those(&found, "not-applicable").into_iter().collect::<BTreeSet<_>>(),
        not_applicable,
        "{plugin}"
    );
    assert_eq!(those(&found, "passed").len() + not_applicable.len(), found.len(), "{plugin}: {found:?}");
    assert_eq!(finished.json()["fuzz"]["cases"], cases);
}

#[test]
fn the_plugins_of_this_workspace_that_read_numbers_pass() {
    for (plugin, not_applicable) in [
        ("fraud-feed-forward", &["learning-repeats"][..]),
        ("retail-item-knn", &[]),
        ("retail-next-item", &["learning-repeats"]),
        ("retail-demand", &["learning-repeats"]),
        ("standard-tabular", NO_PAST),
        ("vehicle-tracker", NO_PAST),
        ("vehicle-decision", NO_PAST),
    ] {
        passes(plugin, 100, not_applicable);
    }
}

/// Networks of pictures take their time in a debug build, so there are fewer cases at random.
#[test]
fn the_plugins_of_this_workspace_that_read_images_pass() {
    let one_image = [NO_PAST, &["null-and-nan", "missing-column-refused"]].concat();
    for (plugin, not_applicable) in [
        ("medical-brain-outline", NO_PAST),
        ("medical-brain-tumor", NO_PAST),
        ("medical-chest-xray", NO_PAST),
        ("standard-classifier", &one_image),
        ("vehicle-detector", NO_PAST),
        ("vehicle-lanes", NO_PAST),
        ("vehicle-signs", NO_PAST),
    ] {
        passes(plugin, 5, not_applicable);
    }
}

/// Nothing that is shipped is left out.
#[test]
fn every_plugin_of_this_workspace_is_looked_at() {
    let source = include_str!("good.rs");
    let entries = std::fs::read_dir(build_directory().join("plugins")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let missing: Vec<_> = names.filter(|name| !source.contains(&format!("(\"{name}\", "))).collect();
    assert!(missing.is_empty(), "{missing:?}");
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
