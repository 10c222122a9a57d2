//! Fits: what a plugin learns from stored records is the same whatever happens meanwhile, and becomes a version of it.

use std::path::Path;
use std::time::{Duration, Instant};

use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Finished, Workshop, library, plugin_directory, wait_until};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};

use super::outcome::number;
use super::{DONE, FAILED, SOME_REJECTED, assert_decent, block_on, job, start_job, status};

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
blake3 = "ec7bebe9e09b6da24f2b41e87b1ed3be98afdf5a6ed286b0dee9bda1c9ca3e38"
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
    let manifest = TALLY.replace(
        "ec7bebe9e09b6da24f2b41e87b1ed3be98afdf5a6ed286b0dee9bda1c9ca3e38",
        blake3::hash(NOTHING.as_bytes()).to_hex().as_str(),
    );
    let directory = plugin_directory(&workshop.path("tally"), &manifest, &library("foretell_tally"));
    std::fs::write(directory.join("counts.txt"), NOTHING).unwrap();
    let installed = workshop.registry().install(&directory, Existing::Keep);
    assert!(installed.is_ok(), "{}", installed.unwrap_err());
    workshop
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
        let shown = foretell(&workshop, &["prediction", "show", record, "--json"]).json();
        let prediction = &shown["predictions"][0];
        (prediction["score"].clone(), prediction["label"].clone(), prediction["output"].clone())
    };
    let item = |item: &str, score: f32| json!({ "item": item, "score": score });
    let frequent = |name: &str, score: f32| {
        let mut item = item(name, score);
        item["reason"] = "frequent".into();
        item
    };
    let (half, third) = (0.5_f32, 2.0_f32 / 6.0);
    let sixth = 1.0_f32 / 6.0;
    let rounded = |value: Value| -> Value { serde_json::from_str(&value.to_string()).unwrap() };
    let shortest = |number: f32| -> Value { serde_json::from_str(&number.to_string()).unwrap() };
    let mut expected = json!([frequent("milk", third), item("su\"gar", sixth)]);
    (expected[0]["score"], expected[1]["score"]) = (shortest(third), shortest(sixth));
    assert_eq!(shown("1"), (f64::from(third).into(), "milk".into(), rounded(expected)));
    let mut expected = json!([frequent("tea", half)]);
    expected[0]["score"] = shortest(half);
    assert_eq!(shown("5").2[0], expected[0]);
    assert_eq!(shown("7").2.as_array().unwrap().len(), 1, "as many as it asks for");
    let words = foretell(&workshop, &["prediction", "show", "1"]).stdout;
    assert!(
        words.contains(r#"[{"item":"milk","score":0.33333334,"reason":"frequent"},{"item":"su\"gar","#),
        "{words}"
    );

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
    super::outcome::execute(
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
            reject(4, "items", "expected a list of texts, found `[\"tea\",null]`"),
            reject(5, "items", "expected a list of texts, found `[\"tea\",[\"salt\"]]`"),
        ]
    );
    // The same are set aside when they are scored.
    let scored = job(&workshop, &["create", "--plugin", "tally", "--run", "--json"]);
    assert_eq!(scored.code, SOME_REJECTED, "{scored:?}");
    assert_eq!((&scored.json()["predicted"], &scored.json()["rejected"]), (&json!(3), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_comes_to_what_learning_everything_comes_to() {
    let workshop = tally();
    store(&workshop.database(), purchases(300, 0)).await;
    let first = fit(&workshop, &["--update", "--chunk", "37"]);
    assert_eq!((&first["anew"], &first["update_of"]), (&json!("nothing was fitted before"), &Value::Null));
    // The last ones happen at the very time of the last that was learned.
    store(&workshop.database(), purchases(200, 299)).await;
    let update = fit(&workshop, &["--update", "--chunk", "64"]);
    assert_eq!((&update["anew"], &update["update_of"]), (&Value::Null, &first["plugin"]));
    assert_eq!((&update["records"], &update["total"]), (&json!(200), &json!(500)));
    assert_eq!((&update["base"], &update["first_time"]), (&json!("tally@1.0.0"), &first["first_time"]));
    let all = fit(&workshop, &["--chunk", "1000"]);
    assert_eq!((&all["update_of"], &all["records"]), (&Value::Null, &json!(500)));
    assert_eq!(hash(&update), hash(&all));
    assert_ne!(hash(&first), hash(&all));

    // Nothing has come since: the last fit stands.
    let nothing =
        job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--update", "--run", "--json"]);
    assert_eq!(nothing.code, DONE, "{nothing:?}");
    assert_eq!((&nothing.json()["learned"], &nothing.json()["plugin"]), (&json!(false), &all["plugin"]));
    store(&workshop.database(), purchases(10, 1_000)).await;
    let third = fit(&workshop, &["--update"]);
    assert_eq!((&third["update_of"], &third["total"]), (&all["plugin"], &json!(510)));
    assert_eq!(hash(&third), hash(&fit(&workshop, &[])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_would_come_to_something_else_learns_anew() {
    let workshop = tally();
    store(&workshop.database(), purchases(100, 0)).await;
    let first = fit(&workshop, &[]);
    let last = "1970-01-01T00:00:00.000099Z";
    store(&workshop.database(), vec![bought("dee", 200, "tea"), bought("ann", 98, "late")]).await;
    let late = fit(&workshop, &["--update"]);
    let reason = format!(
        "record 102 of 1970-01-01T00:00:00.000098Z arrived after the last fit, which had learned up to {last}"
    );
    assert_eq!((&late["anew"], &late["records"]), (&json!(reason), &json!(102)));
    assert_eq!(hash(&late), hash(&fit(&workshop, &[])));
    assert_ne!(hash(&late), hash(&first));

    store(&workshop.database(), purchases(10, 1_000)).await;
    let seed = fit(&workshop, &["--update", "--seed", "1"]);
    assert_eq!((&seed["anew"], &seed["records"]), (&json!("the last fit had seed 0"), &json!(112)));
    let reason = |fitted: Value| fitted["anew"].as_str().unwrap_or_default().to_owned();
    let other = reason(fit(&workshop, &["--update", "--seed", "1", "--key", "who=ann"]));
    assert_eq!(other, "the last fit learned other records: domain basket");
    let condition = ["--update", "--seed", "1", "--where", "record_id > 0"];
    fit(&workshop, &condition);
    assert!(reason(fit(&workshop, &condition)).starts_with("a condition or a label may select"), "{other}");
    let words = job(
        &workshop,
        &[&["create", "--kind", "fit", "--plugin", "tally", "--run"], &condition[..]].concat(),
    );
    assert!(words.stdout.contains("learned anew  a condition"), "{words:?}");

    // A record of somebody else's past is late, too, though it is not selected itself.
    let ann = ["--update", "--key", "who=ann"];
    fit(&workshop, &ann);
    store(&workshop.database(), vec![bought("bob", 50, "tea")]).await;
    assert!(reason(fit(&workshop, &ann)).starts_with("record 113 of "));

    let fitted = fit(&workshop, &ann[1..]);
    workshop.registry().remove(fitted["plugin"].as_str().unwrap()).unwrap();
    let gone = reason(fit(&workshop, &ann));
    assert!(gone.starts_with("the last fit is of no use: plugin `tally@1.0.0+fit."), "{gone}");
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

/// Records that take 10 ms each to learn.
fn slow(count: i64) -> Vec<Bought> {
    let purchase =
        |time| Bought { who: "ann", time, rest: format!(r#""item":"item {}","mood":"slow""#, time % 7) };
    (0..count).map(purchase).collect()
}

/// A workshop with a planned fit that takes some seconds.
async fn long_fit() -> Workshop {
    let workshop = tally();
    store(&workshop.database(), slow(300)).await;
    let created = job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--chunk", "5"]);
    assert_eq!(created.code, DONE, "{created:?}");
    workshop
}

fn wait_for_progress(workshop: &Workshop) {
    wait_until("something is learned", || status(workshop, "1")["chunks_done"].as_u64() > Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_at_a_time_does_a_fit() {
    let workshop = long_fit().await;
    let started = start_job(&workshop, &["run", "1"]);
    wait_for_progress(&workshop);
    let second = job(&workshop, &["run", "1"]);
    assert_eq!(second.code, FAILED);
    assert!(second.told().contains("another process is at work on it"), "{}", second.told());
    let finished = started.wait();
    assert_eq!(finished.code, DONE, "{finished:?}");
    assert_eq!(status(&workshop, "1")["predicted"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_that_is_paused_begins_again_and_one_that_is_cancelled_does_not() {
    let workshop = long_fit().await;
    for (verb, told) in
        [("pause", "job 1 was paused; what was learned is gone"), ("cancel", "job 1 was cancelled")]
    {
        let verb_of_start = if verb == "pause" { "run" } else { "resume" };
        let started = start_job(&workshop, &[verb_of_start, "1"]);
        wait_until("it is at work", || status(&workshop, "1")["workers"] != json!([]));
        wait_for_progress(&workshop);
        let interrupted = job(&workshop, &[verb, "1"]);
        assert_eq!(interrupted.code, DONE, "{interrupted:?}");
        let finished = started.wait();
        assert_eq!(finished.code, FAILED, "{finished:?}");
        assert!(finished.told().contains(told), "{}", finished.told());
        assert_decent(&finished);
        assert_eq!(status(&workshop, "1")["workers"], json!([]));
        if verb == "pause" {
            let run = job(&workshop, &["run", "1"]);
            assert!(run.told().contains("job 1 is paused"), "{run:?}");
            let bar = status(&workshop, "1")["predicted"].as_u64().unwrap();
            assert!(bar > 0 && bar < 300, "{bar}");
        }
    }
    for verb in ["run", "resume", "results"] {
        assert_eq!(job(&workshop, &[verb, "1"]).code, FAILED, "{verb}");
    }
    assert_eq!(workshop.registry().list().unwrap().len(), 1, "nothing was installed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_to_learn_is_told_and_nothing_is_made() {
    let workshop = tally();
    let sulky = Bought { who: "ann", time: 5, rest: r#""item":"tea","mood":"sulky""#.into() };
    let mut records = purchases(20, 0);
    records.push(sulky);
    store(&workshop.database(), records).await;
    let failed = job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--run"]);
    assert_eq!(failed.code, FAILED, "{failed:?}");
    assert_decent(&failed);
    let told = failed.told();
    assert!(told.contains("plugin `tally@1.0.0`: it did not learn: `mood` is `sulky` in row"), "{told}");
    assert!(told.contains("`foretell job resume 1` begins again"), "{told}");
    assert_eq!(status(&workshop, "1")["state"], "ready");
    let without = fit(&workshop, &["--where", "payload ->> 'mood' IS NULL"]);
    assert_eq!(without["records"], 20);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_ends_the_process_leaves_a_job_that_says_so() {
    let workshop = tally();
    let deadly = Bought { who: "ann", time: 5, rest: r#""item":"tea","mood":"deadly""#.into() };
    store(&workshop.database(), vec![deadly]).await;
    let died = job(&workshop, &["create", "--kind", "fit", "--plugin", "tally", "--run"]);
    assert_eq!(died.code, None, "{died:?}");
    let words = job(&workshop, &["status", "1"]).stdout;
    assert!(words.contains("interrupted") && words.contains("its process has ended"), "{words}");
    assert_eq!(job(&workshop, &["cancel", "1"]).code, DONE);
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

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_stops_a_fit_and_harms_nothing() {
    /// Moments at which the disk begins to be full, spread over what writes.
    const MOMENTS: u64 = 8;
    let workshop = tally();
    store(&workshop.database(), purchases(300, 0)).await;
    let fault = foretell_tests::fault_library(&workshop.path("fault"));
    let library = fault.to_str().unwrap().to_owned();
    let run = |job_number: &str, after: u64| {
        let count = workshop.write("count", 0_u64.to_ne_bytes());
        let environment = [
            ("LD_PRELOAD", library.as_str()),
            ("FAULT_NAME", "foretell.db"),
            ("FAULT_AFTER", &after.to_string()),
            ("FAULT_ERRNO", "28"),
            ("FAULT_COUNT", count.to_str().unwrap()),
        ];
        let words = ["job", "resume", job_number, "--json"];
        let finished = workshop.start("foretell", &words, &environment).wait();
        (finished, u64::from_ne_bytes(std::fs::read(count).unwrap().try_into().unwrap()))
    };
    let plan = || {
        let words = ["create", "--kind", "fit", "--plugin", "tally", "--chunk", "2", "--json"];
        let created = job(&workshop, &words);
        assert_eq!(created.code, DONE, "{created:?}");
        created.json()["job"].to_string()
    };
    let (undisturbed, calls) = run(&plan(), u64::MAX);
    assert_eq!(undisturbed.code, DONE, "{undisturbed:?}");
    assert!(calls > 4 * MOMENTS, "{calls} calls");
    for moment in 0..MOMENTS {
        let job_number = plan();
        let (finished, _) = run(&job_number, calls * moment / MOMENTS);
        assert_eq!(finished.code, FAILED, "moment {moment}: {finished:?}");
        assert_decent(&finished);
        let told = finished.told();
        let words = ["the disk is full", "the disk could not be read or written"];
        let told_once = words.iter().map(|words| told.matches(words).count()).sum::<usize>();
        assert_eq!(told_once, 1, "moment {moment}: {told}");
        let (again, _) = run(&job_number, u64::MAX);
        assert_eq!(again.code, DONE, "moment {moment}: {again:?}");
        assert_eq!(hash(&again.json()), hash(&undisturbed.json()), "moment {moment}");
    }
}

/// Fits that are killed, unless `FORETELL_FIT_KILLS` says otherwise.
const KILLS: u64 = 24;

#[cfg(unix)]
#[test]
fn a_fit_that_is_killed_at_any_moment_makes_the_same_model() {
    let workshop = tally();
    let base = workshop.path("base.db");
    block_on(store(&base, purchases(1_500, 0)));
    let create =
        ["create", "--kind", "fit", "--plugin", "tally", "--chunk", "20", "--seed", "5", "--run", "--json"];
    let start = |database: &Path, words: &[&str]| {
        let database = ["--db", database.to_str().unwrap(), "job"];
        workshop.start("foretell", &[&database[..], words].concat(), &[])
    };
    let copy = |name: &str| {
        let copy = workshop.path(&format!("{name}.db"));
        std::fs::copy(&base, &copy).unwrap();
        copy
    };
    let began = Instant::now();
    let undisturbed = start(&copy("undisturbed"), &create).wait();
    let takes = began.elapsed();
    assert_eq!(undisturbed.code, DONE, "{undisturbed:?}");
    let expected = hash(&undisturbed.json()).to_owned();

    let kills = std::env::var("FORETELL_FIT_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(20_180_725);
    let (mut at_work, mut versions) = (0, workshop.registry().list().unwrap().len());
    for kill in 0..kills {
        let database = copy(&kill.to_string());
        let mut started = start(&database, &create);
        std::thread::sleep(Duration::from_secs_f64(takes.as_secs_f64() * random.random_range(0.1..1.1)));
        let killed = started.kill_group();
        let list = ["--db", database.to_str().unwrap(), "job", "list", "--json"];
        let jobs = foretell(&workshop, &list).json();
        let done = jobs[0]["chunks_done"].as_u64().unwrap_or(0);
        at_work += u32::from(killed && done > 0);
        let words: &[&str] = if jobs == json!([]) { &create } else { &["resume", "1", "--json"] };
        let finished = start(&database, words).wait();
        assert_eq!(finished.code, DONE, "kill {kill}: {finished:?}");
        assert_eq!(hash(&finished.json()), expected, "kill {kill}");
        let fits = block_on(number(&database, "SELECT count(*) FROM fitted_model"));
        let done = block_on(number(&database, "SELECT count(*) FROM job_chunk WHERE state <> 'done'"));
        assert_eq!((fits, done), (1, 0), "kill {kill}");
        let contradicts = "SELECT count(*) FROM job JOIN run ON run.id = run_id
             WHERE state <> 'done' OR job.finished_at IS NULL OR run.finished_at IS NULL";
        assert_eq!(block_on(number(&database, contradicts)), 0, "kill {kill}");
        let now = workshop.registry().list().unwrap().len();
        assert!(now <= versions + 1, "kill {kill}: a fit installs one version");
        versions = now;
    }
    assert!(kills < 10 || at_work > 0, "no fit was killed at work");
}
