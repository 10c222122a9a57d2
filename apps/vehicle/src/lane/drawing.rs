//! The lane drawn on the picture.

use foretell_camera::{Camera, Mount};
use foretell_media::draw::{DrawError, Path, class_colour, paths};
use foretell_media::{Picture, Samples};

use super::geometry::Lane;

/// Which colours surface and lines have.
const SURFACE_CLASS: usize = 2;
const LINE_CLASSES: [usize; 2] = [0, 1];

/// How much of the surface's colour lies over the road, of 256.
const COVER: u32 = 80;

/// Where the words begin, as shares of width and height.
const CAPTION: (f32, f32) = (0.02, 0.1);

/// Points of a line, evenly spaced in the picture.
const LINE_POINTS: usize = 64;

/// The least distance ahead that is drawn.
const NEAR_METRES_MIN: f64 = 0.5;

/// A picture with the surface of the lane coloured, both lines on it, and in words how it bends and where the camera is.
/// `camera` has its numbers for pictures of this size.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on.
pub fn draw(picture: &Picture, lane: &Lane, camera: &Camera) -> Result<Picture, DrawError> {
    let nodded = Camera { mount: Mount { pitch: lane.pitch_rad, ..camera.mount }, ..*camera };
    let lines = [lane.left, lane.right].map(|line| points(line, lane, &nodded));
    // Drawing nothing makes red, green and blue of whatever it is.
    let mut drawn = paths(picture, &[])?;
    cover(&mut drawn, &lines);
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let share = |&[x, y]: &[f64; 2]| (((x + 0.5) / width) as f32, ((y + 0.5) / height) as f32);
    let shown = lines.iter().zip(LINE_CLASSES).map(|(line, class)| Path {
        points: line.iter().map(share).collect(),
        is_closed: false,
        class,
        label: String::new(),
    });
    // Beside a dot in the sky: at the lines, words would hide the road.
    let caption = Path { points: vec![CAPTION], is_closed: false, class: SURFACE_CLASS, label: words(lane) };
    paths(&drawn, &shown.chain([caption]).collect::<Vec<_>>())
}

/// How the lane bends, and where the camera is in it.
fn words(lane: &Lane) -> String {
    let bend = match lane.radius_m {
        Some(radius) if lane.curvature_per_m > 0.0 => format!("radius {radius:.0} m to the right"),
        Some(radius) => format!("radius {radius:.0} m to the left"),
        None => "straight".to_owned(),
    };
    let side = if lane.offset_m < 0.0 { "left" } else { "right" };
    format!("{bend}, {:.2} m {side} of the middle", lane.offset_m.abs())
}

/// A line as pixels, from far to near.
fn points([side, slope, bend]: [f64; 3], lane: &Lane, camera: &Camera) -> Vec<[f64; 2]> {
    // A row of the picture is as much of 1 / ahead as any other.
    let [far, near] = [lane.far_m, lane.near_m].map(|metres| 1.0 / metres.max(NEAR_METRES_MIN));
    let ahead =
        (0..LINE_POINTS).map(|number| 1.0 / (far + (near - far) * number as f64 / (LINE_POINTS - 1) as f64));
    ahead
        .filter_map(|ahead| camera.pixel_of_ground([ahead, side + ahead * (slope + bend * ahead)]))
        .filter(|pixel| pixel.iter().all(|place| place.abs() < f64::from(u32::MAX)))
        .collect()
}

/// Where a line is in a row.
fn at(line: &[[f64; 2]], y: f64) -> Option<f64> {
    line.windows(2).find_map(|ends| {
        let [[x0, y0], [x1, y1]] = [ends[0], ends[1]];
        (y0 <= y && y < y1).then(|| x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    })
}

/// Colours what is between the lines.
fn cover(picture: &mut Picture, lines: &[Vec<[f64; 2]>; 2]) {
    let width = picture.width as usize;
    let Samples::U8(samples) = &mut picture.samples else { return };
    let colour = class_colour(SURFACE_CLASS);
    for (y, row) in samples.as_chunks_mut::<3>().0.chunks_exact_mut(width.max(1)).enumerate() {
        let [Some(left), Some(right)] = [at(&lines[0], y as f64), at(&lines[1], y as f64)] else { continue };
        // A cast ends at 0 by itself.
        let (from, to) = ((left.ceil() as usize).min(width), (right.floor() + 1.0) as usize);
        for pixel in row.get_mut(from..to.min(width)).into_iter().flatten() {
            for (under, over) in pixel.iter_mut().zip(colour) {
                *under = ((u32::from(*under) * (256 - COVER) + u32::from(over) * COVER) / 256) as u8;
            }
        }
    }
}
