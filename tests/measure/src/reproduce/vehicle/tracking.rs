//! Our tracker on the detections that other trackers were given.

use std::ffi::OsString;
use std::path::Path;

use foretell_terminal::{Failure, Output};
use serde_json::Value;

use super::metrics::{Tracks, evaluated, figure_name};
use super::{APP, TRACKER};
use crate::figures::Figures;
use crate::product::Product;
use crate::reproduce::check::Check;

/// A clip, and what the tracker must reach there.
struct Clip {
    name: &'static str,
    frames: u64,
    idf1_min: f64,
    mota_min: f64,
    /// What other trackers reach with the same detections: MOTA, IDF1, HOTA in percent.
    others: [(&'static str, [f64; 3]); 3],
}

/// Frames of both clips have this size, and come this often a second.
const SIZE: &str = "640x480";
const FRAME_RATE: &str = "25";
/// The detections, by a Faster R-CNN (Bewley et al., "Simple online and realtime tracking", ICIP 2016).
const DETECTIONS: &str = "det_sort_frcnn.txt";

/// SORT with `max_age` 1, `min_hits` 3 and 0.3; ByteTrack of supervision 0.25.1 with 0.25, 0.8 and 30 frames; OC-SORT at commit 8462e7e
/// with 0.4 and 30 frames. Evaluated with py-motmetrics 1.4.0 and TrackEval.
const CLIPS: [Clip; 2] = [
    Clip {
        name: "TUD-Campus",
        frames: 71,
        idf1_min: 0.70,
        mota_min: 0.63,
        others: [
            ("SORT", [62.7, 60.6, 45.3]),
            ("ByteTrack", [59.6, 66.6, 48.1]),
            ("OC-SORT", [58.5, 66.0, 47.5]),
        ],
    },
    Clip {
        name: "TUD-Stadtmitte",
        frames: 179,
        idf1_min: 0.75,
        mota_min: 0.72,
        others: [
            ("SORT", [71.7, 73.5, 53.0]),
            ("ByteTrack", [71.4, 71.5, 50.5]),
            ("OC-SORT", [69.5, 73.9, 51.6]),
        ],
    },
];

/// What was reached, in the order of [`CLIPS`].
pub(super) struct Tracking(Vec<Tracked>);

struct Tracked {
    figures: Tracks,
    frames: u64,
}

/// Tracks both clips with the same settings, and evaluates what was written.
pub(super) fn measured(product: &Product, clips: &Path) -> Result<Tracking, Failure> {
    CLIPS
        .iter()
        .map(|clip| one(product, &clips.join(clip.name), clip.name))
        .collect::<Result<_, _>>()
        .map(Tracking)
}

fn one(product: &Product, folder: &Path, name: &str) -> Result<Tracked, Failure> {
    let tracks = product.database().with_file_name(format!("{name}.txt"));
    let mut arguments: Vec<OsString> =
        vec!["track".into(), "--detections".into(), folder.join(DETECTIONS).into()];
    arguments.extend(
        ["--clip", name, "--frame-rate", FRAME_RATE, "--size", SIZE, "--tracker", TRACKER].map(Into::into),
    );
    arguments.extend(["--mot".into(), tracks.clone().into(), "--json".into()]);
    let (clips, _) = product.ask::<Value, _>(APP, arguments)?;
    let frames = clips.pointer("/0/frames").and_then(Value::as_u64).unwrap_or(0);
    Ok(Tracked { figures: evaluated(product, &folder.join("gt.txt"), &tracks)?, frames })
}

impl Tracking {
    pub(super) fn note(&self, figures: &mut Figures) {
        for (clip, Tracked { figures: found, .. }) in CLIPS.iter().zip(&self.0) {
            let name = format!("vehicle.{}", figure_name(clip.name));
            for (figure, value) in [("mota", found.mota), ("idf1", found.idf1), ("hota", found.hota)] {
                figures.set(format!("{name}.{figure}"), value);
            }
        }
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let all = CLIPS.iter().zip(&self.0).flat_map(|(clip, found)| {
            let least = |figure: &str, least: f64, found: Option<f64>| {
                let words =
                    found.map_or_else(|| "not told".to_owned(), |found| format!("{:.1}", found * 100.0));
                let what = format!("{figure} of our tracker in {}", clip.name);
                Check::new(
                    what,
                    format!("at least {:.0}", least * 100.0),
                    words,
                    found.is_some_and(|found| found >= least),
                )
            };
            [
                Check::equal(format!("frames of {}", clip.name), clip.frames, found.frames),
                least("IDF1", clip.idf1_min, found.figures.idf1),
                least("MOTA", clip.mota_min, found.figures.mota),
            ]
        });
        all.collect()
    }

    pub(super) fn draw(&self, output: Output) {
        output.line("\nTrackers on the same detections of a Faster R-CNN");
        let rows = CLIPS.iter().zip(&self.0).flat_map(|(clip, Tracked { figures, .. })| {
            let percent = |share: Option<f64>| share.unwrap_or(f64::NAN) * 100.0;
            let ours = [figures.mota, figures.idf1, figures.hota].map(percent);
            std::iter::once(("foretell, as it ships", ours)).chain(clip.others).map(|(tracker, values)| {
                let values = values.map(|value| format!("{value:.1}"));
                [clip.name.to_owned(), tracker.to_owned()].into_iter().chain(values).collect()
            })
        });
        output.table(&["clip", "tracker", "MOTA#", "IDF1#", "HOTA#"], rows);
    }
}
