//! `foretell-retail import`

use std::io::{BufWriter, Write};
use std::path::Path;

use foretell_store::import::{Import as StoreImport, ImportError, ImportErrorKind, ImportReport, Mapping};
use foretell_store::open::Store;
use foretell_store::record::{Reject, RejectFilter};
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count};
use serde::Serialize;

use crate::arguments::{Import, Table};
use crate::intake::{self, IntakeError, Progress};
use crate::{DOMAIN, mapping};

/// Rejects that are listed on a terminal.
const REJECTS_SHOWN_MAX: usize = 10;

#[derive(Serialize)]
struct Report {
    file: String,
    source: i64,
    rows: u64,
    stored: u64,
    already_stored: u64,
    rejected: u64,
    seconds: f64,
    rows_per_second: f64,
    rejects: Vec<Refused>,
    /// What a row is called.
    #[serde(skip)]
    unit: &'static str,
}

#[derive(Serialize)]
struct Refused {
    file: String,
    line: Option<i64>,
    field: Option<String>,
    reason: String,
    content: Option<String>,
}

pub(super) async fn run(place: &Place, output: Output, command: &Import) -> Result<u8, Failure> {
    let (file, rejects) = match command {
        Import::Purchases(Table { file, rejects, .. }) => (file, rejects),
        Import::Baskets(baskets) => (&baskets.wide.file, &baskets.wide.rejects),
        Import::Catalogue(wide) | Import::Sequences(wide) | Import::Demand(wide) => {
            (&wide.file, &wide.rejects)
        }
    };
    let store = place.create_or_open().await?;
    let report = match command {
        Import::Purchases(table) => purchases(&store, output, table).await?,
        _ => lines(&store, output, command, file).await?,
    };
    if let Some(rejects) = rejects {
        write_rejects(&store, &report, rejects).await?;
    }
    output.show(&report, |output| draw(output, &report));
    Ok(if report.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE })
}

/// A table with a purchase on each row, which the store reads by itself.
async fn purchases(store: &Store, output: Output, table: &Table) -> Result<Report, Failure> {
    let mut mapping = mapping::purchase(table.mapping.as_deref()).map_err(|error| Failure::new(&error))?;
    let mut imported = import(store, output, table, mapping.clone()).await;
    // Columns of our own mapping that need not be there are left out where they are not. The user's mapping means
    // what it says.
    if table.mapping.is_none()
        && let Err(ImportError { kind: ImportErrorKind::MissingColumns { missing, .. }, .. }) = &imported
    {
        mapping.fields.retain(|field| field.required || !missing.iter().any(|name| name == field.column()));
        imported = import(store, output, table, mapping).await;
    }
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let seconds = imported.elapsed.as_secs_f64();
    Ok(Report {
        file: table.file.display().to_string(),
        source: imported.source_id,
        rows: imported.rows,
        stored: imported.stored,
        already_stored: imported.already_stored,
        rejected: imported.rejected,
        seconds,
        rows_per_second: rate(imported.rows, seconds),
        rejects: imported.rejects.into_iter().map(|reject| refused(&table.file, reject)).collect(),
        unit: "purchases",
    })
}

async fn import(
    store: &Store,
    output: Output,
    table: &Table,
    mapping: Mapping,
) -> Result<ImportReport, ImportError> {
    let mut bar = None;
    let imported = StoreImport::new(store, DOMAIN, mapping)
        .run(&table.file, |progress| {
            let bar = bar.get_or_insert_with(|| {
                Bar::new("importing", unit_of(&table.file), Some(progress.total), output.is_json())
            });
            bar.set(progress.done);
        })
        .await;
    if let Some(bar) = bar {
        bar.finish();
    }
    imported
}

/// What progress in a file is counted in.
fn unit_of(file: &Path) -> &'static str {
    match file.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("parquet") => "rows",
        _ => "bytes",
    }
}

/// Everything else: text, line by line.
async fn lines(store: &Store, output: Output, command: &Import, file: &Path) -> Result<Report, Failure> {
    let mut bar = None;
    let progress = |progress: Progress| {
        bar.get_or_insert_with(|| Bar::new("importing", "bytes", Some(progress.total), output.is_json()))
            .set(progress.done);
    };
    let read: Result<intake::Report, IntakeError> = match command {
        Import::Catalogue(_) => intake::catalogue(store, file, progress).await,
        Import::Baskets(baskets) => intake::baskets(store, file, baskets.start, progress).await,
        Import::Sequences(_) => intake::sequences(store, file, progress).await,
        Import::Demand(_) => intake::demand(store, file, progress).await,
        Import::Purchases(_) => unreachable!("tables are read by the store"),
    };
    if let Some(bar) = bar {
        bar.finish();
    }
    let read = read.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let seconds = read.elapsed.as_secs_f64();
    Ok(Report {
        file: file.display().to_string(),
        source: read.source,
        rows: read.rows,
        stored: read.stored,
        already_stored: read.already_stored,
        rejected: read.rejected,
        seconds,
        rows_per_second: rate(read.rows, seconds),
        rejects: read.rejects.into_iter().map(|reject| refused(file, reject)).collect(),
        unit: if matches!(command, Import::Catalogue(_)) { "items" } else { "purchases" },
    })
}

fn rate(rows: u64, seconds: f64) -> f64 {
    rows as f64 / seconds.max(f64::MIN_POSITIVE)
}

fn refused(file: &Path, reject: Reject) -> Refused {
    let Reject { line, field, reason, content, .. } = reject;
    Refused { file: file.display().to_string(), line, field, reason, content }
}

fn draw(output: Output, report: &Report) {
    output.line(&format!(
        "{}: {} {} in {:.1} s ({}/s)",
        report.file,
        format_count(report.rows),
        report.unit,
        report.seconds,
        format_count(report.rows_per_second as u64)
    ));
    output.facts(&[
        ("stored", format_count(report.stored)),
        ("already stored", format_count(report.already_stored)),
        ("rejected", format_count(report.rejected)),
        ("source", report.source.to_string()),
    ]);
    if report.rejected == 0 {
        return;
    }
    output.line("");
    output.table(
        &["line#", "field", "reason"],
        report.rejects.iter().take(REJECTS_SHOWN_MAX).map(|reject| {
            let line = reject.line.map_or_else(String::new, |line| line.to_string());
            vec![line, reject.field.clone().unwrap_or_default(), reject.reason.clone()]
        }),
    );
    if report.rejected > REJECTS_SHOWN_MAX as u64 {
        output.line(&format!("... and {} more", format_count(report.rejected - REJECTS_SHOWN_MAX as u64)));
    }
    output.line(&format!(
        "all are kept in the database: `foretell record rejects --source {}`, or `--rejects FILE`",
        report.source
    ));
}

async fn write_rejects(store: &Store, report: &Report, file: &Path) -> Result<(), Failure> {
    let rejects = store
        .rejects(RejectFilter::Source(report.source), u32::MAX)
        .await
        .map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let write = || -> std::io::Result<()> {
        let mut writer = BufWriter::new(std::fs::File::create(file)?);
        for reject in rejects {
            let (line, field, reason, content) = (reject.line, reject.field, reject.reason, reject.content);
            let refused = Refused { file: report.file.clone(), line, field, reason, content };
            serde_json::to_writer(&mut writer, &refused)?;
            writer.write_all(b"\n")?;
        }
        writer.flush()
    };
    write().map_err(|error| Failure::words(format!("can't write `{}`: {error}", file.display())))
}
