//! There and back: through the lens, onto the ground, to other sizes.

use foretell_camera::{Camera, CameraError, Mount};
use proptest::prelude::*;

/// A camera with the lens of a usual dashboard camera.
fn camera(height: f64, pitch: f64, yaw: f64) -> Camera {
    Camera::from_numbers(&[
        1150.0, 1140.0, 650.0, 380.0, -0.24, 0.05, -0.001, 0.0005, -0.01, height, pitch, yaw,
    ])
    .unwrap()
}

fn near(left: [f64; 2], right: [f64; 2], tolerance: f64) -> bool {
    (left[0] - right[0]).hypot(left[1] - right[1]) <= tolerance
}

proptest! {
    #[test]
    fn distorting_and_undistorting_end_where_they_began(x in 0.0..1280.0, y in 0.0..720.0) {
        let camera = camera(1.2, 0.0, 0.0);
        let plain = camera.undistort([x, y]).unwrap();
        prop_assert!(near(camera.distort(plain).unwrap(), [x, y], 1e-6));
    }

    #[test]
    fn the_ground_goes_to_a_pixel_and_back(
        ahead in 3.0..80.0, right in -3.0..3.0, height in 0.5..3.0, pitch in -0.05..0.2, yaw in -0.1..0.1,
    ) {
        let camera = camera(height, pitch, yaw);
        if let Some(pixel) = camera.pixel_of_ground([ahead, right]) {
            let back = camera.ground(pixel).unwrap();
            prop_assert!(near(back, [ahead, right], 1e-4), "{:?}", back);
        }
    }

    #[test]
    fn a_scaled_camera_sees_the_same_ground(x in 0.0..1280.0, y in 500.0..720.0) {
        let camera = camera(1.4, 0.04, 0.01);
        let small = camera.scaled([1280, 720], [640, 288]).unwrap();
        let there = [(x + 0.5) * 0.5 - 0.5, (y + 0.5) * 0.4 - 0.5];
        prop_assert!(near(small.ground(there).unwrap(), camera.ground([x, y]).unwrap(), 1e-6));
        let again = small.scaled([640, 288], [1280, 720]).unwrap();
        for (number, expected) in again.numbers().into_iter().zip(camera.numbers()) {
            prop_assert!((number - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn the_vanishing_point_gives_the_mount_back(pitch in -0.3..0.3, yaw in -0.3..0.3) {
        let mount = Mount { height: 1.5, pitch, yaw };
        // Infinitely far ahead, every point of the ground is in the same direction.
        let [x, y, z] = mount.seen([1e12, 0.0]);
        let found = Mount::from_vanishing([x / z, y / z], 1.5);
        prop_assert!((found.pitch - pitch).abs() < 1e-9 && (found.yaw - yaw).abs() < 1e-9, "{:?}", found);
    }

    #[test]
    fn any_numbers_are_a_camera_or_an_error(numbers in prop::collection::vec(any::<f64>(), 12), x: f64, y: f64) {
        if let Ok(camera) = Camera::from_numbers(&numbers) {
            for place in [camera.undistort([x, y]), camera.ground([x, y]), camera.pixel_of_ground([x, y])] {
                let numbers = place.unwrap_or_default();
                prop_assert!(!numbers[0].is_nan() && !numbers[1].is_nan(), "{:?}", numbers);
            }
        }
    }
}

#[test]
fn signs_are_as_the_contract_says() {
    let level = camera(1.2, 0.0, 0.0);
    let mid = [level.centre[0], 500.0];
    let [ahead, right] = level.ground(mid).unwrap();
    assert!(right.abs() < 0.05);
    // Looking farther down, the same pixel shows ground that is nearer; looking right, ground that is farther right.
    assert!(camera(1.2, 0.05, 0.0).ground(mid).unwrap()[0] < ahead);
    assert!(camera(1.2, 0.0, 0.05).ground(mid).unwrap()[1] > right + 0.1);
    // What is above the horizon, or at it, is no ground.
    assert_eq!(level.ground([650.0, 300.0]), None);
    assert_eq!(level.ground(level.centre), None);
    assert_eq!(level.project([0.0, 0.0, -1.0]), None);
    assert_eq!(level.pixel_of_ground([-5.0, 0.0]), None);
}

#[test]
fn the_map_of_a_lens_without_distortion_changes_nothing() {
    let numbers = [100.0, 100.0, 3.5, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let map = Camera::from_numbers(&numbers).unwrap().undistortion_map(8, 6);
    assert_eq!(map.len(), 48);
    for (place, &[x, y]) in map.iter().enumerate() {
        assert!(
            (x - (place % 8) as f32).abs() < 1e-4 && (y - (place / 8) as f32).abs() < 1e-4,
            "{place}: {x}, {y}"
        );
    }
}

#[test]
fn wrong_numbers_are_named() {
    let right = camera(1.2, 0.0, 0.0).numbers();
    assert_eq!(Camera::from_numbers(&right[..9]), Err(CameraError::Count { found: 9 }));
    for (place, number, name) in [
        (0, 0.0, "`fx` is 0"),
        (1, -3.0, "`fy` is -3"),
        (2, f64::NAN, "`cx` is NaN"),
        (4, f64::INFINITY, "`k1` is inf"),
        (9, 0.0, "`height` is 0"),
        (10, 2.0, "`pitch` is 2; expected -1.57"),
    ] {
        let mut wrong = right;
        wrong[place] = number;
        let error = Camera::from_numbers(&wrong).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let mount = Mount { height: 1.0, pitch: 0.0, yaw: 0.0 };
    assert!(Camera::guess(0, 5, 1.0, mount).is_err() && Camera::guess(5, 5, 3.2, mount).is_err());
    assert!(camera(1.2, 0.0, 0.0).scaled([0, 1], [1, 1]).is_err());
}
