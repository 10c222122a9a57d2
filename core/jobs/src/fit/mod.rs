//! Fits: a plugin learns its model anew from stored records, and what it learned becomes a version of the plugin.
//!
//! [`create_fit`] fixes the records, as for any job. [`run_fit`] walks them from the first chunk to the last, in the order of (event
//! time, id), with the past that each had, and hands them to the plugin; at the end it installs what the plugin wrote. Reading and
//! learning overlap. It runs in this process: one plugin learns one model, so there is nothing to share between workers.
//!
//! An *update* goes on from the last fit with what was stored since. It comes to the same model as learning everything, or it is
//! none: whenever that is not certain, everything is learned anew, and the fit says why.
//!
//! - **Invariant:** what a fit makes is a function of its records, their past, the settings and the seed. Interrupted and begun again,
//!   it makes the same bytes.
//! - **Invariant:** a job is done when its model is installed and where it came from is stored, in this order. A process that is
//!   killed between the two installs the same version again.

mod basis;
mod learn;

use std::sync::Arc;

use foretell_runtime::fit::{FitError as LearnError, FitErrorKind as LearnErrorKind, FitStart, Fitting};
use foretell_runtime::manifest::{LABEL_PREFIX, Manifest};
use foretell_runtime::onnx::Runtime;
use foretell_runtime::registry::{InstallError, InstallErrorKind, Installed, Registry};
use foretell_runtime::trust::{TrustError, Verified};
use foretell_store::fault::ReadError;
use foretell_store::job::{
    CHUNK_RECORDS, Fitted, JobError, JobKind, JobState, Learned, NewFit, NewJob, PlannedFit as Planned,
};
use foretell_store::lineage::LineageError;
use foretell_store::open::Store;
use foretell_store::selection::Selection;
use foretell_store::time::{Micros, SECOND, format_time, now};
use semver::{BuildMetadata, Version};
use thiserror::Error;

use self::basis::{Basis, base_of, basis};
use self::learn::{Learner, Lesson};
use crate::columns::{InputError, history_specs};
use crate::create::end_gone_workers;
use crate::lineage::{Program, models, plugin_version, register};
use crate::presence::Presence;
use crate::process::identity;
use crate::reload::{ReloadError, recover};
use crate::score::ScoreError;
use crate::supervise::Progress;
use crate::work::{Stop, WorkError, begun};

/// What build metadata begin with that a fit gave.
const FIT: &str = "fit.";

/// Why a fit did not come to its end.
#[derive(Debug, Error)]
pub enum FitError {
    /// It is a plugin that does not learn.
    #[error("plugin `{0}` does not learn from records: its manifest has no `[fit]`")]
    NotFittable(String),
    /// The job is of another kind.
    #[error("job {0} is no fit")]
    Kind(i64),
    /// The job could not be worked on: the database failed, or its plugin is not there as it was.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The files of the plugin are not those that were installed.
    #[error(transparent)]
    Trust(#[from] Box<TrustError>),
    /// The plugin did not learn.
    #[error(transparent)]
    Learn(#[from] Box<LearnError>),
    /// What was learned could not be installed.
    #[error(transparent)]
    Install(#[from] Box<InstallError>),
    /// Somebody stopped it, here or by pausing or cancelling the job. What was learned is gone.
    #[error("the fit was interrupted")]
    Interrupted,
    /// Others took this process for dead.
    #[error("this process was silent for so long that it was taken for dead")]
    Lost,
}

impl FitError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFittable(_) => Some("`foretell plugin inspect` says what a plugin can do"),
            Self::Work(error) => error.hint(),
            Self::Interrupted | Self::Lost => Some("resume the job, which begins again"),
            _ => None,
        }
    }

    /// Whether a plugin stopped because it was asked to.
    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Learn(error) if matches!(error.kind, LearnErrorKind::Cancelled))
    }
}

macro_rules! score_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for FitError {
            fn from(error: $error) -> Self {
                Self::Work(WorkError::Score(error.into()))
            }
        })*
    };
}
score_errors!(ScoreError, JobError, ReadError, LineageError, InputError, arrow_schema::ArrowError);

impl From<ReloadError> for FitError {
    fn from(error: ReloadError) -> Self {
        Self::Work(error.into())
    }
}

impl From<LearnError> for FitError {
    fn from(error: LearnError) -> Self {
        Self::Learn(Box::new(error))
    }
}

/// What a fit is to do.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Which records. Its domain is that of the plugin.
    pub selection: Selection,
    /// Where everything random begins.
    pub seed: u64,
    /// Whether to go on from the last fit, if that comes to the same as learning everything.
    pub update: bool,
    /// Records of a chunk: how finely the fit says how far it is.
    pub chunk_records: u32,
}

impl FitOptions {
    /// All of these records, from the beginning.
    pub fn new(selection: Selection) -> Self {
        Self { selection, seed: 0, update: false, chunk_records: CHUNK_RECORDS }
    }
}

/// What came of planning a fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedFit {
    /// A new job.
    New(i64),
    /// No record is selected, so there is no job.
    Nothing {
        /// The fit that an update would have gone on from: it knows everything already.
        last: Option<Box<Fitted>>,
    },
}

/// Plans a fit; `progress` hears how many records were found so far.
///
/// `plugin` may itself be a fitted version: the model is made for the plugin that was installed.
pub async fn create_fit(
    store: &Store,
    registry: &Registry,
    plugin: &Verified,
    program: &Program,
    options: &FitOptions,
    mut progress: impl FnMut(u64),
) -> Result<PlannedFit, FitError> {
    let base = base_of(registry, plugin)?;
    let manifest = base.manifest();
    if manifest.fit.is_none() {
        return Err(FitError::NotFittable(base.title()));
    }
    history_specs(manifest)?;
    let selection = Selection { domain: manifest.plugin.domain.clone(), ..options.selection.clone() };
    let config = serde_json::Value::Object(manifest.config_json()).to_string();
    let base_run = register(store, &base, &config, program, false).await?;
    let fit = NewFit {
        base_plugin_version_id: base_run.plugin_version_id,
        seed: options.seed,
        update_of: None,
        labels: labels(manifest),
        anew: None,
    };
    let mut on = match options.update {
        false => Basis::Everything(None),
        true => basis(store, registry, &base, &base_run, &selection, options.seed).await?,
    };
    loop {
        let (run, selection, fit) = match &on {
            Basis::Everything(anew) => {
                (base_run.clone(), selection.clone(), NewFit { anew: anew.clone(), ..fit.clone() })
            }
            Basis::Last(last, verified) => (
                register(store, verified, &config, program, false).await?,
                Selection { after: Some(last.record_watermark), ..selection.clone() },
                NewFit { update_of: Some(last.job), ..fit.clone() },
            ),
        };
        let new = NewJob { chunk_records: options.chunk_records, ..NewJob::new(run, selection) };
        match store.plan_fit(&new, &fit, &identity(), &mut progress).await? {
            Planned::New(job) => return Ok(PlannedFit::New(job)),
            Planned::Late(reason) => on = Basis::Everything(Some(reason)),
            Planned::Nothing => {
                let last = match on {
                    Basis::Last(last, _) => Some(last),
                    Basis::Everything(_) => None,
                };
                return Ok(PlannedFit::Nothing { last });
            }
        }
    }
}

/// The labels that a plugin sees in the past of records.
fn labels(manifest: &Manifest) -> Vec<String> {
    let fields = manifest.histories.iter().flat_map(|history| &history.fields);
    fields.filter_map(|field| field.strip_prefix(LABEL_PREFIX)).map(str::to_owned).collect()
}

/// Does a fit that is planned, in this process, until it is done, until its job is paused or cancelled, or until `stop`; `progress`
/// hears how far it is.
///
/// Whatever ends it before the end, it begins again at the first record, and makes the same. Only one process at a time can do it.
pub async fn run_fit(
    store: &Store,
    registry: &Registry,
    runtime: &Arc<Runtime>,
    job: i64,
    stop: &Stop,
    progress: impl FnMut(&Progress),
) -> Result<Fitted, FitError> {
    let (job, run) = begun(store, runtime, job).await?;
    let task = match job.kind {
        JobKind::Fit => store.fit_task(job.id).await?,
        JobKind::Score => return Err(FitError::Kind(job.id)),
    };
    let (plugin, options) = recover(registry, &run)?;
    end_gone_workers(store, job.id).await?;
    let worker = store.begin_fit(job.id, &identity()).await?;
    // Of its own: what stops this fit need not stop everything else that `stop` is for.
    let own = Stop::default();
    let told = tokio::spawn({
        let (stop, own) = (stop.clone(), own.clone());
        async move {
            stop.stopped().await;
            own.stop();
        }
    });
    let presence = Presence::new(store, worker, &own);
    let watching = tokio::spawn(presence.clone().watch());
    let fit = async {
        let start = FitStart { seed: task.seed, update: task.update };
        let fitting = {
            let (runtime, plugin) = (Arc::clone(runtime), plugin.clone());
            let begin = move || Fitting::begin(&runtime, &plugin, &options, start);
            tokio::task::spawn_blocking(begin).await.map_err(|_| ScoreError::Stopped("learning"))??
        };
        let learner = Learner::new(presence.clone(), fitting, plugin.manifest().clone());
        let lesson = learner.learn(&job, &run, progress).await?;
        finish(registry, &presence, &plugin, task.version, &lesson).await
    };
    let fitted = fit.await;
    watching.abort();
    told.abort();
    // Should this fail too, the first error says why; others find out that this process is gone.
    let ended = presence.end().await;
    match fitted {
        Err(_) if presence.is_lost() => return Err(FitError::Lost),
        Err(error) if error.is_cancelled() && own.is_stopped() => return Err(FitError::Interrupted),
        fitted => fitted?,
    }
    ended?;
    Ok(store.fit(job.id).await?.expect("a fit that is complete is stored"))
}

/// Installs what was learned, and stores where it comes from.
async fn finish(
    registry: &Registry,
    presence: &Presence,
    plugin: &Verified,
    version: Option<String>,
    lesson: &Lesson,
) -> Result<(), FitError> {
    let store = &presence.store;
    let mut fitted_at = now();
    let mut version = version.and_then(|version| version.parse().ok());
    let installed = loop {
        let version = version.take().unwrap_or_else(|| fitted_version(plugin, fitted_at));
        if !store.note_fit_version(&presence.id, &version.to_string()).await? {
            return Err(FitError::Interrupted);
        }
        match registry.install_fitted(plugin, &version, &lesson.models) {
            Ok(installed) => break installed,
            // Another fit was done in the same second.
            Err(error) if matches!(*error.kind, InstallErrorKind::Installed { .. }) => fitted_at += SECOND,
            Err(error) => return Err(Box::new(error).into()),
        }
    };
    let verified = registry.verify(&installed).map_err(Box::new)?;
    let is_written = |name: &str| lesson.models.iter().any(|(written, _)| written == name);
    let written: Vec<_> = models(&verified).into_iter().filter(|model| is_written(&model.name)).collect();
    let learned = Learned {
        plugin: &plugin_version(&verified),
        models: &written,
        first_time: lesson.first_time,
        last_time: lesson.last_time,
    };
    match store.complete_fit(&presence.id, &learned).await? {
        true => Ok(()),
        false => {
            forget(store, registry, presence, &installed).await?;
            Err(FitError::Interrupted)
        }
    }
}

/// Removes what was installed for a job that was cancelled at the last moment: nobody would know where it came from.
async fn forget(
    store: &Store,
    registry: &Registry,
    presence: &Presence,
    installed: &Installed,
) -> Result<(), FitError> {
    let is_cancelled = store.job_state(presence.id.job).await? == Some(JobState::Cancelled);
    let version = installed.version().to_string();
    if is_cancelled && store.fit_of(installed.name(), Some(&version)).await?.is_none() {
        // What cannot be removed does no harm.
        let _ = registry.remove(&installed.to_string());
    }
    Ok(())
}

/// The version of what a plugin has learned: its own, and the moment, in UTC.
fn fitted_version(plugin: &Verified, time: Micros) -> Version {
    let digits: String =
        format_time(time - time.rem_euclid(SECOND)).chars().filter(char::is_ascii_digit).collect();
    let build = BuildMetadata::new(&format!("{FIT}{digits}")).expect("words and digits are build metadata");
    Version { build, ..plugin.manifest().plugin.version.clone() }
}
