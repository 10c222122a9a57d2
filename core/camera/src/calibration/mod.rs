//! A camera from pictures of a chessboard.
//!
//! Z. Zhang, "A flexible new technique for camera calibration", 2000: each picture of a flat pattern is a homography, two equations
//! for the camera ([`start`]); from there, all numbers together are moved until the corners are projected nearest to where they
//! are seen ([`solve`]).

mod solve;
mod start;

use nalgebra::{Matrix3, Vector3};

use crate::{Camera, CameraError, Homography, Lens, Mount, Pattern};

/// The most pictures of a calibration.
pub const CALIBRATION_VIEWS_MAX: usize = 1_000;

/// The fewest: two give a camera without distortion, three have a say about whether it fits.
const VIEWS_MIN: usize = 3;

/// A calibrated camera, not mounted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Focal lengths along x and y, in pixels.
    pub focal: [f64; 2],
    /// Where the optical axis meets the image, in pixels.
    pub centre: [f64; 2],
    /// The distortion.
    pub lens: Lens,
    /// How far corners are from where the camera projects them, in pixels: the root of the mean square over all of them.
    pub rms_pixels: f64,
    /// The pictures, in their order.
    pub views: Vec<ViewFit>,
}

/// A picture of a calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewFit {
    /// As [`Calibration::rms_pixels`], of this picture alone.
    pub rms_pixels: f64,
    /// How the board is turned: the rows of the matrix that takes its axes to those of the camera.
    pub rotation: [[f64; 3]; 3],
    /// Where its first corner is, in squares to the right of the camera, down, and ahead.
    pub place: [f64; 3],
}

impl Calibration {
    /// The camera, mounted.
    ///
    /// # Errors
    /// [`CameraError`]: a number out of its range.
    pub fn camera(&self, mount: Mount) -> Result<Camera, CameraError> {
        let Self { focal, centre, lens, .. } = *self;
        Camera::from_numbers(&Camera { focal, centre, lens, mount }.numbers())
    }
}

/// Why there is no calibration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// Too few or too many pictures.
    #[error(
        "expected {VIEWS_MIN} to {CALIBRATION_VIEWS_MAX} pictures of the whole chessboard, found {found}"
    )]
    Views {
        /// How many there are.
        found: usize,
    },
    /// Not as many corners as the pattern has, or one that is no point.
    #[error("picture {view} has {found} corners; expected {expected}, each two finite numbers")]
    Corners {
        /// Which one, from 0.
        view: usize,
        /// How many the pattern has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// An image without pixels.
    #[error("expected a size of at least 1 x 1 pixels, found {width} x {height}")]
    Size {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The board lies on a line in one of them, or all show it from straight ahead: no camera can be told from that.
    #[error("the pictures do not determine a camera; tilt the board to different sides, by 30 degrees or so")]
    Undetermined,
}

/// How a board is turned and where it is: `rotation * corner + place`, in squares.
#[derive(Clone, Copy, Debug)]
struct Pose {
    rotation: Matrix3<f64>,
    place: Vector3<f64>,
}

/// Focal lengths, centre and distortion in the order of [`Camera::numbers`].
const INTRINSICS: usize = 9;

/// The camera that has seen a chessboard's corners (as of [`find_chessboard`](crate::find_chessboard)) in several pictures of
/// `size` pixels, width and height.
///
/// All five numbers of the distortion are free. Corners to the edges of the pictures, and boards that are tilted, determine them;
/// without, they are large numbers that cancel each other, and [`Lens::distort`] has no answer far outside.
///
/// # Errors
/// [`CalibrateError`].
pub fn calibrate(
    views: &[Vec<[f64; 2]>],
    pattern: Pattern,
    size: [usize; 2],
) -> Result<Calibration, CalibrateError> {
    let [width, height] = size;
    if width == 0 || height == 0 {
        return Err(CalibrateError::Size { width, height });
    }
    if !(VIEWS_MIN..=CALIBRATION_VIEWS_MAX).contains(&views.len()) {
        return Err(CalibrateError::Views { found: views.len() });
    }
    let board: Vec<[f64; 2]> = pattern.corners().collect();
    for (view, corners) in views.iter().enumerate() {
        let is_finite = corners.iter().flatten().all(|side| side.is_finite());
        if corners.len() != board.len() || !is_finite {
            return Err(CalibrateError::Corners { view, expected: board.len(), found: corners.len() });
        }
    }
    let mappings: Option<Vec<Homography>> =
        views.iter().map(|corners| Homography::fit(&board, corners)).collect();
    let mappings = mappings.ok_or(CalibrateError::Undetermined)?;
    let centre = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
    let focal = start::focal(&mappings, centre).ok_or(CalibrateError::Undetermined)?;
    let poses: Option<Vec<Pose>> =
        mappings.iter().map(|mapping| start::pose(mapping, focal, centre)).collect();
    let poses = poses.ok_or(CalibrateError::Undetermined)?;
    let numbers = [focal[0], focal[1], centre[0], centre[1], 0.0, 0.0, 0.0, 0.0, 0.0];
    solve::solve(views, &board, numbers.into(), poses).ok_or(CalibrateError::Undetermined)
}
