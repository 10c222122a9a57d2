//! `foretell plugin validate`: every check has a plugin that breaks the contract in just that, and good plugins pass.

mod bad;
mod good;
mod random;

use std::collections::BTreeMap;
use std::path::PathBuf;

use foretell_tests::{Finished, Workshop, bad_library, plugin_directory};

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const DOES_NOT_HOLD: Option<i32> = Some(4);

/// The manifest of `tests/hostile/bad.c`: keys, a history, a setting, a value that is optional, and something to learn.
const BAD: &str = r#"
schema = 1

[plugin]
name = "bad"
version = "1.0.0"
description = "keeps the contract, or breaks it in one thing"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "bad"

[[model]]
name = "learned"
file = "learned.txt"
format = "data"
blake3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

[fit]
models = ["learned"]

[record]
keys = ["customer"]

[[input]]
name = "event_time"
type = "timestamp"

[[input]]
name = "customer"
type = "utf8"

[[input]]
name = "amount"
type = "float64"
minimum = 0.0
maximum = 1000.0

[[input]]
name = "discount"
type = "float64"
minimum = 0.0
maximum = 1.0
required = false

[[history]]
name = "past"
key = "customer"
window = "30d"
fields = ["amount"]

[output]
labels = ["no", "yes"]
positive = "yes"

[limits]
rows_max = 4096

[config]
depth = 3
"#;

/// Makes a plugin of one behaviour, and returns its directory.
fn bad(workshop: &Workshop, behaviour: &str, manifest: &str) -> PathBuf {
    let library = bad_library(&workshop.path("built"), behaviour);
    let directory = plugin_directory(&workshop.path("bad"), manifest, &library);
    // Its hash is that of nothing.
    std::fs::write(directory.join("learned.txt"), "").expect("a test's directory can be written");
    directory
}

fn validate(workshop: &Workshop, directory: &str, more: &[&str]) -> Finished {
    workshop.run("foretell", &[&["plugin", "validate", directory], more].concat(), "")
}

/// How each check of a report ended, and why.
fn results(finished: &Finished) -> BTreeMap<String, (String, String)> {
    let report = finished.json();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let rows = report["checks"].as_array().expect("a report has checks");
    rows.iter().map(|row| (text(&row["name"]), (text(&row["result"]), text(&row["reason"])))).collect()
}

/// Names of the checks that ended so.
fn those(results: &BTreeMap<String, (String, String)>, wanted: &str) -> Vec<String> {
    results.iter().filter(|(_, (result, _))| result == wanted).map(|(name, _)| name.clone()).collect()
}
