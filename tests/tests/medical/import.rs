//! From files to records.

use std::io::{Cursor, Write};
use std::time::Duration;

use foretell_tests::Workshop;
use image::ImageFormat;
use serde_json::Value;

use super::{DONE, SOME_REJECTED, encoded, films, json, medical, picture, refused, text, told};

/// How many images are stored, and under how many names.
fn stored(workshop: &Workshop) -> (usize, usize) {
    let finished =
        workshop.run("foretell", &["record", "export", "--domain", "medical", "--format", "jsonl", "-"], "");
    assert_eq!(finished.code, DONE, "{finished:?}");
    let mut names: Vec<String> = Vec::new();
    for line in finished.stdout.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        names.push(record["external_id"].as_str().unwrap_or_else(|| panic!("{record}")).to_owned());
    }
    let count = names.len();
    names.sort();
    names.dedup();
    (count, names.len())
}

#[test]
fn good_files_go_in_and_bad_ones_are_told_with_their_reason() {
    let workshop = Workshop::default();
    let folder = films(&workshop, 4);
    let whole = encoded(&picture(9, 60, 50), ImageFormat::Png);
    std::fs::write(folder.join("cut.png"), &whole[..40]).unwrap();
    std::fs::write(folder.join("empty.jpg"), "").unwrap();
    std::fs::write(folder.join("words.png"), "not a picture at all").unwrap();
    std::fs::write(folder.join("README.txt"), "what these films are").unwrap();
    let mut wide = whole;
    // A width of 2^31 - 1 in the header, whose checksum is made anew: too large to be decoded.
    wide[16..20].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let sum = crc(&wide[12..29]).to_be_bytes();
    wide[29..33].copy_from_slice(&sum);
    std::fs::write(folder.join("wide.png"), &wide).unwrap();

    let report = told(&workshop, SOME_REJECTED, &["import", text(&folder), "--folder-labels"]);
    assert_eq!((&report["stored"], &report["rejected"]), (&4.into(), &4.into()), "{report}");
    let rejects: Vec<(&str, &str)> = report["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| (reject["file"].as_str().unwrap(), reject["reason"].as_str().unwrap()))
        .collect();
    for name in ["cut.png", "empty.jpg", "words.png", "wide.png"] {
        let (_, reason) =
            rejects.iter().find(|(file, _)| file.ends_with(name)).unwrap_or_else(|| panic!("{name}"));
        assert!(reason.len() > 10, "{name}: {reason}");
    }
    assert_eq!(report["labels"], 4);

    // The reasons are in the database, too.
    let kept = workshop.run("foretell", &["record", "rejects", "--json"], "");
    assert_eq!(kept.code, DONE, "{kept:?}");
    assert!(kept.stdout.contains("words.png"), "{kept:?}");
}

/// The checksum of PNG (ISO/IEC 15948, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 },
        )
    })
}

#[test]
fn a_second_import_stores_nothing_twice_and_notices_another_content() {
    let workshop = Workshop::default();
    let folder = films(&workshop, 5);
    assert_eq!(json(&workshop, &["import", text(&folder)])["stored"], 5);
    let again = json(&workshop, &["import", text(&folder)]);
    assert_eq!((&again["stored"], &again["already_stored"]), (&0.into(), &5.into()));

    let other = encoded(&picture(77, 30, 30), ImageFormat::Png);
    std::fs::write(folder.join("normal/001.png"), other).unwrap();
    let changed = told(&workshop, SOME_REJECTED, &["import", text(&folder)]);
    assert_eq!(
        (&changed["stored"], &changed["already_stored"], &changed["rejected"]),
        (&0.into(), &4.into(), &1.into())
    );
    assert_eq!(stored(&workshop), (5, 5));
}

#[test]
fn an_import_that_was_killed_is_completed_by_the_next_one() {
    const FILMS: u32 = 400;
    let workshop = Workshop::default();
    let folder = films(&workshop, FILMS);
    let words = ["import", text(&folder)];
    let mut hits = 0;
    for delay in [20, 60, 120, 200, 300] {
        let mut started = workshop.start("foretell-medical", &words, &[]);
        std::thread::sleep(Duration::from_millis(delay));
        hits += usize::from(started.kill_group());
    }
    let report = json(&workshop, &words);
    let sum = report["stored"].as_u64().unwrap() + report["already_stored"].as_u64().unwrap();
    assert_eq!(sum, u64::from(FILMS), "after {hits} kills: {report}");
    assert_eq!(stored(&workshop), (FILMS as usize, FILMS as usize));
    let check = workshop.run("foretell", &["db", "check"], "");
    assert_eq!(check.code, DONE, "{check:?}");
    assert!(hits > 0, "no kill hit a running import");
}

#[test]
fn a_table_says_what_files_show_and_which_are_wanted() {
    let workshop = Workshop::default();
    let folder = films(&workshop, 6);
    let table = "split,file,label\ntest,normal/001.png,normal\ntest,pneumonia/003.png,pneumonia\ntrain,normal/002.png,normal\n";
    std::fs::write(folder.join("labels.csv"), table).unwrap();
    let labels = folder.join("labels.csv");
    let words = ["import", text(&folder), "--labels", text(&labels), "--only", "split=test"];
    let report = json(&workshop, &words);
    assert_eq!((&report["stored"], &report["labels"]), (&2.into(), &2.into()), "{report}");
    let shown = json(&workshop, &["show", "films/pneumonia/003.png"]);
    assert!(shown.to_string().contains("\"pneumonia\""), "{shown}");
}

#[test]
fn archives_are_read_without_being_unpacked() {
    let workshop = Workshop::default();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, number) in [("a/one.png", 1), ("a/two.png", 2), ("../../three.png", 3)] {
        archive.start_file(name, options).unwrap();
        archive.write_all(&encoded(&picture(number, 40, 40), ImageFormat::Png)).unwrap();
    }
    let path = workshop.write("films.zip", archive.finish().unwrap().into_inner());
    let before = std::fs::read_dir(workshop.path("")).unwrap().count();
    let finished = medical(&workshop, &["import", text(&path), "--json"]);
    let report = finished.json();
    let (stored, rejected) = (report["stored"].as_u64().unwrap(), report["rejected"].as_u64().unwrap());
    assert!(stored >= 2 && stored + rejected == 3, "{report}");
    // The database, and its home, came; nothing that the archive names did.
    let after: Vec<_> =
        std::fs::read_dir(workshop.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !after.iter().any(|name| name == "three.png" || name == "a"),
        "{before} files before, now {after:?}"
    );
    assert!(!workshop.path("../three.png").exists() && !workshop.path("../../three.png").exists());
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let workshop = Workshop::default();
    refused(&workshop, &["import", "nowhere"], &["nowhere"]);
    refused(&workshop, &["show", "nowhere.png"], &["nowhere.png"]);
    refused(&workshop, &["show", "--record", "7"], &["7"]);
    refused(&workshop, &["evaluate"], &[]);
}
