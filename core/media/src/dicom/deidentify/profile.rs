//! The profile's table, and how it is applied to one element.

use std::{collections::HashMap, sync::LazyLock};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::{
    super::dataset::{Element, Value, dictionary_vr, is_text, is_uid, trimmed},
    Reason,
};

/// An entry of column "Basic Prof." of PS3.15 table E.1-1, as letters there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    X,
    Z,
    D,
    U,
    /// `X/Z`.
    Xz,
    /// `X/D`, `Z/D` and `X/Z/D`.
    OrD,
    /// `X/Z/U*`.
    XzU,
}

/// What happens to an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays; a sequence has its items judged.
    Keep,
    Remove,
    Empty,
    Dummy,
    Uid,
    Pseudonym,
}

struct Row {
    entry: Entry,
    keyword: &'static str,
}

static TABLE: LazyLock<HashMap<Tag, Row>> =
    LazyLock::new(|| rows().map(|(tag, entry, keyword)| (tag, Row { entry, keyword })).collect());

/// The lines of the table that are no comments. A line that can't be read is left out, which a test rules out.
fn rows() -> impl Iterator<Item = (Tag, Entry, &'static str)> {
    include_str!("profile.txt").lines().filter(|line| !line.starts_with('#')).filter_map(row)
}

fn row(line: &'static str) -> Option<(Tag, Entry, &'static str)> {
    let mut columns = line.split(' ');
    let (group, element) = columns.next()?.split_once(',')?;
    let tag = Tag(u16::from_str_radix(group, 16).ok()?, u16::from_str_radix(element, 16).ok()?);
    let entry = match columns.next()? {
        "X" => Entry::X,
        "Z" => Entry::Z,
        "D" => Entry::D,
        "U" => Entry::U,
        "X/Z" => Entry::Xz,
        "X/D" | "Z/D" | "X/Z/D" => Entry::OrD,
        "X/Z/U*" => Entry::XzU,
        _ => return None,
    };
    Some((tag, entry, columns.next()?))
}

/// The name of a listed attribute that the dictionary does not know yet.
pub(super) fn keyword(tag: Tag) -> Option<&'static str> {
    TABLE.get(&tag).map(|row| row.keyword)
}

/// What the profile, and the net below it, say of an element.
pub(super) fn judge(element: &Element) -> (Verdict, Reason) {
    let tag = element.tag;
    if tag.group() % 2 == 1 {
        return (Verdict::Remove, Reason::Private);
    }
    // Without its data an overlay is invalid, so its description goes with it. Curves are retired.
    if matches!(tag.group() & 0xFF00, 0x5000 | 0x6000) {
        return (Verdict::Remove, Reason::Graphics);
    }
    if let Some(row) = TABLE.get(&tag) {
        return (listed(element, row.entry), Reason::Listed);
    }
    let Some(standard) = dictionary_vr(tag) else {
        return (Verdict::Remove, Reason::Unknown);
    };
    if matches!(tag.group(), 0x0000 | 0x0002 | 0x0004 | 0x0010 | 0x0032 | 0x0038 | 0x0400 | 0x4008) {
        return (Verdict::Remove, Reason::Group);
    }
    unlisted(element, standard)
}

fn listed(element: &Element, entry: Entry) -> Verdict {
    match entry {
        Entry::X => Verdict::Remove,
        Entry::Z | Entry::Xz => Verdict::Empty,
        Entry::OrD if element.tag == tags::PATIENT_ID => Verdict::Pseudonym,
        Entry::D | Entry::OrD => Verdict::Dummy,
        Entry::U if is_well_known_frame(element) => Verdict::Keep,
        Entry::U if matches!(element.value, Value::Bytes(_)) => Verdict::Uid,
        Entry::XzU if matches!(element.value, Value::Items(_)) => Verdict::Keep,
        Entry::U | Entry::XzU => Verdict::Remove,
    }
}

/// The net: attributes that the table does not list.
fn unlisted(element: &Element, standard: VR) -> (Verdict, Reason) {
    let written = element.vr;
    let value = match &element.value {
        Value::Items(_) if standard == VR::SQ => return (Verdict::Keep, Reason::Listed),
        Value::Bytes(_) if standard == VR::SQ => return (Verdict::Remove, Reason::Encoding),
        Value::Fragments(_) if element.tag == tags::PIXEL_DATA => return (Verdict::Keep, Reason::Listed),
        Value::Items(_) | Value::Fragments(_) => return (Verdict::Remove, Reason::Encoding),
        Value::Bytes(value) => value,
    };
    if written != VR::UN && is_text(written) != is_text(standard) {
        return (Verdict::Remove, Reason::Encoding);
    }
    for vr in [written, standard] {
        match vr {
            VR::PN | VR::AE | VR::UR => return (Verdict::Remove, Reason::Representation),
            VR::DA | VR::DT | VR::TM | VR::AS | VR::LT | VR::ST | VR::UT => {
                return (Verdict::Dummy, Reason::Representation);
            }
            _ => {}
        }
    }
    // The standard's own UIDs name kinds of things. Whatever else is a UID may name one thing.
    if standard == VR::UI && !value.split(|&byte| byte == b'\\').all(is_name_of_kind) {
        let names_kind = [tags::SOP_CLASS_UID, tags::REFERENCED_SOP_CLASS_UID].contains(&element.tag);
        if !(names_kind && is_uid(trimmed(value))) {
            return (Verdict::Uid, Reason::Representation);
        }
    }
    (Verdict::Keep, Reason::Listed)
}

/// Words that say how a structured document hangs together, and nothing of its patient (PS3.3 sections C.17.3 and
/// C.18). Without them no reader finds its way.
const STRUCTURE: [(Tag, &[&str]); 4] = [
    (
        tags::VALUE_TYPE,
        &[
            "CODE",
            "COMPOSITE",
            "CONTAINER",
            "DATE",
            "DATETIME",
            "IMAGE",
            "NUM",
            "PNAME",
            "SCOORD",
            "SCOORD3D",
            "TABLE",
            "TCOORD",
            "TEXT",
            "TIME",
            "UIDREF",
            "WAVEFORM",
        ],
    ),
    (
        tags::RELATIONSHIP_TYPE,
        &[
            "CONTAINS",
            "HAS ACQ CONTEXT",
            "HAS CONCEPT MOD",
            "HAS OBS CONTEXT",
            "HAS PROPERTIES",
            "INFERRED FROM",
            "SELECTED FROM",
        ],
    ),
    (tags::CONTINUITY_OF_CONTENT, &["CONTINUOUS", "SEPARATE"]),
    (tags::TEMPORAL_RANGE_TYPE, &["BEGIN", "END", "MULTIPOINT", "MULTISEGMENT", "POINT", "SEGMENT"]),
];

/// What happens to an element that would stay, in a sequence whose values become dummies.
pub(super) fn in_dummy_sequence(element: &Element) -> Verdict {
    match &element.value {
        Value::Items(_) => Verdict::Keep,
        Value::Bytes(value) if is_structure(element.tag, trimmed(value)) => Verdict::Keep,
        Value::Bytes(_) if dictionary_vr(element.tag) == Some(VR::UI) => Verdict::Keep,
        Value::Bytes(_) | Value::Fragments(_) => Verdict::Dummy,
    }
}

fn is_structure(tag: Tag, value: &[u8]) -> bool {
    STRUCTURE.iter().any(|(other, words)| *other == tag && words.iter().any(|word| word.as_bytes() == value))
}

/// A value that says nothing, valid for its representation where it is text. `bytes` is how long a number may be:
/// numbers become zeros, as many.
pub(super) fn dummy(vr: VR, bytes: usize) -> Vec<u8> {
    /// Of numbers, more are not needed for a valid value.
    const DUMMY_BYTES_MAX: usize = 64;
    let text = match vr {
        VR::DA => "19000101",
        VR::TM => "000000",
        VR::DT => "19000101000000",
        VR::AS => "000Y",
        VR::IS | VR::DS => "0",
        VR::UI => "2.25.0",
        vr if is_text(vr) => "ANONYMIZED",
        _ => return vec![0; bytes.next_multiple_of(2).min(DUMMY_BYTES_MAX)],
    };
    text.as_bytes().to_vec()
}

/// Atlases of the standard (PS3.6 table A-2): as frames of reference they say which atlas, and of no patient.
fn is_well_known_frame(element: &Element) -> bool {
    let Value::Bytes(value) = &element.value else { return false };
    let atlas = trimmed(value).strip_prefix(b"1.2.840.10008.1.4.1.");
    atlas.is_some_and(|number| number.len() <= 2 && number.iter().all(u8::is_ascii_digit))
}

fn is_name_of_kind(uid: &[u8]) -> bool {
    let uid = trimmed(uid);
    uid.is_empty() || uid.starts_with(b"1.2.840.10008.") && is_uid(uid)
}

#[cfg(test)]
mod tests {
    use super::{super::super::dataset::dictionary, *};

    #[test]
    fn the_table_can_be_read_is_sorted_and_agrees_with_the_dictionary() {
        let lines = include_str!("profile.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(rows().count(), lines, "a line can't be read");
        let mut last = Tag(0, 0);
        for (tag, entry, keyword) in rows() {
            assert!(tag > last, "{tag} stands after {last}");
            last = tag;
            assert!(tag.group() % 2 == 0, "{tag}");
            if let Some(entry) = dictionary(tag) {
                assert_eq!(keyword, entry.alias, "{tag}");
            }
            let vr = dictionary_vr(tag);
            assert!(entry != Entry::U || vr.is_none_or(|vr| vr == VR::UI), "{tag} {keyword} is no UID");
            assert!(entry != Entry::XzU || vr == Some(VR::SQ), "{tag} {keyword} is no sequence");
        }
    }

    #[test]
    fn what_everybody_expects_is_listed() {
        let expected = [
            (tags::PATIENT_NAME, Entry::Z),
            (tags::PATIENT_ID, Entry::OrD),
            (tags::PATIENT_BIRTH_DATE, Entry::Z),
            (tags::PATIENT_SEX, Entry::Z),
            (tags::PATIENT_AGE, Entry::X),
            (tags::STUDY_DATE, Entry::Z),
            (tags::SERIES_DATE, Entry::OrD),
            (tags::ACQUISITION_DATE, Entry::Xz),
            (tags::ACCESSION_NUMBER, Entry::Z),
            (tags::INSTITUTION_NAME, Entry::OrD),
            (tags::STUDY_INSTANCE_UID, Entry::U),
            (tags::SOP_INSTANCE_UID, Entry::U),
            (tags::STUDY_DESCRIPTION, Entry::X),
            (tags::ICON_IMAGE_SEQUENCE, Entry::X),
            (tags::SOURCE_IMAGE_SEQUENCE, Entry::XzU),
            (tags::CONTENT_SEQUENCE, Entry::D),
        ];
        for (tag, entry) in expected {
            assert_eq!(TABLE.get(&tag).map(|row| row.entry), Some(entry), "{tag}");
        }
    }

    #[test]
    fn dummies_fit_their_representation() {
        let cases: [(VR, usize, &[u8]); 6] = [
            (VR::DA, 8, b"19000101"),
            (VR::LO, 3, b"ANONYMIZED"),
            (VR::CS, 16, b"ANONYMIZED"),
            (VR::FD, 8, &[0; 8]),
            (VR::US, 4, &[0; 4]),
            (VR::OB, 100_000, &[0; 64]),
        ];
        for (vr, bytes, expected) in cases {
            assert_eq!(dummy(vr, bytes), expected, "{vr}");
        }
    }
}
