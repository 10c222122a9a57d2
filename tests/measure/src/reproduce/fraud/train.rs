//! Training the models anew, by the plugin's own recipe.

use std::path::PathBuf;
use std::process::Command;

use foretell_terminal::Failure;

use super::handbook::Handbook;
use crate::{machine, python};

/// The recipe, from the workspace's root.
const RECIPE: &str = "plugins/fraud/training";

/// The models that were trained for the folds when the plugin was made.
pub(super) fn shipped() -> PathBuf {
    machine::workspace().join(RECIPE).join("folds")
}

/// Trains a model for each fold, and returns the directory that has them.
///
/// The Python environment is kept for the next time: it has a few gigabytes.
pub(super) fn folds(handbook: &Handbook) -> Result<PathBuf, Failure> {
    let recipe = machine::workspace().join(RECIPE);
    let python = python::environment("python", &recipe.join("requirements.txt"))?;
    let out = machine::scratch()?.join("fraud-trained");
    python::run(
        Command::new(&python)
            .arg(recipe.join("train.py"))
            .arg("--data")
            .arg(handbook.directory())
            .arg("--out")
            .arg(&out)
            .arg("--folds"),
    )?;
    Ok(out.join("folds"))
}
