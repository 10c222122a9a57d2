//! The product as people run it: its programs, with a home and a database of their own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use foretell_runtime::home::HOME_VARIABLE;
use foretell_terminal::Failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::machine;
use crate::program::{self, Finished, say};

/// The programs, and where they work.
#[derive(Clone)]
pub(crate) struct Product {
    programs: PathBuf,
    home: PathBuf,
    database: PathBuf,
}

/// What `foretell-fraud score --json` answers about stored transactions.
#[derive(Debug, Deserialize)]
pub(crate) struct Scored {
    pub(crate) run: i64,
    pub(crate) scored: u64,
    pub(crate) rejected: u64,
    pub(crate) seconds: f64,
    pub(crate) read_seconds: f64,
    pub(crate) predict_seconds: f64,
    pub(crate) write_seconds: f64,
}

impl Product {
    /// A product with nothing installed and nothing stored, in `directory`, which is emptied.
    pub(crate) fn fresh(directory: &Path) -> Result<Self, Failure> {
        let cannot =
            |error: io::Error| Failure::words(format!("can't empty `{}`: {error}", directory.display()));
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => fs::create_dir_all(directory).map_err(cannot)?,
        }
        Ok(Self {
            programs: machine::built()?,
            home: directory.join("home"),
            database: directory.join("foretell.db"),
        })
    }

    /// The same programs and home with another database.
    pub(crate) fn with_database(&self, database: &Path) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same programs and home with a copy of a database, which is on the disk and in the system's file cache.
    pub(crate) fn with_copy(&self, database: &Path, copy: &Path) -> Result<Self, Failure> {
        remove(copy)?;
        let copied = fs::copy(database, copy)
            .and_then(|_| fs::OpenOptions::new().write(true).open(copy))
            // Otherwise the system would write it while somebody is measured.
            .and_then(|file| file.sync_all());
        copied.map_err(|error| cannot("write", copy, &error))?;
        Ok(self.with_database(copy))
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Installs a plugin that was assembled.
    pub(crate) fn install(&self, plugin: &str) -> Result<(), Failure> {
        let directory = machine::plugin_directory(plugin)?;
        let install = ["plugin".as_ref(), "install".as_ref(), directory.as_os_str()];
        self.run("foretell", install)?.succeeded().map(drop)
    }

    /// Runs a program to its end, whatever that is.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Finished, Failure> {
        self.run_on(program, arguments, None)
    }

    /// The same with `input` on its standard input.
    fn run_on<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        input: Option<&str>,
    ) -> Result<Finished, Failure> {
        let path = self.programs.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&path);
        command.args(arguments).env(HOME_VARIABLE, &self.home).env("FORETELL_DB", &self.database);
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let line = format!("{program} {}", words.join(" "));
        say(&format!("$ {line}"));
        program::run(&mut command, line, input).map_err(|failure| {
            failure.hint(Some(format!("`cargo build --release` makes `{}`", path.display())))
        })
    }

    /// Runs a program that must do its work and answer in JSON, even if the answer is that something did not hold.
    pub(crate) fn ask<T: DeserializeOwned, S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<(T, Finished), Failure> {
        self.run(program, arguments)?.answer()
    }

    /// The same with `input` on its standard input.
    pub(crate) fn ask_on<T: DeserializeOwned, S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<(T, Finished), Failure> {
        self.run_on(program, arguments, Some(input))?.answer()
    }
}

/// Removes a database and its log, if there is one.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    for ending in ["", "-wal", "-shm"] {
        let path = beside(path, ending);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove", &path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The path with this ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    say("databases of a benchmark need a few gigabytes");
    Failure::words(format!("can't {what} `{}`: {error}", path.display()))
}
