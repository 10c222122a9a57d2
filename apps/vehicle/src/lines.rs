//! Results as lines of JSON: an object a frame.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use foretell_terminal::{Failure, check_absent};
use serde::Serialize;

use crate::arguments::Saved;

/// A file of lines that grows.
pub struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    /// Begins the file that the user asked for, if any.
    ///
    /// # Errors
    /// As [`Lines::create`].
    pub fn of(saved: &Saved) -> Result<Option<Lines>, Failure> {
        saved.lines.as_deref().map(|path| Lines::create(path, saved.force)).transpose()
    }

    /// Begins a file.
    ///
    /// # Errors
    /// There is one already that may not be replaced, or it can't be written.
    pub fn create(path: &Path, force: bool) -> Result<Lines, Failure> {
        check_absent(path, force)?;
        let file = File::create(path).map_err(|error| failure(path, &error))?;
        Ok(Lines { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// It can't be written.
    pub fn add(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(line).expect("results have string keys and finite numbers");
        writeln!(self.file, "{text}").map_err(|error| failure(&self.path, &error))
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| failure(&self.path, &error))
    }
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::words(format!("cannot write `{}`: {error}", path.display()))
}
