//! Learning from records, in one process, from the first chunk to the last.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::chunk::{COLUMNS, Chunk};
use super::plan::end_all;
use super::worker::{StageTimes, beat, insert_worker, state};
use super::{Identity, JobError, JobErrorKind, JobState, LEASE_MICROS, NewJob, Planned, WorkerId};
use crate::lineage::{Model, PluginVersion, find_or_insert_model, find_or_insert_plugin};
use crate::open::{Durability, Store, begin};
use crate::record::{Reject, RejectOrigin, insert_rejects};
use crate::time::{Micros, format_time, now};

/// What a fit is asked for, beside its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFit {
    /// The plugin that the model is made for, as it was installed, without what it learns: see [`Store::plugin_version`].
    pub base_plugin_version_id: i64,
    /// Where everything random begins.
    pub seed: u64,
    /// The job of the fit that it goes on from; it learns what was stored after that one. `None`: it learns everything.
    pub update_of: Option<i64>,
    /// The labels that records are learned with.
    pub labels: Vec<String>,
    /// Why it learns everything although an update was asked for.
    pub anew: Option<String>,
}

/// What came of planning a fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedFit {
    /// A new job.
    New(i64),
    /// It cannot go on from the fit of [`NewFit::update_of`], for the reason given here: learning everything anew would come to
    /// something else.
    Late(String),
    /// No record is selected, so there is no job.
    Nothing,
}

/// What there is to do for a fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FitTask {
    /// Where everything random begins.
    pub seed: u64,
    /// Whether it goes on from another fit.
    pub update: bool,
    /// What it was about to install when it was interrupted, if it came so far.
    pub version: Option<String>,
}

/// What a fit has come to.
#[derive(Clone, Copy, Debug)]
pub struct Learned<'l> {
    /// The plugin version that was installed.
    pub plugin: &'l PluginVersion,
    /// The files that the fit wrote.
    pub models: &'l [Model],
    /// Event time of the first record that was learned; `None` if none was.
    pub first_time: Option<Micros>,
    /// Event time of the last one.
    pub last_time: Option<Micros>,
}

impl Store {
    /// Fixes the records of a fit, and stores it ready to be done: as [`plan_job`](Self::plan_job) does for predictions.
    pub async fn plan_fit(
        &self,
        new: &NewJob,
        fit: &NewFit,
        planner: &Identity,
        progress: impl FnMut(u64),
    ) -> Result<PlannedFit, JobError> {
        let plan = async {
            let planner = match self.begin_planning_fit(new, fit, planner).await? {
                Ok(planner) => planner,
                Err(late) => return Ok(PlannedFit::Late(late)),
            };
            Ok(match self.plan_begun(&planner, progress).await? {
                Planned::New(job) | Planned::Unfinished(job) => PlannedFit::New(job),
                Planned::Nothing => PlannedFit::Nothing,
            })
        };
        plan.await.map_err(|kind: JobErrorKind| kind.when("plan a fit"))
    }

    /// Enters this process as the one that does a fit, from the first chunk on: what another one has learned is gone with it.
    pub async fn begin_fit(&self, job: i64, identity: &Identity) -> Result<WorkerId, JobError> {
        let begin = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Normal).await?;
            match state(&mut transaction, job).await? {
                JobState::Ready => (),
                state => return Err(JobErrorKind::State { state }),
            }
            let is_at_work: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM job_worker WHERE job_id = ? AND ended_at IS NULL AND seen_at > ?)",
            )
            .bind(job)
            .bind(now() - LEASE_MICROS)
            .fetch_one(&mut *transaction)
            .await?;
            if is_at_work {
                return Err(JobErrorKind::AtWork);
            }
            end_all(&mut transaction, job).await?;
            for statement in [
                "UPDATE job_chunk SET state = 'free', worker_id = NULL, predicted = 0, rejected = 0, finished_at = NULL
                 WHERE job_id = ?",
                "DELETE FROM rejected_record WHERE run_id = (SELECT run_id FROM job WHERE id = ?)",
            ] {
                sqlx::query(statement).bind(job).execute(&mut *transaction).await?;
            }
            let worker = insert_worker(&mut transaction, job, identity).await?;
            transaction.commit().await?;
            Ok(WorkerId { job, worker })
        };
        begin.await.map_err(|kind| kind.when(format!("do the fit of job {job}")))
    }

    /// A chunk of a job, if it has one of this number.
    pub async fn job_chunk(&self, job: i64, number: i64) -> Result<Option<Chunk>, JobError> {
        let read = async {
            let row = sqlx::query(AssertSqlSafe(format!(
                "SELECT {COLUMNS}, (SELECT run_id FROM job WHERE id = ?1) AS run_id FROM job_chunk
                 WHERE job_id = ?1 AND number = ?2"
            )))
            .bind(job)
            .bind(number)
            .fetch_optional(self.readers())
            .await?;
            row.map(|row| Chunk::read(&row, row.try_get("run_id")?)).transpose()
        };
        read.await.map_err(|kind: JobErrorKind| kind.when(format!("read chunk {number} of job {job}")))
    }

    /// Notes that `learned` records of a chunk were learned, and the others set aside.
    ///
    /// Returns `false`, and stores nothing, if the fit is not to go on: it was paused or cancelled, or its process was taken for
    /// dead.
    pub async fn note_learned(
        &self,
        worker: &WorkerId,
        number: i64,
        learned: u64,
        rejects: &[Reject],
    ) -> Result<bool, JobError> {
        let note = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Normal).await?;
            if !is_wanted(&mut transaction, worker).await? {
                return Ok(false);
            }
            let row = sqlx::query(
                "UPDATE job_chunk SET state = 'done', worker_id = ?3, predicted = ?4, rejected = ?5, finished_at = ?6
                 WHERE job_id = ?1 AND number = ?2
                 RETURNING records, (SELECT run_id FROM job WHERE id = ?1) AS run_id",
            )
            .bind(worker.job)
            .bind(number)
            .bind(worker.worker)
            .bind(learned.cast_signed())
            .bind(rejects.len() as i64)
            .bind(now())
            .fetch_one(&mut *transaction)
            .await?;
            let (expected, found) =
                (row.try_get::<i64, _>("records")?.cast_unsigned(), learned + rejects.len() as u64);
            let run_id = row.try_get("run_id")?;
            drop(row);
            if expected != found {
                return Err(JobErrorKind::Incomplete { chunk: number, expected, found });
            }
            insert_rejects(&mut transaction, RejectOrigin::Run(run_id), rejects).await?;
            transaction.commit().await?;
            Ok(true)
        };
        note.await
            .map_err(|kind: JobErrorKind| kind.when(format!("note chunk {number} of job {}", worker.job)))
    }

    /// What there is to do for a job that is a fit.
    pub async fn fit_task(&self, job: i64) -> Result<FitTask, JobError> {
        let read = async {
            let row = sqlx::query(
                "SELECT seed, update_of IS NOT NULL AS is_update, version FROM fit WHERE job_id = ?",
            )
            .bind(job)
            .fetch_optional(self.readers())
            .await?
            .ok_or(JobErrorKind::UnknownJob(job))?;
            Ok(FitTask {
                seed: row.try_get::<i64, _>("seed")?.cast_unsigned(),
                update: row.try_get("is_update")?,
                version: row.try_get("version")?,
            })
        };
        read.await.map_err(|kind: JobErrorKind| kind.when(format!("read the fit of job {job}")))
    }

    /// Notes the version that a fit is about to install, so that it installs the same one should it be killed and begin again.
    /// Returns `false`, and notes nothing, if the fit is not to go on.
    pub async fn note_fit_version(&self, worker: &WorkerId, version: &str) -> Result<bool, JobError> {
        let note = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            if !is_wanted(&mut transaction, worker).await? {
                return Ok(false);
            }
            sqlx::query("UPDATE fit SET version = ? WHERE job_id = ?")
                .bind(version)
                .bind(worker.job)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(true)
        };
        note.await.map_err(|kind: JobErrorKind| kind.when(format!("note the version of job {}", worker.job)))
    }

    /// Stores what a fit has come to, and with it that the job is done. Returns `false`, and stores nothing, if the fit is not to
    /// go on.
    pub async fn complete_fit(&self, worker: &WorkerId, learned: &Learned<'_>) -> Result<bool, JobError> {
        self.try_complete_fit(worker, learned)
            .await
            .map_err(|kind| kind.when(format!("complete the fit of job {}", worker.job)))
    }

    async fn try_complete_fit(&self, worker: &WorkerId, learned: &Learned<'_>) -> Result<bool, JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        if !is_wanted(&mut transaction, worker).await? {
            return Ok(false);
        }
        let open: Option<(i64, i64)> = sqlx::query_as(
            "SELECT number, records FROM job_chunk WHERE job_id = ? AND state <> 'done' ORDER BY number LIMIT 1",
        )
        .bind(worker.job)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some((chunk, records)) = open {
            return Err(JobErrorKind::Incomplete { chunk, expected: records.cast_unsigned(), found: 0 });
        }
        let plugin_version_id = find_or_insert_plugin(&mut transaction, learned.plugin).await?;
        for model in learned.models {
            let model_id = find_or_insert_model(&mut transaction, model).await?;
            sqlx::query("INSERT INTO fit_model (job_id, model_id) VALUES (?, ?)")
                .bind(worker.job)
                .bind(model_id)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "UPDATE fit SET plugin_version_id = ?2, fitted_at = ?5, (records, total, first_time, last_time) =
                 (SELECT sum(predicted), sum(predicted) + coalesce(earlier.total, 0),
                      coalesce(earlier.first_time, ?3), coalesce(?4, earlier.last_time)
                  FROM job_chunk LEFT JOIN fit AS earlier ON earlier.job_id = fit.update_of
                  WHERE job_chunk.job_id = ?1)
             WHERE job_id = ?1",
        )
        .bind(worker.job)
        .bind(plugin_version_id)
        .bind(learned.first_time)
        .bind(learned.last_time)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        for statement in [
            "UPDATE job SET state = 'done', finished_at = ?2 WHERE id = ?1",
            "UPDATE run SET finished_at = ?2 WHERE id = (SELECT run_id FROM job WHERE id = ?1)",
        ] {
            sqlx::query(statement).bind(worker.job).bind(now()).execute(&mut *transaction).await?;
        }
        end_all(&mut transaction, worker.job).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Whether the process that does a fit is to go on. That it asks shows that it is alive.
async fn is_wanted(connection: &mut SqliteConnection, worker: &WorkerId) -> Result<bool, JobErrorKind> {
    let is_ready = state(connection, worker.job).await? == JobState::Ready;
    Ok(is_ready && beat(connection, worker, StageTimes::default()).await?)
}

pub(super) async fn insert_fit(
    connection: &mut SqliteConnection,
    job: i64,
    fit: &NewFit,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO fit (job_id, base_plugin_version_id, seed, update_of, anew) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(job)
    .bind(fit.base_plugin_version_id)
    .bind(fit.seed.cast_signed())
    .bind(fit.update_of)
    .bind(&fit.anew)
    .execute(connection)
    .await?;
    Ok(())
}

/// What was stored since the fit that is to be gone on from, and changes what that one should have learned: a record that
/// happened before the last one that it learned, or a label that was known by then. Every record of the domain counts, since it
/// may be part of the past of one that was learned.
pub(super) async fn late(
    connection: &mut SqliteConnection,
    domain: &str,
    fit: &NewFit,
) -> Result<Option<String>, sqlx::Error> {
    let Some(update_of) = fit.update_of else { return Ok(None) };
    let earlier: Option<(i64, i64, Micros)> = sqlx::query_as(
        "SELECT record_watermark, label_watermark, last_time
         FROM fit JOIN job ON job.id = job_id JOIN run ON run.id = run_id
         WHERE job_id = ? AND last_time IS NOT NULL",
    )
    .bind(update_of)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((record_watermark, label_watermark, last_time)) = earlier else { return Ok(None) };
    let last = format_time(last_time);
    let record: Option<(i64, Micros)> = sqlx::query_as(
        "SELECT id, event_time FROM record NOT INDEXED WHERE id > ? AND domain = ? AND event_time < ?
         ORDER BY id LIMIT 1",
    )
    .bind(record_watermark)
    .bind(domain)
    .bind(last_time)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some((id, time)) = record {
        let time = format_time(time);
        return Ok(Some(format!(
            "record {id} of {time} arrived after the last fit, which had learned up to {last}"
        )));
    }
    let label: Option<i64> = sqlx::query_scalar(
        "SELECT label.record_id FROM label NOT INDEXED
         WHERE id > ? AND known_at <= ? AND name IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 1",
    )
    .bind(label_watermark)
    .bind(last_time)
    .bind(serde_json::Value::from(fit.labels.as_slice()).to_string())
    .fetch_optional(connection)
    .await?;
    Ok(label.map(|id| {
        format!("a label of record {id} arrived after the last fit, and was known by {last}, up to which that one had learned")
    }))
}
