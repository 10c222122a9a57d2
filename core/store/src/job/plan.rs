//! Planning: from a selection to chunks that never change.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::SqliteConnection;

use super::fit::{NewFit, insert_fit, late};
use super::worker::{StageTimes, beat, insert_worker, micros, state};
use super::{
    ATTEMPTS_MAX, CHUNK_RECORDS, CHUNK_RECORDS_MAX, Identity, JobError, JobErrorKind, JobKind, JobState,
    LEASE_MICROS, TIMEOUT, WorkerId,
};
use crate::lineage::{NewRun, insert_run, runs_like};
use crate::members::Members;
use crate::open::{Durability, Store, begin};
use crate::selection::{Page, Pages, Selection, Unscored, span};
use crate::time::now;

/// Chunks that are written down in one transaction while a job is planned.
const CHUNKS_TOGETHER: usize = 64;

/// How often a planner says that it is alive, as far as reading a page allows.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// A job that is to be planned.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// What predicts, or learns. Its `selection` is filled in by planning.
    pub run: NewRun,
    /// Which records. If only unscored ones are wanted, planning finds out which those are.
    pub selection: Selection,
    /// Records of a chunk, from 1 to [`CHUNK_RECORDS_MAX`].
    pub chunk_records: u32,
    /// How long the plugin may take for one call.
    pub timeout: Duration,
    /// How often a chunk is tried.
    pub attempts_max: u32,
}

impl NewJob {
    /// A job with the usual sizes and limits.
    pub fn new(run: NewRun, selection: Selection) -> Self {
        Self { run, selection, chunk_records: CHUNK_RECORDS, timeout: TIMEOUT, attempts_max: ATTEMPTS_MAX }
    }
}

/// What came of planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planned {
    /// A new job.
    New(i64),
    /// A job that is not done yet, for the same plugin, models and settings and for everything that is not scored: to go on
    /// with it comes first, or records would be scored twice.
    Unfinished(i64),
    /// No record is selected, so there is no job.
    Nothing,
}

impl Store {
    /// Fixes the records of a job, and stores it ready to be worked on. `progress` hears how many records were found so far.
    ///
    /// Planning reads one snapshot of the database, so the set is the state of one moment, and writes in short
    /// transactions, so that others are not held up. A process that is killed meanwhile leaves a job in the state
    /// `planning`, which [`Store::plan_again`] plans anew.
    pub async fn plan_job(
        &self,
        new: &NewJob,
        planner: &Identity,
        progress: impl FnMut(u64),
    ) -> Result<Planned, JobError> {
        let plan = async {
            match self.begin_job(new, planner).await? {
                Begun::New(planner) => self.plan_begun(&planner, progress).await,
                Begun::Unfinished(job) => Ok(Planned::Unfinished(job)),
            }
        };
        plan.await.map_err(|kind| kind.when("plan a job"))
    }

    /// Plans a job that was just stored, or takes it back.
    pub(super) async fn plan_begun(
        &self,
        planner: &WorkerId,
        progress: impl FnMut(u64),
    ) -> Result<Planned, JobErrorKind> {
        let planned = self.plan_chunks(planner, progress).await;
        if planned.is_err() {
            // It cannot be planned, so it is of no use. Should removing it fail too, the first error says why, and the
            // job is left as by a process that was killed.
            let _ = self.remove_job(planner).await;
        }
        planned
    }

    /// Plans a job again that a process left half planned. Returns [`Planned::Nothing`] if its selection is empty by now.
    pub async fn plan_again(
        &self,
        job: i64,
        planner: &Identity,
        progress: impl FnMut(u64),
    ) -> Result<Planned, JobError> {
        let plan = async {
            let planner = self.take_over_planning(job, planner).await?;
            self.plan_chunks(&planner, progress).await
        };
        plan.await.map_err(|kind| kind.when(format!("plan job {job}")))
    }

    /// What is not scored by a plugin with its models and settings, for [`Selection::unscored`].
    pub async fn unscored(&self, run: &NewRun) -> Result<Unscored, JobError> {
        let read = async {
            let mut reader = self.readers().acquire().await?;
            let runs = runs_like(&mut reader, run).await?;
            Ok(unscored(&mut reader, &runs).await?)
        };
        read.await.map_err(|kind: JobErrorKind| kind.when("find out what is scored"))
    }

    /// Stores the run and the job, unless another job has to be finished first.
    async fn begin_job(&self, new: &NewJob, planner: &Identity) -> Result<Begun, JobErrorKind> {
        check_chunk_records(new)?;
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let mut selection = new.selection.clone();
        let complete = is_whole_domain(&selection);
        if let Some(wanted) = &mut selection.unscored {
            let runs = runs_like(&mut transaction, &new.run).await?;
            if complete && let Some(job) = unfinished(&mut transaction, &runs).await? {
                return Ok(Begun::Unfinished(job));
            }
            *wanted = unscored(&mut transaction, &runs).await?;
        }
        let new = NewJob { selection, ..new.clone() };
        let planner = insert_job(&mut transaction, JobKind::Score, &new, complete, planner).await?;
        transaction.commit().await?;
        Ok(Begun::New(planner))
    }

    /// Stores the run, the job and the fit, unless it would go on behind a record that it has to learn before; then it says so.
    pub(super) async fn begin_planning_fit(
        &self,
        new: &NewJob,
        fit: &NewFit,
        planner: &Identity,
    ) -> Result<Result<WorkerId, String>, JobErrorKind> {
        check_chunk_records(new)?;
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        // Nobody else writes from here on, so what is late is known before the set is fixed.
        if let Some(late) = late(&mut transaction, &new.selection.domain, fit).await? {
            return Ok(Err(late));
        }
        let planner = insert_job(&mut transaction, JobKind::Fit, new, false, planner).await?;
        insert_fit(&mut transaction, planner.job, fit).await?;
        transaction.commit().await?;
        Ok(Ok(planner))
    }

    async fn take_over_planning(&self, job: i64, planner: &Identity) -> Result<WorkerId, JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        match state(&mut transaction, job).await? {
            JobState::Planning => (),
            state => return Err(JobErrorKind::State { state }),
        }
        let planning: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM job_worker WHERE job_id = ? AND ended_at IS NULL AND seen_at > ?)",
        )
        .bind(job)
        .bind(now() - LEASE_MICROS)
        .fetch_one(&mut *transaction)
        .await?;
        if planning {
            return Err(JobErrorKind::Planning);
        }
        sqlx::query("DELETE FROM job_chunk WHERE job_id = ?").bind(job).execute(&mut *transaction).await?;
        // Whoever planned it is taken for dead; should it not be, it finds out before it writes anything.
        end_all(&mut transaction, job).await?;
        let worker = insert_worker(&mut transaction, job, planner).await?;
        transaction.commit().await?;
        Ok(WorkerId { job, worker })
    }

    async fn plan_chunks(
        &self,
        planner: &WorkerId,
        mut progress: impl FnMut(u64),
    ) -> Result<Planned, JobErrorKind> {
        let mut snapshot = self.readers().begin().await?;
        let (selection, chunk_records, id_max): (String, i64, i64) = sqlx::query_as(
            "SELECT job.selection, chunk_records, record_watermark FROM job JOIN run ON run.id = run_id WHERE job.id = ?",
        )
        .bind(planner.job)
        .fetch_one(&mut *snapshot)
        .await?;
        let selection: Selection =
            serde_json::from_str(&selection).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let mut pages = Pages::new(&mut snapshot, &selection, id_max).await?;
        let done_before = selection.unscored.as_ref().is_some_and(|unscored| !unscored.runs.is_empty());
        let dense = is_whole_domain(&selection) && !done_before;
        let (mut number, mut found, mut told) = (0, 0, Instant::now());
        let mut waiting = Vec::with_capacity(CHUNKS_TOGETHER);
        while let Some(page) = pages.next(&mut snapshot, chunk_records as usize).await? {
            found += page.ids.len() as u64;
            let span = match dense {
                true => page.ids.len() as u64,
                false => span(&mut snapshot, &selection.domain, page.first, page.last).await?,
            };
            waiting.push((page, span));
            if waiting.len() == CHUNKS_TOGETHER || told.elapsed() > ALIVE_EVERY {
                number = self.write_chunks(planner, number, &waiting).await?;
                waiting.clear();
                told = Instant::now();
                progress(found);
            }
        }
        number = self.write_chunks(planner, number, &waiting).await?;
        progress(found);
        drop(snapshot);
        self.finish_planning(planner, number, found).await
    }

    /// Writes chunks down behind number `last`; returns the number of the last one. The planner shows that it is alive.
    async fn write_chunks(
        &self,
        planner: &WorkerId,
        mut last: i64,
        pages: &[(Page, u64)],
    ) -> Result<i64, JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Normal).await?;
        check_planner(&mut transaction, planner).await?;
        for (page, span) in pages {
            last += 1;
            sqlx::query(
                "INSERT INTO job_chunk
                     (job_id, number, first_time, first_id, last_time, last_id, members, records, span)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(planner.job)
            .bind(last)
            .bind(page.first.0)
            .bind(page.first.1)
            .bind(page.last.0)
            .bind(page.last.1)
            .bind(page.ids.iter().copied().collect::<Members>().to_bytes())
            .bind(page.ids.len() as i64)
            .bind(span.cast_signed())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(last)
    }

    /// Makes the job ready, or takes it back if it is about nothing.
    async fn finish_planning(
        &self,
        planner: &WorkerId,
        chunks: i64,
        records: u64,
    ) -> Result<Planned, JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        check_planner(&mut transaction, planner).await?;
        let job = planner.job;
        if records == 0 {
            remove(&mut transaction, job).await?;
            transaction.commit().await?;
            return Ok(Planned::Nothing);
        }
        let written: (i64, i64) =
            sqlx::query_as("SELECT count(*), sum(records) FROM job_chunk WHERE job_id = ?")
                .bind(job)
                .fetch_one(&mut *transaction)
                .await?;
        if written != (chunks, records.cast_signed()) {
            return Err(JobErrorKind::TakenOver);
        }
        end_all(&mut transaction, job).await?;
        sqlx::query("UPDATE job SET state = ? WHERE id = ?")
            .bind(JobState::Ready.as_str())
            .bind(job)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Planned::New(job))
    }

    /// Takes back a job that could not be planned.
    async fn remove_job(&self, planner: &WorkerId) -> Result<(), JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        check_planner(&mut transaction, planner).await?;
        remove(&mut transaction, planner.job).await?;
        Ok(transaction.commit().await?)
    }
}

/// What came of beginning a job.
enum Begun {
    /// A new one, planned by this worker.
    New(WorkerId),
    /// Another one has to be finished first.
    Unfinished(i64),
}

fn check_chunk_records(new: &NewJob) -> Result<(), JobErrorKind> {
    match (1..=CHUNK_RECORDS_MAX).contains(&new.chunk_records) {
        true => Ok(()),
        false => Err(JobErrorKind::ChunkRecords(new.chunk_records)),
    }
}

/// Stores a job with its run, and who plans it.
async fn insert_job(
    connection: &mut SqliteConnection,
    kind: JobKind,
    new: &NewJob,
    complete: bool,
    planner: &Identity,
) -> Result<WorkerId, JobErrorKind> {
    let selection = serde_json::to_string(&new.selection).expect("texts and numbers are JSON");
    let run = NewRun { selection: selection.clone(), ..new.run.clone() };
    let run_id = insert_run(&mut *connection, &run).await?;
    let job = sqlx::query(
        "INSERT INTO job (kind, run_id, selection, chunk_records, timeout, attempts_max, state, complete, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(kind.as_str())
    .bind(run_id)
    .bind(selection)
    .bind(new.chunk_records)
    .bind(micros(new.timeout))
    .bind(new.attempts_max)
    .bind(JobState::Planning.as_str())
    .bind(complete)
    .bind(now())
    .execute(&mut *connection)
    .await?
    .last_insert_rowid();
    let worker = insert_worker(connection, job, planner).await?;
    Ok(WorkerId { job, worker })
}

/// **Invariant:** only the planner of a job writes its chunks. One that was taken for dead, or whose job was cancelled, stops.
async fn check_planner(connection: &mut SqliteConnection, planner: &WorkerId) -> Result<(), JobErrorKind> {
    match state(connection, planner.job).await? {
        JobState::Planning => (),
        state => return Err(JobErrorKind::State { state }),
    }
    match beat(connection, planner, StageTimes::default()).await? {
        true => Ok(()),
        false => Err(JobErrorKind::TakenOver),
    }
}

/// Ends all who plan a job, or work on it.
pub(super) async fn end_all(connection: &mut SqliteConnection, job: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE job_worker SET ended_at = ? WHERE job_id = ? AND ended_at IS NULL")
        .bind(now())
        .bind(job)
        .execute(connection)
        .await?;
    Ok(())
}

/// Up to which record these runs left nothing out, and which of them may have done something beyond it.
async fn unscored(connection: &mut SqliteConnection, runs: &[i64]) -> Result<Unscored, sqlx::Error> {
    let runs = Value::from(runs.to_vec()).to_string();
    let after: Option<i64> = sqlx::query_scalar(
        "SELECT max(record_watermark) FROM run JOIN job ON job.run_id = run.id
         WHERE job.complete = 1 AND job.state = 'done' AND run.id IN (SELECT value FROM json_each(?))",
    )
    .bind(&runs)
    .fetch_one(&mut *connection)
    .await?;
    let after = after.unwrap_or(0);
    // No run has scored a record that was stored after it began.
    let runs = sqlx::query_scalar(
        "SELECT id FROM run WHERE record_watermark > ? AND id IN (SELECT value FROM json_each(?)) ORDER BY id DESC",
    )
    .bind(after)
    .bind(runs)
    .fetch_all(connection)
    .await?;
    Ok(Unscored { runs, after })
}

/// Whether nothing but the domain, and what is scored, decides about a record.
fn is_whole_domain(selection: &Selection) -> bool {
    let Selection { domain, unscored, .. } = selection;
    *selection == Selection { domain: domain.clone(), unscored: unscored.clone(), ..Selection::default() }
}

/// A job over everything that is not finished, and whose run is one of these.
async fn unfinished(connection: &mut SqliteConnection, runs: &[i64]) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM job
         WHERE complete = 1 AND state NOT IN ('done', 'cancelled') AND run_id IN (SELECT value FROM json_each(?))
         ORDER BY id LIMIT 1",
    )
    .bind(Value::from(runs.to_vec()).to_string())
    .fetch_optional(connection)
    .await
}

/// Removes a job of which nothing was done, and its run.
async fn remove(connection: &mut SqliteConnection, job: i64) -> Result<(), sqlx::Error> {
    let run_id: i64 = sqlx::query_scalar("SELECT run_id FROM job WHERE id = ?")
        .bind(job)
        .fetch_one(&mut *connection)
        .await?;
    for (statement, id) in [
        ("DELETE FROM job_chunk WHERE job_id = ?", job),
        ("DELETE FROM job_worker WHERE job_id = ?", job),
        ("DELETE FROM fit WHERE job_id = ?", job),
        ("DELETE FROM job WHERE id = ?", job),
        ("DELETE FROM run_model WHERE run_id = ?", run_id),
        ("DELETE FROM run WHERE id = ?", run_id),
    ] {
        sqlx::query(statement).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}
