//! How the process of a plugin ends, and that the next call has another.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use foretell_runtime::isolation::{Ended, Limits};
use foretell_runtime::plugin::{LoadOptions, Plugin, PredictErrorKind};

use super::{Cage, LIMITS, ask, deeds, isolating};

/// Memory that a plugin is given to eat.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Time that a plugin is given to hang.
const CALL_TIME_MAX: Duration = Duration::from_millis(300);

fn ended(limits: Limits, deed: &str) -> Ended {
    let cage = Cage::new();
    let plugin = cage.load(&isolating(limits));
    assert_eq!(ask(&plugin, "none").unwrap(), [0.25]);
    let found = match ask(&plugin, deed) {
        Err(PredictErrorKind::Ended(ended)) => ended,
        other => panic!("{deed}: {other:?}"),
    };
    // As if nothing had happened, and as often as one likes.
    assert_eq!(ask(&plugin, "none").unwrap(), [0.25]);
    assert!(matches!(ask(&plugin, deed), Err(PredictErrorKind::Ended(again)) if again == found), "{deed}");
    let many = plugin.predict(&deeds(&["none"; 1_000])).unwrap();
    assert_eq!(many.numbers().unwrap(), [0.25; 1_000]);
    found
}

#[test]
fn a_crash_costs_one_call() {
    assert_eq!(ended(LIMITS, "crash"), Ended::Signal { number: 11 });
}

#[test]
fn an_exit_costs_one_call() {
    assert_eq!(ended(LIMITS, "leave"), Ended::Exit(7));
}

#[test]
fn a_hang_is_ended() {
    for deed in ["hang", "spin"] {
        let limits = Limits { call_time_max: CALL_TIME_MAX, ..LIMITS };
        assert_eq!(ended(limits, deed), Ended::Late(CALL_TIME_MAX), "{deed}");
    }
}

#[test]
fn who_eats_memory_gets_no_more_than_there_is() {
    let limits = Limits { memory_bytes_max: MEMORY_BYTES_MAX, ..LIMITS };
    let found = ended(limits, "eat");
    assert_eq!(found, Ended::Memory { bytes_max: MEMORY_BYTES_MAX });
    assert_eq!(
        found.to_string(),
        "the process of the plugin wanted more memory than the 256 MiB that it may have"
    );
}

#[test]
fn an_answer_that_is_none_is_found() {
    let found = ended(LIMITS, "forge");
    let words = found.to_string();
    assert!(matches!(found, Ended::Breach(_)), "{words}");
    assert!(words.contains("a frame of kind 1735552870, which there is not"), "{words}");
}

#[test]
fn a_plugin_that_closes_its_pipe_costs_one_call() {
    ended(LIMITS, "close-everything");
}

#[test]
fn who_is_cancelled_does_not_come_back() {
    let cage = Cage::new();
    let plugin = cage.load(&isolating(LIMITS));
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| ask(&plugin, "hang"));
        while !hanging.is_finished() {
            plugin.set_cancelled(true);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(hanging.join().unwrap(), Err(PredictErrorKind::Cancelled));
    });
    assert_eq!(ask(&plugin, "none"), Err(PredictErrorKind::Cancelled));
    plugin.set_cancelled(false);
    assert_eq!(ask(&plugin, "none").unwrap(), [0.25]);
}

#[test]
fn other_columns_than_the_manifest_has_arrive_too() {
    let cage = Cage::new();
    let columns = Schema::new(vec![Field::new("said", DataType::Utf8, false)]);
    let options = LoadOptions { records: Some(Arc::new(columns)), ..LoadOptions::default() };
    let plugin = Plugin::load(&isolating(LIMITS), cage.verified(), &options).unwrap();
    let said: ArrayRef = Arc::new(StringArray::from_iter_values(["none", "none"]));
    let predictions = plugin.predict(&RecordBatch::try_from_iter([("said", said)]).unwrap()).unwrap();
    assert_eq!(predictions.numbers().unwrap(), [0.25; 2]);
    let words = plugin.predict(&deeds(&["none"])).unwrap_err().to_string();
    assert!(words.ends_with("the records have the columns [deed: Utf8]; expected [said: Utf8]"), "{words}");
}

#[test]
fn several_threads_take_turns() {
    let cage = Cage::new();
    let plugin = cage.load(&isolating(LIMITS));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let plugin = &plugin;
            scope.spawn(move || {
                for call in 0..25 {
                    if thread == 0 && call % 5 == 0 {
                        assert!(ask(plugin, "crash").is_err());
                    }
                    assert_eq!(ask(plugin, "none").unwrap(), [0.25]);
                }
            });
        }
    });
}

#[test]
fn a_changed_file_is_not_loaded_when_the_process_starts_again() {
    let cage = Cage::new();
    let plugin = cage.load(&isolating(LIMITS));
    assert!(ask(&plugin, "crash").is_err());
    let library = plugin.verified().library().to_owned();
    let mut bytes = std::fs::read(&library).unwrap();
    bytes.push(0);
    // A new file: the old one is still mapped by this or that process.
    std::fs::remove_file(&library).unwrap();
    std::fs::write(&library, bytes).unwrap();
    match ask(&plugin, "none") {
        Err(PredictErrorKind::Restart(words)) => {
            assert!(
                words.starts_with("library has changed since it was verified: expected BLAKE3"),
                "{words}"
            );
        }
        other => panic!("{other:?}"),
    }
}
