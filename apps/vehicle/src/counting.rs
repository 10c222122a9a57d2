//! Tracks that are counted: how many cross a [line](Line), and in which direction; how many are in a [zone](Zone), and how long.
//!
//! Where a box is, is where it stands on the road: the middle of its lower side, its *foot*.
//!
//! ```
//! use foretell_vehicle::counting::{Counter, Line};
//! use foretell_vehicle::found::{Found, Tracked};
//!
//! // A line up the middle of a picture of 200 x 100 pixels, and a car that drives from its left to its right.
//! let line = Line::parse("gate=0.5,1,0.5,0").unwrap();
//! let mut counter = Counter::new(&[line], &[], (200, 100), 25.0);
//! for (frame, x) in [40.0, 70.0, 100.0, 130.0].into_iter().enumerate() {
//!     let found = Found { x, y: 40.0, width: 20.0, height: 20.0, label: "car".to_owned(), score: 0.9 };
//!     counter.add(&[Tracked { found, track: 1, frame: frame as u32 }]);
//! }
//! let crossed = &counter.lines()[0].labels["car"];
//! assert_eq!((crossed.left_to_right, crossed.right_to_left), (1, 0));
//! ```
//!
//! # Contract
//! - A track **crosses** a line when its foot goes from clearly one side of it to clearly the other, and its way meets the line between
//!   its two ends. *Clearly* is further away than [`BAND_SHARE`] of the height of its box, or than [`BAND_PIXELS_MIN`], so a box that
//!   stands on the line and trembles is counted once at most.
//! - *Left* and *right* are those of somebody who goes along the line from its first point to its second.
//! - A track that is lost for a while and found again went straight in between.
//! - A track **enters** a zone once, however often it comes back; its stay is all the time that its foot is inside, from edge to edge by
//!   the even-odd rule.
//!
//! **Invariant:** turning a line round exchanges both directions, and nothing else; moving lines, zones and boxes alike changes nothing.

mod crossing;
mod shape;
mod stay;

use std::collections::BTreeMap;

use serde::Serialize;

use self::crossing::Crossings;
use self::stay::Stays;
use crate::found::{Found, Tracked};

pub use self::shape::{CORNERS_MAX, Line, NAME_CHARACTERS_MAX, ShapeError, Zone};

/// How far from a line a box is clearly on one side of it, as a share of its height: what detectors tremble by.
pub const BAND_SHARE: f64 = 0.05;
/// How far at least, in pixels.
pub const BAND_PIXELS_MIN: f64 = 1.0;

/// A place in a frame, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// Tracks of a label that crossed a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Directions {
    /// How often from its left to its right.
    pub left_to_right: u64,
    /// How often from its right to its left.
    pub right_to_left: u64,
}

/// What crossed a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LineCounts {
    /// The name of the line.
    pub name: String,
    /// How often, by label; labels that did not cross it are left out.
    pub labels: BTreeMap<String, Directions>,
}

impl LineCounts {
    /// All labels together.
    pub fn all(&self) -> Directions {
        self.labels.values().fold(Directions::default(), |sum, one| Directions {
            left_to_right: sum.left_to_right + one.left_to_right,
            right_to_left: sum.right_to_left + one.right_to_left,
        })
    }
}

/// What was in a zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ZoneCounts {
    /// The name of the zone.
    pub name: String,
    /// How many different tracks were in it, by label.
    pub entered: BTreeMap<String, u64>,
    /// How long a track was in it, on average over those that were, in seconds; null if none was.
    pub mean_stay_seconds: Option<f64>,
    /// How many tracks are in it at once, on average over all frames; null without frames.
    pub mean_at_once: Option<f64>,
    /// How many at most.
    pub most_at_once: u64,
    /// How many are in it in the last frame.
    pub now: u64,
}

/// What was counted in a clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// One for each line, in their order.
    pub lines: Vec<LineCounts>,
    /// One for each zone, in their order.
    pub zones: Vec<ZoneCounts>,
}

/// Counts frame by frame, so that what was counted so far can be shown with each.
#[derive(Clone, Debug)]
pub struct Counter {
    lines: Vec<Crossings>,
    zones: Vec<Stays>,
    frames: u64,
    /// Frames a second.
    frame_rate: f64,
}

impl Counter {
    /// A counter for frames of a size in pixels, with `frame_rate` frames a second.
    pub fn new(lines: &[Line], zones: &[Zone], size: (u32, u32), frame_rate: f64) -> Counter {
        let lines = lines.iter().map(|line| Crossings::new(&line.within(size)));
        let zones = zones.iter().map(|zone| Stays::new(&zone.within(size)));
        Counter { lines: lines.collect(), zones: zones.collect(), frames: 0, frame_rate }
    }

    /// Counts the next frame.
    pub fn add(&mut self, tracked: &[Tracked]) {
        self.frames += 1;
        for Tracked { found, track, .. } in tracked {
            let (foot, height) = (foot(found), f64::from(found.height));
            let band = (BAND_SHARE * height).max(BAND_PIXELS_MIN);
            for line in &mut self.lines {
                line.add(*track, &found.label, foot, band);
            }
        }
        for zone in &mut self.zones {
            zone.add(
                tracked.iter().map(|tracked| (tracked.track, &*tracked.found.label, foot(&tracked.found))),
            );
        }
    }

    /// What crossed the lines so far.
    pub fn lines(&self) -> Vec<LineCounts> {
        self.lines.iter().map(Crossings::counts).collect()
    }

    /// What was in the zones so far.
    pub fn zones(&self) -> Vec<ZoneCounts> {
        self.zones.iter().map(|zone| zone.counts(self.frames, self.frame_rate)).collect()
    }

    /// All of it.
    pub fn counts(&self) -> Counts {
        Counts { lines: self.lines(), zones: self.zones() }
    }
}

/// Where a box stands on the road.
fn foot(found: &Found) -> Point {
    let half = f64::from(found.width) / 2.0;
    Point { x: f64::from(found.x) + half, y: f64::from(found.y) + f64::from(found.height) }
}

#[cfg(test)]
mod tests;
