//! Mappings between two planes.

use nalgebra::{DMatrix, Matrix3, Vector3};

/// A mapping of one plane to another that keeps straight lines straight: how a flat thing looks in an image without
/// distortion.
///
/// ```
/// use foretell_camera::Homography;
///
/// // A square that is seen from aside.
/// let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
/// let seen = [[10.0, 10.0], [90.0, 20.0], [80.0, 70.0], [15.0, 90.0]];
/// let mapping = Homography::fit(&square, &seen).unwrap();
/// let corner = mapping.apply([1.0, 1.0]).unwrap();
/// assert!((corner[0] - 80.0).abs() < 1e-9 && (corner[1] - 70.0).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(Matrix3<f64>);

impl Homography {
    /// The fewest pairs of points that determine one.
    pub const POINTS_MIN: usize = 4;

    /// The mapping that takes each point of `from` nearest to its partner in `to`: the least squares of the linear equations, over
    /// points moved and scaled to have their mean at 0 and a mean distance of `sqrt(2)` (R. Hartley and A. Zisserman, Multiple View
    /// Geometry, 2nd edition, algorithm 4.2). Exact for four points.
    ///
    /// `None`: fewer than four pairs, not as many in both, numbers that are not finite, or points that determine none, such as
    /// three of four on a line.
    pub fn fit(from: &[[f64; 2]], to: &[[f64; 2]]) -> Option<Self> {
        /// The least ratio of singular values that must not be 0: of the equations, where more than one mapping fits otherwise, and
        /// of the mapping.
        const RATIO_MIN: f64 = 1e-9;
        if from.len() != to.len() || from.len() < Self::POINTS_MIN {
            return None;
        }
        let (from_scale, to_scale) = (normalising(from)?, normalising(to)?);
        // Never fewer rows than columns, so that the last right singular vector is there.
        let mut equations = DMatrix::zeros((2 * from.len()).max(9), 9);
        for (pair, (from, to)) in from.iter().zip(to).enumerate() {
            let Vector3 { data, .. } = from_scale * Vector3::new(from[0], from[1], 1.0);
            let [[x, y, _]] = data.0;
            let target = to_scale * Vector3::new(to[0], to[1], 1.0);
            let (u, v) = (target.x, target.y);
            let rows = [
                [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, -u],
                [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, -v],
            ];
            for (offset, row) in rows.iter().enumerate() {
                for (column, value) in row.iter().enumerate() {
                    equations[(2 * pair + offset, column)] = *value;
                }
            }
        }
        let decomposed = equations.svd(false, true);
        let values = &decomposed.singular_values;
        if values[7] <= RATIO_MIN * values[0] {
            return None;
        }
        let vectors = decomposed.v_t?;
        let matrix = Matrix3::from_fn(|row, column| vectors[(8, 3 * row + column)]);
        // A mapping onto a line has no inverse.
        let spread = matrix.singular_values();
        if spread.min() <= RATIO_MIN * spread.max() {
            return None;
        }
        let mapping = to_scale.try_inverse()? * matrix * from_scale;
        mapping.iter().all(|value| value.is_finite()).then_some(Self(mapping))
    }

    /// Where a point goes; `None` when that is infinitely far away.
    pub fn apply(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let mapped = self.0 * Vector3::new(x, y, 1.0);
        let point = [mapped.x / mapped.z, mapped.y / mapped.z];
        point.iter().all(|side| side.is_finite()).then_some(point)
    }

    /// The mapping back; `None` when this one maps a plane to a line.
    pub fn inverse(&self) -> Option<Self> {
        let inverse = self.0.try_inverse()?;
        inverse.iter().all(|value| value.is_finite()).then_some(Self(inverse))
    }

    /// The three rows, the last number 1 or, where that cannot be, as it is.
    pub fn rows(&self) -> [[f64; 3]; 3] {
        let last = self.0[(2, 2)];
        let scaled = if last.abs() > f64::EPSILON * self.0.amax() { self.0 / last } else { self.0 };
        [0, 1, 2].map(|row| [0, 1, 2].map(|column| scaled[(row, column)]))
    }

    /// The matrix.
    pub(crate) fn matrix(&self) -> &Matrix3<f64> {
        &self.0
    }
}

/// Moves the mean of the points to 0 and scales their mean distance from it to `sqrt(2)`.
fn normalising(points: &[[f64; 2]]) -> Option<Matrix3<f64>> {
    let count = points.len() as f64;
    let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / count);
    let distance =
        points.iter().map(|point| (point[0] - mean[0]).hypot(point[1] - mean[1])).sum::<f64>() / count;
    let scale = std::f64::consts::SQRT_2 / distance;
    (scale.is_finite() && mean.iter().all(|side| side.is_finite()))
        .then(|| Matrix3::new(scale, 0.0, -scale * mean[0], 0.0, scale, -scale * mean[1], 0.0, 0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_determines_no_mapping_has_none() {
        let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let line = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 1.0]];
        let point = [[3.0, 3.0]; 4];
        let endless = [[f64::NAN, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        for (from, to) in [
            (&square[..3], &square[..3]),
            (&square, &square[..3]),
            (&line, &square),
            (&square, &line),
            (&point, &square),
            (&square, &point),
            (&endless, &square),
        ] {
            assert_eq!(Homography::fit(from, to), None, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn the_inverse_goes_back_and_the_horizon_has_no_point() {
        let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        // Sides ahead come nearer to each other, and meet at (0.5, 2).
        let narrowing = [[0.0, 0.0], [1.0, 0.0], [0.75, 1.0], [0.25, 1.0]];
        let mapping = Homography::fit(&square, &narrowing).unwrap();
        let back = mapping.inverse().unwrap();
        for point in [[0.2, 0.7], [4.0, 9.0], [-3.0, 2.0]] {
            let there = mapping.apply(point).unwrap();
            let again = back.apply(there).unwrap();
            assert!((again[0] - point[0]).abs() < 1e-9 && (again[1] - point[1]).abs() < 1e-9, "{again:?}");
        }
        let far = mapping.apply([0.5, 1e9]).unwrap();
        assert!((far[0] - 0.5).abs() < 1e-6 && (far[1] - 2.0).abs() < 1e-6, "{far:?}");
        assert_eq!(
            Homography(Matrix3::new(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0)).apply([1.0, 0.0]),
            None
        );
        assert_eq!(Homography(Matrix3::zeros()).inverse(), None);
    }

    #[test]
    fn rows_end_with_one() {
        let square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let shifted = square.map(|[x, y]| [2.0 * x + 5.0, 2.0 * y - 1.0]);
        let rows = Homography::fit(&square, &shifted).unwrap().rows();
        let expected = [[2.0, 0.0, 5.0], [0.0, 2.0, -1.0], [0.0, 0.0, 1.0]];
        for (found, expected) in rows.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-9, "{rows:?}");
        }
    }
}
