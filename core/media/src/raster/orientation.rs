//! Turning a picture the right way up: the orientation that a camera wrote into EXIF (tag 0x0112, values 1 to 8).

use crate::picture::{Picture, Samples};
use image::metadata::Orientation;

/// Width and height after turning.
pub(super) fn size((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    if swaps(orientation) { (height, width) } else { (width, height) }
}

fn swaps(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The picture after turning.
pub(super) fn applied(picture: Picture, orientation: Orientation) -> Picture {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let Picture { width, height, channels, samples } = picture;
    let stored = (width as usize, height as usize);
    let samples = match samples {
        Samples::U8(samples) => Samples::U8(turned(&samples, stored, channels as usize, orientation)),
        Samples::U16(samples) => Samples::U16(turned(&samples, stored, channels as usize, orientation)),
        Samples::F32(samples) => Samples::F32(turned(&samples, stored, channels as usize, orientation)),
    };
    let (width, height) = size((width, height), orientation);
    Picture { width, height, channels, samples }
}

fn turned<T: Copy>(
    samples: &[T],
    (width, height): (usize, usize),
    channels: usize,
    orientation: Orientation,
) -> Vec<T> {
    let (across, down) = if swaps(orientation) { (height, width) } else { (width, height) };
    let mut target = Vec::with_capacity(samples.len());
    for y in 0..down {
        for x in 0..across {
            // The stored pixel that is shown at (x, y).
            let (column, row) = match orientation {
                Orientation::NoTransforms => (x, y),
                Orientation::FlipHorizontal => (width - 1 - x, y),
                Orientation::Rotate180 => (width - 1 - x, height - 1 - y),
                Orientation::FlipVertical => (x, height - 1 - y),
                Orientation::Rotate90FlipH => (y, x),
                Orientation::Rotate90 => (y, height - 1 - x),
                Orientation::Rotate270FlipH => (width - 1 - y, height - 1 - x),
                Orientation::Rotate270 => (width - 1 - y, x),
            };
            let start = (row * width + column) * channels;
            target.extend_from_slice(&samples[start..start + channels]);
        }
    }
    target
}
