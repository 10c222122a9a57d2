//! Distortion of a lens.

/// Newton's steps towards the inverse, at most. From the distorted point a usual lens needs three to five.
const STEPS_MAX: usize = 20;

/// How near the inverse must come, in units of the focal length: a ten-millionth of a pixel for a focal length of 1,000.
const TOLERANCE: f64 = 1e-10;

/// What a lens does to straight lines: the radial terms `k1`, `k2`, `k3` and tangential terms `p1`, `p2` of D. C. Brown's model,
/// with the signs and the order of OpenCV.
///
/// ```
/// use foretell_camera::Lens;
///
/// let lens = Lens { k1: -0.24, k2: -0.02, p1: -0.001, p2: 0.0002, k3: 0.01 };
/// let seen = lens.distort([0.5, -0.3]).unwrap();
/// let back = lens.undistort(seen).unwrap();
/// assert!((back[0] - 0.5).abs() < 1e-9 && (back[1] + 0.3).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lens {
    /// Factor of the squared radius.
    pub k1: f64,
    /// Factor of its square.
    pub k2: f64,
    /// Tangential, mostly vertical.
    pub p1: f64,
    /// Tangential, mostly horizontal.
    pub p2: f64,
    /// Factor of its cube.
    pub k3: f64,
}

impl Lens {
    /// The greatest coefficient that is believed. Those of lenses are below 1 or so; a calibration from few pictures may say 10.
    pub const COEFFICIENT_MAX: f64 = 1e3;

    /// Where the lens shows the direction `[x / z, y / z]`, in units of the focal length.
    ///
    /// ```text
    /// radial = 1 + k1 r^2 + k2 r^4 + k3 r^6
    /// x' = x radial + 2 p1 x y + p2 (r^2 + 2 x^2)
    /// y' = y radial + p1 (r^2 + 2 y^2) + 2 p2 x y
    /// ```
    ///
    /// `None` where the polynomial turns back: beyond the radius from which on points farther out would be shown farther in,
    /// it says nothing of the lens any more.
    pub fn distort(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let (seen, jacobian) = self.distort_with_jacobian(point);
        (self.rises(point) && determinant(jacobian) > 0.0).then_some(seen)
    }

    /// The direction that the lens shows at `seen`; inverse of [`Self::distort`]. `None` where there is none.
    pub fn undistort(&self, seen: [f64; 2]) -> Option<[f64; 2]> {
        let mut point = seen;
        for _ in 0..STEPS_MAX {
            let (shown, jacobian) = self.distort_with_jacobian(point);
            let miss = [shown[0] - seen[0], shown[1] - seen[1]];
            if miss[0].hypot(miss[1]) < TOLERANCE {
                return self.rises(point).then_some(point);
            }
            let [[a, b], [c, d]] = jacobian;
            let determinant = determinant(jacobian);
            let step = [(d * miss[0] - b * miss[1]) / determinant, (a * miss[1] - c * miss[0]) / determinant];
            point = [point[0] - step[0], point[1] - step[1]];
            if !(point[0].is_finite() && point[1].is_finite()) {
                return None;
            }
        }
        None
    }

    /// Whether the radial polynomial still rises at the radius of a point, and did all the way from the middle.
    fn rises(&self, [x, y]: [f64; 2]) -> bool {
        // The derivative of r * radial(r), as a polynomial of s = r^2: 1 + 3 k1 s + 5 k2 s^2 + 7 k3 s^3. It is 1 at 0, and stays
        // positive up to s when it has no root there. Its extremes are where 3 k1 + 10 k2 s + 21 k3 s^2 = 0.
        let Self { k1, k2, k3, .. } = *self;
        let s = x * x + y * y;
        let slope = |s: f64| 1.0 + s * (3.0 * k1 + s * (5.0 * k2 + s * 7.0 * k3));
        let extremes = roots(21.0 * k3, 10.0 * k2, 3.0 * k1);
        slope(s) > 0.0 && extremes.into_iter().flatten().all(|at| !(at > 0.0 && at < s) || slope(at) > 0.0)
    }

    /// The distorted point, and its derivatives `[[dx'/dx, dx'/dy], [dy'/dx, dy'/dy]]`.
    pub(crate) fn distort_with_jacobian(&self, [x, y]: [f64; 2]) -> ([f64; 2], [[f64; 2]; 2]) {
        let Self { k1, k2, p1, p2, k3 } = *self;
        let s = x * x + y * y;
        let radial = 1.0 + s * (k1 + s * (k2 + s * k3));
        let slope = k1 + s * (2.0 * k2 + s * 3.0 * k3);
        let seen = [
            x * radial + 2.0 * p1 * x * y + p2 * (s + 2.0 * x * x),
            y * radial + p1 * (s + 2.0 * y * y) + 2.0 * p2 * x * y,
        ];
        let mixed = 2.0 * x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y;
        let jacobian = [
            [radial + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x, mixed],
            [mixed, radial + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x],
        ];
        (seen, jacobian)
    }

    /// The derivatives of the distorted point, x' and y', by `k1, k2, p1, p2, k3`, which do not depend on them.
    pub(crate) fn jacobian_of_coefficients([x, y]: [f64; 2]) -> [[f64; 5]; 2] {
        let s = x * x + y * y;
        let mixed = 2.0 * x * y;
        [
            [x * s, x * s * s, mixed, s + 2.0 * x * x, x * s * s * s],
            [y * s, y * s * s, s + 2.0 * y * y, mixed, y * s * s * s],
        ]
    }
}

fn determinant([[a, b], [c, d]]: [[f64; 2]; 2]) -> f64 {
    a * d - b * c
}

/// Real roots of `a s^2 + b s + c`.
fn roots(a: f64, b: f64, c: f64) -> [Option<f64>; 2] {
    if a == 0.0 {
        return [(b != 0.0).then(|| -c / b), None];
    }
    let under = b * b - 4.0 * a * c;
    if under < 0.0 {
        return [None, None];
    }
    // The form that does not subtract nearly equal numbers.
    let q = -0.5 * (b + under.sqrt().copysign(b));
    [Some(q / a), (q != 0.0).then(|| c / q)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `projectPoints` of OpenCV 5.0 with a focal length of 1 and no principal point: the direction, the coefficients
    /// `k1, k2, p1, p2, k3`, and where it is shown.
    const GOLDEN: [([f64; 2], [f64; 5], [f64; 2]); 6] = [
        ([0.125, 0.397], [0.0, 0.0, 0.0, 0.0, 0.0], [0.125, 0.397]),
        ([0.276, -0.275], [-0.24, 0.0, 0.0, 0.0, 0.0], [0.26594470176, -0.264981134]),
        ([-0.2, 0.374], [-0.24, 0.07, 0.001, -0.0005, -0.01], [-0.19208682534426175, 0.35921405533376943]),
        ([-0.495, 0.321], [0.1, -0.2, -0.003, 0.002, 0.05], [-0.4986494832394699, 0.32277386764014104]),
        ([0.297, -0.032], [-0.3, 0.1, 0.0, 0.01, 0.0], [0.2919423367901833, -0.031358923290524796]),
        ([-0.197, -0.222], [0.0, 0.0, 0.02, -0.01, 0.1], [-0.19692121760674478, -0.21915663669389512]),
    ];

    #[test]
    fn points_are_where_opencv_shows_them() {
        for (point, [k1, k2, p1, p2, k3], expected) in GOLDEN {
            let lens = Lens { k1, k2, p1, p2, k3 };
            let seen = lens.distort(point).unwrap();
            let miss = (seen[0] - expected[0]).hypot(seen[1] - expected[1]);
            assert!(miss < 1e-12, "{seen:?}, expected {expected:?}");
        }
    }

    #[test]
    fn beyond_the_turn_there_is_nothing() {
        // r (1 - r^2 / 3) rises up to r = 1, where it is 2 / 3.
        let lens = Lens { k1: -1.0 / 3.0, ..Lens::default() };
        assert!(lens.distort([0.99, 0.0]).is_some());
        assert_eq!(lens.distort([1.01, 0.0]), None);
        assert_eq!(lens.undistort([0.7, 0.0]), None);
        let near = lens.undistort([0.66, 0.0]).unwrap();
        assert!(near[0] < 1.0, "{near:?}");
        // It falls, and rises again farther out: r (1 - 2 r^2 + r^4).
        let folded = Lens { k1: -2.0, k2: 1.0, ..Lens::default() };
        assert_eq!(folded.distort([1.5, 0.0]), None);
    }
}
