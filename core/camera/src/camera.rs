//! The camera: what projects a point in front of it to a pixel.

use crate::lens::Lens;
use crate::{CameraError, Mount};

/// Numbers of a camera as records and files hold them; see [`Camera::from_numbers`].
pub const CAMERA_NUMBERS: usize = 12;

/// Their names, in order.
pub const CAMERA_NUMBER_NAMES: [&str; CAMERA_NUMBERS] =
    ["fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "height", "pitch", "yaw"];

/// The longest focal length, and the farthest principal point from the corner of the image.
pub const CAMERA_SIDE_PIXELS_MAX: f64 = 1e6;

/// The shortest focal length.
pub const FOCAL_PIXELS_MIN: f64 = 1e-3;

/// How low a camera may be mounted.
pub const MOUNT_HEIGHT_METRES_MIN: f64 = 1e-3;

/// How high a camera may be mounted.
pub const MOUNT_HEIGHT_METRES_MAX: f64 = 1_000.0;

/// A pinhole camera with the distortion of its lens, and how it is mounted above a flat ground.
///
/// Pixels are counted as OpenCV counts them: the middle of the left upper pixel is (0, 0). Points in front of the camera
/// are in metres, `x` to the right, `y` down and `z` ahead along the optical axis.
///
/// ```
/// use foretell_camera::Camera;
///
/// // 1280 x 720 pixels, no distortion, 1.2 m above the ground, looking down by .02 radians.
/// let camera = Camera::from_numbers(&[1150.0, 1150.0, 639.5, 359.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.2, 0.02, 0.0])?;
/// let pixel = camera.pixel_of_ground([15.0, -1.8]).unwrap();
/// let [ahead, right] = camera.ground(pixel).unwrap();
/// assert!((ahead - 15.0).abs() < 1e-9 && (right + 1.8).abs() < 1e-9);
/// # Ok::<(), foretell_camera::CameraError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Focal lengths along x and y, in pixels.
    pub focal: [f64; 2],
    /// Where the optical axis meets the image, in pixels.
    pub centre: [f64; 2],
    /// What the lens does to straight lines.
    pub lens: Lens,
    /// How the camera is mounted.
    pub mount: Mount,
}

impl Camera {
    /// A camera from its 12 numbers: `fx, fy, cx, cy` in pixels, `k1, k2, p1, p2, k3` of OpenCV's model of distortion, then the
    /// height above the ground in metres, pitch (positive looks down) and yaw (positive looks right) in radians.
    ///
    /// # Errors
    /// [`CameraError`]: not 12 numbers, or one of them out of its range.
    pub fn from_numbers(numbers: &[f64]) -> Result<Self, CameraError> {
        let &[fx, fy, cx, cy, k1, k2, p1, p2, k3, height, pitch, yaw] = numbers else {
            return Err(CameraError::Count { found: numbers.len() });
        };
        let right_angle = std::f64::consts::FRAC_PI_2;
        let ranges = [
            (0..2, FOCAL_PIXELS_MIN, CAMERA_SIDE_PIXELS_MAX),
            (2..4, -CAMERA_SIDE_PIXELS_MAX, CAMERA_SIDE_PIXELS_MAX),
            (4..9, -Lens::COEFFICIENT_MAX, Lens::COEFFICIENT_MAX),
            (9..10, MOUNT_HEIGHT_METRES_MIN, MOUNT_HEIGHT_METRES_MAX),
            (10..12, -right_angle, right_angle),
        ];
        for (places, least, most) in ranges {
            for place in places {
                let found = numbers[place];
                // A NaN is in no range.
                if !(least..=most).contains(&found) {
                    let name = CAMERA_NUMBER_NAMES[place];
                    return Err(CameraError::Number { name, least, most, found });
                }
            }
        }
        Ok(Self {
            focal: [fx, fy],
            centre: [cx, cy],
            lens: Lens { k1, k2, p1, p2, k3 },
            mount: Mount { height, pitch, yaw },
        })
    }

    /// A guess for a camera of which nothing is known but the size of its images: square pixels, the optical axis through
    /// their middle, no distortion, and `view` radians from the left to the right edge.
    ///
    /// # Errors
    /// [`CameraError`]: an empty image, a view that is not between 0 and pi, a mount out of range.
    pub fn guess(width: usize, height: usize, view: f64, mount: Mount) -> Result<Self, CameraError> {
        if width == 0 || height == 0 {
            return Err(CameraError::Size { width, height });
        }
        if !(view > 0.0 && view < std::f64::consts::PI) {
            let (least, most) = (0.0, std::f64::consts::PI);
            return Err(CameraError::Number { name: "view", least, most, found: view });
        }
        let (width, height) = (width as f64, height as f64);
        let focal = width / 2.0 / (view / 2.0).tan();
        let Mount { height: above, pitch, yaw } = mount;
        let centre = [(width - 1.0) / 2.0, (height - 1.0) / 2.0];
        Self::from_numbers(&[focal, focal, centre[0], centre[1], 0.0, 0.0, 0.0, 0.0, 0.0, above, pitch, yaw])
    }

    /// The 12 numbers of [`Self::from_numbers`].
    pub fn numbers(&self) -> [f64; CAMERA_NUMBERS] {
        let Self { focal: [fx, fy], centre: [cx, cy], lens, mount } = *self;
        let Lens { k1, k2, p1, p2, k3 } = lens;
        [fx, fy, cx, cy, k1, k2, p1, p2, k3, mount.height, mount.pitch, mount.yaw]
    }

    /// The same camera for images that were stretched from one size to another, `[width, height]` in pixels. The lens acts
    /// before the sampling, so its numbers stay.
    ///
    /// # Errors
    /// [`CameraError`]: a size without pixels, or a result out of range.
    pub fn scaled(&self, from: [usize; 2], to: [usize; 2]) -> Result<Self, CameraError> {
        for [width, height] in [from, to] {
            if width == 0 || height == 0 {
                return Err(CameraError::Size { width, height });
            }
        }
        let mut numbers = self.numbers();
        for axis in 0..2 {
            let scale = to[axis] as f64 / from[axis] as f64;
            numbers[axis] *= scale;
            // Edges of the image meet, not the middles of the outermost pixels.
            numbers[2 + axis] = (numbers[2 + axis] + 0.5) * scale - 0.5;
        }
        Self::from_numbers(&numbers)
    }

    /// The pixel of a point in front of the camera, `[x, y, z]` in metres; `None` beside or behind it, and where the model of
    /// the lens does not reach (see [`Lens::distort`]).
    pub fn project(&self, [x, y, z]: [f64; 3]) -> Option<[f64; 2]> {
        if z <= 0.0 {
            return None;
        }
        Some(self.pixel(self.lens.distort([x / z, y / z])?))
    }

    /// The direction that a pixel looks in: `[x / z, y / z]` of all points that are projected to it. `None` where the model of
    /// the lens cannot be inverted, far outside the image.
    pub fn direction(&self, pixel: [f64; 2]) -> Option<[f64; 2]> {
        self.lens.undistort(self.plane(pixel))
    }

    /// Where a pixel would be, had the camera no distortion. `None` as of [`Self::direction`].
    pub fn undistort(&self, pixel: [f64; 2]) -> Option<[f64; 2]> {
        Some(self.pixel(self.direction(pixel)?))
    }

    /// Where a pixel of an image without distortion is in the camera's image; the inverse of [`Self::undistort`].
    pub fn distort(&self, pixel: [f64; 2]) -> Option<[f64; 2]> {
        Some(self.pixel(self.lens.distort(self.plane(pixel))?))
    }

    /// For each pixel of a `width * height` image without distortion, row by row, the place `[x, y]` in the camera's image of
    /// the same size to sample it from; NaN where there is none.
    pub fn undistortion_map(&self, width: usize, height: usize) -> Vec<[f32; 2]> {
        let mut map = Vec::with_capacity(width.saturating_mul(height));
        for y in 0..height {
            map.extend((0..width).map(|x| {
                self.distort([x as f64, y as f64])
                    .map_or([f32::NAN; 2], |place| place.map(|side| side as f32))
            }));
        }
        map
    }

    /// Where a pixel of the flat ground is: `[metres ahead, metres to the right]` of the point below the camera, along the
    /// axes of what carries it. `None` at the horizon and above.
    pub fn ground(&self, pixel: [f64; 2]) -> Option<[f64; 2]> {
        self.mount.ground(self.direction(pixel)?)
    }

    /// The pixel of a point of the ground, `[metres ahead, metres to the right]`. `None` behind the camera.
    pub fn pixel_of_ground(&self, [ahead, right]: [f64; 2]) -> Option<[f64; 2]> {
        self.project(self.mount.seen([ahead, right]))
    }

    fn pixel(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.focal[0] * x + self.centre[0], self.focal[1] * y + self.centre[1]]
    }

    fn plane(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.centre[0]) / self.focal[0], (y - self.centre[1]) / self.focal[1]]
    }
}
