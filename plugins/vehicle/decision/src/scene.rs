//! What each object does relative to the car: distance, closing speed, time to collision, and place in the corridor ahead.
//!
//! *Distance* is where the middle of the box's lower edge meets a flat road, less the car's front. *Closing speed* is its
//! slope over the last moments. The *time to collision* is found twice: as distance over closing speed, and as `s / (ds/dt)`
//! of the size `s` of the box, which needs neither a camera nor a flat road (Lee, *A theory of visual control of braking based
//! on information about time-to-collision*, Perception 5, 1976). Only what both say is near is near: the longer one counts.
//!
//! The *corridor* is the car's lane, along its bend; without a lane, a strip straight ahead.

use crate::drive::{Drive, Seen};
use crate::fit::{Line, line};
use crate::settings::Settings;

/// How near to the edge of the image an edge of a box is taken to be cut, in pixels.
const EDGE_PIXELS: f64 = 2.0;
/// A pixel's middle is at whole numbers for the camera, and its edges are for boxes.
const HALF_PIXEL: f64 = 0.5;

/// An object in a frame, as seen from the car.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation<'a> {
    /// Frame, from 0.
    pub frame: usize,
    /// Number of the object.
    pub track: i64,
    /// What it is.
    pub label: &'a str,
    /// From the car's front to the object, in metres, 0 or more.
    pub distance: f64,
    /// How fast that gets less, in m/s.
    pub closing: f64,
    /// Seconds until it is 0, where it gets less and the box does not say otherwise.
    pub collision: Option<f64>,
    /// The same by the growth of the box alone, where it grows and is not cut.
    pub by_growth: Option<f64>,
    /// How far the object is to the right of the corridor's middle, in metres.
    pub beside: f64,
    /// How fast that changes, in m/s to the right.
    pub drift: f64,
    /// Half the width of the corridor, in metres.
    pub half: f64,
}

impl Situation<'_> {
    /// Whether the object is in the corridor, or no more than `margin` metres beside it.
    pub fn is_inside(&self, margin: f64) -> bool {
        self.beside.abs() <= self.half + margin
    }

    /// Whether it will be there after `seconds`, at the speed that it has.
    pub fn is_inside_after(&self, seconds: f64, margin: f64) -> bool {
        let then = self.beside + self.drift * seconds;
        // It may also be past by then.
        then.abs() <= self.half + margin || then.signum() != self.beside.signum()
    }
}

/// One box, measured.
struct Measured {
    time: f64,
    /// Metres from the car's front; `None` where the foot can't be seen.
    distance: Option<f64>,
    beside: Option<f64>,
    /// One over the size in pixels, which goes with the distance, so that a constant speed is a straight line; `None` where
    /// the box is cut by the edge of the image.
    inverse_size: Option<f64>,
    half: f64,
}

/// Situations of all objects in all frames in which they can be judged: by track, and of a track by frame.
pub fn situations<'a>(drive: &Drive<'a>, settings: &Settings) -> Vec<Situation<'a>> {
    let mut situations = Vec::new();
    for track in drive.seen.chunk_by(|one, other| one.track == other.track) {
        let measured: Vec<Measured> = track.iter().map(|seen| measure(drive, settings, seen)).collect();
        let mut first = 0;
        for (place, seen) in track.iter().enumerate() {
            let now = measured[place].time;
            while measured[first].time < now - settings.window_seconds {
                first += 1;
            }
            situations.extend(judge(settings, seen, &measured[first..=place]));
        }
    }
    situations
}

fn measure(drive: &Drive<'_>, settings: &Settings, seen: &Seen<'_>) -> Measured {
    let [left, upper, right, lower] = seen.edges;
    let (cut_below, cut) = drive.image.map_or((false, false), |[width, height]| {
        let below = lower >= height - EDGE_PIXELS;
        (below, below || right >= width - EDGE_PIXELS || left <= EDGE_PIXELS || upper <= EDGE_PIXELS)
    });
    let lane = drive.lane(seen.frame, drive.frames_in(settings.lane_seconds));
    let (offset, curvature) = lane.map_or((0.0, 0.0), |lane| (lane.offset, lane.curvature));
    let foot = [f64::midpoint(left, right) - HALF_PIXEL, lower - HALF_PIXEL];
    let ground = drive.camera.as_ref().and_then(|camera| camera.ground(foot));
    let ground = ground.filter(|&[ahead, _]| (0.0..=settings.far_metres).contains(&ahead));
    Measured {
        time: drive.time(seen.frame),
        distance: ground.filter(|_| !cut_below).map(|[ahead, _]| ahead - settings.front_metres),
        // A circle is a parabola as far as a lane can be seen.
        beside: ground.map(|[ahead, right]| right + offset - curvature * ahead * ahead / 2.0),
        inverse_size: (!cut).then(|| ((right - left) * (lower - upper)).sqrt().recip()),
        half: lane.map_or(settings.corridor_metres, |lane| lane.width) / 2.0,
    }
}

/// The situation at the last of the boxes.
fn judge<'a>(settings: &Settings, seen: &Seen<'a>, measured: &[Measured]) -> Option<Situation<'a>> {
    let last = measured.last()?;
    let fit = |of: fn(&Measured) -> Option<f64>| -> Option<Line> {
        let points: Vec<(f64, f64)> =
            measured.iter().filter_map(|measured| Some((measured.time, of(measured)?))).collect();
        (points.len() >= settings.window_frames).then(|| line(&points, last.time)).flatten()
    };
    let away = fit(|measured| measured.distance)?;
    let across = fit(|measured| measured.beside)?;
    let shrink = fit(|measured| measured.inverse_size).filter(|_| last.inverse_size.is_some());
    let (distance, closing) = (away.value.max(0.0), -away.slope);
    // The box says when the camera is reached, and the front is reached before.
    let to_front = distance / (distance + settings.front_metres);
    let by_growth = shrink.filter(|inverse| inverse.slope < 0.0);
    let by_growth = by_growth.map(|inverse| to_front * inverse.value.max(0.0) / -inverse.slope);
    let by_distance = (closing > 0.0).then(|| distance / closing);
    let collision = match (by_distance, shrink) {
        (Some(by_distance), None) => Some(by_distance),
        (Some(by_distance), Some(_)) => by_growth.map(|by_growth| by_growth.max(by_distance)),
        (None, _) => None,
    };
    Some(Situation {
        frame: seen.frame,
        track: seen.track,
        label: seen.label,
        distance,
        closing,
        collision: collision.filter(|seconds| seconds.is_finite()),
        by_growth: by_growth.filter(|seconds| seconds.is_finite()),
        beside: across.value,
        drift: across.slope,
        half: last.half,
    })
}
