//! Bringing plugins into a home: from the directory of an author, and as what an installed one has learned.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use semver::{BuildMetadata, Version};
use toml_edit::{DocumentMut, Item, TableLike, TomlError, Value};

use super::{DISCARDED, Installed, Registry, STAGING};
use crate::{
    files::{self, FileError},
    hash::Hash,
    manifest::{MANIFEST_FILE, Manifest, ManifestError},
    onnx::MODEL_BYTES_MAX,
    trust::{Pin, Pins, PinsError, TrustError, TrustErrorKind, Verified},
};

/// Beginnings of the names of files for people that are installed too, beside the manifest and the models.
const DOCUMENTS: [&str; 4] = ["README", "LICENSE", "NOTICE", "MODEL_CARD"];

/// What to do when a version is installed already, with other content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// Refuse.
    #[default]
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// A plugin can't be installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot install `{}`: {kind}", directory.display())]
pub struct InstallError {
    /// The directory that was to be installed.
    pub directory: PathBuf,
    /// Why it can't.
    pub kind: Box<InstallErrorKind>,
}

/// Why a plugin can't be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallErrorKind {
    /// Its manifest can't be used.
    #[error("{0}")]
    Manifest(ManifestError),
    /// Its library is not there.
    #[error(
        "expected the library `{0}` beside `{MANIFEST_FILE}`, found none; build the plugin and copy it there"
    )]
    NoLibrary(String),
    /// A model is not the one that the manifest names.
    #[error(
        "model file `{file}`: expected BLAKE3 {expected} as in `{MANIFEST_FILE}`, found {found}; get the right file, \
         or correct the hash if the file is right"
    )]
    Model {
        /// The file, as in the manifest.
        file: String,
        /// Hash in the manifest.
        expected: Hash,
        /// Hash of the file.
        found: Hash,
    },
    /// What was learned makes another version of the plugin that learned, and not of something else.
    #[error(
        "a version of `{base}` with other models: expected `{expected}` with something after a `+`, such as `{expected}+fit.1`, found `{found}`"
    )]
    Version {
        /// `name@version` of the plugin that learned.
        base: String,
        /// Its version without build metadata.
        expected: Version,
        /// The version that was asked for.
        found: Version,
    },
    /// The plugin has no model of that name.
    #[error("model `{model}`: expected one of the models that the manifest lists: {}", listed.join(", "))]
    Unlisted {
        /// Name of the model.
        model: String,
        /// Names in the manifest.
        listed: Vec<String>,
    },
    /// The manifest could not be given another version and other hashes.
    #[error("`{MANIFEST_FILE}` can't be written anew: {0}")]
    Edit(TomlError),
    /// This version is installed with other content.
    #[error(
        "`{plugin}` is installed already with another {what}: expected BLAKE3 {installed}, found {offered}; give the \
         new one another version, or replace the installed one with `--replace`"
    )]
    Installed {
        /// `name@version`.
        plugin: String,
        /// The file that differs: manifest, library or a model.
        what: String,
        /// Hash of the installed one.
        installed: Hash,
        /// Hash of the new one.
        offered: Hash,
    },
    /// What is offered is no plugin with the models of its manifest.
    #[error("{0}")]
    Offered(Box<TrustError>),
    /// The copies can't be read back.
    #[error("{0}")]
    Copies(TrustErrorKind),
    /// A file or directory can't be read or written.
    #[error("{0}")]
    File(FileError),
    /// The pins can't be read or written.
    #[error("{0}")]
    Pins(PinsError),
}

impl From<FileError> for InstallErrorKind {
    fn from(error: FileError) -> InstallErrorKind {
        InstallErrorKind::File(error)
    }
}

impl From<PinsError> for InstallErrorKind {
    fn from(error: PinsError) -> InstallErrorKind {
        InstallErrorKind::Pins(error)
    }
}

/// Where the content of a file comes from.
enum Content<'a> {
    /// Another file.
    Copy(PathBuf),
    /// Memory.
    Bytes(&'a [u8]),
}

impl Registry {
    /// Copies a plugin into the home and pins its hashes. Its code is not run.
    ///
    /// Installing the same content again changes nothing, and repairs a copy whose files were changed since.
    pub fn install(&self, directory: &Path, existing: Existing) -> Result<Installed, InstallError> {
        let error = |kind| InstallError { directory: directory.to_owned(), kind: Box::new(kind) };
        self.install_locked(directory, existing).map_err(error)
    }

    /// Makes what a plugin has learned, by a fit or by a recipe of its own, a version of it: library, documents and other
    /// models of `base`, and `models` in the place of its own, each with its name and content. Pinned as if its author had made
    /// it.
    ///
    /// `version` is that of `base` with other build metadata, such as `0.1.0+fit.20261124015512`, since learning changes what a
    /// plugin knows and not what it does. The manifest keeps every other word, its comments included.
    ///
    /// ```no_run
    /// # fn install(registry: &foretell_runtime::registry::Registry) -> Result<(), Box<dyn std::error::Error>> {
    /// let base = registry.verify(&registry.find("item-pairs@0.1.0")?)?;
    /// let learned = [("pairs".to_owned(), b"tea\tmilk\t3\n".to_vec())];
    /// let installed = registry.install_fitted(&base, &"0.1.0+fit.1".parse()?, &learned)?;
    /// assert_eq!(registry.find("item-pairs")?.version(), installed.version());
    /// # Ok(())
    /// # }
    /// ```
    pub fn install_fitted(
        &self,
        base: &Verified,
        version: &Version,
        models: &[(String, Vec<u8>)],
    ) -> Result<Installed, InstallError> {
        let install = || {
            let _lock = self.lock()?;
            let offered = self.stage_fitted(base, version, models)?;
            self.place(&offered, Existing::Keep)
        };
        install()
            .map_err(|kind| InstallError { directory: base.directory().to_owned(), kind: Box::new(kind) })
    }

    /// Installs the plugin of a directory with other files in the place of some models, as a version of its own: `build` follows the
    /// plugin's version after a `+`. For weights that were trained outside, as [`install_fitted`](Self::install_fitted) is for
    /// what was learned here.
    pub fn install_with_models(
        &self,
        directory: &Path,
        build: &BuildMetadata,
        models: &[(String, PathBuf)],
    ) -> Result<Installed, InstallError> {
        let error = |kind| InstallError { directory: directory.to_owned(), kind: Box::new(kind) };
        let base = Verified::trusting(directory)
            .map_err(|cause| error(InstallErrorKind::Offered(Box::new(cause))))?;
        let content =
            |(name, path): &(String, PathBuf)| Ok((name.clone(), files::read(path, MODEL_BYTES_MAX)?));
        let models = models.iter().map(content).collect::<Result<Vec<_>, FileError>>();
        let models = models.map_err(|cause| error(cause.into()))?;
        let version = Version { build: build.clone(), ..base.manifest().plugin.version.clone() };
        self.install_fitted(&base, &version, &models)
    }

    fn install_locked(&self, directory: &Path, existing: Existing) -> Result<Installed, InstallErrorKind> {
        let _lock = self.lock()?;
        let offered = self.stage(directory)?;
        self.place(&offered, existing)
    }

    /// Puts what was staged where it belongs, and pins it.
    fn place(&self, offered: &Verified, existing: Existing) -> Result<Installed, InstallErrorKind> {
        let plugin = offered.title();
        let pin = offered.pin();
        let mut pins = Pins::read(&self.home.pins())?;
        let target = self.home.plugins().join(&pin.name).join(&pin.version);
        let intact = match self.present(&target, &pins, &pin)? {
            None => false,
            Some((present, intact)) => match present.difference(&pin) {
                Some((what, installed, offered)) if existing == Existing::Keep => {
                    return Err(InstallErrorKind::Installed { plugin, what, installed, offered });
                }
                difference => intact && difference.is_none(),
            },
        };
        pins.insert(pin);
        pins.write(&self.home.pins())?;
        let staging = self.home.plugins().join(STAGING);
        if intact {
            files::remove_directory(&staging)?;
        } else {
            self.discard(&target)?;
            files::rename(&staging, &target)?;
            files::remove_directory(&self.home.plugins().join(DISCARDED))?;
        }
        Ok(Installed { directory: target, manifest: offered.manifest().clone() })
    }

    /// What is installed at `target`: the hashes it was pinned with, and whether its files still have them. A copy
    /// that was never pinned counts by its files.
    fn present(
        &self,
        target: &Path,
        pins: &Pins,
        offered: &Pin,
    ) -> Result<Option<(Pin, bool)>, InstallErrorKind> {
        if !target.exists() {
            return Ok(None);
        }
        let files = Verified::read(target).ok().map(|files| files.pin());
        Ok(match (pins.get(&offered.name, &offered.version), files) {
            (Some(pin), files) => Some((pin.clone(), files.is_some_and(|files| files == *pin))),
            (None, Some(files)) => Some((files, true)),
            (None, None) => None,
        })
    }

    /// Copies what a plugin needs beside the installed ones, hashes the copies, and checks its models.
    fn stage(&self, directory: &Path) -> Result<Verified, InstallErrorKind> {
        let manifest = Manifest::load(directory).map_err(InstallErrorKind::Manifest)?;
        let library = manifest.library_file();
        if !directory.join(&library).is_file() {
            return Err(InstallErrorKind::NoLibrary(library));
        }
        let models = manifest.models.iter().map(|model| model.file.clone());
        let names = [MANIFEST_FILE.to_owned(), library].into_iter().chain(models);
        let names = names.chain(documents(directory, &manifest)?);
        self.fill(names.map(|name| (name.clone(), Content::Copy(directory.join(name)))).collect())
    }

    /// Puts together beside the installed ones what `base` has learned.
    fn stage_fitted(
        &self,
        base: &Verified,
        version: &Version,
        models: &[(String, Vec<u8>)],
    ) -> Result<Verified, InstallErrorKind> {
        let manifest = base.manifest();
        let without_build = |version: &Version| Version { build: BuildMetadata::EMPTY, ..version.clone() };
        let expected = without_build(&manifest.plugin.version);
        if version.build.is_empty() || without_build(version) != expected {
            let (base, found) = (base.title(), version.clone());
            return Err(InstallErrorKind::Version { base, expected, found });
        }
        let listed: Vec<String> = manifest.models.iter().map(|model| model.name.clone()).collect();
        if let Some((model, _)) = models.iter().find(|(model, _)| !listed.contains(model)) {
            return Err(InstallErrorKind::Unlisted { model: model.clone(), listed });
        }
        let documents = documents(base.directory(), manifest)?;
        let mut contents: BTreeMap<_, _> = documents
            .into_iter()
            .map(|name| (name.clone(), Content::Copy(base.directory().join(name))))
            .collect();
        contents.insert(manifest.library_file(), Content::Copy(base.library().to_owned()));
        let mut hashes = Vec::new();
        for (stated, model) in manifest.models.iter().zip(base.models()) {
            let learned = models.iter().find(|(name, _)| *name == model.name);
            let (content, hash) = match learned {
                Some((_, bytes)) => (Content::Bytes(bytes), Hash::of(bytes)),
                None => (Content::Copy(model.path.clone()), model.hash),
            };
            contents.insert(stated.file.clone(), content);
            hashes.push(hash);
        }
        let text = edit(base.manifest_text(), version, &hashes).map_err(InstallErrorKind::Edit)?;
        contents.insert(MANIFEST_FILE.to_owned(), Content::Bytes(text.as_bytes()));
        let staged = self.fill(contents)?;
        // The hashes of the models stand in the manifest, and were compared; that of the library does not.
        let (expected, found) = (base.library_hash(), staged.library_hash());
        if expected != found {
            let path = base.library().to_owned();
            return Err(InstallErrorKind::Copies(TrustErrorKind::Changed { path, expected, found }));
        }
        Ok(staged)
    }

    /// Writes what a plugin consists of, by the names of its files, hashes what was written, and checks its models.
    fn fill(&self, contents: BTreeMap<String, Content<'_>>) -> Result<Verified, InstallErrorKind> {
        let staging = self.home.plugins().join(STAGING);
        for (name, content) in contents {
            let target = staging.join(name);
            let parent = target.parent().unwrap_or(&staging);
            fs::create_dir_all(parent).map_err(FileError::of("create", parent))?;
            match content {
                Content::Copy(from) => files::copy(&from, &target)?,
                Content::Bytes(bytes) => files::create(&target, bytes)?,
            }
            files::sync_directory(parent)?;
        }
        // The copies are what will be loaded, so they are what is hashed and read.
        let staged = Verified::read(&staging).map_err(InstallErrorKind::Copies)?;
        for (model, stated) in staged.models().iter().zip(&staged.manifest().models) {
            if model.hash != stated.blake3 {
                let (file, expected, found) = (stated.file.clone(), stated.blake3, model.hash);
                return Err(InstallErrorKind::Model { file, expected, found });
            }
        }
        Ok(staged)
    }
}

/// Files for people, beside the manifest and the models, relative to the plugin's directory.
fn documents(directory: &Path, manifest: &Manifest) -> Result<Vec<String>, FileError> {
    let mut places = vec![String::new()];
    places.extend(
        manifest.models.iter().filter_map(|model| Some(format!("{}/", model.file.rsplit_once('/')?.0))),
    );
    places.sort();
    places.dedup();
    let mut found = Vec::new();
    for place in places {
        let path = directory.join(&place);
        for entry in fs::read_dir(&path).map_err(FileError::of("read", &path))? {
            let entry = entry.map_err(FileError::of("read", &path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let wanted = DOCUMENTS.iter().any(|start| name.to_ascii_uppercase().starts_with(start));
            if wanted && entry.path().is_file() {
                found.push(format!("{place}{name}"));
            }
        }
    }
    Ok(found)
}

/// The text of a manifest with another version and other hashes of its models, in their order; the rest stays as it is.
fn edit(text: &str, version: &Version, hashes: &[Hash]) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if let Some(plugin) = document.get_mut("plugin").and_then(Item::as_table_like_mut) {
        set(plugin, "version", &version.to_string());
    }
    match document.get_mut("model") {
        Some(Item::ArrayOfTables(tables)) => {
            for (table, hash) in tables.iter_mut().zip(hashes) {
                set(table, "blake3", &hash.to_string());
            }
        }
        Some(Item::Value(Value::Array(array))) => {
            let tables = array.iter_mut().filter_map(Value::as_inline_table_mut);
            for (table, hash) in tables.zip(hashes) {
                set(table, "blake3", &hash.to_string());
            }
        }
        // A manifest that was read has no other form of it.
        _ => {}
    }
    Ok(document.to_string())
}

/// Puts another text in the place of a value, and leaves the comment beside it.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    if let Some(value) = table.get_mut(key).and_then(Item::as_value_mut) {
        let decor = value.decor().clone();
        *value = text.into();
        *value.decor_mut() = decor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comments, order, spaces and ways of writing stay.
    #[test]
    fn only_version_and_hashes_change() {
        let [old, new, other] = [b"old", b"new", b"oth"].map(|bytes| Hash::of(bytes));
        let tables = format!(
            "# A plugin.\nschema = 1\n[plugin] # who\nversion = '0.1.0'  # not the library's\nname=\"pairs\"\n\n\
             [[model]]\nblake3 = \"{old}\" # of the first\nname = \"a\"\n[fit]\nmodels = [ \"a\", ]\n\
             [[model]]\nname = \"b\"\n  blake3 = \"{old}\"\n"
        );
        let inline = format!(
            "plugin = {{ version = '0.1.0'  , name = 'pairs' }}\nmodel = [ {{ name = 'a', blake3 = \"{old}\" }}, # a\n\
             {{ blake3 = \"{old}\", name = 'b' }} ]\n"
        );
        let dotted = format!(
            "plugin.name = 'pairs' # who\nplugin.version = '0.1.0'\n[[model]]\nblake3 = \"{old}\"\n[[model]]\nblake3 = \"{old}\"\n"
        );
        for text in [tables, inline, dotted] {
            let version = "0.1.0+fit.7".parse().unwrap();
            let edited = edit(&text, &version, &[new, other]).unwrap();
            let expected = text
                .replace("'0.1.0'", "\"0.1.0+fit.7\"")
                .replacen(&old.to_string(), &new.to_string(), 1)
                .replacen(&old.to_string(), &other.to_string(), 1);
            assert_eq!(edited, expected);
        }
    }
}
