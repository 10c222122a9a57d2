//! What a manifest means to the host: the Arrow types of what goes into a plugin and comes out of it, its decision rule,
//! its settings and the name of its library.

use std::{collections::HashMap, fmt, sync::Arc};

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::{Map, Value};

use super::{FieldType, History, Image, Input, Manifest, Sample, Task};

/// Records of one call when they have images of one size: enough for a network to be at its best.
pub const IMAGES_AT_ONCE: usize = 32;
/// Records of one call when they have images of any size.
pub const IMAGES_AT_ONCE_UNSIZED: usize = 4;

/// Name of the input, of type `timestamp`, that the host fills with the record's own time.
pub const EVENT_TIME: &str = "event_time";
/// Name of the time of a past record, the first field of every history.
pub const IMPLICIT_EVENT_FIELD: &str = EVENT_TIME;
/// How a history's field begins that is a label: `label.NAME`.
pub const LABEL_PREFIX: &str = "label.";
/// The Arrow type of every time: microseconds since 1970-01-01 UTC, without a time zone.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
/// Name of the items of every list.
const ITEM: &str = "item";
/// Name of the column, after those that the task fixes, in which a plugin says how far a record is from what it was trained on.
pub const NOVELTY: &str = "novelty";
/// What an answer calls a record from whose distance on a prediction means nothing: true or false.
pub const UNFAMILIAR: &str = "unfamiliar";
/// Dimensions of an image: height, width, channels.
pub const IMAGE_DIMENSIONS: i32 = 3;
/// Field metadata that names an Arrow extension type, and describes it.
const EXTENSION_NAME: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

impl FieldType {
    /// The Arrow type of its values; of an image, as it stands in a record: the name of a blob.
    pub fn data_type(&self) -> DataType {
        match self {
            FieldType::Int64 => DataType::Int64,
            FieldType::Float64 => DataType::Float64,
            FieldType::Bool => DataType::Boolean,
            FieldType::Utf8 | FieldType::Category | FieldType::Image => DataType::Utf8,
            FieldType::Timestamp => TIMESTAMP,
            FieldType::List(item) => list(item.data_type()),
        }
    }
}

/// A list of values that are all there.
fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new(ITEM, item, false)))
}

fn structure(fields: impl IntoIterator<Item = Field>) -> DataType {
    DataType::Struct(Fields::from_iter(fields))
}

/// A column that has a value in every row.
fn filled(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

impl Image {
    /// Width and height, if the plugin wants a certain size.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.width.zip(self.height)
    }

    /// The Arrow type of a column of such images: `data`, the samples of each row by row, and `shape`, its height, width and
    /// channels.
    pub fn data_type(&self) -> DataType {
        let sample = match self.sample {
            Sample::U8 => DataType::UInt8,
            Sample::U16 => DataType::UInt16,
            Sample::F32 => DataType::Float32,
        };
        let sides = DataType::FixedSizeList(Arc::new(filled(ITEM, DataType::Int32)), IMAGE_DIMENSIONS);
        structure([filled("data", list(sample)), filled("shape", sides)])
    }

    /// The extension type of such a column, by the name and in the JSON that Arrow gives it.
    fn extension(&self) -> [(String, String); 2] {
        let side = |side: Option<u32>| side.map_or("null".to_owned(), |side| side.to_string());
        let (width, height) = self.size().unzip();
        let (height, width, channels) = (side(height), side(width), self.channels.count());
        let metadata =
            format!("{{\"dim_names\":[\"H\",\"W\",\"C\"],\"uniform_shape\":[{height},{width},{channels}]}}");
        let name = "arrow.variable_shape_tensor".to_owned();
        [(EXTENSION_NAME.to_owned(), name), (EXTENSION_METADATA.to_owned(), metadata)]
    }
}

impl Input {
    /// How the plugin wants to see it, if it is an image.
    pub fn picture(&self) -> Option<Image> {
        (self.kind == FieldType::Image).then(|| self.image.clone().unwrap_or_default())
    }

    /// The column that the plugin is given.
    fn column(&self) -> Field {
        match self.picture() {
            None => Field::new(&self.name, self.kind.data_type(), !self.required),
            Some(image) => Field::new(&self.name, image.data_type(), !self.required)
                .with_metadata(HashMap::from(image.extension())),
        }
    }
}

impl Manifest {
    /// The columns of the inputs as they stand in a record, in the order of the manifest: an image is the name of a blob. A
    /// required input is not nullable.
    pub fn stored_schema(&self) -> Schema {
        let field = |input: &Input| Field::new(&input.name, input.kind.data_type(), !input.required);
        Schema::new(self.inputs.iter().map(field).collect::<Vec<_>>())
    }

    /// The columns of the inputs as the plugin is given them, in the order of the manifest. A required input is not nullable.
    pub fn input_schema(&self) -> Schema {
        Schema::new(self.inputs.iter().map(Input::column).collect::<Vec<_>>())
    }

    /// What the plugin is called with: the inputs, then the histories, in the order of the manifest.
    pub fn records_schema(&self) -> Schema {
        let histories =
            self.histories.iter().map(|history| filled(&history.name, self.history_type(history)));
        Schema::new(self.inputs.iter().map(Input::column).chain(histories).collect::<Vec<_>>())
    }

    /// The Arrow type of a history of this manifest: a list of past records, oldest first, each with its
    /// [`event_time`](IMPLICIT_EVENT_FIELD) and the wanted fields, which are null where they are not known.
    ///
    /// The names of the fields are those of the manifest, `label.NAME` included.
    pub fn history_type(&self, history: &History) -> DataType {
        let wanted = history.fields.iter().filter_map(|field| {
            let kind = self.history_field(field)?;
            Some(Field::new(field, kind.data_type(), true))
        });
        list(structure([filled(IMPLICIT_EVENT_FIELD, TIMESTAMP)].into_iter().chain(wanted)))
    }

    /// The type of a field that a history asks for: of an input, or of a label as `label.NAME`. `None` if the
    /// manifest has neither, which [`parse`](Manifest::parse) refuses.
    pub fn history_field(&self, field: &str) -> Option<&FieldType> {
        match field.strip_prefix(LABEL_PREFIX) {
            Some(name) => self.labels.iter().find(|label| label.name == name).map(|label| &label.kind),
            None => self.inputs.iter().find(|input| input.name == field).map(|input| &input.kind),
        }
    }

    /// The columns of this plugin's predictions, one row for each record: those of the task, and [`NOVELTY`] where the manifest
    /// says so.
    pub fn prediction_schema(&self) -> Schema {
        let fields = self.plugin.task.prediction_fields(self.output.labels.len());
        let novelty = self.output.novelty.iter().map(|_| Arc::new(filled(NOVELTY, DataType::Float32)));
        Schema::new(fields.iter().cloned().chain(novelty).collect::<Vec<_>>())
    }

    /// Whether a record at this distance from what the plugin was trained on is unfamiliar to it, if it says so at all.
    pub fn is_unfamiliar(&self, novelty: f32) -> Option<bool> {
        Some(f64::from(novelty) >= self.output.novelty.as_ref()?.threshold)
    }

    /// The positive class of a binary classification, and the score from which on it is predicted.
    pub fn decision(&self) -> Option<(&str, f64)> {
        /// Score from which on the positive class is predicted when the manifest does not say.
        const THRESHOLD_DEFAULT: f64 = 0.5;
        Some((self.output.positive.as_deref()?, self.output.threshold.unwrap_or(THRESHOLD_DEFAULT)))
    }

    /// The label of a score of a binary classification: the positive class from the threshold on, else the other one.
    pub fn decide(&self, score: f32) -> Option<&str> {
        let (positive, threshold) = self.decision()?;
        let is_positive = f64::from(score) >= threshold;
        self.output.labels.iter().map(String::as_str).find(|label| (*label == positive) == is_positive)
    }

    /// How many records a call gets at most where the plugin reads images, whatever its `rows_max`; none where it reads no image.
    pub fn images_at_once(&self) -> Option<usize> {
        let mut images = self.inputs.iter().filter_map(Input::picture).peekable();
        images.peek()?;
        let are_sized = images.all(|image| image.size().is_some());
        Some(if are_sized { IMAGES_AT_ONCE } else { IMAGES_AT_ONCE_UNSIZED })
    }

    /// The plugin's settings, to which the user's changes can be added. A date in the file is text here.
    pub fn config_json(&self) -> Map<String, Value> {
        self.config.clone()
    }

    /// The file name of the plugin's library on this platform.
    pub fn library_file(&self) -> String {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.plugin.library)
    }
}

impl Task {
    /// The columns of a prediction of this task, for a plugin with so many output labels.
    ///
    /// | task | columns |
    /// |---|---|
    /// | binary-classification | `score`: 0 to 1, of the positive class |
    /// | multiclass-classification | `scores`: one for each label, in their order |
    /// | regression | `value` |
    /// | ranking | `items`: list of `item`, `score`, `reason`, the best first |
    /// | detection | `detections`: list of boxes |
    /// | tracking | `detections`: list of boxes, each with the `track` that it belongs to and its `frame`, from 0 |
    /// | segmentation | `height`, `width`, and `classes`: an index of a label for each pixel, row by row |
    /// | forecast | `steps`: list of `event_time`, `value`, `low`, `high` |
    ///
    /// A box is `x`, `y` (its upper left corner), `width` and `height`, `label`, and `score` from 0 to 1. A detection answers in
    /// pixels of the image that it was given, and is stored in pixels of the original; a tracking knows the original alone. All numbers are 32-bit floating-point numbers.
    pub fn prediction_fields(self, labels: usize) -> Fields {
        let number = |name| filled(name, DataType::Float32);
        let numbers = |names: &[&'static str]| names.iter().copied().map(number).collect::<Vec<_>>();
        let text = |name| filled(name, DataType::Utf8);
        let boxes =
            || [numbers(&["x", "y", "width", "height"]), vec![text("label"), number("score")]].concat();
        match self {
            Task::BinaryClassification => vec![number("score")],
            Task::MulticlassClassification => {
                let length = i32::try_from(labels).unwrap_or(i32::MAX);
                vec![filled("scores", DataType::FixedSizeList(Arc::new(number(ITEM)), length))]
            }
            Task::Regression => vec![number("value")],
            Task::Ranking => {
                let item = [text("item"), number("score"), Field::new("reason", DataType::Utf8, true)];
                vec![filled("items", list(structure(item)))]
            }
            Task::Detection => vec![filled("detections", list(structure(boxes())))],
            Task::Tracking => {
                let fields = boxes()
                    .into_iter()
                    .chain([filled("track", DataType::Int64), filled("frame", DataType::Int32)]);
                vec![filled("detections", list(structure(fields)))]
            }
            Task::Segmentation => {
                let side = |name| filled(name, DataType::Int32);
                vec![side("height"), side("width"), filled("classes", list(DataType::UInt8))]
            }
            Task::Forecast => {
                let interval = ["low", "high"].map(|name| Field::new(name, DataType::Float32, true));
                let step = [filled(EVENT_TIME, TIMESTAMP), number("value")].into_iter().chain(interval);
                vec![filled("steps", list(structure(step)))]
            }
        }
        .into()
    }
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Task::BinaryClassification => "binary-classification",
            Task::MulticlassClassification => "multiclass-classification",
            Task::Regression => "regression",
            Task::Ranking => "ranking",
            Task::Detection => "detection",
            Task::Segmentation => "segmentation",
            Task::Tracking => "tracking",
            Task::Forecast => "forecast",
        })
    }
}
