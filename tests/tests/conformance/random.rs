//! Records at random, and a case that is made again from its seed.

use foretell_tests::Workshop;

use super::{BAD, DOES_NOT_HOLD, DONE, bad, validate};

const ONLY: [&str; 3] = ["--check", "manifest-schema", "--json"];

#[test]
fn a_good_plugin_meets_everything_with_a_clean_answer_or_error() {
    let workshop = Workshop::default();
    let directory = bad(&workshop, "GOOD", BAD);
    let more = [&["--fuzz", "500", "--seed", "7"][..], &ONLY].concat();
    let finished = validate(&workshop, directory.to_str().unwrap(), &more);
    assert_eq!(finished.code, DONE, "{finished:?}");
    let fuzz = &finished.json()["fuzz"];
    assert_eq!((&fuzz["cases"], fuzz["faults"].as_array().unwrap().len()), (&500.into(), 0));
}

/// Each of these shows itself in some of the cases, and again in the case of each seed that is told.
#[test]
fn what_is_found_at_random_is_made_again_from_its_seed() {
    for (behaviour, words) in [
        ("OVERFLOWS", "expected 0 to 1"),
        ("TAKES_NAN_OF_THE_PAST", "expected 0 to 1"),
        ("ABORTS_ON_SETTINGS", "signal 6 (abort)"),
        ("CRASHES_WITHOUT_RECORDS", "signal 11"),
    ] {
        let workshop = Workshop::default();
        let directory = bad(&workshop, behaviour, BAD);
        let directory = directory.to_str().unwrap();
        let more = [&["--fuzz", "400"][..], &ONLY].concat();
        let finished = validate(&workshop, directory, &more);
        assert_eq!(finished.code, DOES_NOT_HOLD, "{behaviour}: {finished:?}");
        let faults = finished.json()["fuzz"]["faults"].as_array().unwrap().clone();
        assert!(faults.iter().all(|fault| fault["reason"].as_str().unwrap().contains(words)), "{faults:?}");
        let seed = faults[0]["seed"].as_u64().unwrap().to_string();

        let again = validate(&workshop, directory, &["--reproduce", &seed, "--json"]);
        assert_eq!(again.code, DOES_NOT_HOLD, "{behaviour}: {again:?}");
        let case = again.json();
        assert_eq!(case["reason"], faults[0]["reason"], "{behaviour}");
        assert!(case["detail"].as_str().is_some_and(|detail| detail.contains("records")), "{case}");
        let seeds: Vec<u64> = faults.iter().map(|fault| fault["seed"].as_u64().unwrap()).collect();
        let clean = (0..seeds[seeds.len() - 1]).find(|seed| !seeds.contains(seed)).unwrap().to_string();
        let fine = validate(&workshop, directory, &["--reproduce", &clean]);
        assert_eq!(fine.code, DONE, "{behaviour}, seed {clean}: {fine:?}");
        assert!(fine.stdout.contains("passed: "), "{}", fine.stdout);
    }
}
