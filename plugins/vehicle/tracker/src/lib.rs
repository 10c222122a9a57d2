//! Objects followed through the frames of a clip: a tracker that is a pure function of the clip's detections.
//!
//! ```
//! use foretell_plugin_tracker::{clip::Columns, settings::Settings, track};
//!
//! // A car goes to the right, 4 pixels a frame; it is not detected in frame 3.
//! let frame = [0, 1, 2, 4, 5];
//! let x = frame.map(|frame| 4.0 * frame as f64);
//! let [y, width, height, score] = [50.0, 40.0, 30.0, 0.9].map(|value| [value; 5]);
//! let columns = Columns {
//!     frames: Some(6),
//!     frame_rate: Some(25.0),
//!     frame: &frame,
//!     x: &x,
//!     y: &y,
//!     width: &width,
//!     height: &height,
//!     score: &score,
//!     label: vec!["car"; 5],
//!     ..Columns::default()
//! };
//! let clip = columns.read()?;
//! let tracked = track(&clip, &Settings::default())?;
//! assert_eq!(tracked.len(), 6);
//! assert!(tracked.iter().all(|tracked| tracked.track == 1));
//! assert!((tracked[3].rectangle.corner()[0] - 12.0).abs() < 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//! detections --> walk: frame after frame, match and predict --> link: join across long gaps --> report: smooth, fill, number
//! ```
//!
//! [`mod@walk`], [`mod@link`] and [`mod@report`] say how each pass works, [`settings`] what can be changed, and
//! `model/MODEL_CARD.md` what it is worth. There is no network and no picture: objects are told apart by where they are and
//! how they move.
//!
//! Since the whole clip is at hand, a track is reported from its first detection on, though it takes several to be believed;
//! gaps are filled in, and boxes are smoothed with what came after. A program that must answer while it films can't do that.
//!
//! - **Invariant:** the same clip has the same tracks, alone or among others: nothing is kept between calls.
//! - **Invariant:** in a frame a track has at most one box.
//!
//! Pitfall: scores mean something else for each detector. A clip says from which score on its detector reports an object
//! (`detector_score`), and scores count by their odds beside that, see [`clip::certainty`]; without it, a modest detector's
//! objects begin no tracks.

pub mod assignment;
pub mod camera;
pub mod clip;
pub mod link;
pub mod motion;
pub mod rectangle;
pub mod report;
pub mod settings;
pub mod walk;

use foretell_sdk::{Column, Detected, Error, List, Open, Plugin, Records, Tracks};

use clip::{Clip, Columns};
use motion::Degenerate;
use report::Tracked;
use settings::Settings;

/// The tracks of a clip: boxes with the number of their object, frames ascending, and in a frame by number.
///
/// # Errors
/// [`Degenerate`], which takes settings that [`Settings::read`] refuses.
pub fn track(clip: &Clip<'_>, settings: &Settings) -> Result<Vec<Tracked>, Degenerate> {
    let mut walked = walk::walk(clip, settings)?;
    link::link(clip, settings, &mut walked)?;
    report::report(clip, settings, &walked)
}

/// The plugin: handles of the columns it reads, and its settings.
struct Tracker {
    settings: Settings,
    frames: Column<i64>,
    frame_rate: Column<f64>,
    image_width: Column<i64>,
    image_height: Column<i64>,
    detector_score: Column<f64>,
    frame: List<i64>,
    /// x, y, width, height, score.
    numbers: [List<f64>; 5],
    label: List<str>,
}

fn invalid(error: impl std::error::Error) -> Error {
    Error::invalid(error.to_string())
}

impl Plugin for Tracker {
    type Predictions = Tracks;

    fn open(request: &Open<'_>) -> Result<Self, Error> {
        let number = |name| request.list(name);
        Ok(Self {
            settings: Settings::read(request.config())?,
            frames: request.column("frames")?,
            frame_rate: request.column("frame_rate")?,
            image_width: request.column("image_width")?,
            image_height: request.column("image_height")?,
            detector_score: request.column("detector_score")?,
            frame: request.list("frame")?,
            numbers: [number("x")?, number("y")?, number("width")?, number("height")?, number("score")?],
            label: request.list("label")?,
        })
    }

    fn predict(&self, records: &Records<'_>, tracks: &mut Tracks) -> Result<(), Error> {
        let (frames, rates) = (records.column(self.frames), records.column(self.frame_rate));
        let (widths, heights) = (records.column(self.image_width), records.column(self.image_height));
        let detector_scores = records.column(self.detector_score);
        let frame = records.list(self.frame);
        let numbers = self.numbers.map(|list| records.list(list));
        let labels = records.list(self.label);
        for row in 0..records.len() {
            // A clip in which nothing was seen may have empty lists, or none.
            let [x, y, width, height, score] =
                [0, 1, 2, 3, 4].map(|list| numbers[list].get(row).unwrap_or_default());
            let columns = Columns {
                frames: frames.get(row),
                frame_rate: rates.get(row),
                image_width: widths.get(row),
                image_height: heights.get(row),
                detector_score: detector_scores.get(row),
                frame: frame.get(row).unwrap_or_default(),
                x,
                y,
                width,
                height,
                score,
                label: labels.get(row).map(Iterator::collect).unwrap_or_default(),
            };
            let clip = columns.read().map_err(invalid)?;
            for Tracked { frame, track, rectangle, score, class } in
                track(&clip, &self.settings).map_err(invalid)?
            {
                let ([x, y], [width, height]) = (rectangle.corner(), rectangle.size);
                let [x, y, width, height, score] = [x, y, width, height, score].map(|value| value as f32);
                let found = Detected { x, y, width, height, label: clip.classes()[class], score };
                tracks.push(&foretell_sdk::Tracked { frame: frame as i32, track: track as i64, found });
            }
            tracks.end_record();
        }
        Ok(())
    }
}

foretell_sdk::export!(Tracker, "vehicle-tracker", env!("CARGO_PKG_VERSION"));
