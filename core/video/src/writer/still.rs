//! Frames as images.

use super::Encoder;
use crate::error::VideoErrorKind;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use std::fs;
use std::path::{Path, PathBuf};

/// The quality of JPEG images, 1 to 100: what is lost is not seen, and no model is disturbed by it.
pub const JPEG_QUALITY: u8 = 90;

/// What images are encoded as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Still {
    /// JPEG of [`JPEG_QUALITY`].
    #[default]
    Jpeg,
    /// PNG, which loses nothing and is several times as large.
    Png,
}

impl Still {
    fn ending(self) -> &'static str {
        match self {
            Still::Jpeg => "jpg",
            Still::Png => "png",
        }
    }
}

/// Encodes red, green and blue as JPEG, into `jpeg` in the place of what it holds.
pub(super) fn encode_jpeg(
    jpeg: &mut Vec<u8>,
    samples: &[u8],
    (width, height): (u32, u32),
) -> Result<(), String> {
    jpeg.clear();
    let encoder = JpegEncoder::new_with_quality(jpeg, JPEG_QUALITY);
    encoder.write_image(samples, width, height, ExtendedColorType::Rgb8).map_err(|error| error.to_string())
}

fn encode_png(png: &mut Vec<u8>, samples: &[u8], (width, height): (u32, u32)) -> Result<(), String> {
    png.clear();
    let encoder = PngEncoder::new_with_quality(png, CompressionType::Fast, FilterType::Adaptive);
    encoder.write_image(samples, width, height, ExtendedColorType::Rgb8).map_err(|error| error.to_string())
}

/// Numbered images in a directory.
pub(super) struct Stills {
    directory: PathBuf,
    size: (u32, u32),
    still: Still,
    frames: u64,
    encoded: Vec<u8>,
}

impl Stills {
    pub(super) fn new(directory: &Path, size: (u32, u32), still: Still) -> Result<Stills, VideoErrorKind> {
        Ok(Stills { directory: directory.to_owned(), size, still, frames: 0, encoded: Vec::new() })
    }
}

impl Encoder for Stills {
    fn name(&self) -> &'static str {
        match self.still {
            Still::Jpeg => "jpeg",
            Still::Png => "png",
        }
    }

    fn add(&mut self, samples: &[u8]) -> Result<(), VideoErrorKind> {
        let encoded = match self.still {
            Still::Jpeg => encode_jpeg(&mut self.encoded, samples, self.size),
            Still::Png => encode_png(&mut self.encoded, samples, self.size),
        };
        encoded.map_err(|reason| VideoErrorKind::Picture { index: self.frames, name: None, reason })?;
        // Numbers of files begin at 1.
        self.frames += 1;
        let name = format!("{:06}.{}", self.frames, self.still.ending());
        fs::write(self.directory.join(name), &self.encoded)?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), VideoErrorKind> {
        Ok(())
    }
}
