//! What the image pixel module (PS3.3 section C.7.6.3) says about the pixels.

use super::dataset::{Dataset, Encoding};
use crate::error::MediaErrorKind;
use crate::raster::check_size;
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// The most frames of a file.
pub const FRAMES_MAX: u64 = 100_000;

/// Of what kind samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Float,
    Double,
}

/// What the components of a pixel mean (PS3.3 section C.7.6.3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Photometric {
    /// The lowest value is white.
    Monochrome1,
    /// The lowest value is black.
    Monochrome2,
    Palette,
    Rgb,
    /// Brightness and two colour differences, full range.
    Ybr,
    /// The same, with differences for every second pixel of a row.
    Ybr422,
}

/// Sizes and meanings of the pixels of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Components of a pixel, 1 or 3.
    pub(super) samples: usize,
    /// Components are stored as planes.
    pub(super) planar: bool,
    /// Bits that a sample takes, 1, 8, 16, 32 or 64.
    pub(super) allocated: u32,
    /// Bits that hold its value.
    pub(super) stored: u32,
    /// Unused bits below the value.
    pub(super) below: u32,
    pub(super) signed: bool,
    pub(super) photometric: Photometric,
    pub(super) frames: u32,
    pub(super) kind: Kind,
}

fn missing(tag: Tag, name: &str) -> MediaErrorKind {
    MediaErrorKind::Damaged(format!("attribute {name} {tag} is missing or empty"))
}

impl Layout {
    /// The layout of a data set that has the pixel data `pixels`.
    pub(super) fn new(dataset: &Dataset, encoding: Encoding, pixels: Tag) -> Result<Layout, MediaErrorKind> {
        let number = |tag: Tag, name: &str| dataset.u16(tag, encoding).ok_or_else(|| missing(tag, name));
        let kind = match pixels {
            tags::FLOAT_PIXEL_DATA => Kind::Float,
            tags::DOUBLE_FLOAT_PIXEL_DATA => Kind::Double,
            _ => Kind::Integer,
        };
        let rows = usize::from(number(tags::ROWS, "Rows")?);
        let columns = usize::from(number(tags::COLUMNS, "Columns")?);
        let samples = usize::from(dataset.u16(tags::SAMPLES_PER_PIXEL, encoding).unwrap_or(1));
        let allocated = u32::from(number(tags::BITS_ALLOCATED, "Bits Allocated")?);
        let stored = dataset.u16(tags::BITS_STORED, encoding).map_or(allocated, u32::from);
        let high = dataset.u16(tags::HIGH_BIT, encoding).map_or(stored.max(1) - 1, u32::from);
        let fits = match kind {
            Kind::Integer => matches!(allocated, 1 | 8 | 16 | 32),
            Kind::Float => allocated == 32,
            Kind::Double => allocated == 64,
        };
        if !fits {
            return Err(MediaErrorKind::Unsupported(format!(
                "samples of {allocated} bits are not read here; integers of 1, 8, 16 or 32 bits and floats of 32 or 64 are"
            )));
        }
        if kind == Kind::Integer && (stored == 0 || stored > allocated || high >= allocated) {
            let reason =
                format!("{stored} bits are stored up to bit {high} of {allocated}; expected them to fit");
            return Err(MediaErrorKind::Damaged(reason));
        }
        let frames = frames(dataset)?;
        let photometric = photometric(dataset, samples)?;
        let per_pixel = samples as u64 * u64::from(allocated).div_ceil(8);
        check_size(columns as u64, rows as u64, per_pixel)?;
        Ok(Layout {
            rows,
            columns,
            samples,
            planar: samples > 1 && dataset.u16(tags::PLANAR_CONFIGURATION, encoding) == Some(1),
            allocated,
            stored,
            below: (high + 1).saturating_sub(stored),
            signed: dataset.u16(tags::PIXEL_REPRESENTATION, encoding) == Some(1),
            photometric,
            frames,
            kind,
        })
    }

    /// Pixels of a frame.
    pub(super) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Fails when an encoded frame is not what the attributes say: before memory is taken for it.
    pub(super) fn compare(
        &self,
        width: usize,
        height: usize,
        components: usize,
    ) -> Result<(), MediaErrorKind> {
        if (width, height, components) == (self.columns, self.rows, self.samples) {
            return Ok(());
        }
        Err(MediaErrorKind::Damaged(format!(
            "its encoded frame has {width} x {height} pixels of {components} components; its attributes say {} x {} of {}",
            self.columns, self.rows, self.samples
        )))
    }
}

fn frames(dataset: &Dataset) -> Result<u32, MediaErrorKind> {
    let Some(text) = dataset.text(tags::NUMBER_OF_FRAMES) else { return Ok(1) };
    let frames = text.trim().parse::<u64>().map_err(|_| {
        MediaErrorKind::Damaged(format!(
            "attribute Number of Frames {} is not a number",
            tags::NUMBER_OF_FRAMES
        ))
    })?;
    MediaErrorKind::limit("a number of frames:", frames, FRAMES_MAX)?;
    // Some writers say 0 where they mean that it is no movie.
    Ok((frames as u32).max(1))
}

fn photometric(dataset: &Dataset, samples: usize) -> Result<Photometric, MediaErrorKind> {
    let tag = tags::PHOTOMETRIC_INTERPRETATION;
    let name = dataset.text(tag).ok_or_else(|| missing(tag, "Photometric Interpretation"))?;
    let (photometric, expected) = match name.as_ref() {
        "MONOCHROME1" => (Photometric::Monochrome1, 1),
        "MONOCHROME2" => (Photometric::Monochrome2, 1),
        "PALETTE COLOR" => (Photometric::Palette, 1),
        // Decoding JPEG 2000 undoes its own colour transforms.
        "RGB" | "YBR_ICT" | "YBR_RCT" => (Photometric::Rgb, 3),
        "YBR_FULL" => (Photometric::Ybr, 3),
        "YBR_FULL_422" => (Photometric::Ybr422, 3),
        "ARGB" | "CMYK" | "HSV" | "YBR_PARTIAL_422" | "YBR_PARTIAL_420" | "XYB" => {
            return Err(MediaErrorKind::Unsupported(format!("{name} is not read here; convert it to RGB")));
        }
        _ => {
            let reason = format!("attribute Photometric Interpretation {tag} has no value of the standard");
            return Err(MediaErrorKind::Damaged(reason));
        }
    };
    if samples != expected {
        let reason = format!("a pixel of {name} has {samples} samples; expected {expected}");
        return Err(MediaErrorKind::Damaged(reason));
    }
    Ok(photometric)
}
