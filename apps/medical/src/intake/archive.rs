//! Zip archives. Nothing is unpacked to the disk: an entry is read into memory, within limits.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;
use zip::result::ZipError;

use super::FILE_BYTES_MAX;

/// The most entries of an archive.
pub const ENTRIES_MAX: usize = 1 << 20;
/// The most bytes that the entries of an archive may have together.
pub const UNPACKED_BYTES_MAX: u64 = 1 << 38;
/// How many times larger than in the archive an entry may be. Pixels that are packed at all become a few times smaller;
/// what was made to fill a memory becomes a thousand times larger.
pub const ENTRY_RATIO_MAX: u64 = 250;
/// An entry that is no larger is not suspicious, whatever its ratio: an empty film is one.
const RATIO_BYTES_MIN: u64 = 1 << 22;

/// An archive, opened.
pub(super) struct Archive {
    zip: Mutex<ZipArchive<BufReader<File>>>,
}

/// An entry that is a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its place in the archive.
    pub(super) index: usize,
    /// Its path in the archive, with `/`; or why it has none.
    pub(super) name: Result<String, String>,
    /// Bytes that it says to have.
    pub(super) bytes: u64,
}

impl Archive {
    /// Opens an archive and lists its files, by name.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Entry>), String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|error| reason(&error))?;
        if zip.len() > ENTRIES_MAX {
            return Err(format!("it has {} entries, and at most {ENTRIES_MAX} are read", zip.len()));
        }
        let (mut entries, mut packed, mut unpacked) = (Vec::new(), 0_u64, 0_u64);
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index).map_err(|error| reason(&error))?;
            packed = packed.saturating_add(entry.compressed_size());
            unpacked = unpacked.saturating_add(entry.size());
            if entry.is_file() {
                let name = match entry.encrypted() {
                    true => {
                        Err("it is encrypted; unpack the archive yourself, and import the folder".to_owned())
                    }
                    false => name(entry.enclosed_name().as_deref()),
                };
                entries.push(Entry { index, name, bytes: entry.size() });
            }
        }
        // Entries that share their bytes make a small archive endless.
        if packed > length {
            return Err(format!(
                "its entries have {packed} bytes together, and the archive has {length}: it is no honest one"
            ));
        }
        if unpacked > UNPACKED_BYTES_MAX {
            return Err(format!(
                "its entries would have {unpacked} bytes, and at most {UNPACKED_BYTES_MAX} are read; split it"
            ));
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name).then(one.index.cmp(&other.index)));
        Ok((Self { zip: Mutex::new(zip) }, entries))
    }

    /// The content of an entry. It is checked against its checksum.
    pub(super) fn read(&self, index: usize) -> Result<Vec<u8>, String> {
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = zip.by_index(index).map_err(|error| reason(&error))?;
        let (packed, said) = (entry.compressed_size(), entry.size());
        let most = FILE_BYTES_MAX.min(packed.saturating_mul(ENTRY_RATIO_MAX).max(RATIO_BYTES_MIN));
        if said > most {
            return Err(too_large(said, packed));
        }
        // It may have said too little.
        let mut bytes = Vec::with_capacity(usize::try_from(said).unwrap_or(0));
        entry.by_ref().take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        match bytes.len() as u64 > most {
            true => Err(too_large(bytes.len() as u64, packed)),
            false => Ok(bytes),
        }
    }
}

fn too_large(bytes: u64, packed: u64) -> String {
    format!(
        "{packed} bytes in the archive become {bytes} or more; at most {FILE_BYTES_MAX} are read, and at most {ENTRY_RATIO_MAX} \
         times as many as in the archive"
    )
}

/// The path within the archive.
fn name(path: Option<&Path>) -> Result<String, String> {
    let name = path.and_then(|path| path.to_str()).filter(|name| !name.is_empty());
    name.map(|name| name.replace('\\', "/"))
        .ok_or_else(|| "its name leads out of the archive, or is no text".to_owned())
}

fn reason(error: &ZipError) -> String {
    match error {
        ZipError::Io(error) => error.to_string(),
        error => format!("it can't be read as a zip archive: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        for (name, bytes) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.add_directory("films", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn entries_are_read_in_the_order_of_their_names() {
        let file = archive(&[("films/b.png", b"second"), ("a.png", b"first"), ("../out.png", b"no")]);
        let (archive, entries) = Archive::open(file.path()).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_deref()).collect();
        assert_eq!(names[..2], [Ok("a.png"), Ok("films/b.png")]);
        assert!(names[2].unwrap_err().contains("leads out"), "{names:?}");
        assert_eq!(archive.read(entries[0].index).unwrap(), b"first");
        assert_eq!(archive.read(entries[1].index).unwrap(), b"second");
    }

    #[test]
    fn a_bomb_is_refused_without_being_unpacked() {
        let file = archive(&[("bomb.png", &vec![0; 16 << 20]), ("film.png", &[0; 1 << 20])]);
        let (archive, entries) = Archive::open(file.path()).unwrap();
        let reason = archive.read(entries[0].index).unwrap_err();
        assert!(reason.contains("bytes in the archive become 16777216"), "{reason}");
        assert_eq!(archive.read(entries[1].index).unwrap().len(), 1 << 20);
    }

    #[test]
    fn what_is_cut_off_or_changed_is_refused() {
        let file = archive(&[("a.png", b"first film"), ("b.png", b"second film")]);
        let whole = std::fs::read(file.path()).unwrap();
        for length in 0..whole.len() {
            let cut = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(cut.path(), &whole[..length]).unwrap();
            assert!(Archive::open(cut.path()).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x5A;
            std::fs::write(file.path(), &changed).unwrap();
            let Ok((archive, entries)) = Archive::open(file.path()) else { continue };
            for entry in entries {
                // Whatever comes of it, it is no panic and no other content. The folder may seem to be an empty file now.
                if let Ok(bytes) = archive.read(entry.index) {
                    let text = String::from_utf8_lossy(&bytes);
                    assert!(["first film", "second film", ""].contains(&&*text), "{place}: `{text}`");
                }
            }
        }
    }
}
