//! Inner corners of a chessboard in a grey image.
//!
//! Corners are found one by one, as points around which black and white alternate (S. Bennett and J. Lasenby, "ChESS: quick and
//! robust detection of chess-board features", 2014; crate `chess-corners`), joined with their neighbours along the edges of the
//! squares, and counted. The whole pattern must be seen: of a part, nobody could say which part it is.

mod grid;
mod refine;

use chess_corners::{Detector, DetectorConfig};

use grid::{Corner, Grid};

/// The most corners along a side of a pattern.
pub const PATTERN_SIDE_MAX: usize = 100;

/// The largest image that is looked at.
pub const CHESSBOARD_PIXELS_MAX: usize = 1 << 27;

/// The smallest side of an image that can hold a chessboard.
pub const CHESSBOARD_SIDE_PIXELS_MIN: usize = 32;

/// More corners of an image than this are no chessboard, but a texture: the strongest are looked at.
pub const CORNERS_MAX: usize = 20_000;

/// How many of the corners of a pattern may be hidden, by a reflection or a finger: these are looked for where they must be.
const HIDDEN_SHARE_MAX: f64 = 0.1;

/// How strong a corner must be to take part, as shares of a usual one: first without the corners of wrinkles and reflections, which
/// are weak, then with more and more of them, for boards that are lit unevenly.
const STRENGTH_SHARES: [f32; 3] = [0.3, 0.1, 0.0];

/// Samples of a grey image, row by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grey<'a> {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` samples, 0 is black.
    pub samples: &'a [u8],
}

/// How many inner corners a chessboard has: one less than squares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    columns: usize,
    rows: usize,
}

impl Pattern {
    /// The fewest corners along a side.
    pub const SIDE_MIN: usize = 3;

    /// A pattern of so many inner corners along its sides.
    ///
    /// # Errors
    /// [`ChessboardError::Pattern`]: a side below 3 or above 100.
    pub fn new(columns: usize, rows: usize) -> Result<Self, ChessboardError> {
        let sides = Self::SIDE_MIN..=PATTERN_SIDE_MAX;
        if sides.contains(&columns) && sides.contains(&rows) {
            Ok(Self { columns, rows })
        } else {
            Err(ChessboardError::Pattern { columns, rows })
        }
    }

    /// Inner corners along a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of inner corners.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The corners on the board, in squares from the first, row by row: the order of what [`find_chessboard`] finds.
    pub fn corners(&self) -> impl Iterator<Item = [f64; 2]> {
        let columns = self.columns;
        (0..self.rows * columns).map(move |corner| [(corner % columns) as f64, (corner / columns) as f64])
    }
}

/// Why there is no chessboard.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChessboardError {
    /// No such pattern.
    #[error(
        "a pattern of {columns} x {rows} inner corners; expected {} to {PATTERN_SIDE_MAX} along each side (one less than squares)",
        Pattern::SIDE_MIN
    )]
    Pattern {
        /// Along a row.
        columns: usize,
        /// Rows.
        rows: usize,
    },
    /// Not an image.
    #[error(
        "expected an image of 1 to {CHESSBOARD_PIXELS_MAX} pixels with a sample for each; found {width} x {height} with {samples} samples"
    )]
    Image {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// How many there are.
        samples: usize,
    },
    /// Nothing in it looks like a chessboard.
    #[error("no chessboard is seen")]
    None,
    /// One is seen, but not all of it, or another one.
    #[error(
        "a grid of {columns} x {rows} inner corners is seen ({seen} of them), not the whole pattern; show all of the board"
    )]
    Part {
        /// Along one side.
        columns: usize,
        /// Along the other.
        rows: usize,
        /// How many there are.
        seen: usize,
    },
}

/// The inner corners of the chessboard of an image, in pixels, row by row in the order of [`Pattern::corners`]. The first
/// is the one at the end of the board that is nearest to the left upper corner of the image; rows follow to the right of
/// columns, so that the board is never seen in a mirror.
///
/// # Errors
/// [`ChessboardError`]: no image, no chessboard, or not the whole pattern.
pub fn find_chessboard(image: Grey<'_>, pattern: Pattern) -> Result<Vec<[f64; 2]>, ChessboardError> {
    let Grey { width, height, samples } = image;
    let sides = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let pixels = width.checked_mul(height).filter(|pixels| (1..=CHESSBOARD_PIXELS_MAX).contains(pixels));
    let (Some((across, down)), true) = (sides, pixels == Some(samples.len())) else {
        return Err(ChessboardError::Image { width, height, samples: samples.len() });
    };
    if width.min(height) < CHESSBOARD_SIDE_PIXELS_MIN {
        return Err(ChessboardError::None);
    }
    // Its own refinement of places is left out: corners are refined below, over as many pixels as a square allows.
    let found = Detector::new(DetectorConfig::chess())
        .and_then(|mut detector| detector.detect_u8(samples, across, down));
    // What the detector refuses are settings and sizes, and these are right.
    let mut found = found.unwrap_or_default();
    found.sort_by(|left, right| right.response.total_cmp(&left.response));
    found.truncate(CORNERS_MAX);
    // Of as many as the pattern has, the one in the middle tells how strong corners of squares are here.
    let usual = found.get(pattern.columns * pattern.rows / 2).map_or(0.0, |corner| corner.response);
    let mut why = ChessboardError::None;
    for share in STRENGTH_SHARES {
        let strong = found.partition_point(|corner| corner.response >= usual * share);
        let corners = found[..strong].iter().filter_map(|found| {
            let [first, second] = found.axes?;
            let place = [f64::from(found.x), f64::from(found.y)];
            Some(Corner { place, axes: [first.angle, second.angle].map(f64::from) })
        });
        for grid in Grid::all(&corners.collect::<Vec<_>>()) {
            let board = grid.cut(pattern, HIDDEN_SHARE_MAX);
            if let Some(corners) = board.and_then(|board| refine::all(image, pattern, &board)) {
                return Ok(corners);
            }
            let ((columns, rows), seen) = (grid.extent(), grid.len());
            let (columns, rows) = (columns.max(rows), columns.min(rows));
            // The largest grid comes first, and the strongest corners know best.
            if why == ChessboardError::None && rows >= Pattern::SIDE_MIN {
                why = ChessboardError::Part { columns, rows, seen };
            }
        }
    }
    Err(why)
}
