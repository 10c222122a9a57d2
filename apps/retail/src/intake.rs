//! Files that the store's import does not read: lines that hold several purchases, and catalogues.
//!
//! A file becomes one source. Its lines are read in order and stored in batches; what cannot be stored is set aside
//! with its line, its field and the reason, and the rest goes in. A purchase is named after what it says (`7-3` for
//! the third item of customer 7), so that a file can be read again without harm, and one that was interrupted is
//! simply read again.
//!
//! **Pitfall:** two files that give the same name to different purchases are in conflict: the second one's are set
//! aside.

mod catalogue;
mod layout;
mod lines;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use foretell_store::fault::ReadError;
use foretell_store::import::{CONTENT_BYTES_MAX, REPORT_REJECTS_MAX};
use foretell_store::open::Store;
use foretell_store::record::{AppendError, Appender, NewRecord, Outcome, Reject, SourceInfo, SourceKind};
use foretell_store::time::Micros;

pub use catalogue::catalogue;
pub use lines::LINE_BYTES_MAX;

use crate::DOMAIN;
use crate::purchase::KEYS;
use layout::{Found, Layout};
use lines::Lines;

/// Records that are stored at once.
const BATCH_RECORDS: usize = 50_000;

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The source that its records name.
    pub source: i64,
    /// Purchases, or items, that were read: the sum of the next three.
    pub rows: u64,
    /// Those that were stored.
    pub stored: u64,
    /// Those that were there before.
    pub already_stored: u64,
    /// Those that were refused, and lines that say nothing.
    pub rejected: u64,
    /// The first of what was refused.
    pub rejects: Vec<Reject>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How far a file was read, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes so far.
    pub done: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// A file that could not be read to its end. What was acknowledged before is stored.
#[derive(Debug, thiserror::Error)]
#[error("cannot import `{}`", path.display())]
pub struct IntakeError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub kind: IntakeErrorKind,
}

/// Why a file could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeErrorKind {
    /// It could not be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// Its first line is not what it should be.
    #[error("{0}")]
    Header(String),
    /// What is known of its items could not be read.
    #[error(transparent)]
    Known(#[from] ReadError),
    /// Its records could not be stored.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl IntakeErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Known(error) => error.hint(),
            Self::Append(error) => error.kind.hint(),
            Self::Read(_) => Some("check that it was written and copied whole"),
            Self::Header(_) => Some("`foretell-retail import --help` says what each kind of file looks like"),
        }
    }
}

/// Reads one basket from each line, the first one bought at `start`, every other one a minute later.
///
/// # Errors
/// [`IntakeError`]: the file cannot be read, or its purchases cannot be stored.
pub async fn baskets(
    store: &Store,
    path: &Path,
    start: Micros,
    progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    purchases(store, path, Layout::Baskets { name, start }, progress).await
}

/// Reads one customer with their items from each line.
///
/// # Errors
/// [`IntakeError`]: the file cannot be read, or its purchases cannot be stored.
pub async fn sequences(
    store: &Store,
    path: &Path,
    progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    purchases(store, path, Layout::Sequences, progress).await
}

/// Reads one item with its demand in each month from each line.
///
/// # Errors
/// [`IntakeError`]: the file cannot be read, its header has no months, or its purchases cannot be stored.
pub async fn demand(
    store: &Store,
    path: &Path,
    progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    purchases(store, path, Layout::Demand { months: Vec::new() }, progress).await
}

async fn purchases(
    store: &Store,
    path: &Path,
    mut layout: Layout,
    mut progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    let read = async {
        let mut lines = Lines::open(path)?;
        let mut intake = Intake::begin(store, path, DOMAIN, &KEYS).await?;
        let reader = layout::reader();
        let mut is_first = true;
        while let Some((number, line)) = lines.next()? {
            if std::mem::take(&mut is_first)
                && let Ok(line) = &line
                && layout.header(line).map_err(IntakeErrorKind::Header)?
            {
                continue;
            }
            intake.add(number, line, |line| layout.read(&reader, number, line));
            if intake.is_full() {
                intake.store_batch().await?;
                progress(Progress { done: lines.done, total: lines.total });
            }
        }
        intake.finish().await
    };
    read.await.map_err(|kind| IntakeError { path: path.to_owned(), kind })
}

/// One file on its way into the store.
struct Intake {
    appender: Appender,
    started: Instant,
    records: Vec<NewRecord>,
    /// The line of each record, and what stands there.
    origins: Vec<(i64, String)>,
    rejects: Vec<Reject>,
    report: Report,
}

impl Intake {
    async fn begin(store: &Store, path: &Path, domain: &str, keys: &[&str]) -> Result<Self, IntakeErrorKind> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(path)?)?;
        let source = SourceInfo {
            kind: SourceKind::File,
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            hash: Some(hasher.finalize().to_hex().to_string()),
            mapping: None,
        };
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let appender = Appender::begin(store, domain, keys, source).await?;
        let report = Report { source: appender.source_id(), ..Report::default() };
        let started = Instant::now();
        Ok(Self { appender, started, records: Vec::new(), origins: Vec::new(), rejects: Vec::new(), report })
    }

    /// Takes a line apart, or sets it aside.
    fn add(&mut self, number: i64, line: lines::Line, read: impl FnOnce(&str) -> Found) {
        let line = match line {
            Ok(line) => line,
            Err(reason) => {
                self.report.rows += 1;
                self.rejects.push(Reject { line: Some(number), reason, ..Reject::default() });
                return;
            }
        };
        for found in read(&line) {
            self.report.rows += 1;
            match found {
                Ok(record) => {
                    self.records.push(record);
                    self.origins.push((number, shorten(&line)));
                }
                Err(reject) => {
                    let content = Some(shorten(&line));
                    self.rejects.push(Reject { line: Some(number), content, ..reject });
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() + self.rejects.len() >= BATCH_RECORDS
    }

    async fn store_batch(&mut self) -> Result<(), IntakeErrorKind> {
        let records = std::mem::take(&mut self.records);
        let origins = std::mem::take(&mut self.origins);
        let rejects = std::mem::take(&mut self.rejects);
        self.note(&rejects);
        let outcomes = self.appender.append_with_rejects(records, rejects).await?;
        let mut conflicts = Vec::new();
        for (outcome, (line, content)) in outcomes.into_iter().zip(origins) {
            match outcome {
                Outcome::Stored(_) => self.report.stored += 1,
                Outcome::AlreadyStored(_) => self.report.already_stored += 1,
                Outcome::Conflict(id) => conflicts.push(Reject {
                    record_id: Some(id),
                    line: Some(line),
                    field: None,
                    reason: format!("has the name of record {id}, which is another purchase"),
                    content: Some(content),
                }),
            }
        }
        if !conflicts.is_empty() {
            self.note(&conflicts);
            self.appender.reject(conflicts).await?;
        }
        Ok(())
    }

    fn note(&mut self, rejects: &[Reject]) {
        let report = &mut self.report;
        report.rejected += rejects.len() as u64;
        let room = REPORT_REJECTS_MAX - report.rejects.len();
        report.rejects.extend(rejects.iter().take(room).cloned());
    }

    async fn finish(mut self) -> Result<Report, IntakeErrorKind> {
        self.store_batch().await?;
        self.appender.finish().await?;
        Ok(Report { elapsed: self.started.elapsed(), ..self.report })
    }
}

/// A line as it is kept with what is wrong in it.
fn shorten(line: &str) -> String {
    let end = line.floor_char_boundary(CONTENT_BYTES_MAX);
    line[..end].to_owned()
}
