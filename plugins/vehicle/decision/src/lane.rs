//! Whether the car leaves its lane.
//!
//! A side of the car is `width / 2 -+ offset - car_metres / 2` from its line, and crosses it after that over the speed at
//! which the car drifts to that side: the two measures of ISO 17361, distance to the line and time to line crossing.

use crate::drive::{Drive, Lane};
use crate::fit::line;
use crate::settings::Settings;

/// A side of the car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// 1 to the right, -1 to the left.
    fn sign(self) -> f64 {
        match self {
            Self::Left => -1.0,
            Self::Right => 1.0,
        }
    }

    /// How a reason names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// A side of the car in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Departure {
    /// Frame, from 0.
    pub frame: usize,
    /// From the side of the car to its line, in metres; negative: beyond it.
    pub margin: f64,
    /// How fast the car drifts to that side, in m/s; `None` before enough frames were seen.
    pub drift: Option<f64>,
    /// Seconds until the side is on the line: 0 where it is; `None` where the car does not drift there.
    pub crossing: Option<f64>,
}

/// A side of the car in each frame with a lane.
pub fn departures(drive: &Drive<'_>, settings: &Settings, side: Side) -> Vec<Departure> {
    let mut departures = Vec::with_capacity(drive.lanes.len());
    let mut first = 0;
    for (place, lane) in drive.lanes.iter().enumerate() {
        if place > 0 && is_other_lane(&drive.lanes[place - 1], lane) {
            first = place;
        }
        let now = drive.time(lane.frame);
        while drive.time(drive.lanes[first].frame) < now - settings.window_seconds {
            first += 1;
        }
        let points: Vec<(f64, f64)> = drive.lanes[first..=place]
            .iter()
            .map(|lane| (drive.time(lane.frame), side.sign() * lane.offset))
            .collect();
        let drift = if points.len() >= settings.window_frames { line(&points, now) } else { None };
        let drift = drift.map(|line| line.slope);
        let margin = lane.width / 2.0 - side.sign() * lane.offset - settings.car_metres / 2.0;
        let left = margin - settings.departure_metres;
        // Beyond the line it need not drift on; coming back it departs no more.
        let slowest = if left <= 0.0 { -settings.departure_drift } else { settings.departure_drift };
        let crossing = drift.filter(|drift| *drift >= slowest).map(|drift| (left / drift).max(0.0));
        let crossing = if left <= 0.0 { crossing.map(|_| 0.0) } else { crossing };
        departures.push(Departure { frame: lane.frame, margin, drift, crossing });
    }
    departures
}

/// Whether what was found is another lane than before: nobody moves by half of its width from one frame to the next.
fn is_other_lane(before: &Lane, now: &Lane) -> bool {
    (before.offset - now.offset).abs() > before.width.min(now.width) / 2.0
}
