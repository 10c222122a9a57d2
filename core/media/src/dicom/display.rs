//! From stored values to what is seen or measured (PS3.3 sections C.11.1, C.11.2 and C.7.6.3.1.5):
//! stored value -> modality (rescale or table) -> values of interest (window or table) -> inverted for MONOCHROME1 -> 0 to 1.

use super::dataset::{Dataset, Encoding, trimmed};
use super::layout::{Layout, Photometric};
use super::stored::StoredSamples;
use crate::error::MediaErrorKind;
use crate::picture::{SampleType, Samples};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// What turns stored values of a grey image into those of its modality, and these into brightness.
#[derive(Debug)]
pub(super) struct Shading {
    modality: Modality,
    interest: Interest,
    inverted: bool,
}

#[derive(Debug)]
enum Modality {
    Rescale { slope: f64, intercept: f64 },
    Table(Table),
}

#[derive(Debug)]
enum Interest {
    /// Everything that the frame has.
    All,
    Window(Window),
    Table(Table),
}

/// A window (PS3.3 section C.11.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    centre: f64,
    width: f64,
    function: Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

impl Window {
    /// The brightness of a value, 0 to 1 (PS3.3 sections C.11.2.1.2.1 and C.11.2.1.3).
    fn brightness(self, value: f64) -> f64 {
        let Window { centre, width, function } = self;
        let (centre, width) = match function {
            Function::Linear => (centre - 0.5, width - 1.0),
            Function::LinearExact => (centre, width),
            Function::Sigmoid => return 1.0 / (1.0 + (-4.0 * (value - centre) / width).exp()),
        };
        if value <= centre - width / 2.0 {
            0.0
        } else if value > centre + width / 2.0 {
            1.0
        } else {
            (value - centre) / width + 0.5
        }
    }
}

/// A lookup table (PS3.3 section C.11.1.1.1): values from `first` on.
#[derive(Debug, PartialEq)]
struct Table {
    first: i64,
    values: Vec<u16>,
    /// The greatest value that its bits can hold.
    highest: f64,
}

impl Table {
    fn new(dataset: &Dataset, encoding: Encoding, signed: bool) -> Result<Option<Table>, MediaErrorKind> {
        let descriptor = numbers(dataset, tags::LUT_DESCRIPTOR, encoding);
        let Some(data) = dataset.get(tags::LUT_DATA).and_then(|_| dataset.bytes(tags::LUT_DATA)) else {
            return Ok(None);
        };
        let [count, first, bits] = descriptor[..] else { return Ok(None) };
        let count = if count == 0 { 1 << 16 } else { usize::from(count) };
        let narrow = || {
            MediaErrorKind::Truncated(format!("a lookup table of {count} values has {} bytes", data.len()))
        };
        let values: Vec<u16> = if data.len() >= 2 * count {
            let read = if encoding.big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
            data.as_chunks::<2>().0[..count].iter().map(|&pair| read(pair)).collect()
        } else {
            data.get(..count).ok_or_else(narrow)?.iter().map(|&byte| u16::from(byte)).collect()
        };
        if !(1..=16).contains(&bits) {
            return Err(MediaErrorKind::Damaged(format!(
                "a lookup table has values of {bits} bits; expected 1 to 16"
            )));
        }
        let negative =
            signed || dataset.get(tags::LUT_DESCRIPTOR).is_some_and(|element| element.vr == VR::SS);
        let first = if negative { i64::from(first as i16) } else { i64::from(first) };
        Ok(Some(Table { first, values, highest: f64::from((1_u32 << bits) - 1) }))
    }

    /// What lies outside the table has its first or its last value.
    fn value(&self, at: f64) -> f64 {
        let last = self.values.len() as i64 - 1;
        let index = (at.round() as i64).saturating_sub(self.first).clamp(0, last);
        f64::from(self.values[index as usize])
    }
}

/// 16-bit numbers of a value, as they are.
fn numbers(dataset: &Dataset, tag: Tag, encoding: Encoding) -> Vec<u16> {
    let read = if encoding.big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    dataset.bytes(tag).unwrap_or_default().as_chunks::<2>().0.iter().map(|&pair| read(pair)).collect()
}

/// The first number of a decimal string.
fn decimal(dataset: &Dataset, tag: Tag) -> Option<f64> {
    let bytes = dataset.bytes(tag)?;
    let first = bytes.split(|&byte| byte == b'\\').next()?;
    std::str::from_utf8(trimmed(first)).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}

fn first_item(dataset: &Dataset, tag: Tag) -> Option<&Dataset> {
    dataset.items(tag)?.first().map(|item| &item.dataset)
}

impl Shading {
    /// The shading of a frame, counted from 0. What stands in the frame's functional groups (PS3.3 section C.7.6.16) comes
    /// before what all frames share, and this before the image itself.
    pub(super) fn new(
        dataset: &Dataset,
        encoding: Encoding,
        layout: &Layout,
        frame: usize,
    ) -> Result<Shading, MediaErrorKind> {
        let own =
            dataset.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).and_then(|items| items.get(frame));
        let shared = first_item(dataset, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let groups: Vec<&Dataset> = own.map(|item| &item.dataset).into_iter().chain(shared).collect();
        let nearest =
            |sequence: Tag| groups.iter().find_map(|group| first_item(group, sequence)).unwrap_or(dataset);

        let table = match first_item(dataset, tags::MODALITY_LUT_SEQUENCE) {
            Some(item) => Table::new(item, encoding, layout.signed)?,
            None => None,
        };
        let rescale = nearest(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        let modality = match table {
            Some(table) => Modality::Table(table),
            None => Modality::Rescale {
                slope: decimal(rescale, tags::RESCALE_SLOPE).unwrap_or(1.0),
                intercept: decimal(rescale, tags::RESCALE_INTERCEPT).unwrap_or(0.0),
            },
        };

        let voi = nearest(tags::FRAME_VOILUT_SEQUENCE);
        let table = match first_item(dataset, tags::VOILUT_SEQUENCE) {
            Some(item) => Table::new(item, encoding, layout.signed)?,
            None => None,
        };
        let interest = match (table, window(voi)) {
            (Some(table), _) => Interest::Table(table),
            (None, Some(window)) => Interest::Window(window),
            (None, None) => Interest::All,
        };
        Ok(Shading { modality, interest, inverted: layout.photometric == Photometric::Monochrome1 })
    }

    /// The value of the modality.
    fn value(&self, stored: f64) -> f64 {
        match &self.modality {
            Modality::Rescale { slope, intercept } => stored * slope + intercept,
            Modality::Table(table) => table.value(stored),
        }
    }

    /// The samples of a grey frame as they are asked for. Values are not inverted: brightness is.
    pub(super) fn apply(&self, stored: &StoredSamples, sample: SampleType) -> Samples {
        match stored {
            StoredSamples::U8(samples) => self.small(samples, sample),
            StoredSamples::I8(samples) => self.small(samples, sample),
            StoredSamples::U16(samples) => self.small(samples, sample),
            StoredSamples::I16(samples) => self.small(samples, sample),
            StoredSamples::U32(samples) => self.wide(samples, sample),
            StoredSamples::I32(samples) => self.wide(samples, sample),
            StoredSamples::F32(samples) => self.wide(samples, sample),
            StoredSamples::F64(samples) => self.wide(samples, sample),
        }
    }

    /// Samples of at most 16 bits: each value is worked out once when there are fewer values than samples.
    fn small<T: Copy + Into<i32>>(&self, samples: &[T], sample: SampleType) -> Samples {
        let (low, high) = samples.iter().fold((i32::MAX, i32::MIN), |(low, high), &sample| {
            let value = sample.into();
            (low.min(value), high.max(value))
        });
        if low > high || (high - low) as usize >= samples.len() {
            let values: Vec<f64> = samples.iter().map(|&sample| f64::from(sample.into())).collect();
            return self.wide(&values, sample);
        }
        let values: Vec<f64> = (low..=high).map(f64::from).collect();
        // The extremes are those of the frame, unless a table makes others of values that the frame does not have.
        let ends = match &self.modality {
            Modality::Rescale { .. } => self.ends([f64::from(low), f64::from(high)].into_iter()),
            Modality::Table(_) => self.ends(samples.iter().map(|&sample| f64::from(sample.into()))),
        };
        let place = |sample: &T| ((*sample).into() - low) as usize;
        match self.shaded(values.into_iter(), sample, ends) {
            Samples::U8(table) => Samples::U8(samples.iter().map(|sample| table[place(sample)]).collect()),
            Samples::U16(table) => Samples::U16(samples.iter().map(|sample| table[place(sample)]).collect()),
            Samples::F32(table) => Samples::F32(samples.iter().map(|sample| table[place(sample)]).collect()),
        }
    }

    fn wide<T: Copy + Into<f64>>(&self, samples: &[T], sample: SampleType) -> Samples {
        let values = samples.iter().map(|&sample| sample.into());
        let ends = self.ends(values.clone());
        self.shaded(values, sample, ends)
    }

    /// The least and the greatest value of the modality.
    fn ends(&self, stored: impl Iterator<Item = f64>) -> (f64, f64) {
        stored
            .map(|stored| self.value(stored))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    }

    fn shaded(&self, stored: impl Iterator<Item = f64>, sample: SampleType, ends: (f64, f64)) -> Samples {
        // Half up, as rounding is commonly understood; a value that is no number is black.
        let level = |stored: f64, white: f64| (self.brightness(stored, ends) * white + 0.5).floor();
        match sample {
            SampleType::U8 => Samples::U8(stored.map(|stored| level(stored, 255.0) as u8).collect()),
            SampleType::U16 => Samples::U16(stored.map(|stored| level(stored, 65_535.0) as u16).collect()),
            SampleType::F32 => Samples::F32(stored.map(|stored| self.value(stored) as f32).collect()),
        }
    }

    fn brightness(&self, stored: f64, (low, high): (f64, f64)) -> f64 {
        let value = self.value(stored);
        let brightness = match &self.interest {
            Interest::All if high > low => (value - low) / (high - low),
            Interest::All => 0.0,
            Interest::Window(window) => window.brightness(value),
            Interest::Table(table) => table.value(value) / table.highest,
        };
        let brightness = brightness.min(1.0);
        if self.inverted { 1.0 - brightness } else { brightness }
    }
}

/// The first window. One whose width the standard forbids is none.
fn window(dataset: &Dataset) -> Option<Window> {
    let centre = decimal(dataset, tags::WINDOW_CENTER)?;
    let width = decimal(dataset, tags::WINDOW_WIDTH)?;
    let function = match dataset.text(tags::VOILUT_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => Function::LinearExact,
        Some("SIGMOID") => Function::Sigmoid,
        _ => Function::Linear,
    };
    let least = if function == Function::Linear { 1.0 } else { f64::MIN_POSITIVE };
    (width >= least).then_some(Window { centre, width, function })
}
