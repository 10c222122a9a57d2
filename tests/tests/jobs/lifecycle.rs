//! What people do with jobs: plan, watch, pause, resume, cancel, update.

use std::path::Path;

use foretell_tests::{Finished, Workshop, build_directory, wait_until};
use serde_json::Value;

use super::outcome::{Outcome, number};
use super::{
    CALM, DONE, FAILED, Mood, SLOW, SOME_REJECTED, assert_decent, create, job, moods, moody, start_job,
    status, store_moods,
};

/// Records of a job that takes some seconds, in chunks of [`SMALL`].
const LONG: usize = 500;
const SMALL: &str = "5";

/// A workshop with a planned job that takes some seconds.
async fn long_job() -> Workshop {
    let workshop = moody();
    store_moods(&workshop.database(), &moods(LONG, SLOW, &[])).await;
    create(&workshop, SMALL);
    workshop
}

fn wait_for_progress(workshop: &Workshop) {
    wait_until("something is done", || status(workshop, "1")["chunks_done"].as_u64() > Some(0));
}

/// Does something to a job that is at work, waits until the work stops, and returns what the one who worked told.
fn interrupt(workshop: &Workshop, verb: &str) -> Finished {
    let started = start_job(workshop, &["run", "1"]);
    wait_for_progress(workshop);
    let interrupted = job(workshop, &[verb, "1"]);
    assert_eq!(interrupted.code, DONE, "{interrupted:?}");
    assert!(interrupted.stdout.starts_with("job 1 is "), "{interrupted:?}");
    let finished = started.wait();
    assert_eq!(finished.code, FAILED, "{finished:?}");
    assert_decent(&finished);
    let job = status(workshop, "1");
    assert!(job["predicted"].as_u64() < Some(LONG as u64), "it stopped before its end: {job}");
    assert_eq!((&job["chunks_leased"], &job["workers"]), (&0.into(), &Value::Array(Vec::new())), "{job}");
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_job_stops_and_goes_on_when_it_is_resumed() {
    let workshop = long_job().await;
    let told = interrupt(&workshop, "pause").told();
    assert!(told.contains("job 1 was paused") && told.contains("`foretell job resume 1` goes on"), "{told}");
    assert_eq!(status(&workshop, "1")["state"], "paused");
    let run = job(&workshop, &["run", "1"]);
    assert_eq!(run.code, FAILED);
    assert!(run.told().contains("job 1 is paused help: `foretell job resume 1` goes on"), "{}", run.told());
    let resumed = job(&workshop, &["resume", "1", "--json"]);
    assert_eq!(resumed.code, DONE, "{resumed:?}");
    assert_eq!(resumed.json()["predicted"], LONG);
    let outcome = Outcome::read(&workshop.database(), 1).await;
    assert_eq!((outcome.predictions.len(), outcome.rejects.len()), (LONG, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stops_for_good() {
    let workshop = long_job().await;
    let told = interrupt(&workshop, "cancel").told();
    assert!(told.contains("job 1 was cancelled"), "{told}");
    let before = status(&workshop, "1");
    assert_eq!(before["state"], "cancelled");
    for verb in ["run", "resume", "pause", "cancel"] {
        let finished = job(&workshop, &[verb, "1"]);
        assert_eq!(finished.code, FAILED, "{verb}: {finished:?}");
        assert!(finished.told().contains("cancelled"), "{verb}: {}", finished.told());
    }
    assert_eq!(status(&workshop, "1"), before);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_stops_when_it_is_told_to_by_a_signal() {
    let workshop = long_job().await;
    for name in ["INT", "TERM"] {
        let started = start_job(&workshop, &["run", "1"]);
        let done = status(&workshop, "1")["chunks_done"].as_u64();
        wait_until("something is done", || status(&workshop, "1")["chunks_done"].as_u64() > done);
        // The terminal sends it to the whole group.
        foretell_tests::signal(name, &format!("-{}", started.id()));
        let finished = started.wait();
        assert_eq!(finished.code, FAILED, "{name}: {finished:?}");
        assert_decent(&finished);
        assert!(finished.told().contains("interrupted; job 1: "), "{name}: {}", finished.told());
        assert_eq!(status(&workshop, "1")["workers"], Value::Array(Vec::new()));
    }
    assert_eq!(job(&workshop, &["run", "1"]).code, DONE);
    assert_eq!(Outcome::read(&workshop.database(), 1).await.predictions.len(), LONG);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_from_elsewhere() {
    let workshop = long_job().await;
    let watching = start_job(&workshop, &["status", "1", "--watch", "--json"]);
    let working = start_job(&workshop, &["run", "1"]);
    let (watched, worked) = (watching.wait(), working.wait());
    assert_eq!((watched.code, worked.code), (DONE, DONE), "{watched:?} {worked:?}");
    assert_eq!((&watched.json()["state"], &watched.json()["predicted"]), (&"done".into(), &LONG.into()));
    let told: Vec<Value> = watched
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a document"))
        .collect();
    assert!(told.iter().all(|document| document["job"] == 1), "{told:?}");
    let seen = |document: &Value| document["predicted"].as_u64().unwrap();
    assert!(told.is_sorted_by_key(seen), "{told:?}");
    let between = |document: &Value| (1..LONG as u64).contains(&seen(document));
    assert!(told.iter().any(between), "it was seen at work: {told:?}");
}

fn keys(document: &Value) -> Vec<&str> {
    document.as_object().expect("a document").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_have_the_keys_that_programs_read() {
    let workshop = moody();
    let poison = [(3, Mood("calm", "1.5")), (5, Mood("lost", "0.5"))];
    store_moods(&workshop.database(), &moods(10, CALM, &poison)).await;
    create(&workshop, SMALL);
    let ran = job(&workshop, &["run", "1", "--json"]);
    assert_eq!(ran.code, SOME_REJECTED);
    let common = [
        "job",
        "kind",
        "domain",
        "plugin",
        "run",
        "shadow",
        "selection",
        "state",
        "records",
        "predicted",
        "rejected",
        "chunks",
        "chunks_done",
        "chunks_leased",
        "chunks_failed",
        "chunk_records",
        "timeout_s",
        "read_s",
        "predict_s",
        "write_s",
        "created_at",
        "started_at",
        "last_chunk_at",
        "finished_at",
    ];
    let with = |more: &[&'static str]| {
        let mut keys = [&common[..], more].concat();
        keys.sort_unstable();
        keys
    };
    let sorted = |document: &Value| {
        let mut keys: Vec<String> = keys(document).into_iter().map(str::to_owned).collect();
        keys.sort_unstable();
        keys
    };
    let ended = ran.json();
    assert_eq!(
        sorted(&ended),
        with(&["scored", "seconds", "read_seconds", "predict_seconds", "write_seconds"])
    );
    let status = job(&workshop, &["status", "1", "--json"]);
    assert_eq!(status.code, SOME_REJECTED);
    let status = status.json();
    assert_eq!(sorted(&status), with(&["records_per_s", "left_s", "workers", "problems", "fitted"]));
    let list = job(&workshop, &["list", "--json"]).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(sorted(&list[0]), with(&[]));
    let results = job(&workshop, &["results", "1", "--json"]).json();
    assert_eq!(sorted(&results), with(&["decisions", "highest", "set_aside"]));
    for document in [&ended, &status, &list[0], &results] {
        assert_eq!(
            (&document["state"], &document["predicted"], &document["rejected"], &document["plugin"]),
            (&"done".into(), &8.into(), &2.into(), &"moody@1.0.0".into())
        );
        assert_eq!((&document["chunks"], &document["chunks_done"]), (&2.into(), &2.into()));
    }
    assert_eq!(results["decisions"][0]["records"], 8);
    assert_eq!(results["set_aside"].as_array().unwrap().len(), 2);
    for line in ran.stderr.lines() {
        let told: Value = serde_json::from_str(line).expect("each line is a document");
        assert_eq!((&told["event"], &told["job"]), (&"progress".into(), &1.into()), "{told}");
    }
}

async fn jobs_and_runs(database: &Path) -> (i64, i64) {
    (number(database, "SELECT count(*) FROM job").await, number(database, "SELECT count(*) FROM run").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_stores_no_job() {
    let workshop = moody();
    store_moods(&workshop.database(), &moods(12, CALM, &[])).await;
    let preview = job(&workshop, &["create", "--plugin", "moody", "--preview", "--json"]);
    assert_eq!(preview.code, DONE, "{preview:?}");
    assert_eq!(preview.json()["records"], 12);
    assert_eq!(jobs_and_runs(&workshop.database()).await, (0, 0));
    assert_eq!(job(&workshop, &["list", "--json"]).json(), Value::Array(Vec::new()));
}

fn update(workshop: &Workshop) -> Finished {
    job(workshop, &["update", "--plugin", "moody", "--chunk", SMALL, "--json"])
}

/// The documents that a command printed, one after the other.
fn documents(finished: &Finished) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(&finished.stdout).into_iter();
    documents.map(|document| document.unwrap_or_else(|error| panic!("{error}: {finished:?}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_scores_what_is_new_and_nothing_twice() {
    let workshop = moody();
    let database = workshop.database();
    store_moods(&database, &moods(12, CALM, &[(7, Mood("lost", "0.5"))])).await;
    let first = update(&workshop);
    assert_eq!(first.code, SOME_REJECTED, "{first:?}");
    assert_eq!((&first.json()["predicted"], &first.json()["rejected"]), (&11.into(), &1.into()));
    let second = update(&workshop);
    assert_eq!(second.code, DONE, "{second:?}");
    assert_eq!((&second.json()["job"], &second.json()["records"]), (&Value::Null, &0.into()));
    assert_eq!(jobs_and_runs(&database).await, (1, 1), "an update with nothing to do leaves nothing behind");

    store_moods(&database, &moods(8, CALM, &[])).await;
    let third = update(&workshop);
    assert_eq!(third.code, DONE, "{third:?}");
    assert_eq!((&third.json()["records"], &third.json()["predicted"]), (&8.into(), &8.into()));
    let job = third.json()["job"].as_i64().unwrap();
    let outcome = Outcome::read(&database, job).await;
    let records: Vec<i64> = outcome.predictions.iter().map(|(record, ..)| *record).collect();
    assert_eq!(records, (13..=20).collect::<Vec<_>>());
    assert_eq!(jobs_and_runs(&database).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_first_goes_on_with_what_is_unfinished() {
    let workshop = moody();
    let database = workshop.database();
    store_moods(&database, &moods(12, CALM, &[])).await;
    create(&workshop, SMALL);
    store_moods(&database, &moods(8, CALM, &[])).await;
    let updated = update(&workshop);
    assert_eq!(updated.code, DONE, "{updated:?}");
    let worked: Vec<_> =
        documents(&updated).iter().map(|job| (job["job"].as_i64(), job["predicted"].as_u64())).collect();
    assert_eq!(worked, [(Some(2), Some(8))], "programs get the document of the last job");
    for job in [1, 2] {
        Outcome::read(&database, job).await;
    }
    assert_eq!(number(&database, "SELECT count(*) - count(DISTINCT record_id) FROM prediction").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_at_the_same_time_score_nothing_twice() {
    let workshop = moody();
    let database = workshop.database();
    let arguments = ["update", "--plugin", "moody", "--chunk", SMALL];
    let update_twice = || {
        let both = [(); 2].map(|()| start_job(&workshop, &arguments));
        let both = both.map(foretell_tests::Started::wait);
        for finished in &both {
            assert_decent(finished);
            // The one that finds the other planning has nothing to do, either.
            let planning =
                finished.code == FAILED && finished.told().contains("another process is planning it");
            assert!(finished.code == DONE || planning, "{finished:?}");
        }
        assert!(both.iter().any(|finished| finished.code == DONE), "{both:?}");
    };
    for round in 1..=10 {
        store_moods(&database, &moods(60, CALM, &[])).await;
        // The second time, there is nothing to do for either.
        for _ in 0..2 {
            update_twice();
            let twice =
                number(&database, "SELECT count(*) - count(DISTINCT record_id) FROM prediction").await;
            assert_eq!(twice, 0, "round {round}");
            assert_eq!(number(&database, "SELECT count(*) FROM prediction").await, 60 * round);
            assert_eq!(jobs_and_runs(&database).await, (round, round));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_arrive_after_planning_are_not_of_the_job() {
    let workshop = moody();
    let database = workshop.database();
    store_moods(&database, &moods(12, CALM, &[])).await;
    create(&workshop, SMALL);
    store_moods(&database, &moods(12, CALM, &[])).await;
    let ran = job(&workshop, &["run", "1", "--json"]);
    assert_eq!(ran.code, DONE, "{ran:?}");
    assert_eq!((&ran.json()["records"], &ran.json()["predicted"]), (&12.into(), &12.into()));
    let outcome = Outcome::read(&database, 1).await;
    assert!(outcome.predictions.iter().all(|(record, ..)| *record <= 12));
}

/// Adds a byte to a file; returns the hashes of before and after.
fn change(file: &Path) -> [String; 2] {
    let before = std::fs::read(file).unwrap();
    let after = [&before[..], &[0]].concat();
    std::fs::write(file, &after).unwrap();
    [before, after].map(|bytes| blake3::hash(&bytes).to_hex().to_string())
}

#[test]
fn a_job_whose_model_was_changed_is_refused_with_both_hashes() {
    let workshop = Workshop::default();
    workshop.install_fraud();
    let simulate = ["simulate", "--customers", "10", "--terminals", "10", "--days", "3"];
    assert_eq!(workshop.run("foretell-fraud", &simulate, "").code, DONE);
    let plugin = build_directory().join("plugins/fraud-feed-forward");
    let model = workshop.path("other.onnx");
    std::fs::copy(plugin.join("model/feed_forward.onnx"), &model).unwrap();
    // An empty field at the end makes another file of it, and the same network.
    let mut other = std::fs::read(&model).unwrap();
    other.extend([0x1a, 0x00]);
    std::fs::write(&model, other).unwrap();
    let slot = format!("network={}", model.display());
    let batch = |arguments: &[&str]| workshop.run("foretell-fraud", &[&["batch"], arguments].concat(), "");
    assert_eq!(batch(&["create", "--model", &slot]).code, DONE);
    assert_eq!(batch(&["create"]).code, DONE);

    let registry = workshop.registry();
    let installed = registry.find("fraud-feed-forward").unwrap();
    let installed = installed.directory.join("model/feed_forward.onnx");
    for (job, file) in [("1", &model), ("2", &installed)] {
        let hashes = change(file);
        for verb in ["run", "resume"] {
            let refused = batch(&[verb, job]);
            assert_eq!(refused.code, FAILED, "{refused:?}");
            assert_decent(&refused);
            for hash in &hashes {
                assert!(refused.told().contains(hash), "{hash}: {}", refused.told());
            }
        }
    }
}
