//! The flat ground before a camera.

/// How a camera is mounted on what carries it, above a flat ground. It does not roll: its rows are level when pitch is 0.
///
/// The axes of the ground are those of the carrier: ahead, and to the right. Its origin is the point below the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mount {
    /// Metres above the ground.
    pub height: f64,
    /// Radians; positive looks down.
    pub pitch: f64,
    /// Radians; positive looks right of straight ahead.
    pub yaw: f64,
}

impl Mount {
    /// The camera's axes `x`, `y`, `z`, each as `[ahead, right, down]`.
    fn axes(&self) -> [[f64; 3]; 3] {
        let (sin, cos) = self.yaw.sin_cos();
        let (down, level) = self.pitch.sin_cos();
        [[-sin, cos, 0.0], [-down * cos, -down * sin, level], [level * cos, level * sin, down]]
    }

    /// Where a direction `[x / z, y / z]` of the camera meets the ground: `[metres ahead, metres to the right]`. `None` at the
    /// horizon and above.
    pub fn ground(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        let [along, across, ahead] = self.axes();
        let [forward, right, down] = [0, 1, 2].map(|axis| x * along[axis] + y * across[axis] + ahead[axis]);
        let metres = self.height / down;
        let place = [forward * metres, right * metres];
        (down > 0.0 && place.iter().all(|side| side.is_finite())).then_some(place)
    }

    /// A point of the ground, `[metres ahead, metres to the right]`, as the camera sees it: `[x, y, z]` in metres, to the right,
    /// down and along its optical axis.
    pub fn seen(&self, [ahead, right]: [f64; 2]) -> [f64; 3] {
        let point = [ahead, right, self.height];
        self.axes().map(|axis| axis.iter().zip(point).map(|(axis, point)| axis * point).sum())
    }

    /// The mount from where parallel lines of the ground that run straight ahead vanish, as a direction `[x / z, y / z]` of the
    /// camera, with the height that is given.
    pub fn from_vanishing(vanishing: [f64; 2], height: f64) -> Self {
        let [x, y] = vanishing;
        // The direction (x, y, 1) of the camera is straight ahead: no part of it is down or right.
        let pitch = (-y).atan2(1.0);
        let yaw = (-x).atan2(pitch.cos() - y * pitch.sin());
        Self { height, pitch, yaw }
    }
}
