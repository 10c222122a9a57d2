//! Corners to a fraction of a pixel.

use super::{Grey, Pattern};

/// How far around a corner pixels are looked at, as a share of the distance to the nearest other corner, and in pixels.
const REACH_SHARE: f64 = 0.4;
const REACH_PIXELS_MIN: f64 = 2.0;
const REACH_PIXELS_MAX: f64 = 11.0;

/// Steps at most, and the step from which on a corner is where it is.
const STEPS_MAX: usize = 40;
const STEP_PIXELS: f64 = 1e-3;

/// How far a corner may move in all, as a share of the reach: farther, it was another one.
const MOVE_SHARE_MAX: f64 = 1.0;

/// All corners of a board, refined. `None` where one of them is not in the image or is none.
pub(super) fn all(image: Grey<'_>, pattern: Pattern, board: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
    let columns = pattern.columns();
    let refined = board.iter().enumerate().map(|(place, &corner)| {
        let (column, row) = (place % columns, place / columns);
        let beside = [
            (column > 0).then(|| place - 1),
            (column + 1 < columns).then_some(place + 1),
            (row > 0).then(|| place - columns),
            (row + 1 < pattern.rows()).then_some(place + columns),
        ];
        let distance = |&other: &usize| {
            let [x, y] = board[other];
            (x - corner[0]).hypot(y - corner[1])
        };
        let nearest = beside.iter().flatten().map(distance).fold(f64::INFINITY, f64::min);
        let reach = (nearest * REACH_SHARE).clamp(REACH_PIXELS_MIN, REACH_PIXELS_MAX);
        one(image, corner, reach)
    });
    refined.collect()
}

/// The point that all edges around it run through: at each pixel the brightness changes across an edge and not along it, so that
/// the gradient is at right angles to the way to the corner, or is 0 (W. Foerstner and E. Guelch, "A fast operator for detection
/// and precise location of distinct points, corners and centres of circular features", 1987). Pixels count less farther away.
fn one(image: Grey<'_>, start: [f64; 2], reach: f64) -> Option<[f64; 2]> {
    let mut corner = start;
    for _ in 0..STEPS_MAX {
        let [x, y] = corner;
        let sides = |middle: f64, length: usize| {
            let from = (middle - reach).ceil().max(1.0);
            // A pixel at the edge of the image has no gradient.
            let to = (middle + reach).floor().min(length as f64 - 2.0);
            (from <= to).then_some(from as usize..=to as usize)
        };
        let (across, down) = (sides(x, image.width)?, sides(y, image.height)?);
        let (mut xx, mut xy, mut yy, mut bx, mut by) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for row in down {
            for column in across.clone() {
                let at = |column: usize, row: usize| f64::from(image.samples[row * image.width + column]);
                let (dx, dy) = (column as f64 - x, row as f64 - y);
                let weight = (-2.0 * (dx * dx + dy * dy) / (reach * reach)).exp();
                let gx = at(column + 1, row) - at(column - 1, row);
                let gy = at(column, row + 1) - at(column, row - 1);
                xx += weight * gx * gx;
                xy += weight * gx * gy;
                yy += weight * gy * gy;
                bx += weight * (gx * gx * dx + gx * gy * dy);
                by += weight * (gx * gy * dx + gy * gy * dy);
            }
        }
        let determinant = xx * yy - xy * xy;
        // Along a single edge there is no corner.
        if determinant <= 1e-6 * (xx + yy).powi(2) {
            return None;
        }
        let step = [(yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant];
        corner = [x + step[0], y + step[1]];
        if (corner[0] - start[0]).hypot(corner[1] - start[1]) > reach * MOVE_SHARE_MAX {
            return None;
        }
        if step[0].hypot(step[1]) < STEP_PIXELS {
            break;
        }
    }
    Some(corner)
}
