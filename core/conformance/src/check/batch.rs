//! Whether an answer depends on the record alone: not on its neighbours, their order, the instance, the process or other threads.

use std::sync::Barrier;

use super::Found;
use crate::answer::{Cell, digest, fault as meaningless, in_words, is_near};
use crate::records::Row;
use crate::subject::{Subject, predict};
use crate::verdict::{Finding, Passed, fault, passed};

/// Records that are looked at for answers that mean something.
const ORDINARY_RECORDS: usize = 128;
/// The same with images.
const ORDINARY_IMAGES: usize = 8;
/// How often the same batch is asked for again.
const REPEATS: usize = 4;
/// Threads that call at once.
const THREADS: usize = 4;
/// Calls of each thread.
const CALLS: usize = 16;
/// The same with images, one in each call.
const CALLS_WITH_IMAGES: usize = 3;

pub(super) fn ordinary_answers(subject: &Subject) -> Found {
    let most = if subject.has_images() { ORDINARY_IMAGES } else { ORDINARY_RECORDS };
    let count = most.min(subject.manifest().limits.rows_max);
    let (rows, refused) = subject.ordinary("ordinary", count)?;
    let answers = subject.must_predict(&rows, "ordinary records")?;
    for (row, answer) in answers.iter().enumerate() {
        if let Some(words) = meaningless(subject.manifest(), answer) {
            return Err(fault(format!("for ordinary record {} of {count} it {words}", row + 1)));
        }
    }
    let different = {
        let mut seen: Vec<_> = answers.iter().map(|answer| digest(std::slice::from_ref(answer))).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    passed(format!("{count} records, {different} different answers; {refused} more were refused"))
}

pub(super) fn empty_batch(subject: &Subject) -> Found {
    // The host refuses an answer of another number of rows.
    subject.must_predict(&[], "a batch without a record")?;
    passed("")
}

/// The first answers that differ, as a fault.
fn compare(subject: &Subject, expected: &[Cell], found: &[Cell], what: &str) -> Result<(), Finding> {
    let pairs = expected.iter().zip(found).enumerate();
    for (row, (expected, found)) in pairs {
        if !is_near(subject.manifest(), expected, found) {
            let (expected, found) = (in_words(expected), in_words(found));
            return Err(fault(format!("record {} got {expected}, and {what} {found}", row + 1)));
        }
    }
    Ok(())
}

/// Why a check of several records does not apply to a plugin that takes one at a time.
fn at_least_two(subject: &Subject) -> Result<(), Finding> {
    if subject.manifest().limits.rows_max < 2 {
        return Err(Finding::NotApplicable("the manifest allows one record in a call".to_owned()));
    }
    Ok(())
}

pub(super) fn single_equals_batch(subject: &Subject) -> Found {
    at_least_two(subject)?;
    let (rows, _) = subject.ordinary("single", subject.batch_records())?;
    let together = subject.must_predict(&rows, "records, each of which it takes alone, together")?;
    for (row, expected) in rows.iter().zip(&together) {
        let alone = subject.must_predict(std::slice::from_ref(row), "a record of a batch alone")?;
        compare(subject, std::slice::from_ref(expected), &alone, "alone")?;
    }
    passed(format!("{} records", rows.len()))
}

pub(super) fn order_independence(subject: &Subject) -> Found {
    at_least_two(subject)?;
    let (rows, _) = subject.ordinary("order", subject.batch_records())?;
    let expected = subject.must_predict(&rows, "ordinary records")?;
    let backwards = (0..rows.len()).rev().collect();
    let shuffled = subject.generator("order of records").dice.order(rows.len());
    for order in [backwards, shuffled] {
        let moved: Vec<Row> = order.iter().map(|row| rows[*row].clone()).collect();
        let found = subject.must_predict(&moved, "ordinary records in another order")?;
        let mut back = vec![Cell::Null; rows.len()];
        for (row, answer) in order.iter().zip(found) {
            back[*row] = answer;
        }
        compare(subject, &expected, &back, "in another order")?;
    }
    passed(format!("{} records", rows.len()))
}

pub(super) fn deterministic(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("deterministic", subject.batch_records())?;
    let expected = digest(&subject.must_predict(&rows, "ordinary records")?);
    for _ in 1..REPEATS {
        if digest(&subject.must_predict(&rows, "ordinary records again")?) != expected {
            return Err(fault("the same batch got other bits when it was asked for again"));
        }
    }
    let other = subject.open(&subject.options()).map_err(|refusal| refusal.fault("another instance"))?;
    let found =
        predict(&other, &subject.batch(&rows)?).map_err(|refusal| refusal.fault("another instance"))?;
    if digest(&found) != expected {
        return Err(fault("the same batch got other bits from another instance"));
    }
    Ok(Passed {
        note: format!("{} records, {} calls in each of two processes", rows.len(), REPEATS + 1),
        digest: Some(expected),
    })
}

pub(super) fn concurrent_calls(subject: &Subject) -> Found {
    let (calls, records) = match subject.has_images() {
        true => (CALLS_WITH_IMAGES, 1),
        false => (CALLS, subject.batch_records()),
    };
    let mut work = Vec::new();
    for thread in 0..THREADS {
        let (rows, _) = subject.ordinary(&format!("thread {thread}"), records)?;
        let expected = subject.must_predict(&rows, "ordinary records")?;
        work.push((subject.batch(&rows)?, expected));
    }
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        let threads = work.iter().map(|(batch, expected)| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                for _ in 0..calls {
                    let found = predict(&subject.plugin, batch)
                        .map_err(|refusal| refusal.fault("records, while other threads call"))?;
                    compare(subject, expected, &found, "while other threads called")?;
                }
                Ok(())
            })
        });
        // All are started before the first is waited for.
        let threads: Vec<_> = threads.collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a check does not panic"))
    })?;
    passed(format!("{} calls", THREADS * calls))
}
