//! Batch work with plugins in processes of their own.

use std::path::Path;

use foretell_runtime::registry::Existing;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
use foretell_tests::{Workshop, caged_library, caged_manifest, plugin_directory, wait_until};

use super::outcome::Outcome;
use super::{
    CALM, DONE, FAILED, SOME_REJECTED, assert_decent, block_on, create, job, moods, moody, start_job, status,
    store_moods,
};
use crate::poison::{DEADLY, STUCK};

/// A workshop with a plugin that does what it is told, and records that tell it.
async fn caged(deeds: &[&str]) -> Workshop {
    let workshop = Workshop::default();
    let library = caged_library(&workshop.path("build"));
    let directory =
        plugin_directory(&workshop.path("caged"), &caged_manifest(Path::new("/nowhere")), &library);
    workshop.registry().install(&directory, Existing::Keep).unwrap();
    let store = Store::create_or_open(&workshop.database()).await.unwrap();
    let source = SourceInfo { kind: SourceKind::Live, name: "test".into(), hash: None, mapping: None };
    let mut appender = Appender::begin(&store, "test", Vec::new(), source).await.unwrap();
    let record = |(time, deed): (i64, &&str)| NewRecord {
        external_id: None,
        event_time: time,
        payload: format!(r#"{{"deed":"{deed}"}}"#),
        keys: Vec::new(),
        labels: Vec::new(),
        media: vec![],
    };
    appender.append((0..).zip(deeds).map(record).collect()).await.unwrap();
    appender.finish().await.unwrap();
    store.close().await;
    workshop
}

/// The records that a job has set aside, and why.
async fn set_aside(database: &Path, records: usize) -> Vec<(i64, String)> {
    let outcome = Outcome::read(database, 1).await;
    assert_eq!(outcome.predictions.len() + outcome.rejects.len(), records);
    outcome.rejects.into_iter().map(|(record, _, reason)| (record, reason)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_a_hang_and_a_bomb_cost_their_records() {
    let mut deeds = ["none"; 60];
    let placed = [
        (3, "crash", "the process of the plugin was ended by signal 11 (segmentation fault)"),
        (4, "crash", "the process of the plugin was ended by signal 11 (segmentation fault)"),
        (20, "eat", "the process of the plugin wanted more memory than the 256 MiB that it may have"),
        (31, "hang", "the plugin did not answer within 1s"),
        (44, "socket", "socket: refused: Operation not permitted"),
        (45, "system", "system: refused: Operation not permitted"),
        (46, "make-file", "make-file: refused: Permission denied"),
    ];
    for (place, deed, _) in placed {
        deeds[place] = deed;
    }
    deeds[50] = "print";
    let workshop = caged(&deeds).await;
    let limits =
        ["--isolate", "--isolate-memory", "256MiB", "--timeout", "1s", "--chunk", "25", "--workers", "2"];
    let finished =
        job(&workshop, &[&["create", "--plugin", "caged", "--run", "--json"], &limits[..]].concat());
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    assert_decent(&finished);
    assert_eq!(finished.json()["rejected"], placed.len());
    let expected: Vec<_> =
        placed.iter().map(|(place, _, reason)| (*place as i64 + 1, (*reason).to_owned())).collect();
    assert_eq!(set_aside(&workshop.database(), deeds.len()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_isolates_without_being_asked() {
    let workshop = caged(&["none", "socket", "spin", "none"]).await;
    let policy = "version = 1\n[policy]\nisolate = true\ncall_seconds_max = 1\n";
    std::fs::write(workshop.path("home").join("config.toml"), policy).unwrap();
    let arguments = ["create", "--plugin", "caged", "--run", "--isolate-time", "50s", "--json"];
    let finished = job(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let expected = [
        (2, "socket: refused: Operation not permitted".to_owned()),
        (3, "the plugin did not answer within 1s".to_owned()),
    ];
    assert_eq!(set_aside(&workshop.database(), 4).await, expected);
    std::fs::write(workshop.path("home").join("config.toml"), "version = 1\n[policy]\nisolated = true\n")
        .unwrap();
    let finished = job(&workshop, &arguments);
    assert_eq!(finished.code, FAILED, "{finished:?}");
    assert!(finished.told().contains("unknown field `isolated`"), "{}", finished.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_plugin_that_ends_its_process_at_every_record_is_given_up() {
    let workshop = moody();
    store_moods(&workshop.database(), &[DEADLY; 100]).await;
    let finished = job(&workshop, &["create", "--plugin", "moody", "--run", "--isolate", "--workers", "1"]);
    assert_eq!(finished.code, FAILED, "{finished:?}");
    assert_decent(&finished);
    let expected = "32 records in a row could not be predicted; of the last one: the process of the plugin was ended by signal 6 (abort)";
    assert!(finished.told().contains(expected), "{}", finished.told());
    assert_eq!(status(&workshop, "1")["state"], "ready");
}

/// Processes that a process has started, and those that they have.
fn descendants(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = lists
        .flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| [vec![*child], descendants(*child)].concat()).collect()
}

/// Whether a process has ended, and somebody has asked how, or nobody will.
fn is_gone(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim_start().starts_with('Z'))
}

/// Processes that hold an isolated plugin, among those that a process has started.
fn isolated(parent: u32) -> Vec<u32> {
    let holds_plugin = |process: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.contains("isolated-plugin")
    };
    descendants(parent).into_iter().filter(holds_plugin).collect()
}

#[test]
fn whatever_ends_the_program_ends_the_process_of_its_plugin() {
    for mood in [STUCK, CALM] {
        let workshop = moody();
        // One that hangs, or many that take their time.
        let moods = if mood == STUCK { vec![STUCK] } else { moods(10_000, super::SLOW, &[]) };
        block_on(store_moods(&workshop.database(), &moods));
        create(&workshop, "1000");
        let mut started = start_job(&workshop, &["run", "1", "--isolate", "--workers", "1"]);
        let mut found = Vec::new();
        wait_until("an isolated plugin runs", || {
            found = isolated(started.id());
            !found.is_empty()
        });
        assert!(started.kill_group());
        wait_until("its process has ended", || found.iter().all(|process| is_gone(*process)));
    }
}

#[test]
fn without_records_at_fault_nothing_is_set_aside() {
    let workshop = moody();
    block_on(store_moods(&workshop.database(), &moods(3_000, CALM, &[])));
    create(&workshop, "500");
    let finished = job(&workshop, &["run", "1", "--isolate", "--workers", "2", "--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    assert_eq!(finished.json()["predicted"], 3_000);
}
