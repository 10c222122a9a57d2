//! Finding files: in folders, archives and DICOM directories, in an order that is always the same.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foretell_media::dicom::directory::{Directory, locate};

use super::archive::Archive;
use super::{FILE_BYTES_MAX, Refused};

/// Folders within each other.
pub const DEPTH_MAX: usize = 64;
/// Files of one import.
pub const FILES_MAX: usize = 10_000_000;
/// How a DICOM directory is called (PS3.10 section 8.6).
const DIRECTORY_NAME: &str = "DICOMDIR";
/// What a zip archive begins with: a local header, or the end of an empty one.
const ZIP_MAGIC: [&[u8; 4]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// What other systems put beside files.
const LITTER: [&str; 3] = ["__MACOSX", "Thumbs.db", "desktop.ini"];

/// A file that may be an image.
#[derive(Clone)]
pub(super) struct Candidate {
    /// Its path with `/`, from the folder or archive on that was named.
    pub(super) name: String,
    pub(super) place: Place,
    /// Whether somebody said that this is an image: the user, or a DICOM directory. What merely lies in a folder may be
    /// something else.
    pub(super) is_asked: bool,
    /// Which one it is, from 1.
    pub(super) number: u64,
}

/// Where a file is.
#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Entry { archive: Arc<Archive>, index: usize, bytes: u64 },
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    /// What can't be read, or leads nowhere.
    pub(super) refused: Vec<Refused>,
    /// Files that were passed over: hidden ones, directories of DICOM files.
    pub(super) skipped: u64,
    /// What was named, in words, without names.
    pub(super) kinds: Kinds,
    files: u64,
}

/// How many of each were named.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kinds {
    pub(super) files: usize,
    pub(super) folders: usize,
    pub(super) archives: usize,
    pub(super) directories: usize,
}

/// What was named can't be imported.
#[derive(Debug, thiserror::Error)]
#[error("cannot import `{}`: {reason}", path.display())]
pub struct WalkError {
    /// What was named.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// Finds all files.
///
/// # Errors
/// Something that was named is not there, or can't be opened. What is inside and can't be is refused by itself.
pub(super) fn walk(paths: &[PathBuf]) -> Result<Found, WalkError> {
    let mut found = Found::default();
    for path in paths {
        found.add(path).map_err(|reason| WalkError { path: path.clone(), reason })?;
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<(), String> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => "there is no such file or folder".to_owned(),
            _ => error.to_string(),
        })?;
        // `.` and `..` have names, too.
        let absolute = path.canonicalize().map_err(|error| error.to_string())?;
        let name = file_name(&absolute);
        if metadata.is_dir() {
            self.kinds.folders += 1;
            fs::read_dir(path).map_err(|error| error.to_string())?;
            return self.folder(path, &name);
        }
        if is_directory(&name) {
            self.kinds.directories += 1;
            return self.directory(&absolute);
        }
        if is_zip(path).map_err(|error| error.to_string())? {
            self.kinds.archives += 1;
            return self.archive(path, &name);
        }
        self.kinds.files += 1;
        self.push(name, Place::File(path.to_owned()), true)
    }

    fn push(&mut self, name: String, place: Place, is_asked: bool) -> Result<(), String> {
        if self.candidates.len() == FILES_MAX {
            return Err(format!("there are more than {FILES_MAX} files; import some folders at a time"));
        }
        self.files += 1;
        self.candidates.push(Candidate { name, place, is_asked, number: self.files });
        Ok(())
    }

    fn refuse(&mut self, name: String, reason: impl Into<String>) {
        self.files += 1;
        self.refused.push(Refused {
            number: self.files,
            is_named: may_be_named(&name),
            file: name,
            reason: reason.into(),
        });
    }

    /// Everything below a folder, files and folders by name. Links to folders are not followed: they may lead in a circle.
    fn folder(&mut self, root: &Path, name: &str) -> Result<(), String> {
        let mut ahead = vec![(root.to_owned(), name.to_owned(), 0)];
        while let Some((folder, name, depth)) = ahead.pop() {
            let entries = match fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.refuse(name, error.to_string());
                    continue;
                }
            };
            let mut entries: Vec<(PathBuf, String)> =
                entries.into_iter().map(|entry| (entry.path(), file_name(&entry.path()))).collect();
            entries.sort();
            let mut folders = Vec::new();
            for (path, entry) in entries {
                let is_litter = entry.starts_with('.') || LITTER.contains(&entry.as_str());
                let name = format!("{name}/{entry}");
                let is_link = path.is_symlink();
                match (path.is_dir(), path.is_file()) {
                    (true, _) if is_litter || is_link => self.skipped += 1,
                    (true, _) if depth == DEPTH_MAX => {
                        self.refuse(name, format!("it is more than {DEPTH_MAX} folders deep"));
                    }
                    (true, _) => folders.push((path, name, depth + 1)),
                    (_, true) if is_litter || is_directory(&entry) => self.skipped += 1,
                    (_, true) => self.push(name, Place::File(path), false)?,
                    // A link that leads nowhere, a socket, a device.
                    _ => self.skipped += 1,
                }
            }
            // The last one is looked at first.
            ahead.extend(folders.into_iter().rev());
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path, name: &str) -> Result<(), String> {
        let (archive, entries) = Archive::open(path)?;
        let archive = Arc::new(archive);
        for entry in entries {
            let inner = match entry.name {
                Ok(inner) => inner,
                Err(reason) => {
                    self.refuse(name.to_owned(), format!("entry {}: {reason}", entry.index + 1));
                    continue;
                }
            };
            let is_litter = inner
                .split('/')
                .any(|part| part.starts_with('.') || LITTER.contains(&part) || is_directory(part));
            if is_litter {
                self.skipped += 1;
                continue;
            }
            let place =
                Place::Entry { archive: Arc::clone(&archive), index: entry.index, bytes: entry.bytes };
            self.push(format!("{name}/{inner}"), place, false)?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) -> Result<(), String> {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let directory = Directory::read(&bytes).map_err(|error| error.to_string())?;
        let root = path.parent().unwrap_or(Path::new("/"));
        let folder = file_name(root);
        self.skipped += directory.others as u64;
        for listed in directory.images {
            let name = format!("{folder}/{}", listed.path.join("/"));
            match locate(root, &listed.path) {
                Ok(Some(path)) => self.push(name, Place::File(path), true)?,
                Ok(None) => self.refuse(name, "the DICOM directory lists it, and there is no such file"),
                Err(error) => self.refuse(name, error.to_string()),
            }
        }
        Ok(())
    }
}

impl Kinds {
    /// In words.
    pub(super) fn describe(self) -> String {
        let of = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let kinds = [
            of(self.files, "file", "files"),
            of(self.folders, "folder", "folders"),
            of(self.archives, "zip archive", "zip archives"),
            of(self.directories, "DICOM directory", "DICOM directories"),
        ];
        kinds.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The last part of a path, with what is no text replaced.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_directory(name: &str) -> bool {
    name.eq_ignore_ascii_case(DIRECTORY_NAME)
}

fn is_zip(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    fs::File::open(path)?.take(ZIP_MAGIC[0].len() as u64).read_to_end(&mut start)?;
    Ok(ZIP_MAGIC.iter().any(|magic| start == *magic))
}

/// Whether the name of such a file may be kept: files of these kinds are images without attributes. DICOM files, whose
/// names often say who the patient is, have other endings or none.
pub(super) fn may_be_named(name: &str) -> bool {
    /// Endings of images that are no DICOM.
    const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp"];
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &Found) -> Vec<&str> {
        found.candidates.iter().map(|candidate| candidate.name.as_str()).collect()
    }

    #[test]
    fn folders_are_walked_by_name_without_what_is_hidden() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("chest");
        for name in
            ["b/2.png", "b/10.png", "a.png", ".hidden/c.png", ".d.png", "b/Thumbs.db", "DICOMDIR", "z"]
        {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(&folder, folder.join("b/circle")).unwrap();
        let found = walk(std::slice::from_ref(&folder)).unwrap();
        assert_eq!(names(&found), ["chest/a.png", "chest/z", "chest/b/10.png", "chest/b/2.png"]);
        assert_eq!(found.skipped, if cfg!(unix) { 5 } else { 4 });
        assert!(found.candidates.iter().all(|candidate| !candidate.is_asked));
        let numbers: Vec<u64> = found.candidates.iter().map(|candidate| candidate.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);

        let found = walk(&[folder.join("a.png"), folder]).unwrap();
        assert_eq!(names(&found)[..2], ["a.png", "chest/a.png"]);
        assert!(found.candidates[0].is_asked);
        assert_eq!(found.kinds.describe(), "1 file, 1 folder");
    }

    #[test]
    fn what_is_not_there_is_said_before_anything_is_imported() {
        let root = tempfile::tempdir().unwrap();
        let error = walk(&[root.path().to_owned(), root.path().join("none")]).err().unwrap();
        assert!(error.to_string().ends_with("none`: there is no such file or folder"), "{error}");
        fs::write(root.path().join("dicomdir"), "no DICOM").unwrap();
        assert!(walk(&[root.path().join("dicomdir")]).is_err());
    }
}
