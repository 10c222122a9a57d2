//! Records that make a plugin fail, hang or die cost themselves, and not their chunk.

use foretell_jobs::JobOptions;
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_store::open::Store;
use foretell_store::selection::{Selection, Unscored};
use foretell_tests::{Workshop, onnx_runtime, score};

use super::outcome::Outcome;
use super::{CALM, DONE, FAILED, Mood, SOME_REJECTED, assert_decent, job, moods, moody, status, store_moods};

const FURIOUS: Mood = Mood("furious", "0.5");
const SULKY: Mood = Mood("sulky", "0.5");
const LOST: Mood = Mood("lost", "0.5");
pub(crate) const STUCK: Mood = Mood("stuck", "0.5");
pub(crate) const DEADLY: Mood = Mood("deadly", "0.5");
const LEAVING: Mood = Mood("leaving", "0.5");
const CHATTY: Mood = Mood("chatty", "0.25");
const TOO_MUCH: Mood = Mood("calm", "1.5");
const TEXT: Mood = Mood("calm", "\"much\"");

/// The field at fault, and the reason, that a mood is set aside with; the timeout is 1 s.
fn reason(mood: Mood) -> (Option<&'static str>, String) {
    let reason = match mood {
        FURIOUS => {
            return (
                None,
                format!("panicked at tests/moody/src/lib.rs:{}: furious in row 0", line_of_panic()),
            );
        }
        SULKY => "`mood` is `sulky` in row 0; expected `calm`",
        LOST => "the plugin answered NaN; expected a finite number",
        STUCK => "the plugin did not answer within 1s",
        DEADLY => "the process of the plugin was ended by signal 6 (abort)",
        LEAVING => "the process of the plugin ended with code 0",
        TOO_MUCH => return (Some("amount"), "is 1.5; expected 0 to 1".to_owned()),
        _ => return (Some("amount"), "expected a number, found `\"much\"`".to_owned()),
    };
    (None, reason.to_owned())
}

fn line_of_panic() -> usize {
    let source = include_str!("../../moody/src/lib.rs");
    1 + source.lines().position(|line| line.contains(r#"panic!("furious"#)).expect("it panics somewhere")
}

/// Looks that exactly the records that are not `usual` were set aside, each with its reason.
async fn assert_set_aside(workshop: &Workshop, job: i64, moods: &[Mood], usual: Mood) {
    let outcome = Outcome::read(&workshop.database(), job).await;
    let numbered = || (1..).zip(moods.iter().copied());
    let rejects: Vec<_> = numbered()
        .filter(|&(_, mood)| mood != usual)
        .map(|(id, mood)| {
            let (field, reason) = reason(mood);
            (id, field.map(str::to_owned), reason)
        })
        .collect();
    let predictions: Vec<_> = numbered()
        .filter(|&(_, mood)| mood == usual)
        .map(|(id, _)| (id, Some(0.25_f64.to_bits()), Some("no".to_owned())))
        .collect();
    outcome.must_be(&Outcome { predictions, rejects });
}

/// Scores records in a job with some workers, and looks at what was set aside.
async fn assert_poison(count: usize, chunk: &str, workers: &str, poison: &[(usize, Mood)]) {
    assert_poison_with(&[], count, chunk, workers, poison).await;
}

/// As [`assert_poison`], with more options.
async fn assert_poison_with(
    options: &[&str],
    count: usize,
    chunk: &str,
    workers: &str,
    poison: &[(usize, Mood)],
) {
    let workshop = moody();
    let moods = moods(count, CALM, poison);
    store_moods(&workshop.database(), &moods).await;
    let limits = ["--chunk", chunk, "--timeout", "1s", "--workers", workers, "--attempts", "3"];
    let arguments = [&["create", "--plugin", "moody", "--run", "--json"], &limits[..], options].concat();
    let finished = job(&workshop, &arguments);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    assert_decent(&finished);
    assert_eq!(finished.json()["rejected"], poison.len());
    assert_set_aside(&workshop, 1, &moods, CALM).await;
}

const ONE_OF_EACH: [(usize, Mood); 8] = [
    (3, FURIOUS),
    (4, FURIOUS),
    (20, DEADLY),
    (50, SULKY),
    (51, LOST),
    (62, STUCK),
    (70, TOO_MUCH),
    (99, TEXT),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_of_each_kind_is_set_aside_with_its_reason() {
    assert_poison(100, "7", "1", &ONE_OF_EACH).await;
    assert_poison(100, "100", "1", &ONE_OF_EACH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn isolated_plugins_set_the_same_records_aside_with_the_same_reasons() {
    assert_poison_with(&["--isolate"], 100, "7", "2", &ONE_OF_EACH).await;
    assert_poison_with(&["--isolate"], 100, "100", "1", &ONE_OF_EACH).await;
    assert_poison_with(&["--isolate"], 30, "10", "1", &[(4, LEAVING), (25, LEAVING)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_set_the_same_records_aside() {
    assert_poison(100, "7", "2", &ONE_OF_EACH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_of_one_chunk_may_end_a_process() {
    let poison: Vec<_> = (10..18).map(|place| (place, DEADLY)).collect();
    assert_poison(40, "40", "1", &poison).await;
    assert_poison(40, "40", "2", &poison).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chunk_may_have_a_record_that_ends_a_process() {
    let poison: Vec<_> = (0..8).map(|chunk| (chunk * 5 + chunk % 5, DEADLY)).collect();
    assert_poison(40, "5", "1", &poison).await;
    assert_poison(40, "5", "2", &poison).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_records_may_hang() {
    let poison = [(2, STUCK), (3, STUCK), (21, STUCK), (22, DEADLY)];
    assert_poison(30, "10", "2", &poison).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_ends_the_process_as_if_all_were_well_is_found_too() {
    assert_poison(30, "10", "1", &[(4, LEAVING), (25, LEAVING)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_prints_is_its_own_matter() {
    let workshop = moody();
    store_moods(&workshop.database(), &[CHATTY; 60]).await;
    let finished = job(&workshop, &["create", "--plugin", "moody", "--chunk", "7", "--run", "--json"]);
    assert_eq!(finished.code, DONE, "{finished:?}");
    assert_eq!(finished.json()["predicted"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_ends_its_process_at_every_record_is_given_up() {
    let workshop = moody();
    store_moods(&workshop.database(), &[DEADLY; 200]).await;
    let finished = job(&workshop, &["create", "--plugin", "moody", "--run"]);
    assert_eq!(finished.code, FAILED, "{finished:?}");
    assert_decent(&finished);
    let expected = "32 records in a row could not be predicted; of the last one: the process of the plugin was ended by signal 6 (abort)";
    assert!(finished.told().contains(expected), "{}", finished.told());
    assert_eq!(status(&workshop, "1")["state"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_size_of_a_chunk_the_same_records_are_set_aside_once() {
    let workshop = moody();
    let runtime = onnx_runtime();
    let registry = workshop.registry();
    let installed = registry.find("moody").unwrap();
    let plugin =
        Plugin::load(&runtime, registry.verify(&installed).unwrap(), &LoadOptions::default()).unwrap();
    let poison = [(3, FURIOUS), (4, FURIOUS), (50, SULKY), (51, LOST), (70, TOO_MUCH), (99, TEXT)];
    let moods = moods(100, CALM, &poison);
    store_moods(&workshop.database(), &moods).await;
    let store = Store::open(workshop.database()).await.unwrap();
    for chunk_records in [1, 7, 100] {
        let options = JobOptions { chunk_records, ..JobOptions::new(Selection::default()) };
        let job = score(&workshop, &store, &plugin, &runtime, &options).await.unwrap();
        assert_eq!((job.predicted, job.rejected), (94, 6), "chunks of {chunk_records}");
        assert_set_aside(&workshop, job.id, &moods, CALM).await;
    }
    // What was scored or set aside is not looked at again.
    let unscored = Selection { unscored: Some(Unscored::default()), ..Selection::default() };
    assert_eq!(score(&workshop, &store, &plugin, &runtime, &JobOptions::new(unscored)).await, None);
}
