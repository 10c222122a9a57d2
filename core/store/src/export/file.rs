//! A file that appears under its name only when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ExportErrorKind;
use crate::time::now;

/// A file under a passing name, beside the one it will have. Dropping it removes it.
pub(super) struct NewFile {
    file: File,
    passing: PathBuf,
    path: PathBuf,
}

impl NewFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
        let passing = path.with_file_name(format!(".{name}.{}-{}.partial", std::process::id(), now()));
        let file = OpenOptions::new().write(true).create_new(true).open(&passing)?;
        Ok(Self { file, passing, path: path.to_owned() })
    }

    /// Gives the file its name, once its content is on the disk.
    pub(super) fn publish(self, overwrite: bool) -> Result<(), ExportErrorKind> {
        self.file.sync_all()?;
        if overwrite {
            return Ok(fs::rename(&self.passing, &self.path)?);
        }
        // A link, unlike a new name, fails if somebody else was faster.
        match fs::hard_link(&self.passing, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(ExportErrorKind::Exists),
            // Some file systems have no links.
            Err(_) => Ok(fs::rename(&self.passing, &self.path)?),
            Ok(()) => Ok(()),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already if it was renamed.
        let _ = fs::remove_file(&self.passing);
    }
}
