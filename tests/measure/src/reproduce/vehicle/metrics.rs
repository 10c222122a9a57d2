//! Tracks of others, whose figures are known: whether the program counts as everybody does.

use std::path::Path;

use foretell_terminal::{Failure, Output};
use serde::Deserialize;

use super::APP;
use crate::figures::Figures;
use crate::product::Product;
use crate::reproduce::check::Check;

/// The figures of tracks, as far as they matter here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tracks {
    pub(super) mota: Option<f64>,
    pub(super) idf1: Option<f64>,
    pub(super) hota: Option<f64>,
    deta: Option<f64>,
    assa: Option<f64>,
    motp_distance: Option<f64>,
    switches: u64,
    false_positives: u64,
    misses: u64,
    fragmentations: u64,
}

/// What `foretell-vehicle evaluate tracks --json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Document {
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    overall: Tracks,
}

/// Evaluates the tracks of a file.
pub(super) fn evaluated(product: &Product, truth: &Path, tracks: &Path) -> Result<Tracks, Failure> {
    let arguments = [
        "evaluate".as_ref(),
        "tracks".as_ref(),
        "--truth".as_ref(),
        truth.as_os_str(),
        "--tracks".as_ref(),
        tracks.as_os_str(),
        "--json".as_ref(),
    ];
    let (document, _) = product.ask::<Document, _>(APP, arguments)?;
    Ok(document.report.overall)
}

/// What others found in a file of tracks.
struct Known {
    clip: &'static str,
    /// Whose tracks, in a name of a figure.
    tracks: &'static str,
    file: &'static str,
    /// MOTA, IDF1, HOTA, DetA and AssA in percent, with one digit after the point.
    percent: [f64; 5],
    /// Mean distance of what was found, with three digits.
    motp: f64,
    /// Switches, false positives, misses, fragmentations.
    counts: [u64; 4],
}

/// The first two are published with the files (README of py-motmetrics). All were found with py-motmetrics 1.4.0 and, HOTA, DetA and AssA,
/// with TrackEval at commit 12c8791b303e0a0b50f753af204249e622d0281a.
const KNOWN: [Known; 8] = [
    Known {
        clip: "TUD-Campus",
        tracks: "published",
        file: "test.txt",
        percent: [52.6, 55.8, 39.1, 41.8, 36.9],
        motp: 0.277,
        counts: [7, 13, 150, 7],
    },
    Known {
        clip: "TUD-Stadtmitte",
        tracks: "published",
        file: "test.txt",
        percent: [56.4, 64.5, 39.8, 39.2, 40.9],
        motp: 0.346,
        counts: [7, 45, 452, 6],
    },
    Known {
        clip: "TUD-Campus",
        tracks: "sort",
        file: "ref_sort.txt",
        percent: [62.7, 60.6, 45.3, 48.8, 42.3],
        motp: 0.273,
        counts: [6, 15, 113, 14],
    },
    Known {
        clip: "TUD-Stadtmitte",
        tracks: "sort",
        file: "ref_sort.txt",
        percent: [71.7, 73.5, 53.0, 54.9, 51.3],
        motp: 0.248,
        counts: [10, 22, 295, 16],
    },
    Known {
        clip: "TUD-Campus",
        tracks: "bytetrack",
        file: "ref_bytetrack.txt",
        percent: [59.6, 66.6, 48.1, 50.0, 46.3],
        motp: 0.268,
        counts: [7, 36, 102, 25],
    },
    Known {
        clip: "TUD-Stadtmitte",
        tracks: "bytetrack",
        file: "ref_bytetrack.txt",
        percent: [71.4, 71.5, 50.5, 54.5, 46.8],
        motp: 0.263,
        counts: [14, 38, 279, 32],
    },
    Known {
        clip: "TUD-Campus",
        tracks: "oc_sort",
        file: "ref_oc-sort.txt",
        percent: [58.5, 66.0, 47.5, 48.0, 47.1],
        motp: 0.264,
        counts: [4, 24, 121, 18],
    },
    Known {
        clip: "TUD-Stadtmitte",
        tracks: "oc_sort",
        file: "ref_oc-sort.txt",
        percent: [69.5, 73.9, 51.6, 52.9, 50.3],
        motp: 0.260,
        counts: [14, 30, 309, 25],
    },
];

/// Figures of known tracks, in the order of [`KNOWN`].
pub(super) struct Metrics(Vec<Tracks>);

/// Evaluates all known tracks.
pub(super) fn measured(product: &Product, clips: &Path) -> Result<Metrics, Failure> {
    let one = |known: &Known| {
        let clip = clips.join(known.clip);
        evaluated(product, &clip.join("gt.txt"), &clip.join(known.file))
    };
    KNOWN.iter().map(one).collect::<Result<_, _>>().map(Metrics)
}

/// A clip in a name of a figure: `TUD-Campus` is `tud_campus`.
pub(super) fn figure_name(clip: &str) -> String {
    clip.to_lowercase().replace('-', "_")
}

impl Metrics {
    pub(super) fn note(&self, figures: &mut Figures) {
        for (known, found) in KNOWN.iter().zip(&self.0) {
            let name = format!("vehicle.metrics.{}.{}", figure_name(known.clip), known.tracks);
            for (figure, value) in [("mota", found.mota), ("idf1", found.idf1), ("hota", found.hota)] {
                figures.set(format!("{name}.{figure}"), value);
            }
        }
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let all = KNOWN.iter().zip(&self.0).map(|(known, found)| {
            let what = format!("tracks of {} in {}", known.tracks, known.clip);
            let percent = [found.mota, found.idf1, found.hota, found.deta, found.assa];
            let percent: Vec<f64> = percent.iter().map(|share| share.unwrap_or(f64::NAN) * 100.0).collect();
            let motp = found.motp_distance.unwrap_or(f64::NAN);
            let counts = [found.switches, found.false_positives, found.misses, found.fragmentations];
            let held = percent.iter().zip(&known.percent).all(|(found, known)| rounds(*found, *known, 1))
                && rounds(motp, known.motp, 3)
                && counts == known.counts;
            Check::new(
                what,
                words(&known.percent, known.motp, &known.counts),
                words(&percent, motp, &counts),
                held,
            )
        });
        all.collect()
    }

    pub(super) fn draw(&self, output: Output) {
        output.line("\nTracks of others, evaluated by foretell; beside it what py-motmetrics and TrackEval say of them");
        let rows = KNOWN.iter().zip(&self.0).map(|(known, found)| {
            let pair = |known: f64, found: Option<f64>| {
                [
                    found.map_or_else(String::new, |share| format!("{:.1}", share * 100.0)),
                    format!("{known:.1}"),
                ]
            };
            let [mota, idf1, hota, ..] = known.percent;
            let figures = [pair(mota, found.mota), pair(idf1, found.idf1), pair(hota, found.hota)];
            [known.clip.to_owned(), known.tracks.to_owned()]
                .into_iter()
                .chain(figures.into_iter().flatten())
                .collect()
        });
        output.table(&["clip", "tracks", "MOTA#", "theirs#", "IDF1#", "theirs#", "HOTA#", "theirs#"], rows);
    }
}

/// Whether a figure, written with so many digits after the point, is what others wrote.
fn rounds(found: f64, known: f64, digits: usize) -> bool {
    format!("{found:.digits$}") == format!("{known:.digits$}")
}

fn words(percent: &[f64], motp: f64, counts: &[u64]) -> String {
    let percent: Vec<String> = percent.iter().map(|value| format!("{value:.1}")).collect();
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    format!("{} {motp:.3} {}", percent.join(" "), counts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_printed_digit_decides() {
        for (found, known, digits, holds) in [
            (52.649, 52.6, 1, true),
            (52.651, 52.6, 1, false),
            (f64::NAN, 52.6, 1, false),
            (0.2599, 0.260, 3, true),
        ] {
            assert_eq!(rounds(found, known, digits), holds, "{found}");
        }
        assert_eq!(figure_name("TUD-Campus"), "tud_campus");
    }
}
