//! Where a clip is written until it is whole.

use crate::error::VideoErrorKind;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::{Builder, TempDir, TempPath};

/// Files that are written here.
const ENDINGS: [&str; 5] = ["avi", "mp4", "mov", "mkv", "webm"];

/// A file or directory beside the final one. It is removed when this is dropped.
#[derive(Debug)]
pub(super) enum Place {
    File(Beside<TempPath>),
    Directory(Beside<TempDir>),
}

#[derive(Debug)]
pub(super) struct Beside<T> {
    temporary: T,
    target: PathBuf,
    replace: bool,
}

impl Place {
    /// A place beside `target`, whose ending says whether it is a file.
    pub(super) fn beside(target: &Path, replace: bool) -> Result<Place, VideoErrorKind> {
        let is_directory = target.is_dir() || ends_with_separator(target) || target.extension().is_none();
        let ending = ending(target);
        if !is_directory && !ENDINGS.contains(&ending.as_str()) {
            return Err(VideoErrorKind::Ending(format!("clips are not written as .{ending}")));
        }
        let is_taken = match is_directory && target.is_dir() {
            true => fs::read_dir(target)?.next().is_some(),
            false => target.symlink_metadata().is_ok(),
        };
        if is_taken && (!replace || is_directory != target.is_dir()) {
            return Err(VideoErrorKind::Exists);
        }
        let parent =
            target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let suffix = format!(".{ending}");
        let mut builder = Builder::new();
        builder.prefix(".unfinished-");
        let (target, replace) = (target.to_owned(), replace);
        // What is temporary is its owner's alone; this becomes a file like any other.
        if is_directory {
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
            let temporary = builder.tempdir_in(parent).map_err(no_parent)?;
            return Ok(Place::Directory(Beside { temporary, target, replace }));
        }
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let temporary = builder.suffix(&suffix).tempfile_in(parent).map_err(no_parent)?.into_temp_path();
        Ok(Place::File(Beside { temporary, target, replace }))
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        match self {
            Place::File(file) => &file.temporary,
            Place::Directory(directory) => directory.temporary.path(),
        }
    }

    /// The ending of a file, in lower case.
    pub(super) fn ending(&self) -> String {
        ending(self.path())
    }

    /// Puts it at its final path.
    pub(super) fn keep(self) -> Result<(), VideoErrorKind> {
        match self {
            Place::File(Beside { temporary, target, replace: true }) => {
                temporary.persist(&target).map_err(|error| error.error)?;
            }
            Place::File(Beside { temporary, target, replace: false }) => {
                temporary.persist_noclobber(&target).map_err(|error| error.error)?;
            }
            Place::Directory(Beside { temporary, target, replace }) => {
                keep_directory(temporary, &target, replace)?;
            }
        }
        Ok(())
    }
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn ends_with_separator(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

fn no_parent(error: io::Error) -> VideoErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => VideoErrorKind::Argument(
            "the directory that it would stand in is not there; make it first".to_owned(),
        ),
        _ => VideoErrorKind::Io(error),
    }
}

fn keep_directory(temporary: TempDir, target: &Path, replace: bool) -> Result<(), VideoErrorKind> {
    if target.is_dir() {
        let mut names = Vec::new();
        for entry in fs::read_dir(target)? {
            names.push(entry?.file_name());
        }
        if !names.is_empty() {
            if !replace {
                return Err(VideoErrorKind::Exists);
            }
            // Frames of a clip that stood here; what else stands here stays.
            for name in names.iter().filter(|name| name.to_str().is_some_and(is_frame)) {
                fs::remove_file(target.join(name))?;
            }
            for entry in fs::read_dir(temporary.path())? {
                let entry = entry?;
                fs::rename(entry.path(), target.join(entry.file_name()))?;
            }
            return Ok(temporary.close()?);
        }
        fs::remove_dir(target)?;
    }
    fs::rename(temporary.path(), target)?;
    // It is not there any more: nothing is to be removed.
    let _ = temporary.keep();
    Ok(())
}

/// Whether a file has a name as frames get it.
fn is_frame(name: &str) -> bool {
    let number = name.strip_suffix(".jpg").or_else(|| name.strip_suffix(".png"));
    number.is_some_and(|number| number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()))
}
