//! How much memory a plugin takes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use foretell_runtime::manifest::Manifest;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::Found;
use crate::subject::{Subject, predict};
use crate::verdict::{Finding, fault, passed};

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;
/// Memory that the largest batch may take, beside a multiple of its own size.
pub(crate) const BATCH_MIB_MAX: u64 = 256;
/// How many times the size of the largest batch may be taken: a network has many channels for each of an image.
pub(crate) const BATCH_FACTOR_MAX: u64 = 64;
/// Most records of the largest batch.
pub(crate) const HUGE_ROWS_MAX: usize = 1 << 16;
/// How often memory is looked at while a batch is predicted.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Memory by which many calls may grow the process, in each half of them.
pub(crate) const GROWTH_MIB_MAX: u64 = 4;
/// Calls before memory is looked at for the first time, so that everything that is kept is there.
const WARM_CALLS: usize = 50;
/// Calls in each half.
const CALLS_MAX: usize = 4_000;
/// How long each part of the calls goes on.
const CALLS_TIME_MAX: Duration = Duration::from_secs(1);
/// Calls in each half, however long they take.
const CALLS_MIN: usize = 10;

/// Memory that this process has, in bytes.
struct Memory {
    system: System,
    process: Pid,
}

impl Memory {
    fn new() -> Result<Self, Finding> {
        let system = System::new().map_err(|_| unmeasured())?;
        Ok(Self { system, process: Pid::from_u32(std::process::id()) })
    }

    fn bytes(&mut self) -> Result<u64, Finding> {
        let only = [self.process];
        let what = ProcessRefreshKind::nothing().with_memory();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&only), true, what);
        // A process that has none is one whose memory is not told.
        let bytes =
            self.system.process(self.process).map(sysinfo::Process::memory).filter(|bytes| *bytes > 0);
        bytes.ok_or_else(unmeasured)
    }
}

fn unmeasured() -> Finding {
    Finding::NotRun("memory can't be measured here".to_owned())
}

/// How many records the largest batch has.
fn huge(manifest: &Manifest) -> usize {
    manifest.images_at_once().unwrap_or(HUGE_ROWS_MAX).min(manifest.limits.rows_max)
}

/// Rows of a batch again and again, as many as `count`.
fn repeated(batch: &RecordBatch, count: usize) -> Result<RecordBatch, Finding> {
    let times = count.div_ceil(batch.num_rows());
    let whole = concat_batches(&batch.schema(), std::iter::repeat_n(batch, times));
    Ok(whole.map_err(|error| fault(format!("no batch could be made: {error}")))?.slice(0, count))
}

pub(super) fn huge_batch_bounded_memory(subject: &Subject) -> Found {
    let (rows, _) = subject.ordinary("huge", subject.batch_records())?;
    let count = huge(subject.manifest());
    let batch = repeated(&subject.batch(&rows)?, count)?;
    // Columns that were joined own what they need.
    let size = batch.get_array_memory_size() as u64;
    let allowed = BATCH_MIB_MAX * MIB + BATCH_FACTOR_MAX * size;
    let (mut memory, mut other) = (Memory::new()?, Memory::new()?);
    let before = memory.bytes()?;
    let (is_done, most) = (AtomicBool::new(false), AtomicU64::new(before));
    let (predicted, looked) = std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                most.fetch_max(other.bytes()?, Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
            Ok(())
        });
        let predicted = predict(&subject.plugin, &batch);
        is_done.store(true, Ordering::Relaxed);
        (predicted, looks.join().expect("whoever looks at memory does not panic"))
    });
    predicted.map_err(|refusal| refusal.fault(&format!("{count} records in one call")))?;
    looked?;
    let taken = most.load(Ordering::Relaxed).saturating_sub(before);
    let words = format!("{count} records of {} took {}", mib(size), mib(taken));
    if taken > allowed {
        return Err(fault(format!("{words}; expected at most {}", mib(allowed))));
    }
    passed(words)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

/// Calls for some time, and says how often.
fn call(subject: &Subject, batch: &RecordBatch, calls_max: usize) -> Result<usize, Finding> {
    let begun = Instant::now();
    let mut calls = 0;
    while calls < calls_max && (calls < CALLS_MIN || begun.elapsed() < CALLS_TIME_MAX) {
        predict(&subject.plugin, batch)
            .map_err(|refusal| refusal.fault("records that were answered before"))?;
        calls += 1;
    }
    Ok(calls)
}

pub(super) fn no_memory_growth(subject: &Subject) -> Found {
    let records = if subject.has_images() { 1 } else { subject.batch_records() };
    let (rows, _) = subject.ordinary("growth", records)?;
    let batch = subject.batch(&rows)?;
    let mut memory = Memory::new()?;
    call(subject, &batch, WARM_CALLS)?;
    let start = memory.bytes()?;
    let first = call(subject, &batch, CALLS_MAX)?;
    let middle = memory.bytes()?;
    let second = call(subject, &batch, CALLS_MAX)?;
    let end = memory.bytes()?;
    // What is taken once, however late, is no leak.
    let (early, late) = (middle.saturating_sub(start), end.saturating_sub(middle));
    let words = format!("{first} calls took {}, {second} more {}", mib(early), mib(late));
    if early > GROWTH_MIB_MAX * MIB && late > GROWTH_MIB_MAX * MIB {
        return Err(fault(format!("{words}; expected at most {GROWTH_MIB_MAX} MiB in one of the two")));
    }
    passed(words)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_can_not_be_measured_is_not_passed() {
        let mut memory = Memory::new().unwrap();
        assert!(memory.bytes().unwrap() > MIB, "this process");
        memory.process = Pid::from_u32(u32::MAX);
        let Err(Finding::NotRun(reason)) = memory.bytes() else { panic!("no process has that number") };
        assert_eq!(reason, "memory can't be measured here");
    }

    #[test]
    fn the_largest_batch_is_one_that_a_host_gives() {
        let one_size = "[[input]]\nname = \"a\"\ntype = \"image\"\nimage = { width = 6, height = 4 }\n";
        let any_size = "[[input]]\nname = \"b\"\ntype = \"image\"\n";
        let number = "[[input]]\nname = \"c\"\ntype = \"float64\"\n";
        for (inputs, rows_max, expected) in [
            (number.to_owned(), 100_000, 65_536),
            (number.to_owned(), 7, 7),
            (format!("{number}{one_size}"), 100_000, 32),
            (one_size.to_owned(), 7, 7),
            (format!("{one_size}{any_size}"), 100_000, 4),
            (any_size.to_owned(), 3, 3),
        ] {
            let text = format!(
                r#"
schema = 1
[plugin]
name = "size"
version = "1.0.0"
description = "has inputs of some sizes"
license = "MIT"
authors = ["The foretell developers"]
domain = "test"
task = "binary-classification"
abi = "1.0"
library = "size"
{inputs}
[output]
labels = ["no", "yes"]
positive = "yes"
[limits]
rows_max = {rows_max}
"#
            );
            let manifest = Manifest::parse(&text, Path::new("plugin.toml")).unwrap();
            assert_eq!(huge(&manifest), expected, "{inputs}");
        }
    }
}
