//! `foretell prediction`

use foretell_store::lineage::Lineage;
use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_store::record::RejectFilter;
use foretell_store::time::SECOND;
use foretell_terminal::{Failure, Output, Place, exit, format_count};
use serde::Serialize;

use super::record::{draw_labels, draw_record};
use super::{score, unknown_record, unknown_run, unread};
use crate::arguments::Prediction;
use crate::document::{self, Json, Time};

pub(super) async fn run(place: &Place, output: Output, command: &Prediction) -> Result<u8, Failure> {
    let store = place.open_read_only().await?;
    match command {
        Prediction::Runs { limit } => runs(&store, output, *limit).await,
        Prediction::Show { record, run } => show(&store, output, *record, *run).await,
    }
}

#[derive(Serialize)]
struct Runs {
    /// Runs that there are, whether listed or not.
    total: usize,
    runs: Vec<CountedRun>,
}

#[derive(Serialize)]
struct CountedRun {
    #[serde(flatten)]
    run: document::Run,
    predictions: u64,
    rejects: u64,
}

async fn runs(store: &Store, output: Output, limit: u32) -> Result<u8, Failure> {
    let all = store.runs(None).await.map_err(unread)?;
    let mut document = Runs { total: all.len(), runs: Vec::new() };
    for run in all.into_iter().take(limit as usize) {
        document.runs.push(CountedRun {
            predictions: store.count_predictions(run.id).await.map_err(unread)?,
            rejects: store.count_rejects(RejectFilter::Run(run.id)).await.map_err(unread)?,
            run: run.into(),
        });
    }
    output.show(&document, |output| {
        if document.total == 0 {
            return output.line("no run: nothing was scored yet");
        }
        output.table(
            &["run#", "plugin", "models", "predictions#", "rejects#", "started", "took"],
            document.runs.iter().map(CountedRun::row),
        );
        if document.runs.len() < document.total {
            output.line(&format!("{} of {} runs; `--limit` shows more", document.runs.len(), document.total));
        }
    });
    Ok(exit::DONE)
}

impl CountedRun {
    fn row(&self) -> Vec<String> {
        /// Digits of a hash that tell models apart at a glance.
        const HASH_DIGITS: usize = 8;
        let run = &self.run;
        let models: Vec<_> = match &run.models[..] {
            [model] => vec![format!("{:.HASH_DIGITS$}", model.hash)],
            models => {
                models.iter().map(|model| format!("{} {:.HASH_DIGITS$}", model.name, model.hash)).collect()
            }
        };
        vec![
            run.id.to_string(),
            format!("{}@{}", run.plugin.name, run.plugin.version),
            models.join(", "),
            format_count(self.predictions),
            format_count(self.rejects),
            Time(run.started_at.0 - run.started_at.0.rem_euclid(SECOND)).to_string(),
            took(run),
        ]
    }
}

/// How long a run took, if it came to its end.
fn took(run: &document::Run) -> String {
    match run.finished_at {
        Some(Time(finished)) => format!("{:.1} s", (finished - run.started_at.0) as f64 / SECOND as f64),
        None => "not finished".to_owned(),
    }
}

#[derive(Serialize)]
struct Shown {
    record: document::Record,
    source: document::Source,
    labels: Vec<document::Label>,
    /// The latest run's comes first.
    predictions: Vec<Produced>,
}

/// A prediction with what produced it.
#[derive(Serialize)]
struct Produced {
    score: Option<f64>,
    label: Option<String>,
    output: Option<Json>,
    run: document::Run,
    /// plugin.toml, whole.
    manifest: String,
}

async fn show(store: &Store, output: Output, record: i64, run: Option<i64>) -> Result<u8, Failure> {
    store.record(record).await.map_err(unread)?.ok_or_else(|| unknown_record(record))?;
    let runs = match run {
        Some(run) => {
            store.run(run).await.map_err(unread)?.ok_or_else(|| unknown_run(run))?;
            vec![run]
        }
        None => {
            let stored =
                store.predictions(PredictionFilter::Record(record), u32::MAX).await.map_err(unread)?;
            stored.iter().rev().map(|prediction| prediction.run_id).collect()
        }
    };
    let mut document = None;
    for run in runs {
        if let Some(lineage) = store.lineage_of(record, run).await.map_err(unread)? {
            add(&mut document, lineage);
        }
    }
    let document = document.ok_or_else(|| missing(record, run))?;
    output.show(&document, |output| document.draw(output));
    Ok(exit::DONE)
}

fn missing(record: i64, run: Option<i64>) -> Failure {
    match run {
        Some(run) => Failure::words(format!("run {run} has no prediction for record {record}"))
            .hint(Some(format!("`foretell prediction show {record}` shows those of other runs"))),
        None => Failure::words(format!("there is no prediction for record {record}")).hint(Some(
            "score it with the app of its domain; `foretell record rejects` says what was refused",
        )),
    }
}

fn add(document: &mut Option<Shown>, lineage: Lineage) {
    let Lineage { prediction, record, source, run, labels } = lineage;
    let document = document.get_or_insert_with(|| Shown {
        record: record.into(),
        source: source.into(),
        labels: labels.into_iter().map(document::Label::from).collect(),
        predictions: Vec::new(),
    });
    document.predictions.push(Produced {
        score: prediction.score,
        label: prediction.label,
        output: prediction.output.map(Json),
        manifest: run.plugin.manifest.clone(),
        run: run.into(),
    });
}

impl Shown {
    fn draw(&self, output: Output) {
        draw_record(output, &self.record, Some(&self.source));
        draw_labels(output, &self.labels);
        for prediction in &self.predictions {
            output.line("");
            output.facts(&prediction.facts());
        }
    }
}

impl Produced {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let run = &self.run;
        let mut facts = vec![("score", score(self.score))];
        facts.extend(self.label.clone().map(|label| ("label", label)));
        facts.extend(self.output.as_ref().map(|output| ("output", output.0.clone())));
        facts.push(("run", run.id.to_string()));
        facts.push(("started", run.started_at.to_string()));
        facts.push(("took", took(run)));
        facts.push(("program", format!("{}, run by {}", run.program, run.author)));
        facts.push(("plugin", format!("{}@{}, {}", run.plugin.name, run.plugin.version, run.plugin.task)));
        facts.push(("library", format!("BLAKE3 {}", run.plugin.library_hash)));
        facts.push(("manifest", format!("BLAKE3 {}", run.plugin.manifest_hash)));
        facts.extend(run.models.iter().flat_map(|model| {
            [
                ("model", format!("{}: BLAKE3 {}", model.name, model.hash)),
                ("", format!("{}, {} bytes", model.file, model.bytes)),
            ]
        }));
        facts.push(("settings", format!("{}, BLAKE3 {}", run.config.0, run.config_hash)));
        facts.push(("ONNX Runtime", format!("{}, threads of a network: {}", run.onnxruntime, run.threads)));
        facts.push((
            "history saw",
            format!("records up to {}, labels up to {}", run.record_watermark, run.label_watermark),
        ));
        facts.push(("selection", run.selection.0.clone()));
        facts
    }
}
