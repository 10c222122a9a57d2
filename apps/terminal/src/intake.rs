//! What came of a file: told to people and programs alike in every app that reads one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use foretell_store::import::{Import, ImportError, ImportReport, Mapping};
use foretell_store::open::Store;
use foretell_store::record::{Reject, RejectFilter};
use serde::Serialize;

use crate::{Bar, Failure, Output, exit, format_count};

/// Reads a table into the store, with a bar.
pub async fn import(
    store: &Store,
    domain: &str,
    mapping: Mapping,
    file: &Path,
    output: Output,
) -> Result<ImportReport, ImportError> {
    let unit = match file.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("parquet") => "rows",
        _ => "bytes",
    };
    let mut bar = None;
    let imported = Import::new(store, domain, mapping)
        .run(file, |progress| {
            bar.get_or_insert_with(|| Bar::new("importing", unit, Some(progress.total), output.is_json()))
                .set(progress.done);
        })
        .await;
    if let Some(bar) = bar {
        bar.finish();
    }
    imported
}

/// Rejects that are listed on a terminal.
const REJECTS_SHOWN_MAX: usize = 10;

/// What came of a file.
#[derive(Debug, Serialize)]
pub struct Intake {
    file: String,
    source: i64,
    rows: u64,
    stored: u64,
    already_stored: u64,
    rejected: u64,
    seconds: f64,
    rows_per_second: f64,
    /// The first of them.
    rejects: Vec<Refused>,
    #[serde(skip)]
    unit: &'static str,
}

/// Rows of a file, by what became of them.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// All of them.
    pub read: u64,
    /// Those that are stored now and were not before.
    pub stored: u64,
    /// Those that were stored before.
    pub already_stored: u64,
    /// Those that were refused.
    pub rejected: u64,
}

/// A row that was refused.
#[derive(Debug, Serialize)]
struct Refused {
    file: String,
    line: Option<i64>,
    field: Option<String>,
    reason: String,
    content: Option<String>,
}

impl Refused {
    fn new(
        file: &str,
        line: Option<i64>,
        field: Option<String>,
        reason: String,
        content: Option<String>,
    ) -> Self {
        Self { file: file.to_owned(), line, field, reason, content }
    }
}

impl Intake {
    /// What came of `file`, as `source` in the store: rows that are called `unit`, in so much time, with the first rejects.
    pub fn new(
        file: &Path,
        source: i64,
        unit: &'static str,
        rows: Rows,
        elapsed: Duration,
        rejects: Vec<Reject>,
    ) -> Self {
        let file = file.display().to_string();
        let seconds = elapsed.as_secs_f64();
        let refused = |reject: Reject| {
            let Reject { line, field, reason, content, .. } = reject;
            Refused::new(&file, line, field, reason, content)
        };
        let rejects = rejects.into_iter().map(refused).collect();
        Self {
            source,
            rows: rows.read,
            stored: rows.stored,
            already_stored: rows.already_stored,
            rejected: rows.rejected,
            seconds,
            rows_per_second: rows.read as f64 / seconds.max(f64::MIN_POSITIVE),
            rejects,
            unit,
            file,
        }
    }

    /// What came of a table that the store read by itself.
    pub fn of_table(file: &Path, unit: &'static str, imported: ImportReport) -> Self {
        let rows = Rows {
            read: imported.rows,
            stored: imported.stored,
            already_stored: imported.already_stored,
            rejected: imported.rejected,
        };
        Self::new(file, imported.source_id, unit, rows, imported.elapsed, imported.rejects)
    }

    /// The exit code for it.
    pub fn exit_code(&self) -> u8 {
        if self.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE }
    }

    /// Draws it for people.
    pub fn draw(&self, output: Output) {
        output.line(&format!(
            "{}: {} {} in {:.1} s ({}/s)",
            self.file,
            format_count(self.rows),
            self.unit,
            self.seconds,
            format_count(self.rows_per_second as u64)
        ));
        output.facts(&[
            ("stored", format_count(self.stored)),
            ("already stored", format_count(self.already_stored)),
            ("rejected", format_count(self.rejected)),
            ("source", self.source.to_string()),
        ]);
        if self.rejected == 0 {
            return;
        }
        output.line("");
        output.table(
            &["line#", "field", "reason"],
            self.rejects.iter().take(REJECTS_SHOWN_MAX).map(|reject| {
                let line = reject.line.map_or_else(String::new, |line| line.to_string());
                vec![line, reject.field.clone().unwrap_or_default(), reject.reason.clone()]
            }),
        );
        if self.rejected > REJECTS_SHOWN_MAX as u64 {
            output.line(&format!("... and {} more", format_count(self.rejected - REJECTS_SHOWN_MAX as u64)));
        }
        output.line(&format!(
            "all are kept in the database: `foretell record rejects --source {}`, or `--rejects FILE`",
            self.source
        ));
    }

    /// Writes all rejects to a file of JSON Lines.
    pub async fn write_rejects(&self, store: &Store, to: &Path) -> Result<(), Failure> {
        let rejects = store
            .rejects(RejectFilter::Source(self.source), u32::MAX)
            .await
            .map_err(|error| Failure::new(&error).hint(error.hint()))?;
        let write = || -> std::io::Result<()> {
            let mut writer = BufWriter::new(File::create(to)?);
            for reject in rejects {
                let refused =
                    Refused::new(&self.file, reject.line, reject.field, reject.reason, reject.content);
                serde_json::to_writer(&mut writer, &refused)?;
                writer.write_all(b"\n")?;
            }
            writer.flush()
        };
        write().map_err(|error| Failure::words(format!("can't write `{}`: {error}", to.display())))
    }
}
