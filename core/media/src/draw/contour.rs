//! The border of a class as polygons, for a page or a file.

use super::{DRAWING_PIXELS_MAX, DrawError};

/// How far a point that was left out of a contour may be from it, in pixels. The steps of a slanting border are up to
/// 0.71 away from a straight line through them.
pub const CONTOUR_TOLERANCE_PIXELS: f64 = 0.75;

/// The most corners of all contours of a mask before they are simplified: a mask with more is noise.
pub const CONTOUR_CORNERS_MAX: usize = 4_000_000;

/// A longer border is simplified piece by piece, because the time grows with the square of the length at worst.
const PIECE_CORNERS_MAX: usize = 2_048;

/// The corner of a pixel: column and row of the grid between the pixels.
type Corner = (u32, u32);

/// Directions in the order of right turns: right, down, left, up.
const STEPS: [(i64, i64); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The borders of a class, as closed polygons of corners `(x, y)` in shares of the width and the height, from the left
/// upper corner. The first corner is not repeated at the end.
///
/// `mask` has a class for each pixel, row by row. Polygons run along the edges of pixels. Outer borders run
/// clockwise, as seen on a screen, and those of holes the other way, so that both fill rules of SVG leave holes open.
/// Pixels that touch with a corner alone are two shapes. The polygons come in the order of their uppermost, leftmost
/// corner.
///
/// Borders are simplified by the method of Douglas and Peucker ("Algorithms for the reduction of the number of points
/// required to represent a digitized line or its caricature", Cartographica 10(2), 1973): no corner that is left out
/// is farther than [`CONTOUR_TOLERANCE_PIXELS`] from the line. One of which fewer than three corners would be left
/// stays as it is.
///
/// # Errors
/// [`DrawError`]: a size of 0 or beyond the limits, more or fewer classes than pixels, or too many corners.
pub fn contours(
    mask: &[u8],
    height: usize,
    width: usize,
    class: u8,
) -> Result<Vec<Vec<(f32, f32)>>, DrawError> {
    let expected = match height.checked_mul(width) {
        Some(pixels @ 1..=DRAWING_PIXELS_MAX) => pixels,
        _ => return Err(DrawError::Pixels { width, height }),
    };
    if mask.len() != expected {
        return Err(DrawError::Count { what: "classes of the mask", expected, found: mask.len() });
    }
    let share =
        |(x, y): Corner| ((f64::from(x) / width as f64) as f32, (f64::from(y) / height as f64) as f32);
    let shape = Shape { mask, height: height as i64, width: width as i64, class };
    let rings = shape.rings()?;
    Ok(rings.iter().map(|ring| simplified(ring).into_iter().map(share).collect()).collect())
}

struct Shape<'a> {
    mask: &'a [u8],
    height: i64,
    width: i64,
    class: u8,
}

impl Shape<'_> {
    /// Whether a pixel belongs to the shape; outside the mask none does.
    fn has(&self, column: i64, row: i64) -> bool {
        (0..self.width).contains(&column)
            && (0..self.height).contains(&row)
            && self.mask[(row * self.width + column) as usize] == self.class
    }

    /// All borders, with the corners where they turn.
    fn rings(&self) -> Result<Vec<Vec<Corner>>, DrawError> {
        // Every border has an upper edge of a pixel in it, and begins with the first one that no other border has.
        let mut seen = vec![false; self.mask.len()];
        let (mut rings, mut corners) = (Vec::new(), 0);
        for row in 0..self.height {
            for column in 0..self.width {
                let new = !seen[(row * self.width + column) as usize];
                if new && self.has(column, row) && !self.has(column, row - 1) {
                    let ring = self.follow((column, row), &mut seen, CONTOUR_CORNERS_MAX - corners)?;
                    corners += ring.len();
                    rings.push(ring);
                }
            }
        }
        Ok(rings)
    }

    /// The border that runs to the right from a corner, the shape on its right-hand side, of at most `most` corners.
    fn follow(&self, start: (i64, i64), seen: &mut [bool], most: usize) -> Result<Vec<Corner>, DrawError> {
        let (mut corner, mut direction) = (start, 0);
        let mut ring = vec![(start.0 as u32, start.1 as u32)];
        loop {
            if direction == 0 {
                seen[(corner.1 * self.width + corner.0) as usize] = true;
            }
            let (dx, dy) = STEPS[direction];
            corner = (corner.0 + dx, corner.1 + dy);
            // The two pixels ahead. A corner stands at the left upper one of the pixel of the same number.
            let (x, y) = corner;
            let (left, right) = match direction {
                0 => ((x, y - 1), (x, y)),
                1 => ((x, y), (x - 1, y)),
                2 => ((x - 1, y), (x - 1, y - 1)),
                _ => ((x - 1, y - 1), (x, y - 1)),
            };
            let turn = match (self.has(left.0, left.1), self.has(right.0, right.1)) {
                (_, false) => 1,
                (false, true) => 0,
                (true, true) => 3,
            };
            direction = (direction + turn) % STEPS.len();
            if corner == start && direction == 0 {
                return Ok(ring);
            }
            if turn != 0 {
                if ring.len() >= most {
                    return Err(DrawError::Corners);
                }
                ring.push((x as u32, y as u32));
            }
        }
    }
}

/// A border without the corners that hardly change it.
fn simplified(ring: &[Corner]) -> Vec<Corner> {
    // The first corner and the one that is farthest from it stay: they cut the ring into two lines.
    let from_first = |corner: &Corner| {
        let (dx, dy) =
            (f64::from(corner.0) - f64::from(ring[0].0), f64::from(corner.1) - f64::from(ring[0].1));
        dx * dx + dy * dy
    };
    let farther = |best: usize, place: usize| {
        if from_first(&ring[place]) > from_first(&ring[best]) { place } else { best }
    };
    let farthest = (0..ring.len()).fold(0, farther);
    let mut kept = vec![false; ring.len()];
    kept[0] = true;
    kept[farthest] = true;
    for (first, last) in [(0, farthest), (farthest, ring.len())] {
        for start in (first..last).step_by(PIECE_CORNERS_MAX) {
            keep_far(ring, start, (start + PIECE_CORNERS_MAX).min(last), &mut kept);
        }
    }
    let left: Vec<Corner> =
        ring.iter().zip(&kept).filter(|&(_, &kept)| kept).map(|(&corner, _)| corner).collect();
    if left.len() < 3 { ring.to_vec() } else { left }
}

/// Keeps the ends of a line and what is too far from the line between them; behind the last corner comes the first.
fn keep_far(ring: &[Corner], first: usize, last: usize, kept: &mut [bool]) {
    kept[first] = true;
    kept[last % ring.len()] = true;
    let mut lines = vec![(first, last)];
    while let Some((first, last)) = lines.pop() {
        let ends = (ring[first], ring[last % ring.len()]);
        let mut worst = (CONTOUR_TOLERANCE_PIXELS * CONTOUR_TOLERANCE_PIXELS, None);
        for (place, &corner) in ring.iter().enumerate().take(last).skip(first + 1) {
            let found = squared_distance(corner, ends);
            if found > worst.0 {
                worst = (found, Some(place));
            }
        }
        if let Some(place) = worst.1 {
            kept[place] = true;
            lines.extend([(first, place), (place, last)]);
        }
    }
}

/// How far a corner is from a line with two ends, squared.
fn squared_distance(corner: Corner, (from, to): (Corner, Corner)) -> f64 {
    let apart = |a: Corner, b: Corner| (f64::from(b.0) - f64::from(a.0), f64::from(b.1) - f64::from(a.1));
    let ((dx, dy), (x, y)) = (apart(from, to), apart(from, corner));
    let length = dx * dx + dy * dy;
    // The foot of the corner on the line, as share of its length. A line may be a point.
    let foot = if length > 0.0 { ((x * dx + y * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (x - foot * dx, y - foot * dy);
    x * x + y * y
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice the area inside a ring, below 0 for one that runs to the left.
    fn doubled_area(ring: &[Corner]) -> i64 {
        let next = ring.iter().cycle().skip(1);
        ring.iter()
            .zip(next)
            .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1))
            .sum()
    }

    /// Before anything is left out, the area inside all rings together is the number of pixels, whatever the shape.
    #[test]
    fn rings_enclose_exactly_the_pixels() {
        let mut state = 1u64;
        for side in 1..40usize {
            let mut bits = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 60) as u8 & u8::from(side % 3 > 0) | (state >> 62) as u8
            };
            let mask: Vec<u8> = (0..side * (side + 3)).map(|_| u8::from(bits() > 1)).collect();
            let shape = Shape { mask: &mask, height: side as i64, width: side as i64 + 3, class: 1 };
            let rings = shape.rings().expect("few corners");
            let area: i64 = rings.iter().map(|ring| doubled_area(ring)).sum();
            assert_eq!(area, 2 * mask.iter().filter(|&&class| class == 1).count() as i64, "{side}");
            for ring in &rings {
                assert!(ring.len() >= 4 && ring.len() % 2 == 0, "{ring:?}");
            }
        }
    }

    /// A staircase longer than one piece becomes a line with a corner for each piece.
    #[test]
    fn long_borders_are_simplified_too() {
        let side = 3 * PIECE_CORNERS_MAX;
        let ring: Vec<Corner> = (0..side as u32)
            .flat_map(|step| [(step, step), (step + 1, step)])
            .chain([(side as u32, side as u32), (0, side as u32)])
            .collect();
        let found = simplified(&ring);
        assert!(found.len() <= 9, "{}", found.len());
        assert!(found.contains(&(0, 0)) && found.contains(&(0, side as u32)));
    }

    #[test]
    fn corners_are_limited() {
        let mask = [1, 0, 1, 0, 1, 0, 1, 0, 1];
        let shape = Shape { mask: &mask, height: 3, width: 3, class: 1 };
        let mut seen = [false; 9];
        assert_eq!(shape.follow((0, 0), &mut seen, 3), Err(DrawError::Corners));
        assert_eq!(shape.follow((0, 0), &mut seen, 4).expect("a square").len(), 4);
    }
}
