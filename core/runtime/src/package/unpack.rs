//! Reading an archive that may come from anybody.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read, Write},
    path::Path,
};

use flate2::bufread::GzDecoder;
use tar::{Entry, EntryType};

use super::{
    EXPANSION_RATIO_MAX, FILES_MAX, PATH_BYTES_MAX, PackageError, PackageErrorKind, UNPACKED_BYTES_FREE,
    UNPACKED_BYTES_MAX, foreign_library, is_document, is_plain, places,
};
use crate::{
    files::FileError,
    hash::Hash,
    manifest::{MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest},
    signature::{Listing, SIGNATURE_BYTES_MAX, SIGNATURE_FILE, Signature},
};

/// Letters of an entry's name that an error shows.
const SHOWN_LETTERS_MAX: usize = 80;

/// What is in an archive of a plugin.
#[derive(Debug)]
#[non_exhaustive]
pub struct Contents {
    /// The plugin's manifest.
    pub manifest: Manifest,
    /// Its signature, if it has one. Whose it is was not asked.
    pub signature: Option<Signature>,
    /// Its files with their hashes, by their names relative to the plugin's directory.
    pub files: BTreeMap<String, Hash>,
    /// BLAKE3 of the archive itself.
    pub hash: Hash,
}

impl Contents {
    /// What its publisher has signed.
    pub fn listing(&self) -> Listing {
        Listing::new(&self.manifest.plugin.name, &self.manifest.plugin.version, self.files.clone())
    }
}

/// Reads an archive and writes nothing: what is in it, and whether it is whole. It may be for another platform.
///
/// Costs the time to unpack and hash it; its files are never in memory.
pub fn read(archive: &Path) -> Result<Contents, PackageError> {
    unpack(archive, None, None)
}

/// Reads an archive, and writes its files into a directory that does not exist yet, if one is named.
///
/// After an error the directory may be there, with some of the files.
pub(crate) fn unpack(
    archive: &Path,
    expected: Option<Hash>,
    directory: Option<&Path>,
) -> Result<Contents, PackageError> {
    let unpack = || {
        let raw = unpack_raw(archive, directory)?;
        match expected {
            Some(expected) if expected != raw.hash => {
                Err(PackageErrorKind::Hash { expected, found: raw.hash })
            }
            _ => raw.understood(archive),
        }
    };
    unpack().map_err(|kind| kind.at(archive))
}

/// What was found, before it is asked whether it makes a plugin.
struct Raw {
    /// The one directory that everything is in.
    top: Option<String>,
    files: BTreeMap<String, Hash>,
    manifest: Vec<u8>,
    signature: Option<Vec<u8>>,
    hash: Hash,
}

impl Raw {
    fn understood(self, archive: &Path) -> Result<Contents, PackageErrorKind> {
        let Raw { top, files, manifest, signature, hash } = self;
        let missing = |name: String| Err(PackageErrorKind::Missing(name));
        let Some(top) = top.filter(|_| files.contains_key(MANIFEST_FILE)) else {
            return missing(MANIFEST_FILE.to_owned());
        };
        let origin = archive.join(MANIFEST_FILE);
        let manifest = Manifest::from_bytes(&manifest, &origin).map_err(PackageErrorKind::Manifest)?;
        let expected = top_directory(&manifest);
        if top != expected {
            return Err(PackageErrorKind::Directory { expected, found: printable(top.as_bytes()) });
        }
        let mut library = manifest.library_file();
        if !files.contains_key(&library) {
            let foreign = foreign_library(&manifest, |name| files.contains_key(name));
            library = match foreign {
                Some((foreign, _)) => foreign,
                None => return missing(library),
            };
        }
        for model in &manifest.models {
            match files.get(&model.file) {
                None => return missing(model.file.clone()),
                Some(found) if *found != model.blake3 => {
                    let (file, expected, found) = (model.file.clone(), model.blake3, *found);
                    return Err(PackageErrorKind::Model { file, expected, found });
                }
                Some(_) => {}
            }
        }
        let places = places(&manifest);
        let belongs = |name: &str| {
            let (place, document) = name.rfind('/').map_or(("", name), |slash| name.split_at(slash + 1));
            [MANIFEST_FILE, SIGNATURE_FILE, &library].contains(&name)
                || manifest.models.iter().any(|model| model.file == name)
                || (places.contains(place) && is_document(document))
        };
        if let Some(unknown) = files.keys().find(|name| !belongs(name)) {
            return Err(PackageErrorKind::Unknown(unknown.clone()));
        }
        let signature = signature.map(|bytes| Signature::from_bytes(&bytes)).transpose();
        let signature = signature.map_err(PackageErrorKind::Signature)?;
        Ok(Contents { manifest, signature, files, hash })
    }
}

/// The directory that a plugin's files are in, in an archive.
pub(super) fn top_directory(manifest: &Manifest) -> String {
    format!("{}-{}", manifest.plugin.name, manifest.plugin.version)
}

fn unpack_raw(path: &Path, directory: Option<&Path>) -> Result<Raw, PackageErrorKind> {
    let file = File::open(path).map_err(FileError::of("read", path))?;
    let packed = file.metadata().map_err(FileError::of("read", path))?;
    if !packed.is_file() {
        return Err(PackageErrorKind::Damaged("it is no file".to_owned()));
    }
    let bytes_max = packed.len().saturating_mul(EXPANSION_RATIO_MAX).saturating_add(UNPACKED_BYTES_FREE);
    let bytes_max = bytes_max.min(UNPACKED_BYTES_MAX);
    let is_exhausted = Cell::new(false);
    let hashed = Hashed { inner: file, hasher: blake3::Hasher::new() };
    let unpacked = GzDecoder::new(BufReader::new(hashed));
    let limited = Limited { inner: unpacked, left: bytes_max, is_exhausted: &is_exhausted };
    let damaged = |error: io::Error| match is_exhausted.get() {
        true => PackageErrorKind::TooMuch { unit: "bytes when it is unpacked", max: bytes_max },
        false => PackageErrorKind::Damaged(error.to_string()),
    };
    let mut archive = tar::Archive::new(limited);
    let mut raw =
        Raw { top: None, files: BTreeMap::new(), manifest: Vec::new(), signature: None, hash: Hash::of(b"") };
    // As they are: an entry that changes what the next one means is none that an archive of ours has.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        if raw.files.len() == FILES_MAX {
            return Err(PackageErrorKind::TooMuch { unit: "files", max: FILES_MAX as u64 });
        }
        let name = name(&entry, &mut raw.top)?;
        let (hash, kept) = copy(&mut entry, &name, directory, damaged)?;
        match name.as_str() {
            MANIFEST_FILE => raw.manifest = kept,
            SIGNATURE_FILE => raw.signature = Some(kept),
            _ => {}
        }
        if raw.files.insert(name.clone(), hash).is_some() {
            return Err(odd(name.as_bytes(), "each file once", "it a second time"));
        }
    }
    raw.hash = rest(archive.into_inner(), damaged)?;
    Ok(raw)
}

/// What follows the last entry: zeros, and then nothing, in the archive and behind it. Gives the hash of the whole file.
fn rest(
    mut unpacked: Limited<'_, GzDecoder<BufReader<Hashed<File>>>>,
    damaged: impl Fn(io::Error) -> PackageErrorKind,
) -> Result<Hash, PackageErrorKind> {
    let mut block = [0; 4096];
    loop {
        let length = unpacked.read(&mut block).map_err(&damaged)?;
        if length == 0 {
            break;
        }
        if block[..length].iter().any(|byte| *byte != 0) {
            return Err(PackageErrorKind::Damaged("something follows its last entry".to_owned()));
        }
    }
    let mut packed = unpacked.inner.into_inner();
    if !packed.fill_buf().map_err(&damaged)?.is_empty() {
        return Err(PackageErrorKind::Damaged("something follows its end".to_owned()));
    }
    Ok(packed.into_inner().hasher.finalize().into())
}

fn odd(entry: &[u8], expected: &'static str, found: &'static str) -> PackageErrorKind {
    PackageErrorKind::Entry { entry: printable(entry), expected, found }
}

/// A name from an archive as an error shows it.
fn printable(name: &[u8]) -> String {
    let name: String = String::from_utf8_lossy(name).chars().flat_map(char::escape_debug).collect();
    match name.char_indices().nth(SHOWN_LETTERS_MAX) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name,
    }
}

/// The name of an entry that is a file in the archive's one directory, relative to it.
fn name<R: Read>(entry: &Entry<'_, R>, top: &mut Option<String>) -> Result<String, PackageErrorKind> {
    let bytes = entry.header().path_bytes();
    let found = match entry.header().entry_type() {
        EntryType::Regular => None,
        EntryType::Directory => Some("a directory"),
        EntryType::Link | EntryType::Symlink => Some("a link"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Some("a device"),
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
            Some("an extension of the format")
        }
        _ => Some("something else"),
    };
    if let Some(found) = found {
        return Err(odd(&bytes, "a file", found));
    }
    if bytes.len() > PATH_BYTES_MAX {
        return Err(odd(&bytes, "a name of at most 255 bytes", "a longer one"));
    }
    let plain = "a name of letters, digits, `.`, `_`, `-` and `+` in the archive's one directory";
    let path = std::str::from_utf8(&bytes).map_err(|_| odd(&bytes, plain, "other letters"))?;
    if path.starts_with('/') {
        return Err(odd(&bytes, plain, "a path from the root"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(odd(&bytes, plain, "a way out of it"));
    }
    let Some((first, name)) = path.split_once('/').filter(|_| path.split('/').all(is_plain)) else {
        return Err(odd(&bytes, plain, "another one"));
    };
    if top.get_or_insert_with(|| first.to_owned()) != first {
        return Err(odd(&bytes, plain, "one in another directory"));
    }
    Ok(name.to_owned())
}

/// Writes an entry to its place and gives its hash, and its content if that is wanted here.
fn copy<R: Read>(
    entry: &mut Entry<'_, R>,
    name: &str,
    directory: Option<&Path>,
    damaged: impl Fn(io::Error) -> PackageErrorKind,
) -> Result<(Hash, Vec<u8>), PackageErrorKind> {
    let stated = entry.size();
    let kept_max = match name {
        MANIFEST_FILE => Some(MANIFEST_BYTES_MAX),
        SIGNATURE_FILE => Some(SIGNATURE_BYTES_MAX),
        _ => None,
    };
    if let Some(max) = kept_max.filter(|max| stated > *max) {
        return Err(PackageErrorKind::TooMuch { unit: "bytes of manifest or signature", max });
    }
    let mut target = match directory {
        Some(directory) => Some(create(&directory.join(name), name)?),
        None => None,
    };
    let (mut hasher, mut kept, mut block, mut bytes) =
        (blake3::Hasher::new(), Vec::new(), vec![0; 1 << 16], 0);
    loop {
        let length = entry.read(&mut block).map_err(&damaged)?;
        if length == 0 {
            break;
        }
        hasher.update(&block[..length]);
        bytes += length as u64;
        if kept_max.is_some() {
            kept.extend_from_slice(&block[..length]);
        }
        if let (Some(file), Some(directory)) = (&mut target, directory) {
            file.write_all(&block[..length]).map_err(FileError::of("write", &directory.join(name)))?;
        }
    }
    if bytes != stated {
        let words = format!("`{name}` ends after {bytes} of {stated} bytes");
        return Err(PackageErrorKind::Damaged(words));
    }
    if let (Some(file), Some(directory)) = (target, directory) {
        file.sync_all().map_err(FileError::of("write", &directory.join(name)))?;
    }
    Ok((hasher.finalize().into(), kept))
}

/// A new file, with the directories on the way to it.
fn create(path: &Path, name: &str) -> Result<File, PackageErrorKind> {
    let parent = path.parent().unwrap_or(path);
    let created = fs::create_dir_all(parent).and_then(|()| File::create_new(path));
    created.map_err(|error| match error.kind() {
        // Also where a system takes two names for one, or a file's name for a directory's.
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            odd(name.as_bytes(), "each file once", "it a second time")
        }
        _ => FileError::of("create", path)(error).into(),
    })
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

/// Fails after so many bytes, and notes that it did.
struct Limited<'a, R> {
    inner: R,
    left: u64,
    is_exhausted: &'a Cell<bool>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => {
                self.is_exhausted.set(true);
                return Err(io::Error::other("more than may come out of it"));
            }
        }
        Ok(length)
    }
}
