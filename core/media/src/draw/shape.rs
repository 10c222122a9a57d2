//! Lines on pictures: outlines of masks, and boxes with labels.

use super::canvas::{Canvas, stroke};
use super::colour::{Colour, class_colour, readable_on};
use super::{DrawError, font};
use crate::Picture;

/// The most boxes of a picture.
pub const BOXES_MAX: usize = 10_000;

/// A rectangle around something in a picture. Sides are shares of the picture's width and height from its left upper
/// corner: 0 to 1 inside; what is beyond is cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBox {
    /// The left side, a share of the width.
    pub left: f32,
    /// The upper side, a share of the height.
    pub top: f32,
    /// The right side, a share of the width, not left of `left`.
    pub right: f32,
    /// The lower side, a share of the height, not above `top`.
    pub bottom: f32,
    /// What the colour is taken from, see [`class_colour`].
    pub class: usize,
    /// Stands above the box, or in it at the upper edge of the picture; may be empty. One line; characters beyond ASCII
    /// are drawn as `?`.
    pub label: String,
}

/// A picture with the border of a class drawn in: its own outermost pixels, so that the line lies inside, as thick as
/// is readable on a picture of this size. Where the class meets the edge of the picture, the edge is a border too.
///
/// `mask` has a class for each pixel, row by row.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on, more or fewer classes than pixels.
pub fn outline(picture: &Picture, mask: &[u8], class: u8, colour: Colour) -> Result<Picture, DrawError> {
    let mut canvas = Canvas::of(picture)?;
    let (width, height) = (canvas.width(), canvas.height());
    if mask.len() != width * height {
        return Err(DrawError::Count {
            what: "classes of the mask",
            expected: width * height,
            found: mask.len(),
        });
    }
    let inside: Vec<bool> = mask.iter().map(|&found| found == class).collect();
    let core = eroded(&inside, width, height, stroke(width, height));
    for ((pixel, inside), core) in canvas.pixels_mut().zip(inside).zip(core) {
        if inside && !core {
            *pixel = colour;
        }
    }
    Ok(canvas.into_picture())
}

/// The pixels that have only pixels of the shape within `radius` rows and columns: first along rows, then along
/// columns.
fn eroded(shape: &[bool], width: usize, height: usize, radius: usize) -> Vec<bool> {
    let mut eroded = shape.to_vec();
    for (length, step, lines, apart) in [(width, 1, height, width), (height, width, width, 1)] {
        let mut line = vec![false; length];
        for start in (0..lines).map(|line| line * apart) {
            for (value, place) in line.iter_mut().zip((start..).step_by(step)) {
                *value = eroded[place];
            }
            // How many pixels in a row belong to the shape, up to the place that is `radius` ahead.
            let mut run = 0;
            for ahead in 0..length + radius {
                run = if line.get(ahead).is_some_and(|&inside| inside) { run + 1 } else { 0 };
                if let Some(place) = ahead.checked_sub(radius) {
                    eroded[start + place * step] = run > 2 * radius;
                }
            }
        }
    }
    eroded
}

/// A picture with boxes drawn in, in the given order: what comes later lies above. Sides are at the nearest edges of
/// pixels, and lines lie inside the boxes; a box thinner than a pixel is drawn one pixel thick.
///
/// # Errors
/// [`DrawError`]: a picture that cannot be drawn on, too many boxes, a side that is not a finite number, or sides in
/// the wrong order.
pub fn boxes(picture: &Picture, boxes: &[LabelledBox]) -> Result<Picture, DrawError> {
    let mut canvas = Canvas::of(picture)?;
    if boxes.len() > BOXES_MAX {
        return Err(DrawError::Many { what: "boxes", found: boxes.len(), most: BOXES_MAX });
    }
    for shown in boxes {
        let LabelledBox { left, top, right, bottom, .. } = *shown;
        if let Some(&found) = [left, top, right, bottom].iter().find(|side| !side.is_finite()) {
            return Err(DrawError::Setting { what: "a finite number for the side of a box", found });
        }
        if right < left || bottom < top {
            let found = if right < left { right } else { bottom };
            return Err(DrawError::Setting { what: "a box whose right and lower sides come last", found });
        }
        draw_box(&mut canvas, shown);
    }
    Ok(canvas.into_picture())
}

fn draw_box(canvas: &mut Canvas, shown: &LabelledBox) {
    let (width, height) = (canvas.width(), canvas.height());
    let (left, right) = places(shown.left, shown.right, width);
    let (top, bottom) = places(shown.top, shown.bottom, height);
    if left >= right || top >= bottom {
        return;
    }
    let scale = stroke(width, height);
    let colour = class_colour(shown.class);
    canvas.fill(left..right, top..(top + scale).min(bottom), colour);
    canvas.fill(left..right, bottom.saturating_sub(scale).max(top)..bottom, colour);
    canvas.fill(left..(left + scale).min(right), top..bottom, colour);
    canvas.fill(right.saturating_sub(scale).max(left)..right, top..bottom, colour);
    if !shown.label.is_empty() {
        draw_label(canvas, left, top, scale, shown);
    }
}

/// Where a box begins and ends along a side of the picture: at the nearest edges of pixels, at least one pixel apart,
/// and then cut off. What is not in the picture at all begins where it ends.
fn places(begin: f32, end: f32, length: usize) -> (usize, usize) {
    let place = |share: f32| (f64::from(share) * length as f64).round();
    let (begin, end) = (place(begin), place(end).max(place(begin) + 1.0));
    // A cast ends at 0 by itself.
    ((begin as usize).min(length), (end as usize).min(length))
}

/// The label on a ground of the class's colour, moved left where it would not fit.
fn draw_label(canvas: &mut Canvas, left: usize, top: usize, scale: usize, shown: &LabelledBox) {
    let ground = class_colour(shown.class);
    let width = font::text_width(&shown.label, scale).saturating_add(2 * scale);
    let height = font::text_height(scale) + 2 * scale;
    let left = left.min(canvas.width().saturating_sub(width));
    let top = top.saturating_sub(height);
    canvas.fill(left..left.saturating_add(width), top..top + height, ground);
    font::write(canvas, left + scale, top + scale, scale, readable_on(ground), &shown.label);
}
