//! `reproduce vehicle`: pictures of highways, crops of traffic signs and clips of pedestrians, through the program that people run.
//!
//! Detections and tracks are evaluated by `foretell-vehicle`; a figure is what its JSON says. Other people's networks are plugged in as
//! anybody would do it, by `foretell-vehicle adapt`, and stand beside ours on the same pictures.
//!
//! **Invariant:** figures of quality come from the program's own JSON, but for the share of signs that were read rightly, which is counted.

mod detection;
mod metrics;
mod signs;
mod tracking;
mod train;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use foretell_terminal::{Failure, Output};

use crate::figures::Figures;
use crate::machine;
use crate::product::Product;
use crate::reproduce::{draw_checks, verdict};

/// The app.
const APP: &str = "foretell-vehicle";
/// The plugins.
const DETECTOR: &str = "vehicle-detector";
const TRACKER: &str = "vehicle-tracker";
const SIGNS: &str = "vehicle-signs";
/// What the version of a plugin with a model that was trained anew is called.
const BUILD: &str = "reproduced";

/// The directories of the public data.
struct Data {
    /// All of them.
    root: PathBuf,
    /// Pictures of highways.
    highway: PathBuf,
    /// Crops of traffic signs.
    signs: PathBuf,
    /// Clips of pedestrians.
    clips: PathBuf,
    /// Networks of others.
    models: PathBuf,
}

impl Data {
    fn new(data: &Path) -> Result<Self, Failure> {
        let root =
            [data.join("vehicle"), data.to_owned()].into_iter().find(|root| root.join("eval").is_dir());
        let root = root.unwrap_or_else(|| data.to_owned());
        let place = |name: &str| {
            let place = root.join(name);
            let missing = || {
                Failure::words(format!("there is no directory `{name}` in `{}`", root.display())).hint(Some(
                    "name the directory that has `highway_ccby`, `gtsrb_32`, `eval/mot` and `models`",
                ))
            };
            if place.is_dir() { Ok(place) } else { Err(missing()) }
        };
        Ok(Self {
            highway: place("highway_ccby")?,
            signs: place("gtsrb_32")?,
            clips: place("eval/mot")?,
            models: place("models")?,
            root,
        })
    }
}

/// Reproduces the figures of the plugins for vehicles. The exit code says whether all checks held.
pub(crate) async fn vehicle(output: Output, data: &Path, train: bool) -> Result<u8, Failure> {
    let data = Data::new(data)?;
    let product = Product::fresh(&machine::scratch()?.join("vehicle"))?;
    let trained = if train { Some(train::trained(&data)?) } else { None };
    install(&product, DETECTOR, trained.as_ref().map(|models| models.road.as_path()))?;
    product.install(TRACKER)?;

    let mut figures = Figures::default();
    let metrics = metrics::measured(&product, &data.clips)?;
    let tracking = tracking::measured(&product, &data.clips)?;
    let signs =
        signs::measured(&product, &data.signs, trained.as_ref().map(|models| models.signs.as_path())).await?;
    let detection = detection::measured(&product, &data)?;
    metrics.note(&mut figures);
    tracking.note(&mut figures);
    signs.note(&mut figures);
    detection.note(&mut figures);

    let mut checks = metrics.checks();
    checks.extend(tracking.checks());
    checks.extend(signs.checks());
    checks.extend(detection.checks());
    output.show(&figures, |output| {
        metrics.draw(output);
        tracking.draw(output);
        signs.draw(output);
        detection.draw(output);
        draw_checks(output, &checks);
    });
    Ok(verdict(&checks))
}

/// Installs a plugin, and beside it the same with the network that was trained anew if there is one: a higher version, which
/// answers in its place. Networks of others run in the library of the version that ships.
fn install(product: &Product, plugin: &str, network: Option<&Path>) -> Result<(), Failure> {
    product.install(plugin)?;
    let Some(network) = network else { return Ok(()) };
    let mut model = OsString::from("network=");
    model.push(network);
    let directory = machine::plugin_directory(plugin)?;
    let arguments: [OsString; 7] = [
        "plugin".into(),
        "install".into(),
        directory.into(),
        "--model".into(),
        model,
        "--build".into(),
        BUILD.into(),
    ];
    product.run("foretell", arguments)?.succeeded().map(drop)
}
