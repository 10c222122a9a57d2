//! What a mask of a lane means on the ground.

use foretell_camera::{Camera, Mount};
use serde::Serialize;

use super::mask::{LEFT, Mask, RIGHT};

/// From which radius on a lane is called straight: over 30 m, such a bend leaves the tangent by 9 cm, less than a line is wide.
pub const STRAIGHT_RADIUS_METRES: f64 = 5_000.0;

/// Points farther ahead are not measured: there, a pixel is metres long.
const FAR_METRES: f64 = 100.0;

/// The fewest rows that must show a line.
const ROWS_MIN: usize = 10;

/// A fit whose points are this far off, in pixels of the mask, is believed by a third.
const RMS_PIXELS: f64 = 2.0;

/// How many metres of road must be seen to be believed fully: the bend shows over distance.
const SEEN_METRES: f64 = 15.0;

/// The usual width of lanes and how far off one is believed by a third.
const WIDTH_METRES: f64 = 3.6;
const WIDTH_SPREAD_METRES: f64 = 1.5;

/// How far the camera's pitch is looked for on both sides of what it should be: a car nods, and an unknown camera is a guess.
const PITCH_RADIANS: f64 = 0.08;

/// Steps of the search on each side, and how often they are halved around the best one.
const PITCH_STEPS: i32 = 20;
const PITCH_HALVINGS: usize = 12;

/// How far from what it should be a pitch costs as much as points that are off by a tenth of a pixel.
const PITCH_SPREAD_RADIANS: f64 = 0.02;
const PITCH_COST_PIXELS: f64 = 0.1;

/// What is fitted: sides of the left and of the right line, slope, bend.
const NUMBERS: usize = 4;

/// The lane ahead, in metres on a flat ground.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// How far the camera is to the right of the middle of the lane.
    pub offset_m: f64,
    /// How wide the lane is between the middles of its lines.
    pub width_m: f64,
    /// Curvature where the camera is; positive bends to the right.
    pub curvature_per_m: f64,
    /// Its radius; `None` where the lane is straight, see [`STRAIGHT_RADIUS_METRES`].
    pub radius_m: Option<f64>,
    /// The left line: metres to the right of the camera are `[0] + [1] * ahead + [2] * ahead^2`.
    pub left: [f64; 3],
    /// The right line, likewise.
    pub right: [f64; 3],
    /// How far ahead the mask begins.
    pub near_m: f64,
    /// How far ahead it ends.
    pub far_m: f64,
    /// The camera's pitch in this picture, for which the lines are parallel on the ground: that of its mount, and how the car nods
    /// or the road rises and falls. Positive looks down.
    pub pitch_rad: f64,
    /// 0 to 1: how well the lines are parallel curves of the ground, how far they are seen, and how usual the width is. Not a
    /// calibrated probability.
    pub confidence: f64,
}

/// The lane of a mask that covers all of an image of `size` pixels, width and height, seen by `camera`, whose numbers are for that
/// size. `None` where too little of one of the lines is seen, or they are no curves of the ground.
///
/// Both lines are fitted together as parallel curves (same slope and bend), by least squares in the image, where points near and
/// far are equally certain: so dashes on one side take their bend from the line on the other. The pitch is the one near that of the
/// camera's mount for which they are parallel; half a degree more or less would make of 30 m 20 or 60.
pub fn measure(mask: &Mask, camera: &Camera, size: [usize; 2]) -> Option<Lane> {
    let camera = camera.scaled(size, [mask.width, mask.height]).ok()?;
    let mut points = Vec::new();
    for (line, class) in [LEFT, RIGHT].into_iter().enumerate() {
        let before = points.len();
        let directions = mask.middles(class).into_iter().filter_map(|middle| camera.direction(middle));
        points.extend(directions.map(|direction| Point { line, direction }));
        if points.len() - before < ROWS_MIN {
            return None;
        }
    }
    let Fit { pitch, numbers: [left, right, slope, bend], rms, near, far, .. } = nodded(&points, &camera)?;
    // Sides are measured along the axis to the right, and a lane at right angles to its direction.
    let across = 1.0 / slope.hypot(1.0);
    let width_m = (right - left) * across;
    if width_m <= 0.0 {
        return None;
    }
    let curvature_per_m = 2.0 * bend * across.powi(3);
    let bell = |surprise: f64| (-surprise * surprise).exp();
    let confidence = bell(rms / RMS_PIXELS)
        * bell((width_m - WIDTH_METRES) / WIDTH_SPREAD_METRES)
        * ((far - near) / SEEN_METRES).min(1.0);
    Some(Lane {
        offset_m: -(left + right) / 2.0 * across,
        width_m,
        curvature_per_m,
        radius_m: Some(1.0 / curvature_per_m.abs()).filter(|radius| *radius < STRAIGHT_RADIUS_METRES),
        left: [left, slope, bend],
        right: [right, slope, bend],
        near_m: near,
        far_m: far,
        pitch_rad: pitch,
        confidence,
    })
}

/// A point of a line.
struct Point {
    /// 0: the left line, 1: the right one.
    line: usize,
    direction: [f64; 2],
}

/// Parallel curves for one pitch.
struct Fit {
    pitch: f64,
    numbers: [f64; NUMBERS],
    /// How far the points are off, in pixels of the mask: the root of the mean square.
    rms: f64,
    near: f64,
    far: f64,
    /// What is least for the best pitch, in squared pixels.
    cost: f64,
}

/// The fit for the pitch near the camera's own for which the lines are parallel.
fn nodded(points: &[Point], camera: &Camera) -> Option<Fit> {
    let right_angle = std::f64::consts::FRAC_PI_2;
    let at = |pitch: f64| fit(points, camera, pitch.clamp(-right_angle, right_angle));
    let better = |left: Option<Fit>, right: Option<Fit>| match (left, right) {
        (Some(left), Some(right)) => Some(if right.cost < left.cost { right } else { left }),
        (left, right) => left.or(right),
    };
    let mut step = PITCH_RADIANS / f64::from(PITCH_STEPS);
    let pitches = (-PITCH_STEPS..=PITCH_STEPS).map(|number| camera.mount.pitch + f64::from(number) * step);
    let mut best = pitches.map(at).fold(None, better)?;
    for _ in 0..PITCH_HALVINGS {
        step /= 2.0;
        let around = [-step, step].map(|change| at(best.pitch + change));
        best = around.into_iter().fold(Some(best), better)?;
    }
    Some(best)
}

/// The parallel curves nearest to the points, had the camera this pitch.
fn fit(points: &[Point], camera: &Camera, pitch: f64) -> Option<Fit> {
    let mount = Mount { pitch, ..camera.mount };
    let place = |point: &Point| {
        let [ahead, right] = mount.ground(point.direction)?;
        (ahead > 0.0 && ahead <= FAR_METRES).then_some((point.line, ahead, right))
    };
    let places: Vec<(usize, f64, f64)> = points.iter().filter_map(place).collect();
    for line in 0..2 {
        if places.iter().filter(|place| place.0 == line).count() < ROWS_MIN {
            return None;
        }
    }
    let mut equations = Equations::default();
    let (mut near, mut far) = (f64::INFINITY, 0.0_f64);
    for &(line, ahead, right) in &places {
        equations.add(line, ahead, right);
        (near, far) = (near.min(ahead), far.max(ahead));
    }
    let numbers = equations.solve()?;
    let [left, right, slope, bend] = numbers;
    let square = |&(line, ahead, side): &(usize, f64, f64)| {
        let off = side - [left, right][line] - ahead * (slope + bend * ahead);
        (off * camera.focal[0] / ahead).powi(2)
    };
    let squares: f64 = places.iter().map(square).sum();
    // A pitch is not better for taking points away from the ground.
    let lost = (points.len() - places.len()) as f64 * RMS_PIXELS.powi(2);
    let unusual = (pitch - camera.mount.pitch) / PITCH_SPREAD_RADIANS * PITCH_COST_PIXELS;
    Some(Fit {
        pitch,
        numbers,
        rms: (squares / places.len() as f64).sqrt(),
        near,
        far,
        cost: (squares + lost) / points.len() as f64 + unusual.powi(2),
    })
}

/// Normal equations of the fit.
#[derive(Default)]
struct Equations {
    matrix: [[f64; NUMBERS]; NUMBERS],
    side: [f64; NUMBERS],
}

impl Equations {
    /// Adds a point, divided by how far ahead it is: then its error is one of pixels.
    fn add(&mut self, line: usize, ahead: f64, right: f64) {
        let mut row = [0.0, 0.0, 1.0, ahead];
        row[line] = 1.0 / ahead;
        for (place, number) in row.iter().enumerate() {
            self.side[place] += number * right / ahead;
            for (other, factor) in row.iter().enumerate() {
                self.matrix[place][other] += number * factor;
            }
        }
    }

    /// The solution, by Cholesky's factors. `None` where the points determine none.
    fn solve(self) -> Option<[f64; NUMBERS]> {
        /// The least share of a diagonal that must be left.
        const LEFT_SHARE_MIN: f64 = 1e-12;
        let mut factor = [[0.0; NUMBERS]; NUMBERS];
        for row in 0..NUMBERS {
            for column in 0..=row {
                let known: f64 = (0..column).map(|place| factor[row][place] * factor[column][place]).sum();
                let rest = self.matrix[row][column] - known;
                factor[row][column] = if row > column {
                    rest / factor[column][column]
                } else if rest > LEFT_SHARE_MIN * self.matrix[row][row] {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        let mut numbers = [0.0; NUMBERS];
        for row in 0..NUMBERS {
            let known: f64 = (0..row).map(|place| factor[row][place] * numbers[place]).sum();
            numbers[row] = (self.side[row] - known) / factor[row][row];
        }
        for row in (0..NUMBERS).rev() {
            let known: f64 = (row + 1..NUMBERS).map(|place| factor[place][row] * numbers[place]).sum();
            numbers[row] = (numbers[row] - known) / factor[row][row];
        }
        numbers.iter().all(|number| number.is_finite()).then_some(numbers)
    }
}
