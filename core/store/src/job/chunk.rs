//! What becomes of a chunk: done, or tried again, or failed.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{JobError, JobErrorKind, JobKind, WorkerId};
use crate::history::Portion;
use crate::members::Members;
use crate::open::{Durability, Store, begin, begin_bulk};
use crate::prediction::{NewPrediction, PredictionErrorKind, check_finite, explain, insert};
use crate::record::Reject;
use crate::time::now;

/// A part of a job that is done in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its number within the job, from 1, in the order of event times.
    pub number: i64,
    /// The run that its predictions stand under.
    pub run_id: i64,
    /// Its records.
    pub portion: Portion,
    /// Records of the domain from the first to the last: what a walk has to pass.
    pub span: u64,
    /// Whether records are to be predicted one by one, because an attempt ended its process.
    pub careful: bool,
    /// Records that ended a process. They are not tried again.
    pub poison: Vec<Poison>,
}

/// A record that ended the process in which it was predicted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// The record.
    pub record_id: i64,
    /// How the process ended.
    pub reason: String,
}

/// What made an attempt fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// One record did. It is set aside when the chunk is done; the attempt does not count.
    Record(Poison),
    /// It is not known. The next attempt goes record by record; after too many, the chunk has failed.
    Chunk {
        /// How the process ended.
        problem: String,
    },
    /// The process was killed from outside, perhaps for want of memory, while it was at this record. If that happens twice in a
    /// row at the same record, it is to blame.
    Killed(Poison),
}

pub(super) const COLUMNS: &str =
    "number, first_time, first_id, last_time, last_id, members, span, careful, poison";

impl Chunk {
    /// Reads [`COLUMNS`].
    pub(super) fn read(row: &SqliteRow, run_id: i64) -> Result<Self, JobErrorKind> {
        let number = row.try_get("number")?;
        let members = Members::from_bytes(row.try_get("members")?).ok_or(JobErrorKind::Damaged(number))?;
        Ok(Self {
            number,
            run_id,
            portion: Portion {
                first: (row.try_get("first_time")?, row.try_get("first_id")?),
                last: (row.try_get("last_time")?, row.try_get("last_id")?),
                members,
            },
            span: row.try_get::<i64, _>("span")?.cast_unsigned(),
            careful: row.try_get("careful")?,
            poison: read_poison(row, number)?,
        })
    }
}

fn read_poison(row: &SqliteRow, chunk: i64) -> Result<Vec<Poison>, JobErrorKind> {
    let text: Option<&str> = row.try_get("poison")?;
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(|_| JobErrorKind::Damaged(chunk)))
}

impl Store {
    /// Stores the predictions and rejects of a chunk, and with them that it is done; if it was the last one, so is the job.
    ///
    /// Returns `false`, and stores nothing, if the worker does not hold the chunk any more.
    pub async fn complete_chunk(
        &self,
        worker: &WorkerId,
        number: i64,
        predictions: &[NewPrediction],
        rejects: &[Reject],
    ) -> Result<bool, JobError> {
        self.try_complete_chunk(worker, number, predictions, rejects)
            .await
            .map_err(|kind| kind.when(format!("complete chunk {number} of job {}", worker.job)))
    }

    async fn try_complete_chunk(
        &self,
        worker: &WorkerId,
        number: i64,
        predictions: &[NewPrediction],
        rejects: &[Reject],
    ) -> Result<bool, JobErrorKind> {
        check_finite(predictions)?;
        let mut writer = self.writer().await;
        let mut transaction = begin_bulk(&mut writer).await?;
        let leased = sqlx::query(
            "UPDATE job_chunk SET state = 'done', problem = NULL, predicted = ?4, rejected = ?5, finished_at = ?6
             WHERE job_id = ?1 AND number = ?2 AND worker_id = ?3 AND state = 'leased'
             RETURNING records, (SELECT run_id FROM job WHERE id = ?1) AS run_id",
        )
        .bind(worker.job)
        .bind(number)
        .bind(worker.worker)
        .bind(predictions.len() as i64)
        .bind(rejects.len() as i64)
        .bind(now())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(leased) = leased else { return Ok(false) };
        let (expected, run_id): (i64, i64) = (leased.try_get("records")?, leased.try_get("run_id")?);
        let (expected, found) = (expected.cast_unsigned(), (predictions.len() + rejects.len()) as u64);
        if expected != found {
            return Err(JobErrorKind::Incomplete { chunk: number, expected, found });
        }
        if let Err(error) = insert(&mut transaction, run_id, predictions, rejects).await {
            transaction.rollback().await?;
            return Err(explain(&mut writer, error, run_id, predictions, rejects).await?.into());
        }
        let rejected = rejects.iter().filter_map(|reject| reject.record_id);
        let members = predictions.iter().map(|prediction| prediction.record_id).chain(rejected).collect();
        if let Some(record_id) = missing(&mut transaction, &members).await? {
            return Err(PredictionErrorKind::UnknownRecord(record_id).into());
        }
        settle(&mut transaction, worker.job).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives a chunk back that could not be done. Nothing happens if the worker does not hold it any more.
    pub async fn fail_chunk(&self, worker: &WorkerId, number: i64, blame: &Blame) -> Result<(), JobError> {
        self.try_fail_chunk(worker, number, blame)
            .await
            .map_err(|kind| kind.when(format!("give back chunk {number} of job {}", worker.job)))
    }

    async fn try_fail_chunk(
        &self,
        worker: &WorkerId,
        number: i64,
        blame: &Blame,
    ) -> Result<(), JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let leased = sqlx::query(
            "SELECT poison, suspect_id, attempts, attempts_max FROM job_chunk JOIN job ON job.id = job_id
             WHERE job_id = ? AND number = ? AND worker_id = ? AND job_chunk.state = 'leased'",
        )
        .bind(worker.job)
        .bind(number)
        .bind(worker.worker)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(leased) = leased else { return Ok(()) };
        let mut poison = read_poison(&leased, number)?;
        let (mut attempts, attempts_max): (i64, i64) =
            (leased.try_get("attempts")?, leased.try_get("attempts_max")?);
        let suspect: Option<i64> = leased.try_get("suspect_id")?;
        let problem = match blame {
            Blame::Record(record) => {
                poison.push(record.clone());
                &record.reason
            }
            Blame::Killed(record) if suspect == Some(record.record_id) => {
                poison.push(record.clone());
                &record.reason
            }
            Blame::Killed(Poison { reason: problem, .. }) | Blame::Chunk { problem } => {
                attempts += 1;
                problem
            }
        };
        let suspect = match blame {
            Blame::Killed(record) => Some(record.record_id),
            Blame::Record(_) | Blame::Chunk { .. } => None,
        };
        let poison = serde_json::to_string(&poison).expect("numbers and texts are JSON");
        sqlx::query(
            "UPDATE job_chunk SET state = ?3, worker_id = NULL, careful = 1, poison = ?4, attempts = ?5, problem = ?6,
                 suspect_id = ?7
             WHERE job_id = ?1 AND number = ?2",
        )
        .bind(worker.job)
        .bind(number)
        .bind(if attempts < attempts_max { "free" } else { "failed" })
        .bind(poison)
        .bind(attempts)
        .bind(problem)
        .bind(suspect)
        .execute(&mut *transaction)
        .await?;
        settle(&mut transaction, worker.job).await?;
        Ok(transaction.commit().await?)
    }
}

/// A record of these that the database does not have.
async fn missing(connection: &mut SqliteConnection, members: &Members) -> Result<Option<i64>, sqlx::Error> {
    let (Some(first), Some(last)) = (members.iter().next(), members.last()) else { return Ok(None) };
    // Records that were stored together have ids in a row: counting them is quicker than looking for each.
    if members.len() == last.abs_diff(first) + 1 {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM record WHERE id BETWEEN ? AND ?")
            .bind(first)
            .bind(last)
            .fetch_one(&mut *connection)
            .await?;
        if found.cast_unsigned() == members.len() {
            return Ok(None);
        }
    }
    sqlx::query_scalar(
        "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM record WHERE id = value) LIMIT 1",
    )
    .bind(serde_json::Value::from_iter(members.iter()).to_string())
    .fetch_optional(connection)
    .await
}

/// Ends a job of which no chunk is left to do: `done` if all are, `failed` if some failed. A fit is not done before its model is
/// there, see [`Store::complete_fit`].
pub(super) async fn settle(connection: &mut SqliteConnection, job: i64) -> Result<(), sqlx::Error> {
    let ended = sqlx::query(
        "UPDATE job SET finished_at = ?2, state =
             CASE WHEN EXISTS (SELECT 1 FROM job_chunk WHERE job_id = ?1 AND state = 'failed') THEN 'failed' ELSE 'done' END
         WHERE id = ?1 AND kind = ?3 AND state IN ('ready', 'paused')
             AND NOT EXISTS (SELECT 1 FROM job_chunk WHERE job_id = ?1 AND state IN ('free', 'leased'))",
    )
    .bind(job)
    .bind(now())
    .bind(JobKind::Score.as_str())
    .execute(&mut *connection)
    .await?;
    if ended.rows_affected() == 1 {
        sqlx::query(
            "UPDATE run SET finished_at = ?2
             WHERE id = (SELECT run_id FROM job WHERE id = ?1 AND state = 'done')",
        )
        .bind(job)
        .bind(now())
        .execute(connection)
        .await?;
    }
    Ok(())
}
