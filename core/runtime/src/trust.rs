//! Loading a plugin runs native code, so it is a decision. This is where it is remembered and enforced.
//!
//! Installing a plugin *pins* it: the BLAKE3 hashes of its manifest, library and models are written to `pins.toml`,
//! outside the plugin's directory. Before anything of it is loaded, [`verify`] hashes the files again and compares.
//! What comes out, a [`Verified`], is the only thing that the loader takes, so that no path of the program leads from
//! a file on disk to running code without this comparison.
//!
//! A [`Policy`] may demand a publisher's signature too. It is checked again each time, over the very hashes that are compared with
//! the pins: that a plugin was signed when it was installed is noted nowhere.
//!
//! - **Invariant:** under a policy that names publishers, [`verify`] gives nothing whose files one of them has not signed, and no
//!   other file can be put in the place of one of its models afterwards.
//! - **Invariant:** a [`Verified`] is made here alone, and each of its hashes was computed from the file it names.
//! - **Invariant:** the manifest in it was parsed from the very bytes that were hashed. The same holds for models: the
//!   bytes that are hashed are those that become a network, or that a plugin is lent.
//!
//! Pitfall: the system loads a library by its path, so a library that is exchanged between the check and the load is
//! not noticed. Keep the home writable for its owner only.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::{
    files::{self, FileError},
    hash::Hash,
    home::Home,
    manifest::{MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, ManifestError, ModelFile, ModelFormat},
    policy::{Policy, PolicyError},
    registry::Installed,
    signature::{Listing, Publisher, Signature, SignatureError},
};

/// The version of the format of `pins.toml` that this program reads and writes.
pub const PINS_VERSION: u32 = 1;
/// Largest `pins.toml` that is read.
const PINS_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// First line of `pins.toml`.
const PINS_COMMENT: &str =
    "# Written by foretell: the hashes with which plugins were installed. Do not edit.\n";

/// The hashes that a plugin's files must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Name of the plugin.
    pub name: String,
    /// Its version, as text.
    pub version: String,
    /// Hash of its manifest.
    pub manifest: Hash,
    /// Hash of its library.
    pub library: Hash,
    /// Hashes of its models, by their names in the manifest.
    #[serde(default)]
    pub models: BTreeMap<String, Hash>,
}

impl Pin {
    /// The first file whose hash is another in `other`, as what it is and both hashes.
    ///
    /// Pins with equal manifests have the same models.
    pub(crate) fn difference(&self, other: &Pin) -> Option<(String, Hash, Hash)> {
        let fixed = [("manifest", self.manifest, other.manifest), ("library", self.library, other.library)];
        let fixed = fixed.into_iter().map(|(what, own, others)| (what.to_owned(), own, others));
        let models = self.models.iter().filter_map(|(name, own)| {
            let others = other.models.get(name)?;
            Some((format!("model `{name}`"), *own, *others))
        });
        fixed.chain(models).find(|(_, own, others)| own != others)
    }
}

/// The content of `pins.toml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pins {
    version: u32,
    #[serde(default, rename = "pin")]
    pins: Vec<Pin>,
}

/// The pins can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// The file can't be read or written.
    #[error("{0}")]
    File(FileError),
    /// The file is not what this program writes.
    #[error("`{path}`: {message}; restore the file, or remove it and install your plugins again", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The file was written by a newer program.
    #[error("`{path}`: expected version {PINS_VERSION}, found {found}; update foretell", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that it states.
        found: i64,
    },
}

impl Pins {
    pub(crate) fn read(path: &Path) -> Result<Pins, PinsError> {
        let bytes = match files::read(path, PINS_BYTES_MAX) {
            Err(error) if error.cause.kind() == ErrorKind::NotFound => {
                return Ok(Pins { version: PINS_VERSION, pins: Vec::new() });
            }
            other => other.map_err(PinsError::File)?,
        };
        let content = |message: String| PinsError::Content { path: path.to_owned(), message };
        let text = String::from_utf8(bytes).map_err(|error| content(error.to_string()))?;
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| content(error.message().to_owned()))?;
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(found) if found != i64::from(PINS_VERSION) => {
                Err(PinsError::Version { path: path.to_owned(), found })
            }
            _ => table.try_into().map_err(|error: toml::de::Error| content(error.message().to_owned())),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), PinsError> {
        let text = toml::to_string(self)
            .map_err(|error| PinsError::Content { path: path.to_owned(), message: error.to_string() })?;
        files::replace(path, format!("{PINS_COMMENT}{text}").as_bytes()).map_err(PinsError::File)
    }

    pub(crate) fn get(&self, name: &str, version: &str) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.name == name && pin.version == version)
    }

    pub(crate) fn insert(&mut self, pin: Pin) {
        self.remove(&pin.name, &pin.version);
        self.pins.push(pin);
        self.pins.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
    }

    pub(crate) fn remove(&mut self, name: &str, version: &str) {
        self.pins.retain(|pin| pin.name != name || pin.version != version);
    }
}

/// A plugin whose files must not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` is not loaded: {kind}")]
pub struct TrustError {
    /// `name@version`, or the directory where the manifest can't be read.
    pub plugin: String,
    /// Why.
    pub kind: TrustErrorKind,
}

/// Why a plugin's files must not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TrustErrorKind {
    /// It lies in the home, but nobody installed it.
    #[error(
        "it was never installed; run `foretell plugin install DIRECTORY` with the directory you got it in"
    )]
    NotPinned,
    /// A file has another content than when it was installed.
    #[error(
        "`{path}` has changed since it was installed: expected BLAKE3 {expected}, found {found}; install the plugin \
         again from where you got it, with `--replace` if you trust the change", path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its hash when it was installed.
        expected: Hash,
        /// Its hash now.
        found: Hash,
    },
    /// A model file is not the one that its manifest, or the caller, names by hash.
    #[error(
        "model file `{path}`: expected BLAKE3 {expected}, found {found}; get the right file, or state the hash that \
         you trust", path = path.display()
    )]
    Model {
        /// The file.
        path: PathBuf,
        /// The hash that was asked for.
        expected: Hash,
        /// Its hash.
        found: Hash,
    },
    /// The plugin has no model of that name.
    #[error("it has no model `{name}`; expected one of: {}", known.join(", "))]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// The names in its manifest.
        known: Vec<String>,
    },
    /// The policy demands that a publisher has signed it, and none has.
    #[error("the policy demands a signature, and {0}")]
    Unsigned(Box<SignatureError>),
    /// The policy demands that a publisher has signed it, and another file was to take the place of a model.
    #[error(
        "the policy demands a signature, and `{path}` is not the model `{model}` that was signed; make it a version of its own \
         and sign that with a key that the policy names: `foretell plugin install DIRECTORY --model {model}=FILE --build \
         NAME`, then `foretell plugin sign`", path = path.display()
    )]
    UnsignedModel {
        /// Name of the model.
        model: String,
        /// The file.
        path: PathBuf,
    },
    /// The policy can't be understood.
    #[error("{0}")]
    Policy(Box<PolicyError>),
    /// A file can't be read.
    #[error("{0}")]
    File(FileError),
    /// The manifest can't be used.
    #[error("{0}")]
    Manifest(ManifestError),
    /// The pins can't be read.
    #[error("{0}")]
    Pins(PinsError),
}

/// A plugin whose files were compared with the hashes that its user trusts. The loader takes nothing else.
#[derive(Debug, Clone)]
pub struct Verified {
    directory: PathBuf,
    manifest: Manifest,
    manifest_text: String,
    manifest_hash: Hash,
    library: PathBuf,
    library_hash: Hash,
    models: Vec<VerifiedModel>,
    /// Whether a policy demands that its files are signed.
    is_bound: bool,
}

/// A model file of a verified plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedModel {
    /// What the plugin calls it.
    pub name: String,
    /// What is in the file.
    pub format: ModelFormat,
    /// The file.
    pub path: PathBuf,
    /// The hash that its content must have when it is opened.
    pub hash: Hash,
    /// Threads that one run may use; 1 for data, which is not run.
    pub threads: usize,
}

/// Compares an installed plugin's files with the hashes that it was installed with, and asks for a signature if the home's policy
/// demands one.
///
/// Costs the time to read and hash the files: about a second for a gigabyte.
pub fn verify(home: &Home, installed: &Installed) -> Result<Verified, TrustError> {
    let plugin = installed.to_string();
    let pin = || {
        let pins = Pins::read(&home.pins()).map_err(TrustErrorKind::Pins)?;
        let pin = pins.get(installed.name(), &installed.version().to_string()).cloned();
        pin.ok_or(TrustErrorKind::NotPinned)
    };
    let verify = || {
        let verified = compare(Verified::read(&installed.directory)?, &pin()?)?;
        let policy = Policy::of(home).map_err(|error| TrustErrorKind::Policy(Box::new(error)))?;
        verified.bind(&policy)
    };
    verify().map_err(|kind| TrustError { plugin, kind })
}

fn compare(verified: Verified, pin: &Pin) -> Result<Verified, TrustErrorKind> {
    let manifest = verified.directory.join(MANIFEST_FILE);
    let fixed = [
        (&manifest, pin.manifest, verified.manifest_hash),
        (&verified.library, pin.library, verified.library_hash),
    ];
    let models = verified.models.iter().map(|model| {
        // A pin with this manifest has its models; one without is no pin of this plugin.
        let expected = pin.models.get(&model.name).copied().ok_or(TrustErrorKind::NotPinned)?;
        Ok((&model.path, expected, model.hash))
    });
    for file in fixed.into_iter().map(Ok).chain(models) {
        let (path, expected, found) = file?;
        if expected != found {
            return Err(TrustErrorKind::Changed { path: path.clone(), expected, found });
        }
    }
    Ok(verified)
}

impl Verified {
    /// Takes the user's word for a directory that is not installed: what lies there now is trusted as it is.
    ///
    /// For plugins under development, and for validating a directory that the user names. Its models must still have
    /// the hashes of its manifest. The caller answers for the question having been asked.
    pub fn trusting(directory: &Path) -> Result<Verified, TrustError> {
        let error = |kind| TrustError { plugin: directory.display().to_string(), kind };
        let verified = Verified::read(directory).map_err(error)?;
        for (model, stated) in verified.models.iter().zip(&verified.manifest.models) {
            if model.hash != stated.blake3 {
                let (path, expected, found) = (model.path.clone(), stated.blake3, model.hash);
                return Err(error(TrustErrorKind::Model { path, expected, found }));
            }
        }
        Ok(verified)
    }

    /// Reads and hashes the files of a directory, comparing them with nothing.
    pub(crate) fn read(directory: &Path) -> Result<Verified, TrustErrorKind> {
        // The system's loader would look elsewhere for a name without a directory.
        let directory = std::path::absolute(directory).map_err(FileError::of("read", directory));
        let directory = directory.map_err(TrustErrorKind::File)?;
        let path = directory.join(MANIFEST_FILE);
        let bytes = files::read(&path, MANIFEST_BYTES_MAX).map_err(TrustErrorKind::File)?;
        let manifest = Manifest::from_bytes(&bytes, &path).map_err(TrustErrorKind::Manifest)?;
        let library = directory.join(manifest.library_file());
        let library_hash = files::hash(&library).map_err(TrustErrorKind::File)?;
        let model = |model: &ModelFile| {
            let path = directory.join(&model.file);
            let hash = files::hash(&path)?;
            Ok(VerifiedModel {
                name: model.name.clone(),
                format: model.format,
                path,
                hash,
                threads: model.threads,
            })
        };
        let models =
            manifest.models.iter().map(model).collect::<Result<_, _>>().map_err(TrustErrorKind::File)?;
        let manifest_hash = Hash::of(&bytes);
        let manifest_text = String::from_utf8(bytes).expect("a manifest that was parsed is UTF-8");
        let is_bound = false;
        Ok(Verified {
            directory,
            manifest,
            manifest_text,
            manifest_hash,
            library,
            library_hash,
            models,
            is_bound,
        })
    }

    /// Which of the publishers has signed these files, by the signature beside the manifest.
    pub fn signer<'p>(
        &self,
        publishers: impl IntoIterator<Item = &'p Publisher>,
    ) -> Result<Publisher, SignatureError> {
        let build = &self.version().build;
        match Signature::of(&self.directory)? {
            Some(signature) => {
                let listing = Listing::of(self).map_err(SignatureError::File)?;
                signature.signer(&listing, publishers)
            }
            None if !build.is_empty() => Err(SignatureError::Fitted { build: build.to_string() }),
            None => Err(SignatureError::Missing(publishers.into_iter().copied().collect())),
        }
    }

    /// Asks for what a policy demands of files: that a publisher has signed them, if it names any. From then on no other file
    /// takes the place of one of the models.
    ///
    /// What comes from [`verify`] was asked already. This is for what the user names and did not install.
    pub fn admitted(self, policy: &Policy) -> Result<Verified, TrustError> {
        let plugin = self.title();
        self.bind(policy).map_err(|kind| TrustError { plugin, kind })
    }

    fn bind(self, policy: &Policy) -> Result<Verified, TrustErrorKind> {
        if let Some(publishers) = &policy.publishers {
            self.signer(publishers).map_err(|error| TrustErrorKind::Unsigned(Box::new(error)))?;
        }
        Ok(Verified { is_bound: policy.publishers.is_some(), ..self })
    }

    /// Puts another file in the place of one of the plugin's models, such as one that was fitted on the user's own
    /// records. With `expected`, its content must have that hash; without, it is trusted as it is now.
    pub fn with_model(
        mut self,
        name: &str,
        path: &Path,
        expected: Option<Hash>,
    ) -> Result<Verified, TrustError> {
        let plugin = self.title();
        let known = || self.models.iter().map(|model| model.name.clone()).collect();
        let hashed = || {
            let place = self.models.iter().position(|model| model.name == name);
            let place = place
                .ok_or_else(|| TrustErrorKind::UnknownModel { name: name.to_owned(), known: known() })?;
            let found = files::hash(path).map_err(TrustErrorKind::File)?;
            match expected {
                Some(expected) if expected != found => {
                    Err(TrustErrorKind::Model { path: path.to_owned(), expected, found })
                }
                _ if self.is_bound && found != self.models[place].hash => {
                    Err(TrustErrorKind::UnsignedModel { model: name.to_owned(), path: path.to_owned() })
                }
                _ => Ok((place, found)),
            }
        };
        let (place, hash) = hashed().map_err(|kind| TrustError { plugin, kind })?;
        let model = &mut self.models[place];
        model.path = path.to_owned();
        model.hash = hash;
        Ok(self)
    }

    /// `name@version`.
    pub fn title(&self) -> String {
        format!("{}@{}", self.manifest.plugin.name, self.manifest.plugin.version)
    }

    /// The plugin's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The manifest, parsed from the bytes of [`manifest_hash`](Verified::manifest_hash).
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's file, whole.
    pub fn manifest_text(&self) -> &str {
        &self.manifest_text
    }

    /// Hash of the manifest's file.
    pub fn manifest_hash(&self) -> Hash {
        self.manifest_hash
    }

    /// The library's file.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Hash of the library's file.
    pub fn library_hash(&self) -> Hash {
        self.library_hash
    }

    /// The models, in the order of the manifest.
    pub fn models(&self) -> &[VerifiedModel] {
        &self.models
    }

    pub(crate) fn pin(&self) -> Pin {
        Pin {
            name: self.manifest.plugin.name.clone(),
            version: self.version().to_string(),
            manifest: self.manifest_hash,
            library: self.library_hash,
            models: self.models.iter().map(|model| (model.name.clone(), model.hash)).collect(),
        }
    }

    fn version(&self) -> &Version {
        &self.manifest.plugin.version
    }
}
