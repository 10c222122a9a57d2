//! Predictions: what a run said about a record, at most once.
//!
//! ```
//! # use foretell_store::lineage::{NewRun, PluginVersion};
//! # use foretell_store::open::Store;
//! # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
//! use foretell_store::prediction::{NewPrediction, PredictionErrorKind, PredictionFilter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec![], source).await?;
//! # let order = NewRecord { external_id: None, event_time: 0, payload: "{}".into(), keys: vec![], labels: vec![], media: vec![] };
//! # let record_id = appender.append(vec![order]).await?[0].record_id();
//! # let plugin = PluginVersion { name: "returns".into(), version: "1.0.0".into(), domain: "shop".into(),
//! #     task: "binary-classification".into(), library_hash: "a".into(), manifest_hash: "b".into(), manifest: "".into() };
//! # let plugin_version_id = store.plugin_version(&plugin).await?;
//! # let run = NewRun { plugin_version_id, model_ids: vec![], config: "{}".into(), onnxruntime: "1.32.0".into(),
//! #     threads: 1, program: "docs".into(), author: "me".into(), selection: "{}".into(),
//! #     shadow: false };
//! # let run_id = store.begin_run(&run).await?;
//! let prediction = NewPrediction { record_id, score: Some(0.25), label: Some("keep".into()), output: None };
//! store.write_predictions(run_id, &[prediction.clone()], &[]).await?;
//!
//! let again = store.write_predictions(run_id, &[prediction], &[]).await.unwrap_err();
//! assert!(matches!(again.kind, PredictionErrorKind::AlreadyPredicted(id) if id == record_id));
//!
//! let stored = store.predictions(PredictionFilter::run(run_id), 10).await?;
//! assert_eq!(stored[0].score, Some(0.25));
//! # Ok(())
//! # }
//! ```
//!
//! **Pitfall:** predictions are durable like work that can be done again: a crash of the program loses nothing, but a
//! power cut may lose the last batches. A resumed run finds them missing and scores them.

mod answered;
mod paired;
mod scored;
mod summary;

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

pub use self::answered::{Answered, AnsweredFilter, Unanswered};
pub use self::paired::{CLASSES_MAX, Paired, PairedError, PairedErrorKind, PairedFilter};
pub(crate) use self::scored::numbers;
pub use self::scored::{RunSelection, Scored, ScoredError, ScoredErrorKind, ScoredFilter};
pub use self::summary::{DecisionSummary, TopPrediction};
use crate::fault::{Fault, ReadContext, ReadError};
use crate::label::{is_foreign_key_violation, unknown_record};
use crate::open::{Durability, Store, begin};
use crate::record::{Reject, RejectOrigin, insert_rejects};
use crate::rows::Insert;

const INSERT_PREDICTION: Insert = Insert {
    into: "INSERT INTO prediction (run_id, record_id, score, label, output)",
    row: "(@1, ?, ?, ?, ?)",
    then: "",
};

/// A prediction to be stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewPrediction {
    /// The record.
    pub record_id: i64,
    /// The number that the task defines, for example the probability of the positive class. Finite.
    pub score: Option<f64>,
    /// The class that was decided on.
    pub label: Option<String>,
    /// JSON: what the score and the label do not say.
    pub output: Option<String>,
}

/// A prediction, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Prediction {
    /// The run.
    pub run_id: i64,
    /// The record.
    pub record_id: i64,
    /// The number that the task defines.
    pub score: Option<f64>,
    /// The class that was decided on.
    pub label: Option<String>,
    /// JSON: what the score and the label do not say.
    pub output: Option<String>,
}

/// Which predictions to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PredictionFilter {
    /// Those of a run, by record id.
    Run {
        /// The run.
        run_id: i64,
        /// Only those for records with a greater id: the last one of the page before.
        after: Option<i64>,
    },
    /// Those for a record, by run id: the latest comes last.
    Record(i64),
}

impl PredictionFilter {
    /// The predictions of a run, from the first on.
    pub fn run(run_id: i64) -> Self {
        Self::Run { run_id, after: None }
    }
}

/// Predictions that could not be stored. None of the batch was, nor were its rejects.
#[derive(Debug, thiserror::Error)]
#[error("cannot store predictions of run {run_id}")]
pub struct PredictionError {
    /// The run.
    pub run_id: i64,
    /// Why.
    #[source]
    pub kind: PredictionErrorKind,
}

/// Why predictions could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionErrorKind {
    /// The run has a prediction for this record already, or the batch has two.
    #[error("record {0} was scored by this run before")]
    AlreadyPredicted(i64),
    /// There is no such record.
    #[error("there is no record {0}")]
    UnknownRecord(i64),
    /// There is no such run.
    #[error("there is no such run")]
    UnknownRun,
    /// The score is NaN or infinite.
    #[error("the score of record {0} is not a finite number")]
    NotFinite(i64),
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl PredictionErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            Self::AlreadyPredicted(_) => Some("begin a new run to score records again"),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for PredictionErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Stores predictions of a run and the records that it could not score, all or nothing.
    ///
    /// A batch in the order of record ids is written fastest. `rejects` are kept with the run: see
    /// [`Store::rejects`].
    pub async fn write_predictions(
        &self,
        run_id: i64,
        predictions: &[NewPrediction],
        rejects: &[Reject],
    ) -> Result<(), PredictionError> {
        self.try_write_predictions(run_id, predictions, rejects)
            .await
            .map_err(|kind| PredictionError { run_id, kind })
    }

    async fn try_write_predictions(
        &self,
        run_id: i64,
        predictions: &[NewPrediction],
        rejects: &[Reject],
    ) -> Result<(), PredictionErrorKind> {
        check_finite(predictions)?;
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Normal).await?;
        if let Err(error) = insert(&mut transaction, run_id, predictions, rejects).await {
            transaction.rollback().await?;
            return Err(explain(&mut writer, error, run_id, predictions, rejects).await?);
        }
        Ok(transaction.commit().await?)
    }

    /// Predictions in the order that the filter gives; at most `limit` of them.
    pub async fn predictions(
        &self,
        filter: PredictionFilter,
        limit: u32,
    ) -> Result<Vec<Prediction>, ReadError> {
        let query = match filter {
            PredictionFilter::Run { run_id, after } => sqlx::query_as(
                "SELECT * FROM prediction WHERE run_id = ? AND record_id > ? ORDER BY record_id LIMIT ?",
            )
            .bind(run_id)
            .bind(after.unwrap_or(i64::MIN)),
            PredictionFilter::Record(record_id) => {
                sqlx::query_as("SELECT * FROM prediction WHERE record_id = ? ORDER BY run_id LIMIT ?")
                    .bind(record_id)
            }
        };
        query.bind(limit).fetch_all(self.readers()).await.while_reading(|| match filter {
            PredictionFilter::Run { run_id, .. } => format!("the predictions of run {run_id}"),
            PredictionFilter::Record(record_id) => format!("the predictions for record {record_id}"),
        })
    }

    /// How many predictions a run has.
    pub async fn count_predictions(&self, run_id: i64) -> Result<u64, ReadError> {
        sqlx::query_scalar("SELECT count(*) FROM prediction WHERE run_id = ?")
            .bind(run_id)
            .fetch_one(self.readers())
            .await
            .while_reading(|| format!("the number of predictions of run {run_id}"))
    }
}

/// SQLite would keep a NaN as no score at all.
pub(crate) fn check_finite(predictions: &[NewPrediction]) -> Result<(), PredictionErrorKind> {
    let infinite = |prediction: &&NewPrediction| prediction.score.is_some_and(|score| !score.is_finite());
    match predictions.iter().find(infinite) {
        Some(prediction) => Err(PredictionErrorKind::NotFinite(prediction.record_id)),
        None => Ok(()),
    }
}

/// Writes predictions that [`check_finite`] allows, and rejects. What an error means, [`explain`] says.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    run_id: i64,
    predictions: &[NewPrediction],
    rejects: &[Reject],
) -> Result<(), sqlx::Error> {
    INSERT_PREDICTION
        .write(
            connection,
            predictions,
            |query, prediction| {
                query
                    .bind(prediction.record_id)
                    .bind(prediction.score)
                    .bind(prediction.label.as_deref())
                    .bind(prediction.output.as_deref())
            },
            |query| query.bind(run_id),
        )
        .await?;
    insert_rejects(connection, RejectOrigin::Run(run_id), rejects).await
}

/// SQLite says only what kind of constraint failed: find the record that broke it.
///
/// **Pitfall:** the transaction must have been undone, or its own rows are taken for earlier ones.
pub(crate) async fn explain(
    connection: &mut SqliteConnection,
    error: sqlx::Error,
    run_id: i64,
    predictions: &[NewPrediction],
    rejects: &[Reject],
) -> Result<PredictionErrorKind, sqlx::Error> {
    let predicted = predictions.iter().map(|prediction| prediction.record_id);
    let unique = error.as_database_error().is_some_and(|error| error.is_unique_violation());
    if unique
        && let Some(record_id) = repeated_record(connection, run_id, predicted.clone().collect()).await?
    {
        return Ok(PredictionErrorKind::AlreadyPredicted(record_id));
    }
    if is_foreign_key_violation(&error) {
        let rejected = rejects.iter().filter_map(|reject| reject.record_id);
        let unknown = unknown_record(connection, predicted.chain(rejected)).await?;
        return Ok(unknown.map_or(PredictionErrorKind::UnknownRun, PredictionErrorKind::UnknownRecord));
    }
    Ok(error.into())
}

/// The first record that the batch has twice, or that the run scored before.
async fn repeated_record(
    connection: &mut SqliteConnection,
    run_id: i64,
    mut record_ids: Vec<i64>,
) -> Result<Option<i64>, sqlx::Error> {
    record_ids.sort_unstable();
    if let Some(pair) = record_ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Ok(Some(pair[0]));
    }
    sqlx::query_scalar(
        "SELECT record_id FROM prediction
         WHERE run_id = ? AND record_id IN (SELECT value FROM json_each(?)) ORDER BY record_id LIMIT 1",
    )
    .bind(run_id)
    .bind(serde_json::Value::from_iter(record_ids).to_string())
    .fetch_optional(connection)
    .await
}
