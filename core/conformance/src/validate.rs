//! All checks of a plugin, each in a process of its own, to a report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foretell_runtime::manifest::Manifest;
use serde::Serialize;
use thiserror::Error;

use crate::check::{BASIS, ENTRIES, Entry, checks};
use crate::process::{End, Message, Task, Work, run};
use crate::verdict::{Outcome, Verdict};

/// Cases of one run at most.
pub const CASES_MAX: u64 = 100_000_000;
/// Faults at random after which it is enough.
pub const FUZZ_FAULTS_MAX: usize = 10;
/// Checks that are made at the same time at most, of those that measure nothing.
const AT_ONCE_MAX: usize = 4;

/// Why a plugin could not be looked at.
#[derive(Debug, Error)]
#[error("cannot validate `{directory}`: {kind}", directory = directory.display())]
pub struct ValidateError {
    /// The plugin's directory.
    pub directory: PathBuf,
    /// What went wrong.
    #[source]
    pub kind: ValidateErrorKind,
}

/// What went wrong.
#[derive(Debug, Error)]
pub enum ValidateErrorKind {
    /// There is no check of that name.
    #[error("expected a check, found `{found}`; the checks are: {}", names())]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// The directory can't be handed to a process, which is told of it in text.
    #[error("expected a directory whose path is UTF-8")]
    NotText,
    /// A process could not be started.
    #[error("no process could be started: {0}")]
    Start(#[source] std::io::Error),
    /// The plugin could not be loaded, so there is nothing to put a case to.
    #[error("{0}")]
    Load(String),
}

impl ValidateError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            ValidateErrorKind::NotText => Some("rename the directory, or copy the plugin to another one"),
            ValidateErrorKind::Unknown { .. } | ValidateErrorKind::Start(_) | ValidateErrorKind::Load(_) => {
                None
            }
        }
    }
}

fn names() -> String {
    checks().map(|check| check.name).collect::<Vec<_>>().join(", ")
}

/// How to look at a plugin.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of the checks to make; all where none is named. Those that the others need are always made.
    pub checks: Vec<String>,
    /// Where everything random begins.
    pub seed: u64,
    /// How long a check, or a case at random, may take.
    pub timeout: Duration,
    /// Cases at random, up to [`CASES_MAX`].
    pub fuzz: u64,
}

/// What was found out about a plugin.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `name@version`; unknown where the manifest can't be read.
    pub plugin: Option<String>,
    /// The plugin's directory.
    pub directory: String,
    /// Where everything random began.
    pub seed: u64,
    /// Whether nothing failed.
    pub holds: bool,
    /// Each check that was asked for.
    pub checks: Vec<Row>,
    /// What cases at random came to, if there were any.
    pub fuzz: Option<Fuzzed>,
}

/// A check of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub result: Outcome,
    /// Why it did not pass; what was measured where it did.
    pub reason: String,
    /// How long it took.
    pub seconds: f64,
}

/// What cases at random came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fuzzed {
    /// Cases that were put to the plugin.
    pub cases: u64,
    /// Those that were met with anything but a clean answer or a clean error.
    pub faults: Vec<Case>,
}

/// A case at random.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What makes it anew.
    pub seed: u64,
    /// Whether it was met with a clean answer or a clean error.
    pub holds: bool,
    /// What was said, or what is wrong with that.
    pub reason: String,
    /// What it is about, where that was asked for.
    pub detail: Option<String>,
}

/// Who looks at a plugin.
struct Examiner<'a, C> {
    directory: &'a Path,
    options: &'a Options,
    command: C,
}

/// Holds a plugin to its contract.
///
/// `command` gives the command of a process that hands the task to [`serve`](crate::serve()) and does nothing else. `progress`
/// hears how much is done, in checks and cases, and how much there is to do.
///
/// # Errors
/// A check that there is not, a directory whose path is not UTF-8, or a system that starts no process. Whatever a plugin does is
/// in the report.
pub fn validate(
    directory: &Path,
    options: &Options,
    command: impl Fn(&Task) -> Command + Sync,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Report, ValidateError> {
    let failed = |kind| ValidateError { directory: directory.to_owned(), kind };
    if directory.to_str().is_none() {
        return Err(failed(ValidateErrorKind::NotText));
    }
    if let Some(found) = options.checks.iter().find(|name| checks().all(|check| check.name != **name)) {
        return Err(failed(ValidateErrorKind::Unknown { found: found.clone() }));
    }
    let examiner = Examiner { directory, options, command };
    examiner.report(&progress).map_err(|error| failed(ValidateErrorKind::Start(error)))
}

/// Puts one case at random to a plugin again.
///
/// # Errors
/// A plugin that does not load, a directory whose path is not UTF-8, or a system that starts no process.
pub fn reproduce(
    directory: &Path,
    seed: u64,
    timeout: Duration,
    command: impl Fn(&Task) -> Command,
) -> Result<Case, ValidateError> {
    let failed = |kind| ValidateError { directory: directory.to_owned(), kind };
    if directory.to_str().is_none() {
        return Err(failed(ValidateErrorKind::NotText));
    }
    let task = Task { directory: directory.to_owned(), seed, work: Work::Reproduce };
    let (mut case, mut is_begun) = (Case { seed, ..Case::default() }, false);
    let end = run(command(&task), timeout, |message| match message {
        Message::Case { .. } => is_begun = true,
        Message::Detail { text } => case.detail.get_or_insert_default().push_str(&text),
        Message::Fault { .. } | Message::Measured(_) | Message::Working | Message::Done(_) => (),
    });
    let end = end.map_err(|error| failed(ValidateErrorKind::Start(error)))?;
    let verdict = verdict_of(end, timeout);
    if !is_begun {
        return Err(failed(ValidateErrorKind::Load(verdict.reason)));
    }
    Ok(Case { holds: verdict.outcome == Outcome::Passed, reason: verdict.reason, ..case })
}

/// What the end of a process says of the plugin.
fn verdict_of(end: End, timeout: Duration) -> Verdict {
    let failed = |reason| Verdict { outcome: Outcome::Failed, reason, digest: None };
    match end {
        End::Done(verdict) => verdict,
        End::Died(how) => failed(how),
        End::Silent => failed(format!("it did not answer within {} s", timeout.as_secs_f64())),
    }
}

impl<C: Fn(&Task) -> Command + Sync> Examiner<'_, C> {
    fn report(&self, progress: &(impl Fn(u64, u64) + Sync)) -> std::io::Result<Report> {
        let wanted = |place: usize| {
            let name = ENTRIES[place].check.name;
            place < BASIS
                || self.options.checks.is_empty()
                || self.options.checks.iter().any(|wanted| wanted == name)
        };
        let wanted: Vec<usize> = (0..ENTRIES.len()).filter(|place| wanted(*place)).collect();
        let all = wanted.len() as u64 + self.options.fuzz;
        let rows = Mutex::new(BTreeMap::new());
        let note = |place, row| {
            let mut rows = rows.lock().expect("whoever notes a row does not panic");
            rows.insert(place, row);
            progress(rows.len() as u64, all);
        };
        let mut missing = None;
        let (basis, others): (Vec<usize>, Vec<usize>) = wanted.into_iter().partition(|place| *place < BASIS);
        for place in basis {
            let row = self.row(&ENTRIES[place], missing)?;
            missing = missing.or_else(|| (row.result != Outcome::Passed).then_some(row.name));
            note(place, row);
        }
        let (alone, beside): (Vec<usize>, Vec<usize>) =
            others.into_iter().partition(|place| ENTRIES[*place].alone);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let workers = (0..cores.min(AT_ONCE_MAX)).map(|_| {
                scope.spawn(|| -> std::io::Result<()> {
                    while let Some(place) = beside.get(next.fetch_add(1, Ordering::Relaxed)) {
                        note(*place, self.row(&ENTRIES[*place], missing)?);
                    }
                    Ok(())
                })
            });
            let workers: Vec<_> = workers.collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })?;
        for place in alone {
            note(place, self.row(&ENTRIES[place], missing)?);
        }
        let rows: Vec<Row> = rows.into_inner().expect("nobody panicked").into_values().collect();
        let fuzz = match missing {
            None if self.options.fuzz > 0 => {
                Some(self.fuzz(|cases| progress(rows.len() as u64 + cases, all))?)
            }
            _ => None,
        };
        let is_clean = fuzz.as_ref().is_none_or(|fuzz| fuzz.faults.is_empty());
        let holds =
            is_clean && rows.iter().all(|row| matches!(row.result, Outcome::Passed | Outcome::NotApplicable));
        Ok(Report {
            plugin: Manifest::load(self.directory)
                .ok()
                .map(|manifest| format!("{}@{}", manifest.plugin.name, manifest.plugin.version)),
            directory: self.directory.display().to_string(),
            seed: self.options.seed,
            holds,
            checks: rows,
            fuzz,
        })
    }

    /// Makes a check, unless one that it needs is `missing`.
    fn row(&self, entry: &Entry, missing: Option<&str>) -> std::io::Result<Row> {
        let begun = Instant::now();
        let verdict = match missing {
            Some(name) => {
                Verdict { outcome: Outcome::NotRun, reason: format!("`{name}` did not pass"), digest: None }
            }
            None => self.verdict(entry)?,
        };
        let Verdict { outcome, reason, .. } = verdict;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Row { name: entry.check.name, result: outcome, reason, seconds })
    }

    fn verdict(&self, entry: &Entry) -> std::io::Result<Verdict> {
        let mut verdict = self.once(entry)?;
        for _ in 1..entry.attempts {
            if verdict.outcome == Outcome::Passed {
                break;
            }
            verdict = self.once(entry)?;
        }
        for _ in 1..entry.processes {
            if verdict.outcome != Outcome::Passed {
                break;
            }
            let other = self.once(entry)?;
            if other.outcome == Outcome::Passed && other.digest != verdict.digest {
                let reason = "the same batch got other bits in another process".to_owned();
                return Ok(Verdict { outcome: Outcome::Failed, reason, digest: None });
            }
            verdict = other;
        }
        Ok(verdict)
    }

    fn once(&self, entry: &Entry) -> std::io::Result<Verdict> {
        let work = Work::Check(entry.check.name.to_owned());
        let task = Task { directory: self.directory.to_owned(), seed: self.options.seed, work };
        let end = run((self.command)(&task), self.options.timeout, |_| ())?;
        Ok(verdict_of(end, self.options.timeout))
    }

    /// Puts cases at random to the plugin. A case that takes the process with it is a fault, and the next process goes on behind it.
    fn fuzz(&self, progress: impl Fn(u64)) -> std::io::Result<Fuzzed> {
        let mut found = Fuzzed::default();
        let all = self.options.fuzz.min(CASES_MAX);
        while found.cases < all && found.faults.len() < FUZZ_FAULTS_MAX {
            let seed = self.options.seed.wrapping_add(found.cases);
            let work = Work::Fuzz(all - found.cases);
            let task = Task { directory: self.directory.to_owned(), seed, work };
            let (before, mut at_hand) = (found.cases, None);
            let fault = |seed, reason| Case { seed, holds: false, reason, detail: None };
            let end = run((self.command)(&task), self.options.timeout, |message| match message {
                Message::Case { seed } => {
                    at_hand = Some(seed);
                    found.cases += 1;
                    progress(found.cases);
                }
                Message::Fault { seed, reason } => found.faults.push(fault(seed, reason)),
                Message::Detail { .. } | Message::Measured(_) | Message::Working | Message::Done(_) => (),
            })?;
            let is_stuck = found.cases == before;
            match verdict_of(end, self.options.timeout) {
                Verdict { outcome: Outcome::Passed, .. } if is_stuck => {
                    found.faults.push(fault(
                        seed,
                        "its process said that it was done, and had begun no case".to_owned(),
                    ));
                }
                Verdict { outcome: Outcome::Passed, .. } => (),
                verdict => found.faults.push(fault(at_hand.unwrap_or(seed), verdict.reason)),
            }
            // The next process would not get any further.
            if is_stuck {
                break;
            }
        }
        found.faults.truncate(FUZZ_FAULTS_MAX);
        Ok(found)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    const OPTIONS: Options =
        Options { checks: Vec::new(), seed: 3, timeout: Duration::from_secs(60), fuzz: 1_000 };

    #[test]
    fn a_path_that_is_not_text_is_refused_before_a_process_is_started() {
        let directory = Path::new(OsStr::from_bytes(b"/plugins/\xff"));
        let command = |_: &Task| -> Command { panic!("no process is needed") };
        let errors = [
            validate(directory, &OPTIONS, command, |_, _| ()).unwrap_err(),
            reproduce(directory, 3, OPTIONS.timeout, command).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.kind, ValidateErrorKind::NotText), "{error}");
            assert!(error.to_string().contains("expected a directory whose path is UTF-8"), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("rename")), "{error}");
        }
    }

    /// A process that says that it is done may be broken itself.
    #[test]
    fn a_process_that_is_done_without_a_case_ends_the_cases() {
        let done = r#"read t; printf "\n$t"'{"done":{"outcome":"passed","reason":"","digest":null}}'"\n""#;
        let command = |_: &Task| {
            let mut command = Command::new("sh");
            command.args(["-c", done]);
            command
        };
        let report = validate(Path::new("nowhere"), &OPTIONS, command, |_, _| ()).unwrap();
        let reason = "its process said that it was done, and had begun no case".to_owned();
        let fault = Case { seed: 3, holds: false, reason, detail: None };
        assert_eq!(report.fuzz, Some(Fuzzed { cases: 0, faults: vec![fault] }));
        assert!(!report.holds);
    }
}
