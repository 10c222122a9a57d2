//! Splitting a stream into elements.

use bytes::Bytes;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::{Dataset, Element, Encoding, Item, Value, dictionary_vr, has_long_length};
use crate::{MediaError, MediaErrorKind};

/// Sequences within sequences. Real files stay below ten.
pub const DEPTH_MAX: usize = 32;
/// Elements and items in one file, nested ones included. A volume of thousands of frames has some 60 for each frame.
pub const ELEMENTS_MAX: usize = 1_000_000;

const UNDEFINED: u32 = 0xFFFF_FFFF;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

const WHAT: &str = "read DICOM";

pub(super) fn damaged(reason: impl Into<String>) -> MediaError {
    MediaErrorKind::Damaged(reason.into()).of(WHAT)
}

/// A place in a stream. Clones of the bytes share their memory.
pub(super) struct Reader {
    bytes: Bytes,
    position: usize,
    encoding: Encoding,
    /// What `bytes[0]` is in the file.
    base: usize,
    elements_left: usize,
}

/// An element's tag, representation and length.
struct Header {
    tag: Tag,
    vr: VR,
    length: u32,
}

/// What ends a list of elements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The end of the stream or the position.
    At(usize),
    /// An item's delimiter.
    Delimiter,
}

impl Reader {
    pub(super) fn new(bytes: Bytes, position: usize, base: usize, encoding: Encoding) -> Self {
        Self { bytes, position, encoding, base, elements_left: ELEMENTS_MAX }
    }

    /// All elements up to the end of the stream.
    pub(super) fn dataset(&mut self) -> Result<Dataset, MediaError> {
        self.elements(End::At(self.bytes.len()), 0)
    }

    /// The elements of one group at the position.
    pub(super) fn group(&mut self, group: u16) -> Result<Dataset, MediaError> {
        let mut elements = Vec::new();
        while self.peek_tag().is_some_and(|tag| tag.group() == group) {
            elements.push(self.element(self.bytes.len(), 0)?);
        }
        Ok(Dataset::from_elements(elements))
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn elements(&mut self, end: End, depth: usize) -> Result<Dataset, MediaError> {
        let limit = match end {
            End::At(limit) => limit,
            End::Delimiter => self.bytes.len(),
        };
        let mut elements = Vec::new();
        loop {
            if self.position >= limit {
                if end == End::Delimiter {
                    return Err(self.truncated("an item's end", 0));
                }
                break;
            }
            // Some writers fill the last block with zeros.
            if depth == 0 && self.bytes[self.position..limit].len() < 8 {
                if self.bytes[self.position..limit].iter().all(|&byte| byte == 0) {
                    break;
                }
                return Err(self.truncated("an element", 8));
            }
            if self.peek_tag() == Some(ITEM_END) {
                self.take(8, limit)?;
                break;
            }
            elements.push(self.element(limit, depth)?);
        }
        Ok(Dataset::from_elements(elements))
    }

    fn element(&mut self, limit: usize, depth: usize) -> Result<Element, MediaError> {
        self.count()?;
        let Header { tag, vr, length } = self.header(limit)?;
        if tag.group() == 0xFFFE {
            return Err(damaged(format!(
                "found {tag}, which stands between items, where an element should begin"
            )));
        }
        let value = match (length, vr) {
            (UNDEFINED, VR::SQ) => Value::Items(self.items(End::Delimiter, limit, depth)?),
            (UNDEFINED, VR::UN) => self.implicit(|reader| reader.items(End::Delimiter, limit, depth))?,
            (UNDEFINED, VR::OB | VR::OW) => Value::Fragments(self.fragments(limit)?),
            (UNDEFINED, _) => {
                return Err(damaged(format!("{tag} ({vr}) has no length, which only sequences may lack")));
            }
            (length, VR::SQ) => {
                let end = self.end(length, limit, tag)?;
                Value::Items(self.items(End::At(end), end, depth)?)
            }
            (length, VR::UN) if dictionary_vr(tag) == Some(VR::SQ) => {
                // Somebody who did not know the attribute copied it. If it is no sequence after all, it stays as it is.
                let end = self.end(length, limit, tag)?;
                let start = self.position;
                let items = self.implicit(|reader| reader.items(End::At(end), end, depth));
                self.position = start;
                let bytes = self.take(length as usize, limit)?;
                items.unwrap_or(Value::Bytes(bytes))
            }
            (length, _) => {
                self.end(length, limit, tag)?;
                Value::Bytes(self.take(length as usize, limit)?)
            }
        };
        // Compressed pixels are bytes, also where a stream that names no representations has them.
        let vr = if matches!(&value, Value::Fragments(_)) { VR::OB } else { vr };
        Ok(Element { tag, vr, value })
    }

    /// Reads items as implicit little endian, whatever surrounds them.
    fn implicit(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Vec<Item>, MediaError>,
    ) -> Result<Value, MediaError> {
        let outer = std::mem::replace(&mut self.encoding, Encoding::IMPLICIT);
        let items = read(self);
        self.encoding = outer;
        items.map(Value::Items)
    }

    fn items(&mut self, end: End, limit: usize, depth: usize) -> Result<Vec<Item>, MediaError> {
        if depth >= DEPTH_MAX {
            return Err(MediaErrorKind::Limit {
                what: "the depth of sequences within sequences:",
                found: depth as u64 + 1,
                allowed: DEPTH_MAX as u64,
            }
            .of(WHAT));
        }
        let mut items = Vec::new();
        while end == End::Delimiter || self.position < limit {
            self.count()?;
            let offset = (self.base + self.position) as u64;
            let (tag, length) = self.item_header(limit)?;
            match tag {
                SEQUENCE_END => break,
                ITEM if length == UNDEFINED => {
                    items.push(Item { offset, dataset: self.elements(End::Delimiter, depth + 1)? });
                }
                ITEM => {
                    let end = self.end(length, limit, tag)?;
                    let dataset = self.elements(End::At(end), depth + 1)?;
                    self.position = end;
                    items.push(Item { offset, dataset });
                }
                other => {
                    return Err(damaged(format!("found {other} where an item of a sequence should begin")));
                }
            }
        }
        Ok(items)
    }

    fn fragments(&mut self, limit: usize) -> Result<Vec<Bytes>, MediaError> {
        let mut fragments = Vec::new();
        loop {
            self.count()?;
            match self.item_header(limit)? {
                (SEQUENCE_END, _) => return Ok(fragments),
                (ITEM, length) if length != UNDEFINED => {
                    self.end(length, limit, ITEM)?;
                    fragments.push(self.take(length as usize, limit)?);
                }
                (tag, _) => {
                    return Err(damaged(format!("found {tag} where a fragment of pixels should begin")));
                }
            }
        }
    }

    fn header(&mut self, limit: usize) -> Result<Header, MediaError> {
        let tag = self.tag(limit)?;
        if tag.group() == 0xFFFE {
            return Ok(Header { tag, vr: VR::UN, length: self.u32(limit)? });
        }
        if !self.encoding.explicit {
            let length = self.u32(limit)?;
            return Ok(Header { tag, vr: dictionary_vr(tag).unwrap_or(VR::UN), length });
        }
        let code = self.take(2, limit)?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(damaged(format!("{tag} names no value representation of two letters")));
        }
        // Representations of a later edition have long lengths too (PS3.5 section 6.2.2).
        let vr = VR::from_binary([code[0], code[1]]).unwrap_or(VR::UN);
        let length = if has_long_length(vr) {
            self.take(2, limit)?;
            self.u32(limit)?
        } else {
            u32::from(self.u16(limit)?)
        };
        Ok(Header { tag, vr, length })
    }

    fn item_header(&mut self, limit: usize) -> Result<(Tag, u32), MediaError> {
        Ok((self.tag(limit)?, self.u32(limit)?))
    }

    fn peek_tag(&self) -> Option<Tag> {
        let bytes = self.bytes.get(self.position..)?.first_chunk::<4>()?;
        let number = |bytes: [u8; 2]| {
            if self.encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        Some(Tag(number([bytes[0], bytes[1]]), number([bytes[2], bytes[3]])))
    }

    fn tag(&mut self, limit: usize) -> Result<Tag, MediaError> {
        Ok(Tag(self.u16(limit)?, self.u16(limit)?))
    }

    fn u16(&mut self, limit: usize) -> Result<u16, MediaError> {
        let bytes = self.take(2, limit)?;
        let bytes = [bytes[0], bytes[1]];
        Ok(if self.encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self, limit: usize) -> Result<u32, MediaError> {
        let bytes = self.take(4, limit)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Ok(if self.encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn take(&mut self, length: usize, limit: usize) -> Result<Bytes, MediaError> {
        if length > limit.saturating_sub(self.position) {
            return Err(self.truncated("an element", length));
        }
        let taken = self.bytes.slice(self.position..self.position + length);
        self.position += length;
        Ok(taken)
    }

    /// Where a value of `length` bytes ends, which must not be behind `limit`.
    fn end(&self, length: u32, limit: usize, tag: Tag) -> Result<usize, MediaError> {
        let left = limit.saturating_sub(self.position);
        if length as usize > left {
            return Err(self.truncated(&format!("the value of {tag}"), length as usize));
        }
        Ok(self.position + length as usize)
    }

    fn truncated(&self, what: &str, wanted: usize) -> MediaError {
        let left = self.bytes.len().saturating_sub(self.position);
        let place = self.base + self.position;
        MediaErrorKind::Truncated(format!(
            "{what} at byte {place} needs {wanted} bytes, {left} are left in the file or its item has fewer"
        ))
        .of(WHAT)
    }

    fn count(&mut self) -> Result<(), MediaError> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or_else(|| {
            MediaErrorKind::Limit {
                what: "the number of elements:",
                found: ELEMENTS_MAX as u64 + 1,
                allowed: ELEMENTS_MAX as u64,
            }
            .of(WHAT)
        })?;
        Ok(())
    }
}

/// Whether a stream without a header begins with an element that a file would begin with; how it is encoded then.
pub(super) fn guess(bytes: &[u8]) -> Option<Encoding> {
    let head = bytes.first_chunk::<8>()?;
    let group = u16::from_le_bytes([head[0], head[1]]);
    // Identification (0008) comes first; 0002 is a header without a preamble, 0004 a directory.
    if !matches!(group, 0x0002 | 0x0004 | 0x0008) {
        return None;
    }
    if VR::from_binary([head[4], head[5]]).is_some() {
        return Some(Encoding::EXPLICIT);
    }
    let tag = Tag(group, u16::from_le_bytes([head[2], head[3]]));
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let known = dictionary_vr(tag).is_some() || tag.element() == 0;
    (known && tag != tags::FILE_META_INFORMATION_GROUP_LENGTH && length <= bytes.len())
        .then_some(Encoding::IMPLICIT)
}
