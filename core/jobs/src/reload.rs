//! The plugin of a run, as it was then.

use std::path::Path;
use std::sync::Arc;

use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::{LoadError, LoadOptions, Plugin};
use foretell_runtime::registry::{FindError, Registry};
use foretell_runtime::trust::{TrustError, Verified};
use foretell_store::deployment::{Deployment, Duty, Role};
use foretell_store::lineage::{Model, PluginVersion, Run};
use thiserror::Error;

use crate::lineage::{hashes, models, plugin_version};

/// A plugin that could not be loaded as it was then.
#[derive(Debug, Error)]
#[error("{what}: {kind}")]
pub struct ReloadError {
    /// What it is the plugin of: `run 3`.
    pub what: String,
    /// Why not.
    pub kind: ReloadErrorKind,
}

/// Why a plugin could not be loaded as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReloadErrorKind {
    /// It is not installed.
    #[error(transparent)]
    NotInstalled(#[from] FindError),
    /// A file of it was changed.
    #[error(transparent)]
    Trust(#[from] Box<TrustError>),
    /// It could not be loaded.
    #[error(transparent)]
    Load(#[from] Box<LoadError>),
    /// What is installed under its name and version is something else.
    #[error("was made with {what} {stored}, and the installed one is {installed}; install that one")]
    Other {
        /// Library, manifest, or a model.
        what: String,
        /// Hash of then.
        stored: String,
        /// Hash of the installed one.
        installed: String,
    },
}

/// What it takes to load a plugin as it was.
struct Made<'m> {
    plugin: &'m PluginVersion,
    models: &'m [Model],
    config: &'m str,
}

impl<'m> Made<'m> {
    fn by(run: &'m Run) -> Self {
        Self { plugin: &run.plugin, models: &run.models, config: &run.config }
    }
}

/// Loads the plugin, models and settings of a run, and makes sure that they are the same to the byte.
pub(crate) fn reload(registry: &Registry, runtime: &Arc<Runtime>, run: &Run) -> Result<Plugin, ReloadError> {
    load(registry, runtime, &Made::by(run)).map_err(|kind| ReloadError { what: run_words(run), kind })
}

/// The plugin and models of a run, the same to the byte, yet to be loaded; and its settings.
pub(crate) fn recover(registry: &Registry, run: &Run) -> Result<(Verified, LoadOptions), ReloadError> {
    find(registry, &Made::by(run)).map_err(|kind| ReloadError { what: run_words(run), kind })
}

fn run_words(run: &Run) -> String {
    format!("run {}", run.id)
}

/// Loads the plugin, models and settings of a deployment, and makes sure that they are the same to the byte.
pub fn reload_deployed(
    registry: &Registry,
    runtime: &Arc<Runtime>,
    role: Role,
    deployment: &Deployment,
) -> Result<Plugin, ReloadError> {
    let made = Made { plugin: &deployment.plugin, models: &deployment.models, config: &deployment.config };
    let duty = Duty::new(&deployment.plugin.domain, &deployment.plugin.task);
    let what = || format!("the {role} for {duty}");
    load(registry, runtime, &made).map_err(|kind| ReloadError { what: what(), kind })
}

fn load(registry: &Registry, runtime: &Arc<Runtime>, made: &Made<'_>) -> Result<Plugin, ReloadErrorKind> {
    let (verified, options) = find(registry, made)?;
    Ok(Plugin::load(runtime, verified, &options).map_err(Box::new)?)
}

fn find(registry: &Registry, made: &Made<'_>) -> Result<(Verified, LoadOptions), ReloadErrorKind> {
    let installed = registry.find(&format!("{}@{}", made.plugin.name, made.plugin.version))?;
    let mut verified = registry.verify(&installed).map_err(Box::new)?;
    for model in made.models {
        let own = verified.models().iter().find(|own| own.name == model.name);
        if own.is_none_or(|own| own.hash.to_string() != model.hash) {
            let expected = model.hash.parse().ok();
            verified =
                verified.with_model(&model.name, Path::new(&model.file), expected).map_err(Box::new)?;
        }
    }
    let (found, found_models) = (plugin_version(&verified), models(&verified));
    let other = |what: String, stored: &str, installed: &str| ReloadErrorKind::Other {
        what,
        stored: stored.to_owned(),
        installed: installed.to_owned(),
    };
    if found.library_hash != made.plugin.library_hash {
        return Err(other("library".to_owned(), &made.plugin.library_hash, &found.library_hash));
    }
    if found.manifest_hash != made.plugin.manifest_hash {
        return Err(other("manifest".to_owned(), &made.plugin.manifest_hash, &found.manifest_hash));
    }
    if let Some((name, stored, installed)) = difference(made.models, &found_models) {
        return Err(other(format!("model `{name}`"), stored, installed));
    }
    let config = serde_json::from_str(made.config).unwrap_or_default();
    Ok((verified, LoadOptions { config, sessions: 1, ..LoadOptions::default() }))
}

/// The first model slot whose hash differs.
fn difference<'a>(stored: &'a [Model], found: &'a [Model]) -> Option<(&'a str, &'a str, &'a str)> {
    let pairs = hashes(stored).into_iter().zip(hashes(found));
    let mut different = pairs.filter(|(stored, found)| stored != found);
    different.next().map(|(stored, found)| (stored.0, stored.1, found.1))
}
