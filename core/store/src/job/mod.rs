//! Batch work: jobs, the chunks that they are done in, and the processes that do them.
//!
//! A job is planned once: [`Store::plan_job`] writes down which records it is about, cut into chunks in the order of (event
//! time, id), together with the run that its predictions will stand under. From then on the set is fixed, whatever arrives.
//!
//! A process that works on a job enters itself as a *worker*, claims one chunk after the other, and completes each with its
//! predictions and rejects. A chunk is *free*, *leased* to a worker, *done*, or *failed* (after too many attempts).
//!
//! ```
//! use foretell_store::job::{Claim, Identity, JobState, NewJob, Planned};
//! # use foretell_store::lineage::{NewRun, PluginVersion};
//! # use foretell_store::open::Store;
//! use foretell_store::prediction::NewPrediction;
//! # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
//! use foretell_store::selection::Selection;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec![], source).await?;
//! # let order = NewRecord { external_id: None, event_time: 0, payload: "{}".into(), keys: vec![], labels: vec![], media: vec![] };
//! # appender.append(vec![order]).await?;
//! # let plugin = PluginVersion { name: "returns".into(), version: "1.0.0".into(), domain: "shop".into(),
//! #     task: "binary-classification".into(), library_hash: "a".into(), manifest_hash: "b".into(), manifest: "".into() };
//! # let plugin_version_id = store.plugin_version(&plugin).await?;
//! # let run = NewRun { plugin_version_id, model_ids: vec![], config: "{}".into(), onnxruntime: "1.32.0".into(), threads: 1,
//! #     program: "docs".into(), author: "me".into(), selection: "{}".into(), shadow: false };
//! # let identity = Identity { host: "till".into(), process_id: 17, process_started: 0 };
//! let new = NewJob::new(run, Selection::domain("shop"));
//! let Planned::New(job) = store.plan_job(&new, &identity, |_| {}).await? else { panic!("there are records") };
//!
//! let worker = store.enter_worker(job, &identity).await?;
//! let Claim::Chunk(chunk) = store.claim_chunk(&worker, None).await? else { panic!("there is a chunk") };
//! let predictions: Vec<NewPrediction> = chunk
//!     .portion
//!     .members
//!     .iter()
//!     .map(|record_id| NewPrediction { record_id, score: Some(0.5), ..NewPrediction::default() })
//!     .collect();
//! assert!(store.complete_chunk(&worker, chunk.number, &predictions, &[]).await?);
//! assert_eq!(store.job(job).await?.expect("it was just planned").state, JobState::Done);
//! # Ok(())
//! # }
//! ```
//!
//! A job of kind *fit* ([`Store::plan_fit`]) learns from its records instead of predicting them. One process does it, from the first
//! chunk to the last; the chunks only say how far it is. If it is interrupted, it begins again.
//!
//! # What can be relied on
//!
//! - **Invariant:** a chunk's predictions, its rejects and its completion are one transaction. So a record is predicted once
//!   or not at all, wherever a process is killed.
//! - **Invariant:** a chunk is completed by the worker that holds it. One that lost it, because it was taken for dead, is
//!   told so and leaves nothing behind.
//! - **Invariant:** a chunk accounts for each of its members: predictions and rejects together are as many as those.
//! - **Invariant:** what a fit made, where it came from, and that the job is done, are one transaction.
//! - **Invariant:** `done`, and `cancelled`, are final.
//!
//! # Who is alive
//!
//! A worker says that it is alive by [`Store::heartbeat`]. One that has not done so for [`LEASE`] is taken for dead as soon as
//! another one finds nothing else to do. The store knows no processes: whoever can see that a process has ended says so with
//! [`Store::bury_worker`], and its chunks are free at once.
//!
//! [`Store::plan_job`]: crate::open::Store::plan_job
//! [`Store::plan_fit`]: crate::open::Store::plan_fit
//! [`Store::heartbeat`]: crate::open::Store::heartbeat
//! [`Store::bury_worker`]: crate::open::Store::bury_worker

mod chunk;
mod claim;
mod fit;
mod fitted;
mod plan;
mod progress;
mod worker;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::chunk::{Blame, Chunk, Poison};
pub use self::claim::Claim;
pub use self::fit::{FitTask, Learned, NewFit, PlannedFit};
pub use self::fitted::{Fitted, FittedModel};
pub use self::plan::{NewJob, Planned};
pub use self::progress::{ChunkProblem, Job, RunningWorker};
pub use self::worker::{Identity, StageTimes, WorkerId};
use crate::fault::Fault;
use crate::selection::SelectionErrorKind;
use crate::time::Micros;

/// How long a worker may be silent before others take its chunks.
pub const LEASE: Duration = Duration::from_secs(30);
/// Records of a chunk, unless a job says otherwise.
pub const CHUNK_RECORDS: u32 = 8_192;
/// Records of a chunk at most: they are in memory together, with their past.
pub const CHUNK_RECORDS_MAX: u32 = 65_536;
/// How often a chunk is tried, unless a job says otherwise.
pub const ATTEMPTS_MAX: u32 = 3;
/// How long the plugin may take for one call, unless a job says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(300);

/// How often a worker may be gone with a chunk in its hands, and nobody knows why, before the chunk is done with care.
pub const LOSSES_MAX: u32 = 3;

/// [`LEASE`] in the unit of the database.
const LEASE_MICROS: Micros = LEASE.as_micros() as Micros;

/// What a job does with its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Predicts them.
    Score,
    /// Learns from them.
    Fit,
}

impl JobKind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Fit => "fit",
        }
    }

    fn read(word: &str) -> Result<Self, sqlx::Error> {
        [Self::Score, Self::Fit]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| sqlx::Error::Decode(format!("`{word}` is no kind of job").into()))
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JobKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Its records are being written down. If the process that does it is gone, it is planned again.
    Planning,
    /// There is work to do, and workers may do it.
    Ready,
    /// There is work to do, but not now.
    Paused,
    /// There is work left that was given up on purpose.
    Cancelled,
    /// Some chunks failed, the others are done.
    Failed,
    /// Every record is predicted or rejected; of a fit, the model is there.
    Done,
}

impl JobState {
    const ALL: [Self; 6] =
        [Self::Planning, Self::Ready, Self::Paused, Self::Cancelled, Self::Failed, Self::Done];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Ready => "ready",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Done)
    }

    fn read(word: &str) -> Result<Self, sqlx::Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| sqlx::Error::Decode(format!("`{word}` is no state of a job").into()))
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JobState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something that could not be done with a job.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}")]
pub struct JobError {
    /// What was to be done.
    pub action: String,
    /// Why it was not.
    #[source]
    pub kind: JobErrorKind,
}

/// Why something could not be done with a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobErrorKind {
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(i64),
    /// The job is in a state that does not allow it.
    #[error("the job is {state}")]
    State {
        /// The state that it is in.
        state: JobState,
    },
    /// The number of records in a chunk is out of range.
    #[error("a chunk of {0} records was asked for; expected 1 to {CHUNK_RECORDS_MAX}")]
    ChunkRecords(u32),
    /// The process was taken for dead while it planned, and another one plans.
    #[error("this process was silent for too long, and another one plans it")]
    TakenOver,
    /// Another process is planning the job.
    #[error("another process is planning it")]
    Planning,
    /// Another process does the fit, which only one can do at a time.
    #[error("another process is at work on it")]
    AtWork,
    /// The predictions, or the records that were learned, and the rejects of a chunk are not those of its records.
    #[error("chunk {chunk} has {expected} records, but {found} are accounted for")]
    Incomplete {
        /// The number of the chunk.
        chunk: i64,
        /// Its records.
        expected: u64,
        /// Those that were predicted, learned or rejected.
        found: u64,
    },
    /// A chunk in the database cannot be read.
    #[error("chunk {0} is damaged")]
    Damaged(i64),
    /// The run could not be stored.
    #[error(transparent)]
    Lineage(#[from] crate::lineage::LineageErrorKind),
    /// The records could not be selected.
    #[error(transparent)]
    Selection(#[from] SelectionErrorKind),
    /// Predictions could not be stored.
    #[error(transparent)]
    Prediction(#[from] crate::prediction::PredictionErrorKind),
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl JobErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownJob(_) => Some("list the jobs"),
            Self::State { state: JobState::Cancelled | JobState::Done } => {
                Some("that is final; create another job for what is not scored")
            }
            Self::State { state: JobState::Planning } => Some("resume it, which plans it first"),
            Self::State { state: JobState::Paused | JobState::Failed } => Some("resume it"),
            Self::Planning => Some("wait until it is planned"),
            Self::AtWork => Some("wait until that process is done, or end it"),
            Self::Damaged(_) => Some("check the database"),
            Self::Lineage(kind) => kind.hint(),
            Self::Selection(kind) => kind.hint(),
            Self::Prediction(kind) => kind.hint(),
            Self::Store(fault) => fault.hint(),
            _ => None,
        }
    }

    fn when(self, action: impl Into<String>) -> JobError {
        JobError { action: action.into(), kind: self }
    }
}

impl From<sqlx::Error> for JobErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
