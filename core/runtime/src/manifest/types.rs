//! The tables and keys of `plugin.toml`, as they stand in the file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::value::{self, AbiVersion, Engine, FieldType};
use crate::hash::Hash;

/// The version of the manifest format that this program reads.
pub const SCHEMA_VERSION: u32 = 1;

/// Rows that a plugin takes in one call when it does not say.
const ROWS_MAX_DEFAULT: usize = 8192;
/// Intra-op threads of a session when the manifest does not say: more do nothing for a small network.
const THREADS_DEFAULT: usize = 1;

/// The first thing that is read: whether the rest can be.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) schema: u32,
}

/// A plugin's manifest.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the manifest format: 1.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    pub schema: u32,
    /// Who the plugin is.
    pub plugin: Plugin,
    /// The networks that it runs, and the files that it reads.
    #[serde(default, rename = "model")]
    pub models: Vec<ModelFile>,
    /// What it can learn from stored records.
    pub fit: Option<Fit>,
    /// What identifies a record's customer, device, patient or other entity.
    #[serde(default)]
    pub record: Record,
    /// The fields of a record that the plugin is given, in the order of its columns.
    #[serde(rename = "input")]
    pub inputs: Vec<Input>,
    /// What may become known later about a record, and can be asked for in a history.
    #[serde(default, rename = "label")]
    pub labels: Vec<Label>,
    /// The past that the plugin wants to see with each record.
    #[serde(default, rename = "history")]
    pub histories: Vec<History>,
    /// How its predictions are read.
    #[serde(default)]
    pub output: Output,
    /// What the plugin can take.
    #[serde(default)]
    pub limits: Limits,
    /// Settings of the plugin's own, handed to it as JSON.
    #[serde(default, deserialize_with = "value::config")]
    pub(super) config: Map<String, Value>,
}

/// Who a plugin is, and how it is loaded.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// Name of lower-case words and digits joined by hyphens, such as `late-return`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), length(max = 64))]
    pub name: String,
    /// Version of the plugin, by the rules of semantic versioning.
    #[serde(deserialize_with = "value::version")]
    #[schemars(with = "String", regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"))]
    pub version: semver::Version,
    /// What it predicts, in a sentence.
    #[schemars(length(min = 1))]
    pub description: String,
    /// SPDX expression of its licence.
    #[schemars(length(min = 1))]
    pub license: String,
    /// Who wrote it.
    #[schemars(length(min = 1))]
    pub authors: Vec<String>,
    /// The domain whose records it reads. Plugins of one domain share the records of a store.
    #[schemars(regex(pattern = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), length(max = 64))]
    pub domain: String,
    /// What kind of prediction it makes.
    pub task: Task,
    /// The version of the plugin interface that its library was built for.
    pub abi: AbiVersion,
    /// File name of its library without prefix and ending: `late_return` is `liblate_return.so` on Linux,
    /// `liblate_return.dylib` on macOS and `late_return.dll` on Windows.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"), length(max = 64))]
    pub library: String,
    /// Name and version that the library has of its own, such as `general-classifier@0.2.0`, where one library serves several
    /// plugins, each with its own networks and settings. Unless it is stated, they are those of the plugin.
    pub engine: Option<Engine>,
    /// Whether one instance may predict in several threads at once.
    #[serde(default)]
    pub concurrency: Concurrency,
}

/// What a prediction is. The task fixes its columns, so that every tool understands every plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One of two classes, by a score from 0 to 1.
    BinaryClassification,
    /// One of several classes, by a score for each.
    MulticlassClassification,
    /// A number.
    Regression,
    /// Items in order, each with a score and a reason.
    Ranking,
    /// Boxes in an image.
    Detection,
    /// A class for each pixel of an image.
    Segmentation,
    /// Boxes in an image that belong to objects which persist from one image to the next.
    Tracking,
    /// Numbers at future times.
    Forecast,
}

/// Whether one instance of a plugin may predict in several threads at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Concurrency {
    /// It may.
    #[default]
    Parallel,
    /// The host makes one call after the other.
    Serial,
}

/// A file that the plugin gets from the host, which checks its hash: a network that it runs, or data that it reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// What the plugin calls it when it opens it.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]*$"), length(max = 64))]
    pub name: String,
    /// What is in the file.
    #[serde(default)]
    pub format: ModelFormat,
    /// The file, relative to the plugin's directory and inside it, with `/` between its parts.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"))]
    pub file: String,
    /// Hash of the file.
    pub blake3: Hash,
    /// Threads that one run may use. One is best for a small network; a large one takes half the time with two. Only a
    /// network has them: for data this is 1, and must not be stated.
    #[serde(default = "threads_default")]
    #[schemars(range(min = 1, max = 256))]
    pub threads: usize,
}

/// What is in a model file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelFormat {
    /// A network, which ONNX Runtime runs.
    #[default]
    Onnx,
    /// Bytes that only the plugin understands, such as a table that was learned from records. May be empty.
    Data,
}

/// What the plugin can learn from stored records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Names of the models, of format `data`, that learning writes.
    #[schemars(length(min = 1))]
    pub models: Vec<String>,
}

/// What belongs to a record as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Inputs, of type `utf8` or `category`, that identify an entity: a customer, a device, a patient. Records that
    /// share a key's value are each other's history.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the column, and of the field in the record's payload. `event_time` is the record's own time.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]*$"), length(max = 64))]
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Unit of its values, for people.
    pub unit: Option<String>,
    /// What it means, for people.
    pub description: Option<String>,
    /// Least value, of a number or of each item of a list of numbers. A record below it is rejected.
    pub minimum: Option<f64>,
    /// Greatest value, of a number or of each item of a list of numbers. A record above it is rejected.
    pub maximum: Option<f64>,
    /// The only values, of text or of each item of a list of texts. A record with another is rejected. Any value is fine where
    /// none is listed.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// How the plugin wants to see it, of an image. Without it, an image is 8-bit RGB of the size that it has.
    pub image: Option<Image>,
    /// Whether a record without it is rejected.
    #[serde(default = "yes")]
    pub required: bool,
}

/// How a plugin wants to see an image. The host decodes it, whatever its container, and gives pixels that are alike.
///
/// A column of images is Arrow's `arrow.variable_shape_tensor` with the dimensions height, width, channels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Pixels of a row. An image has the size of its file unless both sides are stated.
    #[schemars(range(min = 1, max = 16384))]
    pub width: Option<u32>,
    /// Rows.
    #[schemars(range(min = 1, max = 16384))]
    pub height: Option<u32>,
    /// Grey, or red, green and blue.
    #[serde(default)]
    pub channels: Channels,
    /// What a sample is.
    #[serde(default)]
    pub sample: Sample,
    /// What becomes of an image with other proportions than those that are stated.
    #[serde(default)]
    pub fit: Fitting,
    /// The value of the bars of a letterbox, on the scale of the samples.
    #[serde(default)]
    pub pad: i32,
    /// How it is resized.
    #[serde(default)]
    pub filter: Filter,
}

/// Channels of an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One: how bright it is.
    Grey,
    /// Three: red, green, blue.
    #[default]
    Rgb,
}

impl Channels {
    /// How many there are.
    pub fn count(self) -> u32 {
        match self {
            Channels::Grey => 1,
            Channels::Rgb => 3,
        }
    }
}

/// What a sample of an image is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// 0 is black, 255 is white, as a person would be shown it.
    #[default]
    U8,
    /// 0 is black, 65,535 is white, as a person would be shown it.
    U16,
    /// The values as the file means them, such as Hounsfield units; 0 to 255 of an 8-bit image.
    F32,
}

/// What becomes of an image with other proportions than a plugin wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fitting {
    /// It is stretched.
    #[default]
    Stretch,
    /// It keeps its proportions, between two bars of the value `pad`.
    Letterbox,
    /// It keeps its proportions, in the upper left corner, with bars of the value `pad` to the right and below.
    Corner,
    /// It keeps its proportions, and loses what stands out.
    Crop,
}

/// How an image is resized. Each filter is widened where an image becomes smaller, so that every pixel counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The nearest pixel alone.
    Nearest,
    /// Triangle.
    Bilinear,
    /// Cubic, a = -0.5.
    #[default]
    Bicubic,
    /// Lanczos, three lobes.
    Lanczos,
}

/// Something that becomes known about a record after it happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name of the label. A history asks for it as `label.NAME`.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]*$"), length(max = 64))]
    pub name: String,
    /// What its values are: `bool`, `int64`, `float64`, `utf8` or `category`.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// What it means, for people.
    pub description: Option<String>,
}

/// A column with the past of one entity of the record.
///
/// For a record of time `t`, it lists the earlier records with the same key whose time lies in
/// `(t - window, t - delay]`, oldest first, with what was known of them at `t`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Name of the column.
    #[schemars(regex(pattern = "^[A-Za-z][A-Za-z0-9_]*$"), length(max = 64))]
    pub name: String,
    /// The key of the record whose past it is, one of `record.keys`.
    pub key: String,
    /// How far back it goes, such as `37d`. Microseconds.
    #[serde(deserialize_with = "value::duration")]
    #[schemars(schema_with = "value::duration_schema")]
    pub window: i64,
    /// How old a record must be to be in it, such as `7d`, because labels arrive late. Microseconds.
    #[serde(default, deserialize_with = "value::duration")]
    #[schemars(schema_with = "value::duration_schema", extend("default" = "0s"))]
    pub delay: i64,
    /// What is wanted of each past record besides its time: names of inputs, and `label.NAME`.
    pub fields: Vec<String>,
}

/// How predictions are read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Names of the classes: two for a binary classification, the other one first.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The class that a high score means, of a binary classification.
    pub positive: Option<String>,
    /// The score from which on the positive class is predicted. 0.5 unless stated.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// That the plugin says of each record how far it is from what it was trained on. For classifications.
    pub novelty: Option<Novelty>,
}

/// How far from what a plugin was trained on a record may be.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Novelty {
    /// The distance, in the plugin's own unit, from which on a record is unfamiliar: its prediction means nothing.
    pub threshold: f64,
    /// What the distance is, and how the threshold was chosen, for people.
    pub description: Option<String>,
}

/// What the plugin can take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most rows of one call. The host splits a larger batch.
    #[serde(default = "rows_max_default")]
    #[schemars(range(min = 1, max = 1048576))]
    pub rows_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rows_max: ROWS_MAX_DEFAULT }
    }
}

fn rows_max_default() -> usize {
    ROWS_MAX_DEFAULT
}

fn threads_default() -> usize {
    THREADS_DEFAULT
}

fn yes() -> bool {
    true
}
