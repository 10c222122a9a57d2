//! `foretell record`

use std::io::ErrorKind;
use std::path::Path;

use foretell_store::export::{Export, ExportError, ExportErrorKind};
use foretell_store::import;
use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_store::record::{RecordFilter, RejectFilter};
use foretell_terminal::{Bar, Failure, Intake, Output, Place, exit, format_count};
use serde::Serialize;

use super::payload::{Columns, Payload};
use super::{number, score, shorten, unknown_record, unknown_run, unread};
use crate::arguments::{Format, Record, Selection};
use crate::document;

/// Characters of a refused input that a table shows.
const CONTENT_CHARACTERS_MAX: usize = 60;

pub(super) async fn run(place: &Place, output: Output, command: &Record) -> Result<u8, Failure> {
    match command {
        Record::Import { file, domain, mapping, rejects: to } => {
            super::new::check_name("domain", domain)?;
            // Before there is a database for it.
            let mapping = import::Mapping::read(mapping).map_err(|error| Failure::new(&error))?;
            read(&place.create_or_open().await?, output, file, domain, mapping, to.as_deref()).await
        }
        Record::List { selection, limit } => {
            list(&place.open_read_only().await?, output, selection, *limit).await
        }
        Record::Show { id } => show(&place.open_read_only().await?, output, *id).await,
        Record::Export { selection, file, format, run, replace } => {
            let store = place.open_read_only().await?;
            let mut export = Export::new(&store, RecordFilter { newest_first: false, ..filter(selection) });
            if let Some(run) = *run {
                store.run(run).await.map_err(unread)?.ok_or_else(|| unknown_run(run))?;
                export = export.with_run(run);
            }
            if let Some(format) = *format {
                export = export.with_format(written_as(format));
            }
            if *replace {
                export = export.with_overwrite();
            }
            match file.as_os_str() == "-" {
                true => to_standard_output(&export, *format).await,
                false => to_file(output, &export, file).await,
            }
        }
        Record::Rejects { run, source, limit } => {
            let filter = match (*run, *source) {
                (Some(run), _) => RejectFilter::Run(run),
                (None, Some(source)) => RejectFilter::Source(source),
                (None, None) => RejectFilter::All,
            };
            rejects(&place.open_read_only().await?, output, filter, *limit).await
        }
    }
}

/// Stores the rows of a file, and writes those that were refused `to` another.
async fn read(
    store: &Store,
    output: Output,
    file: &Path,
    domain: &str,
    mapping: import::Mapping,
    to: Option<&Path>,
) -> Result<u8, Failure> {
    let imported = foretell_terminal::import(store, domain, mapping, file, output).await;
    let imported = imported.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let intake = Intake::of_table(file, "rows", imported);
    if let Some(to) = to {
        intake.write_rejects(store, to).await?;
    }
    output.show(&intake, |output| intake.draw(output));
    Ok(intake.exit_code())
}

fn filter(selection: &Selection) -> RecordFilter {
    RecordFilter {
        domain: selection.domain.clone(),
        from: selection.within.from,
        to: selection.within.to,
        key: selection.within.key.clone(),
        newest_first: true,
    }
}

#[derive(Serialize)]
struct Records {
    /// Records that match, whether listed or not.
    total: u64,
    records: Vec<document::Record>,
}

async fn list(store: &Store, output: Output, selection: &Selection, limit: u32) -> Result<u8, Failure> {
    let filter = filter(selection);
    let records = store.records(&filter, limit).await.map_err(unread)?;
    let document = Records {
        total: store.count(&filter).await.map_err(unread)?,
        records: records.into_iter().map(document::Record::from).collect(),
    };
    output.show(&document, |output| {
        if document.total == 0 {
            return output.line(&format!("no record of domain `{}` matches", filter.domain));
        }
        draw_records(output, &document.records);
        shown(output, document.records.len(), document.total, "records");
    });
    Ok(exit::DONE)
}

fn draw_records(output: Output, records: &[document::Record]) {
    let payloads: Vec<_> = records.iter().map(|record| Payload::new(&record.payload.0)).collect();
    let columns = Columns::of(&payloads);
    let names = columns.head();
    let head: Vec<_> = ["record#", "event_time", "external_id"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let row = |(record, payload): (&document::Record, &Payload)| {
        let mut cells = vec![
            record.id.to_string(),
            record.event_time.to_string(),
            record.external_id.clone().unwrap_or_default(),
        ];
        cells.extend(columns.row(payload));
        cells
    };
    output.table(&head, records.iter().zip(&payloads).map(row));
    if columns.left_out > 0 {
        output.line(&format!("{} more fields: `foretell record show ID`, or `--json`", columns.left_out));
    }
}

/// Says how many there are, where not all are shown.
fn shown(output: Output, shown: usize, total: u64, what: &str) {
    if (shown as u64) < total {
        let (shown, total) = (format_count(shown as u64), format_count(total));
        output.line(&format!("{shown} of {total} {what}; `--limit` shows more"));
    }
}

#[derive(Serialize)]
struct Shown {
    record: document::Record,
    source: Option<document::Source>,
    labels: Vec<document::Label>,
    predictions: Vec<document::Prediction>,
}

async fn show(store: &Store, output: Output, id: i64) -> Result<u8, Failure> {
    let record = store.record(id).await.map_err(unread)?.ok_or_else(|| unknown_record(id))?;
    let source = store.source(record.source_id).await.map_err(unread)?;
    let labels = store.labels(id).await.map_err(unread)?;
    let predictions = store.predictions(PredictionFilter::Record(id), u32::MAX).await.map_err(unread)?;
    let document = Shown {
        record: record.into(),
        source: source.map(document::Source::from),
        labels: labels.into_iter().map(document::Label::from).collect(),
        predictions: predictions.into_iter().rev().map(document::Prediction::from).collect(),
    };
    output.show(&document, |output| {
        draw_record(output, &document.record, document.source.as_ref());
        draw_labels(output, &document.labels);
        output.line("");
        if document.predictions.is_empty() {
            return output.line("no prediction");
        }
        output.table(
            &["run#", "score#", "label", "output"],
            document.predictions.iter().map(|prediction| {
                let label = prediction.label.clone().unwrap_or_default();
                let details = prediction.output.as_ref().map(|json| json.0.clone()).unwrap_or_default();
                vec![prediction.run.to_string(), score(prediction.score), label, details]
            }),
        );
        output.line(&format!("`foretell prediction show {id}` says what they come from"));
    });
    Ok(exit::DONE)
}

/// A record and where it came from.
pub(super) fn draw_record(output: Output, record: &document::Record, source: Option<&document::Source>) {
    let mut facts = vec![("record", record.id.to_string()), ("domain", record.domain.clone())];
    if let Some(external_id) = &record.external_id {
        facts.push(("external id", external_id.clone()));
    }
    facts.push(("event time", record.event_time.to_string()));
    facts.push(("payload", record.payload.0.clone()));
    facts.push(("received", record.received_at.to_string()));
    if let Some(source) = source {
        facts.push(("source", format!("{}, {} `{}`", source.id, source.kind, source.name)));
        facts.extend(source.hash.as_ref().map(|hash| ("source hash", hash.clone())));
    }
    output.facts(&facts);
}

/// Labels; of each name, the one that holds comes last.
pub(super) fn draw_labels(output: Output, labels: &[document::Label]) {
    output.line("");
    if labels.is_empty() {
        return output.line("no label");
    }
    let row = |label: &document::Label| {
        let value = serde_json::to_value(&label.value).unwrap_or_default();
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        vec![label.name.clone(), value, label.known_at.to_string(), label.source.clone()]
    };
    output.table(&["label", "value", "known at", "source"], labels.iter().map(row));
}

#[derive(Serialize)]
struct Written {
    file: String,
    records: u64,
    columns: Vec<String>,
    seconds: f64,
}

async fn to_file(output: Output, export: &Export<'_>, file: &Path) -> Result<u8, Failure> {
    let mut bar = None;
    let written = export
        .to_file(file, |progress| {
            bar.get_or_insert_with(|| {
                Bar::new("exporting", "records", Some(progress.total), output.is_json())
            })
            .set(progress.done);
        })
        .await;
    if let Some(bar) = bar {
        bar.finish();
    }
    let report = written.map_err(|error| unwritten(&error))?;
    let document = Written {
        file: file.display().to_string(),
        records: report.records,
        columns: report.columns,
        seconds: report.elapsed.as_secs_f64(),
    };
    output.show(&document, |output| {
        let records = format_count(document.records);
        output.line(&format!("wrote {records} records to `{}` in {:.1} s", document.file, document.seconds));
        output.line(&format!("columns: {}", document.columns.join(", ")));
    });
    Ok(exit::DONE)
}

async fn to_standard_output(export: &Export<'_>, format: Option<Format>) -> Result<u8, Failure> {
    let format = format.ok_or_else(|| {
        Failure::words("standard output has no ending that says the format")
            .hint(Some("say it: `--format csv`, `--format jsonl` or `--format parquet`"))
    })?;
    match export.to_writer(std::io::stdout(), written_as(format), |_| {}).await {
        // The reader, such as `head`, has enough.
        Err(ExportError { kind: ExportErrorKind::Write(error), .. })
            if error.kind() == ErrorKind::BrokenPipe =>
        {
            Ok(exit::DONE)
        }
        written => written.map(|_| exit::DONE).map_err(|error| unwritten(&error)),
    }
}

fn unwritten(error: &ExportError) -> Failure {
    Failure::new(error).hint(match error.kind {
        ExportErrorKind::UnknownFormat => Some("choose another name, or say the format: `--format csv`"),
        ExportErrorKind::Exists => Some("choose another name, or put the new one in its place: `--replace`"),
        _ => error.kind.hint(),
    })
}

fn written_as(format: Format) -> import::Format {
    match format {
        Format::Csv => import::Format::Csv,
        Format::Jsonl => import::Format::JsonLines,
        Format::Parquet => import::Format::Parquet,
    }
}

#[derive(Serialize)]
struct Rejects {
    /// Rejects that match, whether listed or not.
    total: u64,
    rejects: Vec<document::Reject>,
}

async fn rejects(store: &Store, output: Output, filter: RejectFilter, limit: u32) -> Result<u8, Failure> {
    match filter {
        RejectFilter::Run(run) => {
            store.run(run).await.map_err(unread)?.ok_or_else(|| unknown_run(run))?;
        }
        RejectFilter::Source(source) => {
            let unknown = || {
                Failure::words(format!("there is no source {source}"))
                    .hint(Some("`foretell record show ID` says which source a record came from"))
            };
            store.source(source).await.map_err(unread)?.ok_or_else(unknown)?;
        }
        RejectFilter::All => {}
    }
    let rejects = store.rejects(filter, limit).await.map_err(unread)?;
    let document = Rejects {
        total: store.count_rejects(filter).await.map_err(unread)?,
        rejects: rejects.into_iter().map(document::Reject::from).collect(),
    };
    output.show(&document, |output| {
        if document.total == 0 {
            return output.line("nothing was refused");
        }
        output.table(
            &["source#", "run#", "line#", "record#", "field", "reason", "content"],
            document.rejects.iter().map(|reject| {
                let content = reject.content.as_deref().unwrap_or_default();
                vec![
                    number(reject.source),
                    number(reject.run),
                    number(reject.line),
                    number(reject.record),
                    reject.field.clone().unwrap_or_default(),
                    reject.reason.clone(),
                    shorten(content.lines().next().unwrap_or_default(), CONTENT_CHARACTERS_MAX),
                ]
            }),
        );
        shown(output, document.rejects.len(), document.total, "rejects");
    });
    Ok(exit::DONE)
}
