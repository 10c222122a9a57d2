//! What the numbers of an answer tell of its layout.

use std::fmt;
use std::ops::Range;

/// Greatest part of the picture that the number of a box may be: boxes reach over its edges.
const FRACTION_MAX: f32 = 2.0;
/// What rounding makes of 0 and 1.
const SLACK: f32 = 1e-3;
/// How far from its cell the centre of a box may be, in sides of the cell.
const HOME_CELLS: f32 = 2.5;
/// Part of the boxes that must be as an order of their numbers says.
const SHARE_MIN: f64 = 0.98;
/// How much more one coordinate must change from box to box than the other, to be the one across.
const RATIO_MIN: f64 = 2.0;

/// The least and the greatest of many numbers that are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) least: f32,
    pub(super) most: f32,
}

impl Bounds {
    pub(super) fn of(numbers: impl IntoIterator<Item = f32>) -> Self {
        let start = Self { least: f32::INFINITY, most: f32::NEG_INFINITY };
        numbers.into_iter().filter(|number| number.is_finite()).fold(start, |bounds, number| Self {
            least: bounds.least.min(number),
            most: bounds.most.max(number),
        })
    }

    pub(super) fn are_probabilities(self) -> bool {
        self.least >= -SLACK && self.most <= 1.0 + SLACK
    }

    pub(super) fn are_fractions(self) -> bool {
        self.least >= -FRACTION_MAX && self.most <= FRACTION_MAX
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3} to {:.3}", self.least, self.most)
    }
}

/// Some columns of rows, row by row.
pub(super) fn columns(numbers: &[f32], columns: usize, wanted: Range<usize>) -> Vec<f32> {
    numbers.chunks_exact(columns).flat_map(|row| row[wanted.clone()].iter().copied()).collect()
}

/// Rows out of a tensor in which all first numbers stand beside each other, then all second ones, and so on.
pub(super) fn transposed(numbers: &[f32], rows: usize) -> Vec<f32> {
    let columns = numbers.len() / rows;
    (0..numbers.len()).map(|place| numbers[place % rows * columns + place / rows]).collect()
}

/// The part of rows whose first two numbers are a point near the cell that the row belongs to, in pixels or in parts of the
/// picture, whichever are more.
pub(super) fn share_at_home(
    numbers: &[f32],
    columns: usize,
    strides: &[usize],
    anchors: usize,
    [width, height]: [usize; 2],
) -> f64 {
    let mut rows = numbers.chunks_exact(columns);
    let (mut pixels, mut fractions, mut count) = (0usize, 0usize, 0usize);
    for &stride in strides {
        let (across, down) = (width / stride, height / stride);
        for _ in 0..anchors {
            for (cell, row) in rows.by_ref().take(across * down).enumerate() {
                let middle = [cell % across, cell / across].map(|side| (side as f32 + 0.5) * stride as f32);
                let near = |point: [f32; 2]| {
                    point
                        .iter()
                        .zip(middle)
                        .all(|(side, home)| (side - home).abs() <= HOME_CELLS * stride as f32)
                };
                pixels += usize::from(near([row[0], row[1]]));
                fractions += usize::from(near([row[0] * width as f32, row[1] * height as f32]));
                count += 1;
            }
        }
    }
    pixels.max(fractions) as f64 / count.max(1) as f64
}

/// In which order the numbers of boxes stand, and why; `None` where that can't be seen.
///
/// Corners are known by the second never being before the first. Which coordinate is the one across shows where boxes stand in the
/// order of cells, row by row: it changes from one to the next, while the other changes from row to row.
pub(super) fn order(boxes: &[f32]) -> Option<(&'static str, String)> {
    let rows: Vec<&[f32]> =
        boxes.chunks_exact(4).filter(|row| row.iter().all(|number| number.is_finite())).collect();
    let corners = rows.iter().filter(|row| row[2] >= row[0] && row[3] >= row[1]).count();
    let share = corners as f64 / rows.len().max(1) as f64;
    if rows.len() < 64 {
        return None;
    }
    if share < SHARE_MIN {
        let percent = (100.0 * share).round();
        let why = format!(
            "the last two numbers are at least the first two in {percent} % of the boxes only: no corners"
        );
        return Some(("cxcywh", why));
    }
    let change = |place: usize| -> f64 {
        let middle = |row: &[f32]| f64::from(row[place] + row[place + 2]) / 2.0;
        rows.windows(2).map(|pair| (middle(pair[1]) - middle(pair[0])).abs()).sum()
    };
    let (first, second) = (change(0), change(1));
    let words =
        |which: &str| format!("corners; from box to box the {which} coordinate changes more: it is x");
    if first > RATIO_MIN * second {
        return Some(("xyxy", words("first")));
    }
    (second > RATIO_MIN * first).then(|| ("yxyx", words("second")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boxes of 20 x 20 pixels around the middles of cells of 8 in 64 x 64.
    fn grid(order: impl Fn(f32, f32) -> [f32; 4]) -> Vec<f32> {
        (0..64).flat_map(|cell| order((cell % 8) as f32 * 8.0 + 4.0, (cell / 8) as f32 * 8.0 + 4.0)).collect()
    }

    #[test]
    fn the_order_of_a_grid_is_seen() {
        let found = |order: fn(f32, f32) -> [f32; 4]| super::order(&grid(order)).map(|(order, _)| order);
        assert_eq!(found(|x, y| [x - 10.0, y - 10.0, x + 10.0, y + 10.0]), Some("xyxy"));
        assert_eq!(found(|x, y| [y - 10.0, x - 10.0, y + 10.0, x + 10.0]), Some("yxyx"));
        assert_eq!(found(|x, y| [x, y, 20.0, 20.0]), Some("cxcywh"));
        assert_eq!(order(&[0.0, 0.0, 9.0, 9.0]), None);
    }

    #[test]
    fn boxes_are_at_home_in_their_cells() {
        let strides = [8];
        let share = |numbers: &[f32]| share_at_home(numbers, 4, &strides, 1, [64, 64]);
        assert_eq!(share(&grid(|x, y| [x + 3.0, y - 5.0, 1.0, 1.0])), 1.0);
        assert_eq!(share(&grid(|x, y| [x / 64.0, y / 64.0, 1.0, 1.0])), 1.0);
        // In so small a picture, a place is near to many cells.
        assert!(share(&grid(|_, _| [0.3, 0.7, 0.0, 0.0])) < 0.5);
    }

    #[test]
    fn rows_and_columns() {
        assert_eq!(transposed(&[1.0, 2.0, 3.0, 10.0, 20.0, 30.0], 2), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        assert_eq!(columns(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 1..3), [2.0, 3.0, 5.0, 6.0]);
    }
}
