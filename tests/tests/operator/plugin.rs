//! `foretell plugin`: from a directory to a pinned plugin, and what happens when its files change.

use std::path::PathBuf;

use foretell_tests::{Finished, Workshop, build_directory, library, plugin_directory};
use serde_json::{Value, json};

use super::{DONE, FAILED, MOODY, WRONG_COMMAND_LINE, foretell, install_moody, moody, steady};

/// The installed library.
fn installed_library(workshop: &Workshop) -> PathBuf {
    let name = library("foretell_moody");
    workshop.path("home/plugins/moody/1.0.0").join(name.file_name().unwrap())
}

/// Changes a byte at the end of the installed library, and returns the hashes before and after.
fn change_library(workshop: &Workshop) -> [String; 2] {
    let path = installed_library(workshop);
    let mut bytes = std::fs::read(&path).unwrap();
    let before = blake3::hash(&bytes).to_hex().to_string();
    bytes.push(0);
    std::fs::write(&path, &bytes).unwrap();
    [before, blake3::hash(&bytes).to_hex().to_string()]
}

fn plugins(workshop: &Workshop) -> Vec<Value> {
    let listed = foretell(workshop, &["plugin", "list", "--json"]);
    assert_eq!(listed.code, DONE, "{listed:?}");
    listed.json()["plugins"].as_array().unwrap().clone()
}

fn install(workshop: &Workshop, more: &[&str]) -> Finished {
    let directory = workshop.path("moody");
    foretell(workshop, &[&["plugin", "install", directory.to_str().unwrap()], more].concat())
}

#[test]
fn a_plugin_is_installed_listed_and_removed() {
    let workshop = Workshop::default();
    let none = foretell(&workshop, &["plugin", "list"]);
    assert_eq!((none.code, none.stdout.contains("no plugin is installed")), (DONE, true), "{none:?}");

    moody(&workshop);
    let installed = install(&workshop, &[]);
    assert_eq!(installed.code, DONE, "{installed:?}");
    insta::assert_snapshot!(steady(&workshop, &installed.stdout), @"
    installed moody@1.0.0 in `[workshop]/home/plugins/moody/1.0.0`; its files are pinned:
    file      BLAKE3
    manifest  [hash]
    library   [hash]
    ");
    let again = install(&workshop, &["--json"]);
    assert_eq!(again.code, DONE, "the same content again changes nothing: {again:?}");
    let hashes: Vec<_> =
        again.json()["files"].as_array().unwrap().iter().map(|file| file["hash"].clone()).collect();
    let library = std::fs::read(library("foretell_moody")).unwrap();
    let expected = [MOODY.as_bytes(), &library].map(|bytes| json!(blake3::hash(bytes).to_hex().as_str()));
    assert_eq!(hashes, expected);

    insta::assert_snapshot!(foretell(&workshop, &["plugin", "list"]).stdout, @"
    plugin  version  domain  task                   state
    moody   1.0.0    shop    binary-classification  trusted
    ");
    let removed = foretell(&workshop, &["plugin", "remove", "moody@1.0.0"]);
    assert_eq!(removed.code, DONE, "{removed:?}");
    assert!(plugins(&workshop).is_empty());
    let gone = foretell(&workshop, &["plugin", "remove", "moody@1.0.0"]);
    assert_eq!(gone.code, FAILED);
    assert!(gone.told().contains("plugin `moody@1.0.0` is not installed"), "{}", gone.told());
}

#[test]
fn other_models_make_a_version_beside_the_plugin() {
    let workshop = Workshop::default();
    let directory = build_directory().join("plugins/fraud-feed-forward");
    let directory = directory.to_str().unwrap();
    let network =
        std::fs::read(build_directory().join("plugins/fraud-feed-forward/model/feed_forward.onnx")).unwrap();
    // Bytes after its end change a network's hash; whether it still opens is not asked here.
    let other = workshop.write("other.onnx", [network.as_slice(), b"shop"].concat());
    let slot = |name: &str| format!("{name}={}", other.display());
    let install = |more: &[&str]| foretell(&workshop, &[&["plugin", "install", directory], more].concat());

    let installed = install(&["--model", &slot("network"), "--build", "shop.1", "--json"]);
    assert_eq!(installed.code, DONE, "{installed:?}");
    assert_eq!(installed.json()["version"], "0.1.0+shop.1");
    let expected = blake3::hash(&std::fs::read(&other).unwrap()).to_hex().to_string();
    let files = installed.json()["files"].as_array().unwrap().clone();
    assert!(files.iter().any(|file| file["hash"] == expected.as_str()), "{files:?}");
    let states: Vec<_> = plugins(&workshop).iter().map(|plugin| plugin["state"].clone()).collect();
    assert_eq!(states, [json!("trusted")]);

    let unknown = install(&["--model", &slot("weights"), "--build", "shop.2"]);
    assert_eq!(unknown.code, FAILED);
    assert!(
        unknown.told().contains("expected one of the models that the manifest lists: network"),
        "{}",
        unknown.told()
    );
    let taken =
        install(&["--model", &format!("network={directory}/model/feed_forward.onnx"), "--build", "shop.1"]);
    assert_eq!(taken.code, FAILED, "{taken:?}");
    let unnamed = install(&["--model", &slot("network")]);
    assert_eq!(unnamed.code, WRONG_COMMAND_LINE, "{unnamed:?}");
}

#[test]
fn a_manifest_is_inspected_without_running_the_plugin() {
    let workshop = Workshop::default();
    // This library could not be loaded, and need not be.
    let text = workshop.write(library("foretell_moody").file_name().unwrap().to_str().unwrap(), "no library");
    let directory = plugin_directory(&workshop.path("moody"), MOODY, &text);
    let inspected = foretell(&workshop, &["plugin", "inspect", directory.to_str().unwrap()]);
    assert_eq!(inspected.code, DONE, "{inspected:?}");
    insta::assert_snapshot!(steady(&workshop, &inspected.stdout), @r#"
    moody 1.0.0
    does what the record tells it to

    task       binary-classification
    domain     shop
    keys       customer
    decision   returned from a score of 0.6 on, else kept
    library    [library], plugin interface 1.0, parallel calls
    limits     16 records a call
    settings   {"patience":3}
    license    MIT
    authors    The foretell developers
    installed  no, this is a directory outside the home

    inputs
    name      type     unit  allowed               required  meaning
    mood      utf8           calm, sulky, furious  yes       what the plugin does
    amount    float64  EUR   0 to 1                yes
    customer  utf8                                 no

    labels
    name      type  meaning
    returned  bool

    history
    name       key       window  delay  fields
    purchases  customer  30d     7d     amount: float64, label.returned: bool

    predictions
    name   Arrow type
    score  Float32
    "#);

    assert_eq!(install(&workshop, &[]).code, DONE);
    let inspected = foretell(&workshop, &["plugin", "inspect", "moody", "--json"]).json();
    assert_eq!(inspected["installation"]["state"], "trusted");
    assert_eq!(inspected["task"], "binary-classification");
    assert_eq!(inspected["inputs"][1]["unit"], "EUR");
    assert_eq!(inspected["inputs"][0]["allowed"], json!(["calm", "sulky", "furious"]));
    assert_eq!(inspected["histories"][0]["window"], "30d");
    assert_eq!(inspected["histories"][0]["fields"][1], json!({"name": "label.returned", "type": "bool"}));
    assert_eq!(
        inspected["output"],
        json!({"labels": ["kept", "returned"], "positive": "returned", "threshold": 0.6})
    );
    assert_eq!(inspected["predictions"], json!([{"name": "score", "type": "Float32"}]));
    assert_eq!(inspected["limits"]["rows_max"], 16);
    assert_eq!(inspected["config"], json!({"patience": 3}));
}

#[test]
fn a_changed_file_is_told_with_both_hashes_until_it_is_installed_again() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let [before, after] = change_library(&workshop);

    let listed = plugins(&workshop);
    assert_eq!(listed[0]["state"], "changed");
    let problem = listed[0]["problem"]["problem"].as_str().unwrap();
    assert!(problem.contains(&before) && problem.contains(&after), "{problem}");
    for arguments in [&["plugin", "list"][..], &["plugin", "inspect", "moody"], &["doctor"]] {
        let told = foretell(&workshop, arguments).stdout;
        assert!(told.contains(&before) && told.contains(&after) && told.contains("plugin install"), "{told}");
    }

    assert_eq!(install(&workshop, &[]).code, DONE, "what was pinned repairs the copy");
    assert_eq!(plugins(&workshop)[0]["state"], "trusted");
    assert_eq!(blake3::hash(&std::fs::read(installed_library(&workshop)).unwrap()).to_hex().as_str(), before);
}

#[test]
fn other_content_under_the_same_version_is_refused_unless_replaced() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    let other = MOODY.replace("threshold = 0.6", "threshold = 0.7");
    plugin_directory(&workshop.path("moody"), &other, &library("foretell_moody"));
    let refused = install(&workshop, &[]);
    assert_eq!(refused.code, FAILED);
    let told = refused.told();
    for hash in [MOODY, &other].map(|manifest| blake3::hash(manifest.as_bytes()).to_hex()) {
        assert!(told.contains(hash.as_str()), "{told}");
    }
    assert!(told.contains("--replace"), "{told}");
    let inspect = || foretell(&workshop, &["plugin", "inspect", "moody", "--json"]).json();
    assert_eq!(inspect()["output"]["threshold"], 0.6);
    assert_eq!(install(&workshop, &["--replace"]).code, DONE);
    assert_eq!(inspect()["output"]["threshold"], 0.7);
}

#[test]
fn a_plugin_that_was_copied_by_hand_is_not_trusted() {
    let workshop = Workshop::default();
    plugin_directory(&workshop.path("home/plugins/moody/1.0.0"), MOODY, &library("foretell_moody"));
    plugin_directory(&workshop.path("home/plugins/broken/1.0.0"), "schema = 1", &library("foretell_moody"));
    let states: Vec<_> = plugins(&workshop).iter().map(|plugin| plugin["state"].clone()).collect();
    assert_eq!(states, ["broken", "not_installed"]);
    assert_eq!(foretell(&workshop, &["plugin", "remove", "broken"]).code, DONE);
    assert_eq!(plugins(&workshop).len(), 1);
}

#[test]
fn what_is_no_plugin_says_why() {
    let workshop = Workshop::default();
    install_moody(&workshop);
    plugin_directory(
        &workshop.path("wrong"),
        &MOODY.replace("float64", "float65"),
        &library("foretell_moody"),
    );
    for (arguments, expected) in [
        (["plugin", "inspect", "nobody"], "plugin `nobody` is not installed; expected one of: moody@1.0.0"),
        (["plugin", "inspect", "moody@one"], "expected a plugin as `name` or `name@1.0.0`"),
        (["plugin", "inspect", "./nowhere"], "cannot read"),
        (["plugin", "install", "nowhere"], "cannot install `nowhere`"),
        (["plugin", "inspect", "./wrong"], "line 26: "),
        (["plugin", "install", "wrong"], "`float64`"),
        (["plugin", "remove", "nobody"], "is not installed"),
    ] {
        let finished = foretell(&workshop, &arguments);
        assert_eq!(finished.code, FAILED, "{arguments:?}: {finished:?}");
        assert!(finished.told().contains(expected), "{arguments:?}: {}", finished.told());
        assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    }
}

#[test]
fn a_manifest_cannot_move_the_cursor() {
    let workshop = Workshop::default();
    let (hidden, shown) = (r"\u001b[2K", r"\u{1b}[2K");
    for (place, hostile) in [
        ("description = \"does", format!("description = \"{hidden}does")),
        ("authors = [\"", format!("authors = [\"{hidden}")),
        // Both are told by an error.
        ("name = \"mood\"", format!("name = \"{hidden}mood\"")),
        ("[plugin]", format!("\"{hidden}\" = 1\n\n[plugin]")),
    ] {
        assert!(MOODY.contains(place), "{place}");
        let manifest = MOODY.replacen(place, &hostile, 1);
        let directory = plugin_directory(&workshop.path("moody"), &manifest, &library("foretell_moody"));
        let finished = foretell(&workshop, &["plugin", "inspect", directory.to_str().unwrap()]);
        let printed = finished.stdout + &finished.stderr;
        assert!(printed.contains(shown), "{hostile}: {printed}");
        assert!(
            !printed.contains(|letter: char| letter.is_control() && letter != '\n'),
            "{hostile}: {printed:?}"
        );
    }
}
