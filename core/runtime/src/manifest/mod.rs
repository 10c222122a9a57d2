//! `plugin.toml`: what a plugin is, wants and gives, readable without running its code.
//!
//! A plugin is a directory with this manifest, a native library and model files. Everything that the host has to know
//! before it loads the library stands here: the fields of a record, the past that the plugin wants to see, the shape
//! of its predictions, and the hashes of its models. A loaded library must agree with it.
//!
//! ```
//! use std::path::Path;
//! use foretell_runtime::manifest::{Manifest, Task};
//!
//! let text = r#"
//! schema = 1
//!
//! [plugin]
//! name = "late-return"
//! version = "0.1.0"
//! description = "whether an article will be sent back"
//! license = "MIT OR Apache-2.0"
//! authors = ["A. Author"]
//! domain = "retail"
//! task = "binary-classification"
//! abi = "1.0"
//! library = "late_return"
//!
//! [record]
//! keys = ["customer"]
//!
//! [[input]]
//! name = "customer"
//! type = "utf8"
//!
//! [[input]]
//! name = "amount"
//! type = "float64"
//! unit = "EUR"
//! minimum = 0.0
//!
//! [[label]]
//! name = "returned"
//! type = "bool"
//!
//! [[history]]
//! name = "purchases"
//! key = "customer"
//! window = "90d"
//! delay = "14d"
//! fields = ["amount", "label.returned"]
//!
//! [output]
//! labels = ["kept", "returned"]
//! positive = "returned"
//! "#;
//! let manifest = Manifest::parse(text, Path::new("plugin.toml"))?;
//! assert_eq!(manifest.plugin.task, Task::BinaryClassification);
//! assert_eq!(manifest.histories[0].window, 90 * 24 * 3600 * 1_000_000);
//! // The columns that the plugin is called with: its inputs, then its histories.
//! assert_eq!(manifest.records_schema().fields().len(), 3);
//! # Ok::<(), foretell_runtime::manifest::ManifestError>(())
//! ```
//!
//! The same content is described for editors by `schema/plugin.schema.json` (see [`crate::schema`]).
//!
//! Pitfalls:
//! - `schema` is the version of this format, not of the plugin; a newer one than [`SCHEMA_VERSION`] is refused by
//!   name instead of by its unknown keys.
//! - Times and durations are microseconds everywhere in the code, and words such as `7d` in the file.
//! - `event_time` is an input like any other, of type `timestamp`, which the host fills with the record's own time.

mod check;

mod error;
mod meaning;
mod types;
mod value;

use std::path::Path;

use serde::Deserialize as _;

pub use self::{
    check::{NAME_BYTES_MAX, is_name},
    error::{ManifestError, ManifestErrorKind, Problem},
    meaning::{
        EVENT_TIME, IMAGE_DIMENSIONS, IMAGES_AT_ONCE, IMAGES_AT_ONCE_UNSIZED, IMPLICIT_EVENT_FIELD,
        LABEL_PREFIX, NOVELTY, TIMESTAMP, UNFAMILIAR,
    },
    types::{
        Channels, Concurrency, Filter, Fit, Fitting, History, Image, Input, Label, Limits, Manifest,
        ModelFile, ModelFormat, Novelty, Output, Plugin, Record, SCHEMA_VERSION, Sample, Task,
    },
    value::{AbiVersion, Engine, FieldType, parse_duration},
};
use self::{error::Source, types::Header};
use crate::files;

/// Name of the manifest in a plugin's directory.
pub const MANIFEST_FILE: &str = "plugin.toml";
/// Largest manifest that is read.
pub const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

impl Manifest {
    /// Reads the manifest of a plugin's directory, or the file itself.
    pub fn load(path: &Path) -> Result<Manifest, ManifestError> {
        let file = if path.is_dir() { path.join(MANIFEST_FILE) } else { path.to_owned() };
        let error = |kind| ManifestError { origin: file.clone(), kind };
        let bytes =
            files::read(&file, MANIFEST_BYTES_MAX).map_err(|cause| error(ManifestErrorKind::File(cause)))?;
        Manifest::from_bytes(&bytes, &file)
    }

    /// Reads a manifest from the bytes of its file; `origin` is what error messages call it.
    pub fn from_bytes(bytes: &[u8], origin: &Path) -> Result<Manifest, ManifestError> {
        let text = str::from_utf8(bytes).map_err(|cause| ManifestError {
            origin: origin.to_owned(),
            kind: ManifestErrorKind::Encoding { position_bytes: cause.valid_up_to() },
        })?;
        Manifest::parse(text, origin)
    }

    /// Reads a manifest from text; `origin` is what error messages call it.
    ///
    /// Words that can't be read at all stop at the first; contradictions between keys are all reported at once.
    pub fn parse(text: &str, origin: &Path) -> Result<Manifest, ManifestError> {
        parse(text).map_err(|kind| ManifestError { origin: origin.to_owned(), kind })
    }
}

fn parse(text: &str) -> Result<Manifest, ManifestErrorKind> {
    let source = Source::parse(text)?;
    let header = Header::deserialize(source.deserializer()).map_err(|error| source.explain(&error))?;
    if header.schema != SCHEMA_VERSION {
        return Err(ManifestErrorKind::Schema { found: header.schema });
    }
    let manifest = Manifest::deserialize(source.deserializer()).map_err(|error| source.explain(&error))?;
    let problems = check::problems(&manifest, |key| source.states(key));
    if problems.is_empty() {
        return Ok(manifest);
    }
    Err(ManifestErrorKind::Invalid(source.locate(problems)))
}
