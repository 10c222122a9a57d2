//! A file: a header that says how the data set is encoded, and the data set.

use std::io::Read as _;

use bytes::Bytes;
use dicom_core::VR;
use dicom_dictionary_std::tags;
use flate2::read::DeflateDecoder;

use super::{
    Dataset, Encoding, is_uid,
    read::{Reader, damaged, guess},
    write,
};
use crate::{MediaError, MediaErrorKind};

/// What a deflated data set may become.
pub const INFLATED_BYTES_MAX: u64 = 1 << 30;

const WHAT: &str = "read DICOM";

const PREAMBLE_BYTES: usize = 128;
const PREFIX: &[u8] = b"DICM";

const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";

/// The root of everything that the standard names.
const STANDARD_ROOT: &str = "1.2.840.10008.";
/// Media Storage Directory Storage.
const DIRECTORY_CLASS: &str = "1.2.840.10008.1.3.10";

/// This program as a writer of files (PS3.7 section D.3.3.2). Made once, from a random number, as PS3.5 section B.2 has it.
const IMPLEMENTATION_CLASS_UID: &str = "2.25.304885320666654214254142017873944476544";
/// At most 16 characters.
const IMPLEMENTATION_VERSION_NAME: &str = concat!("FORETELL ", env!("CARGO_PKG_VERSION"));

/// A DICOM file (which holds one instance of something), taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The header: group 0002. Empty where a file has none. What is written is made anew from the data set.
    pub meta: Dataset,
    /// Everything else.
    pub dataset: Dataset,
    /// How pixels and elements are encoded: a UID of PS3.6 table A-1. A deflated data set has been inflated, and is
    /// Explicit VR Little Endian here.
    pub transfer_syntax: String,
    /// How elements are encoded, which follows from the transfer syntax.
    pub encoding: Encoding,
}

impl Instance {
    /// A new file, Explicit VR Little Endian.
    #[must_use]
    pub fn explicit(dataset: Dataset) -> Self {
        Self {
            meta: Dataset::new(),
            dataset,
            transfer_syntax: EXPLICIT_LITTLE.to_owned(),
            encoding: Encoding::EXPLICIT,
        }
    }

    /// Whether bytes begin like a file, or like a data set alone. Only then does [`Instance::parse`] try.
    pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
        bytes.get(PREAMBLE_BYTES..).is_some_and(|behind| behind.starts_with(PREFIX))
            || bytes.starts_with(PREFIX)
            || guess(bytes).is_some()
    }

    /// Takes a file apart: with a header, without a preamble, or a data set alone.
    ///
    /// # Errors
    ///
    /// Bytes that are no DICOM file, that end too early, that contradict themselves, or that exceed a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, MediaError> {
        Self::parse_shared(Bytes::copy_from_slice(bytes))
    }

    /// [`Instance::parse`] without a copy: values share these bytes.
    ///
    /// # Errors
    ///
    /// As [`Instance::parse`].
    pub fn parse_shared(bytes: Bytes) -> Result<Self, MediaError> {
        let start = match bytes.get(PREAMBLE_BYTES..PREAMBLE_BYTES + PREFIX.len()) {
            Some(PREFIX) => PREAMBLE_BYTES + PREFIX.len(),
            _ if bytes.starts_with(PREFIX) => PREFIX.len(),
            _ => 0,
        };
        let guessed = guess(&bytes[start..]);
        if start == 0 && guessed.is_none() {
            let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let start = if start.is_empty() { "nothing".to_owned() } else { start.join(" ") };
            let found = format!("it begins with {start}, and is no DICOM file; give a DICOM file");
            return Err(MediaErrorKind::Unsupported(found).of(WHAT));
        }
        let mut reader = Reader::new(bytes.clone(), start, 0, Encoding::EXPLICIT);
        let meta = reader.group(0x0002)?;
        let behind = reader.position();

        let named = meta.text(tags::TRANSFER_SYNTAX_UID).map(|uid| uid.into_owned());
        let encoding = match named.as_deref() {
            Some(IMPLICIT_LITTLE) => Encoding::IMPLICIT,
            Some(EXPLICIT_BIG) => Encoding { explicit: true, big_endian: true },
            Some(uid) if uid.starts_with(STANDARD_ROOT) && is_uid(uid.as_bytes()) => Encoding::EXPLICIT,
            // The header is copied by nobody, so the name of a private encoding would be lost; some differ in more
            // than their pixels.
            Some(_) => {
                let found = "a transfer syntax that is not the standard's; convert the file to Explicit VR Little Endian";
                return Err(MediaErrorKind::Unsupported(found.to_owned()).of(WHAT));
            }
            None => guess(&bytes[behind..]).ok_or_else(|| {
                damaged("no transfer syntax is named, and the data set does not show which it is")
            })?,
        };
        let (dataset, transfer_syntax) = if named.as_deref() == Some(DEFLATED) {
            let inflated = inflate(&bytes[behind..])?;
            (Reader::new(inflated, 0, 0, encoding).dataset()?, EXPLICIT_LITTLE.to_owned())
        } else {
            let by_encoding = if encoding.explicit { EXPLICIT_LITTLE } else { IMPLICIT_LITTLE };
            // Some writers say one and write the other. They are read as they are, and written as they say.
            let shown = guess(&bytes[behind..]).filter(|_| !encoding.big_endian);
            let dataset = Reader::new(bytes, behind, 0, shown.unwrap_or(encoding)).dataset()?;
            (dataset, named.unwrap_or_else(|| by_encoding.to_owned()))
        };
        // What belongs into a header has no place behind it, and would be taken for one when it is written.
        let dataset = dataset.into_iter().filter(|element| element.tag.group() > 0x0002).collect();
        Ok(Self { meta, dataset, transfer_syntax, encoding })
    }

    /// Whether it is a DICOMDIR, which lists files.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID).is_some_and(|uid| uid == DIRECTORY_CLASS)
            || self.dataset.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some()
    }

    /// The file as bytes: a preamble of zeros, a header made from the data set, and the data set.
    ///
    /// # Errors
    ///
    /// A data set without SOP class or instance UID, and a value that is too long for its representation.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MediaError> {
        let uid = |tag, name: &str| {
            self.dataset.text(tag).ok_or_else(|| {
                MediaErrorKind::Damaged(format!("the data set has no {name}, which every file needs"))
                    .of("write DICOM")
            })
        };
        let mut meta = Dataset::new();
        meta.set_bytes(tags::FILE_META_INFORMATION_VERSION, VR::OB, vec![0, 1]);
        meta.set_text(tags::MEDIA_STORAGE_SOP_CLASS_UID, &uid(tags::SOP_CLASS_UID, "SOP class UID")?);
        meta.set_text(
            tags::MEDIA_STORAGE_SOP_INSTANCE_UID,
            &uid(tags::SOP_INSTANCE_UID, "SOP instance UID")?,
        );
        meta.set_text(tags::TRANSFER_SYNTAX_UID, &self.transfer_syntax);
        meta.set_text(tags::IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_CLASS_UID);
        meta.set_text(tags::IMPLEMENTATION_VERSION_NAME, IMPLEMENTATION_VERSION_NAME);
        let mut group = Vec::new();
        write::dataset(&mut group, &meta, Encoding::EXPLICIT)?;
        let mut length = Dataset::new();
        length.set_u32(tags::FILE_META_INFORMATION_GROUP_LENGTH, &[group.len() as u32]);

        let mut out = vec![0; PREAMBLE_BYTES];
        out.extend_from_slice(PREFIX);
        write::dataset(&mut out, &length, Encoding::EXPLICIT)?;
        out.append(&mut group);
        write::dataset(&mut out, &self.dataset, self.encoding)?;
        Ok(out)
    }
}

fn inflate(bytes: &[u8]) -> Result<Bytes, MediaError> {
    let mut inflated = Vec::new();
    DeflateDecoder::new(bytes)
        .take(INFLATED_BYTES_MAX + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| damaged(format!("the deflated data set can't be inflated: {error}")))?;
    if inflated.len() as u64 > INFLATED_BYTES_MAX {
        return Err(MediaErrorKind::Limit {
            what: "the bytes of an inflated data set:",
            found: inflated.len() as u64,
            allowed: INFLATED_BYTES_MAX,
        }
        .of(WHAT));
    }
    Ok(inflated.into())
}
