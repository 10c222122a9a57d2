//! What the two processes say to each other when a plugin is opened, and when something fails.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::confine::Missing;
use crate::fit::FitStart;
use crate::load::CallError;
use crate::trust::{Pin, TrustErrorKind, Verified};

/// What to open, and under which limits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    pub(super) files: Files,
    /// The library of ONNX Runtime.
    pub(super) onnxruntime: PathBuf,
    /// Changes to the manifest's settings.
    pub(super) config: serde_json::Map<String, serde_json::Value>,
    /// Sessions of each network.
    pub(super) sessions: usize,
    /// Columns to open it with instead of the manifest's, as a schema in Arrow's IPC format.
    pub(super) records: Option<Vec<u8>>,
    /// How learning begins, if it is to learn.
    pub(super) fit: Option<FitStart>,
    pub(super) memory_bytes_max: u64,
}

/// The files of a verified plugin, to be verified again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Files {
    directory: PathBuf,
    pin: Pin,
    /// The file of each model, which may lie elsewhere.
    models: Vec<(String, PathBuf)>,
}

impl Files {
    pub(super) fn of(verified: &Verified) -> Self {
        let models = verified.models().iter().map(|model| (model.name.clone(), model.path.clone()));
        Self { directory: verified.directory().to_owned(), pin: verified.pin(), models: models.collect() }
    }

    /// Everything that must be readable: the plugin's directory, and models that lie elsewhere.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let elsewhere = self.models.iter().map(|(_, path)| path.as_path());
        std::iter::once(self.directory.as_path())
            .chain(elsewhere.filter(|path| !path.starts_with(&self.directory)))
    }

    /// Reads and hashes the files again, and compares them with what the asking process found.
    pub(super) fn verify(&self) -> Result<Verified, String> {
        let mut verified =
            Verified::read(&self.directory).map_err(|error: TrustErrorKind| error.to_string())?;
        for (name, path) in &self.models {
            if verified.models().iter().any(|model| model.name == *name && model.path != *path) {
                verified = verified.with_model(name, path, None).map_err(|error| error.to_string())?;
            }
        }
        let found = verified.pin();
        match self.pin.difference(&found) {
            Some((what, expected, found)) => Err(format!(
                "{what} has changed since it was verified: expected BLAKE3 {expected}, found {found}"
            )),
            None if found != self.pin => Err(format!(
                "its manifest has changed since it was verified: expected {}@{}, found {}@{}",
                self.pin.name, self.pin.version, found.name, found.version
            )),
            None => Ok(verified),
        }
    }
}

/// What an open plugin is like.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    /// Major and minor number of the interface that its library was built for; none if it learns.
    pub(super) abi: Option<(u32, u32)>,
    /// Whether it says where in an image its predictions come from.
    pub(super) has_attention: bool,
    /// Version of the ONNX Runtime that runs its networks.
    pub(super) onnxruntime: String,
    /// What the system could not take away from it.
    pub(super) missing: Vec<Missing>,
}

/// Why something was not done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The plugin stopped because it was asked to.
    Cancelled,
    /// The plugin answered with an error.
    Call(CallError),
    /// Anything else, in words.
    Words(String),
}
