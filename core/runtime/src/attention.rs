//! Where in an image a prediction comes from, as the plugin itself says: the capability `foretell.attention/1`.
//!
//! A network that ends in an average over places and a linear layer knows which places spoke for a class (Zhou et al. 2016,
//! "Learning Deep Features for Discriminative Localization", section 2). A plugin with such a network hands that out as a
//! coarse map for each class; whoever draws it stretches it over the image.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, Schema};
use foretell_abi as abi;
use foretell_abi::{ATTENTION_CAPABILITY, ArrowArray};
use thiserror::Error;

use crate::exchange::take;
use crate::load::capability;
use crate::manifest::{Manifest, Task};
use crate::plugin::{Place, Plugin, PredictErrorKind};

/// Why a plugin did not say where its predictions come from.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("plugin `{plugin}`: {kind}")]
pub struct AttentionError {
    /// Name and version of the plugin.
    pub plugin: String,
    /// What went wrong.
    #[source]
    pub kind: AttentionErrorKind,
}

/// What went wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AttentionErrorKind {
    /// The plugin can't say it.
    #[error(
        "it has no `{ATTENTION_CAPABILITY}`: it does not say where in an image its predictions come from"
    )]
    NoCapability,
    /// The capability's table is too small to be one.
    #[error("its `{ATTENTION_CAPABILITY}` is a table of {found} bytes without `attend`; expected at least {}", size_of::<abi::Attention>())]
    Table {
        /// The size that it states.
        found: usize,
    },
    /// As a call of `predict` fails.
    #[error(transparent)]
    Call(#[from] PredictErrorKind),
    /// A map has no pixel, or not as many values as its sides say.
    #[error(
        "it answered {found} values for maps of {height} rows by {width}; expected {expected} maps of as many values each"
    )]
    Shape {
        /// Rows that it states.
        height: i32,
        /// Columns that it states.
        width: i32,
        /// Maps that the task asks for.
        expected: usize,
        /// Values that it gave.
        found: usize,
    },
    /// A value is no number.
    #[error("it answered {0} in a map; expected finite numbers")]
    NotFinite(String),
}

/// The maps of one record, each of `height` rows by `width`, which cover the whole image.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Rows of a map.
    pub height: usize,
    /// Values in a row.
    pub width: usize,
    /// One map, of the positive class, for a binary classification; else one for each label, in the manifest's order.
    pub classes: Vec<Vec<f32>>,
}

impl Plugin {
    /// Whether it can say where in an image its predictions come from.
    pub fn has_attention(&self) -> bool {
        match self.place() {
            Place::Here(instance) => attention(instance.table()).is_some(),
            Place::Apart(apart) => apart.has_attention(),
        }
    }

    /// Says for each record where in its image the prediction comes from. The records are those of
    /// [`predict`](Plugin::predict).
    pub fn attend(&self, records: &RecordBatch) -> Result<Vec<Maps>, AttentionError> {
        self.attend_kind(records).map_err(|kind| AttentionError { plugin: self.name(), kind })
    }

    fn attend_kind(&self, records: &RecordBatch) -> Result<Vec<Maps>, AttentionErrorKind> {
        let instance = match self.place() {
            Place::Here(instance) => instance,
            Place::Apart(apart) if apart.has_attention() => {
                return Maps::read(&apart.attend(records)?, self.manifest());
            }
            Place::Apart(_) => return Err(AttentionErrorKind::NoCapability),
        };
        let table = attention(instance.table())
            .ok_or(AttentionErrorKind::NoCapability)?
            .map_err(|found| AttentionErrorKind::Table { found })?;
        let attend = table.attend.ok_or(AttentionErrorKind::Table { found: table.size })?;
        let answer = instance.call(records, |instance, records, answer, error| {
            #[expect(unsafe_code, reason = "calls the plugin")]
            // SAFETY: the instance is open, the records are lent for the call with the schema given at open, and the plugin
            // writes to `answer` and `error` alone.
            unsafe {
                attend(instance, records, answer, error)
            }
        })?;
        #[expect(unsafe_code, reason = "reads what the plugin made")]
        // SAFETY: by its contract, what it answers is readable.
        unsafe {
            Maps::take(answer, self.manifest(), records.num_rows())
        }
    }
}

impl Maps {
    /// Takes over what a plugin answered to `rows` records, after looking at everything that can be looked at. Whatever comes of it,
    /// the answer is released.
    ///
    /// # Safety
    /// As of [`Predictions::take`](crate::plugin::Predictions::take).
    #[expect(unsafe_code, reason = "reads what a plugin made")]
    pub unsafe fn take(
        answer: ArrowArray,
        manifest: &Manifest,
        rows: usize,
    ) -> Result<Vec<Self>, AttentionErrorKind> {
        let maps = DataType::Struct(maps_schema().fields().clone());
        Self::read(&take(answer, &maps, rows).map_err(PredictErrorKind::from)?, manifest)
    }

    /// Reads the columns of [`maps_schema`].
    fn read(columns: &StructArray, manifest: &Manifest) -> Result<Vec<Self>, AttentionErrorKind> {
        let classes = classes(manifest);
        (0..columns.len()).map(|row| maps(columns, row, classes)).collect()
    }
}

/// The capability of a library, if it has it.
fn attention(plugin: &abi::Plugin) -> Option<Result<&'static abi::Attention, usize>> {
    #[expect(unsafe_code, reason = "reads what the plugin made")]
    // SAFETY: what stands under this id is an `Attention`.
    unsafe {
        capability(plugin, ATTENTION_CAPABILITY)
    }
}

/// How many maps a record has.
fn classes(manifest: &Manifest) -> usize {
    match manifest.plugin.task {
        Task::MulticlassClassification => manifest.output.labels.len(),
        _ => 1,
    }
}

/// Columns of an answer: the sides of a record's maps, and their values, one map after the other.
pub(crate) fn maps_schema() -> Schema {
    let side = |name| Field::new(name, DataType::Int32, false);
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Field::new("values", DataType::List(item), false);
    Schema::new(vec![side("height"), side("width"), values])
}

fn maps(columns: &StructArray, row: usize, classes: usize) -> Result<Maps, AttentionErrorKind> {
    let side = |column| columns.column(column).as_primitive::<Int32Type>().value(row);
    let (height, width) = (side(0), side(1));
    let values = columns.column(2).as_list::<i32>().value(row);
    let values = values.as_primitive::<Float32Type>().values();
    let places = usize::try_from(height).ok().zip(usize::try_from(width).ok()).and_then(|(height, width)| {
        let places = height.checked_mul(width)?;
        (places > 0 && places.checked_mul(classes)? == values.len()).then_some((height, width, places))
    });
    let Some((height, width, places)) = places else {
        return Err(AttentionErrorKind::Shape { height, width, expected: classes, found: values.len() });
    };
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(AttentionErrorKind::NotFinite(value.to_string()));
    }
    Ok(Maps { height, width, classes: values.chunks_exact(places).map(<[f32]>::to_vec).collect() })
}
