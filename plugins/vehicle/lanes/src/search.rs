//! How the road runs: the direction and the bend that all lines of a road share, by vote of all marks.
//!
//! Lines of a road are parallel. On the ground, the one that is `side` metres right of the camera runs through
//!
//! ```text
//! right = side + slope * ahead + bend * ahead^2
//! ```
//!
//! with the same `slope` and `bend` for all of them. For the right pitch of the camera, slope and bend, the marks of a line agree
//! on its `side`, and a histogram has a peak; for others its votes are spread. What counts is the best pair of peaks that are as
//! far apart as a lane is wide, valued by the geometric mean of their votes: a solid line alone agrees with itself for many a
//! pitch, and only the dashes on the other side tell them apart. The best of a coarse grid are climbed from.
//!
//! The search has no random numbers: the same image has the same course.

use foretell_camera::Mount;

use crate::settings::Settings;

/// How far to the side lines take part in the vote.
const SIDE_METRES: f64 = 6.0;

/// Marks farther ahead take no part in the coarse vote, which has no fine steps for them.
const COARSE_METRES: f64 = 30.0;

/// Bins of the coarse vote.
const COARSE_BIN_METRES: f64 = 0.3;

/// Bins of the fine vote.
const FINE_BIN_METRES: f64 = 0.12;

/// Steps of the coarse grid: pitch in radians, slope, bend per metre.
const STEPS: [f64; 3] = [0.012, 0.012, 0.0006];

/// From how many of the best of the grid the climb begins.
const STARTS: usize = 4;

/// How often the steps are halved on the climb.
const HALVINGS: usize = 4;

/// Rounds over all moves with steps of one size, at most.
const ROUNDS_MAX: usize = 4;

/// Moves of the climb in pitch, slope and bend: each alone, and pairs that can stand for each other.
const MOVES: [[f64; 3]; 10] = [
    [1.0, 0.0, 0.0],
    [-1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, -1.0, 0.0],
    [0.0, 0.0, 1.0],
    [0.0, 0.0, -1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, 1.0],
    [1.0, 1.0, 0.0],
    [-1.0, -1.0, 0.0],
];

/// From which contrast on a mark counts fully.
const FULL_LEVELS: f64 = 80.0;

/// Lanes of the world are mostly 3 to 3.75 m wide.
const USUAL_METRES: f64 = 3.6;

/// How far from the usual width one is a surprise.
const USUAL_SPREAD_METRES: f64 = 0.9;

/// A mark as the camera sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// `[x / z, y / z]`.
    pub direction: [f64; 2],
    /// How much it stands out, in levels.
    pub contrast: f64,
}

impl Seen {
    /// How much it counts, 0 to 1: by the square, since paint stands out far more than seams and cracks do, of which there are
    /// more.
    pub fn share(&self) -> f64 {
        (self.contrast / FULL_LEVELS).min(1.0).powi(2)
    }
}

/// What the lines of a road share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// The camera's pitch, in radians.
    pub pitch: f64,
    /// Metres to the right for each metre ahead, at the camera.
    pub slope: f64,
    /// Half the curvature, per metre; positive bends to the right.
    pub bend: f64,
}

/// A painted line, as the votes found it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Metres right of the camera.
    pub side: f64,
    /// What speaks for it.
    pub votes: f64,
}

/// What is looked for, and how far.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The pitch that is most likely, in radians.
    pub pitch: f64,
    /// How far from it the pitch may be.
    pub pitch_range: f64,
    /// The greatest slope to either side.
    pub slope: f64,
    /// The greatest bend to either side.
    pub bend: f64,
    /// The narrowest and the widest lane, in metres.
    pub lanes: [f64; 2],
    /// How far ahead, in metres.
    pub far: f64,
}

impl Limits {
    /// Those of the settings, for a pitch that is known as well as `pitch_range` says.
    pub fn new(pitch: f64, pitch_range: f64, settings: &Settings) -> Self {
        Self {
            pitch,
            pitch_range,
            slope: settings.yaw_degrees.to_radians().tan(),
            bend: 0.5 / settings.radius_metres,
            lanes: [settings.lane_metres_least, settings.lane_metres_most],
            far: settings.far_metres,
        }
    }

    /// How likely a pitch is, 1 at the most likely one.
    fn prior(&self, pitch: f64) -> f64 {
        if self.pitch_range == 0.0 { 1.0 } else { bell((pitch - self.pitch) / self.pitch_range) }
    }

    fn clamped(&self, [pitch, slope, bend]: [f64; 3]) -> Course {
        let range = self.pitch_range;
        Course {
            pitch: pitch.clamp(self.pitch - range, self.pitch + range),
            slope: slope.clamp(-self.slope, self.slope),
            bend: bend.clamp(-self.bend, self.bend),
        }
    }
}

/// How usual a width of a lane is, 1 for the most usual one.
pub fn usual(width: f64) -> f64 {
    bell((width - USUAL_METRES) / USUAL_SPREAD_METRES)
}

fn bell(surprise: f64) -> f64 {
    (-surprise * surprise).exp()
}

/// The course that the marks speak for most, and all lines that there then are, from left to right. `None` where nothing looks
/// like a lane.
pub fn course(seen: &[Seen], mount: Mount, limits: &Limits) -> Option<(Course, Vec<Line>)> {
    let mut starts: Vec<(f64, Course)> = Vec::with_capacity(STARTS + 1);
    let mut votes = Votes::new(COARSE_BIN_METRES);
    let [pitch_step, slope_step, bend_step] = STEPS;
    for pitch in grid(limits.pitch, limits.pitch_range, pitch_step) {
        let (places, prior) =
            (places(seen, mount, pitch, limits.far.min(COARSE_METRES)), limits.prior(pitch));
        for slope in grid(0.0, limits.slope, slope_step) {
            for bend in grid(0.0, limits.bend, bend_step) {
                votes.count(&places, slope, bend);
                keep(&mut starts, votes.best_pair(limits.lanes) * prior, Course { pitch, slope, bend });
            }
        }
    }
    let mut votes = Votes::new(FINE_BIN_METRES);
    let climbed = starts.iter().map(|&(_, start)| climb(seen, mount, start, limits, &mut votes));
    let (value, best) = climbed.max_by(|left, right| left.0.total_cmp(&right.0))?;
    if value <= 0.0 {
        return None;
    }
    votes.count(&places(seen, mount, best.pitch, limits.far), best.slope, best.bend);
    Some((best, votes.lines()))
}

/// Steps from `-range` to `range` around the middle, at most `step` apart, the middle among them.
fn grid(middle: f64, range: f64, step: f64) -> impl Iterator<Item = f64> {
    let steps = (range / step).ceil().max(1.0);
    let count = if range > 0.0 { steps as i32 } else { 0 };
    (-count..=count).map(move |number| middle + f64::from(number) * range / steps)
}

/// Keeps the best, and of those that are near each other the better one.
fn keep(starts: &mut Vec<(f64, Course)>, value: f64, course: Course) {
    if starts.len() == STARTS && starts[STARTS - 1].0 >= value {
        return;
    }
    let near = |other: &Course| {
        let apart = [other.pitch - course.pitch, other.slope - course.slope, other.bend - course.bend];
        apart.iter().zip(STEPS).all(|(apart, step)| apart.abs() < 1.5 * step)
    };
    if let Some(twin) = starts.iter().position(|(_, other)| near(other)) {
        if starts[twin].0 >= value {
            return;
        }
        starts.remove(twin);
    }
    let place = starts.partition_point(|(other, _)| *other >= value);
    starts.insert(place, (value, course));
    starts.truncate(STARTS);
}

/// Goes to the better neighbour while there is one, with ever smaller steps.
fn climb(seen: &[Seen], mount: Mount, start: Course, limits: &Limits, votes: &mut Votes) -> (f64, Course) {
    let mut value = |course: Course| {
        votes.count(&places(seen, mount, course.pitch, limits.far), course.slope, course.bend);
        votes.best_pair(limits.lanes) * limits.prior(course.pitch)
    };
    let mut best = (value(start), start);
    let mut steps = STEPS.map(|step| step / 2.0);
    for _ in 0..HALVINGS {
        for _ in 0..ROUNDS_MAX {
            let before = best.0;
            for [pitch, slope, bend] in MOVES {
                let Course { pitch: from, slope: along, bend: around } = best.1;
                let course = limits.clamped([
                    from + pitch * steps[0],
                    along + slope * steps[1],
                    around + bend * steps[2],
                ]);
                let found = value(course);
                if found > best.0 {
                    best = (found, course);
                }
            }
            if best.0 <= before {
                break;
            }
        }
        steps = steps.map(|step| step / 2.0);
    }
    best
}

/// A mark on the ground.
struct Place {
    ahead: f64,
    right: f64,
    weight: f64,
}

/// Where marks are on the ground, had the camera this pitch. Those beyond `far` metres are left out.
fn places(seen: &[Seen], mount: Mount, pitch: f64, far: f64) -> Vec<Place> {
    let mount = Mount { pitch, ..mount };
    let place = |seen: &Seen| {
        let [ahead, right] = mount.ground(seen.direction)?;
        // A row far ahead is many metres of road, and a near one few centimetres.
        let weight = seen.share() * ahead.max(0.0).sqrt();
        (ahead > 0.0 && ahead <= far).then_some(Place { ahead, right, weight })
    };
    seen.iter().filter_map(place).collect()
}

/// Votes for where lines are, from [`SIDE_METRES`] left to as many right.
struct Votes {
    bin: f64,
    bins: Vec<f64>,
    /// Each bin with half of its neighbours; the first one belongs to the second bin.
    smooth: Vec<f64>,
}

impl Votes {
    fn new(bin: f64) -> Self {
        let bins = (2.0 * SIDE_METRES / bin).ceil() as usize + 2;
        Self { bin, bins: vec![0.0; bins], smooth: vec![0.0; bins - 2] }
    }

    /// Counts the marks for one slope and bend.
    fn count(&mut self, places: &[Place], slope: f64, bend: f64) {
        self.bins.fill(0.0);
        let last = self.bins.len() as f64 - 1.0;
        for place in places {
            let side = place.right - place.ahead * (slope + bend * place.ahead);
            let position = (side + SIDE_METRES) / self.bin;
            if position >= 0.0 && position < last {
                let (low, part) = (position as usize, position.fract());
                self.bins[low] += place.weight * (1.0 - part);
                self.bins[low + 1] += place.weight * part;
            }
        }
        for (smooth, bins) in self.smooth.iter_mut().zip(self.bins.windows(3)) {
            *smooth = bins[0] / 2.0 + bins[1] + bins[2] / 2.0;
        }
    }

    /// The value of the best two lines, left and right of the camera, that are as far apart as a lane is wide.
    fn best_pair(&self, lanes: [f64; 2]) -> f64 {
        let [least, most] = lanes.map(|width| (width / self.bin) as usize);
        let middle = self.smooth.len() / 2;
        let mut best: f64 = 0.0;
        for (left, votes) in self.smooth[..=middle].iter().enumerate().filter(|(_, votes)| **votes > 0.0) {
            for right in (left + least).max(middle)..=(left + most).min(self.smooth.len() - 1) {
                let value = votes * self.smooth[right];
                if value > best {
                    best = best.max(value * usual((right - left) as f64 * self.bin).powi(2));
                }
            }
        }
        best.sqrt()
    }

    /// The peaks.
    fn lines(&self) -> Vec<Line> {
        let peaks = self
            .smooth
            .windows(3)
            .enumerate()
            .filter(|(_, window)| window[1] > 0.0 && window[1] >= window[0] && window[1] > window[2]);
        peaks
            .map(|(place, window)| Line {
                side: (place as f64 + 2.0) * self.bin - SIDE_METRES,
                votes: window[1],
            })
            .collect()
    }
}
