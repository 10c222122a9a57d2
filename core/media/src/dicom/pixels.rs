//! From the pixel data element to the samples of a frame: native and encapsulated (PS3.5 chapter 8 and annex A).

use super::dataset::{Dataset, Encoding, Value};
use super::layout::{Kind, Layout, Photometric};
use super::stored::Raw;
use super::{jpeg, jpeg_2000, jpeg_ls, rle};
use crate::error::MediaErrorKind;
use crate::picture::{Picture, Samples};
use crate::raster;
use bytes::Bytes;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use std::borrow::Cow;
use std::ops::Range;

/// How pixels are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Native,
    Rle,
    Jpeg,
    JpegLs,
    Jpeg2000,
}

/// PS3.6 table A-1.
fn codec(transfer_syntax: &str) -> Result<Codec, MediaErrorKind> {
    Ok(match transfer_syntax {
        "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1" | "1.2.840.10008.1.2.2" => Codec::Native,
        "1.2.840.10008.1.2.5" => Codec::Rle,
        "1.2.840.10008.1.2.4.50"
        | "1.2.840.10008.1.2.4.51"
        | "1.2.840.10008.1.2.4.57"
        | "1.2.840.10008.1.2.4.70" => Codec::Jpeg,
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => Codec::JpegLs,
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => Codec::Jpeg2000,
        _ => {
            return Err(MediaErrorKind::Unsupported(
                "its transfer syntax is not read here; uncompressed, RLE, JPEG, JPEG-LS and JPEG 2000 images are".to_owned(),
            ));
        }
    })
}

/// Where the pixels are.
pub(super) struct Pixels {
    pub(super) layout: Layout,
    codec: Codec,
    source: Source,
}

enum Source {
    Native {
        bytes: Bytes,
        big: bool,
        /// Bytes that were written as 16-bit words are in pairs the wrong way round.
        swapped: bool,
    },
    /// The fragments, and which of them belong to each frame.
    Encapsulated { fragments: Vec<Bytes>, frames: Vec<Range<usize>> },
}

/// A frame's samples and what its components mean after decoding.
pub(super) struct Decoded {
    pub(super) raw: Raw,
    pub(super) photometric: Photometric,
    /// Bits of the value, unused bits below it.
    pub(super) bits: u32,
    pub(super) below: u32,
}

/// The pixel data element of a data set, if it has one.
pub(super) fn element(dataset: &Dataset) -> Option<Tag> {
    [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA]
        .into_iter()
        .find(|&tag| dataset.get(tag).is_some())
}

impl Pixels {
    pub(super) fn new(
        dataset: &Dataset,
        encoding: Encoding,
        transfer_syntax: &str,
        tag: Tag,
    ) -> Result<Pixels, MediaErrorKind> {
        let layout = Layout::new(dataset, encoding, tag)?;
        let codec = codec(transfer_syntax)?;
        let element = dataset.get(tag).ok_or(MediaErrorKind::NoPixels)?;
        let source = match (&element.value, codec) {
            (Value::Bytes(bytes), Codec::Native) => {
                let needed = native_bits(&layout).saturating_mul(u64::from(layout.frames)).div_ceil(8);
                if (bytes.len() as u64) < needed {
                    return Err(MediaErrorKind::Truncated(format!(
                        "it has {} bytes of pixels; {} frames of {} x {} pixels need {needed}",
                        bytes.len(),
                        layout.frames,
                        layout.columns,
                        layout.rows
                    )));
                }
                let big = encoding.big_endian;
                let swapped = big && layout.allocated == 8 && element.vr == VR::OW;
                Source::Native { bytes: bytes.clone(), big, swapped }
            }
            (Value::Fragments(fragments), codec) if codec != Codec::Native => {
                let frames = frames(fragments, &layout, dataset, encoding)?;
                Source::Encapsulated { fragments: fragments.clone(), frames }
            }
            (_, Codec::Native) => {
                return Err(MediaErrorKind::Damaged(
                    "its pixels are in fragments, its transfer syntax is uncompressed".to_owned(),
                ));
            }
            _ => {
                return Err(MediaErrorKind::Damaged(
                    "its pixels are not in fragments, its transfer syntax is compressed".to_owned(),
                ));
            }
        };
        Ok(Pixels { layout, codec, source })
    }

    /// Decodes a frame, counted from 0. `colours`: a decoder may turn YCbCr into RGB where that is its fastest way.
    pub(super) fn decode(&self, frame: usize, colours: bool) -> Result<Decoded, MediaErrorKind> {
        let layout = &self.layout;
        let (fragments, frames) = match &self.source {
            Source::Native { bytes, big, swapped } => return Ok(self.native(bytes, *big, *swapped, frame)),
            Source::Encapsulated { fragments, frames } => (fragments, frames),
        };
        let bytes = joined(&fragments[frames[frame].clone()]);
        let plain = |raw, photometric| Decoded { raw, photometric, bits: layout.stored, below: 0 };
        let decoded = match self.codec {
            Codec::Native | Codec::Rle => {
                if layout.allocated == 1 || layout.kind != Kind::Integer {
                    return Err(MediaErrorKind::Damaged("RLE holds integers of whole bytes".to_owned()));
                }
                let sample_bytes = layout.allocated as usize / 8;
                let bytes = rle::decode(&bytes, layout.pixels(), layout.samples, sample_bytes)?;
                let raw = match layout.allocated {
                    8 => Raw::U8(bytes),
                    allocated => Raw::integers(&bytes, allocated, false),
                };
                plain(raw, unsampled(layout.photometric))
            }
            Codec::Jpeg => self.jpeg(&bytes, colours)?,
            Codec::JpegLs => {
                let (width, height, components, precision) = jpeg_ls::size(&bytes)?;
                layout.compare(width, height, components)?;
                let raw = Raw::U16(jpeg_ls::decode(&bytes)?).widened(layout.allocated);
                // A sign is not written, so the highest bit that is written is the sign.
                let bits = if layout.signed { precision.min(layout.allocated) } else { layout.stored };
                Decoded { raw, photometric: unsampled(layout.photometric), bits, below: 0 }
            }
            Codec::Jpeg2000 => {
                let raw = jpeg_2000::decode(&bytes, layout)?;
                Decoded { raw, photometric: unsampled(layout.photometric), bits: layout.allocated, below: 0 }
            }
        };
        let expected = layout.pixels() * layout.samples;
        if decoded.raw.len() != expected {
            let reason = format!("a frame of {} samples was decoded; expected {expected}", decoded.raw.len());
            return Err(MediaErrorKind::Damaged(reason));
        }
        Ok(decoded)
    }

    fn native(&self, bytes: &[u8], big: bool, swapped: bool, frame: usize) -> Decoded {
        let layout = &self.layout;
        let bits = native_bits(layout);
        let start = frame as u64 * bits;
        let range = (start / 8) as usize..(start + bits).div_ceil(8) as usize;
        let frame: Cow<'_, [u8]> = if swapped {
            range.map(|at| bytes.get(at ^ 1).copied().unwrap_or(0)).collect::<Vec<u8>>().into()
        } else {
            bytes[range].into()
        };
        let mut photometric = layout.photometric;
        let raw = match (layout.kind, layout.allocated) {
            (Kind::Float, _) => {
                let read = if big { f32::from_be_bytes } else { f32::from_le_bytes };
                Raw::F32(frame.as_chunks::<4>().0.iter().map(|&four| read(four)).collect())
            }
            (Kind::Double, _) => {
                let read = if big { f64::from_be_bytes } else { f64::from_le_bytes };
                Raw::F64(frame.as_chunks::<8>().0.iter().map(|&eight| read(eight)).collect())
            }
            (Kind::Integer, 1) => {
                let first = (start % 8) as usize;
                let bit = |at: usize| frame[at / 8] >> (at % 8) & 1;
                Raw::U8((first..first + layout.pixels() * layout.samples).map(bit).collect())
            }
            (Kind::Integer, 8) if photometric == Photometric::Ybr422 => {
                photometric = Photometric::Ybr;
                // Two brightnesses share the differences that follow them.
                let pairs = frame.as_chunks::<4>().0.iter();
                Raw::U8(pairs.flat_map(|&[y1, y2, blue, red]| [y1, blue, red, y2, blue, red]).collect())
            }
            (Kind::Integer, allocated) => Raw::integers(&frame, allocated, big),
        };
        let raw = if layout.planar { raw.interleaved(layout.samples) } else { raw };
        Decoded { raw, photometric, bits: layout.stored, below: layout.below }
    }

    fn jpeg(&self, bytes: &[u8], colours: bool) -> Result<Decoded, MediaErrorKind> {
        let layout = &self.layout;
        let frame = jpeg::frame(bytes)?;
        layout.compare(frame.width, frame.height, frame.ids.len())?;
        if layout.allocated == 1 || frame.precision > layout.allocated {
            return Err(MediaErrorKind::Damaged(format!(
                "its JPEG frame has {} bits, {} are allocated",
                frame.precision, layout.allocated
            )));
        }
        let mut photometric = match unsampled(layout.photometric) {
            // The stream knows better than the attributes: components that are called R, G, B, and JFIF, which is YCbCr.
            Photometric::Ybr if matches!(frame.ids[..], [b'R', b'G', b'B'] | [b'r', b'g', b'b']) => {
                Photometric::Rgb
            }
            Photometric::Rgb if frame.jfif && frame.process != 3 => Photometric::Ybr,
            other => other,
        };
        let raw = if frame.process == 3 || frame.precision != 8 {
            Raw::U16(jpeg::decode(bytes)?)
        } else {
            // A stream that says that it is RGB, against its attributes, would not be transformed.
            let rgb = colours && photometric == Photometric::Ybr && frame.adobe != Some(0);
            let components = if rgb { raster::Components::Rgb } else { raster::Components::AsStored };
            match raster::jpeg_components(bytes, components) {
                Ok(Picture { samples: Samples::U8(samples), .. }) => {
                    if rgb {
                        photometric = Photometric::Rgb;
                    }
                    Raw::U8(samples)
                }
                Ok(_) => return Err(MediaErrorKind::Damaged("its JPEG frame is not of 8 bits".to_owned())),
                // The fast decoder refuses some headers that are beside the point, such as a shortened one of Adobe's.
                Err(MediaErrorKind::Damaged(reason)) => {
                    Raw::U16(jpeg::decode(bytes).map_err(|_| MediaErrorKind::Damaged(reason))?)
                }
                Err(other) => return Err(other),
            }
        };
        Ok(Decoded { raw: raw.widened(layout.allocated), photometric, bits: layout.stored, below: 0 })
    }
}

/// What components mean once each pixel has all of them.
fn unsampled(photometric: Photometric) -> Photometric {
    if photometric == Photometric::Ybr422 { Photometric::Ybr } else { photometric }
}

/// Bits of an uncompressed frame.
fn native_bits(layout: &Layout) -> u64 {
    let samples = match layout.photometric {
        Photometric::Ybr422 if layout.allocated == 8 => 2,
        _ => layout.samples as u64,
    };
    layout.pixels() as u64 * samples * u64::from(layout.allocated)
}

/// The bytes of a frame; nothing is copied when they are in one fragment.
fn joined(fragments: &[Bytes]) -> Cow<'_, [u8]> {
    match fragments {
        [fragment] => Cow::Borrowed(fragment),
        _ => Cow::Owned(fragments.concat()),
    }
}

/// Which fragments (counted from the first one behind the offset table) belong to each frame.
fn frames(
    fragments: &[Bytes],
    layout: &Layout,
    dataset: &Dataset,
    encoding: Encoding,
) -> Result<Vec<Range<usize>>, MediaErrorKind> {
    let count = layout.frames as usize;
    let Some((table, data)) = fragments.split_first().filter(|(_, data)| !data.is_empty()) else {
        return Err(MediaErrorKind::Truncated("it has no fragment of pixels".to_owned()));
    };
    if count == 1 {
        let all = 1..fragments.len();
        return Ok(vec![all]);
    }
    let table: Vec<u64> = match dataset.bytes(tags::EXTENDED_OFFSET_TABLE) {
        Some(bytes) => bytes.as_chunks::<8>().0.iter().map(|&eight| u64::from_le_bytes(eight)).collect(),
        None if encoding.big_endian => Vec::new(),
        None => table.as_chunks::<4>().0.iter().map(|&four| u32::from_le_bytes(four).into()).collect(),
    };
    if let Some(frames) = by_table(&table, data, count) {
        return Ok(frames);
    }
    if data.len() == count {
        return Ok((1..=count).map(|at| at..at + 1).collect());
    }
    // Without a table, a frame ends where an end marker is: in the last bytes of a fragment, before its padding.
    let mut frames = Vec::with_capacity(count);
    let mut start = 1;
    for (at, fragment) in data.iter().enumerate() {
        const TAIL_BYTES: usize = 10;
        let tail = &fragment[fragment.len().saturating_sub(TAIL_BYTES)..];
        if tail.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
            frames.push(start..at + 2);
            start = at + 2;
        }
    }
    if frames.len() == count {
        return Ok(frames);
    }
    let reason = format!("its {} fragments cannot be told apart as {count} frames", data.len());
    Err(MediaErrorKind::Damaged(reason))
}

/// By an offset table: offsets of the frames' first items from the first item of all. Tables that fit no item are not used.
fn by_table(table: &[u64], data: &[Bytes], count: usize) -> Option<Vec<Range<usize>>> {
    if table.len() != count {
        return None;
    }
    const ITEM_HEAD_BYTES: u64 = 8;
    let mut offset = 0;
    let mut offsets = Vec::with_capacity(data.len());
    for fragment in data {
        offsets.push(offset);
        offset += ITEM_HEAD_BYTES + fragment.len() as u64;
    }
    let starts: Vec<usize> =
        table.iter().map(|at| offsets.binary_search(at).ok()).collect::<Option<Vec<_>>>()?;
    let ends = starts.iter().skip(1).copied().chain([data.len()]);
    let frames: Vec<Range<usize>> = starts.iter().zip(ends).map(|(&start, end)| start + 1..end + 1).collect();
    frames.iter().all(|frame| !frame.is_empty()).then_some(frames)
}
