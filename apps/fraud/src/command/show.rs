//! `foretell-fraud show`

use foretell_store::history::{FieldKind, HistoryField, HistorySpec, lookup};
use foretell_store::label::Label;
use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_store::record::Record;
use foretell_store::time::{DAY, format_time};
use foretell_terminal::{Failure, Output, Place, exit};
use serde::Serialize;
use serde_json::Value;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};

use crate::{DOMAIN, LABEL, arguments};

/// Days of the past that are shown.
const PAST_DAYS: i64 = 30;
/// Past transactions that are listed; the counts say how many there are.
const PAST_SHOWN_MAX: usize = 5;
/// Predictions that are listed, the latest ones.
const PREDICTIONS_SHOWN_MAX: u32 = 20;

#[derive(Serialize)]
struct Report {
    transaction: String,
    record: i64,
    time: String,
    payload: Value,
    customer_past: Past,
    terminal_past: Past,
    labels: Vec<LabelLine>,
    predictions: Vec<PredictionLine>,
}

/// What happened in the 30 days before, and what was known of it by then.
#[derive(Serialize)]
struct Past {
    transactions: usize,
    known_frauds: usize,
    latest: Vec<PastLine>,
}

#[derive(Serialize)]
struct PastLine {
    time: String,
    amount: Option<f64>,
    known_fraud: Option<bool>,
}

#[derive(Serialize)]
struct LabelLine {
    name: String,
    value: Value,
    known_at: String,
    source: String,
}

#[derive(Serialize)]
struct PredictionLine {
    run: i64,
    score: Option<f64>,
    label: Option<String>,
    plugin: String,
    started_at: String,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Show) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let record = store
        .record_by_external_id(DOMAIN, &command.transaction)
        .await
        .map_err(|error| Failure::new(&error).hint(error.hint()))?
        .ok_or_else(|| super::unknown(&command.transaction))?;
    let report = read(&store, command, &record).await?;
    output.show(&report, |output| draw(output, &report));
    Ok(exit::DONE)
}

async fn read(store: &Store, command: &arguments::Show, record: &Record) -> Result<Report, Failure> {
    let specs = ["customer_id", "terminal_id"].map(spec);
    let inputs = std::sync::Arc::new(arrow_schema::Schema::empty());
    let past = lookup(store, DOMAIN, &inputs, &specs, &[record.id], None)
        .await
        .map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let mut past = past.history.iter().map(|list| past_of(list.value(0).as_struct()));
    let (Some(customer_past), Some(terminal_past)) = (past.next(), past.next()) else {
        unreachable!("a history for each spec");
    };
    let labels = store.labels(record.id).await.map_err(|error| Failure::new(&error).hint(error.hint()))?;
    Ok(Report {
        transaction: command.transaction.clone(),
        record: record.id,
        time: format_time(record.event_time),
        payload: serde_json::from_str(&record.payload).unwrap_or(Value::Null),
        customer_past,
        terminal_past,
        labels: labels.into_iter().map(label).collect(),
        predictions: predictions(store, record.id).await?,
    })
}

fn spec(key: &str) -> HistorySpec {
    HistorySpec {
        name: key.to_owned(),
        key: key.to_owned(),
        window: PAST_DAYS * DAY,
        delay: 0,
        fields: vec![
            HistoryField::Record { name: "amount".to_owned(), kind: FieldKind::Float64 },
            HistoryField::Label { name: LABEL.to_owned(), kind: FieldKind::Bool },
        ],
    }
}

fn past_of(events: &arrow_array::StructArray) -> Past {
    let times = events.column(0).as_primitive::<TimestampMicrosecondType>();
    let amounts = events.column(1).as_primitive::<Float64Type>();
    let frauds = events.column(2).as_boolean();
    let latest = (0..times.len()).rev().take(PAST_SHOWN_MAX).map(|row| PastLine {
        time: format_time(times.value(row)),
        amount: amounts.is_valid(row).then(|| amounts.value(row)),
        known_fraud: frauds.is_valid(row).then(|| frauds.value(row)),
    });
    Past { transactions: times.len(), known_frauds: frauds.true_count(), latest: latest.collect() }
}

fn label(label: Label) -> LabelLine {
    LabelLine {
        name: label.name,
        value: serde_json::to_value(&label.value).unwrap_or(Value::Null),
        known_at: format_time(label.known_at),
        source: label.source,
    }
}

async fn predictions(store: &Store, record: i64) -> Result<Vec<PredictionLine>, Failure> {
    let failure = |error: foretell_store::fault::ReadError| Failure::new(&error).hint(error.hint());
    let mut lines = Vec::new();
    let found =
        store.predictions(PredictionFilter::Record(record), PREDICTIONS_SHOWN_MAX).await.map_err(failure)?;
    for prediction in found {
        let Some(run) = store.run(prediction.run_id).await.map_err(failure)? else { continue };
        lines.push(PredictionLine {
            run: run.id,
            score: prediction.score,
            label: prediction.label,
            plugin: format!("{}@{}", run.plugin.name, run.plugin.version),
            started_at: format_time(run.started_at),
        });
    }
    Ok(lines)
}

fn draw(output: Output, report: &Report) {
    let text = |name: &str| match &report.payload[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    output.facts(&[
        ("transaction", report.transaction.clone()),
        ("record", report.record.to_string()),
        ("time", report.time.clone()),
        ("customer", text("customer_id")),
        ("terminal", text("terminal_id")),
        ("amount", text("amount")),
    ]);
    for (who, past) in [("customer", &report.customer_past), ("terminal", &report.terminal_past)] {
        output.line(&format!(
            "\nthe {who} in the {PAST_DAYS} days before: {} transactions, {} known to be fraud by then",
            past.transactions, past.known_frauds
        ));
        if !past.latest.is_empty() {
            output.table(&["time", "amount#", "known"], past.latest.iter().map(past_line));
        }
    }
    output.line("");
    if report.labels.is_empty() {
        output.line("no label yet: `foretell-fraud label` says what it turned out to be");
    } else {
        output.table(
            &["label", "value", "known at", "source"],
            report.labels.iter().map(|label| {
                vec![
                    label.name.clone(),
                    label.value.to_string(),
                    label.known_at.clone(),
                    label.source.clone(),
                ]
            }),
        );
    }
    output.line("");
    if report.predictions.is_empty() {
        output.line("not scored yet: `foretell-fraud score` scores it");
    } else {
        output.table(
            &["run#", "score#", "decision", "plugin", "run started"],
            report.predictions.iter().map(|prediction| {
                vec![
                    prediction.run.to_string(),
                    prediction.score.map(|score| format!("{score:.6}")).unwrap_or_default(),
                    prediction.label.clone().unwrap_or_default(),
                    prediction.plugin.clone(),
                    prediction.started_at.clone(),
                ]
            }),
        );
    }
}

fn past_line(line: &PastLine) -> Vec<String> {
    let known = match line.known_fraud {
        Some(true) => "fraud",
        Some(false) => "genuine",
        None => "",
    };
    vec![
        line.time.clone(),
        line.amount.map(|amount| format!("{amount:.2}")).unwrap_or_default(),
        known.to_owned(),
    ]
}
