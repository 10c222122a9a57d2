//! Where to begin: a camera without distortion whose axis goes through the middle of its images.

use nalgebra::{Matrix2, Matrix3, Vector2, Vector3};

use super::Pose;
use crate::Homography;

/// The focal lengths that make the two edges of the board as long as each other and at right angles, in all pictures together:
/// Zhang 2000, equations 3 and 4, with the principal point given, which leaves `1 / fx^2` and `1 / fy^2` to be found by linear
/// least squares.
pub(super) fn focal(mappings: &[Homography], centre: [f64; 2]) -> Option<[f64; 2]> {
    let mut matrix = Matrix2::zeros();
    let mut vector = Vector2::zeros();
    let to_middle = Matrix3::new(1.0, 0.0, -centre[0], 0.0, 1.0, -centre[1], 0.0, 0.0, 1.0);
    for mapping in mappings {
        let centred = to_middle * mapping.matrix();
        let (first, second) = (Vector3::from(centred.column(0)), Vector3::from(centred.column(1)));
        let scale = (first.norm() * second.norm()).sqrt();
        let (first, second) = (first / scale, second / scale);
        let product = |left: Vector3<f64>, right: Vector3<f64>| left.component_mul(&right);
        let angle = product(first, second);
        let length = product(first, first) - product(second, second);
        for equation in [angle, length] {
            let row = Vector2::new(equation.x, equation.y);
            matrix += row * row.transpose();
            vector -= row * equation.z;
        }
    }
    let found = matrix.try_inverse()? * vector;
    let focal = [1.0 / found.x.sqrt(), 1.0 / found.y.sqrt()];
    focal.iter().all(|side| side.is_finite() && *side > 0.0).then_some(focal)
}

/// How the board is turned and where it is, seen through a camera without distortion: Zhang 2000, section 3.1.
pub(super) fn pose(mapping: &Homography, focal: [f64; 2], centre: [f64; 2]) -> Option<Pose> {
    let camera = Matrix3::new(focal[0], 0.0, centre[0], 0.0, focal[1], centre[1], 0.0, 0.0, 1.0);
    let mut columns = camera.try_inverse()? * mapping.matrix();
    // The board is in front of the camera.
    columns *= 1.0 / (columns.column(0).norm() * columns.column(1).norm()).sqrt();
    if columns[(2, 2)] < 0.0 {
        columns = -columns;
    }
    let (along, down) = (Vector3::from(columns.column(0)), Vector3::from(columns.column(1)));
    let turned = Matrix3::from_columns(&[along, down, along.cross(&down)]).svd(true, true);
    let rotation = turned.u? * turned.v_t?;
    let place = Vector3::from(columns.column(2));
    (place.iter().chain(rotation.iter()).all(|number| number.is_finite())).then_some(Pose { rotation, place })
}
