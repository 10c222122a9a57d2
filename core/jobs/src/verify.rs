//! Verifying: stored predictions made once more, and compared.

use std::sync::Arc;

use foretell_runtime::manifest::Manifest;
use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::Plugin;
use foretell_runtime::registry::Registry;
use foretell_store::fault::ReadError;
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use foretell_store::prediction::{Prediction, PredictionFilter};
use serde::Serialize;
use thiserror::Error;

use crate::agree::Agreement;
use crate::batch::{Pictures, records_at_once};
use crate::isolate::{Answer, Lost, predict};
use crate::lineage::watermarks;
use crate::lots::Lots;
use crate::reload::{ReloadError, reload};
use crate::score::{Recall, ScoreError};

/// Differences that a report lists one by one.
const DIFFERENCES_MAX: usize = 20;

/// Why predictions could not be repeated.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// There is no such run.
    #[error("there is no run {0}; `foretell prediction runs` lists them")]
    UnknownRun(i64),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The plugin of a run could not be loaded as it was.
    #[error(transparent)]
    Reload(#[from] ReloadError),
    /// The predictions could not be made again.
    #[error("run {run}: {source}")]
    Score {
        /// The run.
        run: i64,
        /// Why not.
        source: Box<ScoreError>,
    },
}

/// What to verify.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// Only this run; else all.
    pub run: Option<i64>,
    /// Predictions at most, spread evenly.
    pub limit: u32,
    /// Largest difference that counts as equal.
    pub tolerance: f64,
}

/// A prediction that came out differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The run.
    pub run: i64,
    /// The record.
    pub record: i64,
    /// The score that is stored.
    pub stored: Option<f64>,
    /// What came out now.
    pub repeated: Repeated,
}

/// What came out when a prediction was repeated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// Another score, or none.
    Score(Option<f64>),
    /// The same score, and another label, or none.
    Label(Option<String>),
    /// The same score and label, and another output: where it differs first, in words.
    Output(String),
    /// No prediction.
    Refused(String),
}

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerifyReport {
    /// Predictions that were repeated.
    pub predictions: u64,
    /// Those that came out equal within the tolerance.
    pub equal: u64,
    /// Runs that they belong to.
    pub runs: u64,
    /// Largest difference of two numbers: scores, and those of the output.
    pub largest_difference: f64,
    /// The first differences beyond the tolerance.
    pub differences: Vec<Difference>,
}

/// Repeats stored predictions with the plugin, the models and the past of their time, and compares scores, labels and outputs. `done`
/// is told how many are compared.
pub async fn verify(
    store: &Store,
    registry: &Registry,
    runtime: &Arc<Runtime>,
    options: VerifyOptions,
    mut done: impl FnMut(u64),
) -> Result<VerifyReport, VerifyError> {
    let mut report = VerifyReport::default();
    let mut agreement = Agreement::new(options.tolerance);
    for run in runs(store, options.run).await? {
        let left = u64::from(options.limit).saturating_sub(report.predictions);
        let predictions = sample(store, &run, left).await?;
        if predictions.is_empty() {
            continue;
        }
        let plugin = reload(registry, runtime, &run)?;
        report.runs += 1;
        let failed = |source| VerifyError::Score { run: run.id, source: Box::new(source) };
        let recall = Recall::new(store, &plugin).map_err(|error| failed(ScoreError::from(error)))?;
        for chunk in predictions.chunks(records_at_once(plugin.manifest())) {
            let answers = again(&recall, &plugin, &run, chunk).await.map_err(failed)?;
            for prediction in chunk {
                let answer =
                    answers.iter().find(|(id, _)| *id == prediction.record_id).map(|(_, answer)| answer);
                report.predictions += 1;
                match repeated(&mut agreement, plugin.manifest(), prediction, answer) {
                    None => report.equal += 1,
                    Some(repeated) if report.differences.len() < DIFFERENCES_MAX => {
                        report.differences.push(Difference {
                            run: prediction.run_id,
                            record: prediction.record_id,
                            stored: prediction.score,
                            repeated,
                        });
                    }
                    Some(_) => (),
                }
            }
            done(report.predictions);
        }
    }
    report.largest_difference = agreement.largest;
    Ok(report)
}

/// The run that is asked for, or all, the latest first.
async fn runs(store: &Store, run: Option<i64>) -> Result<Vec<Run>, VerifyError> {
    match run {
        Some(id) => Ok(vec![store.run(id).await?.ok_or(VerifyError::UnknownRun(id))?]),
        None => Ok(store.runs(None).await?),
    }
}

/// At most `limit` predictions of a run, spread evenly over its records.
async fn sample(store: &Store, run: &Run, limit: u64) -> Result<Vec<Prediction>, ReadError> {
    let mut sample = Vec::new();
    let page = |after, rows| store.predictions(PredictionFilter::Run { run_id: run.id, after }, rows);
    if store.count_predictions(run.id).await? <= limit {
        return page(None, u32::try_from(limit).unwrap_or(u32::MAX)).await;
    }
    let mut next = page(None, 1).await?.pop();
    let first = next.as_ref().map_or(0, |prediction| prediction.record_id);
    let stride = (run.record_watermark - first) / i64::try_from(limit).unwrap_or(i64::MAX).max(1);
    while let Some(prediction) = next.take()
        && (sample.len() as u64) < limit
    {
        // The record before the one where the next stride begins.
        let after = first + stride * (sample.len() as i64 + 1) - 1;
        next = page(Some(after.max(prediction.record_id)), 1).await?.pop();
        sample.push(prediction);
    }
    Ok(sample)
}

/// What came out otherwise, if anything did.
fn repeated(
    agreement: &mut Agreement,
    manifest: &Manifest,
    prediction: &Prediction,
    answer: Option<&Answer>,
) -> Option<Repeated> {
    match answer {
        Some(Answer::Predicted(predicted)) => agreement.difference(manifest, prediction, predicted),
        Some(Answer::Refused { reason, .. }) => Some(Repeated::Refused(reason.clone())),
        None => Some(Repeated::Refused("its payload does not fit the plugin's inputs any more".to_owned())),
    }
}

async fn again(
    recall: &Recall,
    plugin: &Plugin,
    run: &Run,
    predictions: &[Prediction],
) -> Result<Vec<(i64, Answer)>, ScoreError> {
    let ids: Vec<i64> = predictions.iter().map(|prediction| prediction.record_id).collect();
    let (mut lots, mut again) = (Lots::new(&ids, ids.len()), Vec::new());
    while let Some(ids) = lots.next() {
        match recall.records(ids, watermarks(run), &Pictures::new()).await {
            Ok(batch) => {
                let answers = predict(plugin, &batch.records, &batch.originals, &mut Lost::default())?;
                again.extend(batch.ids.into_iter().zip(answers));
            }
            Err(error) => lots.halve(ids, error)?,
        }
    }
    Ok(again)
}
