//! Processes that work on jobs.

use std::time::Duration;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::{JobError, JobErrorKind, JobState, LOSSES_MAX};
use crate::open::{Durability, Store, begin};
use crate::time::{Micros, now};

/// Which process it is. A process id alone would not do: the system uses it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The machine.
    pub host: String,
    /// The id of the process on that machine.
    pub process_id: u32,
    /// When the process began, in seconds since 1970.
    pub process_started: u64,
}

/// A worker that was entered, and its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerId {
    /// The job.
    pub job: i64,
    /// The worker.
    pub worker: i64,
}

/// Where the time of a worker went. Stages overlap, so they add up to more than the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Reading, decoding and history.
    pub read: Duration,
    /// The plugin.
    pub predict: Duration,
    /// Writing predictions and rejects.
    pub write: Duration,
}

pub(super) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

impl Store {
    /// Enters this process as a worker of a job.
    pub async fn enter_worker(&self, job: i64, identity: &Identity) -> Result<WorkerId, JobError> {
        let enter = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Normal).await?;
            state(&mut transaction, job).await?;
            let worker = insert_worker(&mut transaction, job, identity).await?;
            transaction.commit().await?;
            Ok(WorkerId { job, worker })
        };
        enter.await.map_err(|kind: JobErrorKind| kind.when(format!("work on job {job}")))
    }

    /// Says that a worker is alive, and where its time went since the last heartbeat. Returns whether others take it for alive,
    /// too.
    pub async fn heartbeat(&self, worker: &WorkerId, times: StageTimes) -> Result<bool, JobError> {
        let told = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Normal).await?;
            let alive = beat(&mut transaction, worker, times).await?;
            transaction.commit().await?;
            Ok(alive)
        };
        told.await.map_err(|kind: JobErrorKind| kind.when(format!("work on job {}", worker.job)))
    }

    /// Ends a worker that has come to its end in good order: what it still holds is free again.
    pub async fn end_worker(&self, worker: &WorkerId) -> Result<(), JobError> {
        self.release(worker, Held::GivenBack).await
    }

    /// Ends a worker that is known to be dead, or is taken for dead: what it held is free again, but after [`LOSSES_MAX`] such
    /// ends a chunk is done with care.
    pub async fn bury_worker(&self, worker: &WorkerId) -> Result<(), JobError> {
        self.release(worker, Held::Lost).await
    }

    async fn release(&self, worker: &WorkerId, held: Held) -> Result<(), JobError> {
        let end = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Normal).await?;
            end_worker(&mut transaction, worker.worker, held).await?;
            Ok(transaction.commit().await?)
        };
        end.await.map_err(|kind: JobErrorKind| kind.when(format!("end a worker of job {}", worker.job)))
    }
}

pub(super) async fn insert_worker(
    connection: &mut SqliteConnection,
    job: i64,
    identity: &Identity,
) -> Result<i64, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO job_worker (job_id, host, process_id, process_started, started_at, seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )
    .bind(job)
    .bind(&identity.host)
    .bind(identity.process_id)
    .bind(identity.process_started.cast_signed())
    .bind(now())
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// Notes that a worker is alive, and where its time went since the last time; `false` if it was taken for dead.
pub(super) async fn beat(
    connection: &mut SqliteConnection,
    worker: &WorkerId,
    times: StageTimes,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE job_worker SET seen_at = ?2, read_time = read_time + ?3, predict_time = predict_time + ?4,
             write_time = write_time + ?5
         WHERE id = ?1 AND ended_at IS NULL",
    )
    .bind(worker.worker)
    .bind(now())
    .bind(micros(times.read))
    .bind(micros(times.predict))
    .bind(micros(times.write))
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// What becomes of the chunks of a worker that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It gives them back.
    GivenBack,
    /// It is gone, perhaps because of one of them.
    Lost,
}

pub(super) async fn end_worker(
    connection: &mut SqliteConnection,
    worker: i64,
    held: Held,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE job_worker SET ended_at = ? WHERE id = ? AND ended_at IS NULL")
        .bind(now())
        .bind(worker)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE job_chunk SET state = 'free', worker_id = NULL, losses = losses + ?2, careful = careful OR losses + ?2 >= ?3
         WHERE job_id = (SELECT job_id FROM job_worker WHERE id = ?1) AND state = 'leased' AND worker_id = ?1",
    )
    .bind(worker)
    .bind(held == Held::Lost)
    .bind(LOSSES_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

/// The state of a job.
pub(super) async fn state(connection: &mut SqliteConnection, job: i64) -> Result<JobState, JobErrorKind> {
    let row = sqlx::query("SELECT state FROM job WHERE id = ?").bind(job).fetch_optional(connection).await?;
    let row = row.ok_or(JobErrorKind::UnknownJob(job))?;
    Ok(JobState::read(row.try_get(0)?)?)
}
