//! Drawing on pictures, for people: heat maps, outlines, lines, boxes with labels, panels.
//!
//! ```
//! use foretell_media::draw::{ColourMap, HeatMapOptions, Panel, colour_bar, heat_map, panels, to_png};
//! use foretell_media::{Picture, Samples};
//!
//! let picture = Picture { width: 64, height: 48, channels: 1, samples: Samples::U8(vec![120; 64 * 48]) };
//! // One value for each pixel: here the right half is hot.
//! let values: Vec<f32> = (0..64 * 48).map(|place| if place % 64 < 32 { 0.0 } else { 0.31 }).collect();
//!
//! let options = HeatMapOptions::default();
//! let overlay = heat_map(&picture, &values, &options)?;
//! let bar = colour_bar(ColourMap::Sequential, options.full_scale(&values), overlay.height)?;
//! let page = panels(&[
//!     Panel { picture: &picture, caption: "as it is" },
//!     Panel { picture: &overlay, caption: "fall of the score" },
//!     Panel { picture: &bar, caption: "" },
//! ])?;
//! assert!(to_png(&page)?.starts_with(b"\x89PNG"));
//! # Ok::<(), foretell_media::draw::DrawError>(())
//! ```
//!
//! # Contract
//! A drawing is a new picture of 8-bit red, green and blue; the picture that is drawn on is not changed. Grey and
//! colour of 8 and of 16 bits can be drawn on. Values as a file means them ([`Samples::F32`])
//! cannot: somebody must choose which of them are black and white first.
//!
//! Lines and letters grow with the picture, so that they can be read when the whole picture is looked at.
//!
//! **Invariant:** the same arguments give the same pixels, on every machine.
//!
//! # Pitfalls
//! - A drawing is for looking at. Do not measure in it, nor give it to a model.
//! - The strongest colour goes to the greatest value of the map at hand, however small that is: show a [`colour_bar`]
//!   beside it, or set [`HeatMapOptions::full`].
//! - Letters are ASCII. Captions in other scripts belong beside the picture, not into it.

mod canvas;
mod colour;
mod contour;
mod font;
mod heat;
mod panel;
mod path;
mod shape;

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::{Picture, Samples};

pub use colour::{Colour, ColourMap, class_colour};
pub use contour::{CONTOUR_CORNERS_MAX, CONTOUR_TOLERANCE_PIXELS, contours};
pub use heat::{HeatMapOptions, colour_bar, heat_map};
pub use panel::{PANELS_MAX, Panel, panels};
pub use path::{PATH_POINTS_MAX, Path, paths};
pub use shape::{BOXES_MAX, LabelledBox, boxes, outline};

/// The most pixels of a drawing: three bytes each.
pub const DRAWING_PIXELS_MAX: usize = 1 << 27;

/// Why something cannot be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// Nothing to draw on, or too much.
    #[error(
        "expected a drawing of 1 to {DRAWING_PIXELS_MAX} pixels, found {width} x {height}; make it smaller first"
    )]
    Pixels {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// Neither grey nor colour.
    #[error("expected a picture with 1 or 3 channels, found {found}")]
    Channels {
        /// How many there are.
        found: u32,
    },
    /// Values as a file means them, of which nobody knows how bright they are.
    #[error(
        "cannot draw values as the file means them; take the picture in 8 or 16 bits, as a person would be shown"
    )]
    Measurements,
    /// Not one for each pixel, or for each channel of a pixel.
    #[error("expected {expected} {what}, found {found}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many the size of the picture asks for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// None of something, or too many.
    #[error("found {found} {what}; at most {most} can be drawn")]
    Many {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The most that is allowed.
        most: usize,
    },
    /// A number outside its range.
    #[error("expected {what}, found {found}")]
    Setting {
        /// What was expected.
        what: &'static str,
        /// The number.
        found: f32,
    },
    /// The borders of a mask have too many corners.
    #[error(
        "the borders of the mask have more than {CONTOUR_CORNERS_MAX} corners; smooth the mask, or check that it is one"
    )]
    Corners,
    /// The encoder failed.
    #[error("cannot encode a PNG of {width} x {height} pixels: {reason}")]
    Png {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
        /// What the encoder said.
        reason: String,
    },
}

/// A picture as a PNG file: grey or colour, of 8 or 16 bits, whichever it is; without loss.
///
/// # Errors
/// [`DrawError`]: a picture that is not what it says, or one of [`Samples::F32`], which PNG has no place for.
pub fn to_png(picture: &Picture) -> Result<Vec<u8>, DrawError> {
    canvas::check(picture)?;
    let Picture { width, height, channels, ref samples } = *picture;
    let wide: Vec<u8>;
    let (bytes, depth): (&[u8], u8) = match samples {
        Samples::U8(samples) => (samples, 8),
        Samples::U16(samples) => {
            // The encoder takes the order of bytes of the machine, and turns them where it must.
            wide = samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect();
            (&wide, 16)
        }
        Samples::F32(_) => return Err(DrawError::Measurements),
    };
    let colour = match (channels, depth) {
        (1, 8) => ExtendedColorType::L8,
        (1, _) => ExtendedColorType::L16,
        (_, 8) => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgb16,
    };
    let mut png = Cursor::new(Vec::new());
    let failed = |error: image::ImageError| DrawError::Png { width, height, reason: error.to_string() };
    PngEncoder::new(&mut png).write_image(bytes, width, height, colour).map_err(failed)?;
    Ok(png.into_inner())
}
