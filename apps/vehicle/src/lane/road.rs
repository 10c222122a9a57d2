//! How a camera is mounted, from a straight road.

use foretell_camera::{Camera, CameraError, Mount};

use super::mask::{LEFT, Mask, RIGHT};

/// The fewest rows that must show a line.
const ROWS_MIN: usize = 20;

/// How far from straight a line may be, in pixels of the mask: the root of the mean square.
const BEND_PIXELS_MAX: f64 = 1.5;

/// The narrowest and the widest lane that one may claim to have.
const LANE_METRES: [f64; 2] = [1.0, 10.0];

/// Why a road says nothing about the camera.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RoadError {
    /// A width that no lane has.
    #[error("a lane {found} m wide; expected {} to {} m", LANE_METRES[0], LANE_METRES[1])]
    Width {
        /// The width.
        found: f64,
    },
    /// Too little of a line.
    #[error(
        "{rows} rows show the {line} line, at least {ROWS_MIN} are needed; take a picture of a lane with clear lines"
    )]
    Line {
        /// Left or right.
        line: &'static str,
        /// How many.
        rows: usize,
    },
    /// It bends.
    #[error(
        "the {line} line is {pixels:.1} pixels from straight, at most {BEND_PIXELS_MAX} are taken; take a picture of a straight, flat road"
    )]
    Bends {
        /// Left or right.
        line: &'static str,
        /// The root of the mean square.
        pixels: f64,
    },
    /// The lines do not meet above the road.
    #[error("the lines of the lane do not meet at a horizon; take a picture of a straight, flat road")]
    Parallel,
    /// What comes out is no camera, or none for this size.
    #[error("the camera of this road is none")]
    Camera(#[from] CameraError),
}

/// The camera, mounted as the mask of a straight road says: parallel lines that run straight ahead vanish at a point of the horizon,
/// which is pitch and yaw, and a lane of known width at its apparent width is the height.
///
/// `camera` has the lens, for images of `size` pixels, width and height; its mount is replaced. `lane_metres` is the distance
/// between the middles of the lines: 3.7 m on highways of the United States, 3.75 m on most German motorways.
///
/// The road must be straight, flat and driven along: yaw is that of the camera against the road.
///
/// # Errors
/// [`RoadError`].
pub fn mount_of_road(
    mask: &Mask,
    camera: &Camera,
    size: [usize; 2],
    lane_metres: f64,
) -> Result<Camera, RoadError> {
    if !(LANE_METRES[0]..=LANE_METRES[1]).contains(&lane_metres) {
        return Err(RoadError::Width { found: lane_metres });
    }
    let small = camera.scaled(size, [mask.width, mask.height])?;
    let left = line(mask, &small, LEFT, "left")?;
    let right = line(mask, &small, RIGHT, "right")?;
    // x = a + b y of both; they meet where both have the same x.
    let y = (right[0] - left[0]) / (left[1] - right[1]);
    let vanishing = [left[0] + left[1] * y, y];
    // Below the point where they meet, the left line is left.
    if !(y.is_finite() && left[1] < right[1]) {
        return Err(RoadError::Parallel);
    }
    let unit = Mount::from_vanishing(vanishing, 1.0);
    // Where both lines are a unit of the focal length below the horizon, were the camera one metre high.
    let below = y + 1.0;
    let sides = [left, right].map(|[a, b]| unit.ground([a + b * below, below]).map(|[_, right]| right));
    let [Some(from), Some(to)] = sides else { return Err(RoadError::Parallel) };
    let mount = Mount { height: lane_metres / (to - from), ..unit };
    Ok(Camera::from_numbers(&Camera { mount, ..*camera }.numbers())?)
}

/// A straight line through the middles of a line, `x = [0] + [1] * y`, in directions of the camera.
fn line(mask: &Mask, camera: &Camera, class: u8, line: &'static str) -> Result<[f64; 2], RoadError> {
    let points: Vec<[f64; 2]> =
        mask.middles(class).into_iter().filter_map(|middle| camera.direction(middle)).collect();
    if points.len() < ROWS_MIN {
        return Err(RoadError::Line { line, rows: points.len() });
    }
    let count = points.len() as f64;
    let mean = [0, 1].map(|side| points.iter().map(|point| point[side]).sum::<f64>() / count);
    let sum = |product: fn(f64, f64) -> f64| {
        points.iter().map(|[x, y]| product(x - mean[0], y - mean[1])).sum::<f64>()
    };
    let slope = sum(|x, y| x * y) / sum(|_, y| y * y);
    let start = mean[0] - slope * mean[1];
    let squares: f64 = points.iter().map(|[x, y]| (x - start - slope * y).powi(2)).sum();
    // Across the line, not along the row.
    let pixels = (squares / count).sqrt() * camera.focal[0] / slope.hypot(1.0);
    if pixels > BEND_PIXELS_MAX {
        return Err(RoadError::Bends { line, pixels });
    }
    Ok([start, slope])
}
