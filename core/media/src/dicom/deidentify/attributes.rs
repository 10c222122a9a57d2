//! What is left of a file's attributes and worth storing beside the picture.

use dicom_dictionary_std::tags;

use super::super::dataset::Instance;

/// Attributes that the profile leaves. Absent ones, and those with no value, are none.
///
/// There is no time, age or sex here: the basic profile removes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The kind of machine (0008,0060), such as `CR`, `DX` or `MR`.
    pub modality: Option<String>,
    /// Which part of the body (0018,0015), such as `CHEST`.
    pub body_part_examined: Option<String>,
    /// From where it is seen (0018,5101), such as `PA`.
    pub view_position: Option<String>,
    /// Which of two sides (0020,0062, else 0020,0060): `L`, `R`, `B` or `U`.
    pub laterality: Option<String>,
    /// What samples mean (0028,0004), such as `MONOCHROME1` or `RGB`.
    pub photometric_interpretation: Option<String>,
    /// Height in pixels (0028,0010).
    pub rows: Option<u16>,
    /// Width in pixels (0028,0011).
    pub columns: Option<u16>,
    /// How many frames (0028,0008): 1 where pixels are and the attribute is absent.
    pub number_of_frames: Option<u32>,
    /// The kind of file (0008,0016): a UID of PS3.4 table B.5-1.
    pub sop_class_uid: Option<String>,
    /// The file's new UID (0008,0018).
    pub sop_instance_uid: Option<String>,
    /// Its series' new UID (0020,000E).
    pub series_instance_uid: Option<String>,
    /// Its study's new UID (0020,000D).
    pub study_instance_uid: Option<String>,
    /// The patient's pseudonym: the same for all files with the same ID, issuer and salt.
    pub patient_key: Option<String>,
}

impl Attributes {
    /// Reads them from a file without identifiers. From another one they would be the originals.
    pub(super) fn read(file: &Instance) -> Self {
        let dataset = &file.dataset;
        let text = |tag| dataset.text(tag).map(std::borrow::Cow::into_owned);
        let number = |tag| dataset.u16(tag, file.encoding);
        let frames = dataset.text(tags::NUMBER_OF_FRAMES).map(|frames| frames.trim().parse());
        Self {
            modality: text(tags::MODALITY),
            body_part_examined: text(tags::BODY_PART_EXAMINED),
            view_position: text(tags::VIEW_POSITION),
            laterality: text(tags::IMAGE_LATERALITY).or_else(|| text(tags::LATERALITY)),
            photometric_interpretation: text(tags::PHOTOMETRIC_INTERPRETATION),
            rows: number(tags::ROWS),
            columns: number(tags::COLUMNS),
            number_of_frames: match frames {
                Some(frames) => frames.ok(),
                None => dataset.get(tags::PIXEL_DATA).map(|_| 1),
            },
            sop_class_uid: text(tags::SOP_CLASS_UID),
            sop_instance_uid: text(tags::SOP_INSTANCE_UID),
            series_instance_uid: text(tags::SERIES_INSTANCE_UID),
            study_instance_uid: text(tags::STUDY_INSTANCE_UID),
            patient_key: text(tags::PATIENT_ID),
        }
    }
}
