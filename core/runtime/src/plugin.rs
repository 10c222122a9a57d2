//! Loading a plugin and asking it for predictions.

use std::error::Error as _;
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Schema, SchemaRef};
use foretell_abi as abi;
use foretell_abi::{
    ABI_MAJOR, ABI_MINOR, ArrowArray, ArrowSchema, Bytes, ENTRY_SYMBOL, Entry, Instance, OpenRequest,
    STATUS_CANCELLED, STATUS_OK, Status, compatible,
};
use thiserror::Error;

pub use crate::exchange::UnsupportedColumn;
use crate::exchange::{BadAnswer, Lent, Room, take};
use crate::host::Context;
use crate::manifest::{Concurrency, Manifest, Task};
use crate::onnx::{self, ModelError, Runtime};
use crate::trust::Verified;

/// Why a plugin could not be loaded.
#[derive(Debug, Error)]
#[error("plugin `{plugin}`: {kind}")]
pub struct LoadError {
    /// Name and version of the plugin.
    pub plugin: String,
    /// What went wrong.
    #[source]
    pub kind: LoadErrorKind,
}

/// What went wrong while loading.
#[derive(Debug, Error)]
pub enum LoadErrorKind {
    /// The system could not load the library.
    #[error("can't load `{path}`: {reason}; was it built for this system?")]
    Library {
        /// The library.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The library does not export the one symbol.
    #[error("`{path}` exports no `{}`; is it a foretell plugin?", ENTRY_SYMBOL.to_string_lossy())]
    Symbol {
        /// The library.
        path: PathBuf,
    },
    /// The symbol returned null, or a table that is too small to be one.
    #[error("`{}` returned {found}; expected a table of at least {} bytes", ENTRY_SYMBOL.to_string_lossy(), size_of::<abi::Plugin>())]
    Table {
        /// What it returned.
        found: String,
    },
    /// Built against an interface that this host does not serve.
    #[error("it was built for plugin interface {}.{}, and this host serves {ABI_MAJOR}.0 to {ABI_MAJOR}.{ABI_MINOR}; {}", found.0, found.1, advice(*found))]
    Abi {
        /// The plugin's major and minor number.
        found: (u32, u32),
    },
    /// The library says something else than its manifest.
    #[error(
        "its manifest says {what} `{manifest}`, its library `{library}`; they don't belong together, build and install it again"
    )]
    Disagreement {
        /// Name or version.
        what: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What the library says.
        library: String,
    },
    /// A table entry that must be there is null.
    #[error("its table has no `{0}`")]
    Missing(&'static str),
    /// A column type that does not cross.
    #[error(transparent)]
    Column(#[from] UnsupportedColumn),
    /// A network could not be opened.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The plugin refused to open.
    #[error("it did not open: {0}")]
    Open(#[source] CallError),
    /// Its predictions are not what its task fixes.
    #[error("its predictions are {found}, and the task {task} needs {expected}")]
    Predictions {
        /// Task of the manifest.
        task: Task,
        /// What the task fixes.
        expected: DataType,
        /// What the plugin stated.
        found: String,
    },
}

fn advice((major, minor): (u32, u32)) -> &'static str {
    if major == ABI_MAJOR && minor > ABI_MINOR {
        "update foretell"
    } else if major > ABI_MAJOR {
        "update foretell, or get a build of the plugin for this version"
    } else {
        "rebuild the plugin with the current SDK or header"
    }
}

/// A call that the plugin answered with an error.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct CallError {
    /// One of the `STATUS_` numbers of `foretell-abi`.
    pub status: Status,
    /// The plugin's words.
    pub message: String,
}

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
    #[error("the records have the columns [{found}]; expected [{expected}]")]
    Schema {
        /// Columns of the manifest.
        expected: String,
        /// Columns of the batch.
        found: String,
    },
    /// More rows than the manifest allows in a call.
    #[error("{found} records in one call; its manifest allows {allowed}")]
    Rows {
        /// `rows_max` of the manifest.
        allowed: usize,
        /// Rows of the batch.
        found: usize,
    },
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

/// How to open a plugin.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Changes to the manifest's `[config]`, by key.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Calls of `predict` that may run a network at once; 0 means one for each core.
    pub sessions: usize,
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
    config: String,
    schema: SchemaRef,
    answer: DataType,
    room: Room,
    instance: *mut Instance,
    table: &'static abi::Plugin,
    serial: Option<Mutex<()>>,
    context: Box<Context>,
    /// The plugin holds its address.
    _host: Box<abi::Host>,
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
    /// Loads the library, checks it against its manifest, opens its networks and an instance.
    pub fn load(
        runtime: &Arc<Runtime>,
        verified: Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let plugin = title(verified.manifest());
        load(runtime, verified, options).map_err(|kind| LoadError { plugin, kind })
    }

    /// `name@version`.
    pub fn name(&self) -> String {
        title(self.manifest())
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.verified.manifest()
    }

    /// What was checked before it was loaded: paths and hashes.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The settings that it was opened with, as a JSON object.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Columns that a batch must have: the manifest's inputs, then its history.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Asks running calls to stop (`true`), or lets later ones go on (`false`).
    pub fn set_cancelled(&self, cancelled: bool) {
        self.context.set_cancelled(cancelled);
    }

    /// Predicts: one prediction for each record, in order.
    ///
    /// Costs about a microsecond beside the plugin's own work, so a batch of one is fine. A panic in the plugin is an error
    /// of this call; the instance may be used again.
    pub fn predict(&self, records: &RecordBatch) -> Result<Predictions, PredictError> {
        self.predict_kind(records).map_err(|kind| PredictError { plugin: self.name(), kind })
    }

    fn predict_kind(&self, records: &RecordBatch) -> Result<Predictions, PredictErrorKind> {
        if !Arc::ptr_eq(records.schema_ref(), &self.schema)
            && !same_columns(records.schema_ref(), &self.schema)
        {
            return Err(PredictErrorKind::Schema {
                expected: columns(&self.schema),
                found: columns(records.schema_ref()),
            });
        }
        let allowed = self.manifest().limits.rows_max;
        if records.num_rows() > allowed {
            return Err(PredictErrorKind::Rows { allowed, found: records.num_rows() });
        }
        let lent = Lent::new(records, self.room);
        let (mut answer, mut error) = (ArrowArray::empty(), abi::Error::empty());
        let predict = self.table.predict.expect("checked when it was loaded");
        let turn = self.serial.as_ref().map(|turn| turn.lock().unwrap_or_else(|poison| poison.into_inner()));
        #[expect(unsafe_code, reason = "calls the plugin")]
        // SAFETY: the instance is open, the records are lent for the call with the schema given at open, and the plugin
        // writes to `answer` and `error` alone.
        let status = unsafe { predict(self.instance, lent.as_ptr(), &raw mut answer, &raw mut error) };
        drop(turn);
        match status {
            STATUS_OK => Ok(Predictions(take(answer, &self.answer, records.num_rows())?)),
            STATUS_CANCELLED => Err(PredictErrorKind::Cancelled),
            status => Err(PredictErrorKind::Call(CallError { status, message: error.text() })),
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if let Some(close) = self.table.close {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, nobody else has it any more, and it is closed once.
            unsafe {
                close(self.instance);
            }
        }
    }
}

fn title(manifest: &Manifest) -> String {
    format!("{}@{}", manifest.plugin.name, manifest.plugin.version)
}

fn columns(schema: &Schema) -> String {
    let columns: Vec<_> =
        schema.fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
    columns.join(", ")
}

fn same_columns(found: &Schema, expected: &Schema) -> bool {
    found.fields().len() == expected.fields().len()
        && found.fields().iter().zip(expected.fields()).all(|(found, expected)| {
            found.name() == expected.name() && found.data_type().equals_datatype(expected.data_type())
        })
}

fn load(runtime: &Arc<Runtime>, verified: Verified, options: &LoadOptions) -> Result<Plugin, LoadErrorKind> {
    let table = find_table(&verified)?;
    agree(verified.manifest(), table)?;
    let manifest = verified.manifest();
    let schema: SchemaRef = Arc::new(manifest.records_schema());
    let room = Room::of(&schema)?;
    let models = verified
        .models()
        .iter()
        .map(|model| Ok((model.name.clone(), onnx::Model::open(runtime, model, options.sessions)?)))
        .collect::<Result<Vec<_>, ModelError>>()?;
    let mut config = manifest.config_json();
    config.extend(options.config.clone());
    let config = serde_json::Value::Object(config).to_string();
    let context = Context::new(title(manifest), models);
    let host = context.table();
    let answer = DataType::Struct(manifest.prediction_schema().fields().clone());
    let instance = open(table, &host, &schema, &config, manifest.plugin.task, &answer)?;
    let serial = (manifest.plugin.concurrency == Concurrency::Serial).then(|| Mutex::new(()));
    Ok(Plugin { verified, config, schema, answer, room, instance, table, serial, context, _host: host })
}

/// Loads the library, and finds its table.
fn find_table(verified: &Verified) -> Result<&'static abi::Plugin, LoadErrorKind> {
    let path = verified.library().to_path_buf();
    #[expect(unsafe_code, reason = "runs native code")]
    // SAFETY: loading runs the library's initialisers. The user decided to trust this file, and its hash was just checked.
    let library = unsafe { libloading::Library::new(&path) }.map_err(|error| LoadErrorKind::Library {
        path: path.clone(),
        reason: error.source().map_or_else(|| error.to_string(), ToString::to_string),
    })?;
    // The library is never unloaded: see `Plugin`.
    let library: &'static libloading::Library = Box::leak(Box::new(library));
    #[expect(unsafe_code, reason = "runs native code")]
    // SAFETY: the symbol of this name is an `Entry`, by the contract that the manifest claims.
    let pointer = unsafe {
        match library.get::<Entry>(ENTRY_SYMBOL) {
            Ok(entry) => entry(),
            Err(_) => return Err(LoadErrorKind::Symbol { path }),
        }
    };
    if pointer.is_null() {
        return Err(LoadErrorKind::Table { found: "null".to_owned() });
    }
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: the first three fields stand at the same place in every version of the interface.
    let (size, found) = unsafe { ((*pointer).size, ((*pointer).abi_major, (*pointer).abi_minor)) };
    if !compatible((ABI_MAJOR, ABI_MINOR), found) {
        return Err(LoadErrorKind::Abi { found });
    }
    if size < size_of::<abi::Plugin>() {
        return Err(LoadErrorKind::Table { found: format!("a table of {size} bytes") });
    }
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: the table has at least our size, and lives as long as the process.
    Ok(unsafe { &*pointer })
}

/// Checks that the library is the one that the manifest describes, and that it has every function.
fn agree(manifest: &Manifest, table: &abi::Plugin) -> Result<(), LoadErrorKind> {
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: name and version live as long as the table.
    let (name, version) = unsafe { (table.name.as_slice(), table.version.as_slice()) };
    let version_said = manifest.plugin.version.to_string();
    for (what, said, found) in
        [("name", manifest.plugin.name.as_str(), name), ("version", version_said.as_str(), version)]
    {
        let found = String::from_utf8_lossy(found);
        if found != said {
            return Err(LoadErrorKind::Disagreement {
                what,
                manifest: said.to_owned(),
                library: found.into_owned(),
            });
        }
    }
    let entries = [
        ("open", table.open.is_some()),
        ("predict", table.predict.is_some()),
        ("close", table.close.is_some()),
    ];
    match entries.into_iter().find(|(_, there)| !there) {
        Some((name, _)) => Err(LoadErrorKind::Missing(name)),
        None => Ok(()),
    }
}

fn open(
    table: &abi::Plugin,
    host: &abi::Host,
    schema: &Schema,
    config: &str,
    task: Task,
    answer: &DataType,
) -> Result<*mut Instance, LoadErrorKind> {
    let records =
        FFI_ArrowSchema::try_from(schema).expect("every type that `Room::of` accepts has a C format");
    let mut predictions = ArrowSchema::empty();
    let request = OpenRequest {
        size: size_of::<OpenRequest>(),
        records: (&raw const records).cast(),
        config: Bytes::new(config.as_bytes()),
        predictions: &raw mut predictions,
    };
    let (mut instance, mut error) = (std::ptr::null_mut(), abi::Error::empty());
    let call = table.open.expect("checked by `agree`");
    #[expect(unsafe_code, reason = "calls the plugin")]
    // SAFETY: everything lent lives for the call, and `host` as long as the instance.
    let status = unsafe { call(host, &raw const request, &raw mut instance, &raw mut error) };
    if status != STATUS_OK {
        return Err(LoadErrorKind::Open(CallError { status, message: error.text() }));
    }
    let found = stated_type(&mut predictions);
    if found.as_ref().is_ok_and(|found| found.equals_datatype(answer)) && !instance.is_null() {
        return Ok(instance);
    }
    if !instance.is_null()
        && let Some(close) = table.close
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
