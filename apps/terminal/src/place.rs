//! Where the database, the plugins and ONNX Runtime are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueHint};
use foretell_runtime::home::Home;
use foretell_runtime::isolation::{CALL_TIME_MAX, Isolation, Limits, MEMORY_BYTES_MAX};
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::policy::Policy;
use foretell_runtime::registry::Registry;
use foretell_runtime::trust::Verified;
use foretell_store::open::{OpenError, OpenErrorKind, OpenOptions, Store};

use crate::Failure;
use crate::arguments::parse_bytes;
use crate::job::parse_timeout;

/// How long work that is not in a hurry waits to write.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of every app that say where things are.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Database.
    #[arg(long, global = true, env = "FORETELL_DB", default_value = "foretell.db", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub db: PathBuf,
    /// ONNX Runtime library to use instead of the one that is found.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub onnxruntime: Option<PathBuf>,
    /// Run plugins in processes of their own, without network and without writing.
    #[arg(long, global = true)]
    pub isolate: bool,
    /// Memory of an isolated plugin, such as `512MiB`; 4 GiB unless given.
    #[arg(long, global = true, value_name = "BYTES", value_parser = parse_bytes)]
    pub isolate_memory: Option<u64>,
    /// Time of one call of an isolated plugin, such as `5s`; 60 s unless given.
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_timeout)]
    pub isolate_time: Option<Duration>,
}

impl Place {
    /// Opens the database, or makes it.
    pub async fn create_or_open(&self) -> Result<Store, Failure> {
        opened(Store::create_or_open(&self.db).await)
    }

    /// Opens the database, which must exist.
    pub async fn open(&self) -> Result<Store, Failure> {
        opened(Store::open(&self.db).await)
    }

    /// Opens the database, which must exist, for work that is not in a hurry: when several processes write, each waits for
    /// its turn.
    pub async fn open_patiently(&self) -> Result<Store, Failure> {
        let options = OpenOptions { busy_timeout: PATIENCE };
        opened(options.open(&self.db).await)
    }

    /// Opens the database to copy it, whatever the version of its schema.
    pub async fn open_to_copy(&self) -> Result<Store, Failure> {
        opened(Store::open_to_copy(&self.db).await)
    }

    /// Opens the database to look only.
    pub async fn open_read_only(&self) -> Result<Store, Failure> {
        opened(Store::open_read_only(&self.db).await)
    }

    /// The plugins of this user.
    pub fn registry(&self) -> Result<Registry, Failure> {
        Registry::of_process().map_err(|error| Failure::new(&error))
    }

    /// Where ONNX Runtime is looked for.
    pub fn places(&self) -> Places {
        Places::of_process(self.onnxruntime.clone())
    }

    /// ONNX Runtime, started. Plugins that are loaded with it are isolated if the user or the policy asks for it.
    pub fn runtime(&self) -> Result<Arc<Runtime>, Failure> {
        let isolation = self.isolation()?;
        let runtime = Runtime::start(&self.places()).map_err(|error| Failure::new(&error))?;
        Ok(isolation.map_or_else(|| Arc::clone(&runtime), |isolation| runtime.isolating(isolation)))
    }

    /// How plugins are isolated, if they are. The policy can only ask for more than the user does.
    fn isolation(&self) -> Result<Option<Isolation>, Failure> {
        let home = Home::of_process().map_err(|error| Failure::new(&error))?;
        let asked = Policy {
            isolate: self.isolate,
            publishers: None,
            memory_bytes_max: Some(self.isolate_memory.unwrap_or(MEMORY_BYTES_MAX)),
            call_time_max: Some(self.isolate_time.unwrap_or(CALL_TIME_MAX)),
        };
        let policy = Policy::of(&home).map_err(|error| Failure::new(&error))?.tighten(asked);
        let limits = Limits {
            memory_bytes_max: policy.memory_bytes_max.unwrap_or(MEMORY_BYTES_MAX),
            call_time_max: policy.call_time_max.unwrap_or(CALL_TIME_MAX),
        };
        Ok(policy.isolate.then(|| Isolation::new(this_program("foretell"), limits)))
    }

    /// The options that tell a worker of this program the same.
    pub(crate) fn to_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--db".into(), self.db.clone().into()];
        if let Some(library) = &self.onnxruntime {
            arguments.extend(["--onnxruntime".into(), library.clone().into()]);
        }
        if self.isolate {
            arguments.push("--isolate".into());
        }
        if let Some(bytes) = self.isolate_memory {
            arguments.extend(["--isolate-memory".into(), bytes.to_string().into()]);
        }
        if let Some(time) = self.isolate_time {
            arguments.extend(["--isolate-time".into(), format!("{}us", time.as_micros()).into()]);
        }
        arguments
    }

    /// An installed plugin, `name` or `name@version`, whose files are those that were installed.
    pub fn verified(&self, wanted: &str) -> Result<Verified, Failure> {
        let registry = self.registry()?;
        let installed = registry.find(wanted).map_err(|error| Failure::new(&error))?;
        registry.verify(&installed).map_err(|error| Failure::new(&error))
    }

    /// Loads an installed plugin, `name` or `name@version`, with another file in one of its model slots if that is wanted.
    pub fn plugin(
        &self,
        runtime: &Arc<Runtime>,
        wanted: &str,
        model: Option<(&str, &Path)>,
    ) -> Result<Arc<Plugin>, Failure> {
        let mut verified = self.verified(wanted)?;
        if let Some((slot, file)) = model {
            let file = std::path::absolute(file).map_err(|error| Failure::new(&error))?;
            verified = verified.with_model(slot, &file, None).map_err(|error| Failure::new(&error))?;
        }
        let plugin =
            Plugin::load(runtime, verified, &LoadOptions::default()).map_err(|error| Failure::new(&error))?;
        Ok(Arc::new(plugin))
    }
}

/// This program, even if another version has been put in its place meanwhile, where the system can tell. `name` is what it is
/// called, should nothing be known.
pub fn this_program(name: &str) -> PathBuf {
    /// The running program, on Linux.
    const ITSELF: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") && Path::new(ITSELF).exists() {
        return ITSELF.into();
    }
    std::env::current_exe().unwrap_or_else(|_| name.into())
}

/// Every database that this process has opened, so that all are closed before it ends.
static OPENED: Mutex<Vec<Store>> = Mutex::new(Vec::new());

fn opened(store: Result<Store, OpenError>) -> Result<Store, Failure> {
    let store = store.map_err(|error| open_failure(&error))?;
    OPENED.lock().unwrap_or_else(PoisonError::into_inner).push(store.clone());
    Ok(store)
}

/// Closes every database: its `-wal` file is merged into it and removed, so that it is one file again.
pub(crate) async fn close_all() {
    let stores = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
    for store in stores {
        store.close().await;
    }
}

fn open_failure(error: &OpenError) -> Failure {
    Failure::new(error).hint(match error.kind {
        OpenErrorKind::Older { .. } => Some("bring it up to date: `foretell db migrate`"),
        _ => error.kind.hint(),
    })
}
