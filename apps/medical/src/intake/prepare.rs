//! From the bytes of a file to the records that are to be stored.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use dicom_dictionary_std::tags;
use foretell_media::dicom::dataset::Instance;
use foretell_media::dicom::deidentify::{Attributes, Removal, Salt, Warning, deidentify};
use foretell_media::{Media, MediaError, MediaErrorKind};
use foretell_store::record::{LabelValue, NewMedium, NewRecord, NewRecordLabel};
use foretell_store::time::Micros;

use super::labels::{Labels, ends};
use super::walk::{Candidate, Place, may_be_named};
use super::{FILE_BYTES_MAX, FRAMES_MAX, IMAGE_FIELD};
use crate::payload::{Identifiers, Payload, framed};

/// Where a DICOM file says what it is (PS3.10 section 7.1).
const DICOM_MAGIC: (std::ops::Range<usize>, &[u8]) = (128..132, b"DICM");
const DICOM_TYPE: &str = "application/dicom";

/// How all files of an import are dealt with.
#[derive(Debug)]
pub(super) struct Settings {
    /// What pseudonyms are made with; none where identifiers are kept.
    pub(super) salt: Option<Salt>,
    pub(super) labels: Labels,
    /// When it is.
    pub(super) time: Micros,
}

/// What came of a file.
pub(super) enum Prepared {
    /// These are to be stored, one for each frame.
    Images(Images),
    /// It is no image, and nobody said that it is one.
    Skipped,
    /// It can't be stored.
    Refused {
        reason: String,
        /// Whether its name may be stored.
        is_named: bool,
    },
}

/// The records of a file.
pub(super) struct Images {
    pub(super) records: Vec<NewRecord>,
    /// Of a DICOM file.
    pub(super) dicom: Option<Dicom>,
    /// Bytes of its content.
    pub(super) bytes: usize,
    /// Whether its name may be stored.
    pub(super) is_named: bool,
}

/// What was done to a DICOM file.
pub(super) struct Dicom {
    pub(super) identifiers: Identifiers,
    pub(super) removals: Vec<Removal>,
    pub(super) warnings: Vec<Warning>,
}

/// How many bytes a file takes in memory.
pub(super) fn size(place: &Place) -> u64 {
    match place {
        Place::File(path) => std::fs::metadata(path).map_or(0, |file| file.len()),
        Place::Entry { bytes, .. } => *bytes,
    }
}

/// Reads a file and looks at it. Pixels are not decoded: that is done when they are predicted.
pub(super) fn prepare(candidate: &Candidate, settings: &Settings) -> Prepared {
    let may_be_image = candidate.is_asked || may_be_named(&candidate.name) || is_dicom_name(&candidate.name);
    let (mut is_named, refused) =
        (may_be_named(&candidate.name), |is_named, reason| Prepared::Refused { reason, is_named });
    let bytes = match read(&candidate.place) {
        Ok(bytes) => bytes,
        // What is too large and is not called like an image is none.
        Err(Unread::TooLarge(_)) if !may_be_image => return Prepared::Skipped,
        Err(Unread::TooLarge(bytes)) => {
            return refused(is_named, format!("it has {bytes} bytes, and at most {FILE_BYTES_MAX} are read"));
        }
        Err(Unread::Failed(reason)) => return refused(is_named, reason),
    };
    // Whatever it is called.
    is_named &= !is_dicom(&bytes);
    match images(candidate, bytes, settings) {
        Ok(images) => Prepared::Images(images),
        Err(error) => {
            let is_unknown = matches!(error.kind, MediaErrorKind::UnknownFormat { .. });
            match is_unknown && !may_be_image {
                true => Prepared::Skipped,
                false => refused(is_named, error.to_string()),
            }
        }
    }
}

/// How a file may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The names that it may have.
    pub names: Vec<String>,
    /// Its image, as a payload names it.
    pub image: String,
}

/// How a file would be stored, or would have been: with identifiers removed, or kept. Of several frames the first.
///
/// An image is called after the path from the folder on that was imported, which may have been any above it.
pub fn identify(path: &Path, salt: Salt) -> Vec<Identity> {
    let Ok(absolute) = path.canonicalize() else { return Vec::new() };
    let name = absolute.to_string_lossy().replace('\\', "/");
    let candidate = Candidate { name: name.clone(), place: Place::File(absolute), is_asked: true, number: 1 };
    let as_stored = |salt: Option<Salt>| {
        let settings = Settings { salt, labels: Labels::default(), time: 0 };
        let Prepared::Images(images) = prepare(&candidate, &settings) else { return None };
        let first = images.records.into_iter().next()?;
        let image = serde_json::from_str::<Payload>(&first.payload).ok()?.image;
        let names = match images.dicom {
            Some(_) => first.external_id.into_iter().collect(),
            None => ends(&name).map(str::to_owned).collect(),
        };
        Some((Identity { names, image }, images.dicom.is_some()))
    };
    match as_stored(Some(salt)) {
        None => Vec::new(),
        Some((removed, false)) => vec![removed],
        Some((removed, true)) => {
            let kept = as_stored(None).map(|(kept, _)| kept);
            std::iter::once(removed).chain(kept).collect()
        }
    }
}

enum Unread {
    TooLarge(u64),
    Failed(String),
}

fn read(place: &Place) -> Result<Vec<u8>, Unread> {
    let failed = |error: std::io::Error| Unread::Failed(error.to_string());
    match place {
        Place::Entry { archive, index, .. } => archive.read(*index).map_err(Unread::Failed),
        Place::File(path) => {
            let file = File::open(path).map_err(failed)?;
            let length = file.metadata().map_err(failed)?.len();
            if length > FILE_BYTES_MAX {
                return Err(Unread::TooLarge(length));
            }
            let mut bytes = Vec::with_capacity(length as usize + 1);
            // It may grow while it is read.
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
            match bytes.len() as u64 > FILE_BYTES_MAX {
                true => Err(Unread::TooLarge(bytes.len() as u64)),
                false => Ok(bytes),
            }
        }
    }
}

fn is_dicom(bytes: &[u8]) -> bool {
    bytes.get(DICOM_MAGIC.0) == Some(DICOM_MAGIC.1)
}

/// Whether a file is called as DICOM files often are.
fn is_dicom_name(name: &str) -> bool {
    /// Endings of DICOM files.
    const ENDINGS: [&str; 4] = ["dcm", "dicom", "dic", "ima"];
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn images(candidate: &Candidate, bytes: Vec<u8>, settings: &Settings) -> Result<Images, MediaError> {
    if is_dicom(&bytes) {
        return dicom(candidate, bytes, settings);
    }
    let media = Media::open(&bytes)?;
    if media.dicom().is_some() {
        return dicom(candidate, bytes, settings);
    }
    whole(&bytes, media.media_type())?;
    let (width, height) = media.size();
    let payload = Payload {
        format: media.media_type().to_owned(),
        width,
        height,
        file: Some(candidate.name.clone()),
        ..Payload::default()
    };
    Ok(frames(candidate, &candidate.name, payload, 1, bytes, settings))
}

/// Images end with a mark; one that is cut off does not. To decode it would tell as well, and cost more than all the rest.
fn whole(bytes: &[u8], media_type: &str) -> Result<(), MediaError> {
    let end: &[u8] = match media_type {
        // ITU-T T.81 section B.2.1, and the PNG specification, section 11.2.5.
        "image/jpeg" => b"\xFF\xD9",
        "image/png" => b"IEND",
        _ => return Ok(()),
    };
    match bytes.windows(end.len()).rev().any(|place| place == end) {
        true => Ok(()),
        false => Err(MediaError {
            action: "open an image".to_owned(),
            kind: MediaErrorKind::Truncated("the mark of its end is not there".to_owned()),
        }),
    }
}

fn dicom(candidate: &Candidate, bytes: Vec<u8>, settings: &Settings) -> Result<Images, MediaError> {
    let (bytes, attributes, done) = match &settings.salt {
        Some(salt) => {
            let clean = deidentify(&bytes, salt)?;
            drop(bytes);
            let done = Dicom {
                identifiers: Identifiers::Removed,
                removals: clean.removals,
                warnings: clean.warnings,
            };
            (clean.bytes, clean.attributes, done)
        }
        None => {
            let attributes = originals(&Instance::parse(&bytes)?);
            let done = Dicom { identifiers: Identifiers::Kept, removals: Vec::new(), warnings: Vec::new() };
            (bytes, attributes, done)
        }
    };
    let media = Media::open(&bytes)?;
    let count = media.frames();
    if count > FRAMES_MAX {
        let (found, allowed) = (u64::from(count), u64::from(FRAMES_MAX));
        let kind = MediaErrorKind::Limit { what: "the number of frames:", found, allowed };
        return Err(MediaError { action: "import a DICOM file".to_owned(), kind });
    }
    let (width, height) = media.size();
    drop(media);
    let kept = done.identifiers == Identifiers::Kept;
    let payload = Payload {
        format: DICOM_TYPE.to_owned(),
        width,
        height,
        file: kept.then(|| candidate.name.clone()),
        modality: attributes.modality,
        body_part: attributes.body_part_examined,
        view_position: attributes.view_position,
        photometric: attributes.photometric_interpretation,
        patient: attributes.patient_key,
        study: attributes.study_instance_uid,
        series: attributes.series_instance_uid,
        instance: attributes.sop_instance_uid.clone(),
        identifiers: Some(done.identifiers),
        removed_count: (!kept).then(|| done.removals.iter().map(|removal| removal.count as u64).sum()),
        ..Payload::default()
    };
    let uid = attributes.sop_instance_uid.unwrap_or_default();
    if uid.is_empty() || uid.contains('\0') {
        let kind = MediaErrorKind::Damaged("it has no SOP instance UID, by which it is named".to_owned());
        return Err(MediaError { action: "import a DICOM file".to_owned(), kind });
    }
    Ok(Images {
        dicom: Some(done),
        is_named: kept,
        ..frames(candidate, &uid, payload, count, bytes, settings)
    })
}

/// The attributes of a file whose identifiers are kept.
fn originals(file: &Instance) -> Attributes {
    let text = |tag| file.dataset.text(tag).map(|text| text.replace('\0', " "));
    Attributes {
        modality: text(tags::MODALITY),
        body_part_examined: text(tags::BODY_PART_EXAMINED),
        view_position: text(tags::VIEW_POSITION),
        photometric_interpretation: text(tags::PHOTOMETRIC_INTERPRETATION),
        sop_instance_uid: text(tags::SOP_INSTANCE_UID)
            .or_else(|| file.meta.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID).map(|uid| uid.into_owned())),
        series_instance_uid: text(tags::SERIES_INSTANCE_UID),
        study_instance_uid: text(tags::STUDY_INSTANCE_UID),
        patient_key: text(tags::PATIENT_ID),
        ..Attributes::default()
    }
}

/// One record for each frame. All share the content.
fn frames(
    candidate: &Candidate,
    name: &str,
    payload: Payload,
    count: u32,
    bytes: Vec<u8>,
    settings: &Settings,
) -> Images {
    let length = bytes.len();
    let media_type = payload.format.clone();
    let medium = NewMedium { field: IMAGE_FIELD.to_owned(), media_type, data: Arc::from(bytes) };
    let hash = medium.hash();
    let known = settings.labels.of(candidate);
    let records = (1..=count).map(|frame| {
        let payload = Payload { image: framed(&hash, frame), ..payload.clone() };
        let labels = known.iter().map(|(name, value)| NewRecordLabel {
            name: (*name).to_owned(),
            value: LabelValue::Text(value.clone()),
            known_at: settings.time,
        });
        NewRecord {
            external_id: Some(framed(name, frame)),
            event_time: settings.time,
            payload: payload.json(),
            keys: vec![payload.patient, payload.study],
            labels: labels.collect(),
            media: vec![medium.clone()],
        }
    });
    Images { records: records.collect(), dicom: None, bytes: length, is_named: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of one pixel.
    fn png() -> Vec<u8> {
        let samples = foretell_media::Samples::U8(vec![7]);
        let picture = foretell_media::Picture { width: 1, height: 1, channels: 1, samples };
        foretell_media::draw::to_png(&picture).unwrap()
    }

    fn prepared(name: &str, bytes: &[u8], is_asked: bool) -> Prepared {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let place = Place::File(file.path().to_owned());
        let candidate = Candidate { name: name.to_owned(), place, is_asked, number: 1 };
        let settings = Settings { salt: Some(Salt([1; 32])), labels: Labels::default(), time: 5 };
        prepare(&candidate, &settings)
    }

    #[test]
    fn an_image_is_named_by_its_path() {
        let Prepared::Images(images) = prepared("films/a.png", &png(), false) else { panic!("no image") };
        let [record] = &images.records[..] else { panic!("one record") };
        assert_eq!(record.external_id.as_deref(), Some("films/a.png"));
        assert_eq!((record.event_time, &record.keys[..]), (5, &[None, None][..]));
        let payload: Payload = serde_json::from_str(&record.payload).unwrap();
        assert_eq!(payload.blob(), (record.media[0].hash().as_str(), 1));
        assert_eq!((payload.width, payload.height, payload.format.as_str()), (1, 1, "image/png"));
        assert_eq!((payload.file.as_deref(), payload.identifiers), (Some("films/a.png"), None));
    }

    #[test]
    fn what_is_no_image_is_passed_over_unless_somebody_says_that_it_is_one() {
        assert!(matches!(prepared("films/notes", b"no image", false), Prepared::Skipped));
        for (name, is_asked, keeps_its_name) in
            [("notes", true, false), ("a.png", false, true), ("a.dcm", false, false)]
        {
            match prepared(name, b"no image", is_asked) {
                Prepared::Refused { reason, is_named } => {
                    assert!(reason.contains("it begins with 6e 6f 20 69"), "{reason}");
                    assert_eq!(is_named, keeps_its_name, "{name}");
                }
                _ => panic!("`{name}` is no image"),
            }
        }
    }

    #[test]
    fn an_image_that_is_cut_off_is_refused() {
        let whole = png();
        for length in 8..whole.len() - 8 {
            let refused = matches!(prepared("a.png", &whole[..length], false), Prepared::Refused { .. });
            assert!(refused, "{length} of {} bytes", whole.len());
        }
    }
}
