//! Roads and chessboards that are drawn by a formula, through cameras that are known.

use std::fs;

use foretell_camera::{CalibrateError, Camera, Mount, Pattern};
use foretell_media::draw::{class_colour, to_png};
use foretell_media::{Picture, Samples};
use proptest::prelude::*;

use super::*;

const SIZE: [usize; 2] = [1280, 720];

fn camera() -> Camera {
    Camera::from_numbers(&[
        1157.0, 1152.0, 666.0, 389.0, -0.24, -0.02, -0.0008, -0.0001, 0.01, 1.3, -0.02, 0.025,
    ])
    .unwrap()
}

/// A road on the ground: sides of the lines at the camera, and the curvature of the middle.
#[derive(Clone, Copy, Debug)]
struct Road {
    left: f64,
    right: f64,
    curvature: f64,
}

impl Road {
    /// The mask that a perfect plugin would answer, from 5 to 40 m ahead: lines are circles around one point.
    fn mask(&self, camera: &Camera) -> Mask {
        let (width, height) = (640, 360);
        let small = camera.scaled(SIZE, [width, height]).unwrap();
        let class = |pixel: usize| {
            let at = [(pixel % width) as f64, (pixel / width) as f64];
            let Some([ahead, right]) = small.ground(at).filter(|[ahead, _]| (5.0..40.0).contains(ahead))
            else {
                return 0;
            };
            // The distance to the right of the circle through the camera.
            let side = if self.curvature == 0.0 {
                right
            } else {
                let radius = 1.0 / self.curvature;
                radius - radius.signum() * (radius - right).hypot(ahead)
            };
            let half = f64::max(0.06, ahead / small.focal[0]);
            if (side - self.left).abs() <= half {
                LEFT
            } else if (side - self.right).abs() <= half {
                RIGHT
            } else if self.left < side && side < self.right {
                SURFACE
            } else {
                0
            }
        };
        Mask { width, height, classes: (0..width * height).map(class).collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn radius_offset_and_width_are_measured(left in -2.6..-1.2f64, width in 3.0..4.2f64, bend in -5.0..5.0f64) {
        let road = Road { left, right: left + width, curvature: bend / 1_000.0 };
        let lane = measure(&road.mask(&camera()), &camera(), SIZE).unwrap();
        let offset = -(road.left + road.right) / 2.0;
        prop_assert!((lane.offset_m - offset).abs() < 0.05, "{:?}", lane);
        prop_assert!((lane.width_m - width).abs() < 0.05, "{:?}", lane);
        // Pixels, and what a parabola of 40 m differs from a circle: (40 m)^2 / 4 of the curvature's third power.
        let error = 2e-4 + 400.0 * road.curvature.abs().powi(3);
        prop_assert!((lane.curvature_per_m - road.curvature).abs() < error, "{:?}", lane);
        if road.curvature.abs() > 1.0 / 500.0 {
            prop_assert!((lane.radius_m.unwrap() * road.curvature.abs() - 1.0).abs() < 0.1, "{:?}", lane);
        }
        prop_assert!(lane.near_m < 6.0 && lane.far_m > 37.0 && lane.confidence > 0.6, "{:?}", lane);
    }
}

#[test]
fn golden_roads() {
    for (radius, offset) in [(200.0, 0.0), (500.0, -0.4), (1_000.0, 0.7), (-300.0, 0.2), (-800.0, -0.9)] {
        let road = Road { left: -1.85 - offset, right: 1.85 - offset, curvature: 1.0 / radius };
        let lane = measure(&road.mask(&camera()), &camera(), SIZE).unwrap();
        let found = lane.radius_m.unwrap() * lane.curvature_per_m.signum();
        assert!((found / radius - 1.0).abs() < 0.1, "radius {radius}: {lane:?}");
        assert!((lane.offset_m - offset).abs() < 0.05, "offset {offset}: {lane:?}");
    }
    let straight = Road { left: -1.85, right: 1.85, curvature: 0.0 };
    let lane = measure(&straight.mask(&camera()), &camera(), SIZE).unwrap();
    assert_eq!(lane.radius_m, None, "{lane:?}");
}

#[test]
fn a_nodding_car_measures_the_same() {
    let road = Road { left: -1.6, right: 2.1, curvature: 1.0 / 600.0 };
    for nod in [-0.05, -0.015, 0.0, 0.01, 0.06] {
        let mount = Mount { pitch: camera().mount.pitch + nod, ..camera().mount };
        let mask = road.mask(&Camera { mount, ..camera() });
        let lane = measure(&mask, &camera(), SIZE).unwrap();
        assert!((lane.pitch_rad - mount.pitch).abs() < 0.002, "{nod}: {lane:?}");
        assert!((lane.offset_m + 0.25).abs() < 0.05 && (lane.width_m - 3.7).abs() < 0.1, "{nod}: {lane:?}");
        assert!((lane.radius_m.unwrap() / 600.0 - 1.0).abs() < 0.15, "{nod}: {lane:?}");
    }
}

#[test]
fn too_little_of_a_line_is_no_lane() {
    let mask = Road { left: -1.8, right: 1.8, curvature: 0.0 }.mask(&camera());
    for class in [LEFT, RIGHT] {
        let mut one = mask.clone();
        one.classes.iter_mut().filter(|found| **found == class).for_each(|found| *found = 0);
        assert_eq!(measure(&one, &camera(), SIZE), None);
        assert!(matches!(mount_of_road(&one, &camera(), SIZE, 3.7), Err(RoadError::Line { rows: 0, .. })));
    }
    let nothing = Mask { width: 0, height: 0, classes: Vec::new() };
    assert_eq!(measure(&nothing, &camera(), SIZE), None);
    assert!(matches!(mount_of_road(&nothing, &camera(), SIZE, 3.7), Err(RoadError::Camera(_))));
}

#[test]
fn a_straight_road_gives_the_mount() {
    let road = Road { left: -1.6, right: 2.1, curvature: 0.0 };
    for (height, pitch, yaw) in [(1.3, -0.02, 0.025), (1.1, 0.04, -0.03), (2.4, 0.1, 0.0)] {
        let mounted = Camera { mount: Mount { height, pitch, yaw }, ..camera() };
        let mask = road.mask(&mounted);
        // What is known before is the lens alone.
        let unmounted = Camera { mount: Mount { height: 1.0, pitch: 0.0, yaw: 0.0 }, ..camera() };
        let found = mount_of_road(&mask, &unmounted, SIZE, 3.7).unwrap().mount;
        assert!((found.height / height - 1.0).abs() < 0.02, "{found:?}");
        assert!((found.pitch - pitch).abs() < 0.002 && (found.yaw - yaw).abs() < 0.002, "{found:?}");
    }
    let bent = Road { curvature: 1.0 / 300.0, ..road }.mask(&camera());
    assert!(matches!(mount_of_road(&bent, &camera(), SIZE, 3.7), Err(RoadError::Bends { .. })));
    let straight = road.mask(&camera());
    assert!(matches!(mount_of_road(&straight, &camera(), SIZE, 0.0), Err(RoadError::Width { .. })));
    assert!(matches!(mount_of_road(&straight, &camera(), SIZE, f64::NAN), Err(RoadError::Width { .. })));
}

#[test]
fn the_lane_is_drawn_where_it_is() {
    let road = Road { left: -1.85, right: 1.85, curvature: 1.0 / 400.0 };
    let lane = measure(&road.mask(&camera()), &camera(), SIZE).unwrap();
    let picture = Picture {
        width: SIZE[0] as u32,
        height: SIZE[1] as u32,
        channels: 1,
        samples: Samples::U8(vec![100; SIZE[0] * SIZE[1]]),
    };
    let drawn = draw(&picture, &lane, &camera()).unwrap();
    let Samples::U8(samples) = &drawn.samples else { panic!("drawings have 8 bits") };
    let colour = |ahead: f64, right: f64| {
        let [x, y] = camera().pixel_of_ground([ahead, right + ahead * ahead / 800.0]).unwrap();
        let place = (y.round() as usize * SIZE[0] + x.round() as usize) * 3;
        [samples[place], samples[place + 1], samples[place + 2]]
    };
    for ahead in [8.0, 15.0, 25.0] {
        let inside = colour(ahead, 0.5);
        assert!(inside != [100; 3] && inside != class_colour(2), "translucent at {ahead} m: {inside:?}");
        assert_eq!(colour(ahead, -1.85), class_colour(0), "left line at {ahead} m");
        assert_eq!(colour(ahead, 1.85), class_colour(1), "right line at {ahead} m");
        assert_eq!(colour(ahead, 3.0), [100; 3], "beside the lane at {ahead} m");
    }
}

/// A chessboard of 6 x 5 squares on a wall, turned by two angles, as a picture of 320 x 240 pixels.
fn chessboard(turn: f64, tilt: f64, far: f64) -> Picture {
    let (width, height) = (320, 240);
    let camera =
        Camera::from_numbers(&[300.0, 300.0, 155.0, 122.0, -0.1, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]).unwrap();
    // Axes of the board: turned around the vertical, then tilted.
    let along = [turn.cos(), 0.0, -turn.sin()];
    let down = [turn.sin() * tilt.sin(), tilt.cos(), turn.cos() * tilt.sin()];
    let normal = [
        along[1] * down[2] - along[2] * down[1],
        along[2] * down[0] - along[0] * down[2],
        along[0] * down[1] - along[1] * down[0],
    ];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let sample = |pixel: usize| {
        let [x, y] = camera.direction([(pixel % width) as f64, (pixel / width) as f64]).unwrap();
        let ray = [x, y, 1.0];
        let distance = normal[2] * far / dot(normal, ray);
        let point = [x * distance, y * distance, distance - far];
        let (u, v) = (dot(point, along) + 3.0, dot(point, down) + 2.5);
        if !(0.0..=6.0).contains(&u) || !(0.0..=5.0).contains(&v) {
            return 190;
        }
        let edge =
            |side: f64| ((side * std::f64::consts::PI).sin() * 300.0 / distance / 3.0).clamp(-1.0, 1.0);
        (127.5 + 100.0 * edge(u) * edge(v)) as u8
    };
    let samples = Samples::U8((0..width * height).map(sample).collect());
    Picture { width: width as u32, height: height as u32, channels: 1, samples }
}

#[test]
fn a_folder_of_chessboards_gives_a_camera() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, picture: &Picture| {
        fs::write(directory.path().join(name), to_png(picture).unwrap()).unwrap();
    };
    for (number, (turn, tilt)) in [(0.0, 0.5), (0.5, 0.1), (-0.5, -0.2), (0.2, -0.5)].into_iter().enumerate()
    {
        write(&format!("{number}.png"), &chessboard(turn, tilt, 8.5));
    }
    let blank = Picture { width: 320, height: 240, channels: 1, samples: Samples::U8(vec![99; 320 * 240]) };
    write("blank.png", &blank);
    fs::write(directory.path().join("notes.txt"), "the board is 25 mm").unwrap();
    let pattern = Pattern::new(5, 4).unwrap();
    let mut seen = Vec::new();
    let found = calibrate_folder(directory.path(), pattern, |name| seen.push(name.to_owned())).unwrap();
    assert_eq!(seen, ["0.png", "1.png", "2.png", "3.png", "blank.png", "notes.txt"]);
    assert_eq!(found.size, [320, 240]);
    assert_eq!(found.used.iter().map(|used| used.name.as_str()).collect::<Vec<_>>(), seen[..4]);
    assert!(found.used.iter().all(|used| used.rms_pixels < 0.2), "{found:?}");
    let reasons: Vec<_> =
        found.left_out.iter().map(|left| (left.name.as_str(), left.reason.as_str())).collect();
    assert_eq!(reasons[0], ("blank.png", "no chessboard is seen"));
    assert_eq!(reasons[1].0, "notes.txt");
    let camera = found.calibration.camera(Mount { height: 1.0, pitch: 0.0, yaw: 0.0 }).unwrap();
    assert!((camera.focal[0] / 300.0 - 1.0).abs() < 0.02, "{camera:?}");
    let file = found.file(camera.mount).unwrap();
    assert_eq!(file.calibration.unwrap().pictures, 4);
    assert_eq!(file.camera([320, 240]).unwrap(), camera);

    // Two pictures are too few, and the rest say why they were left out.
    for name in ["2.png", "3.png"] {
        write(name, &blank);
    }
    let error = calibrate_folder(directory.path(), pattern, |_| {}).unwrap_err();
    assert!(matches!(error.kind, CalibrateFolderErrorKind::Calibrate(CalibrateError::Views { found: 2 })));
    assert_eq!(error.left_out.len(), 4);
    let nowhere = directory.path().join("nowhere");
    let error = calibrate_folder(&nowhere, pattern, |_| {}).unwrap_err();
    assert!(matches!(error.kind, CalibrateFolderErrorKind::File(_)));
}
