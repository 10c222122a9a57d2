//! `foretell-medical show`

use foretell_store::prediction::PredictionFilter;
use foretell_terminal::{Failure, Json, Output, Place, Time, exit};
use serde::Serialize;
use serde_json::Value;

use crate::finding::{Source, bare_card, opinion_of};
use crate::{NOTICE, arguments, locate};

#[derive(Serialize)]
struct Document {
    notice: &'static str,
    record: i64,
    image: Option<String>,
    /// When it was imported.
    time: Time,
    source: i64,
    payload: Json,
    labels: Vec<Known>,
    predictions: Vec<Said>,
    #[serde(skip)]
    facts: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Known {
    name: String,
    value: Value,
    known_at: Time,
    source: String,
}

#[derive(Serialize)]
struct Said {
    run: i64,
    plugin: String,
    started_at: Time,
    /// Whether it was only stored, for comparison.
    shadow: bool,
    score: Option<f64>,
    decision: Option<String>,
    output: Option<Json>,
    unfamiliar: bool,
    #[serde(skip)]
    words: String,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Show) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    let record = locate::stored(place, &store, &command.target).await?;
    let fail = |error: foretell_store::fault::ReadError| Failure::new(&error).hint(error.hint());
    let labels = store.labels(record.id).await.map_err(fail)?.into_iter().map(|label| Known {
        name: label.name,
        value: serde_json::to_value(&label.value).unwrap_or(Value::Null),
        known_at: Time(label.known_at),
        source: label.source,
    });
    let mut predictions = Vec::new();
    let found = store.predictions(PredictionFilter::Record(record.id), u32::MAX).await.map_err(fail)?;
    let passed_over = found.len().saturating_sub(command.limit as usize);
    for prediction in found.into_iter().skip(passed_over) {
        let source = Source::load(&store, prediction.run_id).await?;
        let opinion = opinion_of(&source, &prediction)?;
        let mut words = opinion.decision.clone().unwrap_or_default();
        if let Some(mask) = &opinion.mask {
            let shares =
                mask.foreground().map(|(class, label)| format!("{label} {:.1} %", 100.0 * mask.share(class)));
            words = shares.collect::<Vec<_>>().join(", ");
        }
        predictions.push(Said {
            run: source.run.id,
            plugin: opinion.plugin.clone(),
            started_at: Time(source.run.started_at),
            shadow: source.run.shadow,
            score: prediction.score,
            decision: prediction.label,
            output: prediction.output.map(Json),
            unfamiliar: opinion.is_unfamiliar(),
            words,
        });
    }
    let document = Document {
        notice: NOTICE,
        record: record.id,
        image: record.external_id.clone(),
        time: Time(record.event_time),
        source: record.source_id,
        payload: Json(record.payload.clone()),
        labels: labels.collect(),
        predictions,
        facts: bare_card(&store, &record).await?.facts,
    };
    output.show(&document, |output| draw(output, &document));
    Ok(exit::DONE)
}

fn draw(output: Output, document: &Document) {
    let mut facts = vec![
        ("image", document.image.clone().unwrap_or_default()),
        ("record", document.record.to_string()),
        ("imported", document.time.to_string()),
        ("source", document.source.to_string()),
    ];
    facts.extend(document.facts.iter().map(|(name, value)| (name.as_str(), value.clone())));
    output.facts(&facts);
    output.line("");
    if document.labels.is_empty() {
        output.line("no label yet: `foretell-medical label` says what it shows");
    } else {
        output.table(
            &["label", "value", "known at", "from"],
            document.labels.iter().map(|label| {
                let value = label.value.as_str().map_or_else(|| label.value.to_string(), str::to_owned);
                vec![label.name.clone(), shortened(&value), label.known_at.to_string(), label.source.clone()]
            }),
        );
    }
    output.line("");
    if document.predictions.is_empty() {
        output.line("not predicted yet: `foretell-medical predict` does it");
    } else {
        output.table(
            &["run#", "plugin", "score#", "decision", "", "run started"],
            document.predictions.iter().map(|said| {
                vec![
                    said.run.to_string(),
                    said.plugin.clone(),
                    said.score.map(|score| format!("{score:.3}")).unwrap_or_default(),
                    said.words.clone(),
                    match (said.unfamiliar, said.shadow) {
                        (true, _) => "UNFAMILIAR".to_owned(),
                        (_, true) => "for comparison".to_owned(),
                        _ => String::new(),
                    },
                    said.started_at.to_string(),
                ]
            }),
        );
    }
    output.line(&format!("\n{NOTICE}"));
}

/// As much of a text as fits into a table: outlines are long.
fn shortened(text: &str) -> String {
    /// Characters of a cell.
    const CHARACTERS_MAX: usize = 48;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
