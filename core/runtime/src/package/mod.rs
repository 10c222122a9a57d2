//! A plugin as one file: an archive that is the same, byte for byte, wherever and whenever it is made of the same plugin.
//!
//! ```text
//! late-return-0.1.0-linux-x86_64.tar.gz
//!   late-return-0.1.0/LICENSE
//!   late-return-0.1.0/liblate_return.so
//!   late-return-0.1.0/model/network.onnx
//!   late-return-0.1.0/plugin.minisig
//!   late-return-0.1.0/plugin.toml
//! ```
//!
//! [`pack`] makes one of a directory that can be installed: what installing would copy and nothing else, in the order of the names,
//! without times and owners. Installing reads it back, see [`Registry`](crate::registry::Registry).
//!
//! An archive may come from anybody, so [`read`] trusts none of it. What it does not expect is an error and not passed over: it
//! expects files alone, with plain names in one directory, each once, of a plugin that installs on this platform.
//!
//! - **Invariant:** an archive that [`pack`] made can be read, since it was read back before it got its name.
//! - **Invariant:** nothing of an archive is written outside the directory that the caller names, whatever the names in it are.
//! - **Invariant:** memory and disk that reading takes are bounded by limits, and by the archive's size, whatever it announces.

mod pack;
mod platform;
mod unpack;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

pub use self::{
    pack::{Packed, pack},
    platform::Platform,
    unpack::{Contents, read},
};
pub(crate) use self::{platform::foreign_library, unpack::unpack};
use crate::{
    files::{self, FileError},
    hash::Hash,
    manifest::{MANIFEST_FILE, Manifest, ManifestError},
    signature::{SIGNATURE_FILE, SignatureError},
    trust::{TrustErrorKind, Verified},
};

/// Most files of an archive.
pub const FILES_MAX: usize = 1_000;
/// Most bytes that come out of an archive.
pub const UNPACKED_BYTES_MAX: u64 = 8 << 30;
/// Most bytes that come out of an archive for each byte of it, beyond [`UNPACKED_BYTES_FREE`]: what is smaller than that when it is
/// packed holds nothing.
pub const EXPANSION_RATIO_MAX: u64 = 100;
/// Bytes that may come out of an archive of any size.
pub const UNPACKED_BYTES_FREE: u64 = 16 << 20;
/// Most bytes of the name of a file in an archive, with its directories: what the format has room for.
pub const PATH_BYTES_MAX: usize = 255;

/// Beginnings of the names of files for people that belong to a plugin, beside the manifest and the models.
const DOCUMENTS: [&str; 4] = ["README", "LICENSE", "NOTICE", "MODEL_CARD"];

/// An archive can't be made or read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {kind}", path = path.display())]
pub struct PackageError {
    /// The archive, or the directory that one was to be made of.
    pub path: PathBuf,
    /// Why.
    pub kind: Box<PackageErrorKind>,
}

/// Why an archive can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PackageErrorKind {
    /// A file can't be read or written.
    #[error("{0}")]
    File(FileError),
    /// It is not a packed archive, or damaged.
    #[error("expected a `.tar.gz` that `foretell plugin package` made, found that {0}; get it again")]
    Damaged(String),
    /// An entry is not a file in the archive's one directory.
    #[error("entry `{entry}`: expected {expected}, found {found}; make it with `foretell plugin package`")]
    Entry {
        /// Its name, made printable.
        entry: String,
        /// What an archive has.
        expected: &'static str,
        /// What this one has.
        found: &'static str,
    },
    /// There is more in it than may be.
    #[error(
        "expected at most {max} {unit}, found more; if you trust it, unpack it yourself and install its directory"
    )]
    TooMuch {
        /// What there is too much of.
        unit: &'static str,
        /// The limit.
        max: u64,
    },
    /// It lacks a file that a plugin has.
    #[error("expected the file `{0}` in it, found none; make it with `foretell plugin package`")]
    Missing(String),
    /// It holds a file that does not belong to the plugin.
    #[error(
        "expected what a plugin is installed from, found `{0}` too; make it with `foretell plugin package`"
    )]
    Unknown(String),
    /// Its directory is not called after the plugin in it.
    #[error("expected the directory `{expected}` after the plugin in it, found `{found}`")]
    Directory {
        /// Name and version of the plugin.
        expected: String,
        /// The directory.
        found: String,
    },
    /// It is not the archive that was meant.
    #[error("expected BLAKE3 {expected}, found {found}; get the archive again, or the right hash")]
    Hash {
        /// What the caller asked for.
        expected: Hash,
        /// The hash of the file.
        found: Hash,
    },
    /// A model is not the one that the manifest names.
    #[error(
        "model file `{file}`: expected BLAKE3 {expected} as in `{MANIFEST_FILE}`, found {found}; get it again"
    )]
    Model {
        /// The file.
        file: String,
        /// Hash in the manifest.
        expected: Hash,
        /// Hash of the file.
        found: Hash,
    },
    /// Its manifest can't be used.
    #[error("{0}")]
    Manifest(ManifestError),
    /// Its signature can't be used.
    #[error("{0}")]
    Signature(SignatureError),
    /// The directory is no plugin that can be installed.
    #[error("it can't be installed, so it is not packed: {0}")]
    Directly(TrustErrorKind),
    /// The library is not one that any system loads.
    #[error(
        "expected the library `{0}` to be one that a system loads, found another kind of file; build the plugin first"
    )]
    Library(String),
    /// A file changed while it was packed.
    #[error("`{0}` changed while it was packed; try again when nothing writes to it")]
    Changed(String),
    /// There is another archive of that name.
    #[error(
        "it is there already with other content: expected BLAKE3 {offered}, found {present}; give the plugin another \
         version, or replace the archive with `--replace`"
    )]
    Existing {
        /// Hash of the new archive.
        offered: Hash,
        /// Hash of the one that is there.
        present: Hash,
    },
}

impl From<FileError> for PackageErrorKind {
    fn from(error: FileError) -> PackageErrorKind {
        PackageErrorKind::File(error)
    }
}

impl PackageErrorKind {
    pub(crate) fn at(self, path: &Path) -> PackageError {
        PackageError { path: path.to_owned(), kind: Box::new(self) }
    }
}

/// The names of the files that installing copies from a directory, relative to it, with `/` between their parts: manifest, library,
/// models, documents, and the signature if there is one.
pub(crate) fn contents(directory: &Path, manifest: &Manifest) -> Result<BTreeSet<String>, FileError> {
    let mut names = BTreeSet::from([MANIFEST_FILE.to_owned(), manifest.library_file()]);
    names.extend(manifest.models.iter().map(|model| model.file.clone()));
    names.extend(documents(directory, manifest)?);
    match fs::metadata(directory.join(SIGNATURE_FILE)) {
        Ok(_) => _ = names.insert(SIGNATURE_FILE.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::of("read", &directory.join(SIGNATURE_FILE))(error)),
    }
    Ok(names)
}

/// The hashes of the files that installing copies.
pub(crate) fn hashes(verified: &Verified) -> Result<BTreeMap<String, Hash>, FileError> {
    let manifest = verified.manifest();
    let mut known = BTreeMap::from([
        (MANIFEST_FILE.to_owned(), verified.manifest_hash()),
        (manifest.library_file(), verified.library_hash()),
    ]);
    let models = manifest.models.iter().zip(verified.models());
    known.extend(models.map(|(stated, model)| (stated.file.clone(), model.hash)));
    for name in contents(verified.directory(), manifest)? {
        if !known.contains_key(&name) {
            known.insert(name.clone(), files::hash(&verified.directory().join(name))?);
        }
    }
    Ok(known)
}

/// Files for people, beside the manifest and the models, relative to the plugin's directory.
pub(crate) fn documents(directory: &Path, manifest: &Manifest) -> Result<Vec<String>, FileError> {
    let mut found = Vec::new();
    for place in places(manifest) {
        let path = directory.join(&place);
        for entry in fs::read_dir(&path).map_err(FileError::of("read", &path))? {
            let entry = entry.map_err(FileError::of("read", &path))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_document(&name) && entry.path().is_file() {
                found.push(format!("{place}{name}"));
            }
        }
    }
    Ok(found)
}

/// The directories with the manifest and the models: empty, or with a `/` behind them.
fn places(manifest: &Manifest) -> BTreeSet<String> {
    let models = manifest.models.iter().filter_map(|model| model.file.rsplit_once('/'));
    models.map(|(directory, _)| format!("{directory}/")).chain([String::new()]).collect()
}

/// Whether a file of that name is for people and belongs to a plugin. Names that not every system can write, or that a line of text
/// can't hold, do not.
fn is_document(name: &str) -> bool {
    is_plain(name) && DOCUMENTS.iter().any(|start| name.to_ascii_uppercase().starts_with(start))
}

/// Whether a name is one that every system takes for a file, and nothing else.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && !name.ends_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_their_names() {
        for (name, expected) in [
            ("README.md", true),
            ("readme", true),
            ("LICENSE-MIT", true),
            ("MODEL_CARD.md", true),
            ("NOTICE", true),
            ("notes.md", false),
            ("README of mine.md", false),
            ("README\n0.md", false),
            ("README.", false),
            ("LICENSE\u{e9}", false),
            ("", false),
        ] {
            assert_eq!(is_document(name), expected, "{name:?}");
        }
    }
}
