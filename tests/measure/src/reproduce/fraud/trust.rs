//! Stored predictions made once more, and a model file that was changed behind foretell's back.

use std::fs;
use std::path::{Path, PathBuf};

use foretell_fraud::PLUGIN;
use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::Manifest;
use foretell_terminal::Failure;
use serde::Deserialize;

use crate::figures::Figures;
use crate::product::Product;
use crate::program::say;
use crate::reproduce::check::Check;

/// Predictions that are repeated.
const PREDICTIONS: u64 = 10_000;
/// Largest difference of two scores that counts as equal.
const TOLERANCE: f64 = 1e-6;

/// What `foretell verify --json` answers.
#[derive(Debug, Deserialize)]
struct Verified {
    predictions: u64,
    equal: u64,
    largest_difference: f64,
}

/// Repeats predictions of `run`, which are spread evenly over its records.
pub(super) fn repeat(product: &Product, run: i64, figures: &mut Figures) -> Result<Check, Failure> {
    let (verified, finished) = product.ask::<Verified, _>("foretell", verify(run))?;
    for (name, figure) in [
        ("predictions", verified.predictions as f64),
        ("equal", verified.equal as f64),
        ("largest_difference", verified.largest_difference),
        ("seconds", finished.seconds),
    ] {
        figures.set(format!("fraud.verify.{name}"), figure);
    }
    let found = format!(
        "{} of {}, largest difference {}",
        verified.equal, verified.predictions, verified.largest_difference
    );
    let held = (verified.predictions, verified.equal) == (PREDICTIONS, PREDICTIONS);
    Ok(Check::new(
        format!("predictions repeated within {TOLERANCE:e}"),
        format!("{PREDICTIONS} equal"),
        found,
        held,
    ))
}

fn verify(run: i64) -> Vec<String> {
    let (limit, tolerance) = (PREDICTIONS.to_string(), format!("{TOLERANCE:e}"));
    let words = ["verify", "--run", &run.to_string(), "--limit", &limit, "--tolerance", &tolerance, "--json"];
    words.map(str::to_owned).into()
}

/// Changes one byte of the installed model: nothing may run it, and the refusal names both hashes. Puts it back.
pub(super) fn change_model(product: &Product, manifest: &Manifest, run: i64) -> Result<Vec<Check>, Failure> {
    let path = installed_model(product, manifest)?;
    let original = fs::read(&path).map_err(|error| cannot(&path, &error))?;
    let mut changed = original.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let hashes = [Hash::of(&original).to_string(), Hash::of(&changed).to_string()];
    fs::write(&path, &changed).map_err(|error| cannot(&path, &error))?;
    let refusals =
        ["foretell verify", "foretell-fraud score"].map(|command| refusal(product, command, run, &hashes));
    fs::write(&path, &original).map_err(|error| cannot(&path, &error))?;
    let mut checks: Vec<Check> = refusals.into_iter().collect::<Result<_, _>>()?;
    let again = product.run("foretell", verify(run))?;
    let found = if again.failed() { again.stderr.trim() } else { "works again" };
    checks.push(Check::new("model file restored: foretell verify", "works again", found, !again.failed()));
    Ok(checks)
}

/// Runs a command that must refuse the changed model.
fn refusal(product: &Product, command: &str, run: i64, hashes: &[String; 2]) -> Result<Check, Failure> {
    let finished = match command {
        "foretell verify" => product.run("foretell", verify(run))?,
        _ => product.run("foretell-fraud", ["score", "--again", "--json"])?,
    };
    let named = hashes.iter().filter(|hash| finished.stderr.contains(hash.as_str())).count();
    say(finished.stderr.trim());
    let found =
        if finished.failed() { format!("refused, {named} hashes named") } else { "accepted".to_owned() };
    Ok(Check::equal(
        format!("one byte of the model changed: {command}"),
        "refused, 2 hashes named".to_owned(),
        found,
    ))
}

fn installed_model(product: &Product, manifest: &Manifest) -> Result<PathBuf, Failure> {
    let version = manifest.plugin.version.to_string();
    let model = manifest.models.first().ok_or_else(|| Failure::words("the plugin has no model"))?;
    Ok(product.home().join("plugins").join(PLUGIN).join(version).join(&model.file))
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::words(format!("can't change `{}`: {error}", path.display()))
}
