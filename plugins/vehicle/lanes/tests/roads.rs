//! Roads that are drawn by a formula, through a camera that is known: are the lines found where they are?

use foretell_camera::Camera;
use foretell_plugin_lanes::draw::{LEFT, RIGHT, SURFACE};
use foretell_plugin_lanes::marks::Rgb;
use foretell_plugin_lanes::settings::Settings;
use foretell_plugin_lanes::{View, find, mask};
use proptest::prelude::*;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// A camera of 1280 x 720 pixels with the lens of a usual dashboard camera; the plugin is given half of that.
const CAMERA: [f64; 12] =
    [1150.0, 1150.0, 655.0, 375.0, -0.24, 0.03, -0.0007, 0.0002, 0.0, 1.25, -0.01, 0.01];

fn settings() -> Settings {
    let json = r#"{"view_degrees":60,"height_metres":1.2,"pitch_degrees":-2.5,"pitch_guess_degrees":4,"pitch_nod_degrees":2,
        "yaw_degrees":6,"far_metres":60,"radius_metres":150,"line_metres":0.12,"lane_metres_least":2.5,"lane_metres_most":5,
        "contrast_levels":10,"support_metres":3,"purity":0.5}"#;
    Settings::read(json).unwrap()
}

/// A road.
#[derive(Clone, Copy, Debug)]
struct Road {
    /// Metres right of the camera of the left line and of the right one.
    sides: [f64; 2],
    /// Half the curvature, per metre.
    bend: f64,
    /// Red, green and blue of what the road is made of.
    ground: [f64; 3],
    /// Red, green and blue of the left line and of the right one.
    paint: [[f64; 3]; 2],
    /// Where the first dash of the right line begins, in metres; dashes are 3 m long, 12 m apart.
    dash: f64,
    /// From how far to how far ahead a shadow lies on the road.
    shadow: [f64; 2],
}

const ASPHALT: [f64; 3] = [95.0, 95.0, 98.0];
const CONCRETE: [f64; 3] = [190.0, 185.0, 172.0];
const WHITE: [f64; 3] = [235.0, 235.0, 235.0];
const YELLOW: [f64; 3] = [225.0, 175.0, 60.0];

const STRAIGHT: Road = Road {
    sides: [-1.6, 2.1],
    bend: 0.0,
    ground: ASPHALT,
    paint: [YELLOW, WHITE],
    dash: 6.0,
    shadow: [0.0, 0.0],
};

/// What the camera sees: grey sky, and below the horizon the road with a little noise.
fn render(road: &Road, camera: &Camera) -> Vec<u8> {
    let mut samples = Vec::with_capacity(WIDTH * HEIGHT * 3);
    let mut noise: u32 = 1;
    for pixel in 0..WIDTH * HEIGHT {
        let (x, y) = ((pixel % WIDTH) as f64, (pixel / WIDTH) as f64);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = f64::from(noise >> 24) / 255.0 * 12.0 - 6.0;
        let mut colour = [170.0, 190.0, 215.0];
        if let Some([ahead, right]) = (y > 100.0).then(|| camera.ground([x, y])).flatten() {
            colour = road.ground;
            for (line, side) in road.sides.into_iter().enumerate() {
                let off = (right - side - road.bend * ahead * ahead).abs();
                let is_dash = line == 0 || (ahead - road.dash).rem_euclid(12.0) < 3.0;
                // How much of the pixel the line covers.
                let pixels = (0.06 - off) * camera.focal[0] / ahead.max(1.0);
                let share = if is_dash && ahead < 200.0 { (0.5 + pixels).clamp(0.0, 1.0) } else { 0.0 };
                for (colour, paint) in colour.iter_mut().zip(road.paint[line]) {
                    *colour += (paint - *colour) * share;
                }
            }
            if (road.shadow[0]..road.shadow[1]).contains(&ahead) {
                colour = colour.map(|level| level * 0.45);
            }
        }
        samples.extend(colour.map(|level| (level + grain).clamp(0.0, 255.0) as u8));
    }
    samples
}

fn known() -> View {
    View::known(&CAMERA, Some([1280, 720]), [WIDTH, HEIGHT], &settings()).unwrap()
}

fn rgb(samples: &[u8]) -> Rgb<'_> {
    Rgb { width: WIDTH, height: HEIGHT, samples }
}

/// How far the middles of the drawn lines are from where they are, at most, in pixels; and how many rows have both.
fn miss(mask: &[u8], road: &Road, camera: &Camera) -> (f64, usize) {
    let mut worst: f64 = 0.0;
    let mut rows = 0;
    for (y, row) in mask.chunks_exact(WIDTH).enumerate() {
        let mut both = 0;
        for (class, side) in [(LEFT, road.sides[0]), (RIGHT, road.sides[1])] {
            let places: Vec<f64> = (0..WIDTH).filter(|&x| row[x] == class).map(|x| x as f64).collect();
            // A line that is cut off at the edge of the image has its middle elsewhere.
            if places.is_empty() || row[0] == class || row[WIDTH - 1] == class {
                continue;
            }
            let middle = places.iter().sum::<f64>() / places.len() as f64;
            let Some([ahead, right]) = camera.ground([middle, y as f64]) else { continue };
            let off = right - side - road.bend * ahead * ahead;
            worst = worst.max(off.abs() * camera.focal[0] / ahead);
            both += 1;
        }
        rows += usize::from(both == 2);
    }
    (worst, rows)
}

#[test]
fn lines_are_drawn_where_they_are() {
    let roads = [
        ("straight", STRAIGHT),
        ("to the left", Road { bend: -1.0 / 600.0, ..STRAIGHT }),
        ("to the right", Road { bend: 1.0 / 800.0, ..STRAIGHT }),
        ("on concrete", Road { ground: CONCRETE, ..STRAIGHT }),
        ("in shadow", Road { shadow: [7.0, 15.0], ..STRAIGHT }),
        ("from concrete to asphalt, off centre", Road { sides: [-2.6, 0.9], dash: 9.0, ..STRAIGHT }),
        ("white on both sides", Road { paint: [WHITE; 2], dash: 4.0, ..STRAIGHT }),
        ("narrow", Road { sides: [-1.3, 1.5], ..STRAIGHT }),
    ];
    let view = known();
    for (name, road) in roads {
        let samples = render(&road, &view.camera);
        let found = mask(rgb(&samples), &view, &settings());
        let (pixels, rows) = miss(&found, &road, &view.camera);
        assert!(rows > 60 && pixels < 2.0, "{name}: off by {pixels:.2} pixels in {rows} rows");
        assert!(found.iter().filter(|class| **class == SURFACE).count() > 8_000, "{name}");
        let lane = find(rgb(&samples), &view, &settings()).unwrap();
        let apart = [0, 1].map(|line| (lane.sides[line] - road.sides[line]).abs());
        assert!(apart.iter().all(|metres| *metres < 0.1), "{name}: {lane:?}");
    }
}

#[test]
fn an_unknown_camera_finds_the_same_lines() {
    let view = View::unknown(WIDTH, HEIGHT, &settings()).unwrap();
    let camera = known().camera;
    for road in [STRAIGHT, Road { bend: 1.0 / 1_000.0, ..STRAIGHT }] {
        let found = mask(rgb(&render(&road, &camera)), &view, &settings());
        let (pixels, rows) = miss(&found, &road, &camera);
        assert!(rows > 60 && pixels < 4.0, "off by {pixels:.2} pixels in {rows} rows");
    }
}

#[test]
fn the_size_of_the_original_image_is_needed_where_the_axis_is_not_in_its_middle() {
    let [left, middle] = [None, Some([1280, 720])]
        .map(|from| View::known(&CAMERA, from, [WIDTH, HEIGHT], &settings()).unwrap());
    assert!((left.camera.centre[0] - 319.5).abs() < 0.3 && (middle.camera.centre[0] - 327.25).abs() < 0.3);
}

#[test]
fn what_is_no_lane_is_background() {
    let camera = known().camera;
    let noise = |step: u32| {
        let mut state = step;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(step | 1);
            (state >> 24) as u8
        };
        (0..WIDTH * HEIGHT * 3).map(|_| next()).collect::<Vec<u8>>()
    };
    let plain = Road { paint: [ASPHALT; 2], ..STRAIGHT };
    let images = [
        ("black", vec![0; WIDTH * HEIGHT * 3]),
        ("white", vec![255; WIDTH * HEIGHT * 3]),
        ("noise", noise(1_013_904_223)),
        ("other noise", noise(907_633_385)),
        ("road without lines", render(&plain, &camera)),
        ("one line", render(&Road { sides: [-1.6, 90.0], ..STRAIGHT }, &camera)),
        ("too wide", render(&Road { sides: [-3.5, 3.5], ..STRAIGHT }, &camera)),
    ];
    for view in [known(), View::unknown(WIDTH, HEIGHT, &settings()).unwrap()] {
        for (name, samples) in &images {
            let found = mask(rgb(samples), &view, &settings());
            assert_eq!(found.len(), WIDTH * HEIGHT);
            assert!(found.iter().all(|class| *class == 0), "{name}");
        }
    }
}

#[test]
fn wrong_cameras_are_errors_and_strange_ones_do_not_panic() {
    let error = View::known(&CAMERA[..5], None, [WIDTH, HEIGHT], &settings()).unwrap_err().to_string();
    assert!(error.contains("12 numbers") && error.contains("found 5"), "{error}");
    let samples = render(&STRAIGHT, &known().camera);
    let strange = [
        // Looks at the sky, at the ground, to the side; a fish eye; a lens that folds; a telescope; from a crane.
        (10, -1.5),
        (10, 1.5),
        (11, 1.5),
        (4, -5.0),
        (4, 300.0),
        (0, 1e6),
        (9, 999.0),
        (9, 0.001),
    ];
    for (place, number) in strange {
        let mut numbers = CAMERA;
        numbers[place] = number;
        let view = View::known(&numbers, Some([1280, 720]), [WIDTH, HEIGHT], &settings()).unwrap();
        assert_eq!(mask(rgb(&samples), &view, &settings()).len(), WIDTH * HEIGHT);
    }
    for (width, height) in [(1, 1), (3, 2), (640, 1), (1, 360)] {
        let view = View::unknown(width, height, &settings()).unwrap();
        let samples = vec![200; width * height * 3];
        let found = mask(Rgb { width, height, samples: &samples }, &view, &settings());
        assert_eq!(found, vec![0; width * height]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_usual_road_is_found(left in -2.4..-1.1f64, width in 3.0..4.2f64, curve in -2.0..2.0f64, dash in 3.0..12.0f64) {
        let road = Road { sides: [left, left + width], bend: curve / 1_000.0, dash, ..STRAIGHT };
        let view = known();
        let found = mask(rgb(&render(&road, &view.camera)), &view, &settings());
        let (pixels, rows) = miss(&found, &road, &view.camera);
        prop_assert!(rows > 60 && pixels < 2.5, "off by {:.2} pixels in {} rows", pixels, rows);
    }
}
