//! Batch work whatever happens to it: killed processes, full disks, many workers, records that end a process. The real
//! binaries, on real databases, with real plugins.

mod base;
#[cfg(target_os = "linux")]
mod fault;
mod fit;
#[cfg(target_os = "linux")]
mod isolated;
#[cfg(unix)]
mod kill;
mod lifecycle;
mod lists;
mod outcome;
mod poison;
mod roles;
mod workers;

use std::path::Path;

use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Finished, Started, Workshop, library, plugin_directory};
use serde_json::Value;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const SOME_REJECTED: Option<i32> = Some(3);

/// A plugin without a past that does what the record tells it to.
const MOODY: &str = r#"
schema = 1
[plugin]
name = "moody"
version = "1.0.0"
description = "does what the record tells it to"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "foretell_moody"
[[input]]
name = "mood"
type = "utf8"
[[input]]
name = "amount"
type = "float64"
minimum = 0.0
maximum = 1.0
[output]
labels = ["no", "yes"]
positive = "yes"
"#;

/// A workshop with the moody plugin.
fn moody() -> Workshop {
    let workshop = Workshop::default();
    let directory = plugin_directory(&workshop.path("moody"), MOODY, &library("foretell_moody"));
    let installed = workshop.registry().install(&directory, Existing::Keep);
    assert!(installed.is_ok(), "{}", installed.unwrap_err());
    workshop
}

/// What a record says: its mood, and its amount as JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mood(&'static str, &'static str);

const CALM: Mood = Mood("calm", "0.25");
const SLOW: Mood = Mood("slow", "0.25");

/// Moods of `count` records, all the same but for those at some places.
fn moods(count: usize, usual: Mood, others: &[(usize, Mood)]) -> Vec<Mood> {
    let mut moods = vec![usual; count];
    for &(place, mood) in others {
        moods[place] = mood;
    }
    moods
}

/// Stores records with these moods. Their ids go up from 1, and their times too.
async fn store_moods(database: &Path, moods: &[Mood]) {
    let times: Vec<i64> = (0..moods.len() as i64).collect();
    store_moods_at(database, moods, &times).await;
}

/// Stores records with these moods, at these times.
async fn store_moods_at(database: &Path, moods: &[Mood], times: &[i64]) {
    let store = Store::create_or_open(database).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "test", Vec::new(), source).await.unwrap();
    let record = |(&Mood(mood, amount), &event_time): (&Mood, &i64)| NewRecord {
        external_id: None,
        event_time,
        payload: format!(r#"{{"mood":"{mood}","amount":{amount}}}"#),
        keys: Vec::new(),
        labels: Vec::new(),
        media: vec![],
    };
    appender.append(moods.iter().zip(times).map(record).collect()).await.unwrap();
    appender.finish().await.unwrap();
    store.close().await;
}

/// Runs `foretell job` to its end.
fn job(workshop: &Workshop, arguments: &[&str]) -> Finished {
    workshop.run("foretell", &[&["job"], arguments].concat(), "")
}

/// Starts `foretell job`.
fn start_job(workshop: &Workshop, arguments: &[&str]) -> Started {
    workshop.start("foretell", &[&["job"], arguments].concat(), &[])
}

/// Plans a job with the moody plugin.
fn create(workshop: &Workshop, chunk: &str) {
    let created = job(workshop, &["create", "--plugin", "moody", "--chunk", chunk]);
    assert_eq!(created.code, DONE, "{created:?}");
}

/// A job, as `status` tells it.
fn status(workshop: &Workshop, number: &str) -> Value {
    let status = job(workshop, &["status", number, "--json"]);
    assert!(matches!(status.code, DONE | SOME_REJECTED), "{status:?}");
    status.json()
}

/// Looks that a program told nothing that it must never tell. The moody plugin may panic.
fn assert_decent(finished: &Finished) {
    let told = finished.stderr.replace("panicked at tests/moody/", "");
    for word in ["panicked", "locked", "another process is writing", "defect"] {
        assert!(!told.contains(word) && !finished.stdout.contains(word), "{word}: {finished:?}");
    }
}

/// Runs what is asynchronous within a test that is not.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}
