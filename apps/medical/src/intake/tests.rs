//! Imports into a database of their own.

use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use foretell_media::dicom::dataset::{Dataset, Instance};
use foretell_media::draw::to_png;
use foretell_media::{Picture, Samples};
use foretell_store::record::{RecordFilter, RejectFilter};
use tempfile::TempDir;

use super::*;
use crate::payload::{Identifiers, Payload};
use crate::{DOMAIN, FINDING};

struct Clinic {
    folder: TempDir,
    store: Store,
}

impl Clinic {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::create_or_open(folder.path().join("clinic.db")).await.unwrap();
        Self { folder, store }
    }

    fn films(&self) -> PathBuf {
        self.folder.path().join("films")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let file = self.films().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    async fn import(&self, by_folder: bool, salt: Option<Salt>) -> Report {
        let labels = Labels::read(&LabelSources { by_folder, ..LabelSources::default() }).unwrap();
        let order = Order { paths: vec![self.films()], labels, salt };
        import(&self.store, order, |_| ()).await.unwrap()
    }

    async fn payloads(&self) -> Vec<Payload> {
        let records = self.store.records(&RecordFilter::domain(DOMAIN), 100).await.unwrap();
        records.iter().map(|record| Payload::read(record).unwrap()).collect()
    }
}

fn png(level: u8) -> Vec<u8> {
    to_png(&Picture { width: 2, height: 1, channels: 1, samples: Samples::U8(vec![level; 2]) }).unwrap()
}

/// A DICOM file of a patient with a name, of two pixels a frame.
fn dicom(uid: &str, frames: usize) -> Vec<u8> {
    let mut dataset = Dataset::new();
    dataset.set_text(tags::SOP_CLASS_UID, "1.2.840.10008.5.1.4.1.1.7");
    for (tag, text) in [
        (tags::SOP_INSTANCE_UID, uid),
        (tags::STUDY_INSTANCE_UID, "1.2.3"),
        (tags::SERIES_INSTANCE_UID, "1.2.3.4"),
        (tags::PATIENT_NAME, "Doe^Jane"),
        (tags::PATIENT_ID, "MRN-4711"),
        (tags::MODALITY, "DX"),
        (tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2"),
    ] {
        dataset.set_text(tag, text);
    }
    if frames > 1 {
        dataset.set_text(tags::NUMBER_OF_FRAMES, &frames.to_string());
    }
    for (tag, number) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, 1),
        (tags::COLUMNS, 2),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        dataset.set_u16(tag, &[number]);
    }
    dataset.set_bytes(tags::PIXEL_DATA, VR::OB, vec![9; 2 * frames]);
    Instance::explicit(dataset).to_bytes().unwrap()
}

const SALT: Salt = Salt([3; 32]);

#[tokio::test]
async fn the_same_import_again_stores_nothing_twice_and_loses_nothing() {
    let clinic = Clinic::new().await;
    for (name, level) in [("normal/a.png", 1), ("normal/b.png", 2), ("pneumonia/c.png", 3)] {
        clinic.write(name, &png(level));
    }
    clinic.write("notes.txt", b"no image");
    let first = clinic.import(false, Some(SALT)).await;
    assert_eq!((first.files, first.stored, first.already_stored), (4, 3, 0));
    assert_eq!((first.skipped, first.rejected, first.labels), (1, 0, 0));

    // What is known now is added to what was there, once.
    for added in [3, 0] {
        let again = clinic.import(true, Some(SALT)).await;
        assert_eq!((again.stored, again.already_stored, again.labels), (0, 3, added));
        assert_eq!(again.records, first.records);
    }
    let labels = clinic.store.labels(first.records[2]).await.unwrap();
    assert_eq!((labels.len(), labels[0].name.as_str()), (1, FINDING));

    clinic.write("normal/b.png", &png(4));
    clinic.write("normal/d.png", &png(2)[..40]);
    clinic.write("normal/e.png", &png(5));
    let changed = clinic.import(false, Some(SALT)).await;
    assert_eq!((changed.stored, changed.already_stored, changed.rejected), (1, 2, 2));
    let reasons: Vec<&str> = changed.rejects.iter().map(|refused| refused.reason.as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("another image under this name")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("ends too early")), "{reasons:?}");
    let stored = clinic.store.rejects(RejectFilter::Source(changed.source), 10).await.unwrap();
    assert!(stored.iter().all(|reject| reject.reason.starts_with("films/normal/")), "{stored:?}");
}

#[tokio::test]
async fn nothing_of_a_patient_reaches_the_disk() {
    let clinic = Clinic::new().await;
    clinic.write("DOE_JANE.dcm", &dicom("1.2.3.4.5", 1));
    clinic.write("DOE_JANE_2.dcm", &dicom("1.2.3.4.6", 3));
    clinic.write("DOE_JANE_3.dcm", &dicom("1.2.3.4.7", 1)[..200]);
    let report = clinic.import(false, Some(SALT)).await;
    assert_eq!((report.stored, report.rejected, report.identifiers_removed), (4, 1, 2));
    let name = report.removals.iter().find(|removal| removal.keyword == "PatientName").unwrap();
    assert_eq!((name.tag.as_str(), name.action, name.files), ("0010,0010", "emptied", 2));
    let payloads = clinic.payloads().await;
    for payload in &payloads {
        assert_eq!((payload.identifiers, &payload.file), (Some(Identifiers::Removed), &None));
        assert!(payload.patient.as_deref().is_some_and(|patient| patient.starts_with('P')), "{payload:?}");
        assert_eq!((&payload.patient, &payload.study), (&payloads[0].patient, &payloads[0].study));
    }
    let images: Vec<(&str, u32)> = payloads.iter().map(Payload::blob).collect();
    assert_eq!(images.iter().map(|(_, frame)| *frame).collect::<Vec<_>>(), [1, 1, 2, 3]);
    assert!(images[1..].iter().all(|(hash, _)| *hash == images[1].0 && *hash != images[0].0));
    assert_eq!(clinic.import(false, Some(SALT)).await.already_stored, 4);

    let database = clinic.store.path().to_owned();
    clinic.store.close().await;
    let bytes = std::fs::read(database).unwrap();
    for secret in ["DOE", "Doe", "Jane", "4711", "1.2.3.4"] {
        assert!(!bytes.windows(secret.len()).any(|place| place == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
async fn identifiers_are_kept_on_demand_and_each_record_says_so() {
    let clinic = Clinic::new().await;
    clinic.write("a.dcm", &dicom("1.2.3.4.5", 1));
    let report = clinic.import(false, None).await;
    assert_eq!((report.stored, report.identifiers_kept, report.identifiers_removed), (1, 1, 0));
    let [payload] = &clinic.payloads().await[..] else { panic!("one image") };
    assert_eq!(
        (payload.identifiers, payload.patient.as_deref()),
        (Some(Identifiers::Kept), Some("MRN-4711"))
    );
    assert_eq!(
        (payload.file.as_deref(), payload.instance.as_deref()),
        (Some("films/a.dcm"), Some("1.2.3.4.5"))
    );
}

#[test]
fn a_file_is_known_by_its_content_under_any_of_its_names() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let names =
        |path: &Path| identify(path, SALT).into_iter().map(|identity| identity.names).collect::<Vec<_>>();
    let film = names(&file("a.png", &png(1)));
    assert_eq!((film.len(), film[0].last().unwrap().as_str()), (1, "a.png"));
    let scan = names(&file("a.dcm", &dicom("1.2.3.4.5", 1)));
    assert_eq!(scan, [vec![SALT.uid("1.2.3.4.5")], vec!["1.2.3.4.5".to_owned()]]);
    assert!(names(&file("notes", b"no image")).is_empty());
}
