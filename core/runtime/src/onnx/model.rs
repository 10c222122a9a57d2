//! A network with as many sessions as threads want to run it.

use std::{
    num::NonZero,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use ort::{
    session::{
        Session as OrtSession,
        builder::{AutoDevicePolicy, GraphOptimizationLevel},
    },
    value::{Outlet, ValueType},
};

use super::{
    environment::Runtime,
    record,
    session::{Names, RunError, Session},
    tensor::{Dimension, Element, Facts, TensorSpec, TensorView, TensorViewMut},
};
use crate::{
    files::{self, FileError},
    hash::Hash,
    trust::VerifiedModel,
};

/// Largest model file, of a network or of data: what fits into one ONNX message.
pub const MODEL_BYTES_MAX: u64 = (1 << 31) - 1;
/// Where ONNX Runtime looks for weights outside of the model's file. Nothing can exist inside a file, so nothing is
/// found: such weights were not hashed.
const WEIGHTS_KEY: &str = "session.model_external_initializers_file_folder_path";

/// A network that can be run from several threads at once.
///
/// It has a pool of sessions, since ONNX Runtime does not promise that one may run twice at a time. The first is made
/// when the model is opened, the others when they are first needed. Each has its own copy of the weights, so a large
/// network is better off with one session and several threads.
pub struct Model {
    runtime: Arc<Runtime>,
    hash: Hash,
    threads: usize,
    sessions_max: usize,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    names: Names,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    /// Sessions that nobody uses, the last used at the end: its memory is still in the caches.
    idle: Vec<Session>,
    /// Sessions that exist or are being made.
    made: usize,
    /// Threads that wait for a session.
    waiting: usize,
    /// The file, while there may be more sessions to make.
    source: Option<Arc<[u8]>>,
}

/// A model file can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("model `{model}`: {kind}")]
pub struct ModelError {
    /// Its file, or its hash when it came from memory.
    pub model: String,
    /// Why it can't.
    pub kind: ModelErrorKind,
}

/// Why a model file can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum ModelErrorKind {
    /// The file can't be read, or is larger than [`MODEL_BYTES_MAX`].
    #[error("{0}")]
    File(FileError),
    /// The file has changed since it was verified.
    #[error(
        "it has changed: expected BLAKE3 {expected}, found {found}; restore the file, or install the plugin again"
    )]
    Changed {
        /// The hash that was verified.
        expected: Hash,
        /// The hash of what was read now.
        found: Hash,
    },
    /// ONNX Runtime can't read or prepare it.
    #[error(
        "expected an ONNX network with its weights in the same file, found one that ONNX Runtime {version} refuses: \
         {message}"
    )]
    Refused {
        /// Version of ONNX Runtime.
        version: String,
        /// What it said.
        message: String,
    },
    /// An input or output is no tensor of numbers.
    #[error("{side} `{name}`: expected a tensor of numbers or booleans, found {found}")]
    Unsupported {
        /// `input` or `output`.
        side: &'static str,
        /// Name of the input or output.
        name: String,
        /// What the network declares.
        found: String,
    },
    /// A name in the network can't be passed on.
    #[error("expected names of inputs and outputs without zero bytes")]
    Names,
}

/// The content of a verified plugin's model file, whose hash was compared with the verified one.
pub(crate) fn read(model: &VerifiedModel) -> Result<Vec<u8>, ModelError> {
    let error = |kind| ModelError { model: model.path.display().to_string(), kind };
    let bytes =
        files::read(&model.path, MODEL_BYTES_MAX).map_err(|cause| error(ModelErrorKind::File(cause)))?;
    let (expected, found) = (model.hash, Hash::of(&bytes));
    if expected != found {
        return Err(error(ModelErrorKind::Changed { expected, found }));
    }
    Ok(bytes)
}

impl Model {
    /// Opens a network of a verified plugin, with `sessions` runs at once at most; 0 means one for each core.
    ///
    /// The file is read once; its hash is compared with the verified one, and the very same bytes become the network.
    pub fn open(runtime: &Arc<Runtime>, model: &VerifiedModel, sessions: usize) -> Result<Model, ModelError> {
        let error = |kind| ModelError { model: model.path.display().to_string(), kind };
        prepare(runtime, &read(model)?, model.hash, model.threads, sessions).map_err(error)
    }

    /// Opens a network from the bytes of its file, with `threads` for each run and `sessions` runs at once at most; 0
    /// sessions mean one for each core.
    pub fn from_bytes(
        runtime: &Arc<Runtime>,
        bytes: impl AsRef<[u8]>,
        threads: usize,
        sessions: usize,
    ) -> Result<Model, ModelError> {
        let hash = Hash::of(bytes.as_ref());
        let error = |kind| ModelError { model: hash.to_string(), kind };
        prepare(runtime, bytes.as_ref(), hash, threads, sessions).map_err(error)
    }

    /// Hash of the file that it was made from.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Threads that one run may use.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs at once at most.
    pub fn sessions_max(&self) -> usize {
        self.sessions_max
    }

    /// What it takes, in the order in which [`run`](Model::run) takes it.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What it gives, in the order in which [`run`](Model::run) gives it.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Runs the network: all of its inputs, and the first of its outputs, as many as `outputs` has, in its own order and in the
    /// exact shapes that it gives. What leads to no wanted output is not computed.
    ///
    /// Waits when as many runs as there are sessions are under way. A batch of no rows is fine if the network's
    /// operators take one.
    pub fn run(&self, inputs: &[TensorView<'_>], outputs: &mut [TensorViewMut<'_>]) -> Result<(), RunError> {
        let wanted = match outputs.len() {
            0 => &self.outputs[..],
            wanted => &self.outputs[..wanted.min(self.outputs.len())],
        };
        check("input", &self.inputs, inputs.len(), inputs.iter().map(TensorView::facts))?;
        check("output", wanted, outputs.len(), outputs.iter().map(TensorViewMut::facts))?;
        record::note(self.hash, inputs, outputs);
        let mut turn = self.take()?;
        let done = turn.session().run(&self.names, inputs, outputs);
        done.map_err(|error| RunError::Failed(error.message().to_owned()))
    }

    /// A session for one run: an idle one, a new one, or the first that is given back.
    fn take(&self) -> Result<Turn<'_>, RunError> {
        let mut pool = self.lock();
        loop {
            if let Some(session) = pool.idle.pop() {
                return Ok(Turn { model: self, session: Some(session) });
            }
            if pool.made < self.sessions_max
                && let Some(source) = pool.source.clone()
            {
                pool.made += 1;
                drop(pool);
                return self.another(&source);
            }
            pool.waiting += 1;
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.waiting -= 1;
        }
    }

    fn another(&self, source: &[u8]) -> Result<Turn<'_>, RunError> {
        match session(&self.runtime, source, self.threads) {
            Ok(session) => Ok(Turn { model: self, session: Some(session) }),
            Err(error) => {
                self.lock().made -= 1;
                Err(RunError::Failed(error.message().to_owned()))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        // No panic leaves the pool half-changed.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut model = formatter.debug_struct("Model");
        model.field("hash", &self.hash).field("inputs", &self.inputs).field("outputs", &self.outputs);
        model.finish_non_exhaustive()
    }
}

/// A session that is somebody's turn, and goes back to the pool after it.
struct Turn<'m> {
    model: &'m Model,
    /// **Invariant:** there until the turn ends.
    session: Option<Session>,
}

impl Turn<'_> {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("a turn has its session until it ends")
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pool = self.model.lock();
        pool.idle.extend(self.session.take());
        let wake = pool.waiting > 0;
        drop(pool);
        // Waking is a system call, so it is not done for nobody.
        if wake {
            self.model.returned.notify_one();
        }
    }
}

fn check<'a>(
    side: &'static str,
    declared: &[TensorSpec],
    found: usize,
    tensors: impl Iterator<Item = Facts<'a>>,
) -> Result<(), RunError> {
    if declared.len() != found {
        let side = if side == "input" { "inputs" } else { "outputs" };
        return Err(RunError::Count { side, expected: declared.len(), found });
    }
    for (spec, tensor) in declared.iter().zip(tensors) {
        if !(spec.accepts(&tensor) && tensor.fits_memory()) {
            let (name, expected, found) = (spec.name.clone(), spec.to_string(), tensor.to_string());
            return Err(RunError::Tensor { side, name, expected, found });
        }
    }
    Ok(())
}

fn prepare(
    runtime: &Arc<Runtime>,
    bytes: &[u8],
    hash: Hash,
    threads: usize,
    sessions: usize,
) -> Result<Model, ModelErrorKind> {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let sessions_max = if sessions == 0 { cores() } else { sessions };
    let threads = threads.max(1);
    let first = session(runtime, bytes, threads).map_err(|error| refused(runtime, &error))?;
    let (inputs, outputs) = first.declared();
    let inputs = specs("input", inputs)?;
    let outputs = specs("output", outputs)?;
    let names = Names::new(&inputs, &outputs).ok_or(ModelErrorKind::Names)?;
    let source = (sessions_max > 1).then(|| Arc::from(bytes));
    let pool = Mutex::new(Pool { idle: vec![first], made: 1, waiting: 0, source });
    let runtime = runtime.clone();
    Ok(Model { runtime, hash, threads, sessions_max, inputs, outputs, names, pool, returned: Condvar::new() })
}

/// ONNX Runtime's word for a network that it does not take.
pub(super) fn refused(runtime: &Runtime, error: &ort::Error) -> ModelErrorKind {
    let message = error.message().trim_end().to_owned();
    ModelErrorKind::Refused { version: runtime.version().to_owned(), message }
}

fn session(runtime: &Runtime, bytes: &[u8], threads: usize) -> ort::Result<Session> {
    Session::new(open(runtime, bytes, threads)?)
}

/// A session of ONNX Runtime, as all networks get it.
pub(super) fn open(runtime: &Runtime, bytes: &[u8], threads: usize) -> ort::Result<OrtSession> {
    let nowhere = std::env::current_exe().unwrap_or_else(|_| runtime.path().to_owned()).join("weights");
    OrtSession::builder(&runtime.environment)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        .with_config_entry(WEIGHTS_KEY, nowhere.to_string_lossy())?
        .commit_from_memory(bytes)
}

pub(super) fn specs(side: &'static str, outlets: &[Outlet]) -> Result<Vec<TensorSpec>, ModelErrorKind> {
    outlets.iter().map(|outlet| spec(side, outlet)).collect()
}

fn spec(side: &'static str, outlet: &Outlet) -> Result<TensorSpec, ModelErrorKind> {
    let unsupported = |found: String| {
        let name = outlet.name().to_owned();
        ModelErrorKind::Unsupported { side, name, found }
    };
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return Err(unsupported(outlet.dtype().to_string()));
    };
    let element = Element::declared(*ty).ok_or_else(|| unsupported(format!("elements of type {ty}")))?;
    let dimension = |(index, length): (usize, &i64)| match *length {
        // ONNX Runtime's way of saying that any length is fine.
        ..0 => Dimension::Any(dimension_symbols.get(index).cloned().unwrap_or_default()),
        length => Dimension::Fixed(length),
    };
    let shape = shape.iter().enumerate().map(dimension).collect();
    Ok(TensorSpec { name: outlet.name().to_owned(), element, shape })
}
