//! Asking plugins about stored images, each only about what it has not answered yet.

use std::collections::HashSet;
use std::sync::Arc;

use foretell_jobs::{JobOptions, answer};
use foretell_runtime::plugin::Plugin;
use foretell_store::deployment::Role;
use foretell_store::job::JobState;
use foretell_store::lineage::Run;
use foretell_store::members::Members;
use foretell_store::open::Store;
use foretell_store::prediction::RunSelection;
use foretell_store::selection::Selection;
use foretell_terminal::job::{self, App, Models, Wanted};
use foretell_terminal::{Failure, Output};

use crate::finding::{Answers, read_in_pieces};
use crate::{DOMAIN, FINDING};

/// So many images are predicted at once, without a job: a process of its own would take longer to begin.
pub const ONLINE_IMAGES_MAX: usize = 16;
/// Images of a chunk of a job: what is done in one transaction, and lost when a worker is killed.
pub const CHUNK_IMAGES: u32 = 256;
/// Images that are worth another worker.
pub const WORKER_IMAGES: usize = 256;
/// Unfinished jobs that are looked at.
const JOBS_MAX: u32 = 100;

/// A plugin that was asked.
pub struct Asked {
    /// The plugin.
    pub plugin: Arc<Plugin>,
    /// Whose answers count: those of this plugin and version.
    pub runs: RunSelection,
    /// Images that it was asked about now.
    pub asked: usize,
}

/// Has a plugin predict those of the records that it has not predicted yet, with the same models and settings; or all of
/// them `again`. A few are answered at once, many in a job, which goes on where a killed one ended.
///
/// # Errors
/// The plugin is not installed or can't be loaded, or the database cannot be read or written. A record that the plugin
/// refuses is no error.
pub async fn ask(
    app: &App<'_>,
    store: &Store,
    named: &str,
    records: &Members,
    again: bool,
    workers: Option<usize>,
) -> Result<Asked, Failure> {
    let models = job::models(app, store, &Wanted::plugin(named)).await?;
    let manifest = &models.plugin.manifest().plugin;
    let runs =
        RunSelection::Plugin { name: manifest.name.clone(), version: Some(manifest.version.to_string()) };
    let mut left = match again {
        true => records.clone(),
        false => unasked(store, &models.plugin, &runs, records).await?,
    };
    let asked = left.len() as usize;
    if !again && asked > 0 && go_on(app, store, &models.plugin, &left, workers).await? {
        left = unasked(store, &models.plugin, &runs, records).await?;
    }
    if left.len() as usize <= ONLINE_IMAGES_MAX {
        online(store, &models, &left).await?;
    } else {
        let options = JobOptions {
            chunk_records: CHUNK_IMAGES,
            ..JobOptions::new(Selection { records: Some(left.clone()), ..Selection::default() })
        };
        let workers = workers.unwrap_or_else(|| worthwhile(left.len() as usize));
        job::score(&aside(app), store, &models, &options, workers).await?;
    }
    Ok(Asked { plugin: models.plugin, runs, asked })
}

/// Jobs are not what was asked for, so they say nothing but how far they are.
fn aside<'a>(app: &App<'a>) -> App<'a> {
    App { output: Output::silent(), ..*app }
}

/// How many workers are worth their beginning: at most one for each core.
fn worthwhile(images: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(images.div_ceil(WORKER_IMAGES)).max(1)
}

async fn online(store: &Store, models: &Models, records: &Members) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = records.iter().collect();
    let fail = |error: foretell_jobs::ScoreError| Failure::new(&error).hint(error.hint());
    answer(store, &models.plugin, &models.program, models.role, &ids).await.map_err(fail)?;
    if let Some(challenger) = &models.challenger
        && let Err(error) = answer(store, challenger, &models.program, Role::Challenger, &ids).await
    {
        tracing::warn!("the challenger {} has not predicted: {error}", challenger.name());
    }
    Ok(())
}

/// Those of the records that the plugin has neither predicted nor set aside as it is now.
async fn unasked(
    store: &Store,
    plugin: &Plugin,
    runs: &RunSelection,
    records: &Members,
) -> Result<Members, Failure> {
    let mut done = HashSet::new();
    read_in_pieces(store, runs, records, FINDING, |answers: &Answers| {
        let is_same = |run: &i64| answers.runs.get(run).is_some_and(|source| is_of(&source.run, plugin));
        let answered = answers.answered.values().map(|answer| (answer.record_id, answer.run_id));
        let aside = answers.unanswered.values().map(|aside| (aside.record_id, aside.run_id));
        done.extend(answered.chain(aside).filter(|(_, run)| is_same(run)).map(|(record, _)| record));
        Ok(())
    })
    .await?;
    Ok(records.iter().filter(|record| !done.contains(record)).collect())
}

/// Whether a run is of this plugin, with the same files and settings.
fn is_of(run: &Run, plugin: &Plugin) -> bool {
    let verified = plugin.verified();
    let mut models: Vec<_> =
        run.models.iter().map(|model| (model.name.clone(), model.hash.clone())).collect();
    let mut own: Vec<_> =
        verified.models().iter().map(|model| (model.name.clone(), model.hash.to_string())).collect();
    models.sort_unstable();
    own.sort_unstable();
    run.plugin.library_hash == verified.library_hash().to_string()
        && run.plugin.manifest_hash == verified.manifest_hash().to_string()
        && run.config == plugin.config()
        && models == own
}

/// Goes on with a job that was interrupted, if there is one over all of these records. Says whether there was.
async fn go_on(
    app: &App<'_>,
    store: &Store,
    plugin: &Plugin,
    left: &Members,
    workers: Option<usize>,
) -> Result<bool, Failure> {
    let fail = |error: foretell_store::fault::ReadError| Failure::new(&error).hint(error.hint());
    for found in store.jobs(Some(DOMAIN), JOBS_MAX).await.map_err(fail)? {
        let interrupted = matches!(found.state, JobState::Ready | JobState::Planning | JobState::Paused);
        if !interrupted || found.plugin != plugin.name() {
            continue;
        }
        let records =
            serde_json::from_str::<Selection>(&found.selection).ok().and_then(|selection| selection.records);
        let covers = records.is_some_and(|records| left.iter().all(|record| records.contains(record)));
        let Some(run) = store.run(found.run_id).await.map_err(fail)?.filter(|_| covers) else { continue };
        if is_of(&run, plugin) {
            let workers = workers.unwrap_or_else(|| worthwhile(left.len() as usize));
            let resume = job::Command::Resume { job: found.id, crew: job::Crew { workers } };
            job::run(&aside(app), &resume).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_must_be_worth_its_beginning() {
        assert_eq!((worthwhile(0), worthwhile(WORKER_IMAGES)), (1, 1));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(worthwhile(1_000_000), cores);
    }
}
