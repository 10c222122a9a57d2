//! Upright boxes in an image, and how well two of them agree.
//!
//! ```
//! use foretell_insight::boxes::BoundingBox;
//!
//! let drawn = BoundingBox { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
//! let found = BoundingBox { x: 5.0, y: 0.0, width: 10.0, height: 10.0 };
//! assert_eq!(drawn.intersection(&found), 50.0);
//! assert_eq!(drawn.intersection_over_union(&found), 50.0 / 150.0);
//! ```

use serde::{Deserialize, Serialize};

/// A box whose sides are parallel to those of the image. The unit is the caller's, most often pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Where its left side is, from the left of the image.
    pub x: f64,
    /// Where its upper side is, from the top of the image.
    pub y: f64,
    /// How wide it is, at least 0.
    pub width: f64,
    /// How high it is, at least 0.
    pub height: f64,
}

impl BoundingBox {
    /// Width times height.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// The area that two boxes have in common; 0 where they touch or are apart.
    pub fn intersection(&self, other: &BoundingBox) -> f64 {
        let common = |from: f64, length: f64, other_from: f64, other_length: f64| {
            (from + length).min(other_from + other_length) - from.max(other_from)
        };
        let width = common(self.x, self.width, other.x, other.width);
        let height = common(self.y, self.height, other.y, other.height);
        if width > 0.0 && height > 0.0 { width * height } else { 0.0 }
    }

    /// `|A and B| / |A or B|`, from 0 to 1, also called the Jaccard index. A box without area agrees with nothing: 0.
    pub fn intersection_over_union(&self, other: &BoundingBox) -> f64 {
        let common = self.intersection(other);
        let union = self.area() + other.area() - common;
        // Rounding can leave less than nothing of the union of boxes that are too thin to have an area.
        if common > 0.0 && union > 0.0 { common / union } else { 0.0 }
    }

    /// The share of this box that lies in `other`, from 0 to 1; 0 for a box without area.
    pub fn share_within(&self, other: &BoundingBox) -> f64 {
        let common = self.intersection(other);
        if common > 0.0 { common / self.area() } else { 0.0 }
    }

    /// Whether it can be measured: numbers without an infinity, and sides that are not negative.
    pub(crate) fn is_measurable(&self) -> bool {
        // Sums and areas of coordinates in this range are numbers, too.
        let measurable = |number: f64| number.abs() <= COORDINATE_MAX;
        [self.x, self.y, self.width, self.height].into_iter().all(measurable)
            && self.width >= 0.0
            && self.height >= 0.0
    }
}

/// The greatest coordinate or side of a box: far beyond any image, and its square is far from the end of the numbers.
pub const COORDINATE_MAX: f64 = 1e9;
