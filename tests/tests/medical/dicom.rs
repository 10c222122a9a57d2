//! DICOM files: what identifies a patient, and results as DICOM.

use dicom_core::{Tag, VR};
use foretell_media::dicom::dataset::{Dataset, Instance};
use foretell_tests::Workshop;
use image::ImageFormat;

use super::{DONE, clinic, encoded, json, medical, picture, refused, text};

/// A name that stands nowhere else.
const NAME: &str = "Zyxwvut^Quentin";
const NUMBER: &str = "QZ-4711-0815";

/// A computed radiograph of 64 times 48 pixels with a patient's name and number, in explicit little endian.
fn radiograph(instance: &str) -> Vec<u8> {
    let mut dataset = Dataset::new();
    for (group, element, vr, value) in [
        (0x0008, 0x0016, VR::UI, "1.2.840.10008.5.1.4.1.1.1"),
        (0x0008, 0x0018, VR::UI, instance),
        (0x0008, 0x0020, VR::DA, "20260102"),
        (0x0008, 0x0060, VR::CS, "CR"),
        (0x0008, 0x0080, VR::LO, "Hospital of Zyxwvut"),
        (0x0010, 0x0010, VR::PN, NAME),
        (0x0010, 0x0020, VR::LO, NUMBER),
        (0x0018, 0x0015, VR::CS, "CHEST"),
        (0x0018, 0x5101, VR::CS, "PA"),
        (0x0020, 0x000d, VR::UI, "1.2.3.4"),
        (0x0020, 0x000e, VR::UI, "1.2.3.4.5"),
        (0x0028, 0x0004, VR::CS, "MONOCHROME2"),
        // Private, as a manufacturer would have it.
        (0x0011, 0x0010, VR::LO, "ZYXWVUT PRIVATE"),
        (0x0011, 0x1001, VR::LO, NAME),
    ] {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == VR::UI { 0 } else { b' ' });
        }
        dataset.set_bytes(Tag(group, element), vr, bytes);
    }
    for (element, value) in
        [(0x0002, 1), (0x0010, 48), (0x0011, 64), (0x0100, 8), (0x0101, 8), (0x0102, 7), (0x0103, 0)]
    {
        dataset.set_u16(Tag(0x0028, element), &[value]);
    }
    dataset.set_bytes(Tag(0x7fe0, 0x0010), VR::OW, picture(3, 64, 48).into_raw());
    Instance::explicit(dataset).to_bytes().unwrap()
}

/// Everything that the workshop has written into its database and home.
fn written(workshop: &Workshop) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut folders = vec![workshop.path("home")];
    for ending in ["", "-wal"] {
        bytes.extend(std::fs::read(workshop.path(&format!("foretell.db{ending}"))).unwrap_or_default());
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => bytes.extend(std::fs::read(path).unwrap()),
            }
        }
    }
    bytes
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[test]
fn nothing_that_identifies_a_patient_is_written_or_told() {
    let workshop = Workshop::default();
    // The name of the file is one of them.
    let file = workshop.write("Zyxwvut_Quentin.dcm", radiograph("1.2.3.4.5.6"));
    let damaged = workshop.write("Zyxwvut_damaged.dcm", &radiograph("1.2.3.4.5.7")[..700]);
    let finished = medical(&workshop, &["import", text(&file), text(&damaged), "--show-removals", "--json"]);
    let report = finished.json();
    assert_eq!(report["stored"], 1, "{report}");
    assert_eq!(report["identifiers_removed"], 1);
    let removed: Vec<&str> = report["removals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|removal| removal["tag"].as_str().unwrap())
        .collect();
    for tag in ["0010,0010", "0010,0020", "0008,0020", "0008,0080", "0011,1001", "0020,000D"] {
        assert!(removed.contains(&tag), "{tag} of {removed:?}");
    }
    let bytes = written(&workshop);
    for secret in ["Zyxwvut", "Quentin", NUMBER, "1.2.3.4.5.6", "20260102"] {
        assert!(!contains(&bytes, secret), "`{secret}` was written");
        let told = [&finished.stdout, &finished.stderr].map(|words| words.replace("Zyxwvut_damaged.dcm", ""));
        assert!(
            !told.iter().any(|words| contains(words.as_bytes(), secret)),
            "`{secret}` was told: {told:?}"
        );
    }

    // The same file is the same record, found by what is in it.
    let shown = json(&workshop, &["show", text(&file)]);
    assert!(shown.to_string().contains("\"removed\""), "{shown}");
    assert_eq!(json(&workshop, &["import", text(&file)])["already_stored"], 1);
}

#[test]
fn identifiers_are_kept_only_where_that_is_said_and_the_record_says_so() {
    let workshop = Workshop::default();
    let file = workshop.write("film.dcm", radiograph("1.2.3.4.5.6"));
    let report = json(&workshop, &["import", text(&file), "--keep-identifiers"]);
    assert_eq!((&report["identifiers_kept"], &report["identifiers_removed"]), (&1.into(), &0.into()));
    assert!(contains(&written(&workshop), NAME));
    let shown = json(&workshop, &["show", text(&file)]);
    assert!(shown.to_string().contains("\"kept\""), "{shown}");
}

#[test]
fn files_of_one_patient_stay_together_under_a_pseudonym() {
    let workshop = Workshop::default();
    let folder = workshop.path("study");
    std::fs::create_dir(&folder).unwrap();
    for number in 6..9 {
        std::fs::write(folder.join(format!("{number}.dcm")), radiograph(&format!("1.2.3.4.5.{number}")))
            .unwrap();
    }
    assert_eq!(json(&workshop, &["import", text(&folder)])["stored"], 3);
    let listed =
        workshop.run("foretell", &["record", "export", "--domain", "medical", "--format", "jsonl", "-"], "");
    let field = |name: &str| {
        let values = listed.stdout.lines().map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            record[name].as_str().unwrap_or_else(|| panic!("{record} has no `{name}`")).to_owned()
        });
        values.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((field("patient"), field("study"), field("series")), (1, 1, 1));
    assert_eq!(field("image"), 3);
}

#[test]
fn results_are_written_as_dicom_and_never_over_another_file() {
    let workshop = clinic();
    let file = workshop.write("film.dcm", radiograph("1.2.3.4.5.6"));
    for model in ["chest", "brain"] {
        json(&workshop, &["predict", text(&file), "--model", model]);
    }
    let (report, outline) = (workshop.path("report.dcm"), workshop.path("outline.dcm"));
    let words = ["export", text(&file), "--sr", text(&report), "--seg", text(&outline)];
    json(&workshop, &words);
    let read = |path| Instance::parse(&std::fs::read(path).unwrap()).unwrap();
    let class = |instance: &Instance| instance.dataset.text(Tag(0x0008, 0x0016)).unwrap().into_owned();
    assert!(class(&read(&report)).starts_with("1.2.840.10008.5.1.4.1.1.88."), "a structured report");
    assert_eq!(class(&read(&outline)), "1.2.840.10008.5.1.4.1.1.66.4", "a segmentation");
    let bytes = std::fs::read(&report).unwrap();
    assert!(contains(&bytes, "Research use only"), "the notice is in the report");
    assert!(!contains(&bytes, "Zyxwvut"));

    refused(&workshop, &words, &["report.dcm", "--force"]);
    let again = medical(&workshop, &[&words[..], &["--force"]].concat());
    assert_eq!(again.code, DONE, "{again:?}");
    assert_eq!(std::fs::read(&report).unwrap(), bytes, "the same result is the same file");

    let png = workshop.write("film.png", encoded(&picture(3, 64, 48), ImageFormat::Png));
    json(&workshop, &["predict", text(&png)]);
    refused(&workshop, &["export", text(&png), "--sr", "other.dcm"], &["DICOM"]);
    assert!(!workshop.path("other.dcm").exists());
}
