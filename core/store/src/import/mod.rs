//! Bringing files into the store: CSV, JSON Lines and Parquet.
//!
//! A [`Mapping`] says how the columns of a file become records. An [`Import`] reads the file in batches; each batch is on
//! the disk, rejects included, before the next one counts. Rows that cannot become records are set aside with the line,
//! the column and the reason, and the rest goes in.
//!
//! ```
//! use foretell_store::import::{Import, Mapping};
//! use foretell_store::open::Store;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("orders.csv");
//! std::fs::write(&path, "order,time,customer,amount\n1,2018-07-25T09:15:00Z,596,57.16\n2,2018-07-25,596,abc\n")?;
//! let mapping = Mapping::from_toml(r#"
//!     schema = 1
//!     external_id = "order"
//!     event_time = { column = "time" }
//!     field = [
//!         { name = "customer", type = "utf8", key = true },
//!         { name = "amount", type = "float64" },
//!     ]
//! "#)?;
//! let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! let import = Import::new(&store, "shop", mapping);
//! let report = import.run(&path, |progress| assert!(progress.done <= progress.total)).await?;
//! assert_eq!((report.stored, report.rejected), (1, 1));
//! assert_eq!(report.rejects[0].line, Some(3));
//! assert_eq!(report.rejects[0].field.as_deref(), Some("amount"));
//! assert_eq!(report.rejects[0].reason, "`abc` is not a number");
//!
//! // Again: nothing happens, and nothing goes wrong.
//! let report = import.run(&path, |_| {}).await?;
//! assert_eq!((report.stored, report.already_stored), (0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! **Interrupted imports.** An import that was killed is simply run again: rows that are stored already are recognised
//! by their external id and counted, not stored twice, and not rejected. Labels that a file has for such rows, and the
//! store has not, are added. The same external id with another time or payload is a reject that names the record.
//!
//! **Memory** does not depend on the file. A row of text is at most [`ROW_BYTES_MAX`] long, a batch is full at
//! [`BATCH_ROWS_MAX`] rows or [`BATCH_BYTES_MAX`] bytes, and what a Parquet file claims about its own size is checked
//! against the constants in [`parquet`] before memory is reserved for it.
//!
//! **Pitfall:** a reject holds the row as it came, cut off at [`CONTENT_BYTES_MAX`] bytes, in the database and in the
//! report. That is the one place where values of a file show up outside of records.

mod batch;
mod cell;
mod columns;
mod csv;
mod format;
mod jsonl;
pub mod mapping;
pub mod parquet;
mod plan;
mod text;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinError, spawn_blocking};

pub use self::batch::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, CONTENT_BYTES_MAX};
pub use self::cell::{NAME_BYTES_MAX, VALUE_BYTES_MAX};
pub use self::csv::CSV_COLUMNS_MAX;
pub(crate) use self::format::delimiter;
pub use self::format::{Format, FormatError};
pub use self::jsonl::JsonReader;
pub use self::mapping::{Mapping, MappingError};
pub use self::plan::Plan;
pub use self::text::ROW_BYTES_MAX;

use self::batch::{Batch, Batcher};
use self::cell::Reason;
use self::csv::CsvFile;
use self::jsonl::JsonFile;
use self::parquet::{ParquetFile, ParquetProblem};
use crate::label::{LabelError, NewLabel};
use crate::open::Store;
use crate::record::{AppendError, Appender, Outcome, Reject, SourceInfo, SourceKind};

/// Rejects that a report lists. The database has them all.
pub const REPORT_REJECTS_MAX: usize = 100;
/// Batches that reading may be ahead of storing.
const BATCHES_AHEAD_MAX: usize = 1;

/// What is to be imported, and where to.
#[derive(Clone, Debug)]
pub struct Import<'s> {
    store: &'s Store,
    domain: String,
    mapping: Mapping,
    format: Option<Format>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far in the file: bytes of a text file, rows of a Parquet file.
    pub done: u64,
    /// The end of the file, counted likewise.
    pub total: u64,
    /// What became of the rows so far.
    pub counts: Counts,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that were read: the sum of the next three.
    pub rows: u64,
    /// Rows that became records.
    pub stored: u64,
    /// Rows whose records were there before.
    pub already_stored: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// Labels that were added to records that were there before.
    pub labels_added: u64,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The source that the records of this import name.
    pub source_id: i64,
    /// The format that was read.
    pub format: Format,
    /// Rows that were read: the sum of the next three.
    pub rows: u64,
    /// Rows that became records.
    pub stored: u64,
    /// Rows whose records were there before.
    pub already_stored: u64,
    /// Rows that were refused.
    pub rejected: u64,
    /// Labels that were added to records that were there before.
    pub labels_added: u64,
    /// The first [`REPORT_REJECTS_MAX`] rows that were refused.
    pub rejects: Vec<Reject>,
    /// How long it took.
    pub elapsed: Duration,
}

/// An import that stopped before the end of its file.
///
/// What was acknowledged before is stored. Running the import again goes on from there.
#[derive(Debug, thiserror::Error)]
#[error("cannot import `{}`{}", path.display(), if *rows > 0 { format!(" beyond its first {rows} rows") } else { String::new() })]
pub struct ImportError {
    /// The file.
    pub path: PathBuf,
    /// Rows that were dealt with before: stored, there before, or refused.
    pub rows: u64,
    /// Why.
    #[source]
    pub kind: ImportErrorKind,
}

/// Why a file could not be imported as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportErrorKind {
    /// It could not be read.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// It is a directory, a pipe or a device.
    #[error("it is not a file")]
    NotFile,
    /// Its name does not say what it is.
    #[error(
        "its name says nothing about its format: understood are CSV (`.csv`, `.tsv`), JSON Lines (`.jsonl`, `.ndjson`) and Parquet (`.parquet`)"
    )]
    UnknownFormat,
    /// It is something else than its name or the user says.
    #[error("it is {found}, not {format}: understood are CSV, JSON Lines and Parquet")]
    Foreign {
        /// What it is.
        found: &'static str,
        /// What it should be.
        format: Format,
    },
    /// It has no content, not even a header.
    #[error("it is empty")]
    Empty,
    /// It is one JSON array.
    #[error("it is one JSON array, and JSON Lines has one object per line")]
    JsonArray,
    /// Its first row does not name columns.
    #[error("its header cannot be read: {0}")]
    Header(String),
    /// Its header names more columns than [`CSV_COLUMNS_MAX`].
    #[error("its header names {found} columns, and the limit is {limit}")]
    TooManyColumns {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Columns that the mapping names are not there.
    #[error(
        "it has no column {}; its columns are {}{}",
        quoted_list(missing), quoted_list(found), hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default()
    )]
    MissingColumns {
        /// The columns that are not there.
        missing: Vec<String>,
        /// The columns that are, or the first of them.
        found: Vec<String>,
        /// What may be wrong.
        hint: Option<String>,
    },
    /// A column that the mapping names is there twice.
    #[error("it has two columns named `{0}`")]
    ColumnTwice(String),
    /// The mapping cannot be used.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The Parquet file cannot be used.
    #[error(transparent)]
    Parquet(#[from] ParquetProblem),
    /// The records could not be stored.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Labels could not be stored.
    #[error(transparent)]
    Label(#[from] LabelError),
}

impl ImportErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownFormat => Some("rename it, or say the format"),
            Self::Foreign { .. } => Some("unpack or convert it first, or say the format that it has"),
            Self::Empty => Some("check that it was written and copied whole"),
            Self::JsonArray => Some("write one object per line, for example with `jq -c '.[]'`"),
            Self::MissingColumns { .. } => Some("correct the `column` in the mapping"),
            Self::ColumnTwice(_) => Some("rename one of them in the file"),
            Self::Parquet(problem) => problem.hint(),
            Self::Append(error) => error.kind.hint(),
            Self::Label(error) => error.kind.hint(),
            _ => None,
        }
    }
}

fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl<'s> Import<'s> {
    /// Records of `domain`, read as `mapping` says.
    pub fn new(store: &'s Store, domain: impl Into<String>, mapping: Mapping) -> Self {
        Self { store, domain: domain.into(), mapping, format: None }
    }

    /// The format of the file, whatever its name says.
    pub fn with_format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// Imports a file. `progress` is called after each batch, once that is on the disk.
    ///
    /// Dropping the future stops the import between two batches; what was acknowledged stays.
    pub async fn run(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(Progress),
    ) -> Result<ImportReport, ImportError> {
        let path = path.as_ref();
        let mut counts = Counts::default();
        self.try_run(path, &mut counts, progress).await.map_err(|kind| ImportError {
            path: path.to_owned(),
            rows: counts.rows,
            kind,
        })
    }

    async fn try_run(
        &self,
        path: &Path,
        counts: &mut Counts,
        mut progress: impl FnMut(Progress),
    ) -> Result<ImportReport, ImportErrorKind> {
        let start = Instant::now();
        let plan = Arc::new(self.mapping.plan()?);
        let format = self.format.or_else(|| Format::of_path(path)).ok_or(ImportErrorKind::UnknownFormat)?;
        let delimiter = self.mapping.delimiter.map_or_else(|| delimiter(path), |delimiter| delimiter as u8);
        let opening = {
            let (path, plan) = (path.to_owned(), Arc::clone(&plan));
            spawn_blocking(move || OpenFile::new(&path, format, delimiter, &plan))
        };
        let OpenFile { reader, hash, total } = opening.await.map_err(|error| gave_up(error, format))??;

        let mut appender = self.begin(path, hash.clone()).await?;
        let source_id = appender.source_id();
        let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD_MAX);
        let reading = spawn_blocking(move || reader.read(Batcher::new(plan, &hash, sender)));
        let mut rejects = Vec::new();
        while let Some(batch) = batches.recv().await {
            let done = batch.done;
            self.store_batch(&mut appender, batch, counts, &mut rejects).await?;
            progress(Progress { done, total, counts: *counts });
        }
        reading.await.map_err(|error| gave_up(error, format))??;
        appender.finish().await?;
        let Counts { rows, stored, already_stored, rejected, labels_added } = *counts;
        let elapsed = start.elapsed();
        Ok(ImportReport {
            source_id,
            format,
            rows,
            stored,
            already_stored,
            rejected,
            labels_added,
            rejects,
            elapsed,
        })
    }

    async fn begin(&self, path: &Path, hash: String) -> Result<Appender, ImportErrorKind> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mapping = serde_json::to_string(&self.mapping).expect("a mapping is text, numbers and lists");
        let source = SourceInfo { kind: SourceKind::File, name, hash: Some(hash), mapping: Some(mapping) };
        let keys = self.mapping.keys().map(str::to_owned).collect();
        Ok(Appender::begin(self.store, &self.domain, keys, source).await?)
    }

    /// Stores a batch. Records and rejects come first, in one transaction; what can only be known after that, conflicts
    /// and labels of records that were there before, follows, and would be found again if it were lost.
    async fn store_batch(
        &self,
        appender: &mut Appender,
        mut batch: Batch,
        counts: &mut Counts,
        listed: &mut Vec<Reject>,
    ) -> Result<(), ImportErrorKind> {
        let origins = batch.origins();
        let rows = batch.rows() as u64;
        let labels: Vec<_> = batch.records.iter().map(|record| record.labels.clone()).collect();
        let mut rejected = batch.rejects.len();
        list(listed, &batch.rejects);
        let outcomes = appender.append_with_rejects(batch.records, batch.rejects).await?;

        let (mut conflicts, mut late_labels, mut stored) = (Vec::new(), Vec::new(), 0);
        for (index, (outcome, labels)) in outcomes.into_iter().zip(labels).enumerate() {
            match outcome {
                Outcome::Stored(_) => stored += 1,
                Outcome::AlreadyStored(record_id) => {
                    late_labels.extend(labels.into_iter().map(|label| NewLabel {
                        record_id,
                        name: label.name,
                        value: label.value,
                        known_at: label.known_at,
                        source: LABEL_SOURCE.to_owned(),
                    }));
                }
                Outcome::Conflict(record_id) => {
                    let column = self.mapping.external_id.as_deref();
                    let mut reject = origins.refuse(index, column, &Reason::Conflict { record_id });
                    reject.record_id = Some(record_id);
                    conflicts.push(reject);
                }
            }
        }
        rejected += conflicts.len();
        list(listed, &conflicts);
        if !conflicts.is_empty() {
            appender.reject(conflicts).await?;
        }
        if !late_labels.is_empty() {
            counts.labels_added += self.store.add_labels(&late_labels).await?;
        }
        counts.rows += rows;
        counts.stored += stored;
        counts.rejected += rejected as u64;
        counts.already_stored += rows - stored - rejected as u64;
        Ok(())
    }
}

/// Who says that a label holds: as the appender writes it for labels that come with their records.
const LABEL_SOURCE: &str = "import";

fn list(listed: &mut Vec<Reject>, rejects: &[Reject]) {
    let room = REPORT_REJECTS_MAX - listed.len();
    listed.extend(rejects.iter().take(room).cloned());
}

/// A file that can be read with the plan.
struct OpenFile {
    reader: Reader,
    /// BLAKE3 of the file, hexadecimal.
    hash: String,
    total: u64,
}

enum Reader {
    Csv(CsvFile),
    JsonLines(JsonFile),
    Parquet(Box<ParquetFile>),
}

impl OpenFile {
    fn new(path: &Path, format: Format, delimiter: u8, plan: &Plan) -> Result<Self, ImportErrorKind> {
        // Before opening: opening a pipe would wait for somebody to write.
        if !std::fs::metadata(path)?.is_file() {
            return Err(ImportErrorKind::NotFile);
        }
        let mut file = File::open(path)?;
        let bytes = file.metadata()?.len();
        if bytes == 0 {
            return Err(ImportErrorKind::Empty);
        }
        if let Some(found) = format::foreign(&mut file, format)? {
            return Err(ImportErrorKind::Foreign { found, format });
        }
        let (reader, total) = match format {
            Format::Csv => (Reader::Csv(CsvFile::open(file, delimiter, plan.columns())?), bytes),
            Format::JsonLines => (Reader::JsonLines(JsonFile::open(file)?), bytes),
            Format::Parquet => {
                let parquet = ParquetFile::open(file, plan.columns())?;
                let rows = parquet.rows();
                (Reader::Parquet(Box::new(parquet)), rows)
            }
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(Self { reader, hash: hasher.finalize().to_hex().to_string(), total })
    }
}

impl Reader {
    fn read(self, batcher: Batcher) -> Result<(), ImportErrorKind> {
        match self {
            Self::Csv(file) => file.read(batcher),
            Self::JsonLines(file) => file.read(batcher),
            Self::Parquet(file) => file.read(batcher),
        }
    }
}

/// The reader did not come to an end. On a damaged Parquet file the library that unpacks it may panic, which is no reason
/// for the program to do so.
fn gave_up(error: JoinError, format: Format) -> ImportErrorKind {
    match (error.try_into_panic(), format) {
        (Ok(_), Format::Parquet) => {
            ParquetProblem::Damaged("unpacking it failed without a message".to_owned()).into()
        }
        (Ok(panic), _) => std::panic::resume_unwind(panic),
        // The runtime is shutting down.
        (Err(error), _) => io::Error::other(error).into(),
    }
}
