//! Fits: what a plugin learns from stored records is the same whatever happens meanwhile, and becomes a version of it.

mod disturbed;
mod update;

use std::path::Path;

use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Finished, Workshop, library, plugin_directory};
use serde_json::{Value, json};

use super::outcome::execute;
use super::{DONE, FAILED, SOME_REJECTED, assert_decent, job, status};

/// A plugin that counts items.
const TALLY: &str = r#"
schema = 1
[plugin]
name = "tally"
version = "1.0.0"
description = "ranks items by how often they occurred"
license = "MIT"
authors = ["The foretell developers"]
domain = "basket"
task = "ranking"
abi = "1.0"
library = "foretell_tally"
[[model]]
name = "counts"
file = "counts.txt"
format = "data"
blake3 = "HASH"
[fit]
models = ["counts"]
[record]
keys = ["who"]
[[input]]
name = "who"
type = "utf8"
required = false
[[input]]
name = "item"
type = "utf8"
required = false
[[input]]
name = "items"
type = "list<utf8>"
required = false
[[input]]
name = "count"
type = "int64"
required = false
minimum = 1
maximum = 1000
[[input]]
name = "mood"
type = "utf8"
required = false
[[history]]
name = "past"
key = "who"
window = "36500d"
fields = ["item"]
"#;

/// What the plugin knows before it has learned anything.
const NOTHING: &str = "trace\t0\n";

/// A record: whose, when, and the rest of its payload.
struct Bought {
    who: &'static str,
    time: i64,
    rest: String,
}

fn bought(who: &'static str, time: i64, item: &str) -> Bought {
    Bought { who, time, rest: format!(r#""item":{}"#, json!(item)) }
}

/// A workshop with the plugin, which has learned nothing.
fn tally() -> Workshop {
    let workshop = Workshop::default();
    install_tally(&workshop, "basket");
    workshop
}

/// Installs the plugin, which has learned nothing, for a domain.
pub(crate) fn install_tally(workshop: &Workshop, domain: &str) {
    let hash = blake3::hash(NOTHING.as_bytes()).to_hex();
    let manifest = TALLY.replace("HASH", hash.as_str()).replace("basket", domain);
    let directory = plugin_directory(&workshop.path("tally"), &manifest, &library("foretell_tally"));
    std::fs::write(directory.join("counts.txt"), NOTHING).unwrap();
    let installed = workshop.registry().install(&directory, Existing::Keep);
    assert!(installed.is_ok(), "{}", installed.unwrap_err());
}

async fn store(database: &Path, records: Vec<Bought>) {
    let store = Store::create_or_open(database).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "basket", vec!["who".into()], source).await.unwrap();
    let record = |Bought { who, time, rest }| NewRecord {
        external_id: None,
        event_time: time,
        payload: format!(r#"{{"who":"{who}",{rest}}}"#),
        keys: vec![Some(who.to_owned())],
        labels: Vec::new(),
        media: vec![],
    };
    appender.append(records.into_iter().map(record).collect()).await.unwrap();
    appender.finish().await.unwrap();
    store.close().await;
}

/// Purchases of several people from a time on, whose ids are not in the order of their times.
fn purchases(count: i64, from: i64) -> Vec<Bought> {
    let purchase = |number: i64| {
        let who = ["ann", "bob", "cy"][number as usize % 3];
        bought(who, from + number * 7_919 % count, &format!("item {}", number * number % 23))
    };
    (0..count).map(purchase).collect()
}

/// Plans a fit and does it; what it has come to.
fn fit(workshop: &Workshop, more: &[&str]) -> Value {
    let arguments = [&["create", "--kind", "fit", "--plugin", "tally", "--run", "--json"], more].concat();
    let finished = job(workshop, &arguments);
    assert!(matches!(finished.code, DONE | SOME_REJECTED), "{finished:?}");
    assert_decent(&finished);
    finished.json()
}

fn hash(fitted: &Value) -> &str {
    fitted["models"][0]["hash"].as_str().unwrap_or_else(|| panic!("{fitted}"))
}

/// What the plugin version that was made knows.
fn counts(workshop: &Workshop, fitted: &Value) -> String {
    let installed = workshop.registry().find(fitted["plugin"].as_str().unwrap()).unwrap();
    let file = std::fs::read_to_string(installed.directory.join("counts.txt")).unwrap();
    file.lines().skip(1).map(|line| line.replace('\t', ": ")).collect::<Vec<_>>().join(", ")
}

/// Runs `foretell` to its end.
fn foretell(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell", arguments, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_learned_is_a_version_of_the_plugin_that_answers() {
    let workshop = tally();
    let records = vec![
        bought("ann", 1, "tea"),
        bought("ann", 2, "milk"),
        bought("bob", 3, "tea"),
        bought("bob", 4, "su\"gar"),
        bought("cy", 5, "milk"),
        bought("cy", 6, "tea"),
        Bought { who: "ann", time: 7, rest: r#""items":["tea"],"count":1"#.into() },
    ];
    store(&workshop.database(), records).await;
    let fitted = fit(&workshop, &["--seed", "7"]);
    let plugin = fitted["plugin"].as_str().unwrap();
    assert!(
        plugin.starts_with("tally@1.0.0+fit.20") && plugin.len() == "tally@1.0.0+fit.".len() + 14,
        "{plugin}"
    );
    assert_eq!(
        (&fitted["base"], &fitted["seed"], &fitted["job"]),
        (&json!("tally@1.0.0"), &json!(7), &json!(1))
    );
    assert_eq!(
        (&fitted["records"], &fitted["total"], &fitted["rejected"]),
        (&json!(7), &json!(7), &json!(0))
    );
    assert_eq!(fitted["record_watermark"], 7);
    assert_eq!(fitted["first_time"], "1970-01-01T00:00:00.000001Z");
    assert_eq!(fitted["last_time"], "1970-01-01T00:00:00.000007Z");
    assert_eq!(counts(&workshop, &fitted), "tea: 3, milk: 2, su\"gar: 1");
    let known = workshop.registry().find("tally").unwrap();
    assert_eq!(known.to_string(), plugin, "what was learned last answers");

    let watched = status(&workshop, "1");
    assert_eq!((&watched["kind"], &watched["state"]), (&json!("fit"), &json!("done")));
    assert_eq!((&watched["predicted"], &watched["fitted"]["plugin"]), (&json!(7), &json!(plugin)));

    // Scoring after a fit over everything leaves nothing out.
    let scored = job(&workshop, &["create", "--plugin", "tally", "--unscored", "--run", "--json"]);
    assert_eq!(scored.code, DONE, "{scored:?}");
    assert_eq!((&scored.json()["plugin"], &scored.json()["predicted"]), (&json!(plugin), &json!(7)));
    let shown = |record: &str| {
        foretell(&workshop, &["prediction", "show", record, "--json"]).json()["predictions"][0].clone()
    };
    let first = shown("1");
    assert_eq!((&first["score"], &first["label"]), (&json!(f64::from(2.0_f32 / 6.0)), &json!("milk")));
    let words = foretell(&workshop, &["prediction", "show", "1"]).stdout;
    let ranking =
        r#"[{"item":"milk","score":0.33333334,"reason":"frequent"},{"item":"su\"gar","score":0.16666667}]"#;
    assert!(words.contains(ranking), "{words}");
    assert_eq!(shown("5")["output"][0], json!({"item": "tea", "score": 0.5, "reason": "frequent"}));
    assert_eq!(shown("7")["output"].as_array().unwrap().len(), 1, "as many as it asks for");

    let verified = foretell(&workshop, &["verify", "--json"]);
    assert_eq!(verified.code, DONE, "{verified:?}");
    assert_eq!(
        (&verified.json()["predictions"], &verified.json()["largest_difference"]),
        (&json!(7), &json!(0.0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_that_comes_out_otherwise_is_told_with_where_it_differs() {
    let workshop = tally();
    store(&workshop.database(), vec![bought("ann", 1, "tea"), bought("bob", 2, "milk")]).await;
    fit(&workshop, &[]);
    let scored = job(&workshop, &["create", "--plugin", "tally", "--run"]);
    assert_eq!(scored.code, DONE, "{scored:?}");
    execute(
        &workshop.database(),
        r#"UPDATE prediction SET output = replace(output, '"milk"', '"salt"') WHERE record_id = 1"#,
    )
    .await;
    let verified = foretell(&workshop, &["verify"]);
    assert_eq!(verified.code, Some(4), "{verified:?}");
    assert!(verified.stdout.contains("number 1 was `salt`, and is `milk`"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_has_learned_nothing_answers_with_empty_lists() {
    let workshop = tally();
    store(&workshop.database(), vec![bought("ann", 1, "tea")]).await;
    let scored = job(&workshop, &["create", "--plugin", "tally", "--run"]);
    assert_eq!(scored.code, DONE, "{scored:?}");
    let shown = foretell(&workshop, &["prediction", "show", "1", "--json"]).json();
    let prediction = &shown["predictions"][0];
    assert_eq!((&prediction["score"], &prediction["label"]), (&Value::Null, &Value::Null));
    assert_eq!(prediction["output"], json!([]));
    assert_eq!(foretell(&workshop, &["verify"]).code, DONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_do_not_fit_are_set_aside_and_the_rest_is_learned() {
    let workshop = tally();
    let odd = |time: i64, rest: &str| Bought { who: "ann", time, rest: rest.into() };
    let records = vec![
        bought("ann", 1, "tea"),
        odd(2, r#""item":"milk","count":0"#),
        odd(3, r#""item":"milk","items":"tea""#),
        odd(4, r#""item":"milk","items":["tea",null]"#),
        odd(5, r#""item":"milk","items":["tea",["salt"]]"#),
        odd(6, r#""item":"milk","items":null,"count":null"#),
        bought("bob", 7, "tea"),
    ];
    store(&workshop.database(), records).await;
    let arguments = ["create", "--kind", "fit", "--plugin", "tally", "--chunk", "2", "--run", "--json"];
    let finished = job(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let fitted = finished.json();
    assert_eq!((&fitted["records"], &fitted["rejected"]), (&json!(3), &json!(4)));
    assert_eq!(counts(&workshop, &fitted), "tea: 2, milk: 1");
    let run = fitted["run"].to_string();
    let rejects = foretell(&workshop, &["record", "rejects", "--run", &run, "--json"]).json();
    let reasons: Vec<(Value, Value, Value)> = rejects["rejects"]
        .as_array()
        .unwrap_or_else(|| rejects.as_array().unwrap())
        .iter()
        .map(|reject| (reject["record"].clone(), reject["field"].clone(), reject["reason"].clone()))
        .collect();
    let reject = |record: i64, field: &str, reason: &str| (json!(record), json!(field), json!(reason));
    assert_eq!(
        reasons,
        [
            reject(2, "count", "is 0; expected 1 to 1000"),
            reject(3, "items", "expected a list of texts, found `\"tea\"`"),
            reject(4, "items", "expected a list of texts, found `null` as item 2"),
            reject(5, "items", "expected a list of texts, found `[\"salt\"]` as item 2"),
        ]
    );
    // The same are set aside when they are scored.
    let scored = job(&workshop, &["create", "--plugin", "tally", "--run", "--json"]);
    assert_eq!(scored.code, SOME_REJECTED, "{scored:?}");
    assert_eq!((&scored.json()["predicted"], &scored.json()["rejected"]), (&json!(3), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_with_what_they_were_learned_from() {
    let workshop = tally();
    store(&workshop.database(), purchases(1_200, 0)).await;
    let fitted = fit(&workshop, &["--from", "1970-01-01", "--seed", "3"]);
    let plugin = fitted["plugin"].as_str().unwrap();
    let listed = foretell(&workshop, &["model", "list", "--json"]).json();
    assert_eq!((&listed[0]["plugin"], &listed[0]["role"]), (&fitted["plugin"], &Value::Null));
    assert_eq!(listed[0]["fitted"]["models"], fitted["models"]);
    let promoted = foretell(&workshop, &["model", "promote", plugin]);
    assert_eq!(promoted.code, DONE, "{promoted:?}");
    let listed = foretell(&workshop, &["model", "list", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["role"], &listed[0]["fitted"]["seed"]), (&json!("champion"), &json!(3)));
    let table = foretell(&workshop, &["model", "list"]).stdout;
    assert!(table.contains("1,200") && table.contains("champion"), "{table}");
    for wanted in ["tally", plugin] {
        let shown = foretell(&workshop, &["model", "show", wanted]).stdout;
        for words in
            [plugin, hash(&fitted), "1,200 records", "domain basket, from 1970-01-01T00:00:00Z", "seed"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
    let unknown = foretell(&workshop, &["model", "show", "tally@1.0.0"]);
    assert_eq!(unknown.code, FAILED);
    assert!(unknown.told().contains("`tally@1.0.0` was not fitted in this database"), "{}", unknown.told());
    // A fitted version that is named stands for the plugin that was installed.
    assert_eq!(fit(&workshop, &["--update"])["base"], "tally@1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_leaves_earlier_and_later_scores_alone() {
    let workshop = tally();
    store(&workshop.database(), purchases(50, 0)).await;
    let score = ["create", "--plugin", "tally@1.0.0", "--unscored", "--run", "--json"];
    fit(&workshop, &[]);
    let scored = job(&workshop, &score);
    assert_eq!(
        (scored.code, &scored.json()["predicted"]),
        (DONE, &json!(50)),
        "what was learned is not scored"
    );
    fit(&workshop, &[]);
    let again = job(&workshop, &score);
    assert_eq!((again.code, &again.json()["scored"]), (DONE, &json!(0)), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_the_reason() {
    let workshop = super::moody();
    store(&workshop.database(), purchases(3, 0)).await;
    let cases: [(&[&str], &str); 8] = [
        (
            &["--kind", "fit", "--plugin", "moody"],
            "plugin `moody@1.0.0` does not learn from records: its manifest has no `[fit]`",
        ),
        (
            &["--kind", "fit", "--plugin", "moody", "--shadow"],
            "`--shadow` is not for a fit: a fit predicts nothing",
        ),
        (&["--kind", "fit", "--plugin", "moody", "--unscored"], "`--update` learns what is new"),
        (&["--kind", "fit", "--plugin", "moody", "--model", "a=b"], "`--model` is not for a fit"),
        (&["--kind", "fit", "--plugin", "moody", "--update", "--preview"], "`--preview` is not for a fit"),
        (&["--kind", "fit"], "no plugin is named"),
        (&["--plugin", "moody", "--seed", "3"], "`--seed` is for a fit alone"),
        (&["--plugin", "moody", "--update"], "`--update` is for a fit alone"),
    ];
    for (arguments, expected) in cases {
        let refused = job(&workshop, &[&["create"], arguments].concat());
        assert_eq!(refused.code, FAILED, "{refused:?}");
        assert!(refused.told().contains(expected), "{expected}: {}", refused.told());
    }
    let workshop = tally();
    Store::create_or_open(workshop.database()).await.unwrap().close().await;
    let empty = job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--run"]);
    assert!(
        empty.told().contains("nothing to learn from: no records of domain `basket`"),
        "{}",
        empty.told()
    );
    store(&workshop.database(), purchases(3, 0)).await;
    let preview = job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--preview"]);
    assert_eq!(preview.stdout, "3 records would be learned by tally@1.0.0\n");
    fit(&workshop, &[]);
    let compared = job(&workshop, &["compare", "1", "1"]);
    assert!(compared.told().contains("job 1 is a fit, which predicts nothing"), "{}", compared.told());
    let worked = job(&workshop, &["work", "1"]);
    assert!(worked.stdout.contains("job 1 is a fit, which workers do not share"), "{worked:?}");
    let results = job(&workshop, &["results", "1", "--json"]);
    assert_eq!((results.code, &results.json()["records"]), (DONE, &json!(3)));
}
