//! The public sets of purchases, and the product that works on one of them.
//!
//! Weights that were trained on the sets are not part of this project, since nobody said that the data may be passed on. So the Transformer is trained
//! here once, some minutes for each set, and kept below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_store::open::Store;
use foretell_store::prediction::PredictionFilter;
use foretell_terminal::Failure;
use serde::Deserialize;

use crate::product::Product;
use crate::{machine, python};

/// The plugin that learns which items go together.
pub(crate) const ITEM_KNN: &str = "retail-item-knn";
/// The plugin with the Transformer.
pub(crate) const NEXT_ITEM: &str = "retail-next-item";
/// The plugin that forecasts demand.
pub(crate) const DEMAND: &str = "retail-demand";
/// The app.
pub(crate) const APP: &str = "foretell-retail";
/// Model slots of the Transformer, and the files that its recipe writes for them.
pub(crate) const FILES: [(&str, &str); 2] = [("network", "network.onnx"), ("items", "items.bin")];
/// The Transformer's recipe, from the workspace's root.
const RECIPE: &str = "plugins/retail/next-item/training";
/// Threads of its training.
const THREADS: &str = "2";

/// The directory of a set in `data`, or in its subdirectory `retail`.
pub(crate) fn directory(data: &Path, set: &str) -> Result<PathBuf, Failure> {
    let found = [data.join(set), data.join("retail").join(set)].into_iter().find(|place| place.is_dir());
    found.ok_or_else(|| {
        Failure::words(format!("there is no directory `{set}` in `{}`", data.display()))
            .hint(Some("name the directory that has `beauty`, `sports`, `toys`, `groceries` and `demand`"))
    })
}

/// The Python that the Transformer's recipe runs in.
pub(crate) fn python() -> Result<PathBuf, Failure> {
    python::environment("retail-python", &machine::workspace().join(RECIPE).join("requirements.txt"))
}

/// The directory with the `network.onnx` and `items.bin` of a set; trained anew if `again`, or if there is none yet.
pub(crate) fn model(set: &Path, name: &str, again: bool) -> Result<PathBuf, Failure> {
    let output = machine::scratch()?.join("retail-models").join(name);
    // The last file that the recipe writes.
    if again || !output.join("MODEL_CARD.md").exists() {
        let mut command = Command::new(python()?);
        command.arg(machine::workspace().join(RECIPE).join("train.py")).args(["--threads", THREADS]);
        command.arg("--sequences").arg(set.join("sequences.txt"));
        command.arg("--items").arg(set.join("items.tsv"));
        command.arg("--output").arg(&output);
        python::run(&mut command)?;
    }
    Ok(output)
}

/// Installs the Transformer with the weights of a set, and returns what it is called.
pub(crate) fn install_next_item(product: &Product, model: &Path, set: &str) -> Result<String, Failure> {
    let directory = machine::plugin_directory(NEXT_ITEM)?;
    let mut words = vec!["plugin".into(), "install".into(), directory.into_os_string()];
    for (slot, file) in FILES {
        words.push("--model".into());
        words.push(format!("{slot}={}", model.join(file).display()).into());
    }
    words.extend(["--build".into(), set.into(), "--json".into()]);
    let (installed, _) = product.ask::<Installed, _>("foretell", words)?;
    Ok(format!("{NEXT_ITEM}@{}", installed.version))
}

/// What `foretell plugin install --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Installed {
    version: String,
}

/// Imports the purchases and the catalogue of a set; returns how many purchases were stored.
pub(crate) fn import(product: &Product, set: &Path) -> Result<u64, Failure> {
    let stored = |kind: &str, file: &str| {
        let words = ["import".into(), kind.into(), set.join(file).into_os_string(), "--json".into()];
        product.ask::<Imported, _>(APP, words as [std::ffi::OsString; 4]).map(|(imported, _)| imported.stored)
    };
    stored("catalogue", "items.tsv")?;
    stored("sequences", "sequences.txt")
}

/// What `foretell-retail import --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Imported {
    stored: u64,
}

/// The sum of the scores of a run's predictions.
pub(crate) async fn sum_of_scores(product: &Product, run: i64) -> Result<f64, Failure> {
    /// Predictions that are in memory at a time.
    const PAGE: u32 = 8192;
    let store = Store::open(product.database()).await;
    let store = store.map_err(|error| Failure::new(&error).hint(error.kind.hint()))?;
    let (mut sum, mut after) = (0.0, None);
    loop {
        let page = store.predictions(PredictionFilter::Run { run_id: run, after }, PAGE).await;
        let page = page.map_err(|error| Failure::new(&error).hint(error.hint()))?;
        let Some(last) = page.last() else { break };
        after = Some(last.record_id);
        sum += page.iter().filter_map(|prediction| prediction.score).sum::<f64>();
    }
    store.close().await;
    Ok(sum)
}
