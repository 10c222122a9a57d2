//! Predictions with everything that they say, beside what turned out to be true: for classes, boxes and masks, where a score
//! alone is not the answer.

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Row, ValueRef};

use super::scored::{latest_run, selected_runs};
use super::{RunSelection, ScoredError};
use crate::members::Members;
use crate::open::Store;
use crate::record::LabelValue;

/// Which answers to read.
#[derive(Clone, Debug, PartialEq)]
pub struct AnsweredFilter {
    /// The domain.
    pub domain: String,
    /// Whose predictions.
    pub runs: RunSelection,
    /// Of which records.
    pub records: Members,
    /// The name of the label to read beside them.
    pub label: String,
}

/// What was predicted of a record, and what turned out to be true.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The record.
    pub record_id: i64,
    /// The run of the prediction.
    pub run_id: i64,
    /// The number that the task defines.
    pub score: Option<f64>,
    /// The class that was decided on.
    pub decision: Option<String>,
    /// JSON: what the score and the decision do not say.
    pub output: Option<String>,
    /// The label that holds; `None` where nothing is known.
    pub label: Option<LabelValue>,
}

/// Why a record has no prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The record.
    pub record_id: i64,
    /// The run that set it aside.
    pub run_id: i64,
    /// The field at fault, if one is.
    pub field: Option<String>,
    /// What was expected and what was found.
    pub reason: String,
}

impl Store {
    /// What was predicted of some records, in the order of their ids. Records without a prediction are left out.
    ///
    /// All of it ends up in memory, and outputs may be large: ask for a few hundred records at a time where they are.
    ///
    /// # Errors
    /// [`ScoredError`]: no run is selected, or the database cannot be read.
    pub async fn answered(&self, filter: &AnsweredFilter) -> Result<Vec<Answered>, ScoredError> {
        let read = async {
            let runs = selected_runs(self.readers(), &filter.domain, &filter.runs).await?;
            let sql = format!(
                "SELECT record.id AS record_id, prediction.run_id AS run_id, score, prediction.label AS decision, output,
                     (SELECT value FROM label WHERE record_id = record.id AND name = ?3
                      ORDER BY known_at DESC, id DESC LIMIT 1) AS truth
                 FROM json_each(?2) AS stretch
                 CROSS JOIN record NOT INDEXED ON record.id BETWEEN stretch.value ->> 0 AND stretch.value ->> 1
                 CROSS JOIN prediction ON prediction.run_id = {run} AND prediction.record_id = record.id
                 WHERE domain = ?1 ORDER BY record.id",
                run = latest_run(&runs)
            );
            let stretches: Vec<(i64, i64)> = filter.records.stretches().collect();
            let stretches = serde_json::to_string(&stretches).expect("numbers are JSON");
            let mut rows = sqlx::query(AssertSqlSafe(sql))
                .bind(&filter.domain)
                .bind(stretches)
                .bind(&filter.label)
                .fetch(self.readers());
            let mut answered = Vec::new();
            while let Some(row) = rows.try_next().await? {
                let is_known = !row.try_get_raw("truth")?.is_null();
                answered.push(Answered {
                    record_id: row.try_get("record_id")?,
                    run_id: row.try_get("run_id")?,
                    score: row.try_get("score")?,
                    decision: row.try_get("decision")?,
                    output: row.try_get("output")?,
                    label: is_known.then(|| LabelValue::read(&row, "truth")).transpose()?,
                });
            }
            Ok(answered)
        };
        read.await.map_err(|kind| ScoredError { domain: filter.domain.clone(), kind })
    }

    /// Which of these records were set aside by the runs that are meant, in the order of their ids; of several times, the
    /// latest.
    ///
    /// # Errors
    /// As [`Store::answered`].
    pub async fn unanswered(&self, filter: &AnsweredFilter) -> Result<Vec<Unanswered>, ScoredError> {
        let read = async {
            let runs = selected_runs(self.readers(), &filter.domain, &filter.runs).await?;
            let stretches: Vec<(i64, i64)> = filter.records.stretches().collect();
            let rows = sqlx::query(
                "SELECT record_id, run_id, field, reason, max(rejected_record.id)
                 FROM json_each(?1) AS stretch
                 CROSS JOIN rejected_record ON run_id IN (SELECT value FROM json_each(?2))
                     AND record_id BETWEEN stretch.value ->> 0 AND stretch.value ->> 1
                 GROUP BY record_id ORDER BY record_id",
            )
            .bind(serde_json::to_string(&stretches).expect("numbers are JSON"))
            .bind(serde_json::Value::from(runs).to_string())
            .fetch_all(self.readers())
            .await?;
            let unanswered = rows.iter().map(|row| {
                Ok(Unanswered {
                    record_id: row.try_get("record_id")?,
                    run_id: row.try_get("run_id")?,
                    field: row.try_get("field")?,
                    reason: row.try_get("reason")?,
                })
            });
            Ok(unanswered.collect::<Result<_, sqlx::Error>>()?)
        };
        read.await.map_err(|kind| ScoredError { domain: filter.domain.clone(), kind })
    }
}
