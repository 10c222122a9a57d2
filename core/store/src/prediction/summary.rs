//! What a run said, at a glance.

use serde::Serialize;
use sqlx::FromRow;

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::time::Micros;

/// The records on which a run decided the same.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct DecisionSummary {
    /// The class.
    pub label: Option<String>,
    /// How many records.
    pub records: u64,
    /// Their lowest score.
    pub lowest: Option<f64>,
    /// The mean of their scores.
    pub mean: Option<f64>,
    /// Their highest score.
    pub highest: Option<f64>,
}

/// A prediction with a high score, and its record.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct TopPrediction {
    /// The record.
    pub record_id: i64,
    /// The name that the user's own system gives it.
    pub external_id: Option<String>,
    /// When it happened.
    #[serde(skip)]
    pub event_time: Micros,
    /// The score.
    pub score: f64,
    /// The class that was decided on.
    pub label: Option<String>,
}

impl Store {
    /// What a run decided how often, most records first, at most `limit` decisions: a ranking decides on as many as there are
    /// items.
    pub async fn decisions(&self, run_id: i64, limit: u32) -> Result<Vec<DecisionSummary>, ReadError> {
        sqlx::query_as(
            "SELECT label, count(*) AS records, min(score) AS lowest, avg(score) AS mean, max(score) AS highest
             FROM prediction WHERE run_id = ? GROUP BY label ORDER BY records DESC, label
             LIMIT ?",
        )
        .bind(run_id)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("the decisions of run {run_id}"))
    }

    /// The predictions of a run with the highest scores, at most `limit` of them; of equal ones, the earlier record first.
    pub async fn highest_scores(&self, run_id: i64, limit: u32) -> Result<Vec<TopPrediction>, ReadError> {
        sqlx::query_as(
            "SELECT record_id, external_id, event_time, score, label
             FROM (SELECT * FROM prediction WHERE run_id = ?1 AND score IS NOT NULL
                   ORDER BY score DESC, record_id LIMIT ?2) AS top
             JOIN record ON record.id = record_id
             ORDER BY score DESC, record_id",
        )
        .bind(run_id)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("the highest scores of run {run_id}"))
    }
}
