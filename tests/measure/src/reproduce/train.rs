//! Training the models anew, by the plugin's own recipe.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foretell_terminal::Failure;

use super::handbook::Handbook;
use crate::machine;

/// The recipe, from the workspace's root.
const RECIPE: &str = "plugins/fraud/training";
/// Programs that may be Python, in the order in which they are tried.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// The models that were trained for the folds when the plugin was made.
pub(super) fn shipped() -> PathBuf {
    machine::workspace().join(RECIPE).join("folds")
}

/// Trains a model for each fold, and returns the directory that has them.
///
/// The Python environment is kept for the next time: it has a few gigabytes.
pub(super) fn folds(handbook: &Handbook) -> Result<PathBuf, Failure> {
    let recipe = machine::workspace().join(RECIPE);
    let scratch = machine::scratch()?;
    let environment = scratch.join("python");
    let python = python_in(&environment);
    if !python.exists() {
        let own = PYTHONS.into_iter().find(|python| responds(python)).ok_or_else(|| {
            Failure::words(format!("there is no Python (tried {})", PYTHONS.join(" and ")))
                .hint(Some("install Python with pip and venv, or leave `--train` out"))
        })?;
        run(Command::new(own).args(["-m", "venv"]).arg(&environment))?;
    }
    let requirements = recipe.join("requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements))?;
    let out = scratch.join("fraud-trained");
    run(Command::new(&python)
        .arg(recipe.join("train.py"))
        .arg("--data")
        .arg(handbook.directory())
        .arg("--out")
        .arg(&out)
        .arg("--folds"))?;
    Ok(out.join("folds"))
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
fn run(command: &mut Command) -> Result<(), Failure> {
    let words: Vec<_> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    let line = words.join(" ");
    super::say(&format!("$ {line}"));
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::words(format!("`{line}` failed ({status})"))),
        Err(error) => Err(Failure::words(format!("can't run `{line}`: {error}"))),
    }
}
