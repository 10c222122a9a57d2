//! JPEG through `zune-jpeg` itself: `image` reads the headers three times, and cannot leave the colours out.

use super::{check_expansion, check_size};
use crate::error::MediaErrorKind;
use crate::picture::{Picture, Samples};
use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

/// The most scans of a progressive JPEG. Encoders write about 10; each one costs a pass over all pixels.
const SCANS_MAX: usize = 64;

fn decoder(bytes: &[u8]) -> Result<JpegDecoder<ZCursor<&[u8]>>, MediaErrorKind> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(kind)?;
    Ok(decoder)
}

fn dimensions(decoder: &JpegDecoder<ZCursor<&[u8]>>) -> Result<(u32, u32), MediaErrorKind> {
    let (width, height) = decoder.dimensions().unwrap_or_default();
    check_size(width as u64, height as u64, 3)?;
    Ok((width as u32, height as u32))
}

/// Width, height and orientation.
pub(super) fn header(bytes: &[u8]) -> Result<((u32, u32), Orientation), MediaErrorKind> {
    let decoder = decoder(bytes)?;
    let size = dimensions(&decoder)?;
    let orientation = decoder.exif().and_then(|chunk| Orientation::from_exif_chunk(chunk));
    Ok((size, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// What is wanted of a JPEG with several components. Of one that is grey, grey is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Components {
    /// Red, green and blue.
    Rgb,
    /// Brightness alone where it is stored by itself, otherwise red, green and blue.
    Brightness,
    /// Three components as they are, without a colour transform.
    AsStored,
}

/// Decodes an 8-bit JPEG.
pub(crate) fn picture(bytes: &[u8], wanted: Components) -> Result<Picture, MediaErrorKind> {
    if !has_end(bytes) {
        return Err(MediaErrorKind::Truncated("it has no end marker".to_owned()));
    }
    let mut decoder = decoder(bytes)?;
    let (width, height) = dimensions(&decoder)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);
    let (space, channels) = match (stored, wanted) {
        (ColorSpace::Luma, _) | (ColorSpace::YCbCr, Components::Brightness) => (ColorSpace::Luma, 1),
        (ColorSpace::YCbCr, Components::AsStored) => (ColorSpace::YCbCr, 3),
        _ => (ColorSpace::RGB, 3),
    };
    let options = decoder.options().jpeg_set_out_colorspace(space);
    decoder.set_options(options);
    let count = width as usize * height as usize * channels as usize;
    check_expansion(bytes.len(), count as u64)?;
    let mut samples = vec![0; count];
    decoder.decode_into(&mut samples).map_err(kind)?;
    Ok(Picture { width, height, channels, samples: Samples::U8(samples) })
}

/// Whether an end marker follows the last start of a scan; a small picture within the remarks has markers of its own. The decoder
/// fills what is missing with grey, and says nothing.
fn has_end(bytes: &[u8]) -> bool {
    let last = bytes.windows(2).rev().find(|pair| matches!(pair, [0xFF, 0xD9 | 0xDA]));
    last.is_some_and(|marker| marker[1] == 0xD9)
}

fn kind(error: DecodeErrors) -> MediaErrorKind {
    match error {
        DecodeErrors::Unsupported(scheme) => {
            MediaErrorKind::Unsupported(format!("{scheme:?} is not read here; save it as a baseline JPEG"))
        }
        DecodeErrors::ExhaustedData => {
            MediaErrorKind::Truncated("its data are used up before its last pixel".to_owned())
        }
        error => MediaErrorKind::Damaged(error.to_string()),
    }
}
