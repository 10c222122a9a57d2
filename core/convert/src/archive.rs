//! Packed packages.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::error::{ConvertError, ConvertErrorKind};

/// Most bytes of an archive as it is packed.
pub const ARCHIVE_BYTES_MAX: usize = 256 << 20;
/// Most bytes that come out of an archive.
pub const UNPACKED_BYTES_MAX: u64 = 256 << 20;
/// Most files of an archive.
pub const FILES_MAX: usize = 10_000;

/// The files of a package, in memory.
#[derive(Debug)]
pub struct Archive {
    files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Unpacks a `.tgz`. Nothing is written; directories and links are left out.
    ///
    /// Fails for what is damaged or larger than the limits.
    pub fn unpack(bytes: &[u8]) -> Result<Self, ConvertError> {
        unpack(bytes).map_err(|kind| ConvertError::at("the archive", kind))
    }

    /// The content of a file, such as `package/LICENSE`.
    pub fn file(&self, name: &str) -> Result<&[u8], ConvertError> {
        let content = self.files.get(name).map(Vec::as_slice);
        content.ok_or_else(|| ConvertError::at(format!("`{name}`"), ConvertErrorKind::NoFile))
    }
}

fn unpack(bytes: &[u8]) -> Result<Archive, ConvertErrorKind> {
    if bytes.len() > ARCHIVE_BYTES_MAX {
        return Err(ConvertErrorKind::TooMuch { unit: "bytes", max: ARCHIVE_BYTES_MAX as u64 });
    }
    let damaged = |error: std::io::Error| ConvertErrorKind::Archive(error.to_string());
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut unpacked).map_err(damaged)?;
    if unpacked.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(ConvertErrorKind::TooMuch { unit: "unpacked bytes", max: UNPACKED_BYTES_MAX });
    }
    let mut files = BTreeMap::new();
    let mut left = UNPACKED_BYTES_MAX;
    let mut archive = tar::Archive::new(unpacked.as_slice());
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        // What is said of the size is not believed before the bytes are there; a sparse file has more than were packed.
        let mut content = Vec::new();
        (&mut entry).take(left + 1).read_to_end(&mut content).map_err(damaged)?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or(ConvertErrorKind::TooMuch { unit: "unpacked bytes", max: UNPACKED_BYTES_MAX })?;
        if content.len() as u64 != entry.size() {
            let (expected, found) = (entry.size(), content.len());
            let words = format!("`{name}` ends after {found} of {expected} bytes");
            return Err(ConvertErrorKind::Archive(words));
        }
        files.insert(name, content);
        if files.len() > FILES_MAX {
            return Err(ConvertErrorKind::TooMuch { unit: "files", max: FILES_MAX as u64 });
        }
    }
    Ok(Archive { files })
}
