//! `bench media`: from a folder of image files to stored predictions, beside a script with Pillow, pydicom, onnxruntime and sqlite3.
//!
//! | part | what is in the folder |
//! |---|---|
//! | jpeg | chest films as they come, 1 to 3 megapixels each |
//! | dicom | radiographs, CT and MR: uncompressed, RLE, JPEG, JPEG 2000 and deflated |
//! | small | the test set of chest films, 224 by 224 pixels: here the network is nearly everything |
//!
//! Both sides read each file, make it what the network takes, run the same network and store scores in SQLite. foretell also removes what
//! identifies a patient, and stores the image itself.
//!
//! **Invariant:** speed is compared only after both sides were seen to say the same.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_terminal::{Failure, Output, format_count};
use serde::Deserialize;

use super::rounds::{MEMORY, PROCESSOR, SECONDS, Turn, Turns, order};
use super::verdict;
use crate::figures::Figures;
use crate::product::{Product, remove};
use crate::program::{self, say, words};
use crate::{machine, python};

/// The app.
const APP: &str = "foretell-medical";
/// The plugin.
const PLUGIN: &str = "medical-chest-xray";
/// Pixels of a side of what its network takes.
const SIDE: &str = "160";
/// Rounds.
const ROUNDS: usize = 3;
/// How many times as fast as the script it is to be.
const RATIO_MIN: f64 = 3.0;
/// Mean difference of scores that comes of decoders and resizers that round in other ways.
const TOLERANCE: f64 = 0.01;
/// DICOM files that the script can read, from the folder of originals.
const DICOM: [&str; 9] = [
    "RG1_J2KI.dcm",
    "693_UNCR.dcm",
    "693_J2KR.dcm",
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "image_dfl.dcm",
];

/// One folder, and how long each way takes with it.
struct Part {
    name: &'static str,
    folder: PathBuf,
    images: u64,
    foretell: Turns,
    script: Turns,
    threaded: Turns,
}

/// What was found.
pub(super) struct Findings(Vec<Part>);

/// What the script prints.
#[derive(Deserialize)]
struct Script {
    images: u64,
    seconds: f64,
    sum: f64,
}

/// What `foretell-medical predict --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Predicted {
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    score: Option<f64>,
}

pub(super) fn measure(data: &Path) -> Result<Findings, Failure> {
    let place = |name: &str| {
        [data.join(name), data.join("medical").join(name)]
            .into_iter()
            .find(|place| place.is_dir())
            .ok_or_else(|| {
                Failure::words(format!("there is no directory `{name}` in `{}`", data.display()))
                    .hint(Some("name the directory that has `originals` and `chest_xray_pneumonia`"))
            })
    };
    let scripts = machine::workspace().join("tests/bench/images");
    let python = python::environment("images-python", &scripts.join("requirements.txt"))?;
    let scratch = machine::scratch()?.join("bench-media");
    let product = Product::fresh(&scratch)?;
    product.install(PLUGIN)?;

    let originals = place("originals")?;
    let films = files(&originals.join("chest_xray"))?;
    let dicom = DICOM.map(|name| originals.join("dicom").join(name));
    let mut parts = vec![
        Part::new("jpeg", copies(&python, &scripts, &films, 20, &scratch.join("jpeg"))?),
        Part::new("dicom", copies(&python, &scripts, &dicom, 20, &scratch.join("dicom"))?),
        Part::new("small", place("chest_xray_pneumonia")?.join("test")),
    ];
    for part in &mut parts {
        part.measure(&product, &python, &scripts, &scratch)?;
    }
    Ok(Findings(parts))
}

/// The files of a directory, by name.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error| Failure::words(format!("can't list `{}`: {error}", directory.display()));
    let entries = std::fs::read_dir(directory).map_err(cannot)?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(cannot)?;
    files.sort();
    Ok(files)
}

/// A folder with so many copies of each file.
fn copies(
    python: &Path,
    scripts: &Path,
    sources: &[PathBuf],
    count: usize,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let mut command = Command::new(python);
    command.arg(scripts.join("copies.py")).arg("--count").arg(count.to_string());
    command.arg("--output").arg(folder).args(sources);
    python::run(&mut command)?;
    Ok(folder.to_owned())
}

impl Part {
    fn new(name: &'static str, folder: PathBuf) -> Self {
        let (foretell, script, threaded) = Default::default();
        Self { name, folder, images: 0, foretell, script, threaded }
    }

    /// Lets the product and the script take turns.
    fn measure(
        &mut self,
        product: &Product,
        python: &Path,
        scripts: &Path,
        scratch: &Path,
    ) -> Result<(), Failure> {
        for round in 0..ROUNDS {
            let mut sums = [0.0; 3];
            for way in order(round, sums.len()) {
                let database = scratch.join("turn.db");
                remove(&database)?;
                let (turn, images, sum) = match way {
                    0 => own(&product.with_database(&database), &self.folder)?,
                    threads => script(python, scripts, &self.folder, &database, threads)?,
                };
                [&mut self.foretell, &mut self.script, &mut self.threaded][way].add(turn);
                sums[way] = sum;
                self.images = images;
            }
            let apart = sums.iter().any(|sum| (sum - sums[0]).abs() > TOLERANCE * self.images as f64);
            if apart {
                return Err(Failure::words(format!("the sums of {} scores differ: {sums:?}", self.images)));
            }
        }
        Ok(())
    }

    fn ways(&self) -> [(&'static str, &Turns); 3] {
        [("foretell", &self.foretell), ("python", &self.script), ("python_threads", &self.threaded)]
    }
}

fn own(product: &Product, folder: &Path) -> Result<(Turn, u64, f64), Failure> {
    let arguments: [OsString; 3] = ["predict".into(), folder.into(), "--json".into()];
    let (answer, finished) = product.ask::<Predicted, _>(APP, arguments)?;
    let scores: Vec<f64> = answer.images.iter().filter_map(|image| image.score).collect();
    Ok((Turn::of(&finished, finished.seconds), scores.len() as u64, scores.iter().sum()))
}

fn script(
    python: &Path,
    scripts: &Path,
    folder: &Path,
    database: &Path,
    threads: usize,
) -> Result<(Turn, u64, f64), Failure> {
    let network = machine::plugin_directory(PLUGIN)?.join("model/network.onnx");
    let mut command = Command::new(python);
    command.arg(scripts.join("score_images.py")).arg("--folder").arg(folder).arg("--model").arg(network);
    command.args(["--size", SIDE]).arg("--db").arg(database).arg("--threads").arg(threads.to_string());
    let line = words(&command);
    say(&format!("$ {line}"));
    let (answer, finished) = program::run(&mut command, line, None)?.answer::<Script>()?;
    Ok((Turn::of(&finished, answer.seconds), answer.images, answer.sum))
}

impl Findings {
    pub(super) fn note(&self, figures: &mut Figures) {
        for part in &self.0 {
            let name = part.name;
            figures
                .set(format!("media.{name}.ratio_to_python"), part.foretell.ratio_of(&part.script, SECONDS));
            let threaded = part.foretell.ratio_of(&part.threaded, SECONDS);
            figures.set(format!("media.{name}.ratio_to_python_threads"), threaded);
            for (way, turns) in part.ways() {
                figures.set(format!("media.{name}.{way}_s"), turns.middle(SECONDS));
                figures.set(format!("media.{name}.{way}_cpu_s"), turns.middle(PROCESSOR));
                figures.set(format!("media.{name}.{way}_peak_rss_mb"), turns.middle(MEMORY));
            }
            let rate = part.foretell.middle(SECONDS).map(|seconds| part.images as f64 / seconds);
            figures.set(format!("media.{name}.images_per_s"), rate);
        }
    }

    pub(super) fn draw(&self, output: Output) {
        let cell = |value: Option<f64>, digits: usize| {
            value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
        };
        for part in &self.0 {
            output.line(&format!(
                "\n{}: {} images, folder in, predictions stored; medians of {ROUNDS} alternating rounds",
                part.name,
                format_count(part.images)
            ));
            let titles = ["foretell-medical predict", "script", "script, decoding on 2 threads"];
            let rows = part.ways().into_iter().zip(titles).map(|((_, turns), title)| {
                vec![
                    title.to_owned(),
                    cell(turns.middle(SECONDS), 2),
                    cell(turns.middle(SECONDS).map(|seconds| part.images as f64 / seconds), 0),
                    cell(turns.middle(PROCESSOR), 2),
                    cell(turns.middle(MEMORY), 0),
                    cell(part.foretell.ratio_of(turns, SECONDS), 2),
                ]
            });
            let head =
                ["way", "seconds#", "images/s#", "processor seconds#", "peak MB#", "foretell is faster by#"];
            output.table(&head, rows);
            let ratio = part.foretell.ratio_of(&part.script, SECONDS);
            let met = verdict(ratio.is_some_and(|ratio| ratio >= RATIO_MIN));
            output.line(&format!("target: at least {RATIO_MIN} times as fast as the script: {met}"));
        }
    }
}
