//! How well a tracker follows things through a clip: CLEAR MOT, identity and HOTA.
//!
//! ```
//! use foretell_insight::boxes::BoundingBox;
//! use foretell_insight::tracking::{Sequence, TrackingReport, Tracks};
//!
//! // One thing that stands still for four frames. The tracker sees it in all of them, and gives it a new id in the last.
//! let boxes = [BoundingBox { x: 5.0, y: 5.0, width: 10.0, height: 20.0 }; 4];
//! let frames = [0, 1, 2, 3];
//! let truths = Tracks { frames: &frames, ids: &[1, 1, 1, 1], boxes: &boxes, labels: None };
//! let hypotheses = Tracks { frames: &frames, ids: &[7, 7, 7, 8], boxes: &boxes, labels: None };
//! let report = TrackingReport::new(&[Sequence { name: "still", truths, hypotheses }])?;
//!
//! let figures = &report.overall;
//! assert_eq!((figures.switches, figures.false_positives, figures.misses), (1, 0, 0));
//! assert_eq!(figures.mota, Some(1.0 - 1.0 / 4.0));
//! assert_eq!(figures.idf1, Some(3.0 / 4.0));
//! // Every box is found, and boxes are 3/4 or 1/4 as well associated as they could be, three of them and one of them.
//! let (deta, assa) = (figures.deta.unwrap_or(0.0), figures.assa.unwrap_or(0.0));
//! assert!((deta - 1.0).abs() < 1e-12 && (assa - (3.0 * 0.75 + 0.25) / 4.0).abs() < 1e-12);
//! # Ok::<(), foretell_insight::tracking::TrackingError>(())
//! ```
//!
//! # Concepts
//! - A **truth** is a box that was drawn in a frame, and a **hypothesis** one that the tracker answered. Both have an **id**:
//!   boxes of one id are one thing, called an *object* where it was drawn and a *track* where it was found.
//! - Boxes of a frame **agree** as much as the intersection over union of both. Boxes of different labels do not agree.
//! - **CLEAR MOT** counts what goes wrong frame by frame: misses, false positives, and *switches*, where an object goes on with
//!   another track. **Identity** pairs each object with one track for the whole sequence. **HOTA** is the geometric mean of how
//!   well boxes are found and how well they are associated.
//!
//! # Contract
//! - CLEAR MOT and identity (Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance", EURASIP Journal on
//!   Image and Video Processing, 2008; Ristani et al., "Performance measures and a data set for multi-target, multi-camera
//!   tracking", ECCV 2016 workshops) are those of py-motmetrics 1.4.0, for boxes that agree by at least [`AGREEMENT_MIN`].
//! - HOTA (Luiten et al., "HOTA: A higher order metric for evaluating multi-object tracking", International Journal of Computer
//!   Vision 129, 2021) is that of TrackEval: the mean over the agreements 0.05, 0.10, ... 0.95.
//!
//! Golden files hold the figures of both programs. Several sequences are summed up by their counts, as both programs do: a long
//! sequence weighs more than a short one.
//!
//! A figure that does not exist is null, and [`TrackingReport::undefined`] says why.
//!
//! **Invariant:** no figure depends on how ids are numbered or on the order of sequences; and none depends on the order of rows,
//! but where pairs of boxes in a frame agree equally well, or where two objects were last found as the same track and both are
//! near it again: CLEAR MOT then gives it to the first row, as py-motmetrics does.
//!
//! **Invariant:** [`TRACKING_REPORT_VERSION`] changes when a field is removed or changes its meaning.
//!
//! # Pitfalls
//! - Boxes that shall not count, such as what benchmarks mark to be ignored, are the caller's to leave out: truths, and the
//!   hypotheses that lie on them.
//! - MOTA has no lower end: more false positives than truths make it negative. It is ruled by detection; read IDF1 and HOTA too.
//! - A tracker that answers only what it is sure of is precise. Look at misses.

mod clear;
mod frames;
mod hota;
mod identity;
mod report;

use crate::boxes::{BoundingBox, Table, TableError};

pub use report::{Figures, SequenceReport, TRACKING_REPORT_VERSION, TrackingReport};

/// How much boxes must agree to be the same thing, for CLEAR MOT and identity.
pub const AGREEMENT_MIN: f64 = 0.5;

/// The most boxes of either kind in one frame: each truth is compared with each hypothesis.
pub const FRAME_BOXES_MAX: usize = 1_000;

/// The most pairs of an object and a track in a sequence: identity has a table of all, of 8 bytes each.
pub const PAIRS_MAX: usize = 1 << 25;

/// Boxes with ids. Row `i` of every column is the same box; rows may come in any order.
#[derive(Debug, Clone, Copy)]
pub struct Tracks<'a> {
    /// Which frame it is in, from any number on.
    pub frames: &'a [i64],
    /// Which thing it is, at most once in a frame.
    pub ids: &'a [i64],
    /// Where it is, in pixels.
    pub boxes: &'a [BoundingBox],
    /// What it is, as a number that means the same for truths and hypotheses. None for both if all is alike.
    pub labels: Option<&'a [u32]>,
}

/// One clip.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was drawn.
    pub truths: Tracks<'a>,
    /// What the tracker answered.
    pub hypotheses: Tracks<'a>,
}

/// Why tracks cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("sequence `{sequence}`: {kind}")]
pub struct TrackingError {
    /// The name of the sequence.
    pub sequence: String,
    /// What is wrong with it.
    pub kind: TrackingErrorKind,
}

/// What is wrong with a sequence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackingErrorKind {
    /// The columns do not describe boxes.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Only one of the tables has labels.
    #[error("the {missing} have no labels, but the others have; give labels to both or to none")]
    Labels {
        /// The boxes without labels.
        missing: Table,
    },
    /// A thing is at two places at once.
    #[error("id {id} is there twice in frame {frame} of the {table}; an id marks one box in a frame")]
    Repeated {
        /// Of which boxes.
        table: Table,
        /// The frame.
        frame: i64,
        /// The id.
        id: i64,
    },
    /// A frame has too many boxes.
    #[error("expected at most {FRAME_BOXES_MAX} {table} in a frame, found {found} in frame {frame}")]
    Crowded {
        /// Of which boxes.
        table: Table,
        /// The frame.
        frame: i64,
        /// How many there are.
        found: usize,
    },
    /// There are too many ids.
    #[error(
        "{objects} objects and {tracks} tracks are more than {PAIRS_MAX} pairs; evaluate the sequence in shorter parts"
    )]
    Pairs {
        /// How many ids the truths have.
        objects: usize,
        /// How many ids the hypotheses have.
        tracks: usize,
    },
}
