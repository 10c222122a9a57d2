//! What an instance and a fitting stand on: the library and its table, the networks and the data, the host's side.

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, Schema, SchemaRef};
use foretell_abi as abi;
use foretell_abi::{ABI_MAJOR, ABI_MINOR, ENTRY_SYMBOL, Entry, Status, compatible};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::exchange::{Lent, Room, UnsupportedColumn};
use crate::host::Context;
use crate::manifest::{Manifest, ModelFormat, Task};
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
    /// The process of an isolated plugin did not come so far as to open it.
    #[error("{0}")]
    Apart(String),
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
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
#[error("{message}")]
pub struct CallError {
    /// One of the `STATUS_` numbers of `foretell-abi`.
    pub status: Status,
    /// The plugin's words.
    pub message: String,
}

/// How to open a plugin.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Changes to the manifest's `[config]`, by key.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Calls of `predict` that may run a network at once; 0 means one for each core.
    pub sessions: usize,
    /// Columns to open it with instead of the manifest's. Nobody who wants a prediction sets this: it is for asking what a plugin
    /// says of records that it was not made for.
    pub records: Option<SchemaRef>,
}

/// What a plugin is opened with and given, wherever it runs.
pub(crate) struct Given {
    /// Columns of the records.
    pub(crate) schema: SchemaRef,
    /// The settings, as a JSON object.
    pub(crate) config: String,
    room: Room,
    rows_max: usize,
}

impl Given {
    pub(crate) fn new(manifest: &Manifest, options: &LoadOptions) -> Result<Self, UnsupportedColumn> {
        let schema = options.records.clone().unwrap_or_else(|| Arc::new(manifest.records_schema()));
        let room = Room::of(&schema)?;
        let mut config = manifest.config_json();
        config.extend(options.config.clone());
        let config = serde_json::Value::Object(config).to_string();
        Ok(Self { schema, config, room, rows_max: manifest.limits.rows_max })
    }

    /// Whether a batch is what the manifest asks for.
    pub(crate) fn fits(&self, records: &RecordBatch) -> Result<(), Misfit> {
        if !Arc::ptr_eq(records.schema_ref(), &self.schema)
            && !same_columns(records.schema_ref(), &self.schema)
        {
            return Err(Misfit::Schema {
                expected: columns(&self.schema),
                found: columns(records.schema_ref()),
            });
        }
        if records.num_rows() > self.rows_max {
            return Err(Misfit::Rows { allowed: self.rows_max, found: records.num_rows() });
        }
        Ok(())
    }
}

/// A loaded library, and what its calls need.
pub(crate) struct Loaded {
    pub(crate) table: &'static abi::Plugin,
    pub(crate) given: Given,
    context: Box<Context>,
    /// The plugin holds its address.
    host: Box<abi::Host>,
}

/// Why a batch can't be given to a plugin.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Misfit {
    /// It is not what the manifest asks for.
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
}

impl Loaded {
    /// Loads the library, checks it against its manifest, and opens its networks and data.
    pub(crate) fn new(
        runtime: &Arc<Runtime>,
        verified: &Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadErrorKind> {
        let table = find_table(verified)?;
        let manifest = verified.manifest();
        agree(manifest, table)?;
        let given = Given::new(manifest, options)?;
        let (mut networks, mut data) = (Vec::new(), Vec::new());
        for model in verified.models() {
            let name = model.name.clone();
            match model.format {
                ModelFormat::Onnx => {
                    networks.push((name, onnx::Model::open(runtime, model, options.sessions)?));
                }
                ModelFormat::Data => data.push((name, onnx::read(model)?)),
            }
        }
        let context = Context::new(verified.title(), networks, data);
        let host = context.table();
        Ok(Self { table, given, context, host })
    }

    /// The host's table, which stays where it is.
    pub(crate) fn host(&self) -> &abi::Host {
        &self.host
    }

    /// The type of the records, as a plugin reads it.
    pub(crate) fn records_type(&self) -> FFI_ArrowSchema {
        FFI_ArrowSchema::try_from(self.given.schema.as_ref())
            .expect("every type that `Room::of` accepts has a C format")
    }

    /// Asks running calls to stop (`true`), or lets later ones go on (`false`).
    pub(crate) fn set_cancelled(&self, cancelled: bool) {
        self.context.set_cancelled(cancelled);
    }

    /// Lends a batch to the plugin, if it is what the manifest asks for.
    pub(crate) fn lend<'a>(&self, records: &'a RecordBatch) -> Result<Lent<'a>, Misfit> {
        self.given.fits(records)?;
        Ok(Lent::new(records, self.given.room))
    }
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

/// Asks a library for a capability: nothing where it has none, and the size that its table states where that is too small.
///
/// # Safety
/// What the interface puts under `id` must be a `T`, which begins with its size in bytes.
#[expect(unsafe_code, reason = "calls the plugin, and reads what it made")]
pub(crate) unsafe fn capability<T>(plugin: &abi::Plugin, id: &str) -> Option<Result<&'static T, usize>> {
    // SAFETY: the id is lent for the call.
    let table = unsafe { plugin.capability?(abi::Bytes::new(id.as_bytes())) }.cast::<T>();
    if table.is_null() {
        return None;
    }
    // SAFETY: every table begins with its size.
    let size = unsafe { *table.cast::<usize>() };
    // SAFETY: the table has at least our size, and lives as long as the process.
    Some(if size < size_of::<T>() { Err(size) } else { Ok(unsafe { &*table }) })
}

/// A version without its build metadata, which says what a plugin has learned, and not what it does.
fn without_build(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// Checks that the library is the one that the manifest describes, and that it has every function.
fn agree(manifest: &Manifest, table: &abi::Plugin) -> Result<(), LoadErrorKind> {
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: name and version live as long as the table.
    let (name, version) = unsafe { (table.name.as_slice(), table.version.as_slice()) };
    let (name, version) = (String::from_utf8_lossy(name), String::from_utf8_lossy(version));
    let (said, version_said) = match &manifest.plugin.engine {
        Some(engine) => (&engine.name, engine.version.to_string()),
        None => (&manifest.plugin.name, manifest.plugin.version.to_string()),
    };
    for (what, said, found, agree) in [
        ("name", said, &name, *name == *said),
        ("version", &version_said, &version, without_build(&version) == without_build(&version_said)),
    ] {
        if !agree {
            let (manifest, library) = (said.clone(), found.clone().into_owned());
            return Err(LoadErrorKind::Disagreement { what, manifest, library });
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
