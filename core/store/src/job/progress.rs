//! Jobs as they are seen from outside, and what people do with them.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::chunk::settle;
use super::worker::state;
use super::{Identity, JobError, JobErrorKind, JobKind, JobState, WorkerId};
use crate::fault::{ReadContext, ReadError};
use crate::open::{Durability, Store, begin};
use crate::time::{Micros, now};

/// A job, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// What is done with the records.
    pub kind: JobKind,
    /// The domain of its records.
    pub domain: String,
    /// The plugin, `name@version`.
    pub plugin: String,
    /// The run that its predictions and rejects stand under.
    pub run_id: i64,
    /// Whether its predictions are only stored, for comparison.
    pub shadow: bool,
    /// Which records were asked for, as JSON.
    pub selection: String,
    /// Records of a chunk.
    pub chunk_records: i64,
    /// Microseconds that the plugin may take for one call.
    pub timeout: Micros,
    /// How often a chunk is tried.
    pub attempts_max: i64,
    /// What has become of it.
    pub state: JobState,
    /// Its records.
    pub records: u64,
    /// Those that are predicted, or learned.
    pub predicted: u64,
    /// Those that were set aside.
    pub rejected: u64,
    /// Its chunks.
    pub chunks: u64,
    /// Those that are done.
    pub chunks_done: u64,
    /// Those that a worker holds.
    pub chunks_leased: u64,
    /// Those that were given up after too many attempts.
    pub chunks_failed: u64,
    /// Microseconds in which records were read, by all workers together.
    pub read_time: Micros,
    /// Microseconds in which the plugin predicted or learned, in all workers together.
    pub predict_time: Micros,
    /// Microseconds in which predictions were written, by all workers together.
    pub write_time: Micros,
    /// When it was created.
    pub created_at: Micros,
    /// When the first worker began; of a fit, the last one, since what was learned before is gone.
    pub started_at: Option<Micros>,
    /// When the last chunk was done.
    pub last_chunk_at: Option<Micros>,
    /// When it came to an end.
    pub finished_at: Option<Micros>,
}

impl FromRow<'_, SqliteRow> for Job {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("job_id")?,
            kind: JobKind::read(row.try_get("kind")?)?,
            domain: row.try_get("domain")?,
            plugin: row.try_get("plugin")?,
            run_id: row.try_get("run_id")?,
            shadow: row.try_get("shadow")?,
            selection: row.try_get("selection")?,
            chunk_records: row.try_get("chunk_records")?,
            timeout: row.try_get("timeout")?,
            attempts_max: row.try_get("attempts_max")?,
            state: JobState::read(row.try_get("state")?)?,
            records: row.try_get("records")?,
            predicted: row.try_get("predicted")?,
            rejected: row.try_get("rejected")?,
            chunks: row.try_get("chunks")?,
            chunks_done: row.try_get("chunks_done")?,
            chunks_leased: row.try_get("chunks_leased")?,
            chunks_failed: row.try_get("chunks_failed")?,
            read_time: row.try_get("read_time")?,
            predict_time: row.try_get("predict_time")?,
            write_time: row.try_get("write_time")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            last_chunk_at: row.try_get("last_chunk_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

/// The view that people watch, and what a program wants besides.
const JOBS: &str =
    "SELECT job_progress.*, run.shadow, job.selection, job.chunk_records, job.timeout, job.attempts_max,
         coalesce(worker.read_time, 0) AS read_time, coalesce(worker.predict_time, 0) AS predict_time,
         coalesce(worker.write_time, 0) AS write_time, 
         CASE job.kind WHEN 'fit' THEN worker.last_started_at ELSE worker.started_at END AS started_at
     FROM job_progress JOIN job ON job.id = job_progress.job_id JOIN run ON run.id = job.run_id
     LEFT JOIN (SELECT job_id, sum(read_time) AS read_time, sum(predict_time) AS predict_time,
                    sum(write_time) AS write_time, min(started_at) AS started_at,
                    max(started_at) AS last_started_at
                FROM job_worker GROUP BY job_id) AS worker ON worker.job_id = job.id";

/// A worker that has not ended, as far as the database knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunningWorker {
    /// The worker.
    #[serde(skip)]
    pub id: WorkerId,
    /// Its process.
    #[serde(flatten)]
    pub identity: Identity,
    /// When it began.
    pub started_at: Micros,
    /// When it was last known to be alive.
    pub seen_at: Micros,
    /// The chunks that it holds.
    pub chunks: u64,
}

/// A chunk whose last attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct ChunkProblem {
    /// The number of the chunk.
    pub number: i64,
    /// Its records.
    pub records: u64,
    /// Attempts that failed, without those that one record is to blame for.
    pub attempts: i64,
    /// `free`, if it is tried again; `failed`, if not.
    pub state: String,
    /// Why the last attempt failed.
    pub problem: String,
}

impl Store {
    /// The job with this id, if there is one.
    pub async fn job(&self, id: i64) -> Result<Option<Job>, ReadError> {
        sqlx::query_as(AssertSqlSafe(format!("{JOBS} WHERE job_progress.job_id = ?")))
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .while_reading(|| format!("job {id}"))
    }

    /// What has become of a job, if there is one.
    pub async fn job_state(&self, id: i64) -> Result<Option<JobState>, ReadError> {
        let read = async {
            let row = sqlx::query("SELECT state FROM job WHERE id = ?")
                .bind(id)
                .fetch_optional(self.readers())
                .await?;
            row.map(|row| JobState::read(row.try_get(0)?)).transpose()
        };
        read.await.while_reading(|| format!("the state of job {id}"))
    }

    /// The latest jobs of a domain, or of all, at most `limit` of them.
    pub async fn jobs(&self, domain: Option<&str>, limit: u32) -> Result<Vec<Job>, ReadError> {
        sqlx::query_as(AssertSqlSafe(format!(
            "{JOBS} WHERE ?1 IS NULL OR job_progress.domain = ?1 ORDER BY job_progress.job_id DESC LIMIT ?2"
        )))
        .bind(domain)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| "the jobs".to_owned())
    }

    /// The workers of a job that have not ended.
    pub async fn running_workers(&self, job: i64) -> Result<Vec<RunningWorker>, ReadError> {
        let read = async {
            let rows = sqlx::query(
                "SELECT id, host, process_id, process_started, started_at, seen_at,
                     (SELECT count(*) FROM job_chunk
                      WHERE job_id = ?1 AND state = 'leased' AND worker_id = job_worker.id) AS chunks
                 FROM job_worker WHERE job_id = ?1 AND ended_at IS NULL ORDER BY id",
            )
            .bind(job)
            .fetch_all(self.readers())
            .await?;
            let worker = |row: &SqliteRow| {
                Ok(RunningWorker {
                    id: WorkerId { job, worker: row.try_get("id")? },
                    identity: Identity {
                        host: row.try_get("host")?,
                        process_id: row.try_get("process_id")?,
                        process_started: row.try_get::<i64, _>("process_started")?.cast_unsigned(),
                    },
                    started_at: row.try_get("started_at")?,
                    seen_at: row.try_get("seen_at")?,
                    chunks: row.try_get("chunks")?,
                })
            };
            rows.iter().map(worker).collect::<Result<_, sqlx::Error>>()
        };
        read.await.while_reading(|| format!("the workers of job {job}"))
    }

    /// The chunks of a job whose last attempt failed, at most `limit` of them.
    pub async fn chunk_problems(&self, job: i64, limit: u32) -> Result<Vec<ChunkProblem>, ReadError> {
        sqlx::query_as(
            "SELECT number, records, attempts, state, problem FROM job_chunk
             WHERE job_id = ? AND problem IS NOT NULL ORDER BY number LIMIT ?",
        )
        .bind(job)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("the chunks of job {job}"))
    }

    /// Lets a job rest: workers stop after what they are at, and give the rest back. A fit begins again afterwards.
    pub async fn pause_job(&self, job: i64) -> Result<(), JobError> {
        self.change_job(job, "pause", &[JobState::Ready], JobState::Paused).await
    }

    /// Gives a job up. What is predicted stays; the rest is never done.
    pub async fn cancel_job(&self, job: i64) -> Result<(), JobError> {
        let open = [JobState::Planning, JobState::Ready, JobState::Paused, JobState::Failed];
        self.change_job(job, "cancel", &open, JobState::Cancelled).await
    }

    /// Makes a job ready that was paused or has failed; chunks that failed are tried again. One that is ready stays so.
    pub async fn resume_job(&self, job: i64) -> Result<(), JobError> {
        let waiting = [JobState::Ready, JobState::Paused, JobState::Failed];
        self.change_job(job, "resume", &waiting, JobState::Ready).await
    }

    async fn change_job(
        &self,
        job: i64,
        action: &str,
        from: &[JobState],
        to: JobState,
    ) -> Result<(), JobError> {
        let change = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let state = state(&mut transaction, job).await?;
            if !from.contains(&state) {
                return Err(JobErrorKind::State { state });
            }
            sqlx::query("UPDATE job SET state = ?2, finished_at = ?3 WHERE id = ?1")
                .bind(job)
                .bind(to.as_str())
                .bind(to.is_final().then(now))
                .execute(&mut *transaction)
                .await?;
            if to == JobState::Ready {
                sqlx::query(
                    "UPDATE job_chunk SET state = 'free', attempts = 0, worker_id = NULL
                     WHERE job_id = ?1 AND (state = 'failed' OR state = 'leased' AND worker_id IN
                         (SELECT id FROM job_worker WHERE job_id = ?1 AND ended_at IS NOT NULL))",
                )
                .bind(job)
                .execute(&mut *transaction)
                .await?;
                settle(&mut transaction, job).await?;
            }
            Ok(transaction.commit().await?)
        };
        change.await.map_err(|kind| kind.when(format!("{action} job {job}")))
    }
}
