//! Lanes in metres: what a mask of the lane ahead means on the ground, how it is drawn, and how the camera that is needed for it
//! is calibrated and kept.
//!
//! A plugin says for each pixel whether it is the left line, the right line or the surface between them ([`Mask`]). A camera whose
//! mount is known takes the lines to the ground, where they are parallel curves ([`measure`]), and back ([`draw`]).
//!
//! A camera has two halves, and both come from pictures: its lens from a chessboard that is held before it
//! ([`calibrate_folder`]), its mount from a straight road whose lane has a known width ([`mount_of_road`]). Together they are a file
//! of TOML ([`CameraFile`]).

mod calibrate;
mod camera_file;
mod drawing;
mod geometry;
mod mask;
mod road;

#[cfg(test)]
mod tests;

pub use calibrate::{
    CHESSBOARD_PICTURES_MAX, CalibrateFolderError, CalibrateFolderErrorKind, FolderCalibration, LeftOut,
    Used, calibrate_folder,
};
pub use camera_file::{
    CAMERA_FILE_BYTES_MAX, CAMERA_SCHEMA, CalibrationNote, CameraFile, CameraFileError, CameraFileErrorKind,
    ImageSize, LensNumbers, MountNumbers,
};
pub use drawing::draw;
pub use geometry::{Lane, STRAIGHT_RADIUS_METRES, measure};
pub use mask::{LEFT, MASK_PIXELS_MAX, Mask, MaskError, RIGHT, SURFACE};
pub use road::{RoadError, mount_of_road};
