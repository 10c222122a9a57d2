//! Scoring: predictions for stored records, with the past of their time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::ArrowError;
use foretell_runtime::manifest::{Manifest, Task};
use foretell_runtime::plugin::{Plugin, PredictError};
use foretell_store::fault::ReadError;
use foretell_store::history::{HistoryBatch, HistoryError, Walk, WalkOptions, Wanted, Watermarks, lookup};
use foretell_store::lineage::LineageError;
use foretell_store::open::Store;
use foretell_store::prediction::{NewPrediction, PredictionError};
use foretell_store::record::{RecordFilter, Reject, RejectFilter};
use foretell_store::time::{Micros, format_time};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::columns::{InputError, assemble, history_specs, inputs};
use crate::isolate::{Answer, predict};
use crate::lineage::{Program, RegisterError, register};

/// Batches that may wait between reading and predicting, and between predicting and writing. Two keep both sides busy, and
/// memory small.
const BATCHES_WAITING_MAX: usize = 2;

/// Why records could not be scored. What was committed before stays.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The plugin's task has no score.
    #[error("plugin `{plugin}` does {task}; this version scores binary-classification and regression")]
    Task {
        /// Name of the plugin.
        plugin: String,
        /// Its task.
        task: Task,
    },
    /// The plugin asks for what stored records don't have.
    #[error(transparent)]
    Input(#[from] InputError),
    /// History could not be made.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Lineage could not be written down.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The end of the run could not be written down.
    #[error(transparent)]
    Finish(#[from] LineageError),
    /// Predictions could not be written.
    #[error(transparent)]
    Write(#[from] PredictionError),
    /// No record can be predicted.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The store's columns are not those of the manifest.
    #[error("the store's columns are not those of the manifest")]
    Columns(#[from] ArrowError),
    /// A thread of the work ended before the work did.
    #[error("the {0} thread stopped before the end; this is a defect of foretell, please report it")]
    Stopped(&'static str),
}

impl ScoreError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::History(error) => error.kind.hint(),
            Self::Read(error) | Self::Register(RegisterError::Read(error)) => error.hint(),
            Self::Register(RegisterError::Write(error)) | Self::Finish(error) => error.kind.hint(),
            Self::Write(error) => error.kind.hint(),
            _ => None,
        }
    }
}

/// What to score.
#[derive(Clone, Debug, Default)]
pub struct ScoreOptions {
    /// From this event time on.
    pub from: Option<Micros>,
    /// Before this event time.
    pub to: Option<Micros>,
    /// Records that the same plugin, models and settings have scored before, too.
    pub again: bool,
    /// Records of a batch; 0 means a number that suits most plugins.
    pub batch_rows: usize,
}

/// How far scoring is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Records that are to be scored, where that is known beforehand.
    pub wanted: Option<u64>,
    /// Predictions in the store.
    pub scored: u64,
    /// Records set aside.
    pub rejected: u64,
}

/// What scoring did, and where the time went.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct ScoreReport {
    /// The run, under which predictions and rejects stand in the store.
    pub run: i64,
    /// Predictions written.
    pub scored: u64,
    /// Records set aside, each with its reason, in the store.
    pub rejected: u64,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Seconds in which records and history were waited for.
    pub read_seconds: f64,
    /// Seconds in which the plugin predicted.
    pub predict_seconds: f64,
    /// Seconds in which predictions were written.
    pub write_seconds: f64,
}

/// Scores stored records in time order, and reports progress after each batch.
///
/// Reading, predicting and writing overlap; at most a few batches are in memory. A run that was killed leaves whole batches
/// behind, and the same call goes on with what is unscored.
pub async fn score(
    store: &Store,
    plugin: &Arc<Plugin>,
    program: &Program,
    options: &ScoreOptions,
    mut progress: impl FnMut(Progress),
) -> Result<ScoreReport, ScoreError> {
    let started = Instant::now();
    let manifest = plugin.manifest();
    check_task(manifest)?;
    let specs = history_specs(manifest)?;
    let lineage = register(store, plugin, program).await?;
    let earlier = if options.again { Vec::new() } else { lineage.earlier_runs(store).await? };
    let total = count_wanted(store, &manifest.plugin.domain, options, &earlier).await?;
    let run = lineage.begin(store, &selection(options)).await?;
    let mut walk_options = WalkOptions::new(&manifest.plugin.domain, inputs(plugin), specs);
    walk_options.from = options.from;
    walk_options.to = options.to;
    walk_options.wanted = if earlier.is_empty() { Wanted::All } else { Wanted::Unscored { runs: earlier } };
    walk_options.watermarks = Some(run.watermarks);
    if options.batch_rows > 0 {
        walk_options.batch_rows = options.batch_rows;
    }
    let mut report = ScoreReport { run: run.id, ..ScoreReport::default() };
    let mut state = Progress { wanted: total, ..Progress::default() };
    progress(state);

    let mut walk = Walk::new(store, walk_options).await?;
    let (to_predict, batches) = mpsc::channel::<HistoryBatch>(BATCHES_WAITING_MAX);
    let (to_write, mut scored) = mpsc::channel::<Scored>(BATCHES_WAITING_MAX);
    let predictor = spawn_predictor(Arc::clone(plugin), batches, to_write);
    let read = async {
        let mut waited = Duration::ZERO;
        loop {
            let start = Instant::now();
            let batch = walk.next().await?;
            waited += start.elapsed();
            let Some(batch) = batch else { break };
            if to_predict.send(batch).await.is_err() {
                // The predictor failed; its own error says why.
                break;
            }
        }
        drop(to_predict);
        Ok::<_, ScoreError>(waited)
    };
    let write = async {
        let mut spent = Duration::ZERO;
        while let Some(batch) = scored.recv().await {
            let start = Instant::now();
            store.write_predictions(run.id, &batch.predictions, &batch.rejects).await?;
            spent += start.elapsed();
            state.scored += batch.predictions.len() as u64;
            state.rejected += batch.rejects.len() as u64;
            progress(state);
        }
        // Dropping the receiver stops the other two, should writing have failed.
        drop(scored);
        Ok::<_, ScoreError>(spent)
    };
    let (waited, spent) = tokio::join!(read, write);
    let predicted = predictor.await.map_err(|_| ScoreError::Stopped("predicting"))?;
    report.write_seconds = spent?.as_secs_f64();
    report.predict_seconds = predicted?.as_secs_f64();
    report.read_seconds = waited?.as_secs_f64();
    store.finish_run(run.id).await?;
    (report.scored, report.rejected) = (state.scored, state.rejected);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// How many records there are to score; not known where a time range cuts through what earlier runs did.
async fn count_wanted(
    store: &Store,
    domain: &str,
    options: &ScoreOptions,
    earlier: &[i64],
) -> Result<Option<u64>, ReadError> {
    if !earlier.is_empty() && (options.from.is_some() || options.to.is_some()) {
        return Ok(None);
    }
    let filter = RecordFilter { from: options.from, to: options.to, ..RecordFilter::domain(domain) };
    let mut wanted = store.count(&filter).await?;
    for &run in earlier {
        let done = store.count_predictions(run).await? + store.count_rejects(RejectFilter::Run(run)).await?;
        wanted = wanted.saturating_sub(done);
    }
    Ok(Some(wanted))
}

/// Scores a few records at once, online: looks their past up, predicts, stores, and returns the answers in the order of
/// `ids`, with the run that they stand under.
pub async fn answer(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    ids: &[i64],
) -> Result<(i64, Vec<(i64, Answer)>), ScoreError> {
    let manifest = plugin.manifest();
    check_task(manifest)?;
    let specs = history_specs(manifest)?;
    let run = register(store, plugin, program)
        .await?
        .begin(store, &serde_json::json!({ "records": ids.len() }))
        .await?;
    let batch = repeat(store, plugin, &specs, ids, run.watermarks).await?;
    let rejects = batch.rejects.clone();
    let scored = predict_batch(plugin, &batch)?;
    store.write_predictions(run.id, &scored.predictions, &scored.rejects).await?;
    store.finish_run(run.id).await?;
    let mut answers: Vec<(i64, Answer)> = scored.answers;
    answers.extend(rejects.into_iter().filter_map(|reject| {
        Some((reject.record_id?, Answer::Refused { field: reject.field, reason: reject.reason }))
    }));
    Ok((run.id, ids.iter().filter_map(|id| answers.iter().find(|(found, _)| found == id).cloned()).collect()))
}

/// The records of `ids` with the past that they had under `watermarks`.
pub(crate) async fn repeat(
    store: &Store,
    plugin: &Plugin,
    specs: &[foretell_store::history::HistorySpec],
    ids: &[i64],
    watermarks: Watermarks,
) -> Result<HistoryBatch, HistoryError> {
    lookup(store, &plugin.manifest().plugin.domain, &inputs(plugin), specs, ids, Some(watermarks)).await
}

pub(crate) fn check_task(manifest: &Manifest) -> Result<(), ScoreError> {
    match manifest.plugin.task {
        Task::BinaryClassification | Task::Regression => Ok(()),
        task => Err(ScoreError::Task { plugin: manifest.plugin.name.clone(), task }),
    }
}

/// A batch on its way to the store.
struct Scored {
    answers: Vec<(i64, Answer)>,
    predictions: Vec<NewPrediction>,
    rejects: Vec<Reject>,
}

/// Answers for a batch, as predictions and rejects.
fn predict_batch(plugin: &Plugin, batch: &HistoryBatch) -> Result<Scored, ScoreError> {
    let answers = predict(plugin, &assemble(plugin, batch)?)?;
    let mut scored = Scored {
        answers: Vec::with_capacity(answers.len()),
        predictions: Vec::with_capacity(answers.len()),
        rejects: batch.rejects.clone(),
    };
    for (&record_id, answer) in batch.ids.iter().zip(answers) {
        match &answer {
            Answer::Number(number) => scored.predictions.push(NewPrediction {
                record_id,
                score: Some(f64::from(*number)),
                label: plugin.manifest().decide(*number).map(str::to_owned),
                output: None,
            }),
            Answer::Refused { field, reason } => scored.rejects.push(Reject {
                record_id: Some(record_id),
                field: field.clone(),
                reason: reason.clone(),
                ..Reject::default()
            }),
        }
        scored.answers.push((record_id, answer));
    }
    Ok(scored)
}

fn spawn_predictor(
    plugin: Arc<Plugin>,
    mut batches: mpsc::Receiver<HistoryBatch>,
    to_write: mpsc::Sender<Scored>,
) -> tokio::task::JoinHandle<Result<Duration, ScoreError>> {
    tokio::task::spawn_blocking(move || {
        let mut spent = Duration::ZERO;
        while let Some(batch) = batches.blocking_recv() {
            let start = Instant::now();
            let scored = predict_batch(&plugin, &batch)?;
            spent += start.elapsed();
            if to_write.blocking_send(scored).is_err() {
                break;
            }
        }
        Ok(spent)
    })
}

fn selection(options: &ScoreOptions) -> serde_json::Value {
    serde_json::json!({
        "from": options.from.map(format_time),
        "to": options.to.map(format_time),
        "again": options.again,
    })
}
