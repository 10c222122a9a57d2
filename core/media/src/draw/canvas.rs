//! Red, green and blue pixels that are drawn on.

use std::ops::Range;

use super::{Colour, DRAWING_PIXELS_MAX, DrawError};
use crate::{Picture, Samples};

/// Values of a pixel.
const CHANNELS: usize = 3;

pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// Checks that a picture is what it says.
pub(super) fn check(picture: &Picture) -> Result<(), DrawError> {
    let Picture { width, height, channels, ref samples } = *picture;
    let pixels = check_pixels(width as usize, height as usize)?;
    if ![1, 3].contains(&channels) {
        return Err(DrawError::Channels { found: channels });
    }
    let found = match samples {
        Samples::U8(samples) => samples.len(),
        Samples::U16(samples) => samples.len(),
        Samples::F32(_) => return Err(DrawError::Measurements),
    };
    let expected = pixels * channels as usize;
    if found == expected { Ok(()) } else { Err(DrawError::Count { what: "samples", expected, found }) }
}

fn check_pixels(width: usize, height: usize) -> Result<usize, DrawError> {
    match width.checked_mul(height) {
        Some(pixels @ 1..=DRAWING_PIXELS_MAX) => Ok(pixels),
        _ => Err(DrawError::Pixels { width, height }),
    }
}

impl Canvas {
    /// A copy of a picture. Of 16 bits, the upper ones are kept.
    pub(super) fn of(picture: &Picture) -> Result<Canvas, DrawError> {
        check(picture)?;
        let grey = picture.channels == 1;
        let pixels = match &picture.samples {
            Samples::U8(samples) if grey => samples.iter().flat_map(|&sample| [sample; CHANNELS]).collect(),
            Samples::U8(samples) => samples.clone(),
            Samples::U16(samples) if grey => {
                samples.iter().flat_map(|&sample| [narrowed(sample); CHANNELS]).collect()
            }
            Samples::U16(samples) => samples.iter().map(|&sample| narrowed(sample)).collect(),
            Samples::F32(_) => return Err(DrawError::Measurements),
        };
        Ok(Canvas { width: picture.width as usize, height: picture.height as usize, pixels })
    }

    /// A canvas of one colour.
    pub(super) fn new(width: usize, height: usize, colour: Colour) -> Result<Canvas, DrawError> {
        let pixels = check_pixels(width, height)?;
        Ok(Canvas { width, height, pixels: colour.repeat(pixels) })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row.
    pub(super) fn pixels_mut(&mut self) -> impl Iterator<Item = &mut Colour> {
        self.pixels.as_chunks_mut().0.iter_mut()
    }

    /// Fills a rectangle; what lies outside the canvas is cut off.
    pub(super) fn fill(&mut self, columns: Range<usize>, rows: Range<usize>, colour: Colour) {
        let columns = columns.start.min(self.width)..columns.end.min(self.width);
        for row in rows.start.min(self.height)..rows.end.min(self.height) {
            let line = &mut self.pixels.as_chunks_mut().0[row * self.width..][..self.width];
            if let Some(line) = line.get_mut(columns.clone()) {
                line.fill(colour);
            }
        }
    }

    /// Lays another canvas on this one; what lies outside is cut off.
    pub(super) fn lay(&mut self, left: usize, top: usize, other: &Canvas) {
        let columns = other.width.min(self.width.saturating_sub(left));
        for row in 0..other.height.min(self.height.saturating_sub(top)) {
            let from = &other.pixels[row * other.width * CHANNELS..][..columns * CHANNELS];
            self.pixels[((top + row) * self.width + left) * CHANNELS..][..columns * CHANNELS]
                .copy_from_slice(from);
        }
    }

    pub(super) fn into_picture(self) -> Picture {
        Picture {
            width: self.width as u32,
            height: self.height as u32,
            channels: CHANNELS as u32,
            samples: Samples::U8(self.pixels),
        }
    }
}

/// 0 to 65,535 as 0 to 255, to the nearest.
fn narrowed(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_767) / 65_535) as u8
}

/// How many pixels thick lines and the strokes of letters are on a picture of this size: 1 up to 479 pixels of the
/// shorter side, and one more for each 240.
pub(super) fn stroke(width: usize, height: usize) -> usize {
    const SIDE_PIXELS: usize = 240;
    (width.min(height) / SIDE_PIXELS).max(1)
}
