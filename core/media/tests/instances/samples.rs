//! DICOM files for tests, built element by element.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use foretell_media::dicom::{
    Algorithm, SourceImage,
    dataset::{Dataset, Instance},
    report::{Finding, Report},
    segmentation::{Mask, Segmentation},
};

/// A small radiograph of 6 columns and 5 rows with the identifiers that such files have, and no place in space.
pub(crate) fn radiograph() -> Dataset {
    let mut dataset = image("1.2.840.10008.5.1.4.1.1.1", "CR", 6, 5);
    dataset.set_text(tags::BODY_PART_EXAMINED, "CHEST");
    dataset.set_text(tags::VIEW_POSITION, "PA");
    dataset.set_text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME1");
    dataset
}

/// A small slice of 6 columns and 5 rows that knows where it is.
pub(crate) fn slice() -> Dataset {
    let mut dataset = image("1.2.840.10008.5.1.4.1.1.4", "MR", 6, 5);
    dataset.set_text(tags::FRAME_OF_REFERENCE_UID, "1.2.826.0.1.3680043.8.498.5");
    dataset.set_text(tags::POSITION_REFERENCE_INDICATOR, "");
    dataset.set_text(tags::IMAGE_POSITION_PATIENT, "-10.5\\20\\30.25");
    dataset.set_text(tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\0\\1\\0");
    dataset.set_text(tags::PIXEL_SPACING, "0.5\\0.75");
    let scan = [
        (tags::SOP_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.11"),
        (tags::SERIES_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.13"),
        (tags::SLICE_THICKNESS, "3"),
        (tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\OTHER"),
        (tags::LATERALITY, ""),
        (tags::PATIENT_POSITION, "HFS"),
        (tags::SCANNING_SEQUENCE, "SE"),
        (tags::SEQUENCE_VARIANT, "NONE"),
        (tags::SCAN_OPTIONS, ""),
        (tags::MR_ACQUISITION_TYPE, "2D"),
        (tags::REPETITION_TIME, "500"),
        (tags::ECHO_TIME, "10"),
        (tags::ECHO_TRAIN_LENGTH, "1"),
    ];
    for (tag, text) in scan {
        dataset.set_text(tag, text);
    }
    dataset
}

fn image(class: &str, modality: &str, columns: u16, rows: u16) -> Dataset {
    let mut dataset = Dataset::new();
    let texts = [
        (tags::SPECIFIC_CHARACTER_SET, "ISO_IR 100"),
        (tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY"),
        (tags::SOP_CLASS_UID, class),
        (tags::SOP_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.1"),
        (tags::STUDY_DATE, "20240131"),
        (tags::CONTENT_DATE, "20240131"),
        (tags::STUDY_TIME, "101112"),
        (tags::CONTENT_TIME, "101112"),
        (tags::ACCESSION_NUMBER, "ACC4711"),
        (tags::MODALITY, modality),
        (tags::MANUFACTURER, "Maker"),
        (tags::INSTITUTION_NAME, "Northern Hospital"),
        (tags::REFERRING_PHYSICIAN_NAME, "House^Gregory"),
        (tags::PATIENT_NAME, "Mustermann^Erika"),
        (tags::PATIENT_ID, "PID4711"),
        (tags::PATIENT_BIRTH_DATE, "19640812"),
        (tags::PATIENT_SEX, "F"),
        (tags::PATIENT_AGE, "059Y"),
        (tags::STUDY_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.2"),
        (tags::SERIES_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.3"),
        (tags::STUDY_ID, "S4711"),
        (tags::SERIES_NUMBER, "1"),
        (tags::INSTANCE_NUMBER, "1"),
        (tags::PATIENT_ORIENTATION, "L\\F"),
        (tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2"),
    ];
    for (tag, text) in texts {
        dataset.set_text(tag, text);
    }
    dataset.set_u16(tags::SAMPLES_PER_PIXEL, &[1]);
    dataset.set_u16(tags::ROWS, &[rows]);
    dataset.set_u16(tags::COLUMNS, &[columns]);
    dataset.set_u16(tags::BITS_ALLOCATED, &[16]);
    dataset.set_u16(tags::BITS_STORED, &[12]);
    dataset.set_u16(tags::HIGH_BIT, &[11]);
    dataset.set_u16(tags::PIXEL_REPRESENTATION, &[0]);
    let pixels: Vec<u8> = (0..columns * rows).flat_map(|place| (place * 100 % 4096).to_le_bytes()).collect();
    dataset.set_bytes(tags::PIXEL_DATA, VR::OW, pixels);
    dataset
}

/// A data set as a file.
pub(crate) fn file(dataset: Dataset) -> Vec<u8> {
    Instance::explicit(dataset).to_bytes().expect("a valid data set")
}

/// What made the results of these tests.
pub(crate) fn algorithm() -> Algorithm {
    Algorithm {
        name: "shape-finder".to_owned(),
        version: "1.2.0".to_owned(),
        parameters: vec!["model blake3 = 5f70bf18".to_owned(), "threshold = 0.5".to_owned()],
    }
}

/// A report of two classes.
pub(crate) fn report() -> Report {
    Report {
        frame: None,
        algorithm: algorithm(),
        findings: vec![
            Finding { label: "round".to_owned(), score: 0.875, is_predicted: true },
            Finding {
                label: "square, with a long explanation".to_owned(),
                score: 0.1 + 0.025,
                is_predicted: false,
            },
        ],
        is_novel: Some(true),
        notice: "For research use only.".to_owned(),
        notes: vec!["Größe unbekannt".to_owned()],
        time_us: 1_700_000_000_123_456,
    }
}

/// A mask of three classes, the third of which is empty, for 6 columns and 5 rows.
pub(crate) const CLASSES: [u8; 30] = [
    0, 0, 1, 1, 0, 0, //
    0, 1, 1, 1, 0, 2, //
    0, 1, 1, 0, 2, 2, //
    0, 0, 0, 0, 2, 2, //
    1, 0, 0, 0, 0, 2, //
];

/// The segmentation of [`CLASSES`].
pub(crate) fn segmentation(source: &SourceImage) -> Vec<u8> {
    let labels = ["inner", "outer", "absent"].map(str::to_owned);
    let mask = Mask { height: 5, width: 6, classes: &CLASSES };
    let algorithm = algorithm();
    let segmentation = Segmentation {
        frame: None,
        mask,
        labels: &labels,
        algorithm: &algorithm,
        time_us: 1_700_000_000_123_456,
    };
    segmentation.to_bytes(source).expect("a valid mask")
}
