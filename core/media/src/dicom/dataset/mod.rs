//! DICOM data sets, byte for byte (PS3.5 section 7).
//!
//! What reads pixels wants values; what changes a file wants everything that it does not change to stay as it is. So
//! this reader splits a file into its elements and interprets nothing: a value is the bytes that stand in the file, in
//! the file's own byte order and character set, and the writer puts them back. [`Instance`] adds the header (PS3.10
//! section 7).
//!
//! - **Invariant:** nothing that a file says makes the reader reserve memory: lengths are compared with the bytes that
//!   are there, and values share the memory of the file.
//! - **Invariant:** nesting and the number of elements have limits, so a hostile file is an error and no crash.
//!
//! ```
//! use dicom_dictionary_std::tags;
//! use foretell_media::dicom::dataset::{Dataset, Instance};
//!
//! let mut dataset = Dataset::new();
//! dataset.set_text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.7");
//! dataset.set_text(tags::SOP_INSTANCE_UID, "2.25.1");
//! dataset.set_text(tags::MODALITY, "OT");
//! let bytes = Instance::explicit(dataset).to_bytes()?;
//! assert_eq!(Instance::parse(&bytes)?.dataset.text(tags::MODALITY).as_deref(), Some("OT"));
//! # Ok::<(), foretell_media::MediaError>(())
//! ```

use std::borrow::Cow;

use bytes::Bytes;
use dicom_core::{
    Tag, VR,
    dictionary::{DataDictionary as _, DataDictionaryEntryRef, VirtualVr},
};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use crate::MediaError;

mod instance;
mod read;
mod write;

pub use instance::{INFLATED_BYTES_MAX, Instance};
pub use read::{DEPTH_MAX, ELEMENTS_MAX};

/// How elements stand in a stream (PS3.5 section 7.1 and annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Elements name their value representation; otherwise the dictionary knows it.
    pub explicit: bool,
    /// Numbers have their most significant byte first (retired from the standard, not from archives).
    pub big_endian: bool,
}

impl Encoding {
    /// Explicit VR Little Endian: what this crate writes, and what nearly everybody sends.
    pub const EXPLICIT: Self = Self { explicit: true, big_endian: false };
    /// Implicit VR Little Endian, the default of the network protocol.
    pub const IMPLICIT: Self = Self { explicit: false, big_endian: false };
}

/// An attribute with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Which attribute.
    pub tag: Tag,
    /// The value representation that the file names, or that the dictionary has where the file names none. What
    /// neither knows is `UN`.
    pub vr: VR,
    /// The value.
    pub value: Value,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Bytes as they stand in the file, padding included.
    Bytes(Bytes),
    /// The items of a sequence. With the representation `UN`, they are written as implicit little endian, as PS3.5
    /// section 6.2.2 has it.
    Items(Vec<Item>),
    /// Encapsulated pixels: the offset table first, then fragments (PS3.5 section A.4).
    Fragments(Vec<Bytes>),
}

/// An item of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Where the item began in the stream that was read, bytes. Directories point at their records with it.
    pub offset: u64,
    /// Its attributes.
    pub dataset: Dataset,
}

impl From<Dataset> for Item {
    fn from(dataset: Dataset) -> Self {
        Self { offset: 0, dataset }
    }
}

/// Elements in ascending order of their tags, each tag once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dataset {
    elements: Vec<Element>,
}

impl Dataset {
    /// No elements.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sorts; of elements with the same tag, which no valid file has, the first stays.
    fn from_elements(mut elements: Vec<Element>) -> Self {
        elements.sort_by_key(|element| element.tag);
        elements.dedup_by_key(|element| element.tag);
        Self { elements }
    }

    /// The elements as they stand in a file behind its header.
    ///
    /// # Errors
    ///
    /// A value that is too long for its representation.
    pub fn to_bytes(&self, encoding: Encoding) -> Result<Vec<u8>, MediaError> {
        let mut out = Vec::new();
        write::dataset(&mut out, self, encoding)?;
        Ok(out)
    }

    /// The elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Element> {
        self.elements.iter()
    }

    /// The element with this tag.
    #[must_use]
    pub fn get(&self, tag: Tag) -> Option<&Element> {
        let found = self.elements.binary_search_by_key(&tag, |element| element.tag).ok()?;
        Some(&self.elements[found])
    }

    /// Puts an element where it belongs, in the place of one that has its tag.
    pub fn set(&mut self, element: Element) {
        match self.elements.binary_search_by_key(&element.tag, |element| element.tag) {
            Ok(found) => self.elements[found] = element,
            Err(place) => self.elements.insert(place, element),
        }
    }

    /// Sets bytes, which are padded to an even length when they are written.
    pub fn set_bytes(&mut self, tag: Tag, vr: VR, bytes: impl Into<Bytes>) {
        self.set(Element { tag, vr, value: Value::Bytes(bytes.into()) });
    }

    /// Sets text (or a UID, a date, a decimal string: whatever is written in characters) with the representation that
    /// the dictionary has for the attribute.
    pub fn set_text(&mut self, tag: Tag, text: &str) {
        self.set_bytes(tag, dictionary_vr(tag).unwrap_or(VR::UN), text.as_bytes().to_vec());
    }

    /// Sets 16-bit numbers, little endian.
    pub fn set_u16(&mut self, tag: Tag, values: &[u16]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set_bytes(tag, VR::US, bytes);
    }

    /// Sets 32-bit numbers, little endian.
    pub fn set_u32(&mut self, tag: Tag, values: &[u32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.set_bytes(tag, VR::UL, bytes);
    }

    /// Sets the items of a sequence.
    pub fn set_items(&mut self, tag: Tag, items: impl IntoIterator<Item = Dataset>) {
        let items = items.into_iter().map(Item::from).collect();
        self.set(Element { tag, vr: VR::SQ, value: Value::Items(items) });
    }

    /// The value's text without its padding; none where the attribute is absent, empty or a sequence. Characters that
    /// are not UTF-8 (and so no ASCII either) are replaced: use it for codes, UIDs and numbers.
    #[must_use]
    pub fn text(&self, tag: Tag) -> Option<Cow<'_, str>> {
        let bytes = trimmed(self.bytes(tag)?);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
    }

    /// The value's bytes; none where the attribute is absent or a sequence.
    #[must_use]
    pub fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match &self.get(tag)?.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Items(_) | Value::Fragments(_) => None,
        }
    }

    /// The first number of a value of 16-bit numbers.
    #[must_use]
    pub fn u16(&self, tag: Tag, encoding: Encoding) -> Option<u16> {
        let bytes = *self.bytes(tag)?.first_chunk()?;
        Some(if encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// The first number of a value of 32-bit numbers.
    #[must_use]
    pub fn u32(&self, tag: Tag, encoding: Encoding) -> Option<u32> {
        let bytes = *self.bytes(tag)?.first_chunk()?;
        Some(if encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The items of a sequence; none where the attribute is absent or no sequence.
    #[must_use]
    pub fn items(&self, tag: Tag) -> Option<&[Item]> {
        match &self.get(tag)?.value {
            Value::Items(items) => Some(items),
            Value::Bytes(_) | Value::Fragments(_) => None,
        }
    }
}

impl FromIterator<Element> for Dataset {
    fn from_iter<I: IntoIterator<Item = Element>>(elements: I) -> Self {
        Self::from_elements(elements.into_iter().collect())
    }
}

impl IntoIterator for Dataset {
    type Item = Element;
    type IntoIter = std::vec::IntoIter<Element>;

    fn into_iter(self) -> Self::IntoIter {
        self.elements.into_iter()
    }
}

/// Without the spaces and zero bytes that make a length even, and without leading spaces.
pub(crate) fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | 0] = bytes {
        bytes = rest;
    }
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether these are the characters of a UID (PS3.5 section 9.1).
pub(crate) fn is_uid(text: &[u8]) -> bool {
    (1..=64).contains(&text.len()) && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// What the standard says of an attribute; none for private and unknown ones. Group lengths, which say nothing, are
/// unknown too.
pub(crate) fn dictionary(tag: Tag) -> Option<&'static DataDictionaryEntryRef<'static>> {
    let known = tag.group().is_multiple_of(2)
        && (tag.element() != 0 || tag == tags::FILE_META_INFORMATION_GROUP_LENGTH);
    known.then(|| StandardDataDictionary.by_tag(tag)).flatten()
}

/// The attribute's representation in the standard; where it depends on the pixels, the wider one.
pub(crate) fn dictionary_vr(tag: Tag) -> Option<VR> {
    Some(match dictionary(tag)?.vr {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs => VR::US,
        _ => VR::OW,
    })
}

/// Whether the length of such an element takes four bytes where its representation is named (PS3.5 section 7.1.2).
fn has_long_length(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

/// Whether values are written in characters.
pub(crate) fn is_text(vr: VR) -> bool {
    use VR::{AE, AS, CS, DA, DS, DT, IS, LO, LT, PN, SH, ST, TM, UC, UI, UR, UT};
    matches!(vr, AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT)
}
