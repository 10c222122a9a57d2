//! The plugins that are installed in a home.
//!
//! ```text
//! plugins/late-return/0.1.0/plugin.toml
//!                           liblate_return.so
//!                           model/network.onnx
//!                           README.md, LICENSE, MODEL_CARD.md
//! ```
//!
//! [`Registry::install`] copies what a plugin needs, and nothing else, from the directory that its author made, checks
//! the models against the hashes in the manifest, and pins everything (see [`trust`](crate::trust)). Listing and
//! finding read manifests and never run a plugin's code.
//!
//! - **Invariant:** a directory `plugins/NAME/VERSION` appears complete, by a rename, or not at all. A process that has
//!   the old one loaded keeps it.
//! - **Invariant:** what `NAME@VERSION` means is not changed by accident: other content under an installed version is
//!   refused with both hashes, unless replacing was asked for.
//! - **Invariant:** only one process at a time installs or removes; the home's lock sees to it. Readers need no lock.

mod install;

use std::{
    cmp::Reverse,
    fmt,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use semver::Version;

pub use self::install::{Existing, InstallError, InstallErrorKind};
use crate::{
    files::{self, FileError},
    home::{Home, HomeError},
    manifest::{Manifest, ManifestError},
    trust::{Pins, PinsError, TrustError, Verified},
};

/// What a plugin is being copied to, inside `plugins`. A leading dot hides it from scans.
const STAGING: &str = ".staging";
/// Where a plugin is that is being replaced or removed, inside `plugins`.
const DISCARDED: &str = ".discarded";

/// The plugins of one home.
#[derive(Debug, Clone)]
pub struct Registry {
    home: Home,
}

/// A plugin that lies in a home. Whether its files are still the ones that were installed says
/// [`trust::verify`](crate::trust::verify).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Installed {
    /// Where it lies.
    pub directory: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Installed {
    /// Name of the plugin.
    pub fn name(&self) -> &str {
        &self.manifest.plugin.name
    }

    /// Version of the plugin.
    pub fn version(&self) -> &Version {
        &self.manifest.plugin.version
    }
}

impl fmt::Display for Installed {
    /// `name@version`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name(), self.version())
    }
}

/// A directory `plugins/NAME/VERSION`, usable or not.
#[derive(Debug)]
pub struct Entry {
    /// The directory.
    pub directory: PathBuf,
    /// The plugin's name, by the directory.
    pub name: String,
    /// The plugin's version, by the directory.
    pub version: String,
    /// The plugin, or why there is none.
    pub plugin: Result<Installed, EntryError>,
}

/// A directory in the registry that holds no usable plugin.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its manifest can't be used.
    #[error("{0}")]
    Manifest(ManifestError),
    /// It holds a plugin of another name or version.
    #[error(
        "`{directory}` holds `{found}`; install it again, and remove this directory", directory = directory.display()
    )]
    Misplaced {
        /// The directory.
        directory: PathBuf,
        /// `name@version` of its manifest.
        found: String,
    },
}

/// No usable plugin goes by that name.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// What was asked for is no name.
    #[error("expected a plugin as `name` or `name@1.0.0`, found `{0}`")]
    Name(String),
    /// There is none.
    #[error("plugin `{wanted}` is not installed; {}", offer(.installed))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What is installed, as `name@version`.
        installed: Vec<String>,
    },
    /// Several versions are installed, and exactly one was expected.
    #[error("several versions of `{name}` are installed; expected one of: {}", versions.join(", "))]
    Ambiguous {
        /// Name of the plugin.
        name: String,
        /// The versions, as `name@version`.
        versions: Vec<String>,
    },
    /// It is there, and broken.
    #[error("plugin `{plugin}` is broken: {cause}")]
    Broken {
        /// `name@version`, by its directory.
        plugin: String,
        /// What is wrong with it.
        cause: EntryError,
    },
    /// The registry can't be read or written.
    #[error("{0}")]
    File(FileError),
    /// The pins can't be read or written.
    #[error("{0}")]
    Pins(PinsError),
}

fn offer(installed: &[String]) -> String {
    if installed.is_empty() {
        return "nothing is: get a plugin's directory and run `foretell plugin install DIRECTORY`".to_owned();
    }
    format!("expected one of: {}", installed.join(", "))
}

impl Registry {
    /// The registry of a home, which need not exist yet.
    pub fn new(home: Home) -> Registry {
        Registry { home }
    }

    /// The registry of this process's home.
    pub fn of_process() -> Result<Registry, HomeError> {
        Home::of_process().map(Registry::new)
    }

    /// The home that it is in.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Compares an installed plugin's files with the hashes that it was installed with.
    pub fn verify(&self, installed: &Installed) -> Result<Verified, TrustError> {
        crate::trust::verify(&self.home, installed)
    }

    /// Every directory `plugins/NAME/VERSION`, by name and with the highest version first, broken ones included.
    pub fn list(&self) -> Result<Vec<Entry>, FileError> {
        let mut entries = Vec::new();
        for (name, directory) in directories(&self.home.plugins())? {
            for (version, directory) in directories(&directory)? {
                let plugin = read(&directory, &name, &version);
                entries.push(Entry { directory, name: name.clone(), version, plugin });
            }
        }
        entries.sort_by_cached_key(|entry| {
            (entry.name.clone(), Reverse(Version::parse(&entry.version).ok()), entry.version.clone())
        });
        Ok(entries)
    }

    /// The plugin `name@version`, or the highest version of `name`.
    ///
    /// If the highest version is broken, that is the error: falling back to another one would go unnoticed.
    pub fn find(&self, wanted: &str) -> Result<Installed, FindError> {
        let entry = self.candidates(wanted)?.swap_remove(0);
        let plugin = format!("{}@{}", entry.name, entry.version);
        entry.plugin.map_err(|cause| FindError::Broken { plugin, cause })
    }

    /// Removes the plugin `name@version`, or `name` if only one version is installed, with its pin; broken ones too.
    /// Gives the directory that it was in.
    pub fn remove(&self, wanted: &str) -> Result<PathBuf, FindError> {
        let _lock = self.lock().map_err(FindError::File)?;
        let mut entries = self.candidates(wanted)?;
        if entries.len() > 1 {
            let versions = entries.iter().map(|entry| format!("{}@{}", entry.name, entry.version)).collect();
            return Err(FindError::Ambiguous { name: wanted.to_owned(), versions });
        }
        let entry = entries.swap_remove(0);
        self.discard(&entry.directory).map_err(FindError::File)?;
        let mut pins = Pins::read(&self.home.pins()).map_err(FindError::Pins)?;
        pins.remove(&entry.name, &entry.version);
        pins.write(&self.home.pins()).map_err(FindError::Pins)?;
        files::remove_directory(&self.home.plugins().join(DISCARDED)).map_err(FindError::File)?;
        Ok(entry.directory)
    }

    /// The entries that `name` or `name@version` can mean, at least one, the highest version first.
    fn candidates(&self, wanted: &str) -> Result<Vec<Entry>, FindError> {
        let (name, version) = match wanted.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (wanted, None),
        };
        if name.is_empty() || version.is_some_and(|version| Version::parse(version).is_err()) {
            return Err(FindError::Name(wanted.to_owned()));
        }
        let mut entries = self.list().map_err(FindError::File)?;
        let installed = entries.iter().map(|entry| format!("{}@{}", entry.name, entry.version)).collect();
        entries.retain(|entry| entry.name == name && version.is_none_or(|version| entry.version == version));
        if entries.is_empty() {
            return Err(FindError::Unknown { wanted: wanted.to_owned(), installed });
        }
        Ok(entries)
    }

    /// Waits until no other process installs or removes, and clears what a crashed one left.
    fn lock(&self) -> Result<File, FileError> {
        let plugins = self.home.plugins();
        fs::create_dir_all(&plugins).map_err(FileError::of("create", &plugins))?;
        let path = self.home.lock();
        let lock = File::options().create(true).write(true).truncate(false).open(&path);
        let lock = lock.map_err(FileError::of("create", &path))?;
        lock.lock().map_err(FileError::of("lock", &path))?;
        files::remove_directory(&plugins.join(STAGING))?;
        files::remove_directory(&plugins.join(DISCARDED))?;
        Ok(lock)
    }

    /// Moves an installed directory out of the way, and makes sure that its place exists.
    fn discard(&self, target: &Path) -> Result<(), FileError> {
        let parent = target.parent().unwrap_or(target);
        fs::create_dir_all(parent).map_err(FileError::of("create", parent))?;
        if target.exists() {
            files::rename(target, &self.home.plugins().join(DISCARDED))?;
        }
        Ok(())
    }
}

fn read(directory: &Path, name: &str, version: &str) -> Result<Installed, EntryError> {
    let manifest = Manifest::load(directory).map_err(EntryError::Manifest)?;
    let installed = Installed { directory: directory.to_owned(), manifest };
    if installed.name() != name || installed.version().to_string() != version {
        return Err(EntryError::Misplaced { directory: directory.to_owned(), found: installed.to_string() });
    }
    Ok(installed)
}

/// The directories in a directory by name, without hidden ones; none if it does not exist.
fn directories(path: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(FileError::of("read", path))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(FileError::of("read", path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}
