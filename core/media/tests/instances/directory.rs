//! Directories of discs and folders.

#[cfg(unix)]
use std::fs;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use foretell_media::dicom::{
    dataset::{Dataset, Instance},
    directory::{Directory, locate},
};

use crate::{golden, samples};

/// A record of a kind, with what stands below it.
struct Record {
    kind: &'static str,
    texts: Vec<(Tag, &'static str)>,
    in_use: bool,
    below: Vec<Record>,
}

fn record(kind: &'static str, below: Vec<Record>) -> Record {
    Record { kind, texts: Vec::new(), in_use: true, below }
}

fn file(kind: &'static str, path: &'static str) -> Record {
    Record { texts: vec![(tags::REFERENCED_FILE_ID, path)], ..record(kind, Vec::new()) }
}

/// Numbers the records, depth first, and says for each where it leads.
fn flatten(records: &[Record], flat: &mut Vec<(Dataset, usize, usize)>) -> usize {
    let mut before: Option<usize> = None;
    let mut first = 0;
    for record in records {
        let mut dataset = Dataset::new();
        dataset.set_text(tags::DIRECTORY_RECORD_TYPE, record.kind);
        dataset.set_u16(tags::RECORD_IN_USE_FLAG, &[if record.in_use { 0xFFFF } else { 0 }]);
        for (tag, text) in &record.texts {
            dataset.set_text(*tag, text);
        }
        let own = flat.len();
        flat.push((dataset, 0, 0));
        match before {
            Some(before) => flat[before].1 = own + 1,
            None => first = own + 1,
        }
        before = Some(own);
        flat[own].2 = flatten(&record.below, flat);
    }
    first
}

/// A directory's bytes. Positions are numbers of four bytes wherever they lead, so a draft without them shows where the
/// records will be. `change` may lead elsewhere: it gets the number of the record, from 0, and what it would say.
fn directory(records: &[Record], change: impl Fn(usize, Tag, u32) -> u32) -> Vec<u8> {
    let mut flat = Vec::new();
    let first = flatten(records, &mut flat);
    let write = |offsets: &[u32]| {
        let root = tags::OFFSET_OF_THE_FIRST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY;
        let mut dataset = Dataset::new();
        dataset.set_text(tags::SOP_CLASS_UID, "1.2.840.10008.1.3.10");
        dataset.set_text(tags::SOP_INSTANCE_UID, "2.25.1");
        dataset.set_u32(root, &[offsets[first]]);
        let items = flat.iter().enumerate().map(|(number, (record, next, below))| {
            let mut record = record.clone();
            for (tag, to) in [
                (tags::OFFSET_OF_THE_NEXT_DIRECTORY_RECORD, next),
                (tags::OFFSET_OF_REFERENCED_LOWER_LEVEL_DIRECTORY_ENTITY, below),
            ] {
                record.set_u32(tag, &[change(number, tag, offsets[*to])]);
            }
            record
        });
        dataset.set_items(tags::DIRECTORY_RECORD_SEQUENCE, items);
        samples::file(dataset)
    };
    let draft = Instance::parse(&write(&vec![0; flat.len() + 1])).expect("a file");
    let items = draft.dataset.items(tags::DIRECTORY_RECORD_SEQUENCE).expect("records");
    let offsets: Vec<u32> = [0].into_iter().chain(items.iter().map(|item| item.offset as u32)).collect();
    write(&offsets)
}

fn as_it_is(_: usize, _: Tag, offset: u32) -> u32 {
    offset
}

fn one_image(path: &'static str) -> Vec<u8> {
    let series = record("SERIES", vec![file("IMAGE", path)]);
    directory(&[record("PATIENT", vec![record("STUDY", vec![series])])], as_it_is)
}

#[test]
fn images_are_listed_with_what_they_belong_to() {
    let mut first = record(
        "SERIES",
        vec![file("IMAGE", "A\\1"), file("SR DOCUMENT", "A\\REPORT"), file("IMAGE", "A\\2")],
    );
    first.texts = vec![(tags::MODALITY, "CR")];
    let mut deleted = record("SERIES", vec![file("IMAGE", "A\\DELETED")]);
    deleted.in_use = false;
    let mut image = file("IMAGE", "B\\1");
    image.texts.extend([
        (tags::REFERENCED_SOP_CLASS_UID_IN_FILE, "1.2.840.10008.5.1.4.1.1.1"),
        (tags::REFERENCED_SOP_INSTANCE_UID_IN_FILE, "1.2.3"),
    ]);
    let nameless = record("IMAGE", Vec::new());
    let second = record("SERIES", vec![image, nameless]);
    let records = [
        record("PATIENT", vec![record("STUDY", vec![first, deleted, second])]),
        record("PATIENT", vec![record("STUDY", vec![record("SERIES", vec![file("IMAGE", "C")])])]),
    ];
    let read = Directory::read(&directory(&records, as_it_is)).expect("a directory");
    let images: Vec<_> = read
        .images
        .iter()
        .map(|image| {
            (image.path.join("/"), image.patient, image.study, image.series, image.modality.as_deref())
        })
        .collect();
    let expected = [
        ("A/1".to_owned(), 0, 0, 0, Some("CR")),
        ("A/2".to_owned(), 0, 0, 0, Some("CR")),
        ("B/1".to_owned(), 0, 0, 1, None),
        ("C".to_owned(), 1, 1, 2, None),
    ];
    assert_eq!(images, expected);
    assert_eq!(read.others, 1);
    assert_eq!(read.images[2].sop_instance_uid.as_deref(), Some("1.2.3"));
    assert_eq!(read.images[2].sop_class_uid.as_deref(), Some("1.2.840.10008.5.1.4.1.1.1"));
}

#[test]
fn a_directory_of_another_writer_is_read() {
    let expected = &golden::results()["directory"];
    let hexadecimal = golden::text(&expected["bytes"]);
    let byte = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("a byte");
    let bytes: Vec<u8> = (0..hexadecimal.len()).step_by(2).map(byte).collect();
    let read = Directory::read(&bytes).expect("a directory");
    let images = expected["images"].as_array().expect("images");
    assert_eq!(read.images.len(), images.len());
    for (own, other) in read.images.iter().zip(images) {
        let path: Vec<_> = other["path"].as_array().expect("parts").iter().map(golden::text).collect();
        assert_eq!(own.path, path);
        assert_eq!(own.sop_instance_uid.as_deref(), Some(golden::text(&other["sop_instance_uid"])));
    }
    let modalities: Vec<_> = read.images.iter().map(|image| image.modality.as_deref()).collect();
    assert_eq!(modalities, [Some("CR"), Some("MR")]);
}

#[test]
fn paths_stay_below_the_directory() {
    for path in [
        "..\\SECRET",
        "A\\..\\..\\B",
        "/etc/passwd",
        "\\A",
        "A\\\\B",
        ".",
        "C:\\A",
        "A/../../B",
        "A\\",
        "A\u{1}B",
    ] {
        let error = Directory::read(&one_image(path)).expect_err(path).to_string();
        assert!(error.contains("is not the name of a file or directory"), "{path}: {error}");
        assert!(!error.contains("SECRET") && !error.contains("passwd"), "{error}");
    }
    let deep: &'static str = String::leak(["A"; 33].join("\\"));
    let error = Directory::read(&one_image(deep)).expect_err("deep").to_string();
    assert!(error.contains("parts of a path: 33 is beyond the limit of 32"), "{error}");
}

#[test]
fn records_that_lead_nowhere_or_in_a_circle_are_errors() {
    let records = || [record("PATIENT", vec![record("STUDY", Vec::new())]), record("PATIENT", Vec::new())];
    let next = tags::OFFSET_OF_THE_NEXT_DIRECTORY_RECORD;
    let nowhere =
        directory(&records(), |number, tag, offset| if number == 0 && tag == next { 7 } else { offset });
    let error = Directory::read(&nowhere).expect_err("nowhere").to_string();
    assert!(error.contains("there is no record at byte 7"), "{error}");

    let first = Instance::parse(&directory(&records(), as_it_is)).expect("a file");
    let first = first.dataset.items(tags::DIRECTORY_RECORD_SEQUENCE).expect("records")[0].offset as u32;
    let circle =
        directory(&records(), |number, tag, offset| if number == 1 && tag == next { first } else { offset });
    let error = Directory::read(&circle).expect_err("a circle").to_string();
    assert!(error.contains(&format!("in a circle, back to byte {first}")), "{error}");

    let error = Directory::read(&samples::file(samples::radiograph())).expect_err("no directory").to_string();
    assert!(error.contains("it is a DICOM file, and no directory of files"), "{error}");
}

#[test]
fn a_long_chain_of_records_is_no_crash() {
    let mut series = record("SERIES", vec![file("IMAGE", "A")]);
    for _ in 0..5_000 {
        series = record("PRIVATE", vec![series]);
    }
    let read = Directory::read(&directory(&[series], as_it_is)).expect("a directory");
    assert_eq!(read.images.len(), 1);
}

// Where names that differ in their case alone are two names.
#[cfg(target_os = "linux")]
#[test]
fn files_are_found_in_any_case() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().join("disc");
    fs::create_dir_all(root.join("images/Series1")).expect("a directory");
    for name in [
        "images/Series1/im1.dcm",
        "images/Series1/IM2",
        "images/Series1/im2",
        "images/Series1/IM3;1",
        "images/x",
        "images/X",
    ] {
        fs::write(root.join(name), name).expect("a file");
    }
    fs::write(place.path().join("outside"), "outside").expect("a file");
    let found = |path: &str| {
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        locate(&root, &parts)
            .expect("a readable directory")
            .map(|path| fs::read_to_string(path).expect("a file"))
    };
    let cases = [
        ("IMAGES/SERIES1/IM1", Some("images/Series1/im1.dcm")),
        // What is there as it is written is taken, whatever else there is.
        ("IMAGES/SERIES1/IM2", Some("images/Series1/IM2")),
        ("IMAGES/SERIES1/IM3", Some("images/Series1/IM3;1")),
        ("IMAGES/SERIES1/IM4", None),
        ("IMAGES/SERIES1", None),
        ("IMAGES/X/IM1", None),
        ("MISSING/IM1", None),
    ];
    for (path, expected) in cases {
        assert_eq!(found(path).as_deref(), expected, "{path}");
    }
    // Of two that differ in their case alone, neither is it.
    fs::rename(root.join("images/Series1/IM2"), root.join("images/Series1/Im2")).expect("renamed");
    assert_eq!(found("IMAGES/SERIES1/IM2"), None);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out() {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().join("disc");
    fs::create_dir_all(root.join("A")).expect("a directory");
    fs::write(place.path().join("outside"), "outside").expect("a file");
    fs::write(root.join("inside"), "inside").expect("a file");
    std::os::unix::fs::symlink(place.path().join("outside"), root.join("A/OUT")).expect("a link");
    std::os::unix::fs::symlink(root.join("inside"), root.join("A/IN")).expect("a link");
    let found = |name: &str| locate(&root, &["A".to_owned(), name.to_owned()]).expect("a readable directory");
    assert_eq!(found("OUT"), None);
    assert!(found("IN").is_some_and(|path| path.ends_with("inside")));
}
