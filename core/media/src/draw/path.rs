//! Lines from point to point on pictures.

use super::canvas::{Canvas, stroke};
use super::colour::{class_colour, readable_on};
use super::{DrawError, font};
use crate::Picture;

/// The most points of all lines of a picture together.
pub const PATH_POINTS_MAX: usize = 100_000;

/// How far a point may be outside of the picture, as a share of its side: so far, places on the way are exact to a part of a pixel.
const SHARE_MAX: f32 = 1e6;

/// Straight lines from point to point. Points are shares of the picture's width and height from its left upper corner: 0 to 1 inside;
/// what is beyond is cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The points, in order. A single one is a dot.
    pub points: Vec<(f32, f32)>,
    /// Whether a line leads from the last point back to the first.
    pub is_closed: bool,
    /// What the colour is taken from, see [`class_colour`].
    pub class: usize,
    /// Stands at the first point; may be empty. One line; characters beyond ASCII are drawn as `?`.
    pub label: String,
}

/// A picture with lines drawn in, in the given order: what comes later lies above. Lines are as thick as is readable on a picture of
/// this size.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on, too many points, or one that is no number or far outside.
pub fn paths(picture: &Picture, paths: &[Path]) -> Result<Picture, DrawError> {
    let mut canvas = Canvas::of(picture)?;
    let points = || paths.iter().flat_map(|path| &path.points);
    let found = points().count();
    if found > PATH_POINTS_MAX {
        return Err(DrawError::Many { what: "points of lines", found, most: PATH_POINTS_MAX });
    }
    let is_far = |share: &f32| share.is_nan() || share.abs() > SHARE_MAX;
    if let Some(found) = points().flat_map(|&(x, y)| [x, y]).find(is_far) {
        let what = "a number from -1,000,000 to 1,000,000 for a point of a line";
        return Err(DrawError::Setting { what, found });
    }
    for path in paths {
        draw(&mut canvas, path);
    }
    Ok(canvas.into_picture())
}

fn draw(canvas: &mut Canvas, path: &Path) {
    let (width, height) = (canvas.width() as f64, canvas.height() as f64);
    let place = |&(x, y): &(f32, f32)| (f64::from(x) * width, f64::from(y) * height);
    let places: Vec<(f64, f64)> = path.points.iter().map(place).collect();
    let Some(&first) = places.first() else { return };
    let scale = stroke(canvas.width(), canvas.height());
    let colour = class_colour(path.class);
    let ends = places[1..].iter().chain(path.is_closed.then_some(&first));
    let aside = (scale as f64 - 1.0) / 2.0;
    let mut dots = |from, to| {
        for (x, y) in dotted(from, to, (width, height)) {
            let (left, top) = ((x - aside).floor(), (y - aside).floor());
            let side = |begin: f64| begin.max(0.0) as usize..(begin + scale as f64).max(0.0) as usize;
            canvas.fill(side(left), side(top), colour);
        }
    };
    if places.len() == 1 {
        dots(first, first);
    }
    for (from, to) in places.iter().zip(ends) {
        dots(*from, *to);
    }
    if !path.label.is_empty() {
        let wide = font::text_width(&path.label, scale).saturating_add(2 * scale);
        let high = font::text_height(scale) + 2 * scale;
        // A cast ends at 0 by itself.
        let left = (first.0 as usize).min(canvas.width().saturating_sub(wide));
        let top = (first.1 as usize).min(canvas.height().saturating_sub(high));
        canvas.fill(left..left.saturating_add(wide), top..top + high, colour);
        font::write(canvas, left + scale, top + scale, scale, readable_on(colour), &path.label);
    }
}

/// Places half a pixel or less apart on the way between two points, as far as it is in the picture or beside it.
fn dotted(from: (f64, f64), to: (f64, f64), (width, height): (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    // The part of the way that is in the picture, by either side (Liang and Barsky 1984).
    let (mut begin, mut end) = (0.0f64, 1.0f64);
    for (step, start, length) in [(x, from.0, width), (y, from.1, height)] {
        if step == 0.0 {
            // Beside the picture all the way.
            if !(0.0..=length).contains(&start) {
                end = -1.0;
            }
            continue;
        }
        let (one, other) = (-start / step, (length - start) / step);
        begin = begin.max(one.min(other));
        end = end.min(one.max(other));
    }
    let steps = (2.0 * (end - begin).max(0.0) * x.abs().max(y.abs())).ceil().max(1.0);
    let count = if begin <= end { steps as usize + 1 } else { 0 };
    (0..count).map(move |step| {
        let share = begin + (end - begin) * step as f64 / steps;
        (from.0 + share * x, from.1 + share * y)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Samples;

    const SIDE: usize = 20;

    /// Places of pixels that are not black any more.
    fn drawn(points: &[(f32, f32)], is_closed: bool) -> Vec<(usize, usize)> {
        let side = SIDE as u32;
        let black = Picture {
            width: side,
            height: side,
            channels: 3,
            samples: Samples::U8(vec![0; SIDE * SIDE * 3]),
        };
        let path = Path { points: points.to_vec(), is_closed, class: 0, label: String::new() };
        let Samples::U8(samples) = paths(&black, &[path]).unwrap().samples else { panic!("bytes") };
        let lit = (0..SIDE * SIDE).filter(|place| samples[place * 3] > 0);
        lit.map(|place| (place % SIDE, place / SIDE)).collect()
    }

    #[test]
    fn lines_lead_from_point_to_point() {
        let across = drawn(&[(0.0, 0.525), (1.0, 0.525)], false);
        assert_eq!(across, (0..SIDE).map(|x| (x, 10)).collect::<Vec<_>>());
        let diagonal = drawn(&[(0.025, 0.025), (0.975, 0.975)], false);
        assert_eq!(diagonal, (0..SIDE).map(|x| (x, x)).collect::<Vec<_>>());
        let corners = [(0.125, 0.125), (0.875, 0.125), (0.875, 0.875), (0.125, 0.875)];
        assert_eq!(drawn(&corners, true).len(), drawn(&corners, false).len() + 14);
        assert_eq!(drawn(&[(0.525, 0.525)], false), [(10, 10)]);
    }

    #[test]
    fn what_is_outside_is_cut_off_in_little_time() {
        for far in [2.0, 1e3, SHARE_MAX] {
            assert_eq!(drawn(&[(-far, 0.525), (far, 0.525)], false).len(), SIDE, "{far}");
            assert!(drawn(&[(-far, -0.5), (far, -0.5)], false).is_empty(), "{far}");
        }
        assert!(drawn(&[(2.0, 0.0), (4.0, 1.0)], false).is_empty());
    }

    #[test]
    fn points_are_checked() {
        let grey = Picture { width: 2, height: 2, channels: 1, samples: Samples::U8(vec![0; 4]) };
        let path = |points| [Path { points, is_closed: false, class: 0, label: "a".to_owned() }];
        for wrong in [f32::NAN, f32::INFINITY, -2.0 * SHARE_MAX] {
            assert!(paths(&grey, &path(vec![(0.0, wrong)])).is_err(), "{wrong}");
        }
        assert!(paths(&grey, &path(vec![(0.0, 0.0); PATH_POINTS_MAX + 1])).is_err());
        assert!(paths(&grey, &path(vec![])).is_ok());
        assert!(paths(&grey, &path(vec![(0.9, 0.9)])).is_ok(), "a label that does not fit");
    }
}
