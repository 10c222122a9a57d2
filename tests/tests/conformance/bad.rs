//! Plugins that break the contract in one thing each.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use foretell_tests::Workshop;

use super::{BAD, DOES_NOT_HOLD, bad, results, those, validate};

/// Plugins that are looked at at the same time.
const AT_ONCE: usize = 2;

/// Each behaviour of `tests/hostile/bad.c`, the check that finds it, and words of the reason.
const BEHAVIOURS: [(&str, &str, &str); 21] = [
    ("NEWER_MINOR", "abi-version", "built for plugin interface 1.1"),
    ("OTHER_VERSION", "manifest-agrees-with-library", "its library `2.0.0`"),
    ("SLOW_TO_OPEN", "load-time", "expected at most 2 s of processor time"),
    ("ABOVE_ONE_IN_A_HUNDRED", "ordinary-answers", "expected 0 to 1"),
    ("CRASHES_WITHOUT_RECORDS", "empty-batch", "signal 11 (segmentation fault)"),
    ("FORGES_ITS_VERDICT", "empty-batch", "ended with code 0"),
    ("SEES_ITS_NEIGHBOURS", "single-equals-batch", "and alone"),
    ("EXPECTS_ORDER", "order-independence", "in another order"),
    ("DRAWS_AT_START", "deterministic", "in another process"),
    ("SHARES_SCRATCH", "concurrent-calls", "while other threads called"),
    ("TAKES_NAN_OF_THE_PAST", "null-and-nan", "a past whose `amount` is"),
    ("OVERFLOWS", "extreme-values", "`amount` 1e3"),
    ("LEAVES_ON_LARGE_AMOUNTS", "extreme-values", "ended with code 0"),
    ("IGNORES_TYPES", "wrong-type-refused", "column `amount` as int64"),
    ("MAKES_UP_COLUMNS", "missing-column-refused", "without the column `amount`"),
    ("NAMES_NO_FIELD", "error-messages-name-the-field", "found `bad input`"),
    ("ABORTS_ON_SETTINGS", "panic-contained", "signal 6 (abort)"),
    ("LOOKS_AHEAD", "history-only-from-the-past", "later than record"),
    ("LEARNS_THE_CLOCK", "learning-repeats", "learned twice"),
    ("TAKES_MEMORY", "huge-batch-bounded-memory", "4096 records of"),
    ("LEAKS", "no-memory-growth", "expected at most 4 MiB"),
];

/// Checks without which no other can be made.
const BASIS: [&str; 3] = ["manifest-schema", "abi-version", "manifest-agrees-with-library"];

/// Validates a plugin; what is not as it should be.
fn look(behaviour: &str, manifest: &str, check: &str, words: &str) -> Result<(), String> {
    let workshop = Workshop::default();
    let directory = bad(&workshop, behaviour, manifest);
    let finished = validate(&workshop, directory.to_str().expect("a path is text"), &["--json"]);
    if finished.stdout.is_empty() {
        return Err(format!("{behaviour}: {}", finished.told()));
    }
    let results = results(&finished);
    let wrong = |what: &str| {
        let others = results.iter().filter(|(_, (result, _))| result != "passed");
        Err(format!("{behaviour}: {what}: {:?}", others.collect::<Vec<_>>()))
    };
    if finished.code != DOES_NOT_HOLD || finished.json()["holds"] != false {
        return wrong("it is not refused");
    }
    if those(&results, "failed") != [check] {
        return wrong(&format!("expected that {check} fails alone"));
    }
    if !results[check].1.contains(words) {
        return wrong(&format!("expected {words:?} as the reason"));
    }
    // What can't be made is not passed; everything else is.
    let not_run = those(&results, "not-run").len();
    let passed = those(&results, "passed").len();
    let expected = if BASIS.contains(&check) { (results.len() - 1, 0) } else { (0, results.len() - 1) };
    let first = BASIS.iter().position(|basis| *basis == check).unwrap_or(0);
    if (not_run, passed) != (expected.0 - first, expected.1 + first) {
        return wrong(&format!("{not_run} are not run, and {passed} passed"));
    }
    Ok(())
}

#[test]
fn each_bad_plugin_is_caught_by_the_check_for_it_alone() {
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| {
                    let mut wrong = Vec::new();
                    while let Some((behaviour, check, words)) =
                        BEHAVIOURS.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        wrong.extend(look(behaviour, BAD, check, words).err());
                    }
                    wrong
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a look does not panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_manifest_that_is_not_understood_is_caught_by_the_check_for_it_alone() {
    for (manifest, words) in [
        (BAD.replace("float64", "float65"), "line 37"),
        (BAD.replace("af1349b9", "af1349b8"), "expected BLAKE3"),
        (BAD.replace("library = \"bad\"", "library = \"worse\""), "worse"),
    ] {
        look("GOOD", &manifest, "manifest-schema", words).unwrap();
    }
}

#[test]
fn a_version_of_the_interface_that_the_library_does_not_have_is_caught() {
    look("GOOD", &BAD.replace("abi = \"1.0\"", "abi = \"1.7\""), "abi-version", "its library 1.0").unwrap();
}

#[test]
fn every_check_has_its_bad_plugin() {
    let workshop = Workshop::default();
    let listed = workshop.run("foretell", &["plugin", "validate", "--list", "--json"], "").json();
    let listed: BTreeSet<&str> =
        listed.as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    let mut caught: BTreeSet<&str> = BEHAVIOURS.iter().map(|(_, check, _)| *check).collect();
    caught.insert("manifest-schema");
    assert_eq!(listed, caught);
}

#[test]
fn a_plugin_that_hangs_fails_the_check_that_it_hangs_in() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "HANGS_WITHOUT_RECORDS", BAD);
    let more = ["--check", "empty-batch", "--check", "single-equals-batch", "--timeout", "30s", "--json"];
    let finished = validate(&workshop, directory.to_str().unwrap(), &more);
    assert_eq!(finished.code, DOES_NOT_HOLD, "{finished:?}");
    let results = results(&finished);
    assert_eq!(those(&results, "failed"), ["empty-batch"], "{results:?}");
    assert_eq!(results["empty-batch"].1, "it did not answer within 30 s");
    assert_eq!(results.len(), BASIS.len() + 2, "what was asked for, and what that needs: {results:?}");
}
