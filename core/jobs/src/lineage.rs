//! What produced a prediction, as the store keeps it.

use foretell_runtime::onnx::Runtime;
use foretell_runtime::trust::{Verified, VerifiedModel};
use foretell_store::history::Watermarks;
use foretell_store::lineage::{LineageError, Model, NewRun, PluginVersion, Run};
use foretell_store::open::Store;

/// The program that predicts, for the record.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name and version, such as `foretell 0.1.0`.
    pub name: String,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// The operating system's user.
    pub author: String,
}

impl Program {
    /// Says which program runs with which ONNX Runtime.
    pub fn new(name: &str, version: &str, runtime: &Runtime) -> Self {
        Self {
            name: format!("{name} {version}"),
            onnxruntime: runtime.version().to_string(),
            author: Self::author(),
        }
    }

    /// The operating system's user.
    pub fn author() -> String {
        let author = ["USER", "USERNAME", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        author.unwrap_or_else(|| "unknown".to_owned())
    }
}

/// Writes down which plugin, models and settings are about to predict or to learn, unless the store knows them, and returns the run
/// that may begin.
pub(crate) async fn register(
    store: &Store,
    plugin: &Verified,
    config: &str,
    program: &Program,
    shadow: bool,
) -> Result<NewRun, LineageError> {
    let plugin_version_id = store.plugin_version(&plugin_version(plugin)).await?;
    let mut model_ids = Vec::new();
    for model in models(plugin) {
        model_ids.push(store.model(&model).await?);
    }
    Ok(NewRun {
        plugin_version_id,
        model_ids,
        config: config.to_owned(),
        onnxruntime: program.onnxruntime.clone(),
        threads: plugin.models().iter().map(|model| model.threads as i64).max().unwrap_or(1),
        program: program.name.clone(),
        author: program.author.clone(),
        selection: String::new(),
        shadow,
    })
}

/// What the history of a run could see.
pub(crate) fn watermarks(run: &Run) -> Watermarks {
    Watermarks { record: run.record_watermark, label: run.label_watermark }
}

/// Slots and hashes of models, in an order of their own.
pub(crate) fn hashes(models: &[Model]) -> Vec<(&str, &str)> {
    let mut hashes: Vec<_> = models.iter().map(|model| (model.name.as_str(), model.hash.as_str())).collect();
    hashes.sort_unstable();
    hashes
}

/// A plugin, in the store's words.
pub(crate) fn plugin_version(plugin: &Verified) -> PluginVersion {
    let manifest = &plugin.manifest().plugin;
    PluginVersion {
        name: manifest.name.clone(),
        version: manifest.version.to_string(),
        domain: manifest.domain.clone(),
        task: manifest.task.to_string(),
        library_hash: plugin.library_hash().to_string(),
        manifest_hash: plugin.manifest_hash().to_string(),
        manifest: plugin.manifest_text().to_owned(),
    }
}

/// The models of a plugin, in the store's words.
pub(crate) fn models(plugin: &Verified) -> Vec<Model> {
    let of = |model: &VerifiedModel| Model {
        plugin: plugin.manifest().plugin.name.clone(),
        name: model.name.clone(),
        hash: model.hash.to_string(),
        file: model.path.display().to_string(),
        bytes: std::fs::metadata(&model.path).map_or(0, |file| file.len() as i64),
    };
    plugin.models().iter().map(of).collect()
}
