//! A drive: what was seen from a car, checked.

use foretell_camera::{Camera, Mount};

use crate::settings::Settings;

/// Most frames of a drive: 11 hours at 25 frames per second.
pub const FRAMES_MAX: usize = 1_000_000;
/// Most boxes of a drive.
pub const BOXES_MAX: usize = 10_000_000;
/// Fewest frames per second.
pub const FRAME_RATE_MIN: f64 = 0.1;
/// Most frames per second.
pub const FRAME_RATE_MAX: f64 = 1000.0;
/// Farthest that a box may be from the upper left corner of the image, and longest that a side may be, in pixels.
pub const PIXELS_MAX: f64 = 1e6;
/// Widest lane, and farthest from its middle, in metres.
pub const LANE_METRES_MAX: f64 = 50.0;
/// Tightest bend of a lane, per metre.
pub const CURVATURE_MAX: f64 = 1.0;
/// Fastest own speed, in metres per second.
pub const SPEED_MAX: f64 = 200.0;

/// A box of a tracked object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<'a> {
    /// Frame, from 0.
    pub frame: usize,
    /// Number of the object.
    pub track: i64,
    /// Left, upper, right and lower edge, in pixels of the image.
    pub edges: [f64; 4],
    /// What it is.
    pub label: &'a str,
}

/// The lane of the car in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane {
    /// Frame, from 0.
    pub frame: usize,
    /// How far the camera is to the right of the middle, in metres.
    pub offset: f64,
    /// How wide it is, in metres.
    pub width: f64,
    /// How it bends, in 1/m; positive: to the right.
    pub curvature: f64,
}

/// What was seen from a car.
#[derive(Clone, Debug)]
pub struct Drive<'a> {
    /// Frames per second.
    pub frame_rate: f64,
    /// Width and height of the image, in pixels, where they are known.
    pub image: Option<[f64; 2]>,
    /// The camera; `None` where there is neither a box nor a camera.
    pub camera: Option<Camera>,
    /// Boxes with at least the score of the settings, by track, and of a track by frame.
    pub seen: Vec<Seen<'a>>,
    /// Lanes, frames ascending.
    pub lanes: Vec<Lane>,
    speed: &'a [f64],
}

/// The fields of a record, as they come.
#[derive(Clone, Debug, Default)]
pub struct Columns<'a> {
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// Width of the image, in pixels.
    pub image_width: Option<i64>,
    /// Height of the image, in pixels.
    pub image_height: Option<i64>,
    /// The camera's 12 numbers, or none.
    pub camera: &'a [f64],
    /// The car's speed in m/s: none, one, or one a frame.
    pub speed: &'a [f64],
    /// Frame of each box, from 0.
    pub frame: &'a [i64],
    /// Number of its object.
    pub track: &'a [i64],
    /// Left edge.
    pub x: &'a [f64],
    /// Upper edge.
    pub y: &'a [f64],
    /// Width.
    pub width: &'a [f64],
    /// Height.
    pub height: &'a [f64],
    /// How sure it is, 0 to 1.
    pub score: &'a [f64],
    /// What it is.
    pub label: Vec<&'a str>,
    /// Frame of each lane, ascending.
    pub lane_frame: &'a [i64],
    /// How far the camera is to the right of its middle, in metres.
    pub lane_offset: &'a [f64],
    /// How wide it is, in metres.
    pub lane_width: &'a [f64],
    /// How it bends, in 1/m.
    pub lane_curvature: &'a [f64],
}

/// Why the fields of a record are no drive.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct DriveError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A number is not there.
    #[error("is missing; expected {0}")]
    Missing(&'static str),
    /// A number is out of its range.
    #[error("is {found}; expected {least} to {most}")]
    Range {
        /// The number.
        found: f64,
        /// The least that it may be.
        least: f64,
        /// The most that it may be.
        most: f64,
    },
    /// A list has the wrong number of entries.
    #[error("has {found} entries; expected {expected}")]
    Length {
        /// Entries of the list.
        found: usize,
        /// How many it should have.
        expected: String,
    },
    /// An entry of a list is out of its range.
    #[error("is {found} in entry {entry}; expected {least} to {most}")]
    Entry {
        /// Which entry, from 0.
        entry: usize,
        /// What it is.
        found: f64,
        /// The least that it may be.
        least: f64,
        /// The most that it may be.
        most: f64,
    },
    /// A lane is not later than the one before.
    #[error("is {found} in entry {entry}, after {before}; expected each frame once, in ascending order")]
    Order {
        /// Which entry, from 0.
        entry: usize,
        /// Its frame.
        found: i64,
        /// The frame of the entry before.
        before: i64,
    },
    /// A track has two boxes in a frame.
    #[error("has {track} twice in frame {frame}; expected a track at most once in a frame")]
    Twice {
        /// The track.
        track: i64,
        /// The frame.
        frame: usize,
    },
    /// The numbers are no camera.
    #[error("can't be used: {0}")]
    Camera(#[from] foretell_camera::CameraError),
}

fn error(field: &'static str, problem: Problem) -> DriveError {
    DriveError { field, problem }
}

/// Whether a list has `expected` entries, as many as the list `like`, all of them from `least` to `most`.
fn check(
    field: &'static str,
    values: &[f64],
    (like, expected): (&str, usize),
    [least, most]: [f64; 2],
) -> Result<(), DriveError> {
    let found = values.len();
    if found != expected {
        let expected = format!("{expected}, as many as `{like}` has");
        return Err(error(field, Problem::Length { found, expected }));
    }
    // A NaN is in no range.
    match values.iter().position(|value| !(least..=most).contains(value)) {
        Some(entry) => Err(error(field, Problem::Entry { entry, found: values[entry], least, most })),
        None => Ok(()),
    }
}

fn frames(field: &'static str, values: &[i64]) -> Result<(), DriveError> {
    let last = FRAMES_MAX as i64 - 1;
    match values.iter().position(|frame| !(0..=last).contains(frame)) {
        Some(entry) => {
            let (found, most) = (values[entry] as f64, last as f64);
            Err(error(field, Problem::Entry { entry, found, least: 0.0, most }))
        }
        None => Ok(()),
    }
}

impl<'a> Columns<'a> {
    /// The drive that the fields describe.
    ///
    /// # Errors
    /// [`DriveError`]: a field that is missing, has another length than the others, or holds what can't be.
    pub fn read(self, settings: &Settings) -> Result<Drive<'a>, DriveError> {
        let rate = self.frame_rate.ok_or(error("frame_rate", Problem::Missing("frames per second")))?;
        if !(FRAME_RATE_MIN..=FRAME_RATE_MAX).contains(&rate) {
            let problem = Problem::Range { found: rate, least: FRAME_RATE_MIN, most: FRAME_RATE_MAX };
            return Err(error("frame_rate", problem));
        }
        let side = |field, side: Option<i64>| match side.map(|side| side as f64) {
            Some(found) if !(1.0..=PIXELS_MAX).contains(&found) => {
                Err(error(field, Problem::Range { found, least: 1.0, most: PIXELS_MAX }))
            }
            side => Ok(side),
        };
        let sides = (side("image_width", self.image_width)?, side("image_height", self.image_height)?);
        let image = sides.0.zip(sides.1).map(|(width, height)| [width, height]);
        self.check_boxes()?;
        self.check_lanes()?;
        self.check_speed()?;
        Ok(Drive {
            frame_rate: rate,
            image,
            camera: self.camera(image, settings)?,
            seen: self.seen(settings)?,
            lanes: self.lanes(),
            speed: self.speed,
        })
    }

    fn check_boxes(&self) -> Result<(), DriveError> {
        let count = self.frame.len();
        if count > BOXES_MAX {
            let expected = format!("at most {BOXES_MAX}; divide the drive");
            return Err(error("frame", Problem::Length { found: count, expected }));
        }
        frames("frame", self.frame)?;
        for (field, found) in [("track", self.track.len()), ("label", self.label.len())] {
            if found != count {
                let expected = format!("{count}, as many as `frame` has");
                return Err(error(field, Problem::Length { found, expected }));
            }
        }
        let like = ("frame", count);
        check("x", self.x, like, [-PIXELS_MAX, PIXELS_MAX])?;
        check("y", self.y, like, [-PIXELS_MAX, PIXELS_MAX])?;
        check("width", self.width, like, [0.0, PIXELS_MAX])?;
        check("height", self.height, like, [0.0, PIXELS_MAX])?;
        check("score", self.score, like, [0.0, 1.0])
    }

    fn check_lanes(&self) -> Result<(), DriveError> {
        frames("lane_frame", self.lane_frame)?;
        if let Some(entry) = self.lane_frame.windows(2).position(|two| two[0] >= two[1]) {
            let (before, found) = (self.lane_frame[entry], self.lane_frame[entry + 1]);
            return Err(error("lane_frame", Problem::Order { entry: entry + 1, found, before }));
        }
        let like = ("lane_frame", self.lane_frame.len());
        check("lane_offset", self.lane_offset, like, [-LANE_METRES_MAX, LANE_METRES_MAX])?;
        check("lane_width", self.lane_width, like, [0.1, LANE_METRES_MAX])?;
        check("lane_curvature", self.lane_curvature, like, [-CURVATURE_MAX, CURVATURE_MAX])
    }

    fn check_speed(&self) -> Result<(), DriveError> {
        let found = self.speed.len();
        let frames = self.frame.iter().chain(self.lane_frame).max().map_or(0, |&last| last as usize + 1);
        if found > 1 && found < frames {
            let expected = format!("none, 1, or one for each of {frames} frames");
            return Err(error("speed", Problem::Length { found, expected }));
        }
        check("speed", self.speed, ("speed", found), [0.0, SPEED_MAX])
    }

    fn camera(&self, image: Option<[f64; 2]>, settings: &Settings) -> Result<Option<Camera>, DriveError> {
        let unusable = |problem| error("camera", Problem::Camera(problem));
        if !self.camera.is_empty() {
            return Camera::from_numbers(self.camera).map(Some).map_err(unusable);
        }
        if self.frame.is_empty() {
            return Ok(None);
        }
        let expected = "12 numbers of the camera, or `image_width` and `image_height` to guess it from";
        let [width, height] = image.ok_or(error("camera", Problem::Missing(expected)))?;
        let pitch = settings.pitch_degrees.to_radians();
        let mount = Mount { height: settings.height_metres, pitch, yaw: 0.0 };
        let view = settings.view_degrees.to_radians();
        Camera::guess(width as usize, height as usize, view, mount).map(Some).map_err(unusable)
    }

    fn seen(&self, settings: &Settings) -> Result<Vec<Seen<'a>>, DriveError> {
        let sure = (0..self.frame.len()).filter(|&entry| {
            self.score[entry] >= settings.score && self.width[entry] > 0.0 && self.height[entry] > 0.0
        });
        let mut seen: Vec<Seen<'a>> = sure
            .map(|entry| {
                let [x, y] = [self.x[entry], self.y[entry]];
                Seen {
                    frame: self.frame[entry] as usize,
                    track: self.track[entry],
                    edges: [x, y, x + self.width[entry], y + self.height[entry]],
                    label: self.label[entry],
                }
            })
            .collect();
        seen.sort_by_key(|seen| (seen.track, seen.frame));
        let is_same = |two: &[Seen<'_>]| (two[0].track, two[0].frame) == (two[1].track, two[1].frame);
        if let Some(two) = seen.windows(2).find(|two| is_same(two)) {
            return Err(error("track", Problem::Twice { track: two[0].track, frame: two[0].frame }));
        }
        Ok(seen)
    }

    fn lanes(&self) -> Vec<Lane> {
        let lane = |entry: usize| Lane {
            frame: self.lane_frame[entry] as usize,
            offset: self.lane_offset[entry],
            width: self.lane_width[entry],
            curvature: self.lane_curvature[entry],
        };
        (0..self.lane_frame.len()).map(lane).collect()
    }
}

impl Drive<'_> {
    /// The car's speed in a frame, in m/s, where it is known.
    pub fn speed(&self, frame: usize) -> Option<f64> {
        if let [speed] = self.speed { Some(*speed) } else { self.speed.get(frame).copied() }
    }

    /// The time of a frame, in seconds from the first one.
    pub fn time(&self, frame: usize) -> f64 {
        frame as f64 / self.frame_rate
    }

    /// How many frames so many seconds are, rounded.
    pub fn frames_in(&self, seconds: f64) -> usize {
        (seconds * self.frame_rate).round() as usize
    }

    /// The lane in a frame: the last one that was found, if that was at most so many frames ago.
    pub fn lane(&self, frame: usize, frames: usize) -> Option<&Lane> {
        let found = self.lanes.partition_point(|lane| lane.frame <= frame);
        let last = self.lanes[..found].last()?;
        (frame - last.frame <= frames).then_some(last)
    }
}
