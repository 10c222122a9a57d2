//! Drives by formula: a pinhole camera that looks straight ahead, and objects on a flat road.

use foretell_plugin_decision::{
    drive::Columns,
    rules::{Warning, warnings},
    settings::Settings,
};

/// Frames per second.
pub(crate) const RATE: f64 = 20.0;
/// Metres from the camera to the front of the car, as shipped.
pub(crate) const FRONT: f64 = 1.5;
const IMAGE: [f64; 2] = [1280.0, 720.0];
const FOCAL: f64 = 1000.0;
const HEIGHT: f64 = 1.2;

/// A drive that is being made up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Simulation {
    pub(crate) frame: Vec<i64>,
    pub(crate) track: Vec<i64>,
    pub(crate) numbers: [Vec<f64>; 5],
    pub(crate) label: Vec<&'static str>,
    /// The car's own speed: none, one, or one a frame.
    pub(crate) speed: Vec<f64>,
    pub(crate) lane_frame: Vec<i64>,
    pub(crate) lanes: [Vec<f64>; 3],
    /// Whether no camera is given.
    pub(crate) is_camera_unknown: bool,
}

/// Width and height of what is seen, in metres.
fn size(label: &str) -> [f64; 2] {
    if label == "person" { [0.6, 1.7] } else { [1.8, 1.5] }
}

impl Simulation {
    /// A drive at so many metres per second.
    pub(crate) fn at(speed: f64) -> Self {
        Self { speed: vec![speed], ..Self::default() }
    }

    /// With an object that is, after so many seconds, at `[metres from the front, metres to the right]`, while it is farther
    /// than two metres; its edges are off by up to `noise` pixels.
    pub(crate) fn object(
        mut self,
        track: i64,
        label: &'static str,
        seconds: f64,
        noise: f64,
        place: impl Fn(f64) -> [f64; 2],
    ) -> Self {
        let mut state = 12_345u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as f64 / (1u64 << 30) as f64 - 1.0) * noise
        };
        for frame in 0..(seconds * RATE) as i64 {
            let [from_front, right] = place(frame as f64 / RATE);
            let ahead = from_front + FRONT;
            if from_front < 2.0 {
                continue;
            }
            let [width, height] = size(label);
            let x = |metres: f64| IMAGE[0] / 2.0 + FOCAL * metres / ahead;
            let y = |metres: f64| IMAGE[1] / 2.0 + FOCAL * (HEIGHT - metres) / ahead;
            let (left, upper) = (x(right - width / 2.0) + random(), y(height) + random());
            let (right, lower) = (x(right + width / 2.0) + random(), y(0.0) + random());
            self.frame.push(frame);
            self.track.push(track);
            self.label.push(label);
            for (list, value) in self.numbers.iter_mut().zip([left, upper, right - left, lower - upper, 0.9])
            {
                list.push(value);
            }
        }
        self
    }

    /// With a lane of 3.5 m that bends by `curvature`, of whose middle the camera is so far to the right.
    pub(crate) fn lane(mut self, seconds: f64, curvature: f64, offset: impl Fn(f64) -> f64) -> Self {
        for frame in 0..(seconds * RATE) as i64 {
            self.lane_frame.push(frame);
            for (list, value) in self.lanes.iter_mut().zip([offset(frame as f64 / RATE), 3.5, curvature]) {
                list.push(value);
            }
        }
        self
    }

    /// Its fields.
    pub(crate) fn columns<'a>(&'a self, camera: &'a [f64]) -> Columns<'a> {
        let [x, y, width, height, score] = &self.numbers;
        let [lane_offset, lane_width, lane_curvature] = &self.lanes;
        Columns {
            frame_rate: Some(RATE),
            image_width: Some(IMAGE[0] as i64),
            image_height: Some(IMAGE[1] as i64),
            camera,
            speed: &self.speed,
            frame: &self.frame,
            track: &self.track,
            x,
            y,
            width,
            height,
            score,
            label: self.label.clone(),
            lane_frame: &self.lane_frame,
            lane_offset,
            lane_width,
            lane_curvature,
        }
    }

    /// What is warned of.
    pub(crate) fn warnings(&self, settings: &Settings) -> Vec<Warning> {
        let camera = camera();
        let camera = if self.is_camera_unknown { &[][..] } else { &camera };
        warnings(&self.columns(camera).read(settings).unwrap(), settings)
    }
}

/// The camera of all simulations.
pub(crate) fn camera() -> [f64; 12] {
    let centre = IMAGE.map(|side| (side - 1.0) / 2.0);
    [FOCAL, FOCAL, centre[0], centre[1], 0.0, 0.0, 0.0, 0.0, 0.0, HEIGHT, 0.0, 0.0]
}
