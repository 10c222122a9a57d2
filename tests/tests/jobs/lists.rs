//! Records whose payloads have lists, from the store to a plugin that reads them in place.

use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Workshop, library, plugin_directory};
use serde_json::{Value, json};

use super::outcome::Outcome;
use super::{DONE, MOODY, SOME_REJECTED, block_on, job};

/// What the moody plugin asks for beside its mood and its amount.
const FOUND: &str = r#"
[[input]]
name = "frame"
type = "list<int64>"
required = false
minimum = 0
[[input]]
name = "x"
type = "list<float64>"
required = false
[[input]]
name = "label"
type = "list<category>"
required = false
allowed = ["car", "bus"]
[[input]]
name = "kept"
type = "list<bool>"
required = false
"#;

/// What comes of a record: its score, or the field at fault and the reason.
type Answer = Result<f64, (&'static str, &'static str)>;

/// Entries of a film in which much was found: some 10 MB of JSON.
const ENTRIES: usize = 200_000;

/// A workshop with the moody plugin that reads lists.
fn workshop() -> Workshop {
    let workshop = Workshop::default();
    let manifest = format!("{MOODY}{FOUND}");
    let directory = plugin_directory(&workshop.path("moody"), &manifest, &library("foretell_moody"));
    let installed = workshop.registry().install(&directory, Existing::Keep);
    assert!(installed.is_ok(), "{}", installed.unwrap_err());
    workshop
}

/// Stores calm records with what was found in them.
fn store(workshop: &Workshop, found: &[Value]) {
    let record = |(time, found): (usize, &Value)| {
        let mut payload = json!({ "mood": "calm", "amount": 0.5 });
        payload.as_object_mut().unwrap().extend(found.as_object().unwrap().clone());
        NewRecord {
            external_id: None,
            event_time: time as i64,
            payload: payload.to_string(),
            keys: Vec::new(),
            labels: Vec::new(),
            media: Vec::new(),
        }
    };
    block_on(async {
        let store = Store::create_or_open(&workshop.database()).await.unwrap();
        let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
        let mut appender = Appender::begin(&store, "test", Vec::new(), source).await.unwrap();
        appender.append(found.iter().enumerate().map(record).collect()).await.unwrap();
        appender.finish().await.unwrap();
        store.close().await;
    });
}

/// What was found in a film of [`ENTRIES`]; of the cars that are kept in even frames, the one that is furthest to the right is at 0.125.
fn film() -> Value {
    let entries = 0..ENTRIES;
    // Further to the right are buses, cars in odd frames, and those that are not kept.
    let is_right = |entry: usize| entry.is_multiple_of(3) || entry / 20 % 2 == 1 || entry.is_multiple_of(2);
    let x = |entry: usize| match entry {
        150_001 => 0.125,
        entry if is_right(entry) => 0.912_345_678,
        entry => (entry % 1_000) as f64 / 10_000.0,
    };
    json!({
        "frame": entries.clone().map(|entry| entry / 20).collect::<Vec<_>>(),
        "x": entries.clone().map(x).collect::<Vec<_>>(),
        "label": entries.clone().map(|entry| if entry % 3 == 0 { "bus" } else { "car" }).collect::<Vec<_>>(),
        "kept": entries.map(|entry| entry % 2 == 1).collect::<Vec<_>>(),
        "note": "x".repeat(3 << 20),
    })
}

#[test]
fn lists_of_stored_records_are_predicted_or_refused_with_the_place() {
    let workshop = workshop();
    let found = |frame: Value, x: Value, label: Value, kept: Value| json!({ "frame": frame, "x": x, "label": label, "kept": kept });
    let of_three = |place: &str, value: Value| {
        let mut lists = found(
            json!([2, 2, 4]),
            json!([0.125, 0.25, 0.5]),
            json!(["car", "car", "car"]),
            json!([true, true, true]),
        );
        lists.as_object_mut().unwrap().insert(place.to_owned(), value);
        lists
    };
    let unknown = "item 3 is not one of the values that the plugin knows; expected one of: car, bus";
    let cases: [(Value, Answer); 14] = [
        (of_three("kept", json!([true, true, true])), Ok(0.5)),
        (of_three("kept", json!([true, true, false])), Ok(0.25)),
        (of_three("label", json!(["car", "bus", "bus"])), Ok(0.125)),
        (of_three("frame", json!([1, 3, 5])), Ok(0.0)),
        (found(json!([]), json!([]), json!([]), json!([])), Ok(0.0)),
        (json!({}), Ok(1.0)),
        (of_three("frame", Value::Null), Ok(1.0)),
        (of_three("x", json!([1, 0, 0])), Ok(1.0)),
        (
            of_three("frame", json!([2, 2.5, 4])),
            Err(("frame", "expected a list of whole numbers, found `2.5` as item 2")),
        ),
        (
            of_three("x", json!([0.1, null, 1])),
            Err(("x", "expected a list of numbers, found `null` as item 2")),
        ),
        (of_three("x", json!(0.5)), Err(("x", "expected a list of numbers, found `0.5`"))),
        (
            of_three("kept", json!([true, false, 0])),
            Err(("kept", "expected a list of true and false, found `0` as item 3")),
        ),
        (of_three("frame", json!([2, -1, -2])), Err(("frame", "item 2 is -1; expected 0 to inf"))),
        (of_three("label", json!(["car", "bus", "tram"])), Err(("label", unknown))),
    ];
    store(&workshop, &cases.clone().map(|(lists, _)| lists));
    let finished = job(&workshop, &["create", "--plugin", "moody", "--run"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let outcome = block_on(Outcome::read(&workshop.database(), 1));
    let ids = || (1..).zip(&cases);
    let answered = ids().filter_map(|(id, (_, answer))| Some((id, answer.ok()?)));
    let predicted = outcome.predictions.iter().map(|(id, score, _)| (*id, f64::from_bits(score.unwrap())));
    assert_eq!(predicted.collect::<Vec<_>>(), answered.collect::<Vec<_>>());
    let refused = ids().filter_map(|(id, (_, answer))| {
        answer.err().map(|(field, reason)| (id, Some(field.to_owned()), reason.to_owned()))
    });
    assert_eq!(outcome.rejects, refused.collect::<Vec<_>>());
}

#[test]
fn a_film_of_two_hundred_thousand_entries_is_predicted_and_repeated() {
    let workshop = workshop();
    // Together they are more than is looked up at once.
    let long = json!({ "note": "x".repeat(12 << 20) });
    store(&workshop, &[json!({}), film(), long.clone(), long.clone(), json!({}), long]);
    let finished = job(&workshop, &["create", "--plugin", "moody", "--run"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let outcome = block_on(Outcome::read(&workshop.database(), 1));
    let scores: Vec<f64> =
        outcome.predictions.iter().map(|(_, score, _)| f64::from_bits(score.unwrap())).collect();
    assert_eq!(scores, [1.0, 0.125, 1.0, 1.0, 1.0, 1.0]);
    let verified = workshop.run("foretell", &["verify", "--json"], "");
    assert_eq!((verified.code, &verified.json()["equal"]), (DONE, &json!(6)), "{verified:?}");
}
