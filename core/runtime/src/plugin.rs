//! Loading a plugin and asking it for predictions.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::{DataType, SchemaRef};
use foretell_abi::ArrowArray;
use thiserror::Error;

use crate::exchange::{BadAnswer, take};
pub use crate::exchange::{UnsupportedColumn, stated_type};
use crate::instance::Instance;
use crate::isolation::{Apart, Ended};
use crate::load::Given;
pub use crate::load::{CallError, LoadError, LoadErrorKind, LoadOptions, Misfit};
use crate::manifest::{AbiVersion, Manifest};
use crate::onnx::Runtime;
use crate::trust::Verified;

/// Why a batch got no predictions.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("plugin `{plugin}`: {kind}")]
pub struct PredictError {
    /// Name and version of the plugin.
    pub plugin: String,
    /// What went wrong.
    #[source]
    pub kind: PredictErrorKind,
}

/// What went wrong while predicting.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PredictErrorKind {
    /// The batch is not what the manifest asks for.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The plugin stopped because it was asked to.
    #[error("cancelled")]
    Cancelled,
    /// The plugin answered with an error.
    #[error(transparent)]
    Call(CallError),
    /// The plugin answered with something else than predictions.
    #[error("{0}")]
    Answer(String),
    /// The process of an isolated plugin came to an early end, which may be the doing of these records. The next call has another.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The process of an isolated plugin has ended before, and another one did not get as far as this call.
    #[error("its process could not be started again: {0}")]
    Restart(String),
}

impl From<BadAnswer> for PredictErrorKind {
    fn from(error: BadAnswer) -> Self {
        Self::Answer(error.to_string())
    }
}

/// Predictions for a batch, in the form that the task fixes.
#[derive(Clone, Debug)]
pub struct Predictions(StructArray);

impl Predictions {
    /// Takes over what a plugin answered to `rows` records, after looking at everything that can be looked at. `expected` is the
    /// type that the manifest fixes, a structure of [`prediction_schema`](Manifest::prediction_schema). Whatever comes of it, the
    /// answer is released.
    ///
    /// # Safety
    /// What the answer points at must be readable where it is not null, and its buffers as long as its lengths and offsets say, as the
    /// Arrow C Data Interface asks. Everything else may be a lie.
    #[expect(unsafe_code, reason = "reads what a plugin made")]
    pub unsafe fn take(
        answer: ArrowArray,
        expected: &DataType,
        rows: usize,
    ) -> Result<Self, PredictErrorKind> {
        Ok(Self(take(answer, expected, rows)?))
    }

    /// Number of predictions, which is the number of records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns that the task fixes.
    pub fn columns(&self) -> &StructArray {
        &self.0
    }

    /// Scores of a binary classification, or values of a regression.
    pub fn numbers(&self) -> Option<&[f32]> {
        Some(self.0.columns().first()?.as_primitive_opt::<Float32Type>()?.values())
    }
}

/// A loaded plugin with one open instance. Share it by reference: `predict` may be called from several threads.
///
/// Its code runs in this process, or in another one if the runtime that loaded it [isolates](crate::isolation).
pub struct Plugin {
    verified: Verified,
    place: Place,
}

/// Where the code of a plugin runs.
pub(crate) enum Place {
    Here(Box<Instance>),
    Apart(Box<Apart>),
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plugin").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads the library, checks it against its manifest, opens its networks, its data and an instance.
    pub fn load(
        runtime: &Arc<Runtime>,
        verified: Verified,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let place =
            match runtime.isolation() {
                None => Instance::load(runtime, &verified, options)
                    .map(|instance| Place::Here(Box::new(instance))),
                Some(isolation) => Apart::load(isolation, runtime, &verified, options)
                    .map(|apart| Place::Apart(Box::new(apart))),
            };
        match place {
            Ok(place) => Ok(Self { verified, place }),
            Err(kind) => Err(LoadError { plugin: verified.title(), kind }),
        }
    }

    /// `name@version`.
    pub fn name(&self) -> String {
        self.verified.title()
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.verified.manifest()
    }

    /// What was checked before it was loaded: paths and hashes.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The version of the plugin interface that its library says it was built for.
    pub fn abi(&self) -> AbiVersion {
        let (major, minor) = match &self.place {
            Place::Here(instance) => (instance.table().abi_major, instance.table().abi_minor),
            Place::Apart(apart) => apart.abi(),
        };
        AbiVersion { major, minor }
    }

    /// The settings that it was opened with, as a JSON object.
    pub fn config(&self) -> &str {
        &self.given().config
    }

    /// Columns that a batch must have: the manifest's inputs, then its history.
    pub fn schema(&self) -> &SchemaRef {
        &self.given().schema
    }

    /// Whether its code runs in a process of its own.
    pub fn is_isolated(&self) -> bool {
        matches!(self.place, Place::Apart(_))
    }

    /// Asks running calls to stop (`true`), or lets later ones go on (`false`). An isolated plugin is not asked: its process ends.
    pub fn set_cancelled(&self, cancelled: bool) {
        match &self.place {
            Place::Here(instance) => instance.loaded.set_cancelled(cancelled),
            Place::Apart(apart) => apart.set_cancelled(cancelled),
        }
    }

    /// Predicts: one prediction for each record, in order.
    ///
    /// Costs about a microsecond beside the plugin's own work, so a batch of one is fine; two changes of process and two copies
    /// of the batch if the plugin is isolated. A panic in the plugin is an error of this call; the instance may be used again.
    pub fn predict(&self, records: &RecordBatch) -> Result<Predictions, PredictError> {
        let predictions = match &self.place {
            Place::Here(instance) => instance.predict(records),
            Place::Apart(apart) => apart.predict(records).map(Predictions),
        };
        predictions.map_err(|kind| PredictError { plugin: self.name(), kind })
    }

    /// Where its code runs.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn given(&self) -> &Given {
        match &self.place {
            Place::Here(instance) => &instance.loaded.given,
            Place::Apart(apart) => apart.given(),
        }
    }
}
