//! Lanes in metres, frame by frame: the answers of a lane plugin through the camera that is known, or guessed as the plugin does.

use foretell_camera::{Camera, CameraError, Mount};
use foretell_jobs::Answer;
use foretell_media::Picture;
use foretell_media::draw::{DrawError, Path, paths};
use foretell_runtime::plugin::Plugin;
use foretell_terminal::Failure;
use serde::Serialize;

use crate::footage::Footage;
use crate::lane::{Lane, Mask, draw, measure};

/// What an unknown camera sees from the left to the right edge, where the plugin does not say what it guesses.
const VIEW_DEGREES: f64 = 60.0;
/// How high an unknown camera is.
const HEIGHT_METRES: f64 = 1.2;
/// How far down an unknown camera looks.
const PITCH_DEGREES: f64 = -2.0;
/// Which colour the words have where there is no lane.
const NOTHING_CLASS: usize = 6;

/// A camera that looks at the road, and the size of image that its numbers are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lookout {
    camera: Camera,
    size: [usize; 2],
    is_guessed: bool,
}

impl Lookout {
    /// The camera of a clip, or the guess that the plugin makes without one: by its settings, for images of the size that it is given.
    ///
    /// # Errors
    /// The plugin's settings are those of no camera.
    pub fn new(plugin: &Plugin, footage: &Footage) -> Result<Lookout, Failure> {
        // Of a clip without a frame that can be read, no lane is measured.
        let sides = |(width, height): (u32, u32)| [width.max(1) as usize, height.max(1) as usize];
        if let Some(camera) = footage.camera() {
            return Ok(Lookout { camera: *camera, size: sides(footage.size), is_guessed: false });
        }
        let image = plugin.manifest().inputs.iter().find_map(|input| input.image.as_ref());
        let size = sides(image.and_then(|image| image.width.zip(image.height)).unwrap_or(footage.size));
        let camera = guess(plugin.config(), size)
            .map_err(|error| Failure::new(&error).hint(Some("name a camera file with `--camera`")))?;
        Ok(Lookout { camera, size, is_guessed: true })
    }

    /// Whether nobody has said which camera it is: then metres are guesses.
    pub fn is_guessed(&self) -> bool {
        self.is_guessed
    }

    /// The lane of an answer; `None` where there is none.
    ///
    /// # Errors
    /// The reason why the plugin refused the frame, or what in its answer is no mask of a lane.
    pub fn lane(&self, answer: &Answer) -> Result<Option<Lane>, String> {
        Ok(measure(&mask(answer)?, &self.camera, self.size))
    }

    /// A frame with the lane on it, or the words that there is none.
    ///
    /// # Errors
    /// [`DrawError`]: a picture that cannot be drawn on.
    pub fn draw(&self, picture: &Picture, lane: Option<&Lane>) -> Result<Picture, DrawError> {
        let camera = self.camera.scaled(self.size, [picture.width as usize, picture.height as usize]);
        match (lane, camera) {
            (Some(lane), Ok(camera)) => draw(picture, lane, &camera),
            _ => {
                let (points, class, label) = (vec![(0.0, 0.0)], NOTHING_CLASS, "no lane".to_owned());
                paths(picture, &[Path { points, is_closed: false, class, label }])
            }
        }
    }
}

/// The mask that a lane plugin answers.
///
/// # Errors
/// The reason why it refused the frame, or what in the answer is no mask.
pub fn mask(answer: &Answer) -> Result<Mask, String> {
    match answer {
        Answer::Predicted(predicted) => {
            let json = predicted.output.as_deref().ok_or("the answer has no mask")?;
            Mask::parse(json).map_err(|error| error.to_string())
        }
        Answer::Refused { field: Some(field), reason } => Err(format!("`{field}`: {reason}")),
        Answer::Refused { field: None, reason } => Err(reason.clone()),
    }
}

/// The camera that a plugin of these settings, as JSON, takes for an unknown one.
fn guess(settings: &str, size: [usize; 2]) -> Result<Camera, CameraError> {
    let settings: serde_json::Value = serde_json::from_str(settings).unwrap_or_default();
    let number = |name: &str, usual| settings.get(name).and_then(serde_json::Value::as_f64).unwrap_or(usual);
    let mount = Mount {
        height: number("height_metres", HEIGHT_METRES),
        pitch: number("pitch_degrees", PITCH_DEGREES).to_radians(),
        yaw: 0.0,
    };
    Camera::guess(size[0], size[1], number("view_degrees", VIEW_DEGREES).to_radians(), mount)
}

/// What the lanes of a clip have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Frames that were looked at.
    pub frames: u64,
    /// Frames with a lane.
    pub with_lane: u64,
    /// Median of how far the camera is to the right of the middle, in metres.
    pub median_offset_m: Option<f64>,
    /// Median width, in metres.
    pub median_width_m: Option<f64>,
    /// Median curvature, in 1/m; positive bends to the right.
    pub median_curvature_per_m: Option<f64>,
    /// Median confidence.
    pub median_confidence: Option<f64>,
}

impl Summary {
    /// That of some frames, with and without a lane.
    pub fn of<'a>(frames: impl IntoIterator<Item = Option<&'a Lane>>) -> Summary {
        let (mut count, mut lanes) = (0, Vec::new());
        for lane in frames {
            count += 1;
            lanes.extend(lane);
        }
        let median_of = |number: fn(&Lane) -> f64| median(lanes.iter().copied().map(number).collect());
        Summary {
            frames: count,
            with_lane: lanes.len() as u64,
            median_offset_m: median_of(|lane| lane.offset_m),
            median_width_m: median_of(|lane| lane.width_m),
            median_curvature_per_m: median_of(|lane| lane.curvature_per_m),
            median_confidence: median_of(|lane| lane.confidence),
        }
    }

    /// The share of frames with a lane; 0 of none.
    pub fn share(&self) -> f64 {
        self.with_lane as f64 / self.frames.max(1) as f64
    }
}

/// The number in the middle, or the mean of both.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let above = *numbers.get(middle)?;
    Some(if numbers.len().is_multiple_of(2) { (numbers[middle - 1] + above) / 2.0 } else { above })
}

/// How far the camera is from the middle, in words: `0.21 m right`.
pub fn side(offset_m: f64) -> String {
    let side = if offset_m < 0.0 { "left" } else { "right" };
    format!("{:.2} m {side}", offset_m.abs())
}

/// How the lane bends, in words: `640 m left`, or `straight`.
pub fn bend(curvature_per_m: f64) -> String {
    let radius = 1.0 / curvature_per_m.abs();
    if radius >= crate::lane::STRAIGHT_RADIUS_METRES {
        return "straight".to_owned();
    }
    let side = if curvature_per_m < 0.0 { "left" } else { "right" };
    format!("{radius:.0} m {side}")
}

#[cfg(test)]
mod tests {
    use foretell_jobs::Predicted;

    use super::*;

    fn lane(offset_m: f64) -> Lane {
        Lane {
            offset_m,
            width_m: 3.5,
            curvature_per_m: 0.001,
            radius_m: Some(1000.0),
            left: [0.0; 3],
            right: [3.5, 0.0, 0.0],
            near_m: 5.0,
            far_m: 30.0,
            pitch_rad: 0.0,
            confidence: 0.5,
        }
    }

    #[test]
    fn a_summary_has_the_numbers_in_the_middle() {
        let lanes = [lane(0.3), lane(-0.1), lane(0.2), lane(9.0)];
        let frames = lanes.iter().map(Some).chain([None]);
        let summary = Summary::of(frames);
        assert_eq!((summary.frames, summary.with_lane, summary.share()), (5, 4, 0.8));
        assert_eq!((summary.median_offset_m, summary.median_width_m), (Some(0.25), Some(3.5)));
        assert_eq!(Summary::of(lanes[..3].iter().map(Some)).median_offset_m, Some(0.2));
        assert_eq!((Summary::of([]), Summary::of([]).share()), (Summary::default(), 0.0));
    }

    #[test]
    fn sides_and_bends_are_words() {
        assert_eq!((side(0.214), side(-1.0)), ("0.21 m right".to_owned(), "1.00 m left".to_owned()));
        for (curvature, words) in
            [(0.0, "straight"), (1e-4, "straight"), (0.002, "500 m right"), (-0.004, "250 m left")]
        {
            assert_eq!(bend(curvature), words);
        }
    }

    #[test]
    fn an_unknown_camera_is_the_one_that_the_settings_guess() {
        let camera =
            guess(r#"{"view_degrees": 90, "height_metres": 2, "pitch_degrees": 0}"#, [640, 360]).unwrap();
        assert!((camera.focal[0] - 320.0).abs() < 1e-9);
        assert_eq!((camera.mount.height, camera.mount.pitch), (2.0, 0.0));
        let usual = guess("{}", [640, 360]).unwrap();
        assert_eq!(usual.mount.height, HEIGHT_METRES);
        assert!(guess(r#"{"view_degrees": 200}"#, [640, 360]).is_err());
    }

    #[test]
    fn an_answer_without_a_mask_says_why() {
        let predicted = |output: Option<&str>| {
            Answer::Predicted(Predicted { score: None, label: None, output: output.map(str::to_owned) })
        };
        assert_eq!(mask(&predicted(Some(r#"{"height":1,"width":2,"classes":[[0,2]]}"#))).unwrap().width, 2);
        assert_eq!(mask(&predicted(None)).unwrap_err(), "the answer has no mask");
        let refused = Answer::Refused { field: Some("image".to_owned()), reason: "it is cut off".to_owned() };
        assert_eq!(mask(&refused).unwrap_err(), "`image`: it is cut off");
    }
}
