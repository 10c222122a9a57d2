//! Python, for what is compared with it or trained in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foretell_terminal::Failure;

use crate::machine;
use crate::program::{say, words};

/// Programs that may be Python, in the order in which they are tried.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// The Python of the environment `name` below [`machine::scratch`], which has what the file `requirements` lists.
///
/// The environment is kept for the next time: it may have gigabytes.
pub(crate) fn environment(name: &str, requirements: &Path) -> Result<PathBuf, Failure> {
    let environment = machine::scratch()?.join(name);
    let python = python_in(&environment);
    if !python.exists() {
        let own = PYTHONS.into_iter().find(|python| responds(python)).ok_or_else(|| {
            Failure::words(format!("there is no Python (tried {})", PYTHONS.join(" and ")))
                .hint(Some("install Python with pip and venv, or leave out what needs it"))
        })?;
        run(Command::new(own).args(["-m", "venv"]).arg(&environment))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    Ok(python)
}

fn python_in(environment: &Path) -> PathBuf {
    environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

fn responds(python: &str) -> bool {
    let mut command = Command::new(python);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program whose output is progress: standard output belongs to the figures.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let line = words(command);
    say(&format!("$ {line}"));
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::words(format!("`{line}` failed ({status})"))),
        Err(error) => Err(Failure::words(format!("can't run `{line}`: {error}"))),
    }
}
