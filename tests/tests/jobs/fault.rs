//! A disk that is full, or fails: it is told once, in words that help, and nothing is lost.

use std::path::Path;

use foretell_tests::{Finished, Workshop, fault_library};

use super::base::{Base, Reference, moody_base};
use super::outcome::Outcome;
use super::{FAILED, SOME_REJECTED, assert_decent, block_on, moody};

/// Moments at which the disk begins to fail, spread over what writes.
const MOMENTS: u64 = 20;

/// `ENOSPC` and `EIO`, as Linux numbers them.
const FULL: &str = "28";
const BROKEN: &str = "5";

/// Runs commands whose database cannot be written from some call on.
struct Faulty<'f> {
    shop: &'f Workshop,
    base: &'f Base,
    library: String,
    error: &'static str,
}

impl Faulty<'_> {
    /// Runs a command; `after` so many calls, the database cannot be written. Also says how many calls there were.
    fn run(&self, database: &Path, words: &[String], after: u64) -> (Finished, u64) {
        let count = self.shop.write("count", 0_u64.to_ne_bytes());
        let environment = [
            ("LD_PRELOAD", self.library.as_str()),
            ("FAULT_NAME", database.file_name().unwrap().to_str().unwrap()),
            ("FAULT_AFTER", &after.to_string()),
            ("FAULT_ERRNO", self.error),
            ("FAULT_COUNT", count.to_str().unwrap()),
        ];
        let finished = self.base.start(self.shop, database, words, &environment).wait();
        let bytes = std::fs::read(count).unwrap();
        (finished, u64::from_ne_bytes(bytes.try_into().unwrap()))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Looks that the failure is told once, with what to do.
fn assert_told(finished: &Finished, what: &str) {
    assert_eq!(finished.code, FAILED, "{what}: {finished:?}");
    assert_decent(finished);
    let failures = finished.stderr.lines().filter(|line| line.contains('\u{d7}')).count();
    assert_eq!(failures, 1, "{what}: {}", finished.stderr);
    let told = finished.told();
    let (full, broken) = ("the disk is full", "the disk could not be read or written");
    assert_eq!(told.matches(full).count() + told.matches(broken).count(), 1, "{what}: {told}");
    let hint = if told.contains(full) { "free some space" } else { "check the disk" };
    assert!(told.contains(hint), "{what}: {told}");
    assert!(!told.contains("WARN") && !told.contains("ERROR"), "{what}: {told}");
}

/// Does what `words` say with the disk failing at many moments, and then without.
fn assert_survives(error: &'static str, planned: bool, verb: &[&str]) {
    let shop = moody();
    let base = block_on(moody_base(&shop));
    let Reference { expected, .. } = base.reference(&shop);
    let library = fault_library(&shop.path("fault")).to_str().unwrap().to_owned();
    let faulty = Faulty { shop: &shop, base: &base, library, error };
    let verb = if verb.is_empty() { base.create_and_run(1) } else { words(verb) };
    let copy = |name: &str| {
        let database = base.copy(&shop, name);
        if planned {
            assert_eq!(base.start(&shop, &database, &base.create(), &[]).wait().code, Some(0));
        }
        database
    };
    let (undisturbed, calls) = faulty.run(&copy("undisturbed"), &verb, u64::MAX);
    assert_eq!(undisturbed.code, SOME_REJECTED, "{undisturbed:?}");
    assert!(calls > 4 * MOMENTS, "{calls} calls");
    for moment in 0..MOMENTS {
        let after = calls * moment / MOMENTS;
        let what = format!("error {error} after {after} of {calls} calls");
        let database = copy(&moment.to_string());
        let (finished, _) = faulty.run(&database, &verb, after);
        assert_told(&finished, &what);
        let again = match base.job(&shop, &database) {
            None => base.create_and_run(1),
            Some(_) => words(&["resume", "1"]),
        };
        let finished = base.start(&shop, &database, &again, &[]).wait();
        assert_eq!(finished.code, SOME_REJECTED, "{what}: {finished:?}");
        block_on(Outcome::read(&database, 1)).must_be(&expected);
    }
}

#[test]
fn a_disk_that_is_full_stops_a_job_and_harms_nothing() {
    assert_survives(FULL, true, &["run", "1"]);
}

#[test]
fn a_disk_that_fails_stops_a_job_and_harms_nothing() {
    assert_survives(BROKEN, true, &["run", "1"]);
}

#[test]
fn a_disk_that_is_full_while_a_job_is_planned_harms_nothing() {
    assert_survives(FULL, false, &[]);
}
