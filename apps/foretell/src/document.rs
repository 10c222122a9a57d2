//! What `--json` prints of stored things.
//!
//! Keys are in snake case and stay as they are from version to version; new ones may be added. Times are RFC 3339 in
//! UTC. Payloads, settings and selections are JSON exactly as it is stored. Other things are named by their numbers:
//! `record`, `run` and `source`.

use foretell_store::lineage;
use foretell_store::prediction;
use foretell_store::record::{self, LabelValue, RejectedRecord};
use foretell_store::{label, lineage::PluginVersion};
use serde::Serialize;

pub use foretell_terminal::{Json, Time};

/// A record.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Its number.
    pub id: i64,
    /// The field of work that it belongs to.
    pub domain: String,
    /// The name that the user's own system gives it.
    pub external_id: Option<String>,
    /// When it happened.
    pub event_time: Time,
    /// What it says.
    pub payload: Json,
    /// Number of the source that it came from.
    pub source: i64,
    /// When it was stored.
    pub received_at: Time,
}

impl From<record::Record> for Record {
    fn from(record: record::Record) -> Self {
        Self {
            id: record.id,
            domain: record.domain,
            external_id: record.external_id,
            event_time: Time(record.event_time),
            payload: Json(record.payload),
            source: record.source_id,
            received_at: Time(record.received_at),
        }
    }
}

/// Where records came from.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Its number.
    pub id: i64,
    /// `file`, `simulation` or `live`.
    pub kind: String,
    /// File, seed or program.
    pub name: String,
    /// BLAKE3 of the file.
    pub hash: Option<String>,
    /// How columns became fields.
    pub mapping: Option<Json>,
    /// When its first record was about to be stored.
    pub started_at: Time,
    /// When its last record was stored; null for one that stopped half way.
    pub finished_at: Option<Time>,
}

impl From<record::Source> for Source {
    fn from(source: record::Source) -> Self {
        Self {
            id: source.id,
            kind: source.kind,
            name: source.name,
            hash: source.hash,
            mapping: source.mapping.map(Json),
            started_at: Time(source.started_at),
            finished_at: source.finished_at.map(Time),
        }
    }
}

/// What turned out to be true of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Label {
    /// What was found out.
    pub name: String,
    /// The finding.
    pub value: LabelValue,
    /// When it became known.
    pub known_at: Time,
    /// Who says so.
    pub source: String,
    /// When it was stored.
    pub recorded_at: Time,
}

impl From<label::Label> for Label {
    fn from(label: label::Label) -> Self {
        Self {
            name: label.name,
            value: label.value,
            known_at: Time(label.known_at),
            source: label.source,
            recorded_at: Time(label.recorded_at),
        }
    }
}

/// What a run said of a record.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// Number of the run.
    pub run: i64,
    /// The number that the task defines.
    pub score: Option<f64>,
    /// The class that was decided on.
    pub label: Option<String>,
    /// What score and label do not say.
    pub output: Option<Json>,
}

impl From<prediction::Prediction> for Prediction {
    fn from(prediction: prediction::Prediction) -> Self {
        Self {
            run: prediction.run_id,
            score: prediction.score,
            label: prediction.label,
            output: prediction.output.map(Json),
        }
    }
}

/// A plugin as a run used it.
#[derive(Clone, Debug, Serialize)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The domain of its records.
    pub domain: String,
    /// Its task.
    pub task: String,
    /// BLAKE3 of its library.
    pub library_hash: String,
    /// BLAKE3 of its manifest.
    pub manifest_hash: String,
}

impl From<PluginVersion> for Plugin {
    fn from(plugin: PluginVersion) -> Self {
        Self {
            name: plugin.name,
            version: plugin.version,
            domain: plugin.domain,
            task: plugin.task,
            library_hash: plugin.library_hash,
            manifest_hash: plugin.manifest_hash,
        }
    }
}

/// A model file as a run used it.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// The slot of the manifest that it filled.
    pub name: String,
    /// BLAKE3 of the file.
    pub hash: String,
    /// The file.
    pub file: String,
    /// Size of the file.
    pub bytes: i64,
}

impl From<lineage::Model> for Model {
    fn from(model: lineage::Model) -> Self {
        Self { name: model.name, hash: model.hash, file: model.file, bytes: model.bytes }
    }
}

/// What produced predictions.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What predicted.
    pub plugin: Plugin,
    /// The models that it used.
    pub models: Vec<Model>,
    /// The settings of the plugin.
    pub config: Json,
    /// BLAKE3 of the settings.
    pub config_hash: String,
    /// Version of ONNX Runtime.
    pub onnxruntime: String,
    /// Threads of one run of a network.
    pub threads: i64,
    /// Program and version.
    pub program: String,
    /// The operating system's user.
    pub author: String,
    /// Which records were to be scored.
    pub selection: Json,
    /// Greatest number of a record that history could see.
    pub record_watermark: i64,
    /// Greatest number of a label that history could see.
    pub label_watermark: i64,
    /// When it began.
    pub started_at: Time,
    /// When it was complete; null while it runs, and for one that stopped half way.
    pub finished_at: Option<Time>,
}

impl From<lineage::Run> for Run {
    fn from(run: lineage::Run) -> Self {
        Self {
            id: run.id,
            plugin: run.plugin.into(),
            models: run.models.into_iter().map(Model::from).collect(),
            config: Json(run.config),
            config_hash: run.config_hash,
            onnxruntime: run.onnxruntime,
            threads: run.threads,
            program: run.program,
            author: run.author,
            selection: Json(run.selection),
            record_watermark: run.record_watermark,
            label_watermark: run.label_watermark,
            started_at: Time(run.started_at),
            finished_at: run.finished_at.map(Time),
        }
    }
}

/// Input that was refused.
#[derive(Clone, Debug, Serialize)]
pub struct Reject {
    /// Its number.
    pub id: i64,
    /// Number of the source, if it was refused before it was stored.
    pub source: Option<i64>,
    /// Number of the run, if one could not score it.
    pub run: Option<i64>,
    /// Number of the record, if it was stored before it was refused.
    pub record: Option<i64>,
    /// Line of a text file, row of a Parquet file, from 1.
    pub line: Option<i64>,
    /// The field at fault.
    pub field: Option<String>,
    /// What was expected, and what was found.
    pub reason: String,
    /// The input as it came.
    pub content: Option<String>,
    /// When it was refused.
    pub rejected_at: Time,
}

impl From<RejectedRecord> for Reject {
    fn from(reject: RejectedRecord) -> Self {
        Self {
            id: reject.id,
            source: reject.source_id,
            run: reject.run_id,
            record: reject.record_id,
            line: reject.line,
            field: reject.field,
            reason: reject.reason,
            content: reject.content,
            rejected_at: Time(reject.rejected_at),
        }
    }
}
