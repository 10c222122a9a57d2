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

use std::fmt;

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

/// The most rows of a column: numbers of 32 bits mark them.
pub const ROWS_MAX: usize = (u32::MAX / 2) as usize;

/// Boxes that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// What was drawn.
    Truths,
    /// What a detector found.
    Detections,
    /// What a tracker answered.
    Hypotheses,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Table::Truths => "truths",
            Table::Detections => "detections",
            Table::Hypotheses => "hypotheses",
        })
    }
}

/// Columns that do not describe boxes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There are too many boxes.
    #[error("expected at most {ROWS_MAX} {table}, found {found}; evaluate fewer at once")]
    Rows {
        /// Of which boxes.
        table: Table,
        /// How many there are.
        found: usize,
    },
    /// The columns do not describe the same boxes.
    #[error("expected {boxes} values in the column `{column}` of the {table}, one a box, found {found}")]
    Lengths {
        /// Of which boxes.
        table: Table,
        /// The column.
        column: &'static str,
        /// How many boxes there are.
        boxes: usize,
        /// How many values the column has.
        found: usize,
    },
    /// A box cannot be measured.
    #[error(
        "the box in row {row} of the {table} is {} x {} at ({}, {}); expected sides of at least 0, and numbers of at most \
         {COORDINATE_MAX}",
        .found.width, .found.height, .found.x, .found.y
    )]
    Box {
        /// Of which boxes.
        table: Table,
        /// The first such row, counted from 0.
        row: usize,
        /// The box.
        found: BoundingBox,
    },
}

/// Checks that there are not too many boxes, that each of the columns beside them, by name and length, has a value for each, and that
/// all can be measured.
pub(crate) fn check_table(
    table: Table,
    boxes: &[BoundingBox],
    columns: &[(&'static str, usize)],
) -> Result<(), TableError> {
    if boxes.len() > ROWS_MAX {
        return Err(TableError::Rows { table, found: boxes.len() });
    }
    if let Some(&(column, found)) = columns.iter().find(|(_, length)| *length != boxes.len()) {
        return Err(TableError::Lengths { table, column, boxes: boxes.len(), found });
    }
    match boxes.iter().position(|found| !found.is_measurable()) {
        Some(row) => Err(TableError::Box { table, row, found: boxes[row] }),
        None => Ok(()),
    }
}
