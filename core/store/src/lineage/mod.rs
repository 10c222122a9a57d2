//! Lineage: everything that produced a prediction, so that it can be explained and run again.
//!
//! A *run* ties predictions to what made them: the plugin version (with the hashes of its library and manifest), the
//! model files (with theirs), the configuration, the version and threads of ONNX Runtime, the program and its user, and
//! which records were to be scored. Plugin versions and models are stored once, and shared by the runs that used them.
//!
//! A run also notes two *watermarks*: the highest record and label ids at the moment it began. History leaves out what
//! came later, so running it again a year from now sees the same past.
//!
//! **Invariant:** plugin versions, models and runs are never changed after they were stored, except that a run is
//! marked as finished.

mod read;

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use crate::fault::Fault;
use crate::label::{Label, is_foreign_key_violation};
use crate::open::{Durability, Store, begin};
use crate::prediction::Prediction;
use crate::record::{Record, Source};
use crate::time::{Micros, now};

/// A plugin, as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct PluginVersion {
    /// The name in the manifest.
    pub name: String,
    /// The version in the manifest.
    pub version: String,
    /// The domain of the records that it scores.
    pub domain: String,
    /// The task, such as `binary-classification`.
    pub task: String,
    /// BLAKE3 of the library, hexadecimal.
    pub library_hash: String,
    /// BLAKE3 of the manifest, hexadecimal.
    pub manifest_hash: String,
    /// The manifest, whole.
    pub manifest: String,
}

/// A model file, as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Model {
    /// The name of the plugin that it belongs to.
    pub plugin: String,
    /// The slot of the manifest that it fills.
    pub name: String,
    /// BLAKE3 of the file, hexadecimal.
    pub hash: String,
    /// The file, as the manifest or the user named it.
    pub file: String,
    /// Size of the file.
    pub bytes: i64,
}

/// A run that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// See [`Store::plugin_version`].
    pub plugin_version_id: i64,
    /// See [`Store::model`].
    pub model_ids: Vec<i64>,
    /// The configuration of the plugin, as JSON.
    pub config: String,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Threads of each session.
    pub threads: i64,
    /// The program and its version.
    pub program: String,
    /// The operating system's user.
    pub author: String,
    /// Which records are to be scored, as JSON.
    pub selection: String,
    /// Whether its predictions are only stored, for comparison, and answer nobody.
    pub shadow: bool,
}

/// A run, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its id. Ids grow in the order of beginning.
    pub id: i64,
    /// The id of `plugin`.
    pub plugin_version_id: i64,
    /// What scored.
    pub plugin: PluginVersion,
    /// The models that it used.
    pub models: Vec<Model>,
    /// The configuration of the plugin, as JSON.
    pub config: String,
    /// BLAKE3 of `config`, hexadecimal.
    pub config_hash: String,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Threads of each session.
    pub threads: i64,
    /// The program and its version.
    pub program: String,
    /// The operating system's user.
    pub author: String,
    /// Which records were to be scored, as JSON.
    pub selection: String,
    /// Whether its predictions were only stored, for comparison, and answered nobody.
    pub shadow: bool,
    /// The highest record id that history could see.
    pub record_watermark: i64,
    /// The highest label id that history could see.
    pub label_watermark: i64,
    /// When it began.
    pub started_at: Micros,
    /// When it was complete; `None` while it runs, and for one that stopped half way.
    pub finished_at: Option<Micros>,
}

/// Where one prediction comes from, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lineage {
    /// The prediction.
    pub prediction: Prediction,
    /// What went in.
    pub record: Record,
    /// Where that came from.
    pub source: Source,
    /// What scored it.
    pub run: Run,
    /// What is known about the record by now: see [`Store::labels`].
    pub labels: Vec<Label>,
}

/// Lineage that could not be stored.
#[derive(Debug, thiserror::Error)]
#[error("cannot store {what}")]
pub struct LineageError {
    /// What was to be stored.
    pub what: String,
    /// Why it was not.
    #[source]
    pub kind: LineageErrorKind,
}

/// Why lineage could not be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineageErrorKind {
    /// There is no such plugin version.
    #[error("there is no plugin version {0}")]
    UnknownPluginVersion(i64),
    /// There is no such model.
    #[error("there is no model {0}")]
    UnknownModel(i64),
    /// There is no such run.
    #[error("there is no run {0}")]
    UnknownRun(i64),
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl LineageErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for LineageErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// The id of this plugin version, which is stored unless it is known.
    pub async fn plugin_version(&self, plugin: &PluginVersion) -> Result<i64, LineageError> {
        let store = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let id = find_or_insert_plugin(&mut transaction, plugin).await?;
            transaction.commit().await?;
            Ok(id)
        };
        store.await.map_err(|error: sqlx::Error| LineageError {
            what: format!("version {} of plugin `{}`", plugin.version, plugin.name),
            kind: error.into(),
        })
    }

    /// The id of this model, which is stored unless it is known.
    pub async fn model(&self, model: &Model) -> Result<i64, LineageError> {
        let store = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let id = find_or_insert_model(&mut transaction, model).await?;
            transaction.commit().await?;
            Ok(id)
        };
        store.await.map_err(|error: sqlx::Error| LineageError {
            what: format!("model `{}` of plugin `{}`", model.name, model.plugin),
            kind: error.into(),
        })
    }

    /// Stores a run, with the watermarks of this moment; returns its id.
    pub async fn begin_run(&self, run: &NewRun) -> Result<i64, LineageError> {
        let begin = async {
            let mut writer = self.writer().await;
            let mut transaction = begin(&mut writer, Durability::Full).await?;
            let run_id = insert_run(&mut transaction, run).await?;
            transaction.commit().await?;
            Ok(run_id)
        };
        begin.await.map_err(|kind| LineageError { what: "a run".to_owned(), kind })
    }

    /// Marks a run as complete. One that was never finished is seen as stopped half way.
    pub async fn finish_run(&self, run_id: i64) -> Result<(), LineageError> {
        self.try_finish_run(run_id)
            .await
            .map_err(|kind| LineageError { what: format!("the end of run {run_id}"), kind })
    }

    async fn try_finish_run(&self, run_id: i64) -> Result<(), LineageErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let updated = sqlx::query("UPDATE run SET finished_at = ? WHERE id = ?")
            .bind(now())
            .bind(run_id)
            .execute(&mut *transaction)
            .await?;
        if updated.rows_affected() == 0 {
            return Err(LineageErrorKind::UnknownRun(run_id));
        }
        Ok(transaction.commit().await?)
    }
}

/// A broken reference means that the thing referred to does not exist.
fn unless_unknown(error: sqlx::Error, unknown: LineageErrorKind) -> LineageErrorKind {
    match is_foreign_key_violation(&error) {
        true => unknown,
        false => error.into(),
    }
}

/// The id of this plugin version, which is stored unless it is known.
pub(crate) async fn find_or_insert_plugin(
    connection: &mut SqliteConnection,
    plugin: &PluginVersion,
) -> Result<i64, sqlx::Error> {
    let known = sqlx::query_scalar(
        "SELECT id FROM plugin_version
         WHERE name = ? AND version = ? AND library_hash = ? AND manifest_hash = ?",
    )
    .bind(&plugin.name)
    .bind(&plugin.version)
    .bind(&plugin.library_hash)
    .bind(&plugin.manifest_hash)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let inserted = sqlx::query(
        "INSERT INTO plugin_version
             (name, version, domain, task, library_hash, manifest_hash, manifest, first_used_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&plugin.name)
    .bind(&plugin.version)
    .bind(&plugin.domain)
    .bind(&plugin.task)
    .bind(&plugin.library_hash)
    .bind(&plugin.manifest_hash)
    .bind(&plugin.manifest)
    .bind(now())
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// The id of this model, which is stored unless it is known.
pub(crate) async fn find_or_insert_model(
    connection: &mut SqliteConnection,
    model: &Model,
) -> Result<i64, sqlx::Error> {
    let known = sqlx::query_scalar("SELECT id FROM model WHERE plugin = ? AND name = ? AND hash = ?")
        .bind(&model.plugin)
        .bind(&model.name)
        .bind(&model.hash)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let inserted = sqlx::query(
        "INSERT INTO model (plugin, name, hash, file, bytes, first_used_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&model.plugin)
    .bind(&model.name)
    .bind(&model.hash)
    .bind(&model.file)
    .bind(model.bytes)
    .bind(now())
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// Writes a run down, with the watermarks of this moment.
pub(crate) async fn insert_run(
    connection: &mut SqliteConnection,
    run: &NewRun,
) -> Result<i64, LineageErrorKind> {
    let inserted = sqlx::query(
        "INSERT INTO run (plugin_version_id, config, config_hash, onnxruntime, threads, program, author, selection,
             shadow, record_watermark, label_watermark, started_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?,
             (SELECT coalesce(max(id), 0) FROM record), (SELECT coalesce(max(id), 0) FROM label), ?)",
    )
    .bind(run.plugin_version_id)
    .bind(&run.config)
    .bind(config_hash(&run.config))
    .bind(&run.onnxruntime)
    .bind(run.threads)
    .bind(&run.program)
    .bind(&run.author)
    .bind(&run.selection)
    .bind(run.shadow)
    .bind(now())
    .execute(&mut *connection)
    .await
    .map_err(|error| unless_unknown(error, LineageErrorKind::UnknownPluginVersion(run.plugin_version_id)))?;
    let run_id = inserted.last_insert_rowid();
    for model_id in &run.model_ids {
        sqlx::query("INSERT INTO run_model (run_id, model_id) VALUES (?, ?)")
            .bind(run_id)
            .bind(model_id)
            .execute(&mut *connection)
            .await
            .map_err(|error| unless_unknown(error, LineageErrorKind::UnknownModel(*model_id)))?;
    }
    Ok(run_id)
}

/// The runs that predicted the same way, the latest first: the same plugin version, models and configuration, whichever program
/// and ONNX Runtime. What was only stored for comparison has answered nobody, so such runs count for their like alone. A run that
/// learned has predicted nothing.
pub(crate) async fn runs_like(
    connection: &mut SqliteConnection,
    run: &NewRun,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut model_ids = run.model_ids.clone();
    model_ids.sort_unstable();
    sqlx::query_scalar(
        "SELECT id FROM run
         WHERE plugin_version_id = ?1 AND config_hash = ?2 AND (shadow = 0 OR ?4)
             AND id NOT IN (SELECT run_id FROM job WHERE kind = 'fit') AND ?3 =
             (SELECT json_group_array(model_id) FROM
                 (SELECT model_id FROM run_model WHERE run_id = run.id ORDER BY model_id))
         ORDER BY id DESC",
    )
    .bind(run.plugin_version_id)
    .bind(config_hash(&run.config))
    .bind(serde_json::Value::from(model_ids).to_string())
    .bind(run.shadow)
    .fetch_all(connection)
    .await
}

/// BLAKE3 of the configuration of a plugin.
fn config_hash(config: &str) -> String {
    blake3::hash(config.as_bytes()).to_hex().to_string()
}
