//! Loading a plugin and asking it for predictions.

use std::ffi::CStr;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, SchemaRef};
use foretell_abi as abi;
use foretell_abi::{ArrowArray, ArrowSchema, Bytes, Instance, OpenRequest, STATUS_CANCELLED, STATUS_OK};
use thiserror::Error;

pub use crate::exchange::UnsupportedColumn;
use crate::exchange::{BadAnswer, take};
use crate::load::Loaded;
pub use crate::load::{CallError, LoadError, LoadErrorKind, LoadOptions, Misfit};
use crate::manifest::{AbiVersion, Concurrency, Manifest, Task};
use crate::onnx::Runtime;
use crate::trust::Verified;

/// Why a batch got no predictions.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("plugin `{plugin}`: {kind}")]
pub struct PredictError {
    /// Name and version of the plugin.
    pub plugin: String,
    /// What went wrong.
    #[source]
    pub kind: PredictErrorKind,
}

/// What went wrong while predicting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PredictErrorKind {
    /// The batch is not what the manifest asks for.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The plugin stopped because it was asked to.
    #[error("cancelled")]
    Cancelled,
    /// The plugin answered with an error.
    #[error(transparent)]
    Call(CallError),
    /// The plugin answered with something else than predictions.
    #[error("{0}")]
    Answer(String),
}

impl From<BadAnswer> for PredictErrorKind {
    fn from(error: BadAnswer) -> Self {
        Self::Answer(error.to_string())
    }
}

/// Predictions for a batch, in the form that the task fixes.
#[derive(Clone, Debug)]
pub struct Predictions(StructArray);

impl Predictions {
    /// Number of predictions, which is the number of records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns that the task fixes.
    pub fn columns(&self) -> &StructArray {
        &self.0
    }

    /// Scores of a binary classification, or values of a regression.
    pub fn numbers(&self) -> Option<&[f32]> {
        Some(self.0.columns().first()?.as_primitive_opt::<Float32Type>()?.values())
    }
}

/// A loaded plugin with one open instance. Share it by reference: `predict` may be called from several threads.
///
/// The library stays mapped for the life of the process: thread-locals and release callbacks that outlive the instance
/// make unloading unsound.
pub struct Plugin {
    verified: Verified,
    loaded: Loaded,
    answer: DataType,
    instance: *mut Instance,
    serial: Option<Mutex<()>>,
}

// SAFETY: the interface says that an instance may be used from any thread, and from several at once unless the manifest
// says `serial`, which `predict` obeys with a lock.
#[expect(unsafe_code, reason = "the instance is the plugin's own, shared by contract")]
unsafe impl Send for Plugin {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "the instance is the plugin's own, shared by contract")]
unsafe impl Sync for Plugin {}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plugin").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads the library, checks it against its manifest, opens its networks, its data and an instance.
    pub fn load(
        runtime: &Arc<Runtime>,
        verified: Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let plugin = verified.title();
        load(runtime, verified, options).map_err(|kind| LoadError { plugin, kind })
    }

    /// `name@version`.
    pub fn name(&self) -> String {
        self.verified.title()
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.verified.manifest()
    }

    /// What was checked before it was loaded: paths and hashes.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The version of the plugin interface that its library says it was built for.
    pub fn abi(&self) -> AbiVersion {
        AbiVersion { major: self.loaded.table.abi_major, minor: self.loaded.table.abi_minor }
    }

    /// The settings that it was opened with, as a JSON object.
    pub fn config(&self) -> &str {
        &self.loaded.config
    }

    /// Columns that a batch must have: the manifest's inputs, then its history.
    pub fn schema(&self) -> &SchemaRef {
        &self.loaded.schema
    }

    /// Asks running calls to stop (`true`), or lets later ones go on (`false`).
    pub fn set_cancelled(&self, cancelled: bool) {
        self.loaded.set_cancelled(cancelled);
    }

    /// Predicts: one prediction for each record, in order.
    ///
    /// Costs about a microsecond beside the plugin's own work, so a batch of one is fine. A panic in the plugin is an error
    /// of this call; the instance may be used again.
    pub fn predict(&self, records: &RecordBatch) -> Result<Predictions, PredictError> {
        self.predict_kind(records).map_err(|kind| PredictError { plugin: self.name(), kind })
    }

    fn predict_kind(&self, records: &RecordBatch) -> Result<Predictions, PredictErrorKind> {
        let predict = self.loaded.table.predict.expect("checked when it was loaded");
        let answer = self.call(records, |instance, records, answer, error| {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, the records are lent for the call with the schema given at open, and the plugin
            // writes to `answer` and `error` alone.
            unsafe {
                predict(instance, records, answer, error)
            }
        })?;
        Ok(Predictions(take(answer, &self.answer, records.num_rows())?))
    }

    /// What the library exports.
    pub(crate) fn table(&self) -> &'static abi::Plugin {
        self.loaded.table
    }

    /// Lends `records` to a function of the plugin, in its turn if it takes one call after the other, and gives its answer.
    pub(crate) fn call(
        &self,
        records: &RecordBatch,
        function: impl FnOnce(*mut Instance, *const ArrowArray, *mut ArrowArray, *mut abi::Error) -> abi::Status,
    ) -> Result<ArrowArray, PredictErrorKind> {
        let lent = self.loaded.lend(records)?;
        let (mut answer, mut error) = (ArrowArray::empty(), abi::Error::empty());
        let turn = self.serial.as_ref().map(|turn| turn.lock().unwrap_or_else(|poison| poison.into_inner()));
        let status = function(self.instance, lent.as_ptr(), &raw mut answer, &raw mut error);
        drop(turn);
        match status {
            STATUS_OK => Ok(answer),
            STATUS_CANCELLED => Err(PredictErrorKind::Cancelled),
            status => Err(PredictErrorKind::Call(CallError { status, message: error.text() })),
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if let Some(close) = self.loaded.table.close {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, nobody else has it any more, and it is closed once.
            unsafe {
                close(self.instance);
            }
        }
    }
}

fn load(runtime: &Arc<Runtime>, verified: Verified, options: &LoadOptions) -> Result<Plugin, LoadErrorKind> {
    let loaded = Loaded::new(runtime, &verified, options)?;
    let manifest = verified.manifest();
    let answer = DataType::Struct(manifest.prediction_schema().fields().clone());
    let instance = open(&loaded, manifest.plugin.task, &answer)?;
    let serial = (manifest.plugin.concurrency == Concurrency::Serial).then(|| Mutex::new(()));
    Ok(Plugin { verified, loaded, answer, instance, serial })
}

fn open(loaded: &Loaded, task: Task, answer: &DataType) -> Result<*mut Instance, LoadErrorKind> {
    let records = loaded.records_type();
    let mut predictions = ArrowSchema::empty();
    let request = OpenRequest {
        size: size_of::<OpenRequest>(),
        records: (&raw const records).cast(),
        config: Bytes::new(loaded.config.as_bytes()),
        predictions: &raw mut predictions,
    };
    let (mut instance, mut error) = (std::ptr::null_mut(), abi::Error::empty());
    let call = loaded.table.open.expect("checked when it was loaded");
    #[expect(unsafe_code, reason = "calls the plugin")]
    // SAFETY: everything lent lives for the call, and the host's table as long as the instance.
    let status = unsafe { call(loaded.host(), &raw const request, &raw mut instance, &raw mut error) };
    if status != STATUS_OK {
        return Err(LoadErrorKind::Open(CallError { status, message: error.text() }));
    }
    let found = stated_type(&mut predictions);
    if found.as_ref().is_ok_and(|found| found.equals_datatype(answer)) && !instance.is_null() {
        return Ok(instance);
    }
    if !instance.is_null()
        && let Some(close) = loaded.table.close
    {
        #[expect(unsafe_code, reason = "calls the plugin")]
        // SAFETY: the instance was just opened and is not used again.
        unsafe {
            close(instance);
        }
    }
    let found = match found {
        Ok(found) => format!("stated as {found}"),
        Err(words) => words,
    };
    Err(LoadErrorKind::Predictions { task, expected: answer.clone(), found })
}

/// Reads the prediction type that a plugin stated, and releases it.
fn stated_type(schema: &mut ArrowSchema) -> Result<DataType, String> {
    if schema.release.is_none() {
        return Err("not stated".to_owned());
    }
    if schema.format.is_null() {
        return Err("stated without a format".to_owned());
    }
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: Arrow's C strings end with zero; both structs are the C Data Interface's `ArrowSchema`, layout for layout.
    unsafe {
        CStr::from_ptr(schema.format)
            .to_str()
            .map_err(|_| "stated in bytes that are not UTF-8".to_owned())?;
        let owned = FFI_ArrowSchema::from_raw(std::ptr::from_mut(schema).cast());
        DataType::try_from(&owned).map_err(|error| error.to_string())
    }
}
