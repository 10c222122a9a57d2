//! JPEG 2000 (ITU-T T.800) through `hayro-jpeg2000`, which has no unsafe code.

use super::layout::Layout;
use super::stored::Raw;
use crate::error::MediaErrorKind;
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

/// What the image and tile size segment (T.800 section A.5.1) says.
struct Size {
    width: u64,
    height: u64,
    tiles: u64,
    components: usize,
    precision: u32,
    signed: bool,
}

/// The most tiles of a frame. Tiles of 64 x 64 pixels of the largest frame that a scanner makes are fewer.
const TILES_MAX: u64 = 1 << 14;

/// The most samples of a frame: the decoder holds several numbers of 4 bytes for each, and a codestream of a few bytes can announce
/// any number of them.
const SAMPLES_MAX: u64 = 1 << 26;

fn size(bytes: &[u8]) -> Result<Size, MediaErrorKind> {
    let damaged = || MediaErrorKind::Damaged("it has no JPEG 2000 codestream".to_owned());
    // Some writers wrap the codestream in a JP2 file, whose boxes come before it.
    const START: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
    let start = bytes.windows(4).position(|window| window == START).ok_or_else(damaged)?;
    let body = &bytes[start + 4..];
    let long =
        |at: usize| body.get(at..at + 4).map(|b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])));
    let read = || {
        let end = (long(4)?, long(8)?);
        let origin = (long(12)?, long(16)?);
        let tile = (long(20)?.max(1), long(24)?.max(1));
        let depth = *body.get(38)?;
        Some(Size {
            width: end.0.saturating_sub(origin.0),
            height: end.1.saturating_sub(origin.1),
            tiles: end.0.div_ceil(tile.0) * end.1.div_ceil(tile.1),
            components: usize::from(u16::from_be_bytes([*body.get(36)?, *body.get(37)?])),
            precision: u32::from(depth & 0x7F) + 1,
            signed: depth & 0x80 != 0,
        })
    };
    read().ok_or_else(damaged)
}

/// Decodes a frame into samples of the width that the layout has.
pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Raw, MediaErrorKind> {
    let size = size(bytes)?;
    layout.compare(size.width as usize, size.height as usize, size.components)?;
    MediaErrorKind::limit("tiles of a JPEG 2000 frame:", size.tiles, TILES_MAX)?;
    MediaErrorKind::limit(
        "samples of a JPEG 2000 frame:",
        (layout.pixels() * layout.samples) as u64,
        SAMPLES_MAX,
    )?;
    if size.precision > 16.min(layout.allocated) {
        return Err(MediaErrorKind::Unsupported(format!(
            "a JPEG 2000 frame of {} bits, where {} are allocated; up to 16 are read here",
            size.precision, layout.allocated
        )));
    }
    // The decoder takes what is missing for zeros. Padding may follow the end marker.
    const TAIL_BYTES: usize = 16;
    let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    if !tail.windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(MediaErrorKind::Truncated("its JPEG 2000 codestream has no end marker".to_owned()));
    }
    let settings = DecodeSettings { resolve_palette_indices: false, strict: false, target_resolution: None };
    let failed = |error: hayro_jpeg2000::DecodeError| {
        MediaErrorKind::Damaged(format!("its JPEG 2000 stream: {error}"))
    };
    let image = Image::new(bytes, &settings).map_err(failed)?;
    let mut context = DecoderContext::default();
    let image = image.decode(&mut context).map_err(failed)?;
    let planes: Vec<&[f32]> = image.components().iter().map(|component| component.samples()).collect();
    let pixels = layout.pixels();
    if planes.len() != layout.samples || planes.iter().any(|plane| plane.len() != pixels) {
        return Err(MediaErrorKind::Damaged("its JPEG 2000 components differ in size".to_owned()));
    }
    // The decoder moves signed samples up like unsigned ones.
    let middle = 1_i32 << (size.precision - 1);
    let (offset, low) = if size.signed { (middle, -middle) } else { (0, 0) };
    let high = low + 2 * middle - 1;
    let spare = 32 - size.precision;
    let value = |sample: f32| {
        let value = ((sample + 0.5).floor() as i32 - offset).clamp(low, high);
        match (size.signed, layout.signed) {
            // The data set says what the bits mean, whatever the codestream says.
            (false, true) => (value << spare) >> spare,
            (true, false) => ((value << spare) as u32 >> spare) as i32,
            _ => value,
        }
    };
    let samples = (0..pixels).flat_map(|at| planes.iter().map(move |plane| value(plane[at])));
    Ok(match layout.allocated {
        8 => Raw::U8(samples.map(|sample| sample as u8).collect()),
        16 => Raw::U16(samples.map(|sample| sample as u16).collect()),
        _ => Raw::U32(samples.map(|sample| sample as u32).collect()),
    })
}
