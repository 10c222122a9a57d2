//! From records with their past to predictions and rejects.

use arrow_schema::{ArrowError, SchemaRef};
use foretell_runtime::plugin::{Plugin, PredictError, PredictErrorKind};
use foretell_store::blob::BlobError;
use foretell_store::fault::ReadError;
use foretell_store::history::{HistoryError, HistorySpec, Watermarks, lookup};
use foretell_store::job::{JobError, Poison};
use foretell_store::lineage::LineageError;
use foretell_store::open::Store;
use foretell_store::prediction::{NewPrediction, PredictionError};
use foretell_store::record::Reject;
use foretell_store::selection::SelectionError;
use thiserror::Error;

use crate::batch::{Assembler, Batch, Pictures};
use crate::columns::{InputError, history_specs, inputs};
use crate::isolate::{Answer, Lost, predict};
use crate::outcome::Predicted;
use crate::supervise::{LOST_HINT, LOST_MAX};

/// Why records could not be scored. What was committed before stays.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The plugin asks for what stored records don't have.
    #[error(transparent)]
    Input(#[from] InputError),
    /// History could not be made.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store's media could not be read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// What predicts could not be written down.
    #[error(transparent)]
    Lineage(#[from] LineageError),
    /// Something could not be done with the job.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Records could not be selected.
    #[error(transparent)]
    Select(#[from] SelectionError),
    /// Predictions could not be written.
    #[error(transparent)]
    Write(#[from] PredictionError),
    /// No record can be predicted.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// It does not seem to be the records: an isolated plugin predicts none of them.
    #[error("{LOST_MAX} records in a row could not be predicted; of the last one: {reason}")]
    Lost {
        /// What was the matter with the last one.
        reason: String,
    },
    /// The store's columns are not those of the manifest.
    #[error("the store's columns are not those of the manifest")]
    Columns(#[from] ArrowError),
    /// A thread of the work ended before the work did.
    #[error("the {0} thread stopped before the end; this is a defect of foretell, please report it")]
    Stopped(&'static str),
}

impl ScoreError {
    /// Whether a plugin stopped because it was asked to.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Predict(PredictError { kind: PredictErrorKind::Cancelled, .. }))
    }

    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::History(error) => error.kind.hint(),
            Self::Read(error) => error.hint(),
            Self::Blob(error) => error.kind.hint(),
            Self::Lineage(error) => error.kind.hint(),
            Self::Job(error) => error.kind.hint(),
            Self::Select(error) => error.kind.hint(),
            Self::Write(error) => error.kind.hint(),
            Self::Lost { .. } => Some(LOST_HINT),
            _ => None,
        }
    }
}

/// Looks records up for a run of a plugin, lot by lot.
pub(crate) struct Recall {
    store: Store,
    domain: String,
    inputs: SchemaRef,
    specs: Vec<HistorySpec>,
    /// One for all lots: a video is gone through once.
    assembler: Assembler,
}

impl Recall {
    /// Fails if the plugin asks for what stored records don't have.
    pub(crate) fn new(store: &Store, plugin: &Plugin) -> Result<Self, InputError> {
        let manifest = plugin.manifest();
        Ok(Self {
            store: store.clone(),
            domain: manifest.plugin.domain.clone(),
            inputs: inputs(manifest),
            specs: history_specs(manifest)?,
            assembler: Assembler::new(store, manifest, plugin.schema()),
        })
    }

    /// The records of `ids`, as the plugin takes them, with the past that they had under `watermarks`, and with the first images
    /// that are at hand.
    pub(crate) async fn records(
        &self,
        ids: &[i64],
        watermarks: Watermarks,
        pictures: &Pictures,
    ) -> Result<Batch, ScoreError> {
        let Self { store, domain, inputs, specs, assembler } = self;
        let batch = lookup(store, domain, inputs, specs, ids, Some(watermarks)).await?;
        assembler.assemble_shown(batch, pictures).await
    }
}

/// What came out for some records.
#[derive(Debug, Default)]
pub(crate) struct Scored {
    pub(crate) predictions: Vec<NewPrediction>,
    pub(crate) rejects: Vec<Reject>,
}

impl Scored {
    /// Predicts a batch; records that don't fit the plugin's inputs are already set aside in it.
    pub(crate) fn add_batch(
        &mut self,
        plugin: &Plugin,
        batch: &Batch,
        lost: &mut Lost,
    ) -> Result<(), ScoreError> {
        self.rejects.extend_from_slice(&batch.rejects);
        let answers = predict(plugin, &batch.records, &batch.originals, lost)?;
        for (&record_id, answer) in batch.ids.iter().zip(answers) {
            self.add(record_id, answer);
        }
        Ok(())
    }

    /// Predicts a batch record by record, without those that are poison; `next` hears of each before its turn.
    pub(crate) fn add_records(
        &mut self,
        plugin: &Plugin,
        batch: &Batch,
        poison: &[Poison],
        lost: &mut Lost,
        next: impl Fn(i64),
    ) -> Result<(), ScoreError> {
        self.rejects.extend_from_slice(&batch.rejects);
        for (row, &record_id) in batch.ids.iter().enumerate() {
            if let Some(poison) = poison.iter().find(|poison| poison.record_id == record_id) {
                self.add(record_id, Answer::Refused { field: None, reason: poison.reason.clone() });
                continue;
            }
            next(record_id);
            let original = batch.originals.get(row..=row).unwrap_or_default();
            for answer in predict(plugin, &batch.records.slice(row, 1), original, lost)? {
                self.add(record_id, answer);
            }
        }
        Ok(())
    }

    fn add(&mut self, record_id: i64, answer: Answer) {
        match answer {
            Answer::Predicted(Predicted { score, label, output }) => {
                self.predictions.push(NewPrediction { record_id, score, label, output });
            }
            Answer::Refused { field, reason } => {
                self.rejects.push(Reject { record_id: Some(record_id), field, reason, ..Reject::default() });
            }
        }
    }
}
