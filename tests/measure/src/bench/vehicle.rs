//! `bench vehicle`: from a video file to stored detections and tracks, beside a script with OpenCV, onnxruntime, supervision and
//! sqlite3, and beside the network alone.
//!
//! Both sides decode the same video, make each frame what the network takes, run the same network, suppress boxes that overlap,
//! follow the rest, and store detections and tracks in SQLite. The network alone runs on images that are ready, as many as the
//! video has frames, in the quicker of two ways: one image on all processors, or as many images as there are processors.
//!
//! **Invariant:** speed is compared only after both sides were seen to find about as much.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use foretell_terminal::{Failure, Output};
use serde::Deserialize;

use super::rounds::{MEMORY, PROCESSOR, SECONDS, Turn, Turns, WORK, order};
use super::verdict;
use crate::figures::Figures;
use crate::product::{Product, remove};
use crate::program::{self, say, words};
use crate::{machine, python};

/// The app.
const APP: &str = "foretell-vehicle";
/// Plugins, the detector first.
const PLUGINS: [&str; 2] = ["vehicle-detector", "vehicle-tracker"];
/// The video, below the domain's data.
const VIDEO: &str = "eval/video/solidWhiteRight.mp4";
/// Its frames.
const FRAMES: &str = "221";
/// The detector's network, in its directory.
const NETWORK: &str = "model/network.onnx";
/// How an image becomes the network's square where it keeps its proportions.
const CORNER: &str = "corner";
/// The ways that the scripts know; the first is that of a manifest that says nothing.
const FITS: [&str; 3] = ["", "stretch", CORNER];
/// Rounds.
const ROUNDS: usize = 5;
/// How many times as fast as the script it is to be.
const RATIO_MIN: f64 = 2.0;
/// How many times as long as the network alone detection may take.
const BARE_MAX: f64 = 1.1;
/// Of the script's detections, how many more or fewer may be found: it resizes in another way.
const APART_MAX: f64 = 0.15;

/// How long each way takes.
#[derive(Default)]
pub(super) struct Findings {
    frames: u64,
    tracked: Turns,
    detected: Turns,
    script: Turns,
    bare: Turns,
}

/// What the script prints.
#[derive(Deserialize)]
struct Script {
    detections: u64,
    seconds: f64,
}

/// What the script of the network alone prints.
#[derive(Deserialize)]
struct Bare {
    seconds: f64,
}

/// What `foretell-vehicle detect --json` and `track --json` print, as far as it matters here.
#[derive(Deserialize)]
struct Clip {
    frames: u64,
    seconds: f64,
    #[serde(default)]
    found: std::collections::BTreeMap<String, u64>,
}

/// What of the plugin's manifest the script must know.
#[derive(Deserialize)]
struct Manifest {
    output: Labels,
    config: Settings,
    input: Vec<Input>,
}

#[derive(Deserialize)]
struct Labels {
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Settings {
    score: f64,
    overlap: f64,
}

#[derive(Deserialize)]
struct Input {
    image: Option<Prepared>,
}

#[derive(Deserialize)]
struct Prepared {
    width: u32,
    height: u32,
    #[serde(default)]
    fit: String,
    #[serde(default)]
    pad: u8,
}

/// The scripts, and what they are given.
struct Scripts {
    python: PathBuf,
    folder: PathBuf,
    network: PathBuf,
    image: Prepared,
    labels: Labels,
    settings: Settings,
}

pub(super) fn measure(data: &Path) -> Result<Findings, Failure> {
    let video = [data.join(VIDEO), data.join("vehicle").join(VIDEO)];
    let video = video.into_iter().find(|video| video.is_file()).ok_or_else(|| {
        Failure::words(format!("there is no `{VIDEO}` in `{}`", data.display()))
            .hint(Some("name the directory that has `eval`"))
    })?;
    let scripts = Scripts::open()?;
    let scratch = machine::scratch()?.join("bench-vehicle");
    let product = Product::fresh(&scratch)?;
    for plugin in PLUGINS {
        product.install(plugin)?;
    }
    let mut findings = Findings::default();
    for round in 0..ROUNDS {
        let mut found = [0; 2];
        for way in order(round, 4) {
            let database = scratch.join("turn.db");
            remove(&database)?;
            let product = product.with_database(&database);
            match way {
                0 => findings.tracked.add(own(&product, "track", &video)?.0),
                1 => {
                    let (turn, clip) = own(&product, "detect", &video)?;
                    findings.detected.add(turn);
                    found[0] = clip.found.values().sum();
                    findings.frames = clip.frames;
                }
                2 => {
                    let (turn, script) = scripts.detect_track(&video, &database)?;
                    findings.script.add(turn);
                    found[1] = script.detections;
                }
                _ => findings.bare.add(scripts.bare()?),
            }
        }
        let [own, theirs] = found.map(|count: u64| count as f64);
        if (own - theirs).abs() > APART_MAX * theirs {
            return Err(Failure::words(format!("foretell finds {own} objects, and the script {theirs}")));
        }
    }
    Ok(findings)
}

fn own(product: &Product, command: &str, video: &Path) -> Result<(Turn, Clip), Failure> {
    let arguments: [OsString; 3] = [command.into(), video.into(), "--json".into()];
    let (mut clips, finished) = product.ask::<Vec<Clip>, _>(APP, arguments)?;
    let clip = clips.pop().ok_or_else(|| Failure::words("no clip was looked at"))?;
    Ok((Turn::of(&finished, clip.seconds), clip))
}

impl Scripts {
    fn open() -> Result<Self, Failure> {
        let folder = machine::workspace().join("tests/bench/video");
        let python = python::environment("video-python", &folder.join("requirements.txt"))?;
        let plugin = machine::plugin_directory(PLUGINS[0])?;
        let text = std::fs::read_to_string(plugin.join("plugin.toml"))
            .map_err(|error| Failure::words(format!("can't read the detector's manifest: {error}")))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| Failure::new(&error))?;
        let Manifest { output: labels, config: settings, input } = manifest;
        let image = input.into_iter().find_map(|input| input.image);
        // What the scripts can prepare.
        let image = image.filter(|image| image.width == image.height && FITS.contains(&&*image.fit));
        let image = image.ok_or_else(|| {
            Failure::words(format!(
                "the scripts can't prepare the image of `{}` as its manifest says",
                PLUGINS[0]
            ))
            .hint(Some("expected a square of a stated size that is stretched, or fitted into a corner"))
        })?;
        Ok(Self { python, folder, network: plugin.join(NETWORK), image, labels, settings })
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.folder.join(script)).arg("--model").arg(&self.network);
        command.args(["--size", &self.image.width.to_string()]);
        command
    }

    fn detect_track(&self, video: &Path, database: &Path) -> Result<(Turn, Script), Failure> {
        let mut command = self.command("detect_track.py");
        let Settings { score, overlap } = self.settings;
        command.arg("--video").arg(video).arg("--db").arg(database);
        command.args(["--labels", &self.labels.labels.join(",")]);
        if self.image.fit == CORNER {
            command.args(["--corner", &self.image.pad.to_string()]);
        }
        command.args(["--score", &score.to_string(), "--overlap", &overlap.to_string()]);
        let line = words(&command);
        say(&format!("$ {line}"));
        let (script, finished) = program::run(&mut command, line, None)?.answer::<Script>()?;
        Ok((Turn::of(&finished, script.seconds), script))
    }

    fn bare(&self) -> Result<Turn, Failure> {
        let mut command = self.command("bare.py");
        command.args(["--frames", FRAMES]);
        let line = words(&command);
        say(&format!("$ {line}"));
        let (bare, finished) = program::run(&mut command, line, None)?.answer::<Bare>()?;
        Ok(Turn::of(&finished, bare.seconds))
    }
}

impl Findings {
    /// How many times as fast as the script detection and tracking are, processes and all.
    fn ratio_to_script(&self) -> Option<f64> {
        self.tracked.ratio_of(&self.script, SECONDS)
    }

    /// How many times as long as the network alone detection takes, by the app's own account.
    fn ratio_to_bare(&self) -> Option<f64> {
        self.bare.ratio_of(&self.detected, WORK)
    }

    fn ways(&self) -> [(&'static str, &'static str, &Turns); 4] {
        [
            ("detect_track", "foretell-vehicle track", &self.tracked),
            ("detect", "foretell-vehicle detect", &self.detected),
            ("python", "script: detect and track", &self.script),
            ("bare", "the network alone", &self.bare),
        ]
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        figures.set("vehicle.detect_track.ratio_to_python", self.ratio_to_script());
        figures.set("vehicle.detect.ratio_to_bare", self.ratio_to_bare());
        for (name, _, turns) in self.ways() {
            figures.set(format!("vehicle.{name}_s"), turns.middle(SECONDS));
            figures.set(format!("vehicle.{name}_work_s"), turns.middle(WORK));
            figures.set(format!("vehicle.{name}_cpu_s"), turns.middle(PROCESSOR));
            figures.set(format!("vehicle.{name}_peak_rss_mb"), turns.middle(MEMORY));
        }
        let rate = self.tracked.middle(WORK).map(|seconds| self.frames as f64 / seconds);
        figures.set("vehicle.detect_track.frames_per_s", rate);
    }

    pub(super) fn draw(&self, output: Output) {
        let cell = |value: Option<f64>, digits: usize| {
            value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
        };
        output.line(&format!(
            "\nvideo: {} frames of 960 x 540, file in, detections and tracks stored; medians of {ROUNDS} alternating rounds",
            self.frames
        ));
        let rows = self.ways().into_iter().map(|(_, title, turns)| {
            vec![
                title.to_owned(),
                cell(turns.middle(SECONDS), 2),
                cell(turns.middle(WORK), 2),
                cell(turns.middle(WORK).map(|seconds| self.frames as f64 / seconds), 0),
                cell(turns.middle(PROCESSOR), 2),
                cell(turns.middle(MEMORY), 0),
            ]
        });
        let head = ["way", "seconds#", "without start#", "frames/s#", "processor seconds#", "peak MB#"];
        output.table(&head, rows);
        let ratio = self.ratio_to_script();
        let met = verdict(ratio.is_some_and(|ratio| ratio >= RATIO_MIN));
        let ratio = cell(ratio, 2);
        output.line(&format!("{ratio} times as fast as the script; target: at least {RATIO_MIN}: {met}"));
        let ratio = self.ratio_to_bare();
        let met = verdict(ratio.is_some_and(|ratio| ratio <= BARE_MAX));
        let ratio = cell(ratio, 2);
        output
            .line(&format!("{ratio} times as long as the network alone; target: at most {BARE_MAX}: {met}"));
    }
}
