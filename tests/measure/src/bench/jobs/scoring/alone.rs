//! The stages of the job one at a time, in this process, through the crates' own functions.
//!
//! | stage | what it does |
//! |---|---|
//! | read | walk all records with their history, and drop every batch |
//! | predict | call the plugin on batches that lie in memory, as often as it takes to come to all records |
//! | write | store predictions that lie in memory, as many in a transaction as the job has in a chunk |

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use foretell_jobs::history_specs;
use foretell_runtime::plugin::Plugin;
use foretell_store::history::{HistoryBatch, Walk, WalkOptions};
use foretell_store::job::CHUNK_RECORDS;
use foretell_store::lineage::{NewRun, Run};
use foretell_store::open::Store;
use foretell_store::prediction::NewPrediction;
use foretell_terminal::Failure;

use crate::bench::rounds::{Clocks, Turn};

/// Records of a batch, as in the job.
const BATCH_RECORDS: usize = 2_048;
/// Of so many batches one is kept to be predicted: a sample from all over the time.
const SAMPLE_EVERY: usize = 8;

/// A stage of the job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Read,
    Predict,
    Write,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Predict => "predict",
            Self::Write => "write",
        }
    }
}

/// What the stages need.
pub(super) struct Alone {
    plugin: Plugin,
    /// The run of the job that made the predictions.
    run: Run,
    predictions: Vec<NewPrediction>,
    sample: Vec<RecordBatch>,
}

impl Alone {
    /// Takes the sample from the database `town`.
    pub(super) async fn new(
        plugin: Plugin,
        run: Run,
        predictions: Vec<NewPrediction>,
        town: &Path,
    ) -> Result<Self, Failure> {
        let mut alone = Self { plugin, run, predictions, sample: Vec::new() };
        let mut sample = Vec::new();
        let mut number = 0;
        alone
            .walk(town, |batch| {
                if number % SAMPLE_EVERY == 0 {
                    sample.push(batch);
                }
                number += 1;
            })
            .await?;
        let sample = sample.iter().map(|batch| alone.assemble(batch)).collect::<Result<_, _>>()?;
        alone.sample = sample;
        Ok(alone)
    }

    /// Does one stage on a database in which nothing is scored.
    pub(super) async fn run(&self, stage: Stage, database: &Path) -> Result<Turn, Failure> {
        match stage {
            Stage::Read => self.read(database).await,
            Stage::Predict => self.predict(),
            Stage::Write => self.write(database).await,
        }
    }

    async fn read(&self, database: &Path) -> Result<Turn, Failure> {
        let clocks = Clocks::start();
        let mut records = 0;
        self.walk(database, |batch| records += black_box(batch).ids.len()).await?;
        self.expect(records)?;
        Ok(Turn::of_part(&clocks, 1.0))
    }

    fn predict(&self) -> Result<Turn, Failure> {
        let clocks = Clocks::start();
        let mut records = 0;
        for batch in self.sample.iter().cycle() {
            if records >= self.predictions.len() {
                break;
            }
            let predicted = self.plugin.predict(batch).map_err(|error| Failure::new(&error))?;
            records += black_box(predicted).len();
        }
        Ok(Turn::of_part(&clocks, self.predictions.len() as f64 / records as f64))
    }

    async fn write(&self, database: &Path) -> Result<Turn, Failure> {
        let store = open(database).await?;
        let plugin_version_id =
            store.plugin_version(&self.run.plugin).await.map_err(|error| Failure::new(&error))?;
        let run = NewRun {
            plugin_version_id,
            model_ids: Vec::new(),
            config: self.run.config.clone(),
            onnxruntime: self.run.onnxruntime.clone(),
            threads: self.run.threads,
            program: self.run.program.clone(),
            author: self.run.author.clone(),
            selection: self.run.selection.clone(),
            shadow: false,
        };
        let run_id = store.begin_run(&run).await.map_err(|error| Failure::new(&error))?;
        let clocks = Clocks::start();
        for predictions in self.predictions.chunks(CHUNK_RECORDS as usize) {
            let written = store.write_predictions(run_id, predictions, &[]).await;
            written.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
        }
        let turn = Turn::of_part(&clocks, 1.0);
        store.close().await;
        Ok(turn)
    }

    /// Hands all records with their history to `take`, batch by batch.
    async fn walk(&self, database: &Path, mut take: impl FnMut(HistoryBatch)) -> Result<(), Failure> {
        let store = open(database).await?;
        let manifest = self.plugin.manifest();
        let specs = history_specs(manifest).map_err(|error| Failure::new(&error))?;
        let mut options = WalkOptions::new(&manifest.plugin.domain, Arc::new(manifest.input_schema()), specs);
        options.batch_rows = BATCH_RECORDS;
        let fail =
            |error: foretell_store::history::HistoryError| Failure::new(&error).hint(error.kind.hint());
        let mut walk = Walk::new(&store, options).await.map_err(fail)?;
        while let Some(batch) = walk.next().await.map_err(fail)? {
            take(batch);
        }
        drop(walk);
        store.close().await;
        Ok(())
    }

    /// Puts a batch together as the plugin takes it: inputs, then history.
    fn assemble(&self, batch: &HistoryBatch) -> Result<RecordBatch, Failure> {
        let mut columns: Vec<ArrayRef> = batch.records.columns().to_vec();
        columns.extend(batch.history.iter().map(|list| Arc::new(list.clone()) as ArrayRef));
        RecordBatch::try_new(self.plugin.schema().clone(), columns).map_err(|error| Failure::new(&error))
    }

    fn expect(&self, records: usize) -> Result<(), Failure> {
        let expected = self.predictions.len();
        if records == expected {
            return Ok(());
        }
        Err(Failure::words(format!("expected {expected} records with their history, found {records}")))
    }
}

async fn open(database: &Path) -> Result<Store, Failure> {
    Store::open(database).await.map_err(|error| Failure::new(&error).hint(error.kind.hint()))
}
