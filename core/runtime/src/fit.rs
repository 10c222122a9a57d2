//! Learning: a plugin makes its data files anew from stored records.
//!
//! A plugin that can learn says in its manifest which of its models it writes (`[fit]`), and its library has the capability
//! `foretell.fit/1`. A [`Fitting`] is given the records batch by batch, in the order of their times, and gives the files at
//! the end; [`Registry::install_fitted`](crate::registry::Registry::install_fitted) makes them a version of the plugin.
//!
//! ```no_run
//! # use std::{error::Error, sync::Arc};
//! # use arrow_array::RecordBatch;
//! use foretell_runtime::fit::{FitStart, Fitting};
//! # use foretell_runtime::{onnx::Runtime, plugin::LoadOptions, registry::Registry};
//!
//! # fn learn(registry: &Registry, runtime: &Arc<Runtime>, batches: Vec<RecordBatch>) -> Result<(), Box<dyn Error>> {
//! let base = registry.verify(&registry.find("item-pairs@0.1.0")?)?;
//! let fitting = Fitting::begin(runtime, &base, &LoadOptions::default(), FitStart { seed: 7, update: false })?;
//! for batch in batches {
//!     fitting.learn(&batch)?;
//! }
//! registry.install_fitted(&base, &"0.1.0+fit.20261124015512".parse()?, &fitting.finish()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! - **Invariant:** what is learned leaves a fitting whole or not at all: after an error of the plugin it has ended.
//! - **Invariant:** a fitting gives each model that `[fit]` lists, and no other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use foretell_abi as abi;
use foretell_abi::{
    ArrowArray, Bytes, FIT_CAPABILITY, FitOutput, FitOutputContext, FitRequest, STATUS_CANCELLED,
    STATUS_INVALID, STATUS_OK, Status,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::isolation::{ApartFitting, Ended};
use crate::load::{CallError, LoadErrorKind, LoadOptions, Loaded, Misfit, capability};
use crate::onnx::{MODEL_BYTES_MAX, Runtime};
use crate::trust::Verified;

/// Why a plugin did not learn.
#[derive(Debug, Error)]
#[error("plugin `{plugin}`: {kind}")]
pub struct FitError {
    /// Name and version of the plugin.
    pub plugin: String,
    /// What went wrong.
    #[source]
    pub kind: FitErrorKind,
}

/// What went wrong while learning.
#[derive(Debug, Error)]
pub enum FitErrorKind {
    /// It could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadErrorKind),
    /// It is a plugin that does not learn.
    #[error("its manifest has no `[fit]`: it does not learn from records")]
    NotFittable,
    /// The library can't do what the manifest says.
    #[error(
        "its manifest has `[fit]`, and its library no `{FIT_CAPABILITY}`; they don't belong together, build and install it again"
    )]
    NoCapability,
    /// The capability's table is too small to be one.
    #[error("its `{FIT_CAPABILITY}` is a table of {found} bytes; expected at least {}", size_of::<abi::Fit>())]
    Table {
        /// The size that it states.
        found: usize,
    },
    /// A function of the capability is null.
    #[error("its `{FIT_CAPABILITY}` has no `{0}`")]
    Missing(&'static str),
    /// The plugin refused to begin.
    #[error("it did not begin to learn: {0}")]
    Begin(#[source] CallError),
    /// The plugin began, and gave nothing to go on with.
    #[error("it said that it had begun to learn, and returned null")]
    Nothing,
    /// The batch is not what the manifest asks for.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The plugin could not learn from a batch.
    #[error("it did not learn: {0}")]
    Learn(#[source] CallError),
    /// The plugin could not write what it learned.
    #[error("it did not write what it learned: {0}")]
    Finish(#[source] CallError),
    /// The plugin stopped because it was asked to.
    #[error("cancelled")]
    Cancelled,
    /// It was finished, or failed, before.
    #[error("learning has ended; begin again, with the first record")]
    Ended,
    /// It wrote to something else than its `[fit]` lists.
    #[error("it wrote to `{model}`; expected one of the models of its manifest's `[fit]`: {}", listed.join(", "))]
    Unlisted {
        /// The name that it wrote to.
        model: String,
        /// The names in the manifest.
        listed: Vec<String>,
    },
    /// It learned, and left a model out.
    #[error("it wrote nothing to `{0}`, which its manifest's `[fit]` lists")]
    Unwritten(String),
    /// It wrote more than a model file may have.
    #[error("it wrote more than {MODEL_BYTES_MAX} bytes to `{0}`; expected at most as many")]
    TooLarge(String),
    /// It wrote bytes that are nowhere.
    #[error("it wrote {length} bytes to `{model}` from a null pointer")]
    Null {
        /// The model.
        model: String,
        /// How many bytes it said there were.
        length: usize,
    },
    /// The process of an isolated plugin came to an early end, and what it had learned is gone.
    #[error(transparent)]
    Process(#[from] Ended),
    /// An isolated plugin did not do it; these are the words of its process.
    #[error("{0}")]
    Apart(String),
}

/// How learning begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FitStart {
    /// Where everything random begins: the same seed, records and settings give the same files.
    pub seed: u64,
    /// Whether to go on from the files that the plugin has, with records that they have not seen.
    pub update: bool,
}

/// A plugin that is learning. Share it by reference; calls take turns.
///
/// Its code runs in this process, or in another one if the runtime that loaded it [isolates](crate::isolation).
pub struct Fitting {
    plugin: String,
    place: Place,
}

/// Where the code of a plugin runs.
enum Place {
    Here(Box<Lesson>),
    Apart(Box<ApartFitting>),
}

/// A plugin that is learning in this process.
struct Lesson {
    loaded: Loaded,
    calls: Calls,
    /// Models that the plugin writes.
    models: Vec<String>,
    /// The plugin's own; nothing once it has ended.
    state: Mutex<Option<*mut abi::Fitting>>,
}

// SAFETY: the interface says that a fitting may be used from any thread, by one at a time, which the lock around it sees to.
#[expect(unsafe_code, reason = "the fitting is the plugin's own, handed from thread to thread by contract")]
unsafe impl Send for Lesson {}
// SAFETY: as above; what else is shared is not changed.
#[expect(unsafe_code, reason = "the fitting is the plugin's own, handed from thread to thread by contract")]
unsafe impl Sync for Lesson {}

impl std::fmt::Debug for Fitting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fitting").field("plugin", &self.plugin).finish_non_exhaustive()
    }
}

/// The functions of the capability, all there.
#[derive(Clone, Copy)]
struct Calls {
    begin: Begin,
    learn: unsafe extern "C" fn(*mut abi::Fitting, *const ArrowArray, *mut abi::Error) -> Status,
    finish: unsafe extern "C" fn(*mut abi::Fitting, *const FitOutput, *mut abi::Error) -> Status,
    end: unsafe extern "C" fn(*mut abi::Fitting),
}
type Begin = unsafe extern "C" fn(
    *const abi::Host,
    *const FitRequest,
    *mut *mut abi::Fitting,
    *mut abi::Error,
) -> Status;

impl Fitting {
    /// Loads the plugin as for predictions, and has it begin.
    pub fn begin(
        runtime: &Arc<Runtime>,
        verified: &Verified,
        options: &LoadOptions,
        start: FitStart,
    ) -> Result<Fitting, FitError> {
        let place = match runtime.isolation() {
            None => begin(runtime, verified, options, start).map(|lesson| Place::Here(Box::new(lesson))),
            Some(isolation) => ApartFitting::begin(isolation, runtime, verified, options, start)
                .map(|apart| Place::Apart(Box::new(apart))),
        };
        let plugin = verified.title();
        match place {
            Ok(place) => Ok(Self { plugin, place }),
            Err(kind) => Err(FitError { plugin, kind }),
        }
    }

    /// Columns that a batch must have: those of [`Plugin::schema`](crate::plugin::Plugin::schema).
    pub fn schema(&self) -> &SchemaRef {
        match &self.place {
            Place::Here(lesson) => &lesson.loaded.given.schema,
            Place::Apart(apart) => apart.schema(),
        }
    }

    /// Asks a running call to stop (`true`), or lets later ones go on (`false`). An isolated plugin is not asked: its process ends.
    pub fn set_cancelled(&self, cancelled: bool) {
        match &self.place {
            Place::Here(lesson) => lesson.loaded.set_cancelled(cancelled),
            Place::Apart(apart) => apart.set_cancelled(cancelled),
        }
    }

    /// Learns from the next records: each once, in the order of event time, then of record id.
    ///
    /// A batch that is not what the manifest asks for is refused, and learning can go on; after any other error it has ended.
    pub fn learn(&self, records: &RecordBatch) -> Result<(), FitError> {
        let learned = match &self.place {
            Place::Here(lesson) => lesson.learn(records),
            Place::Apart(apart) => apart.learn(records),
        };
        learned.map_err(|kind| self.error(kind))
    }

    /// Ends the learning, and gives the content of each model that `[fit]` lists, in its order.
    pub fn finish(&self) -> Result<Vec<(String, Vec<u8>)>, FitError> {
        let written = match &self.place {
            Place::Here(lesson) => lesson.finish(),
            Place::Apart(apart) => apart.finish(),
        };
        written.map_err(|kind| self.error(kind))
    }

    fn error(&self, kind: FitErrorKind) -> FitError {
        FitError { plugin: self.plugin.clone(), kind }
    }
}

impl Lesson {
    fn learn(&self, records: &RecordBatch) -> Result<(), FitErrorKind> {
        let lent = self.loaded.lend(records)?;
        let mut state = self.lock();
        let fitting = state.ok_or(FitErrorKind::Ended)?;
        let mut error = abi::Error::empty();
        #[expect(unsafe_code, reason = "calls the plugin")]
        // SAFETY: the fitting has not ended and is used by this thread alone, and the records are lent for the call with the
        // schema given at its beginning.
        let status = unsafe { (self.calls.learn)(fitting, lent.as_ptr(), &raw mut error) };
        answered(status, &error, FitErrorKind::Learn).inspect_err(|_| self.end(&mut state))
    }

    fn finish(&self) -> Result<Vec<(String, Vec<u8>)>, FitErrorKind> {
        let mut state = self.lock();
        let fitting = state.ok_or(FitErrorKind::Ended)?;
        let written = Mutex::new(Written::new(&self.models));
        let output = FitOutput {
            size: size_of::<FitOutput>(),
            context: (&raw const written).cast(),
            write: Some(write),
        };
        let mut error = abi::Error::empty();
        #[expect(unsafe_code, reason = "calls the plugin")]
        // SAFETY: the fitting has not ended and is used by this thread alone; the output is lent for the call.
        let status = unsafe { (self.calls.finish)(fitting, &raw const output, &raw mut error) };
        self.end(&mut state);
        let written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What the host refused says more than what the plugin made of it, if it made anything of it.
        written.refused.map_or(Ok(()), Err)?;
        answered(status, &error, FitErrorKind::Finish)?;
        written
            .contents
            .into_iter()
            .map(|(model, content)| match content {
                Some(content) => Ok((model, content)),
                None => Err(FitErrorKind::Unwritten(model)),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<*mut abi::Fitting>> {
        // No panic leaves the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, state: &mut Option<*mut abi::Fitting>) {
        if let Some(fitting) = state.take() {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the fitting has not ended, is used by this thread alone, and not any more.
            unsafe {
                (self.calls.end)(fitting);
            }
        }
    }
}

impl Drop for Lesson {
    fn drop(&mut self) {
        self.end(&mut self.lock());
    }
}

fn begin(
    runtime: &Arc<Runtime>,
    verified: &Verified,
    options: &LoadOptions,
    start: FitStart,
) -> Result<Lesson, FitErrorKind> {
    let models = verified.manifest().fit.as_ref().ok_or(FitErrorKind::NotFittable)?.models.clone();
    let loaded = Loaded::new(runtime, verified, options)?;
    let calls = calls(loaded.table)?;
    let records = loaded.records_type();
    let request = FitRequest {
        size: size_of::<FitRequest>(),
        records: (&raw const records).cast(),
        config: Bytes::new(loaded.given.config.as_bytes()),
        seed: start.seed,
        update: i32::from(start.update),
    };
    let (mut fitting, mut error) = (std::ptr::null_mut(), abi::Error::empty());
    #[expect(unsafe_code, reason = "calls the plugin")]
    // SAFETY: everything lent lives for the call, and the host's table as long as the fitting.
    let status =
        unsafe { (calls.begin)(loaded.host(), &raw const request, &raw mut fitting, &raw mut error) };
    answered(status, &error, FitErrorKind::Begin)?;
    if fitting.is_null() {
        return Err(FitErrorKind::Nothing);
    }
    Ok(Lesson { loaded, calls, models, state: Mutex::new(Some(fitting)) })
}

/// Asks a library for the capability, and checks that its table is whole.
fn calls(plugin: &abi::Plugin) -> Result<Calls, FitErrorKind> {
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: what stands under this id is a `Fit`.
    let table = unsafe { capability::<abi::Fit>(plugin, FIT_CAPABILITY) }
        .ok_or(FitErrorKind::NoCapability)?
        .map_err(|found| FitErrorKind::Table { found })?;
    Ok(Calls {
        begin: table.begin.ok_or(FitErrorKind::Missing("begin"))?,
        learn: table.learn.ok_or(FitErrorKind::Missing("learn"))?,
        finish: table.finish.ok_or(FitErrorKind::Missing("finish"))?,
        end: table.end.ok_or(FitErrorKind::Missing("end"))?,
    })
}

fn answered(
    status: Status,
    error: &abi::Error,
    kind: impl FnOnce(CallError) -> FitErrorKind,
) -> Result<(), FitErrorKind> {
    match status {
        STATUS_OK => Ok(()),
        STATUS_CANCELLED => Err(FitErrorKind::Cancelled),
        status => Err(kind(CallError { status, message: error.text() })),
    }
}

/// What a plugin has written so far.
struct Written {
    /// The models of `[fit]`, each with its content once something was written.
    contents: Vec<(String, Option<Vec<u8>>)>,
    /// The first write that was refused, which the plugin may have ignored.
    refused: Option<FitErrorKind>,
}

impl Written {
    fn new(models: &[String]) -> Self {
        Self { contents: models.iter().map(|model| (model.clone(), None)).collect(), refused: None }
    }

    fn append(&mut self, model: &str, bytes: Bytes) -> Result<(), FitErrorKind> {
        let Some((_, content)) = self.contents.iter_mut().find(|(known, _)| known == model) else {
            let listed = self.contents.iter().map(|(known, _)| known.clone()).collect();
            return Err(FitErrorKind::Unlisted { model: model.to_owned(), listed });
        };
        let content = content.get_or_insert_default();
        // Before the bytes are looked at: a wild length must not be followed.
        if bytes.length as u64 > MODEL_BYTES_MAX - content.len() as u64 {
            return Err(FitErrorKind::TooLarge(model.to_owned()));
        }
        if bytes.data.is_null() && bytes.length > 0 {
            return Err(FitErrorKind::Null { model: model.to_owned(), length: bytes.length });
        }
        #[expect(unsafe_code, reason = "reads what a plugin lends")]
        // SAFETY: the plugin lends the bytes for the call.
        content.extend_from_slice(unsafe { bytes.as_slice() });
        Ok(())
    }
}

#[expect(unsafe_code, reason = "called by the plugin through the C interface")]
unsafe extern "C" fn write(
    context: *const FitOutputContext,
    model: Bytes,
    bytes: Bytes,
    error: *mut abi::Error,
) -> Status {
    // SAFETY: the plugin hands back the context that it was lent, and lends the name for the call.
    let (written, model) =
        unsafe { (&*context.cast::<Mutex<Written>>(), String::from_utf8_lossy(model.as_slice())) };
    let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
    let Err(refusal) = written.append(&model, bytes) else { return STATUS_OK };
    // SAFETY: the plugin lends an error struct or null.
    if let Some(error) = unsafe { error.as_mut() } {
        error.set(&refusal.to_string());
    }
    written.refused.get_or_insert(refusal);
    STATUS_INVALID
}
