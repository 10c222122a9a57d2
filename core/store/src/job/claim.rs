//! Which chunk a worker does next.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::chunk::{COLUMNS, Chunk};
use super::worker::{Held, StageTimes, beat, end_worker, state};
use super::{JobError, JobErrorKind, JobState, LEASE_MICROS, WorkerId};
use crate::open::{Durability, Store, begin};
use crate::time::now;

/// What a worker that asks for work is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// Do this chunk.
    Chunk(Box<Chunk>),
    /// Other workers hold all that is left. It may become free again.
    Wait,
    /// There is nothing to do: the job is in this state.
    Stop(JobState),
    /// The worker was taken for dead.
    Lost,
}

impl Store {
    /// Gives a worker a chunk. `last` is the number of the one that it had before.
    ///
    /// Chunks that follow each other share their past, so a worker goes on behind its last chunk as long as it can. A worker
    /// that has to begin elsewhere takes the middle of the longest stretch that nobody has begun, so that the others can
    /// go on too. Chunks that ended a process are left for the end.
    pub async fn claim_chunk(&self, worker: &WorkerId, last: Option<i64>) -> Result<Claim, JobError> {
        self.try_claim(worker, last)
            .await
            .map_err(|kind| kind.when(format!("take a chunk of job {}", worker.job)))
    }

    async fn try_claim(&self, worker: &WorkerId, last: Option<i64>) -> Result<Claim, JobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Normal).await?;
        match state(&mut transaction, worker.job).await? {
            JobState::Ready => (),
            state => return Ok(Claim::Stop(state)),
        }
        // Who asks is alive.
        if !beat(&mut transaction, worker, StageTimes::default()).await? {
            return Ok(Claim::Lost);
        }
        let mut number = choose(&mut transaction, worker.job, last).await?;
        if number.is_none() && end_silent_workers(&mut transaction, worker.job).await? {
            number = choose(&mut transaction, worker.job, last).await?;
        }
        let Some(number) = number else {
            transaction.commit().await?;
            return Ok(Claim::Wait);
        };
        let row = sqlx::query(AssertSqlSafe(format!(
            "UPDATE job_chunk SET state = 'leased', worker_id = ?3 WHERE job_id = ?1 AND number = ?2
             RETURNING {COLUMNS}, (SELECT run_id FROM job WHERE id = ?1) AS run_id"
        )))
        .bind(worker.job)
        .bind(number)
        .bind(worker.worker)
        .fetch_one(&mut *transaction)
        .await?;
        let chunk = Chunk::read(&row, row.try_get("run_id")?)?;
        drop(row);
        transaction.commit().await?;
        Ok(Claim::Chunk(Box::new(chunk)))
    }
}

async fn choose(
    connection: &mut SqliteConnection,
    job: i64,
    last: Option<i64>,
) -> Result<Option<i64>, sqlx::Error> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT number FROM job_chunk WHERE job_id = ? AND number = ? + 1 AND state = 'free' AND careful = 0",
    )
    .bind(job)
    .bind(last)
    .fetch_optional(&mut *connection)
    .await?;
    if next.is_some() {
        return Ok(next);
    }
    let free: Vec<i64> = sqlx::query_scalar(
        "SELECT number FROM job_chunk WHERE job_id = ? AND state = 'free' AND careful = 0 ORDER BY number",
    )
    .bind(job)
    .fetch_all(&mut *connection)
    .await?;
    let leased: Vec<i64> = sqlx::query_scalar(
        "SELECT number FROM job_chunk WHERE job_id = ? AND state = 'leased' ORDER BY number",
    )
    .bind(job)
    .fetch_all(&mut *connection)
    .await?;
    if let Some(number) = start(&free, &leased) {
        return Ok(Some(number));
    }
    sqlx::query_scalar(
        "SELECT number FROM job_chunk WHERE job_id = ? AND state = 'free' AND careful = 1 ORDER BY number LIMIT 1",
    )
    .bind(job)
    .fetch_optional(connection)
    .await
}

/// Takes workers for dead that have been silent for longer than [`LEASE`](super::LEASE): what they hold is free again. Returns
/// whether there were any.
async fn end_silent_workers(connection: &mut SqliteConnection, job: i64) -> Result<bool, sqlx::Error> {
    let silent: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM job_worker WHERE job_id = ? AND ended_at IS NULL AND seen_at < ?")
            .bind(job)
            .bind(now() - LEASE_MICROS)
            .fetch_all(&mut *connection)
            .await?;
    for worker in &silent {
        end_worker(&mut *connection, *worker, Held::Lost).await?;
    }
    Ok(!silent.is_empty())
}

/// Where to begin, given the numbers of chunks that are free and leased, both ascending.
///
/// A stretch behind a leased chunk will be wanted by whoever holds that: of it, only the second half is offered.
fn start(free: &[i64], leased: &[i64]) -> Option<i64> {
    let stretches = free.chunk_by(|a, b| a + 1 == *b);
    let offered = stretches.map(|stretch| match leased.binary_search(&(stretch[0] - 1)) {
        Ok(_) => &stretch[stretch.len() / 2..],
        Err(_) => stretch,
    });
    // `max_by_key` takes the last of equals; the first one has the least past to read.
    offered.rev().max_by_key(|stretch| stretch.len()).map(|stretch| stretch[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_begin_far_from_each_other() {
        let all: Vec<i64> = (1..=100).collect();
        assert_eq!(start(&all, &[]), Some(1));
        // The first worker holds 1 and goes on with 2: the second begins in the middle.
        assert_eq!(start(&all[1..], &[1]), Some(51));
        // The third begins in the middle of what the two have before them.
        let free: Vec<i64> = (2..=50).chain(52..=100).collect();
        assert_eq!(start(&free, &[1, 51]), Some(26));
        // What nobody is about to reach is taken from its beginning.
        assert_eq!(start(&[7, 8, 9], &[3]), Some(7));
        assert_eq!(start(&[4], &[3]), Some(4));
        assert_eq!(start(&[], &[3]), None);
    }
}
