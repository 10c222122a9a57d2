//! RLE Lossless (PS3.5 annex G): each byte of the samples is a segment of its own, most significant first.

use crate::error::MediaErrorKind;

/// Bytes of the header: how many segments there are, and where each of at most 15 begins.
const HEADER_BYTES: usize = 64;

/// Decodes a frame: for each pixel its components, for each component its bytes, least significant first.
pub(super) fn decode(
    bytes: &[u8],
    pixels: usize,
    components: usize,
    sample_bytes: usize,
) -> Result<Vec<u8>, MediaErrorKind> {
    let short = || MediaErrorKind::Truncated("its RLE header has fewer than 64 bytes".to_owned());
    let header = bytes.get(..HEADER_BYTES).ok_or_else(short)?;
    let number = |at: usize| {
        u32::from_le_bytes([header[at * 4], header[at * 4 + 1], header[at * 4 + 2], header[at * 4 + 3]])
            as usize
    };
    let (found, wanted) = (number(0), components * sample_bytes);
    if found != wanted || wanted > 15 {
        return Err(MediaErrorKind::Damaged(format!(
            "its RLE frame has {found} segments; expected {wanted}"
        )));
    }
    // A code of two bytes gives at most 128: what is shorter than that cannot be whole.
    if bytes.len() < pixels / 64 * wanted {
        return Err(MediaErrorKind::Truncated(format!(
            "{} bytes of RLE cannot hold {pixels} pixels",
            bytes.len()
        )));
    }
    let stride = wanted;
    let mut target = vec![0; pixels * stride];
    for segment in 0..wanted {
        let start = number(segment + 1);
        let end = if segment + 1 < wanted { number(segment + 2) } else { bytes.len() };
        let source = bytes.get(start..end.min(bytes.len())).filter(|_| start >= HEADER_BYTES);
        let source = source.ok_or_else(|| {
            MediaErrorKind::Damaged(format!(
                "RLE segment {} begins at byte {start}, outside its frame",
                segment + 1
            ))
        })?;
        let (component, byte) = (segment / sample_bytes, sample_bytes - 1 - segment % sample_bytes);
        let places = target[component * sample_bytes + byte..].iter_mut().step_by(stride);
        unpack(source, places).map_err(|missing| {
            MediaErrorKind::Truncated(format!(
                "RLE segment {} lacks {missing} of {pixels} bytes",
                segment + 1
            ))
        })?;
    }
    Ok(target)
}

/// The PackBits code of PS3.5 section G.3.1. Fails with the number of bytes that are missing.
fn unpack<'a>(mut source: &[u8], mut places: impl ExactSizeIterator<Item = &'a mut u8>) -> Result<(), usize> {
    while places.len() > 0 {
        let missing = places.len();
        let [code, rest @ ..] = source else { return Err(missing) };
        match code {
            0..=127 => {
                let count = usize::from(*code) + 1;
                // The last bytes of a truncated literal are missing ones.
                let literal = rest.get(..count).ok_or(missing)?;
                for (place, byte) in places.by_ref().take(count).zip(literal) {
                    *place = *byte;
                }
                source = &rest[count..];
            }
            128 => source = rest,
            129..=255 => {
                let [byte, rest @ ..] = rest else { return Err(missing) };
                for place in places.by_ref().take(257 - usize::from(*code)) {
                    *place = *byte;
                }
                source = rest;
            }
        }
    }
    Ok(())
}
