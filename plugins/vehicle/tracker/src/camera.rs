//! How the camera moved between two frames, from detections alone.
//!
//! Tracks are predicted with their own motion, so what is left between a prediction and its detection is noise, unless the
//! camera moved otherwise than before: then it is the same for all. A jolt can throw every box out of reach of its
//! detection. So the shift is looked for among the displacements between boxes of like size, as the one after which most
//! predictions lie on a detection, and the median of what those are off by is taken.

use crate::rectangle::Rectangle;

/// Overlap from which a prediction lies on a detection.
const OVERLAP_MIN: f64 = 0.5;
/// Share of the predictions that must lie on a detection after the shift.
const SHARE_MIN: f64 = 0.6;
/// Most predictions, and most detections, between which displacements are tried, the largest first.
const TRIED_MAX: usize = 16;
/// How much longer or shorter a side may be for two boxes to be of like size.
const SIDE_RATIO_MAX: f64 = 1.25;
/// Shift below which nothing is done, in sizes: the filters follow it by themselves.
const SHIFT_MIN: f64 = 0.1;

/// The shift common to the objects, in pixels, from where they are predicted to where they are seen; zero unless at least
/// `objects_min` of them agree on one. With an `objects_min` of 0 it is not looked for.
///
/// ```
/// use foretell_plugin_tracker::{camera::common_shift, rectangle::Rectangle};
/// let predicted = [0.0, 50.0, 120.0, 300.0].map(|x| Rectangle::from_corner(x, x / 2.0, 20.0, 40.0));
/// let seen = predicted.map(|rectangle| rectangle.moved([30.0, -60.0]));
/// assert_eq!(common_shift(&predicted, &seen, 4), [30.0, -60.0]);
/// assert_eq!(common_shift(&predicted[..3], &seen, 4), [0.0, 0.0]);
/// ```
pub fn common_shift(predicted: &[Rectangle], seen: &[Rectangle], objects_min: usize) -> [f64; 2] {
    let none = [0.0; 2];
    if objects_min == 0 || predicted.len().min(seen.len()) < objects_min {
        return none;
    }
    let needed = objects_min.max((SHARE_MIN * predicted.len() as f64).ceil() as usize);
    let mut best = residuals(predicted, seen, none);
    if best.len() < needed {
        // Of shifts that are as good, the shortest: in a row of parked cars several are.
        for shift in displacements(predicted, seen) {
            let found = residuals(predicted, seen, shift);
            if found.len() > best.len() {
                best = found;
            }
        }
    }
    if best.len() < needed {
        return none;
    }
    let shift = [0, 1].map(|axis| median(best.iter().map(|residual| residual.shift[axis]).collect()));
    let side = median(best.iter().map(|residual| residual.side).collect());
    if shift[0].hypot(shift[1]) < SHIFT_MIN * side { none } else { shift }
}

/// Displacements between boxes of like size, the shortest first.
fn displacements(predicted: &[Rectangle], seen: &[Rectangle]) -> Vec<[f64; 2]> {
    let mut displacements = Vec::new();
    for one in largest(predicted) {
        let like = largest(seen).filter(|other| is_like(one, other));
        displacements.extend(like.map(|other| [0, 1].map(|axis| other.centre[axis] - one.centre[axis])));
    }
    let length = |shift: &[f64; 2]| shift[0].hypot(shift[1]);
    displacements.sort_by(|one, other| length(one).total_cmp(&length(other)));
    displacements
}

/// What is left between a prediction and the detection that it lies on.
struct Residual {
    shift: [f64; 2],
    side: f64,
}

/// The residuals of the predictions that lie on a detection once they are shifted; the shift is a part of them.
fn residuals(predicted: &[Rectangle], seen: &[Rectangle], shift: [f64; 2]) -> Vec<Residual> {
    let lying = predicted.iter().filter_map(|one| {
        let moved = one.moved(shift);
        let overlaps = seen.iter().map(|other| (moved.overlap(other), other));
        let (overlap, other) = overlaps.max_by(|one, other| one.0.total_cmp(&other.0))?;
        (overlap >= OVERLAP_MIN).then(|| Residual {
            shift: [0, 1].map(|axis| other.centre[axis] - one.centre[axis]),
            side: one.side(),
        })
    });
    lying.collect()
}

fn is_like(one: &Rectangle, other: &Rectangle) -> bool {
    (0..2).all(|axis| {
        let ratio = one.size[axis] / other.size[axis];
        (SIDE_RATIO_MAX.recip()..=SIDE_RATIO_MAX).contains(&ratio)
    })
}

fn largest(rectangles: &[Rectangle]) -> impl Iterator<Item = &Rectangle> {
    let mut rectangles: Vec<&Rectangle> = rectangles.iter().collect();
    rectangles.sort_by(|one, other| other.area().total_cmp(&one.area()));
    rectangles.truncate(TRIED_MAX);
    rectangles.into_iter()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}
