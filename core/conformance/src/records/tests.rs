//! A manifest with something of everything, and the records that are made from it.

use std::path::Path;

use foretell_runtime::check::check;

use super::*;

const MANIFEST: &str = r#"
schema = 1
[plugin]
name = "everything"
version = "1.0.0"
description = "has an input of each type"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "multiclass-classification"
abi = "1.0"
library = "everything"
[record]
keys = ["customer"]
[[input]]
name = "event_time"
type = "timestamp"
[[input]]
name = "customer"
type = "utf8"
[[input]]
name = "kind"
type = "category"
allowed = ["cash", "card"]
[[input]]
name = "count"
type = "int64"
minimum = -3
maximum = 4
[[input]]
name = "share"
type = "float64"
minimum = 0.1
maximum = 0.2
[[input]]
name = "debt"
type = "float64"
maximum = -5.0
required = false
[[input]]
name = "paid"
type = "bool"
required = false
[[input]]
name = "due"
type = "timestamp"
[[input]]
name = "sizes"
type = "list<float64>"
minimum = 1.0
required = false
[[input]]
name = "frames"
type = "list<int64>"
[[input]]
name = "names"
type = "list<utf8>"
[[input]]
name = "picture"
type = "image"
image = { width = 6, height = 4, channels = "grey", sample = "u16" }
[[input]]
name = "photo"
type = "image"
required = false
[[label]]
name = "returned"
type = "bool"
[[history]]
name = "past"
key = "customer"
window = "30d"
delay = "7d"
fields = ["share", "kind", "label.returned"]
[output]
labels = ["red", "green", "blue"]
"#;

fn manifest() -> Manifest {
    Manifest::parse(MANIFEST, Path::new("plugin.toml")).unwrap()
}

#[test]
fn ordinary_records_are_what_the_manifest_asks_for() {
    let manifest = manifest();
    let columns = columns(&manifest);
    let rows = Generator::new(&manifest, 3, "test").rows(200);
    let made = batch(&columns, &rows).unwrap();
    let (found, expected) = (made.schema(), manifest.records_schema());
    for (found, expected) in found.fields().iter().zip(expected.fields()) {
        assert!(found.data_type().equals_datatype(expected.data_type()), "{found:?}, expected {expected:?}");
        assert_eq!(found.is_nullable(), expected.is_nullable(), "{found:?}");
    }
    assert_eq!(found.fields().len(), expected.fields().len());
    assert_eq!(check(&manifest, &made), [], "the host refuses none of them");
    for place in 0..columns.len() {
        let is_same = rows.iter().all(|row| row[place] == rows[0][place]);
        assert!(!is_same, "column `{}` is always the same", columns[place].name);
        let is_missing = rows.iter().any(|row| row[place] == Value::Null);
        assert_eq!(is_missing, columns[place].nullable, "column `{}`", columns[place].name);
    }
}

#[test]
fn the_past_is_in_the_window_and_oldest_first() {
    let manifest = manifest();
    let history = &manifest.histories[0];
    let past = columns(&manifest).len() - 1;
    let rows = Generator::new(&manifest, 3, "test").rows(200);
    let mut events_seen = 0;
    for row in &rows {
        let (Value::Time(now), Value::Past(events)) = (&row[0], &row[past]) else { panic!("{row:?}") };
        assert!(events.is_sorted_by_key(|event| event.time));
        for event in events {
            assert!(event.time > now - history.window && event.time <= now - history.delay);
            events_seen += 1;
        }
    }
    assert!(events_seen > 200);
    assert!(rows.is_sorted_by_key(|row| match row[0] {
        Value::Time(time) => time,
        _ => i64::MIN,
    }));
}

#[test]
fn a_past_that_is_given_a_value_has_an_event_for_it() {
    let manifest = manifest();
    let history = &manifest.histories[0];
    let past = columns(&manifest).len() - 1;
    let mut generator = Generator::new(&manifest, 3, "test");
    let rows = generator.rows(200);
    let is_empty = |row: &Row| row[past] == Value::Past(Vec::new());
    assert!(rows.iter().any(is_empty) && !rows.iter().all(is_empty));
    for row in &rows {
        let made = with_past(&manifest, &mut generator, row, past, 1, &Value::Null);
        let (Value::Time(now), Value::Past(events)) = (&made[0], &made[past]) else { panic!("{made:?}") };
        let Value::Past(before) = &row[past] else { panic!("{row:?}") };
        assert_eq!(events.len(), before.len().max(1));
        for event in events {
            assert_eq!(event.fields[1], Value::Null);
            assert!(event.time > now - history.window && event.time <= now - history.delay);
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_records() {
    let manifest = manifest();
    let rows = |seed, purpose| Generator::new(&manifest, seed, purpose).rows(20);
    assert_eq!(rows(1, "a"), rows(1, "a"));
    assert_ne!(rows(1, "a"), rows(2, "a"));
    assert_ne!(rows(1, "a"), rows(1, "b"));
}

#[test]
fn extreme_values_are_at_the_edge_and_allowed() {
    let manifest = manifest();
    let columns = columns(&manifest);
    let mut generator = Generator::new(&manifest, 3, "test");
    let ordinary = generator.rows(1).remove(0);
    let mut made = Vec::new();
    for place in 0..columns.len() {
        for (words, value) in extremes(&manifest, &mut generator, place) {
            let row = with_extreme(&manifest, &mut generator, &ordinary, place, &value);
            let batch = batch(&columns, std::slice::from_ref(&row)).unwrap();
            let refused = check(&manifest, &batch);
            // A negative zero and the smallest numbers are within no bounds that begin at .1.
            assert_eq!(refused, [], "`{}` {words}", columns[place].name);
            made.push(format!("{} {words}", columns[place].name));
        }
    }
    for expected in [
        "count -3",
        "count 4",
        "share 1e-1",
        "share 2e-1",
        "debt -5e0",
        "kind the text \"cash\"",
        "sizes of 1000 items",
    ] {
        assert!(made.iter().any(|made| made == expected), "{expected}: {made:?}");
    }
}
