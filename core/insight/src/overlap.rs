//! How well masks agree with what was drawn by hand.
//!
//! ```
//! use foretell_insight::overlap::{Overlap, polygon_mask};
//!
//! // The left half of an image, drawn as four corners in fractions of width and height.
//! let drawn = polygon_mask(&[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]], 4, 2);
//! assert_eq!(drawn, [true, true, false, false, true, true, false, false]);
//!
//! let found = [true, true, true, false, false, false, false, false];
//! let overlap = Overlap::of(&found, &drawn);
//! assert_eq!(overlap.dice(), Some(2.0 * 2.0 / (3.0 + 4.0)));
//! assert_eq!(overlap.intersection_over_union(), Some(2.0 / 5.0));
//! ```
//!
//! # Pitfalls
//! - Dice is hard on small things: two pixels too many are nothing around a large one, and half of a small one.
//! - An image with nothing to find, in which nothing was found, has no Dice at all; an average leaves it out.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, BootstrapError, Rows, quantile};
use crate::report::Estimate;

/// How many pixels two masks have, and have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overlap {
    /// Pixels of both.
    pub common: u64,
    /// Pixels that were found.
    pub found: u64,
    /// Pixels that were drawn.
    pub drawn: u64,
}

impl Overlap {
    /// Counts pixels of two masks of the same size, row by row. What one has more of is not counted.
    pub fn of(found: &[bool], drawn: &[bool]) -> Overlap {
        let mut overlap = Overlap::default();
        for (&found, &drawn) in found.iter().zip(drawn) {
            overlap.common += u64::from(found && drawn);
            overlap.found += u64::from(found);
            overlap.drawn += u64::from(drawn);
        }
        overlap
    }

    /// `2 |A and B| / (|A| + |B|)`, from 0 to 1 (Dice, "Measures of the amount of ecologic association between species",
    /// Ecology 26, 1945); None if both masks are empty.
    pub fn dice(&self) -> Option<f64> {
        let both = self.found + self.drawn;
        (both > 0).then(|| 2.0 * self.common as f64 / both as f64)
    }

    /// `|A and B| / |A or B|`, from 0 to 1, also called the Jaccard index; None if both masks are empty.
    pub fn intersection_over_union(&self) -> Option<f64> {
        let union = self.found + self.drawn - self.common;
        (union > 0).then(|| self.common as f64 / union as f64)
    }
}

/// How well masks agree with what was drawn, image by image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OverlapReport {
    /// How many images were evaluated.
    pub images: usize,
    /// Images of which nothing that was drawn was found.
    pub missed: usize,
    /// Images where nothing was drawn and nothing was found: they have no figure, and are left out.
    pub empty: usize,
    /// The mean of [`Overlap::dice`]; null if no image has one.
    pub dice: Option<Estimate>,
    /// The median of it.
    pub dice_median: Option<Estimate>,
    /// The mean of [`Overlap::intersection_over_union`].
    pub intersection_over_union: Option<Estimate>,
    /// The median of it.
    pub intersection_over_union_median: Option<Estimate>,
}

impl OverlapReport {
    /// Sums up images, each of which counts alike. Without a `bootstrap` there are no intervals.
    ///
    /// # Errors
    /// [`BootstrapError`]: settings outside their range.
    pub fn new(overlaps: &[Overlap], bootstrap: Option<&Bootstrap>) -> Result<OverlapReport, BootstrapError> {
        let dice: Vec<f64> = overlaps.iter().filter_map(Overlap::dice).collect();
        let united: Vec<f64> = overlaps.iter().filter_map(Overlap::intersection_over_union).collect();
        let ones = vec![1; dice.len()];
        let (by_dice, by_union) = (Column::new(&dice), Column::new(&united));
        let figures = |counts: &[u32]| {
            [by_dice.mean(counts), by_dice.median(counts), by_union.mean(counts), by_union.median(counts)]
        };
        let intervals = match bootstrap {
            Some(bootstrap) if !dice.is_empty() => bootstrap.intervals(&Rows::all(dice.len()), figures)?,
            _ => [None; 4],
        };
        let values = figures(&ones);
        let estimate = |n: usize| values[n].map(|value| Estimate { value, interval: intervals[n] });
        Ok(OverlapReport {
            images: overlaps.len(),
            missed: overlaps.iter().filter(|overlap| overlap.drawn > 0 && overlap.common == 0).count(),
            empty: overlaps.len() - dice.len(),
            dice: estimate(0),
            dice_median: estimate(1),
            intersection_over_union: estimate(2),
            intersection_over_union_median: estimate(3),
        })
    }
}

/// Values, and the order that they have.
struct Column<'a> {
    values: &'a [f64],
    order: Vec<usize>,
}

impl<'a> Column<'a> {
    fn new(values: &'a [f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
        Self { values, order }
    }

    fn mean(&self, counts: &[u32]) -> Option<f64> {
        let drawn: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        let sum: f64 = self.values.iter().zip(counts).map(|(value, count)| value * f64::from(*count)).sum();
        (drawn > 0).then(|| sum / drawn as f64)
    }

    fn median(&self, counts: &[u32]) -> Option<f64> {
        let drawn =
            self.order.iter().flat_map(|row| std::iter::repeat_n(self.values[*row], counts[*row] as usize));
        let drawn: Vec<f64> = drawn.collect();
        (!drawn.is_empty()).then(|| quantile(&drawn, 0.5))
    }
}

/// The pixels whose centres lie within a polygon, row by row, in an image of `width` by `height` pixels. The corners `[x, y]`
/// are fractions of the image's width and height, and the last is joined to the first. Where a polygon crosses itself, a pixel
/// is within if a ray from it meets an odd number of sides (the even-odd rule).
pub fn polygon_mask(corners: &[[f64; 2]], width: usize, height: usize) -> Vec<bool> {
    let mut mask = vec![false; width * height];
    let corners: Vec<[f64; 2]> = corners.iter().map(|[x, y]| [x * width as f64, y * height as f64]).collect();
    let sides = corners.iter().zip(corners.iter().cycle().skip(1));
    let mut crossings = Vec::new();
    for (row, pixels) in mask.chunks_exact_mut(width.max(1)).enumerate() {
        let y = row as f64 + 0.5;
        crossings.clear();
        crossings.extend(sides.clone().filter(|([_, from], [_, to])| (*from > y) != (*to > y)).map(
            |([x_from, y_from], [x_to, y_to])| x_from + (y - y_from) / (y_to - y_from) * (x_to - x_from),
        ));
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // A centre on the left border is within, one on the right border is not.
            let pixel = |x: f64| (x - 0.5).ceil().clamp(0.0, width as f64) as usize;
            let (from, to) = (pixel(pair[0]), pixel(pair[1]));
            pixels[from..to.max(from)].fill(true);
        }
    }
    mask
}
