//! Files that are read with a limit, and written so that a crash leaves the old or the new.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crate::hash::Hash;

/// A file or directory could not be read, written or moved.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`: {cause}", path = path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `create`, `rename`, `remove`, `lock`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    pub cause: io::Error,
}

impl FileError {
    /// For `map_err`: names the action and the path that an I/O error belongs to.
    pub(crate) fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        move |cause| FileError { action, path, cause }
    }
}

/// Reads a whole file of at most `bytes_max` bytes.
///
/// The limit holds for what is read, not for what the directory said earlier, so a file that grows meanwhile can't
/// exhaust the memory.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::of("read", path))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(FileError::of("read", path))?;
    if bytes.len() as u64 > bytes_max {
        let cause =
            io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {bytes_max} bytes"));
        return Err(FileError { action: "read", path: path.to_owned(), cause });
    }
    Ok(bytes)
}

/// The hash of a file's content.
pub(crate) fn hash(path: &Path) -> Result<Hash, FileError> {
    let hash = || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(hasher.finalize().into())
    };
    hash().map_err(FileError::of("read", path))
}

/// Copies a file's content to a new file, which is on disk when this returns.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let mut source = File::open(from).map_err(FileError::of("read", from))?;
    let mut target = File::create_new(to).map_err(FileError::of("create", to))?;
    io::copy(&mut source, &mut target).map_err(FileError::of("write", to))?;
    target.sync_all().map_err(FileError::of("write", to))
}

/// Writes a new file, which is on disk when this returns.
pub(crate) fn create(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut file = File::create_new(path).map_err(FileError::of("create", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(FileError::of("write", path))
}

/// Replaces a file's content: after a crash, it has all of the old or all of the new.
///
/// Two writers at the same time must be kept apart by a lock: both would use the same temporary name.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let mut file = File::create(&fresh).map_err(FileError::of("create", &fresh))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(FileError::of("write", &fresh))?;
    drop(file);
    rename(&fresh, path)
}

/// Moves a file or directory within one file system, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(FileError::of("rename", from))?;
    to.parent().map_or(Ok(()), sync_directory)
}

/// Makes the names in a directory durable. Windows has no such call, and keeps them with the files.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    if cfg!(windows) {
        return Ok(());
    }
    File::open(path).and_then(|directory| directory.sync_all()).map_err(FileError::of("write", path))
}

/// Removes a directory with everything in it; a missing one is fine.
pub(crate) fn remove_directory(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::of("remove", path)(error)),
        _ => Ok(()),
    }
}
