//! Training the models anew, by the plugins' own recipes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use foretell_terminal::Failure;

use super::Data;
use super::detection::YOLOX_NETWORK;
use crate::{machine, python};

/// The recipes, from the workspace's root.
const RECIPES: &str = "plugins/vehicle/training";
/// What a recipe calls the network that it writes.
const NETWORK: &str = "network.onnx";

/// Networks that were trained anew.
pub(super) struct Trained {
    /// Of the detector.
    pub(super) road: PathBuf,
    /// Of the signs.
    pub(super) signs: PathBuf,
}

/// Trains both networks.
pub(super) fn trained(data: &Data) -> Result<Trained, Failure> {
    let beside = |name: &str, set: &str| {
        let mut argument = OsString::from(format!("{name}="));
        argument.push(data.root.join(set));
        argument
    };
    let outside =
        ["--outside".into(), beside("road", "highway_ccby"), "--outside".into(), beside("town", "carla_mit")];
    Ok(Trained {
        road: recipe(
            "road",
            vec![
                "--data".into(),
                (&data.root).into(),
                // The network that it begins with, by its hash.
                "--yolox".into(),
                data.models.join(YOLOX_NETWORK).into(),
            ],
        )?,
        signs: recipe("signs", ["--data".into(), (&data.signs).into()].into_iter().chain(outside).collect())?,
    })
}

/// Runs a recipe; the network that it writes.
fn recipe(name: &str, arguments: Vec<OsString>) -> Result<PathBuf, Failure> {
    let recipe = machine::workspace().join(RECIPES).join(name);
    let python = python::environment(&format!("vehicle-{name}-python"), &recipe.join("requirements.txt"))?;
    let output = machine::scratch()?.join("vehicle-models").join(name);
    let mut command = Command::new(python);
    command.arg(recipe.join("train.py")).args(arguments).arg("--output").arg(&output);
    python::run(&mut command)?;
    Ok(output.join(NETWORK))
}
