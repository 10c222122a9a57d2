//! What produced a prediction, as the store keeps it.

use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::Plugin;
use foretell_store::fault::ReadError;
use foretell_store::history::Watermarks;
use foretell_store::lineage::{LineageError, Model, NewRun, PluginVersion, Run};
use foretell_store::open::Store;
use thiserror::Error;

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
        let author = ["USER", "USERNAME", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        Self {
            name: format!("{name} {version}"),
            onnxruntime: runtime.version().to_string(),
            author: author.unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// Why what produces predictions could not be written down.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error(transparent)]
    Write(#[from] LineageError),
}

/// A plugin with its models and settings, known to the store.
pub(crate) struct Lineage {
    plugin_version_id: i64,
    model_ids: Vec<i64>,
    plugin: PluginVersion,
    models: Vec<Model>,
    config: String,
    threads: i64,
    program: Program,
}

/// A run that has begun.
pub(crate) struct Begun {
    pub(crate) id: i64,
    pub(crate) watermarks: Watermarks,
}

/// Writes down which plugin, models and settings are about to predict, unless the store knows them.
pub(crate) async fn register(
    store: &Store,
    plugin: &Plugin,
    program: &Program,
) -> Result<Lineage, RegisterError> {
    let version = plugin_version(plugin);
    let models = models(plugin);
    let plugin_version_id = store.plugin_version(&version).await?;
    let mut model_ids = Vec::with_capacity(models.len());
    for model in &models {
        model_ids.push(store.model(model).await?);
    }
    Ok(Lineage {
        plugin_version_id,
        model_ids,
        plugin: version,
        models,
        config: plugin.config().to_owned(),
        threads: plugin.verified().models().iter().map(|model| model.threads as i64).max().unwrap_or(1),
        program: program.clone(),
    })
}

impl Lineage {
    /// Runs that predicted the same way: same plugin, models and settings, whichever program and ONNX Runtime.
    pub(crate) async fn earlier_runs(&self, store: &Store) -> Result<Vec<i64>, RegisterError> {
        let same = |run: &Run| {
            run.plugin == self.plugin
                && run.config == self.config
                && hashes(&run.models) == hashes(&self.models)
        };
        Ok(store
            .runs(Some(&self.plugin.domain))
            .await?
            .iter()
            .filter(|run| same(run))
            .map(|run| run.id)
            .collect())
    }

    /// Begins a run over `selection`; history sees what is stored at this moment.
    pub(crate) async fn begin(
        &self,
        store: &Store,
        selection: &serde_json::Value,
    ) -> Result<Begun, RegisterError> {
        let id = store
            .begin_run(&NewRun {
                plugin_version_id: self.plugin_version_id,
                model_ids: self.model_ids.clone(),
                config: self.config.clone(),
                onnxruntime: self.program.onnxruntime.clone(),
                threads: self.threads,
                program: self.program.name.clone(),
                author: self.program.author.clone(),
                selection: selection.to_string(),
            })
            .await?;
        let run = store.run(id).await?.expect("a run that was just stored");
        Ok(Begun { id, watermarks: watermarks(&run) })
    }
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

/// A loaded plugin, in the store's words.
pub(crate) fn plugin_version(plugin: &Plugin) -> PluginVersion {
    let (verified, manifest) = (plugin.verified(), &plugin.manifest().plugin);
    PluginVersion {
        name: manifest.name.clone(),
        version: manifest.version.to_string(),
        domain: manifest.domain.clone(),
        task: manifest.task.to_string(),
        library_hash: verified.library_hash().to_string(),
        manifest_hash: verified.manifest_hash().to_string(),
        manifest: verified.manifest_text().to_owned(),
    }
}

/// The models of a loaded plugin, in the store's words.
pub(crate) fn models(plugin: &Plugin) -> Vec<Model> {
    let of = |model: &foretell_runtime::trust::VerifiedModel| Model {
        plugin: plugin.manifest().plugin.name.clone(),
        name: model.name.clone(),
        hash: model.hash.to_string(),
        file: model.path.display().to_string(),
        bytes: std::fs::metadata(&model.path).map_or(0, |file| file.len() as i64),
    };
    plugin.verified().models().iter().map(of).collect()
}
