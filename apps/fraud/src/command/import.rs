//! `foretell-fraud import`

use std::io::{BufWriter, Write};
use std::path::Path;

use foretell_store::import::{Import, ImportReport};
use foretell_store::open::Store;
use foretell_store::record::{RejectFilter, RejectedRecord};
use foretell_terminal::{Bar, Failure, Output, Place, exit, format_count};
use serde::Serialize;

use crate::DOMAIN;
use crate::arguments;
use crate::mapping;

/// Rejects that are listed on a terminal.
const REJECTS_SHOWN_MAX: usize = 10;

#[derive(Serialize)]
struct Report {
    source: i64,
    rows: u64,
    stored: u64,
    already_stored: u64,
    rejected: u64,
    labels_added: u64,
    seconds: f64,
    rows_per_second: f64,
    rejects: Vec<Reject>,
}

#[derive(Serialize)]
struct Reject {
    line: Option<i64>,
    field: Option<String>,
    reason: String,
    content: Option<String>,
}

impl Reject {
    fn new(reject: RejectedRecord) -> Self {
        Self { line: reject.line, field: reject.field, reason: reject.reason, content: reject.content }
    }
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Import) -> Result<u8, Failure> {
    let mapping = mapping::find(&command.mapping).map_err(|error| {
        Failure::new(&error).hint(Some("our own mappings are transaction, labelled and handbook"))
    })?;
    let store = place.create_or_open().await?;
    let mut bar = None;
    let imported = Import::new(&store, DOMAIN, mapping)
        .run(&command.file, |progress| {
            let unit = if is_text(&command.file) { "bytes" } else { "rows" };
            let bar = bar
                .get_or_insert_with(|| Bar::new("importing", unit, Some(progress.total), output.is_json()));
            bar.set(progress.done);
        })
        .await;
    if let Some(bar) = bar {
        bar.finish();
    }
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    if let Some(file) = &command.rejects {
        write_rejects(&store, imported.source_id, file).await?;
    }
    let report = report(&imported);
    output.show(&report, |output| draw(output, command, &report));
    Ok(if report.rejected > 0 { exit::SOME_REJECTED } else { exit::DONE })
}

fn is_text(file: &Path) -> bool {
    file.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("parquet"))
}

fn report(imported: &ImportReport) -> Report {
    let seconds = imported.elapsed.as_secs_f64();
    let rejects = imported.rejects.iter().map(|reject| Reject {
        line: reject.line,
        field: reject.field.clone(),
        reason: reject.reason.clone(),
        content: reject.content.clone(),
    });
    Report {
        source: imported.source_id,
        rows: imported.rows,
        stored: imported.stored,
        already_stored: imported.already_stored,
        rejected: imported.rejected,
        labels_added: imported.labels_added,
        seconds,
        rows_per_second: imported.rows as f64 / seconds.max(f64::MIN_POSITIVE),
        rejects: rejects.collect(),
    }
}

fn draw(output: Output, command: &arguments::Import, report: &Report) {
    output.line(&format!(
        "{}: {} rows in {:.1} s ({} rows/s)",
        command.file.display(),
        format_count(report.rows),
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

async fn write_rejects(store: &Store, source: i64, file: &Path) -> Result<(), Failure> {
    let rejects = store
        .rejects(RejectFilter::Source(source), u32::MAX)
        .await
        .map_err(|error| Failure::new(&error).hint(error.hint()))?;
    let write = || -> std::io::Result<()> {
        let mut writer = BufWriter::new(std::fs::File::create(file)?);
        for reject in rejects {
            serde_json::to_writer(&mut writer, &Reject::new(reject))?;
            writer.write_all(b"\n")?;
        }
        writer.flush()
    };
    write().map_err(|error| Failure::words(format!("can't write `{}`: {error}", file.display())))
}
