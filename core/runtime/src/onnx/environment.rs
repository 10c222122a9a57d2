//! ONNX Runtime, started once for the whole process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ort::{environment::Environment, logging::LogLevel};

use super::locate::{Library, NotFound, Places, locate};
use crate::isolation::Isolation;

/// The one ONNX Runtime of this process, once it has started.
static RUNNING: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

/// ONNX Runtime, started; and where plugins run that are loaded with it.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: Environment,
    library: Library,
    isolation: Option<Isolation>,
}

/// ONNX Runtime can't be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is no usable library.
    #[error("{0}")]
    NotFound(NotFound),
    /// The library was found, and failed.
    #[error("ONNX Runtime `{path}` does not start: {message}", path = path.display())]
    Failed {
        /// The library.
        path: PathBuf,
        /// What it said.
        message: String,
    },
    /// Another library than the running one was asked for by name, and a process can't have two.
    #[error(
        "expected ONNX Runtime `{wanted}`, but `{running}` is running in this process; name one library only",
        wanted = wanted.display(), running = running.display()
    )]
    Another {
        /// The library that was asked for.
        wanted: PathBuf,
        /// The library that runs.
        running: PathBuf,
    },
}

impl Runtime {
    /// Starts ONNX Runtime with the first usable library of `places`, or gives the one that is running.
    ///
    /// Takes 20 to 60 ms the first time. A start that failed can be tried again.
    pub fn start(places: &Places) -> Result<Arc<Runtime>, StartError> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*running {
            return runtime.is_meant_by(places).map(|()| runtime.clone());
        }
        let library = locate(places).library().map_err(StartError::NotFound)?;
        refuse_telemetry();
        let failed = |message: String| StartError::Failed { path: library.path.clone(), message };
        let builder = ort::init_from(&library.path).map_err(|error| failed(error.to_string()))?;
        let environment =
            builder.with_name("foretell").with_telemetry(false).with_logger(Arc::new(log)).build();
        let environment = environment.map_err(|error| failed(error.message().to_owned()))?;
        // The logger is called for every message of at least this level, so below it nothing is even written down.
        environment.set_log_level(LogLevel::Warning);
        let runtime = Arc::new(Runtime { environment, library, isolation: None });
        *running = Some(runtime.clone());
        Ok(runtime)
    }

    fn is_meant_by(&self, places: &Places) -> Result<(), StartError> {
        let same = |path: &Path| {
            path == self.path() || fs::canonicalize(path).ok() == fs::canonicalize(self.path()).ok()
        };
        match places.named() {
            Some(wanted) if !same(wanted) => {
                Err(StartError::Another { wanted: wanted.to_owned(), running: self.path().to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// The same ONNX Runtime, with which plugins are loaded into processes of their own.
    ///
    /// It stands here, and not at each place where a plugin is loaded, so that none of them can forget it.
    pub fn isolating(&self, isolation: Isolation) -> Arc<Runtime> {
        let (environment, library) = (self.environment.clone(), self.library.clone());
        Arc::new(Runtime { environment, library, isolation: Some(isolation) })
    }

    /// The same, with no call of an isolated plugin longer than `time`. Where nothing is isolated, nothing changes.
    pub fn within(self: &Arc<Self>, time: Duration) -> Arc<Runtime> {
        match &self.isolation {
            Some(isolation) => self.isolating(isolation.within(time)),
            None => Arc::clone(self),
        }
    }

    /// How plugins are isolated, if they are.
    pub fn isolation(&self) -> Option<&Isolation> {
        self.isolation.as_ref()
    }

    /// The environment of `ort`, for whoever wants to run a network without this crate, such as a benchmark that compares
    /// the two: a process can't have another.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Version of the library, such as `1.32.0`.
    pub fn version(&self) -> &str {
        &self.library.version
    }

    /// The library's file, or its name alone when the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.library.path
    }
}

/// Tells ONNX Runtime, before it is loaded, that this process takes no part in its telemetry.
///
/// To turn telemetry off in the environment, which is done too, is not enough: by then ONNX Runtime 1.32 has made an identifier
/// of the device and a file of events in the user's cache directory. [`Runtime::start`] calls this; a program that has
/// threads of its own calls it before the first one begins.
#[expect(unsafe_code, reason = "ONNX Runtime takes the word of a variable of the environment alone")]
pub fn refuse_telemetry() {
    /// What ONNX Runtime looks for.
    const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the standard library guards its own look at the environment by a lock, and so does this. What remains is a
        // thread of C code that looks at the environment at this very moment: programs call this before there are threads,
        // and ONNX Runtime, which reads the variable, is not loaded yet.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}

/// Hands a message of ONNX Runtime to the log of this process.
fn log(level: LogLevel, _category: &str, id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Verbose => tracing::trace!(target: "onnxruntime", id, place, "{message}"),
        LogLevel::Info => tracing::debug!(target: "onnxruntime", id, place, "{message}"),
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", id, place, "{message}"),
        // Errors are also given back to the caller, who knows whether they matter.
        LogLevel::Error | LogLevel::Fatal => {
            tracing::warn!(target: "onnxruntime", id, place, "error: {message}");
        }
    }
}
