//! PNG, JPEG, TIFF, BMP and WebP.

mod jpeg;
mod orientation;

pub(crate) use jpeg::{Components, picture as jpeg_components};

use crate::contain::contained;
use crate::error::{MediaError, MediaErrorKind};
use crate::media::{DECODED_BYTES_MAX, PIXELS_MAX};
use crate::picture::{Picture, Samples};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use std::io::Cursor;

/// The most bytes that a decoder may hold beside the decoded frame.
const SCRATCH_BYTES_MAX: u64 = 1 << 30;
/// The most bytes decoded from one encoded byte, of PNG and JPEG. Deflate repeats at most 258 bytes for 2 bits, and JPEG writes
/// at least 6 bits for 16 x 16 pixels of colour: about 1,030 and 1,024.
const EXPANSION_MAX: u64 = 1_100;

/// An opened image.
pub(crate) struct Raster {
    bytes: Vec<u8>,
    format: Format,
    /// As stored.
    stored: (u32, u32),
    orientation: Orientation,
}

/// What an image is encoded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Png,
    Jpeg,
    Tiff,
    Bmp,
    WebP,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::Tiff => "TIFF",
            Format::Bmp => "BMP",
            Format::WebP => "WebP",
        }
    }

    fn of_crate(self) -> ImageFormat {
        match self {
            Format::Png => ImageFormat::Png,
            Format::Jpeg => ImageFormat::Jpeg,
            Format::Tiff => ImageFormat::Tiff,
            Format::Bmp => ImageFormat::Bmp,
            Format::WebP => ImageFormat::WebP,
        }
    }
}

impl Raster {
    /// The format whose signature the bytes begin with.
    pub(crate) fn format_of(bytes: &[u8]) -> Option<Format> {
        const SIGNATURES: [(&[u8], Format); 7] = [
            (b"\x89PNG\r\n\x1a\n", Format::Png),
            (b"\xff\xd8\xff", Format::Jpeg),
            (b"II*\0", Format::Tiff),
            (b"MM\0*", Format::Tiff),
            (b"II+\0", Format::Tiff),
            (b"MM\0+", Format::Tiff),
            (b"BM", Format::Bmp),
        ];
        if bytes.get(128..132) == Some(b"DICM") {
            // A preamble may hold the header of another format (PS3.10 section 7.1): the file is DICOM all the same.
            return None;
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Format::WebP);
        }
        SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|&(_, format)| format)
    }

    pub(crate) fn open(bytes: Vec<u8>, format: Format) -> Result<Raster, MediaError> {
        let header = contained(|| match format {
            Format::Jpeg => jpeg::header(&bytes),
            _ => header(&bytes, format),
        });
        let (stored, orientation) =
            header.map_err(|kind| kind.of(&format!("open a {} image", format.name())))?;
        Ok(Raster { bytes, format, stored, orientation })
    }

    pub(crate) fn media_type(&self) -> &'static str {
        match self.format {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Tiff => "image/tiff",
            Format::Bmp => "image/bmp",
            Format::WebP => "image/webp",
        }
    }

    /// Width and height after orientation.
    pub(crate) fn size(&self) -> (u32, u32) {
        orientation::size(self.stored, self.orientation)
    }

    /// The picture the right way up, with the samples that are stored. `wanted` is a wish, of which only JPEG takes notice.
    pub(crate) fn picture(&self, wanted: Components) -> Result<Picture, MediaError> {
        let picture = contained(|| match self.format {
            Format::Jpeg => jpeg::picture(&self.bytes, wanted),
            format => picture(&self.bytes, format),
        });
        let picture = picture.map_err(|kind| kind.of(&format!("decode a {} image", self.format.name())))?;
        Ok(orientation::applied(picture, self.orientation))
    }
}

/// Fails when a frame is empty or beyond the limits.
pub(crate) fn check_size(width: u64, height: u64, pixel_bytes: u64) -> Result<(), MediaErrorKind> {
    if width == 0 || height == 0 {
        let reason = format!("its size is {width} x {height} pixels; expected at least 1 x 1");
        return Err(MediaErrorKind::Damaged(reason));
    }
    MediaErrorKind::limit("a frame of pixels:", width.saturating_mul(height), PIXELS_MAX)?;
    let bytes = width.saturating_mul(height).saturating_mul(pixel_bytes);
    MediaErrorKind::limit("a decoded frame of bytes:", bytes, DECODED_BYTES_MAX)
}

/// Fails when so many pixels cannot come from so few bytes, before memory is taken for them.
fn check_expansion(encoded: usize, decoded: u64) -> Result<(), MediaErrorKind> {
    // Headers of a small file need not be counted against its pixels.
    const ALWAYS_BYTES: u64 = 1 << 20;
    let possible = (encoded as u64).saturating_mul(EXPANSION_MAX).max(ALWAYS_BYTES);
    if decoded <= possible {
        return Ok(());
    }
    let reason = format!("{encoded} bytes cannot hold the {decoded} bytes of pixels that it announces");
    Err(MediaErrorKind::Truncated(reason))
}

fn decoder(bytes: &[u8], format: Format) -> Result<impl ImageDecoder + '_, MediaErrorKind> {
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(DECODED_BYTES_MAX + SCRATCH_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.of_crate());
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(kind)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into(), decoder.color_type().bytes_per_pixel().into())?;
    if format == Format::Png {
        // One bit of a palette becomes four bytes at most.
        const WIDENING: u64 = 32;
        check_expansion(bytes.len(), decoder.total_bytes() / WIDENING)?;
    }
    Ok(decoder)
}

fn header(bytes: &[u8], format: Format) -> Result<((u32, u32), Orientation), MediaErrorKind> {
    let mut decoder = decoder(bytes, format)?;
    // An orientation that cannot be read is none: an image with damaged remarks is still an image.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder.dimensions(), orientation))
}

fn picture(bytes: &[u8], format: Format) -> Result<Picture, MediaErrorKind> {
    let image = DynamicImage::from_decoder(decoder(bytes, format)?).map_err(kind)?;
    let (width, height) = (image.width(), image.height());
    let (channels, samples) = match image {
        DynamicImage::ImageLuma8(image) => (1, Samples::U8(image.into_raw())),
        DynamicImage::ImageLumaA8(image) => (1, Samples::U8(without_alpha::<_, 2>(image.into_raw()))),
        DynamicImage::ImageRgb8(image) => (3, Samples::U8(image.into_raw())),
        DynamicImage::ImageRgba8(image) => (3, Samples::U8(without_alpha::<_, 4>(image.into_raw()))),
        DynamicImage::ImageLuma16(image) => (1, Samples::U16(image.into_raw())),
        DynamicImage::ImageLumaA16(image) => (1, Samples::U16(without_alpha::<_, 2>(image.into_raw()))),
        DynamicImage::ImageRgb16(image) => (3, Samples::U16(image.into_raw())),
        DynamicImage::ImageRgba16(image) => (3, Samples::U16(without_alpha::<_, 4>(image.into_raw()))),
        DynamicImage::ImageRgb32F(image) => (3, Samples::F32(image.into_raw())),
        DynamicImage::ImageRgba32F(image) => (3, Samples::F32(without_alpha::<_, 4>(image.into_raw()))),
        other => {
            let reason = format!("its pixels are {:?}; save it as grey or RGB", other.color());
            return Err(MediaErrorKind::Unsupported(reason));
        }
    };
    Ok(Picture { width, height, channels, samples })
}

/// The samples without the last of every `CHANNELS`.
fn without_alpha<T: Copy + Default, const CHANNELS: usize>(mut samples: Vec<T>) -> Vec<T> {
    let pixels = samples.len() / CHANNELS;
    for pixel in 0..pixels {
        for channel in 0..CHANNELS - 1 {
            samples[pixel * (CHANNELS - 1) + channel] = samples[pixel * CHANNELS + channel];
        }
    }
    samples.truncate(pixels * (CHANNELS - 1));
    samples
}

fn kind(error: ImageError) -> MediaErrorKind {
    match error {
        ImageError::Limits(_) => MediaErrorKind::Limit {
            what: "a decoder's memory, more bytes than",
            found: DECODED_BYTES_MAX + SCRATCH_BYTES_MAX,
            allowed: DECODED_BYTES_MAX + SCRATCH_BYTES_MAX,
        },
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaErrorKind::Truncated("more bytes are announced than there are".to_owned())
        }
        ImageError::Unsupported(error) => {
            MediaErrorKind::Unsupported(format!("{error}; save it as 8-bit grey or RGB"))
        }
        error => MediaErrorKind::Damaged(error.to_string()),
    }
}
