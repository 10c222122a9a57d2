//! Putting elements back into a stream.

use bytes::Bytes;
use dicom_core::{Tag, VR};

use super::{Dataset, Element, Encoding, Value, has_long_length, is_text};
use crate::{MediaError, MediaErrorKind};

const WHAT: &str = "write DICOM";

/// Appends a data set to a stream.
///
/// Sequences and items are written with delimiters instead of lengths, so that nothing is written twice.
pub(super) fn dataset(out: &mut Vec<u8>, dataset: &Dataset, encoding: Encoding) -> Result<(), MediaError> {
    dataset.iter().try_for_each(|one| element(out, one, encoding))
}

fn element(out: &mut Vec<u8>, element: &Element, encoding: Encoding) -> Result<(), MediaError> {
    let Element { tag, vr, value } = element;
    match value {
        Value::Bytes(bytes) => {
            header(out, *tag, *vr, Some(bytes.len()), encoding)?;
            padded(out, *vr, bytes);
        }
        Value::Items(items) => {
            header(out, *tag, *vr, None, encoding)?;
            let inner = if *vr == VR::UN { Encoding::IMPLICIT } else { encoding };
            for item in items {
                mark(out, 0xE000, u32::MAX, inner);
                dataset(out, &item.dataset, inner)?;
                mark(out, 0xE00D, 0, inner);
            }
            mark(out, 0xE0DD, 0, inner);
        }
        Value::Fragments(fragments) => {
            header(out, *tag, *vr, None, encoding)?;
            for fragment in fragments {
                mark(out, 0xE000, length(fragment.len())?, encoding);
                padded(out, *vr, fragment);
            }
            mark(out, 0xE0DD, 0, encoding);
        }
    }
    Ok(())
}

/// `bytes`: none for a length that is not said.
fn header(
    out: &mut Vec<u8>,
    tag: Tag,
    vr: VR,
    bytes: Option<usize>,
    encoding: Encoding,
) -> Result<(), MediaError> {
    let bytes = bytes.map_or(Ok(u32::MAX), length)?;
    number16(out, tag.group(), encoding);
    number16(out, tag.element(), encoding);
    if !encoding.explicit {
        number32(out, bytes, encoding);
        return Ok(());
    }
    out.extend_from_slice(&vr.to_bytes());
    if has_long_length(vr) {
        out.extend_from_slice(&[0, 0]);
        number32(out, bytes, encoding);
        return Ok(());
    }
    let short = u16::try_from(bytes).map_err(|_| {
        MediaErrorKind::Limit {
            what: "the bytes of a value with a short length:",
            found: bytes.into(),
            allowed: u16::MAX.into(),
        }
        .of(WHAT)
    })?;
    number16(out, short, encoding);
    Ok(())
}

/// A length with its padding.
fn length(bytes: usize) -> Result<u32, MediaError> {
    let even = bytes.next_multiple_of(2);
    u32::try_from(even).ok().filter(|&length| length < u32::MAX).ok_or_else(|| {
        MediaErrorKind::Limit {
            what: "the bytes of a value:",
            found: even as u64,
            allowed: u64::from(u32::MAX) - 1,
        }
        .of(WHAT)
    })
}

fn padded(out: &mut Vec<u8>, vr: VR, bytes: &Bytes) {
    out.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        // PS3.5 section 6.2: UIDs and bytes are padded with zero, text with a space.
        out.push(if is_text(vr) && vr != VR::UI { b' ' } else { 0 });
    }
}

fn mark(out: &mut Vec<u8>, element: u16, length: u32, encoding: Encoding) {
    number16(out, 0xFFFE, encoding);
    number16(out, element, encoding);
    number32(out, length, encoding);
}

fn number16(out: &mut Vec<u8>, number: u16, encoding: Encoding) {
    out.extend_from_slice(&if encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
}

fn number32(out: &mut Vec<u8>, number: u32, encoding: Encoding) {
    out.extend_from_slice(&if encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
}
