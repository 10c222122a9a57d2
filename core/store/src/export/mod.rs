//! Writing records, labels and predictions to files: CSV, JSON Lines and Parquet.
//!
//! ```
//! # use foretell_store::open::Store;
//! # use foretell_store::record::{Appender, LabelValue, NewRecord, NewRecordLabel, SourceInfo, SourceKind};
//! use foretell_store::export::Export;
//! use foretell_store::record::RecordFilter;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec![], source).await?;
//! # let label = NewRecordLabel { name: "returned".into(), value: LabelValue::Bool(true), known_at: 86_400_000_000 };
//! # let payload = r#"{"customer":"596","amount":57.16}"#.into();
//! # let order = NewRecord { external_id: Some("A-17".into()), event_time: 0, payload, keys: vec![], labels: vec![label], media: vec![] };
//! # appender.append(vec![order]).await?;
//! let path = directory.path().join("orders.csv");
//! let report = Export::new(&store, RecordFilter::domain("shop")).to_file(&path, |_| {}).await?;
//! assert_eq!(report.records, 1);
//! assert_eq!(
//!     std::fs::read_to_string(&path)?,
//!     "external_id,event_time,customer,amount,label.returned,label.returned.known_at\n\
//!      A-17,1970-01-01T00:00:00Z,596,57.16,true,1970-01-02T00:00:00Z\n"
//! );
//! # Ok(())
//! # }
//! ```
//!
//! **Columns.** `external_id` and `event_time`; then the fields of the payloads, in the order in which they first appear;
//! `label.NAME` and `label.NAME.known_at` for each label, the value that holds last; and, if there are any,
//! `prediction.run_id`, `prediction.score`, `prediction.label` and `prediction.output` of the latest run, or of the one
//! that is asked for. A field whose name is taken by one of these is called `payload.NAME`. Every format has the same
//! columns. Times are RFC 3339 as text, and timestamps in Parquet.
//!
//! **Types.** A field with whole numbers and fractions is one of fractions; a field with values of different types is
//! text, each value as its JSON. Text is left as it is: a spreadsheet may take a text that begins with `=` for a formula.
//!
//! **Contract.** An export is a view of one moment: what is written to the store while it runs is not in it. A file
//! appears under its name only when it is complete. Memory does not grow with the number of records; since columns must
//! be known before the first row, the records are read twice.
//!
//! **Pitfall:** a missing value and an empty text are told apart (`` and `""` in CSV), but an import takes both for
//! missing.

mod file;
mod layout;
mod pages;
mod write;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

pub use self::layout::EXPORT_COLUMNS_MAX;

use self::file::NewFile;
use self::pages::{Page, Selection};
use crate::fault::Fault;
use crate::import::Format;
use crate::open::Store;
use crate::record::RecordFilter;

/// Pages that reading may be ahead of writing.
const PAGES_AHEAD_MAX: usize = 1;

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct Export<'s> {
    store: &'s Store,
    filter: RecordFilter,
    format: Option<Format>,
    run: Option<i64>,
    overwrite: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportProgress {
    /// Records that were handed to the file.
    pub done: u64,
    /// Records in all.
    pub total: u64,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Records that were written.
    pub records: u64,
    /// The columns, in order.
    pub columns: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// An export that failed. No file was written, and one that was there before is as it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot export to {}", path.as_ref().map_or("the output".to_owned(), |path| format!("`{}`", path.display())))]
pub struct ExportError {
    /// The file, if it was to be one.
    pub path: Option<PathBuf>,
    /// Why.
    #[source]
    pub kind: ExportErrorKind,
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportErrorKind {
    /// Its name does not say what it should be.
    #[error(
        "its name says nothing about its format: understood are CSV (`.csv`, `.tsv`), JSON Lines (`.jsonl`, `.ndjson`) and Parquet (`.parquet`)"
    )]
    UnknownFormat,
    /// There is such a file already.
    #[error("there is such a file already")]
    Exists,
    /// The payloads have too many different fields.
    #[error("the records have more than {EXPORT_COLUMNS_MAX} different fields and labels")]
    TooManyColumns,
    /// There is no such run.
    #[error("there is no run {0}")]
    UnknownRun(i64),
    /// A payload that another program wrote is no JSON object.
    #[error("the payload of record {0} is not a JSON object")]
    Payload(i64),
    /// The output could not be written.
    #[error("it cannot be written")]
    Write(#[from] io::Error),
    /// The columns could not be packed.
    #[error("it cannot be written as Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl ExportErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownFormat => Some("choose another name, or say the format"),
            Self::Exists => Some("choose another name, or ask for the file to be replaced"),
            Self::TooManyColumns => Some("export fewer records at a time"),
            Self::UnknownRun(_) => Some("list the runs to see which there are"),
            Self::Payload(_) => Some("check the database"),
            Self::Store(fault) => fault.hint(),
            Self::Write(_) | Self::Parquet(_) => None,
        }
    }
}

impl From<sqlx::Error> for ExportErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl<'s> Export<'s> {
    /// The records that `filter` selects, each with its latest prediction.
    pub fn new(store: &'s Store, filter: RecordFilter) -> Self {
        Self { store, filter, format: None, run: None, overwrite: false }
    }

    /// The format of the file, whatever its name says.
    pub fn with_format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// The predictions of one run, instead of the latest.
    pub fn with_run(self, run_id: i64) -> Self {
        Self { run: Some(run_id), ..self }
    }

    /// Replaces a file that is there, once the new one is complete.
    pub fn with_overwrite(self) -> Self {
        Self { overwrite: true, ..self }
    }

    /// Writes a file. It is complete when it appears under its name.
    pub async fn to_file(
        &self,
        path: impl AsRef<Path>,
        progress: impl FnMut(ExportProgress),
    ) -> Result<ExportReport, ExportError> {
        let path = path.as_ref();
        self.try_file(path, progress).await.map_err(|kind| ExportError { path: Some(path.to_owned()), kind })
    }

    async fn try_file(
        &self,
        path: &Path,
        progress: impl FnMut(ExportProgress),
    ) -> Result<ExportReport, ExportErrorKind> {
        let format = self.format.or_else(|| Format::of_path(path)).ok_or(ExportErrorKind::UnknownFormat)?;
        let delimiter = crate::import::delimiter(path);
        if !self.overwrite && path.exists() {
            return Err(ExportErrorKind::Exists);
        }
        let file = NewFile::create(path)?;
        let (file, report) = self.write(file, format, delimiter, progress).await?;
        let overwrite = self.overwrite;
        spawn_blocking(move || file.publish(overwrite)).await.map_err(io::Error::other)??;
        Ok(report)
    }

    /// Writes to a stream, such as standard output.
    pub async fn to_writer(
        &self,
        writer: impl Write + Send + 'static,
        format: Format,
        progress: impl FnMut(ExportProgress),
    ) -> Result<ExportReport, ExportError> {
        let written = self.write(writer, format, b',', progress).await;
        written.map(|(_, report)| report).map_err(|kind| ExportError { path: None, kind })
    }

    async fn write<W: Write + Send + 'static>(
        &self,
        writer: W,
        format: Format,
        delimiter: u8,
        mut progress: impl FnMut(ExportProgress),
    ) -> Result<(W, ExportReport), ExportErrorKind> {
        let start = Instant::now();
        // One transaction, so that both passes and every page see the same moment.
        let mut snapshot = self.store.readers().begin().await?;
        if let Some(run_id) = self.run {
            let known =
                sqlx::query("SELECT 1 FROM run WHERE id = ?").bind(run_id).fetch_optional(&mut *snapshot);
            known.await?.ok_or(ExportErrorKind::UnknownRun(run_id))?;
        }
        let mut selection = Selection::new(&self.filter, self.run);
        let (layout, total) = selection.survey(&mut snapshot).await?;
        let columns = layout.columns();
        let report_columns = columns.iter().map(|column| column.name.clone()).collect();

        let (sender, receiver) = mpsc::channel::<Page>(PAGES_AHEAD_MAX);
        let writing: JoinHandle<Result<W, ExportErrorKind>> =
            spawn_blocking(move || write::write(writer, format, delimiter, &columns, receiver));
        let mut done = 0;
        let reading = async {
            while let Some(page) = selection.next_page(&mut snapshot).await? {
                let rows = page.rows.len() as u64;
                if sender.send(page).await.is_err() {
                    // The writer gave up, and will say why.
                    break;
                }
                done += rows;
                progress(ExportProgress { done, total });
            }
            drop(sender);
            Ok::<_, ExportErrorKind>(())
        };
        let read = reading.await;
        // Whatever happened, the writer comes to its end first: it holds the file.
        let written = writing.await.map_err(io::Error::other)?;
        read?;
        let writer = written?;
        snapshot.commit().await?;
        Ok((writer, ExportReport { records: done, columns: report_columns, elapsed: start.elapsed() }))
    }
}
