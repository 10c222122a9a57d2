//! Where foretell keeps what it installs: one directory, the *home*.
//!
//! ```text
//! $FORETELL_HOME, or the platform's data directory + foretell
//!   plugins/NAME/VERSION/    installed plugins, see `registry`
//!   pins.toml                the hashes they were installed with, see `trust`
//!   config.toml              what its owner demands of plugins, see `policy`
//!   onnxruntime/VERSION/     ONNX Runtime, see `onnx::locate`
//!   lock                     held while something is installed or removed
//! ```

use std::{
    env,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy as _;

/// The environment variable that moves the home.
pub const HOME_VARIABLE: &str = "FORETELL_HOME";

/// The directory where foretell keeps plugins, pins and ONNX Runtime. It need not exist yet.
///
/// ```
/// use foretell_runtime::home::Home;
///
/// let home = Home::at("/srv/foretell");
/// assert_eq!(home.plugins(), std::path::Path::new("/srv/foretell/plugins"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// No home directory is known.
#[derive(Debug, thiserror::Error)]
#[error("the data directory of this user is unknown: {cause}; set `{HOME_VARIABLE}` to a directory")]
pub struct HomeError {
    cause: String,
}

impl Home {
    /// The home of this process: [`HOME_VARIABLE`], or the user's data directory (`~/.local/share/foretell` on Linux
    /// and macOS, `%APPDATA%\foretell` on Windows).
    pub fn of_process() -> Result<Home, HomeError> {
        let unknown = |error: &dyn std::error::Error| HomeError { cause: error.to_string() };
        let root = match env::var_os(HOME_VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => PathBuf::from(value),
            None => {
                etcetera::choose_base_strategy().map_err(|error| unknown(&error))?.data_dir().join("foretell")
            }
        };
        // A library path without a directory would be searched for by the system's loader.
        Ok(Home { root: std::path::absolute(root).map_err(|error| unknown(&error))? })
    }

    /// The home at a directory of the caller's choice.
    pub fn at(root: impl Into<PathBuf>) -> Home {
        Home { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where plugins are installed, as `NAME/VERSION`.
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The file with the hashes that plugins were installed with.
    pub fn pins(&self) -> PathBuf {
        self.root.join("pins.toml")
    }

    /// The file with the settings of its owner, which is read and never written.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Where ONNX Runtime is put, as `VERSION/` and the library in it.
    pub fn onnxruntime(&self) -> PathBuf {
        self.root.join("onnxruntime")
    }

    /// The file that is locked while something is installed or removed.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}
