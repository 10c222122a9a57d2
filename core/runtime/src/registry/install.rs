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
    package::{self, PackageErrorKind, Platform},
    policy::{Policy, PolicyError},
    trust::{Pin, Pins, PinsError, TrustError, TrustErrorKind, Verified},
};

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
#[error("cannot install `{}`: {kind}", path.display())]
pub struct InstallError {
    /// The directory or archive that was to be installed.
    pub path: PathBuf,
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
    /// Its library was built for another system or processor.
    #[error(
        "it was built for {found}, and this is {expected}; get the one for this platform, or build it here"
    )]
    Platform {
        /// This platform.
        expected: Platform,
        /// That of the library.
        found: String,
    },
    /// The archive is not one, or not the one that was meant.
    #[error("{0}")]
    Archive(PackageErrorKind),
    /// The policy refuses it.
    #[error("{0}")]
    Refused(TrustErrorKind),
    /// The policy can't be understood.
    #[error("{0}")]
    Policy(PolicyError),
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

/// Hashes of a plugin's files, by their names.
type Hashes = BTreeMap<String, Hash>;

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
    /// Installing the same content again changes nothing, and repairs a copy whose files were changed since. A policy that names
    /// publishers is asked first, so that nothing is installed that would not be loaded.
    pub fn install(&self, directory: &Path, existing: Existing) -> Result<Installed, InstallError> {
        self.staged(directory, || self.place_admitted(&self.stage(directory)?, existing))
    }

    /// Installs the plugin of an archive that [`pack`](package::pack) made, as [`install`](Self::install) does that of a
    /// directory. With `hash`, the archive must have that BLAKE3.
    ///
    /// Of an archive that is refused, nothing stays.
    pub fn install_archive(
        &self,
        archive: &Path,
        hash: Option<Hash>,
        existing: Existing,
    ) -> Result<Installed, InstallError> {
        self.staged(archive, || self.place_admitted(&self.stage_archive(archive, hash)?, existing))
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
        // Its publisher can't have signed it. It can be signed where it will lie, and is not loaded before.
        self.staged(base.directory(), || {
            self.place(&self.stage_fitted(base, version, models)?, Existing::Keep)
        })
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
        let error = |kind| InstallError { path: directory.to_owned(), kind: Box::new(kind) };
        let base = Verified::trusting(directory)
            .map_err(|cause| error(InstallErrorKind::Offered(Box::new(cause))))?;
        let content =
            |(name, path): &(String, PathBuf)| Ok((name.clone(), files::read(path, MODEL_BYTES_MAX)?));
        let models = models.iter().map(content).collect::<Result<Vec<_>, FileError>>();
        let models = models.map_err(|cause| error(cause.into()))?;
        let version = Version { build: build.clone(), ..base.manifest().plugin.version.clone() };
        self.install_fitted(&base, &version, &models)
    }

    /// Does what puts a plugin together beside the installed ones and in its place, while nobody else does. Leaves nothing there
    /// but what got to its place.
    fn staged(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<Installed, InstallErrorKind>,
    ) -> Result<Installed, InstallError> {
        let locked = || {
            let _lock = self.lock()?;
            let done = work();
            // After an error, this one is of no interest: the next lock clears what is left.
            let cleared = files::remove_directory(&self.home.plugins().join(STAGING));
            done.and_then(|installed| Ok(cleared.map(|()| installed)?))
        };
        locked().map_err(|kind| InstallError { path: path.to_owned(), kind: Box::new(kind) })
    }

    /// Puts what was staged in its place, if the policy admits it.
    fn place_admitted(&self, offered: &Verified, existing: Existing) -> Result<Installed, InstallErrorKind> {
        let policy = Policy::of(&self.home).map_err(InstallErrorKind::Policy)?;
        let admitted = offered.clone().admitted(&policy);
        admitted.map_err(|error| InstallErrorKind::Refused(error.kind))?;
        self.place(offered, existing)
    }

    /// Puts what was staged where it belongs, and pins it.
    fn place(&self, offered: &Verified, existing: Existing) -> Result<Installed, InstallErrorKind> {
        let plugin = offered.title();
        let pin = offered.pin();
        let mut pins = Pins::read(&self.home.pins())?;
        let target = self.home.plugins().join(&pin.name).join(&pin.version);
        let present = self.present(&target, &pins, &pin);
        if existing == Existing::Keep
            && let Some((what, installed, offered)) =
                present.as_ref().and_then(|(present, _)| present.difference(&pin))
        {
            return Err(InstallErrorKind::Installed { plugin, what, installed, offered });
        }
        // Documents and signature are not pinned, and may be others.
        let offered_files = package::hashes(offered)?;
        let intact = present.is_some_and(|(present, files)| present == pin && files == Some(offered_files));
        pins.insert(pin);
        pins.write(&self.home.pins())?;
        if !intact {
            self.discard(&target)?;
            files::rename(&self.home.plugins().join(STAGING), &target)?;
            files::remove_directory(&self.home.plugins().join(DISCARDED))?;
        }
        Ok(Installed { directory: target, manifest: offered.manifest().clone() })
    }

    /// What is installed at `target`: the hashes it was pinned with, and those that its files have now. A copy that was
    /// never pinned counts by its files.
    fn present(&self, target: &Path, pins: &Pins, offered: &Pin) -> Option<(Pin, Option<Hashes>)> {
        let verified = target.exists().then(|| Verified::read(target).ok())?;
        let files = verified.as_ref().and_then(|verified| package::hashes(verified).ok());
        match (pins.get(&offered.name, &offered.version), verified) {
            (Some(pin), _) => Some((pin.clone(), files)),
            (None, verified) => Some((verified?.pin(), files)),
        }
    }

    /// Copies what a plugin needs beside the installed ones, hashes the copies, and checks its models.
    fn stage(&self, directory: &Path) -> Result<Verified, InstallErrorKind> {
        let manifest = Manifest::load(directory).map_err(InstallErrorKind::Manifest)?;
        let library = manifest.library_file();
        if !directory.join(&library).is_file() {
            let foreign = package::foreign_library(&manifest, |name| directory.join(name).is_file());
            return Err(match foreign {
                Some((_, os)) => foreign_system(os),
                None => InstallErrorKind::NoLibrary(library),
            });
        }
        let names = package::contents(directory, &manifest)?.into_iter();
        self.fill(names.map(|name| (name.clone(), Content::Copy(directory.join(name)))).collect())
    }

    /// Unpacks an archive beside the installed plugins, and hashes what was written.
    fn stage_archive(&self, archive: &Path, hash: Option<Hash>) -> Result<Verified, InstallErrorKind> {
        let staging = self.home.plugins().join(STAGING);
        let contents = package::unpack(archive, hash, Some(&staging));
        let contents = contents.map_err(|error| InstallErrorKind::Archive(*error.kind))?;
        if let Some((_, os)) =
            package::foreign_library(&contents.manifest, |name| contents.files.contains_key(name))
        {
            return Err(foreign_system(os));
        }
        for name in contents.files.keys() {
            files::sync_directory(staging.join(name).parent().unwrap_or(&staging))?;
        }
        self.read_back()
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
        let documents = package::documents(base.directory(), manifest)?;
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
        self.read_back()
    }

    /// What was staged: the copies are what will be loaded, so they are what is hashed and read.
    fn read_back(&self) -> Result<Verified, InstallErrorKind> {
        let staging = self.home.plugins().join(STAGING);
        let staged = Verified::read(&staging).map_err(InstallErrorKind::Copies)?;
        let (found, here) = (Platform::of_library(staged.library())?, Platform::here());
        // What is no library fails when it is loaded, and says so.
        if let Some(found) = found.filter(|found| !found.fits(&here)) {
            return Err(InstallErrorKind::Platform { expected: here, found: found.to_string() });
        }
        for (model, stated) in staged.models().iter().zip(&staged.manifest().models) {
            if model.hash != stated.blake3 {
                let (file, expected, found) = (stated.file.clone(), stated.blake3, model.hash);
                return Err(InstallErrorKind::Model { file, expected, found });
            }
        }
        Ok(staged)
    }
}

fn foreign_system(os: &str) -> InstallErrorKind {
    InstallErrorKind::Platform { expected: Platform::here(), found: os.to_owned() }
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
