//! An opened DICOM file and its frames.

use super::dataset::{Dataset, Instance};
use super::display::Shading;
use super::layout::{Layout, Photometric};
use super::palette::Palette;
use super::pixels::{self, Decoded, Pixels};
use super::stored::{Stored, StoredSamples};
use crate::contain::contained;
use crate::error::{MediaError, MediaErrorKind};
use crate::picture::{Picture, SampleType, Samples};
use bytes::Bytes;
use std::fmt;

const OPEN: &str = "open a DICOM file";
const DECODE: &str = "decode a DICOM image";

/// An opened DICOM file: its attributes, and its frames to decode.
pub struct File {
    instance: Instance,
    pixels: Option<Pixels>,
}

/// Sizes alone: what is written for debugging ends in logs, and attributes name patients.
impl fmt::Debug for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("File")
            .field("transfer_syntax", &self.instance.transfer_syntax)
            .field("frames", &self.frames())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl File {
    /// Opens a file: with a header, without a preamble, or a data set alone. One without pixels (a report, a plan) opens as
    /// well, and has no frames.
    ///
    /// # Errors
    /// Bytes that are no DICOM file, that end too early, that contradict themselves, that are beyond a limit or in a transfer
    /// syntax that is not read here. A frame that is larger than the data that should hold it is found here, before memory is
    /// taken for it.
    pub fn open(bytes: &[u8]) -> Result<File, MediaError> {
        File::open_shared(Bytes::copy_from_slice(bytes))
    }

    /// [`File::open`] without a copy: frames are decoded from these bytes.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open_shared(bytes: Bytes) -> Result<File, MediaError> {
        let instance = Instance::parse_shared(bytes)?;
        let pixels = match pixels::element(&instance.dataset) {
            None => None,
            Some(tag) => {
                let found = Pixels::new(&instance.dataset, instance.encoding, &instance.transfer_syntax, tag);
                Some(found.map_err(|kind| kind.of(OPEN))?)
            }
        };
        Ok(File { instance, pixels })
    }

    /// Its attributes.
    pub fn dataset(&self) -> &Dataset {
        &self.instance.dataset
    }

    /// The whole file, with its header and its encodings.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// How many frames it has; 0 for a file without pixels.
    pub fn frames(&self) -> u32 {
        self.pixels.as_ref().map_or(0, |pixels| pixels.layout.frames)
    }

    /// Width and height of a frame in pixels; 0 for a file without pixels.
    pub fn size(&self) -> (u32, u32) {
        let size = |pixels: &Pixels| (pixels.layout.columns as u32, pixels.layout.rows as u32);
        self.pixels.as_ref().map_or((0, 0), size)
    }

    /// The pixels and the place of a frame, counted from 1.
    fn frame(&self, asked: u32) -> Result<(&Pixels, usize), MediaErrorKind> {
        let pixels = self.pixels.as_ref().ok_or(MediaErrorKind::NoPixels)?;
        let frames = pixels.layout.frames;
        if (1..=frames).contains(&asked) {
            Ok((pixels, asked as usize - 1))
        } else {
            Err(MediaErrorKind::NoFrame { asked, frames })
        }
    }

    /// A frame, counted from 1, as a person is shown it (`U8`, `U16`) or as values of its modality (`F32`).
    ///
    /// - Grey, `U8` and `U16`: rescaled, then the VOI table or the first window, or else the frame's least to its greatest value;
    ///   MONOCHROME1 is inverted last.
    /// - Grey, `F32`: rescaled, or through the modality table. No window, and no inversion.
    /// - Palette and YCbCr become RGB; `F32` has the numbers of `U8`, or of `U16` where colours are stored with more than 8 bits.
    ///
    /// # Errors
    /// No such frame, no pixels, damaged or unsupported pixels.
    pub fn picture(&self, frame: u32, sample: SampleType) -> Result<Picture, MediaError> {
        let picture = contained(|| {
            let (pixels, frame) = self.frame(frame)?;
            let Layout { rows, columns, signed, .. } = pixels.layout;
            let decoded = pixels.decode(frame, true)?;
            let photometric = decoded.photometric;
            let (dataset, encoding) = (&self.instance.dataset, self.instance.encoding);
            let (channels, samples) = match photometric {
                Photometric::Monochrome1 | Photometric::Monochrome2 => {
                    let shading = Shading::new(dataset, encoding, &pixels.layout, frame)?;
                    (1, shading.apply(&typed(decoded, signed), sample))
                }
                Photometric::Palette => {
                    (3, Palette::new(dataset, encoding, signed)?.apply(&typed(decoded, signed))?)
                }
                Photometric::Rgb => (3, colours(typed(decoded, signed), pixels.layout.stored)?),
                Photometric::Ybr | Photometric::Ybr422 => (3, rgb_of_ybr(typed(decoded, signed))?),
            };
            Ok(Picture { width: columns as u32, height: rows as u32, channels, samples })
        });
        picture.map_err(|kind| kind.of(DECODE))?.into_type(sample)
    }

    /// A frame, counted from 1, as it is stored: before rescaling, windows, palettes and inversion, YCbCr as it is. For
    /// comparing decoders, and for export.
    ///
    /// # Errors
    /// No such frame, no pixels, damaged or unsupported pixels.
    pub fn stored(&self, frame: u32) -> Result<Stored, MediaError> {
        let stored = contained(|| {
            let (pixels, frame) = self.frame(frame)?;
            let Layout { rows, columns, samples: channels, signed, .. } = pixels.layout;
            let samples = typed(pixels.decode(frame, false)?, signed);
            Ok(Stored { width: columns as u32, height: rows as u32, channels: channels as u32, samples })
        });
        stored.map_err(|kind| kind.of(DECODE))
    }
}

fn typed(decoded: Decoded, signed: bool) -> StoredSamples {
    let Decoded { raw, bits, below, .. } = decoded;
    raw.typed(bits, below, signed)
}

/// RGB samples of `bits` bits as 8 or 16 bits with the same white.
fn colours(samples: StoredSamples, bits: u32) -> Result<Samples, MediaErrorKind> {
    let white = (1_u64 << bits) - 1;
    let spread = |sample: u64, full: u64| (sample.min(white) * full + white / 2) / white;
    Ok(match samples {
        StoredSamples::U8(samples) if bits == 8 => Samples::U8(samples),
        StoredSamples::U8(samples) => {
            Samples::U8(samples.into_iter().map(|sample| spread(sample.into(), 255) as u8).collect())
        }
        StoredSamples::U16(samples) if bits == 16 => Samples::U16(samples),
        StoredSamples::U16(samples) => {
            Samples::U16(samples.into_iter().map(|sample| spread(sample.into(), 65_535) as u16).collect())
        }
        StoredSamples::U32(samples) => {
            Samples::U16(samples.into_iter().map(|sample| spread(sample.into(), 65_535) as u16).collect())
        }
        _ => {
            return Err(MediaErrorKind::Unsupported(
                "colours of signed or float samples are not read here".to_owned(),
            ));
        }
    })
}

/// RGB of YCbCr of full range (PS3.3 section C.7.6.3.1.2, ITU-R BT.601).
fn rgb_of_ybr(samples: StoredSamples) -> Result<Samples, MediaErrorKind> {
    let StoredSamples::U8(mut samples) = samples else {
        return Err(MediaErrorKind::Unsupported("YCbCr of other than 8 bits is not read here".to_owned()));
    };
    for pixel in samples.as_chunks_mut::<3>().0 {
        let [y, blue, red] = pixel.map(f32::from);
        let (blue, red) = (blue - 128.0, red - 128.0);
        let level = |value: f32| (value + 0.5).floor() as u8;
        *pixel = [
            level(y + 1.402 * red),
            level(y - (0.114 * 1.772 / 0.587) * blue - (0.299 * 1.402 / 0.587) * red),
            level(y + 1.772 * blue),
        ];
    }
    Ok(Samples::U8(samples))
}
