//! `foretell-retail` as its user runs it: the way from purchases to recommendations and forecasts, and what goes
//! wrong on it.

mod demand;
mod files;
mod learn;
mod list;

use foretell_runtime::registry::Existing;
use foretell_tests::{Finished, Workshop, build_directory};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const SOME_REJECTED: Option<i32> = Some(3);

/// A shop that is small enough for a test, and has chains that a model can learn.
const SHOP: [&str; 9] = ["simulate", "--customers", "150", "--items", "126", "--days", "200", "--seed", "3"];

fn retail(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell-retail", arguments, "")
}

/// Runs a command that must be done, and reads its JSON.
#[track_caller]
fn json(workshop: &Workshop, arguments: &[&str]) -> Value {
    let finished = retail(workshop, &[arguments, &["--json"]].concat());
    assert_eq!(finished.code, DONE, "{arguments:?}: {finished:?}");
    finished.json()
}

/// Runs a command that must fail, and checks that its words say why, and what to do.
#[track_caller]
fn refused(workshop: &Workshop, arguments: &[&str], expected: &[&str]) {
    let finished = retail(workshop, arguments);
    assert_eq!(finished.code, FAILED, "{arguments:?}: {finished:?}");
    assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    for words in expected {
        assert!(finished.told().contains(words), "{arguments:?}: {}", finished.told());
    }
}

/// A workshop with the plugins that need no training.
fn equipped() -> Workshop {
    let workshop = Workshop::default();
    for plugin in ["retail-item-knn", "retail-demand"] {
        let installed =
            workshop.registry().install(&build_directory().join("plugins").join(plugin), Existing::Keep);
        assert!(
            installed.is_ok(),
            "{}; run `cargo xtask test`, or `cargo xtask assemble` first",
            installed.unwrap_err()
        );
    }
    workshop
}

/// A shop with its purchases, and a model that has learned them.
fn fitted() -> (Workshop, Value) {
    let workshop = equipped();
    assert_eq!(retail(&workshop, &SHOP).code, DONE);
    let report = json(&workshop, &["fit", "--hold-out", "28"]);
    (workshop, report)
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let lines = list.as_array().unwrap_or_else(|| panic!("{list}")).iter();
    lines.map(|line| line[field].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()).collect()
}

fn hit_rate(report: &Value) -> f64 {
    report["cutoffs"][1]["hit_rate"]["value"].as_f64().unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn every_command_says_what_it_does() {
    let workshop = Workshop::default();
    for command in [
        "",
        "import",
        "import purchases",
        "import catalogue",
        "import baskets",
        "import sequences",
        "import demand",
        "simulate",
        "fit",
        "recommend",
        "similar",
        "show",
        "evaluate",
        "forecast",
        "batch",
        "batch create",
        "completions",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let finished = retail(&workshop, &arguments);
        assert_eq!(finished.code, DONE, "{command}: {finished:?}");
        let about = finished.stdout.lines().next().unwrap_or_default();
        assert!(
            about.len() > 10 && !about.starts_with("Usage"),
            "`foretell-retail {command}` does not say what it does"
        );
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = retail(&workshop, &["completions", shell]);
        assert_eq!(finished.code, DONE, "{shell}: {finished:?}");
        assert!(finished.stdout.contains("bought-again"), "{shell}");
    }
    assert!(!workshop.database().exists());
}
