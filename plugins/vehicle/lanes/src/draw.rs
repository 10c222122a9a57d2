//! The lane back in the image, as a class for each pixel.

use foretell_camera::{Camera, Mount};

use crate::fit::Lane;

/// Places of the labels in the manifest.
pub const LEFT: u8 = 1;
/// The right line.
pub const RIGHT: u8 = 2;
/// The surface between them.
pub const SURFACE: u8 = 3;

/// The narrowest line that is drawn.
const LINE_PIXELS_MIN: f64 = 2.0;

/// Points of an edge, evenly spaced in the image as seen by a camera without distortion.
const EDGE_POINTS: usize = 96;

/// The class of each pixel of a `width * height` image, row by row.
pub fn mask(lane: &Lane, camera: &Camera, width: usize, height: usize, line_metres: f64) -> Vec<u8> {
    let camera = Camera { mount: Mount { pitch: lane.course.pitch, ..camera.mount }, ..*camera };
    let lines = lane.sides.map(|side| edge(lane, &camera, side));
    let mut mask = vec![0; width * height];
    for y in 0..height {
        let [Some(left), Some(right)] = [at(&lines[0], y as f64), at(&lines[1], y as f64)] else { continue };
        let metre = (right - left) / (lane.sides[1] - lane.sides[0]);
        let half = (line_metres * metre).max(LINE_PIXELS_MIN) / 2.0;
        let row = &mut mask[y * width..][..width];
        for (from, to, class) in
            [(left, right, SURFACE), (left - half, left + half, LEFT), (right - half, right + half, RIGHT)]
        {
            // Pixels whose middles are between; a cast ends at 0 by itself.
            let from = from.ceil() as usize;
            let to = (to.floor() + 1.0).max(0.0) as usize;
            if let Some(pixels) = row.get_mut(from.min(width)..to.min(width)) {
                pixels.fill(class);
            }
        }
    }
    mask
}

/// A line as pixels, from far to near.
fn edge(lane: &Lane, camera: &Camera, side: f64) -> Vec<[f64; 2]> {
    // A row of the image is as much of 1 / ahead as any other.
    let (far, near) = (1.0 / lane.far, 1.0 / lane.near.max(0.5));
    let ahead =
        (0..EDGE_POINTS).map(|number| 1.0 / (far + (near - far) * number as f64 / (EDGE_POINTS - 1) as f64));
    ahead.filter_map(|ahead| camera.pixel_of_ground([ahead, lane.right(side, ahead)])).collect()
}

/// Where a line is in a row.
fn at(edge: &[[f64; 2]], y: f64) -> Option<f64> {
    edge.windows(2).find_map(|ends| {
        let [[x0, y0], [x1, y1]] = [ends[0], ends[1]];
        (y0 <= y && y < y1).then(|| x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    })
}
