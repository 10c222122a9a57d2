//! The two lines of the own lane, fitted to their marks, and whether they are believed.

use foretell_camera::Mount;
use nalgebra::{SMatrix, SVector};

use crate::search::{Course, Limits, Line, Seen, usual};
use crate::settings::Settings;

/// What is fitted: sides of the left and the right line, slope, bend, pitch.
const NUMBERS: usize = 5;

type Numbers = SVector<f64, NUMBERS>;

/// Rounds of the fit.
const ROUNDS: usize = 8;

/// How far a line may be on the other side of the camera: between two lanes the car is on a line.
const OUTSIDE_METRES: f64 = 0.3;

/// From how far away marks are drawn to a line in the first round.
const REACH_METRES: f64 = 0.4;

/// What reach is divided by after each round, until only marks on the line count.
const REACH_SHRINKS: f64 = 1.5;

/// How far from a line a mark is still on it, in units of the focal length: about 2 pixels of 640.
const ON_LINE: f64 = 0.0035;

/// The usual slope: a spread, as strong as one mark that is off by a unit.
const SLOPE_SPREAD: f64 = 0.1;

/// The least spread of the pitch, so that a pitch that may not change is a number and not infinity.
const PITCH_SPREAD_MIN: f64 = 1e-4;

/// How far from a line other marks speak against it.
const BESIDE_METRES: f64 = 0.6;

/// The longest gap of a dashed line: 9 m in the United States, 12 m on German motorways, and a little more.
const GAP_METRES_MAX: f64 = 14.0;

/// The lane ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lane {
    /// Metres right of the camera of the left and of the right line, carried back to the camera.
    pub sides: [f64; 2],
    /// How both run.
    pub course: Course,
    /// From how many metres ahead on there is a piece of a line.
    pub near: f64,
    /// Up to how many metres ahead there is.
    pub far: f64,
}

impl Lane {
    /// Metres to the right of the line that is `side` metres right at the camera.
    pub fn right(&self, side: f64, ahead: f64) -> f64 {
        side + ahead * (self.course.slope + self.course.bend * ahead)
    }
}

/// The lane among `lines`, fitted to the marks. `None` when no two lines are a lane, or too little speaks for them.
pub fn lane(
    seen: &[Seen],
    mount: Mount,
    (course, lines): (Course, &[Line]),
    limits: &Limits,
    settings: &Settings,
) -> Option<Lane> {
    fitted(seen, mount, pair(lines, limits)?, course, limits, settings)
}

/// A lane fitted again, to other marks. `None` when too little speaks for it there.
pub fn again(seen: &[Seen], mount: Mount, lane: &Lane, limits: &Limits, settings: &Settings) -> Option<Lane> {
    fitted(seen, mount, lane.sides, lane.course, limits, settings)
}

fn fitted(
    seen: &[Seen],
    mount: Mount,
    [left, right]: [f64; 2],
    course: Course,
    limits: &Limits,
    settings: &Settings,
) -> Option<Lane> {
    let start = Numbers::from([left, right, course.slope, course.bend, course.pitch]);
    let [left, right, slope, bend, pitch] = refined(seen, mount, start, limits)?.data.0[0];
    let is_lane = (limits.lanes[0]..=limits.lanes[1]).contains(&(right - left))
        && left < OUTSIDE_METRES
        && right > -OUTSIDE_METRES
        && bend.abs() <= limits.bend;
    if !is_lane {
        return None;
    }
    let lane = Lane { sides: [left, right], course: Course { pitch, slope, bend }, near: 0.0, far: 0.0 };
    let supports = lane.sides.map(|side| Support::of(seen, mount, &lane, side, limits.far));
    let is_enough =
        |support: &Support| support.metres >= settings.support_metres && support.purity >= settings.purity;
    supports.iter().all(is_enough).then(|| Lane {
        near: supports[0].near.min(supports[1].near),
        far: supports[0].far.max(supports[1].far),
        ..lane
    })
}

/// The two lines that the camera is between and that are worth most together.
fn pair(lines: &[Line], limits: &Limits) -> Option<[f64; 2]> {
    let mut best = (0.0, None);
    for (number, left) in lines.iter().enumerate().filter(|(_, line)| line.side <= OUTSIDE_METRES) {
        for right in lines[number + 1..].iter().filter(|line| line.side >= -OUTSIDE_METRES) {
            let width = right.side - left.side;
            if !(limits.lanes[0]..=limits.lanes[1]).contains(&width) {
                continue;
            }
            // Many votes on one side do not make up for few on the other.
            let value = (left.votes * right.votes).sqrt() * usual(width);
            if value > best.0 {
                best = (value, Some([left.side, right.side]));
            }
        }
    }
    best.1
}

/// Weighted least squares over the marks near the lines, with what is not known held weakly to what is usual.
fn refined(seen: &[Seen], mount: Mount, start: Numbers, limits: &Limits) -> Option<Numbers> {
    let pitch_spread = (limits.pitch_range / 2.0).max(PITCH_SPREAD_MIN);
    let usual = [(2, 0.0, SLOPE_SPREAD), (3, 0.0, limits.bend), (4, start[4], pitch_spread)];
    let mut numbers = start;
    let mut reach = REACH_METRES;
    for _ in 0..ROUNDS {
        let mut matrix = SMatrix::<f64, NUMBERS, NUMBERS>::zeros();
        let mut vector = Numbers::zeros();
        for (place, middle, spread) in usual {
            let weight = (ON_LINE / spread).powi(2);
            matrix[(place, place)] += weight;
            vector[place] += weight * (middle - numbers[place]);
        }
        // A line without marks stays where it is.
        for place in 0..2 {
            matrix[(place, place)] += f64::EPSILON;
        }
        for seen in seen {
            let Some(Equation { miss, row, scale }) = Equation::of(seen, mount, &numbers, limits.far) else {
                continue;
            };
            let share = miss / ON_LINE.max(reach * scale);
            // Tukey's weight: what is at the edge of reach, or beyond it, counts nothing.
            let weight = seen.share() * (1.0 - share * share).max(0.0).powi(2);
            matrix += weight * row * row.transpose();
            vector += weight * row * miss;
        }
        numbers += matrix.cholesky()?.solve(&vector);
        reach /= REACH_SHRINKS;
    }
    numbers.iter().all(|number| number.is_finite()).then_some(numbers)
}

/// How far a mark is from the nearer line, and how that depends on the numbers. All in units of the focal length, in which marks
/// are equally certain near and far.
struct Equation {
    miss: f64,
    row: Numbers,
    /// What a metre to the side is there.
    scale: f64,
}

impl Equation {
    fn of(seen: &Seen, mount: Mount, numbers: &Numbers, far: f64) -> Option<Self> {
        const PITCH_STEP: f64 = 1e-4;
        let [left, right, slope, bend, pitch] = numbers.data.0[0];
        let side = |pitch: f64| {
            let [ahead, right] = Mount { pitch, ..mount }.ground(seen.direction)?;
            (ahead > 0.0 && ahead <= far).then_some((ahead, right - ahead * (slope + bend * ahead)))
        };
        let (ahead, found) = side(pitch)?;
        let (_, pitched) = side(pitch + PITCH_STEP)?;
        let line = usize::from((found - left).abs() > (found - right).abs());
        let scale = 1.0 / ahead;
        let mut row = Numbers::zeros();
        row[line] = scale;
        row[2] = 1.0;
        row[3] = ahead;
        row[4] = (found - pitched) / PITCH_STEP * scale;
        Some(Self { miss: (found - [left, right][line]) * scale, row, scale })
    }
}

/// What speaks for a line.
struct Support {
    /// Metres of road that show a piece of it.
    metres: f64,
    /// How much of the contrast around it is on it.
    purity: f64,
    near: f64,
    far: f64,
}

impl Support {
    fn of(seen: &[Seen], mount: Mount, lane: &Lane, side: f64, far: f64) -> Self {
        let mount = Mount { pitch: lane.course.pitch, ..mount };
        let mut metres = vec![false; far.ceil() as usize + 1];
        let (mut on, mut around) = (0.0, f64::MIN_POSITIVE);
        for seen in seen {
            let Some([ahead, right]) = mount.ground(seen.direction) else { continue };
            if ahead <= 0.0 || ahead > far {
                continue;
            }
            let off = (right - lane.right(side, ahead)).abs();
            if off / ahead <= ON_LINE {
                on += seen.contrast;
                around += seen.contrast;
                metres[ahead as usize] = true;
            } else if off <= BESIDE_METRES {
                around += seen.contrast;
            }
        }
        let there = || metres.iter().enumerate().filter(|(_, there)| **there).map(|(metre, _)| metre as f64);
        let near = there().next().unwrap_or(0.0);
        // Behind a gap that is longer than those of a dashed line, it is something else.
        let last =
            there().fold(near, |last, metre| if metre - last <= GAP_METRES_MAX { metre } else { last });
        Self { metres: there().count() as f64, purity: on / around, near, far: last + 1.0 }
    }
}
