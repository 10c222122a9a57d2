//! A clip: what a detector saw in its frames, checked.

use crate::rectangle::Rectangle;

/// Most frames of a clip: 11 hours at 25 frames per second.
pub const FRAMES_MAX: usize = 1_000_000;
/// Most detections of a clip.
pub const DETECTIONS_MAX: usize = 10_000_000;
/// Most detections in one frame.
pub const FRAME_DETECTIONS_MAX: usize = 1000;
/// Fewest frames per second.
pub const FRAME_RATE_MIN: f64 = 0.1;
/// Most frames per second.
pub const FRAME_RATE_MAX: f64 = 1000.0;
/// Lowest score from which a detector can be said to report an object.
pub const DETECTOR_SCORE_MIN: f64 = 0.001;
/// Highest such score.
pub const DETECTOR_SCORE_MAX: f64 = 0.999;
/// Farthest that a box may be from the upper left corner of the image, and longest that a side may be, in pixels.
pub const PIXELS_MAX: f64 = 1e6;

/// One object in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Frame, from 0.
    pub frame: usize,
    /// Where, in pixels.
    pub rectangle: Rectangle,
    /// How sure the detector is, 0 to 1.
    pub score: f64,
    /// How sure that is on the scale of [`Settings`](crate::settings::Settings), 0 to 1, see [`certainty`].
    pub certainty: f64,
    /// Its class, a position in [`Clip::classes`].
    pub class: usize,
}

/// What a detector saw in the frames of a clip.
///
/// - **Invariant:** frames ascend and are below `frames`; all numbers are finite and in their ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip<'a> {
    frames: usize,
    frame_rate: f64,
    image: Option<[f64; 2]>,
    detections: Vec<Detection>,
    classes: Vec<&'a str>,
}

/// The fields of a record, as they come: one entry a detection in each list.
#[derive(Clone, Debug, Default)]
pub struct Columns<'a> {
    /// How many frames the clip has.
    pub frames: Option<i64>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// Width of the image, in pixels.
    pub image_width: Option<i64>,
    /// Height of the image, in pixels.
    pub image_height: Option<i64>,
    /// Score from which the detector reports an object; without it, its scores are taken as they are.
    pub detector_score: Option<f64>,
    /// Frame, from 0, ascending.
    pub frame: &'a [i64],
    /// Left edge, in pixels of the image.
    pub x: &'a [f64],
    /// Upper edge.
    pub y: &'a [f64],
    /// Width.
    pub width: &'a [f64],
    /// Height.
    pub height: &'a [f64],
    /// How sure the detector is, 0 to 1.
    pub score: &'a [f64],
    /// Class.
    pub label: Vec<&'a str>,
}

/// Why the fields of a record are no clip.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct ClipError {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A number that every clip has is not there.
    #[error("is missing; expected a number for each clip")]
    Missing,
    /// A number of the clip is out of its range.
    #[error("is {found}; expected {expected}")]
    Range {
        /// The number.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A list has not one entry for each detection.
    #[error("has {found} entries; expected {expected}, as many as `frame` has")]
    Length {
        /// Entries of the list.
        found: usize,
        /// Entries of `frame`.
        expected: usize,
    },
    /// An entry of a list is out of its range.
    #[error("is {found} in entry {entry}; expected {expected}")]
    Entry {
        /// Which entry, from 0.
        entry: usize,
        /// What it is.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A frame comes after a later one.
    #[error("is {found} in entry {entry}, after {before}; expected frames in ascending order")]
    Order {
        /// Which entry, from 0.
        entry: usize,
        /// Its frame.
        found: i64,
        /// The frame of the entry before.
        before: i64,
    },
    /// A frame is not one of the clip's.
    #[error("is {found} in entry {entry}; expected 0 to {last}, as the clip has {} frames", last + 1)]
    Outside {
        /// Which entry, from 0.
        entry: usize,
        /// Its frame.
        found: i64,
        /// The clip's last frame, -1 where it has none.
        last: i64,
    },
    /// More detections than are taken.
    #[error("has {found} entries{place}; expected at most {most}\n  hint: {hint}")]
    TooMany {
        /// How many.
        found: usize,
        /// The most that are taken.
        most: usize,
        /// Where they are.
        place: &'static str,
        /// What to do.
        hint: &'static str,
    },
}

impl<'a> Columns<'a> {
    /// The clip that the fields describe.
    ///
    /// # Errors
    /// [`ClipError`]: a field that is missing, has another length than the others, or holds what can't be.
    pub fn read(self) -> Result<Clip<'a>, ClipError> {
        let frames = whole("frames", self.frames, 0, FRAMES_MAX, "0 to 1000000 frames")?
            .ok_or(ClipError { field: "frames", problem: Problem::Missing })?;
        let frame_rate =
            self.frame_rate.ok_or(ClipError { field: "frame_rate", problem: Problem::Missing })?;
        if !(FRAME_RATE_MIN..=FRAME_RATE_MAX).contains(&frame_rate) {
            let problem = Problem::Range { found: frame_rate, expected: "0.1 to 1000 frames per second" };
            return Err(ClipError { field: "frame_rate", problem });
        }
        let side = |field, side| whole(field, side, 1, PIXELS_MAX as usize, "1 to 1000000 pixels");
        let sides = (side("image_width", self.image_width)?, side("image_height", self.image_height)?);
        let image = sides.0.zip(sides.1).map(|(width, height)| [width as f64, height as f64]);
        let detector_score = self.detector_score;
        if let Some(found) =
            detector_score.filter(|score| !(DETECTOR_SCORE_MIN..=DETECTOR_SCORE_MAX).contains(score))
        {
            let problem = Problem::Range { found, expected: "0.001 to 0.999" };
            return Err(ClipError { field: "detector_score", problem });
        }
        self.check_lists()?;
        self.check_frames(frames)?;
        let (class_of, classes) = classes(&self.label);
        let detections = (0..self.frame.len()).map(|entry| Detection {
            frame: self.frame[entry] as usize,
            rectangle: Rectangle::from_corner(
                self.x[entry],
                self.y[entry],
                self.width[entry],
                self.height[entry],
            ),
            score: self.score[entry],
            certainty: detector_score
                .map_or(self.score[entry], |detector_score| certainty(self.score[entry], detector_score)),
            class: class_of[entry],
        });
        Ok(Clip { frames, frame_rate, image, detections: detections.collect(), classes })
    }

    fn check_lists(&self) -> Result<(), ClipError> {
        let expected = self.frame.len();
        let length = |field, found| {
            let problem = Problem::Length { found, expected };
            if found == expected { Ok(()) } else { Err(ClipError { field, problem }) }
        };
        length("label", self.label.len())?;
        let numbers = [
            ("x", self.x, -PIXELS_MAX, PIXELS_MAX, "-1000000 to 1000000 pixels"),
            ("y", self.y, -PIXELS_MAX, PIXELS_MAX, "-1000000 to 1000000 pixels"),
            ("width", self.width, 0.0, PIXELS_MAX, "0 to 1000000 pixels"),
            ("height", self.height, 0.0, PIXELS_MAX, "0 to 1000000 pixels"),
            ("score", self.score, 0.0, 1.0, "0 to 1"),
        ];
        for (field, values, least, most, expected) in numbers {
            length(field, values.len())?;
            // A NaN is in no range.
            if let Some(entry) = values.iter().position(|value| !(least..=most).contains(value)) {
                return Err(ClipError {
                    field,
                    problem: Problem::Entry { entry, found: values[entry], expected },
                });
            }
        }
        Ok(())
    }

    fn check_frames(&self, frames: usize) -> Result<(), ClipError> {
        let error = |problem| Err(ClipError { field: "frame", problem });
        let found = self.frame.len();
        if found > DETECTIONS_MAX {
            let hint = "divide the clip, or keep fewer detections by a higher score";
            return error(Problem::TooMany { found, most: DETECTIONS_MAX, place: "", hint });
        }
        let last = frames as i64 - 1;
        let mut first_of_frame = 0;
        for (entry, &found) in self.frame.iter().enumerate() {
            let before = self.frame[entry.saturating_sub(1)];
            if !(0..=last).contains(&found) {
                return error(Problem::Outside { entry, found, last });
            }
            if found < before {
                return error(Problem::Order { entry, found, before });
            }
            if found > before {
                first_of_frame = entry;
            }
            let many = entry + 1 - first_of_frame;
            if many > FRAME_DETECTIONS_MAX {
                let (most, place) = (FRAME_DETECTIONS_MAX, " of one frame");
                let hint = "keep fewer detections by a higher score";
                return error(Problem::TooMany { found: many, most, place, hint });
            }
        }
        Ok(())
    }
}

/// A score of a detector that reports an object from `detector_score` on, as that of one that does from 0.5 on: the same number of
/// times the odds from which it reports.
///
/// ```
/// use foretell_plugin_tracker::clip::certainty;
/// // 1.5 times the odds: 0.6 / 0.4 is 1.5, and so is 1/3 to 2/3 beside 1/4 to 3/4.
/// assert!((certainty(1.0 / 3.0, 0.25) - 0.6).abs() < 1e-12);
/// assert_eq!((certainty(0.25, 0.25), certainty(0.0, 0.25), certainty(1.0, 0.25)), (0.5, 0.0, 1.0));
/// ```
pub fn certainty(score: f64, detector_score: f64) -> f64 {
    let (is, is_not) = (score * (1.0 - detector_score), detector_score * (1.0 - score));
    is / (is + is_not)
}

fn whole(
    field: &'static str,
    value: Option<i64>,
    least: usize,
    most: usize,
    expected: &'static str,
) -> Result<Option<usize>, ClipError> {
    let Some(value) = value else { return Ok(None) };
    match usize::try_from(value) {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(ClipError { field, problem: Problem::Range { found: value as f64, expected } }),
    }
}

/// The class of each detection as a number, and the classes, in the order in which they come first.
fn classes<'a>(labels: &[&'a str]) -> (Vec<usize>, Vec<&'a str>) {
    let mut numbers = std::collections::HashMap::new();
    let mut classes = Vec::new();
    let number = |&label: &&'a str| {
        *numbers.entry(label).or_insert_with(|| {
            classes.push(label);
            classes.len() - 1
        })
    };
    let of_each = labels.iter().map(number).collect();
    (of_each, classes)
}

impl<'a> Clip<'a> {
    /// How many frames it has.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// How many frames so many seconds are, rounded.
    pub fn frames_in(&self, seconds: f64) -> usize {
        (seconds * self.frame_rate).round() as usize
    }

    /// Seconds between two frames.
    pub fn frame_seconds(&self) -> f64 {
        self.frame_rate.recip()
    }

    /// Width and height of the image in pixels, where both are known.
    pub fn image(&self) -> Option<[f64; 2]> {
        self.image
    }

    /// Its detections, frames ascending.
    pub fn detections(&self) -> &[Detection] {
        &self.detections
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[&'a str] {
        &self.classes
    }
}
