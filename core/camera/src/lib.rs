//! A camera as numbers: what it sees where, how it is calibrated, and the ground before it.
//!
//! ```
//! use foretell_camera::{Camera, Mount};
//!
//! // Nothing is known but that 90 degrees are on a picture of 1280 x 720 pixels, taken from 1.3 m above the ground.
//! let mount = Mount { height: 1.3, pitch: 0.03, yaw: 0.0 };
//! let camera = Camera::guess(1280, 720, std::f64::consts::FRAC_PI_2, mount)?;
//!
//! // How far away is the ground in the middle of the lower half?
//! let [ahead, right] = camera.ground([639.5, 540.0]).unwrap();
//! assert!((ahead - 4.1).abs() < 0.1 && right.abs() < 1e-9);
//!
//! // The same camera for pictures that were scaled down by half.
//! let small = camera.scaled([1280, 720], [640, 360])?;
//! assert!((small.ground([319.5, 269.75]).unwrap()[0] - ahead).abs() < 1e-9);
//! # Ok::<(), foretell_camera::CameraError>(())
//! ```
//!
//! # Concepts
//! - A [`Camera`] is 12 numbers: a pinhole, the distortion of its [`Lens`] as OpenCV counts it, and its [`Mount`] above the
//!   ground.
//! - A *pixel* is where something is in the camera's image; the middle of the left upper pixel is (0, 0). A *direction* is
//!   `[x / z, y / z]` of a point in front of the camera: what is left of a pixel when camera and lens are taken out.
//! - The *ground* is flat, and its points are `[metres ahead, metres to the right]`.
//! - A [`Homography`] maps one plane to another.
//!
//! # Contract
//! Everything is a pure function of its arguments. Numbers of a camera are checked once, when it is made; what has no answer
//! (a pixel of the sky, a point behind the camera) is `None`, never NaN.
//!
//! **Invariant:** this crate takes numbers and grey samples; it opens no file, and depends on no other crate of foretell.
//!
//! # Pitfalls
//! - Numbers of a camera belong to one size of image. [`Camera::scaled`] takes them to another.
//! - Near the horizon a pixel is many metres of ground. With a pitch that is off by a hundredth of a radian, 30 m become 40.
//! - The model of a lens is a polynomial that was fitted to what was seen. Far outside it turns back, and has no answer.

mod calibration;
mod camera;
mod chessboard;
mod homography;
mod lens;
mod mount;

pub use calibration::{CALIBRATION_VIEWS_MAX, CalibrateError, Calibration, ViewFit, calibrate};
pub use camera::{
    CAMERA_NUMBER_NAMES, CAMERA_NUMBERS, CAMERA_SIDE_PIXELS_MAX, Camera, FOCAL_PIXELS_MIN,
    MOUNT_HEIGHT_METRES_MAX, MOUNT_HEIGHT_METRES_MIN,
};
pub use chessboard::{
    CHESSBOARD_PIXELS_MAX, CHESSBOARD_SIDE_PIXELS_MIN, CORNERS_MAX, ChessboardError, Grey, PATTERN_SIDE_MAX,
    Pattern, find_chessboard,
};
pub use homography::Homography;
pub use lens::Lens;
pub use mount::Mount;

/// Why numbers are no camera.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CameraError {
    /// Too few or too many.
    #[error(
        "expected {CAMERA_NUMBERS} numbers of a camera ({}), found {found}",
        CAMERA_NUMBER_NAMES.join(", ")
    )]
    Count {
        /// How many there are.
        found: usize,
    },
    /// One of them is out of its range.
    #[error("the camera's `{name}` is {found}; expected {least} to {most}")]
    Number {
        /// Which one.
        name: &'static str,
        /// The least that is allowed.
        least: f64,
        /// The most that is allowed.
        most: f64,
        /// What it is.
        found: f64,
    },
    /// An image without pixels has no camera.
    #[error("expected a size of at least 1 x 1 pixels, found {width} x {height}")]
    Size {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
}
