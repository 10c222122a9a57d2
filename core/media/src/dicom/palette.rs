//! Palettes (PS3.3 sections C.7.6.3.1.5 and C.7.9).

use super::dataset::{Dataset, Encoding};
use super::stored::StoredSamples;
use crate::error::MediaErrorKind;
use crate::picture::Samples;
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Descriptor, values, and values written as segments, of red, green and blue.
const COLOURS: [[Tag; 3]; 3] = [
    [
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
];

/// The most entries of a palette.
const ENTRIES_MAX: usize = 1 << 16;

/// Colours of stored values from `first` on.
#[derive(Debug)]
pub(super) struct Palette {
    first: i32,
    /// 8 or 16 bits of each colour.
    wide: bool,
    entries: Vec<[u16; 3]>,
}

impl Palette {
    pub(super) fn new(
        dataset: &Dataset,
        encoding: Encoding,
        signed: bool,
    ) -> Result<Palette, MediaErrorKind> {
        let read = if encoding.big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
        let words =
            |bytes: &[u8]| -> Vec<u16> { bytes.as_chunks::<2>().0.iter().map(|&pair| read(pair)).collect() };
        let absent = |tag: Tag| MediaErrorKind::Damaged(format!("its palette lacks {tag}"));
        let [descriptor, ..] = COLOURS[0];
        let described = words(dataset.bytes(descriptor).unwrap_or_default());
        let [count, first, bits] = described[..] else { return Err(absent(descriptor)) };
        let count = if count == 0 { ENTRIES_MAX } else { usize::from(count) };
        let mut wide = bits > 8;
        let mut colours = Vec::with_capacity(3);
        for [_, plain, segmented] in COLOURS {
            let values = match (dataset.bytes(plain), dataset.bytes(segmented)) {
                (Some(bytes), _) if bytes.len() >= 2 * count => {
                    // Values of 8 bits may be written in 16 all the same; what tells is the number of bytes.
                    wide = true;
                    words(bytes)
                }
                (Some(bytes), _) => {
                    wide = false;
                    bytes.iter().map(|&byte| u16::from(byte)).collect()
                }
                (None, Some(bytes)) if wide => expanded(&words(bytes), count)?,
                (None, Some(bytes)) => {
                    expanded(&bytes.iter().map(|&byte| u16::from(byte)).collect::<Vec<_>>(), count)?
                }
                (None, None) => return Err(absent(plain)),
            };
            if values.len() < count {
                let reason = format!("a palette of {count} colours has {} values", values.len());
                return Err(MediaErrorKind::Truncated(reason));
            }
            colours.push(values);
        }
        let entries = (0..count).map(|at| [colours[0][at], colours[1][at], colours[2][at]]).collect();
        let first = if signed { i32::from(first as i16) } else { i32::from(first) };
        Ok(Palette { first, wide, entries })
    }

    /// Red, green and blue of each sample. What lies outside has the first or the last colour.
    pub(super) fn apply(&self, stored: &StoredSamples) -> Result<Samples, MediaErrorKind> {
        let last = self.entries.len() as i64 - 1;
        let colour = |value: i64| self.entries[(value - i64::from(self.first)).clamp(0, last) as usize];
        let colours: Vec<u16> = match stored {
            StoredSamples::U8(samples) => samples.iter().flat_map(|&value| colour(value.into())).collect(),
            StoredSamples::I8(samples) => samples.iter().flat_map(|&value| colour(value.into())).collect(),
            StoredSamples::U16(samples) => samples.iter().flat_map(|&value| colour(value.into())).collect(),
            StoredSamples::I16(samples) => samples.iter().flat_map(|&value| colour(value.into())).collect(),
            _ => return Err(MediaErrorKind::Damaged("a palette is for samples of 8 or 16 bits".to_owned())),
        };
        if self.wide {
            return Ok(Samples::U16(colours));
        }
        Ok(Samples::U8(colours.into_iter().map(|value| value as u8).collect()))
    }
}

/// Values from segments (PS3.3 section C.7.9.2): discrete, linear, and indirect ones that repeat others.
fn expanded(source: &[u16], count: usize) -> Result<Vec<u16>, MediaErrorKind> {
    let mut values = Vec::new();
    segments(source, &mut values, count, true)?;
    Ok(values)
}

fn segments(
    mut source: &[u16],
    values: &mut Vec<u16>,
    count: usize,
    outer: bool,
) -> Result<(), MediaErrorKind> {
    let damaged = || MediaErrorKind::Damaged("its segmented palette ends within a segment".to_owned());
    let whole = source;
    while let [kind, length, rest @ ..] = source {
        if values.len() >= count {
            return Ok(());
        }
        let length_of = usize::from(*length);
        match kind {
            0 => {
                values.extend_from_slice(rest.get(..length_of).ok_or_else(damaged)?);
                source = &rest[length_of..];
            }
            1 => {
                let end = f64::from(*rest.first().ok_or_else(damaged)?);
                let start = f64::from(*values.last().ok_or_else(damaged)?);
                let step = (end - start) / f64::from((*length).max(1));
                values.extend((1..=*length).map(|at| (start + step * f64::from(at)).round() as u16));
                source = &rest[1..];
            }
            2 if outer => {
                let [low, high, ..] = rest else { return Err(damaged()) };
                let start = usize::from(*high) << 16 | usize::from(*low);
                // Segments have at least two words, and so many of them are copied.
                let copied = whole.get(start..).ok_or_else(damaged)?;
                let end = several(copied, length_of).ok_or_else(damaged)?;
                segments(&copied[..end], values, count, false)?;
                source = &rest[2..];
            }
            _ => {
                return Err(MediaErrorKind::Damaged(format!(
                    "its segmented palette has a segment of type {kind}"
                )));
            }
        }
    }
    Ok(())
}

/// The words that the first `number` segments take.
fn several(source: &[u16], number: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..number {
        let [kind, length] = *source.get(at..at + 2)? else { return None };
        at += match kind {
            0 => 2 + usize::from(length),
            1 => 3,
            _ => return None,
        };
    }
    (at <= source.len()).then_some(at)
}
