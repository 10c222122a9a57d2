//! What a plugin costs: its calls beside the bare networks in it, in a process of its own.
//!
//! ```text
//! plugin:    records -> tensors -> networks -> predictions
//! networks:                        networks                   with the very tensors of that call
//! ```
//!
//! Both take turns, call by call, in one process and one thread, so that whatever else the machine does meets both. Absolute
//! times are those of this machine at this moment; what is left of them elsewhere is the ratio.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::{Manifest, ModelFormat};
use foretell_runtime::onnx::{Model, Places, RecordedRun, record};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::process::{End, Message, Task, Work, run};
use crate::subject::Subject;
use crate::verdict::{Finding, fault};

/// Records of a call, where nobody says.
const ROWS: [usize; 3] = [1, 64, 1_024];
/// Records of a call of a plugin that reads images, where nobody says.
const ROWS_IMAGES: [usize; 3] = [1, 8, 32];
/// Most records of a call.
const ROWS_MAX: usize = 1 << 20;
/// Different records of a call at most; a larger one has each of them several times.
const RECORDS_MAX: usize = 256;
/// Different records of a call with images at most.
const RECORDS_IMAGES_MAX: usize = 8;
/// Calls before the first that is measured.
const WARM_CALLS: usize = 3;
/// Calls that are measured of each size at least, however long they take.
const CALLS_MIN: usize = 5;
/// Calls that are measured of each size at most.
const CALLS_MAX: usize = 1_000_000;
/// Bytes of tensors of a call that are kept at most, to run the networks with them again.
const TENSOR_BYTES_MAX: usize = 1 << 30;
/// How often it is said that work goes on.
const SAY_EVERY: Duration = Duration::from_millis(500);

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Records of a call, one size after the other; the usual sizes if there are none.
    pub rows: Vec<usize>,
    /// For how long each size is measured.
    pub time: Duration,
    /// How long one call may take.
    pub call_time_max: Duration,
}

/// What was measured of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The plugin's directory.
    pub directory: PathBuf,
    /// `name@version`.
    pub plugin: String,
    /// Sizes of calls, in the order in which they were asked for.
    pub sizes: Vec<Size>,
}

/// What was measured of calls with so many records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Records of a call.
    pub rows: usize,
    /// The plugin's calls.
    pub plugin: Times,
    /// Runs of its networks that one call makes.
    pub runs: usize,
    /// Those runs alone; none where a call makes none, or has more tensors than are kept.
    pub networks: Option<Times>,
    /// Median of the plugin's calls divided by that of its networks.
    pub ratio: Option<f64>,
}

/// Times of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Calls that were measured.
    pub calls: usize,
    /// Median, in microseconds.
    pub p50_us: f64,
    /// The time that 99 of 100 calls don't exceed, in microseconds.
    pub p99_us: f64,
    /// Records that were predicted in each second that was spent in calls.
    pub records_per_second: f64,
}

/// Why a plugin could not be measured.
#[derive(Debug, Error)]
#[error("cannot measure `{directory}`: {kind}", directory = directory.display())]
pub struct MeasureError {
    /// The plugin's directory.
    pub directory: PathBuf,
    /// What went wrong.
    #[source]
    pub kind: MeasureErrorKind,
}

/// What went wrong.
#[derive(Debug, Error)]
pub enum MeasureErrorKind {
    /// The directory can't be handed to a process, which is told of it in text.
    #[error("expected a directory whose path is UTF-8; rename it, or copy the plugin to another one")]
    NotText,
    /// Its manifest can't be used.
    #[error("{0}")]
    Manifest(String),
    /// More records than the plugin takes in a call, or none.
    #[error("expected from 1 to {max} records in a call, as many as the plugin takes, found {found}")]
    Rows {
        /// The limit.
        max: usize,
        /// What was asked for.
        found: usize,
    },
    /// A process could not be started.
    #[error("no process could be started: {0}")]
    Start(#[source] std::io::Error),
    /// The plugin did not answer as it must. `foretell plugin validate` says more.
    #[error("{0}; `foretell plugin validate` says more")]
    Plugin(String),
}

/// Measures a plugin in a process of its own.
///
/// `command` gives the command of a process that hands the task to [`serve`](crate::serve()) and does nothing else. `progress`
/// hears how many sizes are done, and how many there are.
///
/// # Errors
/// A directory that is no plugin, more records than it takes in a call, a plugin that does not answer or takes the process with it,
/// or a system that starts no process.
pub fn measure(
    directory: &Path,
    what: &Measure,
    command: impl Fn(&Task) -> Command,
    progress: impl Fn(u64, u64),
) -> Result<Measured, MeasureError> {
    let failed = |kind| MeasureError { directory: directory.to_owned(), kind };
    if directory.to_str().is_none() {
        return Err(failed(MeasureErrorKind::NotText));
    }
    let manifest = Manifest::load(directory);
    let manifest = manifest.map_err(|error| failed(MeasureErrorKind::Manifest(error.to_string())))?;
    let rows = rows(&manifest, &what.rows).map_err(failed)?;
    let all = rows.len() as u64;
    let task = Task {
        directory: directory.to_owned(),
        seed: 0,
        work: Work::Measure(Measure { rows, ..what.clone() }),
    };
    let mut sizes = Vec::new();
    let end = run(command(&task), what.call_time_max, |message| {
        if let Message::Measured(size) = message {
            sizes.push(size);
            progress(sizes.len() as u64, all);
        }
    });
    let said = match end.map_err(|error| failed(MeasureErrorKind::Start(error)))? {
        End::Done(_) if sizes.len() as u64 == all => {
            let plugin = format!("{}@{}", manifest.plugin.name, manifest.plugin.version);
            return Ok(Measured { directory: directory.to_owned(), plugin, sizes });
        }
        End::Done(verdict) => verdict.reason,
        End::Died(how) => how,
        End::Silent => format!("a call took more than {} s", what.call_time_max.as_secs_f64()),
    };
    Err(failed(MeasureErrorKind::Plugin(said)))
}

/// The sizes that are measured: those that were asked for, or the usual ones that the plugin takes.
fn rows(manifest: &Manifest, wanted: &[usize]) -> Result<Vec<usize>, MeasureErrorKind> {
    let max = manifest.limits.rows_max.min(ROWS_MAX);
    if let Some(found) = wanted.iter().copied().find(|rows| !(1..=max).contains(rows)) {
        return Err(MeasureErrorKind::Rows { max, found });
    }
    if !wanted.is_empty() {
        return Ok(wanted.to_vec());
    }
    let has_images = manifest.inputs.iter().any(|input| input.picture().is_some());
    let mut usual = if has_images { ROWS_IMAGES } else { ROWS }.map(|rows| rows.min(max)).to_vec();
    usual.dedup();
    Ok(usual)
}

/// Measures in this process, which runs the plugin's code, and says what it finds.
pub(crate) fn here(
    directory: &Path,
    what: &Measure,
    seed: u64,
    places: &Places,
    mut say: impl FnMut(Message),
) -> Result<(), Finding> {
    let subject = Subject::load(directory, seed, places)?;
    // One session, as for one call after the other.
    let options = LoadOptions { sessions: 1, ..LoadOptions::default() };
    let plugin = Plugin::load(&subject.runtime, subject.verified.clone(), &options);
    let plugin = plugin.map_err(|error| fault(error.to_string()))?;
    let mut models = HashMap::new();
    for model in subject.verified.models().iter().filter(|model| model.format == ModelFormat::Onnx) {
        let opened = Model::open(&subject.runtime, model, 1).map_err(|error| fault(error.to_string()))?;
        models.insert(model.hash, opened);
    }
    let most = if subject.has_images() { RECORDS_IMAGES_MAX } else { RECORDS_MAX };
    let wanted = what.rows.iter().copied().max().unwrap_or(0).min(most);
    let (records, _) = subject.ordinary("measure", wanted)?;
    for &rows in &what.rows {
        // Each several times in a row, so that they stay in the order of their times.
        let different = rows.min(records.len());
        let repeated: Vec<_> = (0..rows).map(|row| records[row * different / rows].clone()).collect();
        let batch = subject.batch(&repeated)?;
        let predict = || match plugin.predict(black_box(&batch)) {
            Ok(predictions) => Ok(_ = black_box(predictions.len())),
            Err(error) => Err(fault(format!("a batch of {rows} records: {error}"))),
        };
        let (first, runs) = record(TENSOR_BYTES_MAX, predict);
        first?;
        let mut networks = Networks::new(runs.unwrap_or_default(), &models);
        let size = take_turns(rows, what.time, predict, &mut networks, &mut say)?;
        say(Message::Measured(size));
    }
    Ok(())
}

/// The runs that one call makes, each with its network.
struct Networks<'m> {
    runs: Vec<(RecordedRun, &'m Model)>,
}

impl<'m> Networks<'m> {
    fn new(runs: Vec<RecordedRun>, models: &'m HashMap<Hash, Model>) -> Self {
        let with_model = |run: RecordedRun| models.get(&run.model()).map(|model| (run, model));
        Self { runs: runs.into_iter().filter_map(with_model).collect() }
    }

    fn run(&mut self) -> Result<(), Finding> {
        for (run, model) in &mut self.runs {
            run.repeat(model).map_err(|error| fault(format!("a network alone: {error}")))?;
        }
        Ok(())
    }
}

/// Measures calls and runs in turns.
fn take_turns(
    rows: usize,
    time: Duration,
    predict: impl Fn() -> Result<(), Finding>,
    networks: &mut Networks<'_>,
    say: &mut impl FnMut(Message),
) -> Result<Size, Finding> {
    for _ in 0..WARM_CALLS {
        predict()?;
        networks.run()?;
        say(Message::Working);
    }
    let (mut calls, mut alone) = (Vec::new(), Vec::new());
    let (begun, mut said) = (Instant::now(), Instant::now());
    while calls.len() < CALLS_MIN || (begun.elapsed() < time && calls.len() < CALLS_MAX) {
        let start = Instant::now();
        predict()?;
        let between = Instant::now();
        networks.run()?;
        alone.push(between.elapsed());
        calls.push(between - start);
        if said.elapsed() > SAY_EVERY {
            say(Message::Working);
            said = Instant::now();
        }
    }
    let plugin = Times::of(rows, calls);
    let networks_times = (!networks.runs.is_empty()).then(|| Times::of(rows, alone));
    let ratio = networks_times.as_ref().map(|alone| plugin.p50_us / alone.p50_us);
    Ok(Size { rows, plugin, runs: networks.runs.len(), networks: networks_times, ratio })
}

impl Times {
    /// Of at least one call.
    fn of(rows: usize, mut calls: Vec<Duration>) -> Self {
        calls.sort_unstable();
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let all: Duration = calls.iter().sum();
        Self {
            calls: calls.len(),
            p50_us: us(rank(&calls, 50)),
            p99_us: us(rank(&calls, 99)),
            records_per_second: rows as f64 * calls.len() as f64 / all.as_secs_f64().max(f64::MIN_POSITIVE),
        }
    }
}

/// The nearest rank: the least of the sorted times that so many in a hundred don't exceed.
fn rank(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_by_nearest_rank() {
        let micros = |count: u64| (1..=count).rev().map(Duration::from_micros).collect::<Vec<_>>();
        for (count, p50, p99) in
            [(1, 1.0, 1.0), (2, 1.0, 2.0), (5, 3.0, 5.0), (100, 50.0, 99.0), (1_000, 500.0, 990.0)]
        {
            let times = Times::of(10, micros(count));
            assert!(
                (times.p50_us - p50).abs() < 1e-6 && (times.p99_us - p99).abs() < 1e-6,
                "{count}: {times:?}"
            );
            let seconds = (count * (count + 1)) as f64 / 2e6;
            let expected = 10.0 * count as f64 / seconds;
            assert!((times.records_per_second / expected - 1.0).abs() < 1e-9, "{count}: {times:?}");
        }
    }

    #[test]
    fn sizes_are_those_that_a_plugin_takes() {
        let manifest = |rows_max: usize| {
            let text = include_str!("../../runtime/tests/manifests/late-return.toml");
            let mut manifest = Manifest::parse(text, Path::new("plugin.toml")).unwrap();
            manifest.limits.rows_max = rows_max;
            manifest
        };
        assert_eq!(rows(&manifest(8_192), &[]).unwrap(), ROWS);
        assert_eq!(rows(&manifest(100), &[]).unwrap(), [1, 64, 100]);
        assert_eq!(rows(&manifest(1), &[]).unwrap(), [1]);
        assert_eq!(rows(&manifest(100), &[7, 100]).unwrap(), [7, 100]);
        for found in [0, 101] {
            let error = rows(&manifest(100), &[1, found]).unwrap_err();
            assert!(matches!(error, MeasureErrorKind::Rows { max: 100, found: told } if told == found));
        }
    }
}
