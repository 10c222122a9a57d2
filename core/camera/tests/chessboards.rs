//! Chessboards that are drawn by a formula, through a camera that is known: are its corners and its numbers found?

use foretell_camera::{CalibrateError, Camera, ChessboardError, Grey, Pattern, calibrate, find_chessboard};
use nalgebra::{Rotation3, Vector3};

const WIDTH: usize = 480;
const HEIGHT: usize = 360;

fn camera() -> Camera {
    Camera::from_numbers(&[420.0, 410.0, 245.0, 172.0, -0.21, 0.06, 0.001, -0.0008, 0.0, 1.0, 0.0, 0.0])
        .unwrap()
}

fn pattern() -> Pattern {
    Pattern::new(7, 5).unwrap()
}

/// A board of squares with a side of 1: how it is turned, and where its first inner corner is.
struct Board {
    rotation: Rotation3<f64>,
    place: Vector3<f64>,
}

impl Board {
    /// Turned by these angles around the camera's axes, with the middle of the inner corners at `middle`.
    fn new(turns: [f64; 3], middle: [f64; 3]) -> Self {
        let rotation = Rotation3::from_euler_angles(turns[0], turns[1], turns[2]);
        let place = Vector3::from(middle) - rotation * Vector3::new(3.0, 2.0, 0.0);
        Self { rotation, place }
    }

    /// Where a point of the board is in the image.
    fn pixel(&self, camera: &Camera, [u, v]: [f64; 2]) -> [f64; 2] {
        let point = self.rotation * Vector3::new(u, v, 0.0) + self.place;
        camera.project(point.into()).unwrap()
    }

    fn corners(&self, camera: &Camera) -> Vec<[f64; 2]> {
        pattern().corners().map(|corner| self.pixel(camera, corner)).collect()
    }

    /// The board on a grey wall. Edges are about a pixel soft, so that corners are where they are to a fraction of one.
    fn render(&self, camera: &Camera) -> Vec<u8> {
        let back = self.rotation.inverse();
        let (normal, start) = (back * Vector3::z(), back * -self.place);
        assert!(normal.z.abs() > 0.1, "the board is seen from the front");
        let sample = |pixel: usize| {
            let at = [(pixel % WIDTH) as f64, (pixel / WIDTH) as f64];
            let [x, y] = camera.direction(at).unwrap();
            let ray = back * Vector3::new(x, y, 1.0);
            let distance = -start.z / ray.z;
            let (u, v) = (start.x + ray.x * distance, start.y + ray.y * distance);
            // Squares from one before the first corner to one behind the last.
            if !(-1.0..=7.0).contains(&u) || !(-1.0..=5.0).contains(&v) {
                return 190.0;
            }
            let edge = |side: f64| (side * std::f64::consts::PI).sin() * camera.focal[0] / distance / 3.0;
            127.5 + 100.0 * edge(u).clamp(-1.0, 1.0) * edge(v).clamp(-1.0, 1.0)
        };
        (0..WIDTH * HEIGHT).map(|pixel| sample(pixel) as u8).collect()
    }
}

fn boards() -> Vec<Board> {
    let places = [
        ([0.0, 0.0, 0.0], [0.2, 0.1, 10.5]),
        ([0.6, 0.1, 0.05], [-0.5, 0.2, 9.5]),
        ([-0.5, 0.2, -0.1], [0.4, -0.3, 10.0]),
        ([0.1, 0.6, 0.1], [0.3, 0.4, 9.0]),
        ([-0.1, -0.6, 0.0], [-0.4, -0.2, 10.0]),
        ([0.3, 0.3, 0.4], [1.0, 0.8, 11.0]),
    ];
    places.into_iter().map(|(turns, middle)| Board::new(turns, middle)).collect()
}

fn grey(samples: &[u8]) -> Grey<'_> {
    Grey { width: WIDTH, height: HEIGHT, samples }
}

fn farthest(left: &[[f64; 2]], right: &[[f64; 2]]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .map(|(left, right)| (left[0] - right[0]).hypot(left[1] - right[1]))
        .fold(0.0, f64::max)
}

#[test]
fn corners_are_found_where_they_are_and_give_the_camera() {
    let mut views = Vec::new();
    for (number, board) in boards().iter().enumerate() {
        let samples = board.render(&camera());
        let found = find_chessboard(grey(&samples), pattern()).unwrap();
        let pixels = farthest(&found, &board.corners(&camera()));
        assert!(pixels < 0.1, "picture {number}: off by {pixels}");
        views.push(found);
    }
    let found = calibrate(&views, pattern(), [WIDTH, HEIGHT]).unwrap();
    assert!(found.rms_pixels < 0.05, "{found:?}");
    for axis in 0..2 {
        assert!((found.focal[axis] / camera().focal[axis] - 1.0).abs() < 0.005, "{found:?}");
        assert!((found.centre[axis] - camera().centre[axis]).abs() < 1.5, "{found:?}");
    }
    // The middle of what was seen is where the distortion must be right.
    let calibrated = found.camera(camera().mount).unwrap();
    for pixel in [[60.0, 60.0], [420.0, 60.0], [240.0, 180.0], [100.0, 300.0]] {
        let [found, expected] = [calibrated, camera()].map(|camera| camera.direction(pixel).unwrap());
        let off = (found[0] - expected[0]).hypot(found[1] - expected[1]);
        assert!(off * 420.0 < 1.5, "{pixel:?}: off by {} pixels", off * 420.0);
    }
}

#[test]
fn exact_corners_give_the_camera_exactly() {
    let views: Vec<_> = boards().iter().map(|board| board.corners(&camera())).collect();
    let found = calibrate(&views, pattern(), [WIDTH, HEIGHT]).unwrap();
    assert!(found.rms_pixels < 1e-6, "{found:?}");
    let expected = camera().numbers();
    for (number, (found, expected)) in
        found.camera(camera().mount).unwrap().numbers().into_iter().zip(expected).enumerate()
    {
        assert!(
            (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
            "{number}: {found}, not {expected}"
        );
    }
    for (view, board) in found.views.iter().zip(boards()) {
        let apart = (Vector3::from(view.place) - board.place).norm();
        let angle = (0..3)
            .map(|row| {
                (0..3).map(|column| view.rotation[row][column] * board.rotation[(row, column)]).sum::<f64>()
            })
            .sum::<f64>();
        assert!(apart < 1e-4 && (angle - 3.0).abs() < 1e-9, "{view:?}");
    }
}

#[test]
fn rms_is_that_of_the_noise() {
    // Two corners that are off by 2 pixels to both sides of where they are.
    let mut views: Vec<_> = boards().iter().map(|board| board.corners(&camera())).collect();
    let exact = calibrate(&views, pattern(), [WIDTH, HEIGHT]).unwrap();
    views[2][10][0] += 2.0;
    views[4][20][0] -= 2.0;
    let found = calibrate(&views, pattern(), [WIDTH, HEIGHT]).unwrap();
    let expected = (8.0_f64 / (6.0 * 35.0)).sqrt();
    assert!(found.rms_pixels > exact.rms_pixels && found.rms_pixels < expected, "{found:?}");
    assert!(found.rms_pixels > 0.8 * expected, "{found:?}");
    let squares: f64 = found.views.iter().map(|view| view.rms_pixels.powi(2)).sum();
    assert!(((squares / 6.0).sqrt() - found.rms_pixels).abs() < 1e-9);
    let worst = found.views.iter().map(|view| view.rms_pixels).enumerate().max_by(|l, r| l.1.total_cmp(&r.1));
    assert!(matches!(worst, Some((2 | 4, _))), "{worst:?}");
}

#[test]
fn a_turned_board_begins_at_the_left_upper_end() {
    for turn in [std::f64::consts::PI, std::f64::consts::FRAC_PI_2, -0.3] {
        let board = Board::new([0.1, 0.1, turn], [0.0, 0.0, 12.0]);
        let found = find_chessboard(grey(&board.render(&camera())), pattern()).unwrap();
        let mut expected = board.corners(&camera());
        let last = expected.len() - 1;
        if expected[last].iter().sum::<f64>() < expected[0].iter().sum::<f64>() {
            expected.reverse();
        }
        assert!(farthest(&found, &expected) < 0.1, "turned by {turn}");
    }
}

#[test]
fn a_hidden_corner_is_placed_and_a_hidden_row_is_not() {
    let board = Board::new([0.2, -0.2, 0.1], [0.0, 0.0, 10.0]);
    let corners = board.corners(&camera());
    let mut samples = board.render(&camera());
    let mut wipe = |[x, y]: [f64; 2], reach: f64| {
        for (pixel, sample) in samples.iter_mut().enumerate() {
            let (dx, dy) = ((pixel % WIDTH) as f64 - x, (pixel / WIDTH) as f64 - y);
            if dx.hypot(dy) < reach {
                *sample = 120;
            }
        }
    };
    // A glare just on one corner: the edges that lead there are seen.
    wipe(corners[16], 4.0);
    let found = find_chessboard(grey(&samples), pattern()).unwrap();
    assert!(farthest(&found, &corners) < 1.0);
    // A hand over the last column.
    let mut wipe = |[x, y]: [f64; 2]| {
        for (pixel, sample) in samples.iter_mut().enumerate() {
            let (dx, dy) = ((pixel % WIDTH) as f64 - x, (pixel / WIDTH) as f64 - y);
            if dx.hypot(dy) < 22.0 {
                *sample = 120;
            }
        }
    };
    for row in 0..5 {
        wipe(corners[row * 7 + 6]);
    }
    let error = find_chessboard(grey(&samples), pattern()).unwrap_err();
    assert!(matches!(error, ChessboardError::Part { columns: 6 | 7, rows: 5, .. }), "{error}");
}

#[test]
fn what_is_no_chessboard_has_a_reason() {
    let mut state: u32 = 5;
    let noise: Vec<u8> = (0..WIDTH * HEIGHT)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for (name, samples) in [("black", vec![0; WIDTH * HEIGHT]), ("noise", noise)] {
        let error = find_chessboard(grey(&samples), pattern()).unwrap_err();
        assert!(matches!(error, ChessboardError::None | ChessboardError::Part { .. }), "{name}: {error}");
    }
    for (width, height, samples) in [(0, 0, 0), (10, 10, 99), (usize::MAX, 2, 4)] {
        let samples = vec![0; samples];
        let error = find_chessboard(Grey { width, height, samples: &samples }, pattern()).unwrap_err();
        assert!(matches!(error, ChessboardError::Image { .. }), "{error}");
    }
    for (width, height) in [(1, 1), (3, 200), (16, 16)] {
        let samples = vec![9; width * height];
        assert_eq!(
            find_chessboard(Grey { width, height, samples: &samples }, pattern()),
            Err(ChessboardError::None)
        );
    }
    // Another board than the one asked for.
    let samples = boards()[0].render(&camera());
    let error = find_chessboard(grey(&samples), Pattern::new(9, 6).unwrap()).unwrap_err();
    assert_eq!(error, ChessboardError::Part { columns: 7, rows: 5, seen: 35 });
    for (columns, rows) in [(2, 6), (9, 0), (101, 5)] {
        assert!(matches!(Pattern::new(columns, rows), Err(ChessboardError::Pattern { .. })));
    }
}

#[test]
fn what_determines_no_camera_is_an_error() {
    let views: Vec<_> = boards().iter().map(|board| board.corners(&camera())).collect();
    let size = [WIDTH, HEIGHT];
    assert_eq!(calibrate(&views[..2], pattern(), size), Err(CalibrateError::Views { found: 2 }));
    assert_eq!(calibrate(&views, pattern(), [0, 1]), Err(CalibrateError::Size { width: 0, height: 1 }));
    let mut wrong = views.clone();
    wrong[1].pop();
    assert_eq!(
        calibrate(&wrong, pattern(), size),
        Err(CalibrateError::Corners { view: 1, expected: 35, found: 34 })
    );
    let mut wrong = views.clone();
    wrong[3][3][1] = f64::NAN;
    assert!(matches!(calibrate(&wrong, pattern(), size), Err(CalibrateError::Corners { view: 3, .. })));
    let mut wrong = views;
    wrong[0] = vec![[5.0, 5.0]; 35];
    assert_eq!(calibrate(&wrong, pattern(), size), Err(CalibrateError::Undetermined));
    // From straight ahead alone, a long focal length far away looks like a short one near by.
    let flat = camera().numbers().map(|number| if number.abs() < 0.9 { 0.0 } else { number });
    let flat = Camera::from_numbers(&flat).unwrap();
    let straight: Vec<_> = (0..4)
        .map(|number| Board::new([0.0; 3], [0.0, 0.0, 10.0 + f64::from(number)]).corners(&flat))
        .collect();
    assert_eq!(calibrate(&straight, pattern(), size), Err(CalibrateError::Undetermined));
}
