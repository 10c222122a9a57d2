//! Structured reports.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use foretell_media::dicom::{
    LABEL_CHARACTERS_MAX, SourceImage,
    dataset::{Dataset, Instance},
    deidentify::{Salt, deidentify},
    report::{Finding, Report},
};

use crate::{golden, samples};

fn source(dataset: Dataset) -> SourceImage {
    SourceImage::read(&samples::file(dataset)).expect("an image")
}

#[test]
fn other_readers_see_what_was_reported() {
    for (name, dataset) in [("radiograph", samples::radiograph()), ("slice", samples::slice())] {
        let clean = deidentify(&samples::file(dataset), &Salt([7; 32])).expect("a valid file");
        let source = SourceImage::read(&clean.bytes).expect("an image");
        let report = samples::report();
        let expected = &golden::results()[name]["report"];
        golden::assert_same_data_set(&report.to_bytes(&source).expect("a report"), expected);

        assert_eq!(golden::text(&expected["class"]), "Comprehensive SR Storage");
        assert_eq!(golden::text(&expected["study"]), source.study_instance_uid);
        assert_eq!(golden::text(&expected["evidence"]), source.sop_instance_uid);
        assert_eq!(golden::text(&expected["time"]), "20231114 221320.123456");
        let groups = expected["groups"].as_array().expect("groups");
        assert_eq!(groups.len(), report.findings.len());
        for (group, finding) in groups.iter().zip(&report.findings) {
            assert_eq!(golden::text(&group["label"]), finding.label);
            assert_eq!(group["score"].as_f64(), Some(finding.score));
            assert_eq!(golden::text(&group["unit"]), "1");
            assert_eq!(golden::text(&group["predicted"]), if finding.is_predicted { "Yes" } else { "No" });
            assert_eq!(golden::text(&group["image"]), source.sop_instance_uid);
            let algorithm: Vec<_> =
                group["algorithm"].as_array().expect("a list").iter().map(golden::text).collect();
            assert_eq!(algorithm[..2], [&report.algorithm.name, &report.algorithm.version]);
            assert_eq!(algorithm[2..], report.algorithm.parameters);
        }
        let said = &expected["evaluations"];
        assert_eq!(golden::text(&said["Unlike the images that the algorithm learned from"]), "Yes");
        assert_eq!(golden::text(&said["Notice"]), report.notice);
        assert_eq!(golden::text(&said["Comment"]), report.notes[0]);
    }
}

/// All text of a tree, by the attribute that holds it.
fn texts(dataset: &Dataset, tag: Tag, into: &mut Vec<String>) {
    into.extend(dataset.text(tag).map(|text| text.into_owned()));
    for element in dataset.iter() {
        for item in dataset.items(element.tag).unwrap_or_default() {
            texts(&item.dataset, tag, into);
        }
    }
}

#[test]
fn a_report_belongs_to_its_image() {
    let source = source(samples::radiograph());
    let report = Instance::parse(&samples::report().to_bytes(&source).expect("a report")).expect("a file");
    let expected = [
        (tags::STUDY_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.2"),
        (tags::PATIENT_ID, "PID4711"),
        (tags::PATIENT_NAME, "Mustermann^Erika"),
        (tags::STUDY_DATE, "20240131"),
        (tags::MODALITY, "SR"),
        (tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192"),
    ];
    for (tag, value) in expected {
        assert_eq!(report.dataset.text(tag).as_deref(), Some(value), "{tag}");
    }
    assert_ne!(
        report.dataset.text(tags::SERIES_INSTANCE_UID).as_deref(),
        Some(source.series_instance_uid.as_str())
    );
    let mut referenced = Vec::new();
    texts(&report.dataset, tags::REFERENCED_SOP_INSTANCE_UID, &mut referenced);
    // Evidence, image library, and one for each finding.
    assert_eq!(referenced, vec![source.sop_instance_uid; 4]);
}

#[test]
fn the_same_report_has_the_same_name_and_another_has_another() {
    let source = source(samples::radiograph());
    let bytes = |report: Report| report.to_bytes(&source).expect("a report");
    let uid = |report: Report, tag| {
        Instance::parse(&bytes(report)).expect("a file").dataset.text(tag).expect("a UID").into_owned()
    };
    assert_eq!(bytes(samples::report()), bytes(samples::report()));
    let mut later = samples::report();
    later.time_us += 1;
    assert_ne!(uid(samples::report(), tags::SOP_INSTANCE_UID), uid(later.clone(), tags::SOP_INSTANCE_UID));
    assert_eq!(
        uid(samples::report(), tags::SERIES_INSTANCE_UID),
        uid(later.clone(), tags::SERIES_INSTANCE_UID)
    );
    later.algorithm.version = "2.0.0".to_owned();
    assert_ne!(uid(samples::report(), tags::SERIES_INSTANCE_UID), uid(later, tags::SERIES_INSTANCE_UID));
}

#[test]
fn names_are_written_in_utf8() {
    // The character set of the source, the name in it, and the name in the report.
    let cases: [(&str, &[u8], Option<&str>); 4] = [
        ("ISO_IR 100", b"M\xFCller^J\xFCrgen", Some("Müller^Jürgen")),
        ("ISO_IR 192", "Müller^Jürgen".as_bytes(), Some("Müller^Jürgen")),
        ("", b"Muller^Jurgen", Some("Muller^Jurgen")),
        ("ISO 2022 IR 87", b"\x1B$B;3ED\x1B(B\xFF", None),
    ];
    for (character_set, name, expected) in cases {
        let mut dataset = samples::radiograph();
        dataset.set_text(tags::SPECIFIC_CHARACTER_SET, character_set);
        dataset.set_bytes(tags::PATIENT_NAME, dicom_core::VR::PN, name.to_vec());
        let report = samples::report().to_bytes(&source(dataset)).expect("a report");
        let report = Instance::parse(&report).expect("a file").dataset;
        assert_eq!(report.text(tags::PATIENT_NAME).as_deref(), expected, "{character_set}");
    }
}

#[test]
fn a_report_of_a_frame_says_which() {
    let mut dataset = samples::radiograph();
    dataset.set_text(tags::NUMBER_OF_FRAMES, "3");
    let source = source(dataset);
    let report = Report { frame: Some(2), ..samples::report() };
    let report = Instance::parse(&report.to_bytes(&source).expect("a report")).expect("a file");
    let mut frames = Vec::new();
    texts(&report.dataset, tags::REFERENCED_FRAME_NUMBER, &mut frames);
    assert_eq!(frames, ["2", "2", "2"]);
    let error = Report { frame: Some(4), ..samples::report() }.to_bytes(&source).expect_err("no such frame");
    assert!(error.to_string().contains("there is no frame 4"), "{error}");
}

#[test]
fn what_makes_no_report_is_refused() {
    let source = source(samples::radiograph());
    let finding = |label: &str, score| vec![Finding { label: label.to_owned(), score, is_predicted: true }];
    let good = samples::report;
    let mut nameless = good();
    nameless.algorithm.name = " ".to_owned();
    let cases = [
        (
            Report { findings: finding("round", 1.5), ..good() },
            "a finding's score is 1.5, it should be from 0 to 1",
        ),
        (Report { findings: finding("round", f64::NAN), ..good() }, "a finding's score is NaN"),
        (Report { findings: finding("", 0.5), ..good() }, "a finding's label has 0 characters"),
        (Report { findings: finding("two\nlines", 0.5), ..good() }, "on one line"),
        (
            Report { findings: finding(&"x".repeat(LABEL_CHARACTERS_MAX + 1), 0.5), ..good() },
            "has 65 characters",
        ),
        (
            Report { findings: vec![finding("round", 0.5).remove(0); 10_001], ..good() },
            "findings: 10001 is beyond the limit of 10000",
        ),
        (Report { notice: " ".to_owned(), ..good() }, "the notice is empty"),
        (Report { time_us: i64::MIN, ..good() }, "no time between the years 1 and 9999"),
        (nameless, "the algorithm's name has 1 characters"),
    ];
    for (report, expected) in cases {
        let error = report.to_bytes(&source).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn only_a_dicom_image_can_be_referred_to() {
    let error = SourceImage::read(b"\x89PNG\r\n\x1a\n").expect_err("no DICOM").to_string();
    let expected = "it begins with 89 50 4e 47, and is no DICOM file; give a DICOM file: a report or a segmentation in DICOM \
                    can only refer to a DICOM image";
    assert_eq!(error, format!("cannot refer to the source image: {expected}"));
    for (tag, expected) in [
        (tags::STUDY_INSTANCE_UID, "it has no study instance UID"),
        (tags::ROWS, "it has no rows; is it an image?"),
    ] {
        let dataset: Dataset =
            samples::radiograph().into_iter().filter(|element| element.tag != tag).collect();
        let error = SourceImage::read(&samples::file(dataset)).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
