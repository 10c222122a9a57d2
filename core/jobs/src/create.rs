//! Creating jobs.

use std::time::Duration;

use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::job::{Job, JobError, JobErrorKind, JobState, NewJob, Planned};
use foretell_store::open::Store;
use foretell_store::selection::Selection;

use crate::columns::history_specs;
use crate::lineage::{Program, register};
use crate::process::{identity, is_gone};
use crate::score::ScoreError;

/// How often it is looked whether somebody else has planned a job.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a job is to do.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// Which records. Its domain is that of the plugin.
    pub selection: Selection,
    /// Records of a chunk.
    pub chunk_records: u32,
    /// How long the plugin may take for one call.
    pub timeout: Duration,
    /// How often a chunk is tried.
    pub attempts_max: u32,
    /// Who hears of the predictions.
    pub role: Role,
}

impl JobOptions {
    /// All of these records, with the usual sizes and limits.
    pub fn new(selection: Selection) -> Self {
        use foretell_store::job::{ATTEMPTS_MAX, CHUNK_RECORDS, TIMEOUT};
        Self {
            selection,
            chunk_records: CHUNK_RECORDS,
            timeout: TIMEOUT,
            attempts_max: ATTEMPTS_MAX,
            role: Role::Champion,
        }
    }
}

/// Plans a job; `progress` hears how many records were found so far.
pub async fn create(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    options: &JobOptions,
    progress: impl FnMut(u64),
) -> Result<Planned, ScoreError> {
    let new = new_job(store, plugin, program, options).await?;
    Ok(store.plan_job(&new, &identity(), progress).await?)
}

/// How many records a job would be about.
pub async fn preview(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    options: &JobOptions,
) -> Result<u64, ScoreError> {
    let new = new_job(store, plugin, program, options).await?;
    let mut selection = new.selection;
    if selection.unscored.is_some() {
        selection.unscored = Some(store.unscored(&new.run).await?);
    }
    Ok(store.count_selected(&selection).await?)
}

async fn new_job(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
    options: &JobOptions,
) -> Result<NewJob, ScoreError> {
    let manifest = plugin.manifest();
    history_specs(manifest)?;
    let shadow = options.role == Role::Challenger;
    let run = register(store, plugin.verified(), plugin.config(), program, shadow).await?;
    let selection = Selection { domain: manifest.plugin.domain.clone(), ..options.selection.clone() };
    Ok(NewJob {
        chunk_records: options.chunk_records,
        timeout: options.timeout,
        attempts_max: options.attempts_max,
        ..NewJob::new(run, selection)
    })
}

/// Makes a job ready to be worked on, whatever interrupted it: workers that are gone are ended, one that was left half
/// planned is planned again, one that was paused or has failed goes on. Returns the job, or nothing if it turned out to be
/// about no records and was removed.
pub async fn resume(
    store: &Store,
    id: i64,
    mut progress: impl FnMut(u64),
) -> Result<Option<Job>, ScoreError> {
    loop {
        end_gone_workers(store, id).await?;
        let Some(job) = store.job(id).await? else { return Ok(None) };
        let ready = match job.state {
            JobState::Planning => store.plan_again(id, &identity(), &mut progress).await.map(Some),
            JobState::Done => Ok(None),
            _ => store.resume_job(id).await.map(|()| None),
        };
        match ready {
            Ok(Some(Planned::Nothing)) => return Ok(None),
            Ok(Some(_)) => (),
            Ok(None) => return find(store, id).await.map(Some),
            Err(error) => match error.kind {
                // Somebody else plans it, or has come to the end of something meanwhile.
                JobErrorKind::Planning => tokio::time::sleep(LOOK_EVERY).await,
                JobErrorKind::State { state: JobState::Ready | JobState::Done } => (),
                JobErrorKind::UnknownJob(_) => return Ok(None),
                _ => return Err(error.into()),
            },
        }
    }
}

/// Frees the chunks of workers whose process is known to have ended.
pub(crate) async fn end_gone_workers(store: &Store, job: i64) -> Result<(), ScoreError> {
    for worker in store.running_workers(job).await? {
        if is_gone(&worker.identity) {
            store.bury_worker(&worker.id).await?;
        }
    }
    Ok(())
}

pub(crate) async fn find(store: &Store, id: i64) -> Result<Job, ScoreError> {
    let unknown = || JobError { action: format!("read job {id}"), kind: JobErrorKind::UnknownJob(id) };
    Ok(store.job(id).await?.ok_or_else(unknown)?)
}
