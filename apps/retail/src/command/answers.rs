//! What a model answered for stored purchases: what is stored already, and the rest, which is answered now.

use std::collections::{HashMap, HashSet};

use foretell_jobs::JobOptions;
use foretell_runtime::plugin::Plugin;
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_store::selection::{Selection, Unscored};
use foretell_store::time::Micros;
use foretell_terminal::{Bar, Failure, Output, job};

use super::model::{Model, read_failure};
use crate::DOMAIN;
use crate::ledger::Names;
use crate::question::{Ranked, answer};

/// Predictions that are read at once.
const PAGE_PREDICTIONS: u32 = 4_096;
/// Up to so many purchases are answered one by one, where a job would answer a long time for few.
const ONE_BY_ONE_MAX: usize = 5_000;
/// Purchases that are answered at once, one by one.
const BATCH_PURCHASES: usize = 500;

/// A stored purchase that is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) record: i64,
    pub(super) time: Micros,
}

/// Answers by record.
pub(super) type Answers<T> = HashMap<i64, T>;

/// Reads an answer as it is stored, or says what is wrong with it.
pub(super) trait Read<T>: FnMut(Option<&str>) -> Result<T, serde_json::Error> {}
impl<T, F: FnMut(Option<&str>) -> Result<T, serde_json::Error>> Read<T> for F {}

/// Reads lists of items, best first, as their numbers.
pub(super) fn numbers(items: &mut Names) -> impl Read<Vec<u32>> {
    |output| {
        let ranked: Vec<Ranked> = answer(output)?;
        Ok(ranked.iter().map(|ranked| items.number(&ranked.item)).collect())
    }
}

/// What is read, and what is still waited for.
struct Reading<'r, T, R> {
    store: &'r Store,
    read: R,
    waiting: HashSet<i64>,
    answers: Answers<T>,
}

/// What one run answered.
pub(super) async fn of_run<T>(
    store: &Store,
    run: i64,
    asked: &[Asked],
    read: impl Read<T>,
) -> Result<Answers<T>, Failure> {
    let mut reading = Reading::new(store, asked, read);
    reading.run(run).await?;
    Ok(reading.answers)
}

/// What a model has answered, in whatever runs; what it has not is answered first. Records from `cut` on are answered
/// in a job.
pub(super) async fn of_model<T>(
    app: &job::App<'_>,
    store: &Store,
    model: &Model,
    asked: &[Asked],
    cut: Micros,
    workers: usize,
    read: impl Read<T>,
) -> Result<Answers<T>, Failure> {
    let mut reading = Reading::new(store, asked, read);
    let last = reading.runs(model.plugin(), 0).await?;
    if !reading.waiting.is_empty() {
        let left = asked.iter().filter(|asked| reading.waiting.contains(&asked.record)).copied();
        let (early, mut late): (Vec<Asked>, Vec<Asked>) = left.partition(|asked| asked.time < cut);
        if early.len() > ONE_BY_ONE_MAX {
            late.extend(&early);
        } else {
            one_by_one(app, store, model, &early).await?;
        }
        in_job(app, store, model, &late, workers).await?;
        reading.runs(model.plugin(), last).await?;
    }
    Ok(reading.answers)
}

impl<'r, T, R: Read<T>> Reading<'r, T, R> {
    fn new(store: &'r Store, asked: &[Asked], read: R) -> Self {
        let waiting = asked.iter().map(|asked| asked.record).collect();
        Self { store, read, waiting, answers: Answers::default() }
    }

    /// Reads the runs of a plugin with the same settings, the latest first, down to the one behind `after`; the
    /// latest of all.
    async fn runs(&mut self, plugin: &Plugin, after: i64) -> Result<i64, Failure> {
        let runs = self.store.runs(Some(DOMAIN)).await.map_err(read_failure)?;
        for run in runs.iter().take_while(|run| run.id > after).filter(|run| is_of(run, plugin)) {
            self.run(run.id).await?;
        }
        Ok(runs.first().map_or(0, |run| run.id))
    }

    /// Reads the answers of a run to records that wait for one.
    async fn run(&mut self, run_id: i64) -> Result<(), Failure> {
        let Some(first) = self.waiting.iter().min() else { return Ok(()) };
        let last = self.waiting.iter().max().copied();
        let mut after = Some(first - 1);
        loop {
            let filter = PredictionFilter::Run { run_id, after };
            let page = self.store.predictions(filter, PAGE_PREDICTIONS).await.map_err(read_failure)?;
            for prediction in &page {
                if !self.waiting.remove(&prediction.record_id) {
                    continue;
                }
                let answer = (self.read)(prediction.output.as_deref()).map_err(|error| {
                    Failure::words(format!("run {run_id} answers with something else: {error}")).hint(Some(
                        "name a plugin of the right task: one that recommends, or one that forecasts",
                    ))
                })?;
                self.answers.insert(prediction.record_id, answer);
            }
            after = page.last().map(|prediction| prediction.record_id);
            if page.len() < PAGE_PREDICTIONS as usize || after >= last {
                return Ok(());
            }
        }
    }
}

/// Whether a run was made by this plugin, with the same files and settings.
fn is_of(run: &Run, plugin: &Plugin) -> bool {
    let (verified, made) = (plugin.verified(), &run.plugin);
    plugin.name() == format!("{}@{}", made.name, made.version)
        && made.manifest_hash == verified.manifest_hash().to_string()
        && made.library_hash == verified.library_hash().to_string()
        && run.config == plugin.config()
}

/// Answers records online, each with the past that it had.
async fn one_by_one(
    app: &job::App<'_>,
    store: &Store,
    model: &Model,
    asked: &[Asked],
) -> Result<(), Failure> {
    let bar = Bar::new("answering", app.unit, Some(asked.len() as u64), app.output.is_json());
    let ids: Vec<i64> = asked.iter().map(|asked| asked.record).collect();
    for (number, ids) in ids.chunks(BATCH_PURCHASES).enumerate() {
        bar.set((number * BATCH_PURCHASES) as u64);
        model.try_answer(store, ids).await?;
    }
    bar.finish();
    Ok(())
}

/// Answers every purchase from the first of these to the last in a job.
async fn in_job(
    app: &job::App<'_>,
    store: &Store,
    model: &Model,
    asked: &[Asked],
    workers: usize,
) -> Result<(), Failure> {
    let times = || asked.iter().map(|asked| asked.time);
    let Some((first, last)) = times().min().zip(times().max()) else { return Ok(()) };
    let selection = Selection {
        from: Some(first),
        to: Some(last + 1),
        unscored: Some(Unscored::default()),
        ..Selection::default()
    };
    let aside = job::App { output: Output::silent(), ..*app };
    job::score(&aside, store, &model.alone(), &JobOptions::new(selection), workers).await?;
    Ok(())
}
