//! Making an archive.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::{
    FILES_MAX, PATH_BYTES_MAX, PackageError, PackageErrorKind, Platform, hashes, read, unpack::top_directory,
};
use crate::{
    files::{self, FileError},
    hash::Hash,
    registry::Existing,
    signature::Signature,
    trust::Verified,
};

/// Access rights of each file: its owner may write, everybody may read.
const MODE: u32 = 0o644;
/// The system in a gzip header that stands for none (RFC 1952, section 2.3.1).
const NO_SYSTEM: u8 = 255;

/// An archive that was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Packed {
    /// The archive.
    pub path: PathBuf,
    /// Its BLAKE3.
    pub hash: Hash,
    /// Its size.
    pub bytes: u64,
    /// The platform of its library.
    pub platform: Platform,
    /// Its files with their hashes, by their names relative to the plugin's directory.
    pub files: BTreeMap<String, Hash>,
    /// Its signature, if it has one. Whose it is was not asked.
    pub signature: Option<Signature>,
}

/// Makes the archive `NAME-VERSION-OS-ARCH.tar.gz` of a plugin's directory in the directory `output`, which is made if it is not
/// there. The plugin's code is not run.
///
/// The same plugin gives the same bytes: files in the order of their names, with the same access rights, without times and owners.
/// Fails for a directory that can't be installed, and, unless it is to be replaced, where there is another archive of that name.
pub fn pack(directory: &Path, output: &Path, existing: Existing) -> Result<Packed, PackageError> {
    let checked = || {
        let verified =
            Verified::trusting(directory).map_err(|error| PackageErrorKind::Directly(error.kind))?;
        let library = verified.manifest().library_file();
        let platform = Platform::of_library(verified.library())?.ok_or(PackageErrorKind::Library(library))?;
        Signature::of(directory).map_err(PackageErrorKind::Signature)?;
        let files = hashes(&verified)?;
        if files.len() > FILES_MAX {
            return Err(PackageErrorKind::TooMuch { unit: "files", max: FILES_MAX as u64 });
        }
        Ok((verified, platform, files))
    };
    let (verified, platform, files) = checked().map_err(|kind| kind.at(directory))?;
    let top = top_directory(verified.manifest());
    let path = output.join(format!("{top}-{platform}.tar.gz"));
    let fresh = output.join(format!("{top}-{platform}.tar.gz.new"));
    let made = || {
        fs::create_dir_all(output).map_err(FileError::of("create", output))?;
        write(&fresh, directory, &top, &files)?;
        // What was written is what will be read.
        let contents = read(&fresh).map_err(|error| *error.kind)?;
        if let Some((name, _)) = files.iter().find(|(name, hash)| contents.files.get(*name) != Some(hash)) {
            return Err(PackageErrorKind::Changed(name.clone()));
        }
        if existing == Existing::Keep {
            keep(&path, contents.hash)?;
        }
        files::rename(&fresh, &path)?;
        let bytes = fs::metadata(&path).map_err(FileError::of("read", &path))?.len();
        let (hash, signature) = (contents.hash, contents.signature);
        Ok(Packed { path: path.clone(), hash, bytes, platform, files, signature })
    };
    made().map_err(|kind: PackageErrorKind| {
        // What is left of it is of no use, whether it can be removed or not.
        let _ = fs::remove_file(&fresh);
        kind.at(&path)
    })
}

/// Refuses to take the place of another archive.
fn keep(path: &Path, offered: Hash) -> Result<(), PackageErrorKind> {
    match files::hash(path) {
        Err(error) if error.cause.kind() == ErrorKind::NotFound => Ok(()),
        Ok(present) if present != offered => Err(PackageErrorKind::Existing { offered, present }),
        other => Ok(other.map(drop)?),
    }
}

fn write(
    path: &Path,
    directory: &Path,
    top: &str,
    files: &BTreeMap<String, Hash>,
) -> Result<(), PackageErrorKind> {
    let file = File::create(path).map_err(FileError::of("create", path))?;
    let unwritten = |error: io::Error| PackageErrorKind::File(FileError::of("write", path)(error));
    let packed = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM);
    let mut archive = Builder::new(packed.write(BufWriter::new(file), Compression::default()));
    for name in files.keys() {
        let from = directory.join(name);
        let source = File::open(&from).map_err(FileError::of("read", &from))?;
        let size = source.metadata().map_err(FileError::of("read", &from))?.len();
        let header = header(&format!("{top}/{name}"), size)?;
        archive.append(&header, source.take(size)).map_err(FileError::of("read", &from))?;
    }
    let file = archive.into_inner().and_then(|packed| packed.finish()).map_err(unwritten)?;
    let mut file = file.into_inner().map_err(|error| unwritten(error.into_error()))?;
    file.flush().and_then(|()| file.sync_all()).map_err(unwritten)
}

/// POSIX.1-1988 ustar, which every `tar` reads.
fn header(path: &str, size: u64) -> Result<Header, PackageErrorKind> {
    let mut header = Header::new_ustar();
    let long =
        |_| PackageErrorKind::TooMuch { unit: "bytes of the name of a file", max: PATH_BYTES_MAX as u64 };
    header.set_path(path).map_err(long)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(MODE);
    header.set_size(size);
    for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
        set(&mut header, 0);
    }
    header.set_cksum();
    Ok(header)
}
