//! How well boxes that a detector found agree with boxes that were drawn: average precision and recall as COCO defines them.
//!
//! ```
//! use foretell_insight::boxes::BoundingBox;
//! use foretell_insight::detection::{Columns, DetectionReport, Detections, Truths};
//!
//! let labels = ["car", "bicycle"].map(str::to_owned);
//! let square = |x| BoundingBox { x, y: 0.0, width: 50.0, height: 50.0 };
//! // Two images: two cars in the first, one in the second. The detector finds two of them, and a car that is none.
//! let truths = Truths {
//!     images: &[0, 0, 1],
//!     labels: &[0, 0, 0],
//!     boxes: &[square(0.0), square(100.0), square(0.0)],
//!     areas: None,
//!     crowds: None,
//! };
//! let detections = Detections {
//!     images: &[0, 1, 0],
//!     labels: &[0, 0, 0],
//!     boxes: &[square(0.0), square(200.0), square(100.0)],
//!     scores: &[0.9, 0.8, 0.7],
//! };
//! let columns = Columns { images: 2, labels: &labels, truths, detections };
//! let report = DetectionReport::new(&columns, None)?;
//!
//! // Recall 0 to 1/3 at precision 1, that is 34 of the 101 points; up to 2/3 at precision 2/3, 33 points more.
//! let ap50 = report.ap50.expect("there are boxes to find").value;
//! assert!((ap50 - (34.0 + 33.0 * 2.0 / 3.0) / 101.0).abs() < 1e-12);
//! assert!(report.classes[1].ap.is_none(), "there is no bicycle to find");
//! # Ok::<(), foretell_insight::detection::DetectionError>(())
//! ```
//!
//! # Concepts
//! - A **truth** is a box that was drawn by hand, and a **detection** one that was found. Both have an image and a label.
//! - A detection **hits** a truth of its image and label when the intersection over union of both is at least a
//!   **threshold**. The best detection chooses first, the truth that it agrees with best, and a truth can be hit once; a
//!   detection without a truth left is *false*.
//! - **Precision** is the share of detections that hit, **recall** the share of truths that are hit, both among the detections
//!   above some score. *Average precision* (AP) is the mean over the recalls 0, 0.01, ... 1 of the greatest precision at that
//!   recall or a greater one, 0 where that recall is never reached.
//! - A **crowd** is a region with so many things that nobody drew each: it need not be found, and what is found in it is not
//!   counted at all. A detection lies in a crowd with the share of its own area.
//!
//! # Contract
//! The definition is that of the COCO evaluation (Lin et al., "Microsoft COCO: Common objects in context", ECCV 2014; the
//! rules stand in its program, pycocotools), and the figures are those of pycocotools (golden files):
//! - thresholds 0.50, 0.55, ... 0.95, and the mean over them where a figure names none;
//! - only the [`DETECTIONS_MAX`] best detections of a label in an image;
//! - means over the labels that have a truth; a figure without any is null, where pycocotools writes -1;
//! - *small* truths have an area up to 32 x 32, *medium* ones from there to 96 x 96, *large* ones above; others are not
//!   counted, and neither are false detections of another area. The area of a truth is a column of its own, because COCO's
//!   is that of the outline, not of the box.
//!
//! Time is linear in the detections, but for sorting them and for the truths of one label in one image, which are all
//! compared. An interval draws images, not boxes, and matches nothing again.
//!
//! **Invariant:** no figure depends on the order of rows, but for detections of equal score, and truths that a detection agrees
//! with equally well: of these it hits the last.
//!
//! **Invariant:** [`DETECTION_REPORT_VERSION`] changes when a field is removed or changes its meaning.
//!
//! # Pitfalls
//! - Detections of *equal score* are taken in the order of images, and in one image in that of rows, as pycocotools does. A
//!   detector that rounds its scores to two digits gets figures that depend on that.
//! - Do not cut detections at a score: AP wants all of them, and a detector that answers only above 0.5 loses recall.
//! - AP of a few boxes moves a lot. Ask for intervals; but where a label has few boxes, they lie too high, as an image that is
//!   drawn twice repeats its luck.
//! - Two labels weigh alike in the mean, whether there are ten boxes of them or ten thousand.

mod curve;
mod matching;
mod report;

use crate::bootstrap::BootstrapError;
use crate::boxes::{BoundingBox, ROWS_MAX, Table, TableError, check_table};

pub use report::{DETECTION_REPORT_VERSION, DetectionReport, LabelReport};

/// The most detections of one label in one image that are counted: the best ones.
pub const DETECTIONS_MAX: usize = 100;

/// The most labels.
pub const LABELS_MAX: usize = 100_000;

/// How many thresholds of the intersection over union there are.
const THRESHOLDS: usize = 10;

/// The thresholds 0.50, 0.55, ... 0.95, to the last bit those of NumPy's `linspace` in pycocotools.
fn thresholds() -> [f64; THRESHOLDS] {
    let (first, last) = (0.5, 0.95);
    let step = (last - first) / (THRESHOLDS - 1) as f64;
    std::array::from_fn(|n| if n + 1 == THRESHOLDS { last } else { first + n as f64 * step })
}

/// Boxes that were drawn. Row `i` of every column is the same box.
#[derive(Debug, Clone, Copy)]
pub struct Truths<'a> {
    /// Which image it is in, counted from 0.
    pub images: &'a [u32],
    /// The place of its label in [`Columns::labels`].
    pub labels: &'a [u32],
    /// Where it is, in pixels.
    pub boxes: &'a [BoundingBox],
    /// How large the thing is, in square pixels, to tell small from large; None takes the area of the box.
    pub areas: Option<&'a [f64]>,
    /// Whether it is a crowd; None if there are no crowds.
    pub crowds: Option<&'a [bool]>,
}

/// Boxes that were found. Row `i` of every column is the same box.
#[derive(Debug, Clone, Copy)]
pub struct Detections<'a> {
    /// Which image it is in, counted from 0.
    pub images: &'a [u32],
    /// The place of its label in [`Columns::labels`].
    pub labels: &'a [u32],
    /// Where it is, in pixels.
    pub boxes: &'a [BoundingBox],
    /// How sure the detector is; greater is surer.
    pub scores: &'a [f64],
}

/// What is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// How many images were looked at, also those in which there is nothing.
    pub images: usize,
    /// The name of each label.
    pub labels: &'a [String],
    /// What was drawn.
    pub truths: Truths<'a>,
    /// What was found.
    pub detections: Detections<'a>,
}

/// Why boxes cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectionError {
    /// The columns do not describe boxes.
    #[error(transparent)]
    Table(#[from] TableError),
    /// There are no images, or too many.
    #[error("expected 1 to {ROWS_MAX} images, found {found}; name every image that was looked at")]
    Images {
        /// How many there are.
        found: usize,
    },
    /// There are no labels, or too many.
    #[error("expected 1 to {LABELS_MAX} labels, found {found}")]
    Labels {
        /// How many there are.
        found: usize,
    },
    /// A box is in an image that there is not.
    #[error("row {row} of the {table} is in image {found}; there are {images}, counted from 0")]
    UnknownImage {
        /// Of which boxes.
        table: Table,
        /// The first such row, counted from 0.
        row: usize,
        /// Its image.
        found: u32,
        /// How many images there are.
        images: usize,
    },
    /// A box has a label that there is not.
    #[error("row {row} of the {table} has label number {found}; there are {labels}, counted from 0")]
    UnknownLabel {
        /// Of which boxes.
        table: Table,
        /// The first such row, counted from 0.
        row: usize,
        /// Its label.
        found: u32,
        /// How many labels there are.
        labels: usize,
    },
    /// An area is no area.
    #[error("row {row} of the truths has the area {found}; expected a number of at least 0")]
    Area {
        /// The first such row, counted from 0.
        row: usize,
        /// Its area.
        found: f64,
    },
    /// A score is no number.
    #[error("row {row} of the detections has a score that is not a number; leave such detections out")]
    Score {
        /// The first such row, counted from 0.
        row: usize,
    },
    /// The settings of the intervals are wrong.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
}

impl Columns<'_> {
    fn check(&self) -> Result<(), DetectionError> {
        if !(1..=ROWS_MAX).contains(&self.images) {
            return Err(DetectionError::Images { found: self.images });
        }
        if !(1..=LABELS_MAX).contains(&self.labels.len()) {
            return Err(DetectionError::Labels { found: self.labels.len() });
        }
        let Columns { truths, detections, .. } = self;
        let rows = truths.boxes.len();
        let columns = [
            ("images", truths.images.len()),
            ("labels", truths.labels.len()),
            ("areas", truths.areas.map_or(rows, <[f64]>::len)),
            ("crowds", truths.crowds.map_or(rows, <[bool]>::len)),
        ];
        check_table(Table::Truths, truths.boxes, &columns)?;
        self.check_places(Table::Truths, truths.images, truths.labels)?;
        if let Some(areas) = truths.areas
            && let Some(row) = areas.iter().position(|area| !(area.is_finite() && *area >= 0.0))
        {
            return Err(DetectionError::Area { row, found: areas[row] });
        }
        let columns = [
            ("images", detections.images.len()),
            ("labels", detections.labels.len()),
            ("scores", detections.scores.len()),
        ];
        check_table(Table::Detections, detections.boxes, &columns)?;
        self.check_places(Table::Detections, detections.images, detections.labels)?;
        match detections.scores.iter().position(|score| score.is_nan()) {
            Some(row) => Err(DetectionError::Score { row }),
            None => Ok(()),
        }
    }

    /// Checks that the images and labels of boxes are there.
    fn check_places(&self, table: Table, images: &[u32], labels: &[u32]) -> Result<(), DetectionError> {
        let total = self.images;
        if let Some(row) = images.iter().position(|image| *image as usize >= total) {
            return Err(DetectionError::UnknownImage { table, row, found: images[row], images: total });
        }
        let total = self.labels.len();
        match labels.iter().position(|label| *label as usize >= total) {
            Some(row) => Err(DetectionError::UnknownLabel { table, row, found: labels[row], labels: total }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn thresholds_are_those_of_numpy() {
        // `numpy.linspace(0.5, 0.95, 10)`: the ninth is a bit below 0.9.
        assert_eq!(
            super::thresholds(),
            [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95]
        );
    }
}
