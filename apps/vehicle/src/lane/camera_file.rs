//! A camera as a file.

use std::fs;
use std::path::{Path, PathBuf};

use foretell_camera::{Camera, CameraError};
use serde::{Deserialize, Serialize};

/// Version of the format.
pub const CAMERA_SCHEMA: u32 = 1;

/// The most bytes of a file: a hundred times what one needs.
pub const CAMERA_FILE_BYTES_MAX: u64 = 64 << 10;

/// A camera as a file of TOML, with the size of image that its numbers are for.
///
/// ```toml
/// schema = 1
///
/// [image]
/// width_pixels = 1280
/// height_pixels = 720
///
/// [lens]
/// focal_x_pixels = 1157.2
/// focal_y_pixels = 1152.4
/// centre_x_pixels = 666.1
/// centre_y_pixels = 388.6
/// k1 = -0.24
/// k2 = -0.08
/// p1 = -0.0008
/// p2 = -0.0001
/// k3 = 0.10
///
/// [mount]
/// height_metres = 1.25
/// pitch_radians = -0.026
/// yaw_radians = 0.027
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraFile {
    /// [`CAMERA_SCHEMA`].
    pub schema: u32,
    /// The size of the images that the lens's numbers are for.
    pub image: ImageSize,
    /// The lens, in pixels of such an image.
    pub lens: LensNumbers,
    /// How the camera is mounted.
    pub mount: MountNumbers,
    /// How the lens was calibrated, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationNote>,
}

/// A size of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSize {
    /// Pixels of a row.
    pub width_pixels: usize,
    /// Rows.
    pub height_pixels: usize,
}

/// A pinhole with OpenCV's model of distortion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LensNumbers {
    /// Focal length along x.
    pub focal_x_pixels: f64,
    /// Focal length along y.
    pub focal_y_pixels: f64,
    /// Where the optical axis meets the image, along x.
    pub centre_x_pixels: f64,
    /// And along y.
    pub centre_y_pixels: f64,
    /// Radial, of the squared radius.
    pub k1: f64,
    /// Radial, of its square.
    pub k2: f64,
    /// Tangential.
    pub p1: f64,
    /// Tangential.
    pub p2: f64,
    /// Radial, of its cube.
    pub k3: f64,
}

/// How a camera is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountNumbers {
    /// Above the road.
    pub height_metres: f64,
    /// Positive looks down.
    pub pitch_radians: f64,
    /// Positive looks right.
    pub yaw_radians: f64,
}

/// How a lens was calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationNote {
    /// How far corners were from where the camera projects them: root of the mean square.
    pub rms_pixels: f64,
    /// Pictures that it was calibrated from.
    pub pictures: usize,
}

/// A camera file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the camera file `{}` can't be used", path.display())]
pub struct CameraFileError {
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub kind: CameraFileErrorKind,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CameraFileErrorKind {
    /// It is not there, or the system said no.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// Too large for a camera.
    #[error("{found} bytes; expected at most {CAMERA_FILE_BYTES_MAX}")]
    Bytes {
        /// How many there are.
        found: u64,
    },
    /// Not the TOML of a camera.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Of another version.
    #[error("`schema` is {found}; this program knows {CAMERA_SCHEMA}")]
    Schema {
        /// Which one.
        found: u32,
    },
    /// Its numbers are no camera.
    #[error("{0}")]
    Camera(#[from] CameraError),
}

impl CameraFile {
    /// The file of a camera whose numbers are for images of `size` pixels, width and height.
    pub fn new(camera: &Camera, size: [usize; 2], calibration: Option<CalibrationNote>) -> CameraFile {
        let [fx, fy, cx, cy, k1, k2, p1, p2, k3, height, pitch, yaw] = camera.numbers();
        CameraFile {
            schema: CAMERA_SCHEMA,
            image: ImageSize { width_pixels: size[0], height_pixels: size[1] },
            lens: LensNumbers {
                focal_x_pixels: fx,
                focal_y_pixels: fy,
                centre_x_pixels: cx,
                centre_y_pixels: cy,
                k1,
                k2,
                p1,
                p2,
                k3,
            },
            mount: MountNumbers { height_metres: height, pitch_radians: pitch, yaw_radians: yaw },
            calibration,
        }
    }

    /// The camera, for images of `size` pixels.
    ///
    /// # Errors
    /// [`CameraError`]: a number out of its range, or a size without pixels.
    pub fn camera(&self, size: [usize; 2]) -> Result<Camera, CameraError> {
        let CameraFile { image, lens, mount, .. } = self;
        let camera = Camera::from_numbers(&[
            lens.focal_x_pixels,
            lens.focal_y_pixels,
            lens.centre_x_pixels,
            lens.centre_y_pixels,
            lens.k1,
            lens.k2,
            lens.p1,
            lens.p2,
            lens.k3,
            mount.height_metres,
            mount.pitch_radians,
            mount.yaw_radians,
        ])?;
        camera.scaled([image.width_pixels, image.height_pixels], size)
    }

    /// Reads a file, and checks that it is a camera.
    ///
    /// # Errors
    /// [`CameraFileError`].
    pub fn read(path: &Path) -> Result<CameraFile, CameraFileError> {
        let read = || {
            let found = fs::metadata(path)?.len();
            if found > CAMERA_FILE_BYTES_MAX {
                return Err(CameraFileErrorKind::Bytes { found });
            }
            let file: CameraFile = toml::from_str(&fs::read_to_string(path)?)?;
            if file.schema != CAMERA_SCHEMA {
                return Err(CameraFileErrorKind::Schema { found: file.schema });
            }
            file.camera([file.image.width_pixels, file.image.height_pixels])?;
            Ok(file)
        };
        read().map_err(|kind| CameraFileError { path: path.to_owned(), kind })
    }

    /// Its text.
    pub fn text(&self) -> String {
        let body = toml::to_string(self).expect("a camera is numbers in tables");
        format!(
            "# A camera, as `foretell-vehicle calibrate` wrote it. Angles: down and right are positive.\n{body}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [f64; 12] =
        [1157.203, 1152.448, 666.08, 388.64, -0.2385, -0.0828, -8.3e-4, -1e-4, 0.1032, 1.25, -0.026, 0.027];

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("camera.toml");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn what_is_written_reads_back_as_the_same() {
        let camera = Camera::from_numbers(&NUMBERS).unwrap();
        for note in [None, Some(CalibrationNote { rms_pixels: 0.85, pictures: 17 })] {
            let file = CameraFile::new(&camera, [1280, 720], note);
            let (_directory, path) = written(&file.text());
            let read = CameraFile::read(&path).unwrap();
            assert_eq!(read, file);
            assert_eq!(read.camera([1280, 720]).unwrap().numbers(), NUMBERS);
            assert!((read.camera([640, 360]).unwrap().focal[0] - NUMBERS[0] / 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_camera_says_why() {
        let right = CameraFile::new(&Camera::from_numbers(&NUMBERS).unwrap(), [1280, 720], None).text();
        for (from, to, message) in [
            ("schema = 1", "schema = 2", "`schema` is 2; this program knows 1"),
            ("focal_x_pixels = 1157.203", "focal_x_pixels = -1.0", "`fx` is -1"),
            ("height_metres = 1.25", "height_metres = nan", "`height` is NaN"),
            ("height_metres", "height_feet", "unknown field `height_feet`"),
            ("width_pixels = 1280", "width_pixels = 0", "0 x 720"),
            ("[mount]", "[mount", "TOML parse error"),
        ] {
            assert!(right.contains(from), "{from}");
            let (_directory, path) = written(&right.replace(from, to));
            let error = CameraFile::read(&path).unwrap_err();
            assert!(error.to_string().contains("camera.toml"), "{error}");
            assert!(error.kind.to_string().contains(message), "{}", error.kind);
        }
        let (_directory, path) = written(&" ".repeat(CAMERA_FILE_BYTES_MAX as usize + 1));
        assert!(matches!(CameraFile::read(&path).unwrap_err().kind, CameraFileErrorKind::Bytes { .. }));
        let nowhere = path.with_file_name("nowhere.toml");
        assert!(matches!(CameraFile::read(&nowhere).unwrap_err().kind, CameraFileErrorKind::File(_)));
    }
}
