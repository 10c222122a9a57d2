//! Fits that are killed, stopped, or run into trouble: they begin again, and make the same model.

use std::path::Path;
use std::time::{Duration, Instant};

use foretell_tests::{Workshop, fault_library, signal, wait_until};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;

use super::super::outcome::number;
use super::super::{DONE, FAILED, assert_decent, block_on, job, start_job, status};
use super::{Bought, fit, foretell, hash, purchases, store, tally};

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

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_fit_stops_when_it_is_told_to_by_a_signal() {
    let workshop = long_fit().await;
    let started = start_job(&workshop, &["run", "1"]);
    wait_for_progress(&workshop);
    assert!(signal("TERM", &started.id().to_string()));
    let finished = started.wait();
    assert_eq!(finished.code, FAILED, "{finished:?}");
    let told = finished.told();
    assert!(told.contains("job 1 was interrupted; what was learned is gone"), "{told}");
    assert!(told.contains("`foretell job resume 1` begins again"), "{told}");
    let words = job(&workshop, &["status", "1"]).stdout;
    assert!(words.contains("interrupted"), "{words}");
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

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_stops_a_fit_and_harms_nothing() {
    /// Moments at which the disk begins to be full, spread over what writes.
    const MOMENTS: u64 = 8;
    let workshop = tally();
    store(&workshop.database(), purchases(300, 0)).await;
    let fault = fault_library(&workshop.path("fault"));
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
