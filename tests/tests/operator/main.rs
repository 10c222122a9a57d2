//! `foretell` as its operator runs it: the real binary, in a directory of its own for each test.

mod database;
mod doctor;
mod help;
mod model;
mod plugin;
mod prediction;
mod record;

use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_jobs::JobOptions;
use foretell_runtime::home::HOME_VARIABLE;
use foretell_runtime::onnx::LIBRARY_VARIABLE;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, LabelValue, NewRecord, NewRecordLabel, SourceInfo, SourceKind};
use foretell_store::selection::Selection;
use foretell_store::time::DAY;
use foretell_tests::{Finished, Workshop, library, onnx_runtime, plugin_directory, program, score};

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const WRONG_COMMAND_LINE: Option<i32> = Some(2);
const DOES_NOT_HOLD: Option<i32> = Some(4);

/// A plugin that does what the record tells it to, with something of everything that a manifest can say.
const MOODY: &str = r#"
schema = 1

[plugin]
name = "moody"
version = "1.0.0"
description = "does what the record tells it to"
license = "MIT"
authors = ["The foretell developers"]
domain = "shop"
task = "binary-classification"
abi = "1.0"
library = "foretell_moody"

[record]
keys = ["customer"]

[[input]]
name = "mood"
type = "utf8"
allowed = ["calm", "sulky", "furious"]
description = "what the plugin does"

[[input]]
name = "amount"
type = "float64"
unit = "EUR"
minimum = 0.0
maximum = 1.0

[[input]]
name = "customer"
type = "utf8"
required = false

[[label]]
name = "returned"
type = "bool"

[[history]]
name = "purchases"
key = "customer"
window = "30d"
delay = "7d"
fields = ["amount", "label.returned"]

[output]
labels = ["kept", "returned"]
positive = "returned"
threshold = 0.6

[limits]
rows_max = 16

[config]
patience = 3
"#;

fn foretell(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell", arguments, "")
}

/// Runs `foretell` with one library, or nothing, for ONNX Runtime.
fn foretell_with(workshop: &Workshop, onnxruntime: &Path, arguments: &[&str]) -> Finished {
    let output = Command::new(program("foretell"))
        .args(arguments)
        .arg("--db")
        .arg(workshop.database())
        .env(HOME_VARIABLE, workshop.path("home"))
        .env(LIBRARY_VARIABLE, onnxruntime)
        .output()
        .unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The moody plugin's directory, outside the home.
fn moody(workshop: &Workshop) -> PathBuf {
    plugin_directory(&workshop.path("moody"), MOODY, &library("foretell_moody"))
}

fn install_moody(workshop: &Workshop) {
    let directory = moody(workshop);
    let installed = foretell(workshop, &["plugin", "install", directory.to_str().unwrap()]);
    assert_eq!(installed.code, DONE, "{installed:?}");
}

/// Stores `count` orders, one a day, of two customers. Amounts are tenths; every third order was returned, which was
/// known a week later.
async fn orders(workshop: &Workshop, count: i64) -> Store {
    let store = Store::create_or_open(workshop.database()).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await.unwrap();
    let order = |number: i64| {
        let customer = if number % 2 == 0 { "ann" } else { "bob" };
        let amount = (number % 10) as f64 / 10.0;
        NewRecord {
            external_id: Some(format!("order-{number}")),
            event_time: number * DAY,
            payload: format!(r#"{{"mood":"calm","customer":"{customer}","amount":{amount:?}}}"#),
            keys: vec![Some(customer.into())],
            labels: vec![NewRecordLabel {
                name: "returned".into(),
                value: LabelValue::Bool(number % 3 == 0),
                known_at: (number + 7) * DAY,
            }],
            media: vec![],
        }
    };
    appender.append((0..count).map(order).collect()).await.unwrap();
    appender.finish().await.unwrap();
    store
}

/// Scores everything with the installed moody plugin, and returns the run.
async fn score_all(workshop: &Workshop, store: &Store) -> i64 {
    let (registry, runtime) = (workshop.registry(), onnx_runtime());
    let installed = registry.install(&moody(workshop), Existing::Keep).unwrap();
    let plugin =
        Plugin::load(&runtime, registry.verify(&installed).unwrap(), &LoadOptions::default()).unwrap();
    let options = JobOptions::new(Selection::default());
    score(workshop, store, &plugin, &runtime, &options).await.expect("there are orders").run_id
}

/// Text with what differs from run to run taken out: the workshop's place, hashes, and the name of the library.
fn steady(workshop: &Workshop, text: &str) -> String {
    let place = workshop.path("");
    let text = text.replace(place.to_str().unwrap(), "[workshop]/");
    let library = library("foretell_moody");
    let text = text.replace(library.file_name().unwrap().to_str().unwrap(), "[library]");
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .map(|word| match word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()) {
            hash if is_hash(hash) => word.replace(hash, "[hash]"),
            _ => word.to_owned(),
        })
        .collect()
}
