//! Removing what identifies a patient from a DICOM file.
//!
//! The rules are those of DICOM PS3.15 annex E, the *Basic Application Level Confidentiality Profile* without options,
//! edition 2026c. The table stands in `profile.txt`, how an entry is applied in `profile.rs`.
//!
//! ```
//! # use dicom_dictionary_std::tags;
//! # use foretell_media::dicom::dataset::{Dataset, Instance};
//! use foretell_media::dicom::deidentify::{Salt, deidentify};
//!
//! # let mut dataset = Dataset::new();
//! # dataset.set_text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.7");
//! # dataset.set_text(tags::SOP_INSTANCE_UID, "1.2.3");
//! # dataset.set_text(tags::PATIENT_NAME, "Doe^Jane");
//! # let file = Instance::explicit(dataset).to_bytes()?;
//! let salt = Salt([7; 32]); // random bytes that the caller made once, and keeps secret
//! let clean = deidentify(&file, &salt)?;
//! assert!(clean.removals.iter().any(|removal| removal.keyword == "PatientName"));
//! assert!(!clean.bytes.windows(4).any(|bytes| bytes == b"Jane"));
//! # Ok::<(), foretell_media::MediaError>(())
//! ```
//!
//! # What stays, what goes
//!
//! The table says for each attribute: X remove, Z empty, D put a dummy, U put another UID. Where it gives a choice that
//! depends on the kind of file (`X/Z`: remove, unless the kind of file demands an empty value), the choice here is the
//! one that is valid in **every** kind of file: `X/Z` empties, all with a `D` get a dummy, `X/Z/U*` keeps the sequence
//! and replaces its UIDs. It tells no more of the patient than removal would, and no image becomes invalid, also where
//! the attribute stands in the sequence of a kind of file that nobody thought of. Sequences with a `D` keep their shape,
//! and every value in them becomes a dummy: of a structured document its structure is left, and nothing to read.
//!
//! The table is a list of what to remove, so what it does not know would stay. A net is stretched below it: see
//! [`Reason`].
//!
//! Pixels stay as they are, byte for byte. What is written *in* them can't be seen from here: [`Warning`] says what the
//! file itself admits, and whether a JPEG stream among them carries comments.
//!
//! # UIDs, pseudonyms and the salt
//!
//! A UID becomes `2.25.` and the decimal number of a hash (a UUID of version 8, RFC 9562 section 5.8), so the same UID
//! becomes the same one wherever it stands: files of one series stay in one series, and a reference finds its target.
//! The patient's ID becomes a pseudonym in the same way, so that the records of one patient share a key.
//!
//! Without a secret, that would protect nobody: whoever has a UID or an ID could hash it and look it up, and of all
//! IDs of a hospital there are few enough to try. So the hash is keyed (BLAKE3, keyed mode) with 32 bytes that the
//! caller makes at random, keeps, and shows nobody. With another salt, or after the salt is lost, the same patient has
//! another key; who has the salt can follow a patient whose ID they know.
//!
//! - **Invariant:** no value of the file is in a [`Removal`], a [`Warning`] or an error.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Element, Instance, Value, dictionary};
use crate::{MediaError, MediaErrorKind};

mod attributes;
mod profile;

pub use super::pseudonym::Salt;
pub use attributes::Attributes;

use profile::Verdict;

/// What came of removing identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deidentified {
    /// The file without them, in the encoding that it had (a deflated one is inflated).
    pub bytes: Vec<u8>,
    /// What was done, by tag and action; each pair once.
    pub removals: Vec<Removal>,
    /// What the caller should look at, since it can't be mended here.
    pub warnings: Vec<Warning>,
    /// What is left and worth storing beside the picture.
    pub attributes: Attributes,
}

/// What was done to an attribute. Names the attribute, never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removal {
    /// Which attribute.
    pub tag: Tag,
    /// Its name in the standard (PS3.6), or `Private` or `Unknown`.
    pub keyword: String,
    /// What was done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// How often: an attribute may stand in many items of sequences.
    pub count: usize,
}

/// What was done to an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It is not there any more.
    Removed,
    /// It has no value any more.
    Emptied,
    /// It has a value that says nothing.
    Dummy,
    /// It has another UID, the same for the same.
    Uid,
    /// It has a pseudonym, the same for the same patient.
    Pseudonym,
}

/// Why something was done to an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The profile's table lists it, or it is part of a sequence whose content the table replaces.
    Listed,
    /// It is private: only its maker knows what it says.
    Private,
    /// The standard does not know it.
    Unknown,
    /// It is not listed, but stands in a group about the patient, the visit or the interpretation (0010, 0032, 0038,
    /// 4008), where attributes that were retired or are newer than the table are too; in one that belongs to messages,
    /// headers and directories (0000, 0002, 0004); or in that of signatures and of what a file said before (0400).
    Group,
    /// It is not listed, but its representation is that of a person's name, a network name, an address, a date or
    /// time, or free text.
    Representation,
    /// It is not written as the standard has it, so what is in it can't be trusted: a sequence as bytes, a number
    /// as text, a UID that is none.
    Encoding,
    /// It is a curve or an overlay (groups 50xx and 60xx), into which people write.
    Graphics,
    /// It is part of the file's header, which was made anew.
    Header,
}

/// What can't be mended by changing attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Warning {
    /// Burned In Annotation (0028,0301) is `YES`: the pixels show text that may identify the patient.
    BurnedInAnnotation,
    /// Recognizable Visual Features (0028,0302) is `YES`: the pixels show, or can be turned into, a face.
    RecognizableFeatures,
    /// A JPEG stream of the pixels has a comment or data of an application (EXIF, XMP), which may say anything.
    CommentInPixels,
    /// An overlay is stored in unused bits of the pixels (retired in 2004), and overlays may hold text.
    OverlayInPixels,
}

/// Removes what identifies the patient; see the [module](self).
///
/// # Errors
///
/// Bytes that are no DICOM file, a damaged file or one that exceeds a limit, one without SOP class and instance UID,
/// and a directory, which points at files by their places in it and their names.
pub fn deidentify(bytes: &[u8], salt: &Salt) -> Result<Deidentified, MediaError> {
    let mut file = Instance::parse(bytes)?;
    if file.is_directory() {
        return Err(MediaErrorKind::Unsupported(
            "a DICOM directory; read it, and remove the identifiers of the files that it lists".to_owned(),
        )
        .of("remove identifiers"));
    }
    let warnings = warnings(&file);
    let mut work = Work { salt, issuer: issuer(&file.dataset), done: BTreeMap::new() };
    for element in file.meta.iter().filter(|element| !is_made_anew(element.tag)) {
        work.note(element.tag, Action::Removed, Reason::Header);
    }
    // A data set whose own UIDs stand in its header alone is not valid, and easily mended.
    for (own, header) in [
        (tags::SOP_CLASS_UID, tags::MEDIA_STORAGE_SOP_CLASS_UID),
        (tags::SOP_INSTANCE_UID, tags::MEDIA_STORAGE_SOP_INSTANCE_UID),
    ] {
        if let (None, Some(uid)) = (file.dataset.text(own), file.meta.text(header)) {
            file.dataset.set_text(own, &uid);
        }
    }
    file.dataset = work.dataset(std::mem::take(&mut file.dataset), false);
    state_method(&mut file.dataset);
    let attributes = Attributes::read(&file);
    Ok(Deidentified { bytes: file.to_bytes()?, removals: work.removals(), warnings, attributes })
}

/// Attributes of the header that [`Instance::to_bytes`] writes, from what the data set says.
fn is_made_anew(tag: Tag) -> bool {
    [
        tags::FILE_META_INFORMATION_GROUP_LENGTH,
        tags::FILE_META_INFORMATION_VERSION,
        tags::MEDIA_STORAGE_SOP_CLASS_UID,
        tags::MEDIA_STORAGE_SOP_INSTANCE_UID,
        tags::TRANSFER_SYNTAX_UID,
        tags::IMPLEMENTATION_CLASS_UID,
        tags::IMPLEMENTATION_VERSION_NAME,
    ]
    .contains(&tag)
}

/// Who gave the patient's ID. Two hospitals may give the same one to two patients.
fn issuer(dataset: &Dataset) -> Vec<u8> {
    super::dataset::trimmed(dataset.bytes(tags::ISSUER_OF_PATIENT_ID).unwrap_or_default()).to_vec()
}

fn warnings(file: &Instance) -> Vec<Warning> {
    let says_yes = |tag| file.dataset.text(tag).is_some_and(|text| text.eq_ignore_ascii_case("YES"));
    let mut warnings = Vec::new();
    if says_yes(tags::BURNED_IN_ANNOTATION) {
        warnings.push(Warning::BurnedInAnnotation);
    }
    if says_yes(tags::RECOGNIZABLE_VISUAL_FEATURES) {
        warnings.push(Warning::RecognizableFeatures);
    }
    // An overlay of its own has one bit allocated; one within the pixels as many as they (PS3.3-2004 section C.9.2).
    let within_pixels = file.dataset.iter().any(|element| {
        element.tag.group() & 0xFF00 == 0x6000
            && element.tag.element() == 0x0100
            && file.dataset.u16(element.tag, file.encoding).is_some_and(|bits| bits > 1)
    });
    if within_pixels {
        warnings.push(Warning::OverlayInPixels);
    }
    if let Some(Value::Fragments(fragments)) = file.dataset.get(tags::PIXEL_DATA).map(|pixels| &pixels.value)
        && fragments.iter().any(|fragment| has_comment(fragment))
    {
        warnings.push(Warning::CommentInPixels);
    }
    warnings
}

/// Whether a JPEG or JPEG-LS stream has a segment of words before its picture (ITU-T T.81 annex B): a comment, or one of
/// an application other than those that name the format (JFIF, SPIFF, Adobe's colour transform).
fn has_comment(stream: &[u8]) -> bool {
    const COMMENT: u8 = 0xFE;
    const APPLICATIONS: [u8; 13] =
        [0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE9, 0xEA, 0xEB, 0xEC, 0xED, 0xEF];
    let Some(mut rest) = stream.strip_prefix(&[0xFF, 0xD8]) else { return false };
    while let [0xFF, marker, high, low, ..] = *rest {
        if marker == COMMENT || APPLICATIONS.contains(&marker) {
            return true;
        }
        // The length counts itself and not the marker. The picture follows its start.
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        match rest.get(length..) {
            Some(behind) if marker != 0xDA && length > 3 => rest = behind,
            _ => break,
        }
    }
    false
}

/// Says in the file what was done to it (PS3.15 section E.3.2 and PS3.16 CID 7050).
fn state_method(dataset: &mut Dataset) {
    let mut code = Dataset::new();
    code.set_text(tags::CODE_VALUE, "113100");
    code.set_text(tags::CODING_SCHEME_DESIGNATOR, "DCM");
    code.set_text(tags::CODE_MEANING, "Basic Application Confidentiality Profile");
    dataset.set_text(tags::PATIENT_IDENTITY_REMOVED, "YES");
    dataset.set_text(tags::DEIDENTIFICATION_METHOD, "PS3.15 2026c Basic Profile, no options");
    dataset.set_items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, [code]);
    dataset.set_text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, "REMOVED");
}

struct Work<'a> {
    salt: &'a Salt,
    issuer: Vec<u8>,
    done: BTreeMap<(Tag, Action, Reason), usize>,
}

impl Work<'_> {
    /// `dummy`: in a sequence whose every value becomes a dummy.
    fn dataset(&mut self, dataset: Dataset, dummy: bool) -> Dataset {
        dataset.into_iter().filter_map(|element| self.element(element, dummy)).collect()
    }

    fn element(&mut self, element: Element, dummy: bool) -> Option<Element> {
        let tag = element.tag;
        if tag.element() == 0 {
            // The length of a group, which is another one now and need not be said (PS3.5 section 7.2).
            return None;
        }
        let (verdict, reason) = match profile::judge(&element) {
            (Verdict::Keep, _) if dummy => (profile::in_dummy_sequence(&element), Reason::Listed),
            (Verdict::Empty, reason) if dummy => (Verdict::Dummy, reason),
            judged => judged,
        };
        let is_empty = matches!(&element.value, Value::Bytes(bytes) if bytes.is_empty());
        let action = match verdict {
            Verdict::Keep => return Some(self.inside(element, dummy)),
            Verdict::Remove => {
                self.note(tag, Action::Removed, reason);
                return None;
            }
            // What has no value has none to lose, and stays valid as it is.
            _ if is_empty => return Some(element),
            Verdict::Empty => Action::Emptied,
            Verdict::Dummy => Action::Dummy,
            Verdict::Uid => Action::Uid,
            Verdict::Pseudonym => Action::Pseudonym,
        };
        self.note(tag, action, reason);
        Some(match (verdict, &element.value) {
            (Verdict::Dummy, Value::Items(_)) => self.inside(element, true),
            (Verdict::Empty, Value::Items(_)) => Element { value: Value::Items(Vec::new()), ..element },
            (Verdict::Uid, Value::Bytes(bytes)) => with_bytes(tag, VR::UI, self.salt.uids(bytes)),
            (Verdict::Pseudonym, Value::Bytes(bytes)) => {
                with_bytes(tag, VR::LO, self.salt.patient(bytes, &self.issuer))
            }
            (Verdict::Dummy, Value::Bytes(bytes)) => {
                let dummy = profile::dummy(element.vr, bytes.len());
                with_bytes(tag, element.vr, dummy)
            }
            _ => with_bytes(tag, element.vr, Vec::new()),
        })
    }

    /// An element that stays, with the items that it may have.
    fn inside(&mut self, element: Element, dummy: bool) -> Element {
        let Element { tag, vr, value } = element;
        let value = match value {
            Value::Items(items) => {
                let cleaned = items.into_iter().map(|item| self.dataset(item.dataset, dummy).into());
                Value::Items(cleaned.collect())
            }
            value => value,
        };
        Element { tag, vr, value }
    }

    fn note(&mut self, tag: Tag, action: Action, reason: Reason) {
        *self.done.entry((tag, action, reason)).or_default() += 1;
    }

    fn removals(self) -> Vec<Removal> {
        let name = |tag: Tag| match dictionary(tag) {
            Some(entry) => entry.alias.to_owned(),
            None if tag.group() % 2 == 1 => "Private".to_owned(),
            None => profile::keyword(tag).unwrap_or("Unknown").to_owned(),
        };
        self.done
            .into_iter()
            .map(|((tag, action, reason), count)| Removal { tag, keyword: name(tag), action, reason, count })
            .collect()
    }
}

fn with_bytes(tag: Tag, vr: VR, bytes: Vec<u8>) -> Element {
    Element { tag, vr, value: Value::Bytes(bytes.into()) }
}
