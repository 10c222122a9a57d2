//! The image that a result is about.

use std::borrow::Cow;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Element, Instance, Value, is_text, trimmed};
use crate::{MediaError, MediaErrorKind};

/// A DICOM image as the source of a [report](super::report) or a [segmentation](super::segmentation): how it is
/// named, how large it is, and what its results share with it (patient, study, place in space).
///
/// Read it from a file without identifiers, and the results have none either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    /// The kind of file (0008,0016).
    pub sop_class_uid: String,
    /// The file (0008,0018).
    pub sop_instance_uid: String,
    /// Its series (0020,000E).
    pub series_instance_uid: String,
    /// Its study (0020,000D).
    pub study_instance_uid: String,
    /// Height, pixels.
    pub rows: u16,
    /// Width, pixels.
    pub columns: u16,
    /// How many frames, at least 1.
    pub frames: u32,
    /// What results copy, in UTF-8.
    shared: Dataset,
    /// Where the frames are in space.
    geometry: Geometry,
}

const WHAT: &str = "refer to the source image";

/// Attributes that say where frames are, by frame from 0 where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Geometry {
    common: Dataset,
    frames: Vec<Dataset>,
}

/// Patient (PS3.3 section C.7.1.1) and study (section C.7.2.1): what every file of a study has in common.
const SHARED: [Tag; 15] = [
    tags::ACCESSION_NUMBER,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
    tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
];

/// Those of [`SHARED`] that must be there, with or without a value (type 2).
const SHARED_ALWAYS: [Tag; 9] = [
    tags::ACCESSION_NUMBER,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_ID,
];

/// Where a frame is, and how large a pixel is (PS3.3 sections C.7.4.1, C.7.6.2 and C.7.6.16.2).
const GEOMETRY: [Tag; 8] = [
    tags::PATIENT_ORIENTATION,
    tags::FRAME_OF_REFERENCE_UID,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::IMAGE_POSITION_PATIENT,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::PIXEL_SPACING,
    tags::SLICE_THICKNESS,
    tags::SPACING_BETWEEN_SLICES,
];

/// Sequences of one item in which the frames of enhanced images have their geometry.
const GEOMETRY_GROUPS: [Tag; 3] =
    [tags::PLANE_POSITION_SEQUENCE, tags::PLANE_ORIENTATION_SEQUENCE, tags::PIXEL_MEASURES_SEQUENCE];

impl SourceImage {
    /// Reads an image's names and place from its file.
    ///
    /// # Errors
    ///
    /// Bytes that are no DICOM file (a result in DICOM can only refer to a DICOM image), a damaged one, and one
    /// without UIDs, rows or columns.
    pub fn read(bytes: &[u8]) -> Result<Self, MediaError> {
        let file = Instance::parse(bytes).map_err(|error| match error.kind {
            MediaErrorKind::Unsupported(found) => {
                let advice = "a report or a segmentation in DICOM can only refer to a DICOM image";
                MediaErrorKind::Unsupported(format!("{found}: {advice}")).of(WHAT)
            }
            _ => error,
        })?;
        let uid = |tag: Tag, name: &str| {
            file.dataset.text(tag).map(Cow::into_owned).ok_or_else(|| {
                MediaErrorKind::Damaged(format!("it has no {name}, by which it is named")).of(WHAT)
            })
        };
        let number = |tag: Tag, name: &str| {
            file.dataset
                .u16(tag, file.encoding)
                .filter(|&number| number > 0)
                .ok_or_else(|| MediaErrorKind::Damaged(format!("it has no {name}; is it an image?")).of(WHAT))
        };
        let frames = file.dataset.text(tags::NUMBER_OF_FRAMES).and_then(|frames| frames.trim().parse().ok());
        Ok(Self {
            sop_class_uid: uid(tags::SOP_CLASS_UID, "SOP class UID")?,
            sop_instance_uid: uid(tags::SOP_INSTANCE_UID, "SOP instance UID")?,
            series_instance_uid: uid(tags::SERIES_INSTANCE_UID, "series instance UID")?,
            study_instance_uid: uid(tags::STUDY_INSTANCE_UID, "study instance UID")?,
            rows: number(tags::ROWS, "rows")?,
            columns: number(tags::COLUMNS, "columns")?,
            frames: frames.unwrap_or(1).max(1),
            shared: shared(&file),
            geometry: Geometry::read(&file),
        })
    }

    /// What a result begins with: patient, study, character set, and how the source lost its identifiers.
    pub(super) fn result(&self) -> Dataset {
        let mut dataset = self.shared.clone();
        // UTF-8, whatever the source has.
        dataset.set_text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192");
        dataset
    }

    /// A geometric attribute of a frame from 1, as text.
    pub(super) fn geometry(&self, frame: u32, tag: Tag) -> Option<Cow<'_, str>> {
        let own = self.geometry.frames.get((frame as usize).saturating_sub(1));
        own.and_then(|own| own.text(tag)).or_else(|| self.geometry.common.text(tag))
    }

    /// A reference to the image, or to one of its frames from 1 (PS3.3 table 10-11).
    pub(super) fn reference(&self, frame: Option<u32>) -> Dataset {
        let mut reference = Dataset::new();
        reference.set_text(tags::REFERENCED_SOP_CLASS_UID, &self.sop_class_uid);
        reference.set_text(tags::REFERENCED_SOP_INSTANCE_UID, &self.sop_instance_uid);
        if let Some(frame) = frame.filter(|_| self.frames > 1) {
            reference.set_text(tags::REFERENCED_FRAME_NUMBER, &frame.to_string());
        }
        reference
    }

    /// Refuses a frame that the image does not have. Frames count from 1.
    pub(super) fn check_frame(&self, what: &str, frame: u32) -> Result<(), MediaError> {
        if (1..=self.frames).contains(&frame) {
            return Ok(());
        }
        Err(MediaErrorKind::NoFrame { asked: frame, frames: self.frames }.of(what))
    }
}

fn shared(file: &Instance) -> Dataset {
    let mut shared: Dataset = SHARED
        .iter()
        .filter_map(|&tag| file.dataset.get(tag))
        .map(|element| in_utf8(element, file.dataset.text(tags::SPECIFIC_CHARACTER_SET).as_deref()))
        .collect();
    for tag in SHARED_ALWAYS {
        if shared.get(tag).is_none() {
            shared.set_text(tag, "");
        }
    }
    shared
}

/// The element with its text in UTF-8. What is neither ASCII, UTF-8 nor Latin-1 loses its value, since a name in
/// wrong letters is worse than none; the patient's ID is ASCII nearly everywhere.
fn in_utf8(element: &Element, character_set: Option<&str>) -> Element {
    let value = match &element.value {
        Value::Bytes(bytes) if is_text(element.vr) && !bytes.is_ascii() => {
            let text = match character_set {
                Some("ISO_IR 192") => String::from_utf8_lossy(trimmed(bytes)).into_owned(),
                Some("ISO_IR 100") => trimmed(bytes).iter().map(|&byte| char::from(byte)).collect(),
                _ => String::new(),
            };
            Value::Bytes(text.into_bytes().into())
        }
        value => value.clone(),
    };
    Element { tag: element.tag, vr: element.vr, value }
}

impl Geometry {
    fn read(file: &Instance) -> Self {
        let mut common = Dataset::new();
        copy_geometry(&file.dataset, &mut common);
        let mut frames = Vec::new();
        for group in file.dataset.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).unwrap_or_default() {
            groups(&group.dataset, &mut common);
        }
        for group in file.dataset.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).unwrap_or_default() {
            let mut own = Dataset::new();
            groups(&group.dataset, &mut own);
            frames.push(own);
        }
        Self { common, frames }
    }
}

fn groups(functional: &Dataset, into: &mut Dataset) {
    for tag in GEOMETRY_GROUPS {
        for item in functional.items(tag).unwrap_or_default() {
            copy_geometry(&item.dataset, into);
        }
    }
}

fn copy_geometry(from: &Dataset, into: &mut Dataset) {
    for tag in GEOMETRY {
        if let Some(element) = from.get(tag).filter(|element| matches!(&element.value, Value::Bytes(_))) {
            into.set(element.clone());
        }
    }
}
