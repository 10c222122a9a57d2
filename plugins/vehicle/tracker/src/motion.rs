//! How a box moves: a Kalman filter with constant velocity for each of centre x, centre y, width and height.
//!
//! The four are independent of each other, so each has a filter of its own with two states, value and change per second.
//! Noise is in units of the object's own size, which is why all objects share one model: a filter's gain depends on the
//! ratio of its variances alone, and a factor that is common to all of them, here the size in pixels, drops out.
//!
//! The acceleration between two frames is taken as white noise, which for a step of `dt` seconds gives the process
//! covariance `a^2 [[dt^3/3, dt^2/2], [dt^2/2, dt]]` (Bar-Shalom, Li and Kirubarajan, *Estimation with Applications to
//! Tracking and Navigation*, 2001, section 6.2.2).

use adskalman::{
    CovarianceUpdateMethod, KalmanFilterNoControl, ObservationModel, StateAndCovariance,
    TransitionModelLinearNoControl,
};
use nalgebra::{Matrix1, Matrix1x2, Matrix2, U1, U2, Vector1, Vector2};

use crate::rectangle::Rectangle;
use crate::settings::Settings;

/// One coordinate: its value in pixels and its change in pixels per second; variances in squares of the object's size.
type Coordinate = StateAndCovariance<f64, U2>;

/// Coordinates of a box.
const COORDINATES: usize = 4;
/// Smallest side that a predicted box has, in pixels: a box that shrinks does not turn inside out.
const SIDE_MIN: f64 = 1.0;

/// One step of time.
#[derive(Clone, Debug)]
struct Step {
    f: Matrix2<f64>,
    ft: Matrix2<f64>,
    q: Matrix2<f64>,
}

impl TransitionModelLinearNoControl<f64, U2> for Step {
    fn F(&self) -> &Matrix2<f64> {
        &self.f
    }

    fn FT(&self) -> &Matrix2<f64> {
        &self.ft
    }

    fn Q(&self) -> &Matrix2<f64> {
        &self.q
    }
}

/// What a detector sees of a coordinate: its value.
#[derive(Clone, Debug)]
struct Seen {
    h: Matrix1x2<f64>,
    ht: Vector2<f64>,
    r: Matrix1<f64>,
}

impl ObservationModel<f64, U2, U1> for Seen {
    fn H(&self) -> &Matrix1x2<f64> {
        &self.h
    }

    fn HT(&self) -> &Vector2<f64> {
        &self.ht
    }

    fn R(&self) -> &Matrix1<f64> {
        &self.r
    }
}

/// The motion of all objects of a clip.
#[derive(Clone, Debug)]
pub struct Motion {
    step: Step,
    seen: Seen,
    start: Matrix2<f64>,
}

/// Where a box is thought to be, and how it moves.
#[derive(Clone, Debug)]
pub struct State([Coordinate; COORDINATES]);

/// The covariance got lost in rounding, which takes settings that are many orders of magnitude apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the covariance of the motion is not positive any more\n  hint: bring `position_noise`, `acceleration` and `speed` nearer to the shipped ones"
)]
pub struct Degenerate;

impl Motion {
    /// The motion between frames that are `seconds` apart.
    pub fn new(settings: &Settings, seconds: f64) -> Self {
        let variance = settings.acceleration.powi(2);
        let (linear, square, cube) = (seconds, seconds.powi(2) / 2.0, seconds.powi(3) / 3.0);
        let f = Matrix2::new(1.0, seconds, 0.0, 1.0);
        let noise = settings.position_noise.powi(2);
        Self {
            step: Step { f, ft: f.transpose(), q: Matrix2::new(cube, square, square, linear) * variance },
            seen: Seen { h: Matrix1x2::new(1.0, 0.0), ht: Vector2::new(1.0, 0.0), r: Matrix1::new(noise) },
            start: Matrix2::new(noise, 0.0, 0.0, settings.speed.powi(2)),
        }
    }

    /// A box that was seen for the first time.
    pub fn begin(&self, seen: &Rectangle) -> State {
        State(values(seen).map(|value| Coordinate::new(Vector2::new(value, 0.0), self.start)))
    }

    /// One frame later.
    pub fn predict(&self, state: &State) -> State {
        State(std::array::from_fn(|index| self.step.predict(&state.0[index])))
    }

    /// `state`, which was predicted for this frame, after the box was seen.
    pub fn update(&self, state: &State, seen: &Rectangle) -> Result<State, Degenerate> {
        let values = values(seen);
        let mut updated = state.clone();
        for ((coordinate, prior), value) in updated.0.iter_mut().zip(&state.0).zip(values) {
            *coordinate = self
                .seen
                .update(prior, &Vector1::new(value), CovarianceUpdateMethod::JosephForm)
                .map_err(|_| Degenerate)?;
        }
        Ok(updated)
    }

    /// The boxes of consecutive frames, given what was seen in each of them; where nothing was, they follow from what was
    /// seen before and after (the smoother of Rauch, Tung and Striebel, 1965). The first and the last one must be seen.
    pub fn smooth(&self, seen: &[Option<Rectangle>]) -> Result<Vec<Rectangle>, Degenerate> {
        let Some(Some(first)) = seen.first() else { return Ok(Vec::new()) };
        let filter = KalmanFilterNoControl::new(&self.step, &self.seen);
        let mut paths = Vec::with_capacity(COORDINATES);
        for (index, start) in self.begin(first).0.into_iter().enumerate() {
            let mut forward = Vec::with_capacity(seen.len());
            forward.push(start);
            for box_seen in &seen[1..] {
                let value = box_seen.map_or(f64::NAN, |seen| values(&seen)[index]);
                let next = filter.step(&forward[forward.len() - 1], &Vector1::new(value));
                forward.push(next.map_err(|_| Degenerate)?);
            }
            paths.push(filter.smooth_from_filtered(forward).map_err(|_| Degenerate)?);
        }
        let at = |frame: usize| State(std::array::from_fn(|index| paths[index][frame].clone()));
        Ok((0..seen.len()).map(|frame| at(frame).rectangle()).collect())
    }
}

fn values(rectangle: &Rectangle) -> [f64; COORDINATES] {
    let Rectangle { centre, size } = rectangle;
    [centre[0], centre[1], size[0], size[1]]
}

impl State {
    /// The box.
    pub fn rectangle(&self) -> Rectangle {
        let value = |index: usize| self.0[index].state()[0];
        Rectangle { centre: [value(0), value(1)], size: [value(2).max(SIDE_MIN), value(3).max(SIDE_MIN)] }
    }

    /// Variance of each coordinate, in squares of the object's size. The four are alike, since they share their model.
    pub fn variance(&self) -> f64 {
        self.0[0].covariance()[(0, 0)]
    }

    /// Forgets how the size changes: what is hidden goes on moving, and does not go on growing.
    pub fn hold_size(&mut self) {
        for coordinate in &mut self.0[2..] {
            coordinate.state_mut()[1] = 0.0;
        }
    }
}
