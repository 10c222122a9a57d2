//! Tracks of detections that somebody else made.

use std::fmt::Write;

use super::*;

/// How many frames the walk below has.
const WALK_FRAMES: u64 = 50;

/// Two people who walk past each other, one above the other, as MOTChallenge text with this number in the place of the track, and
/// this confidence.
fn walk(track: impl Fn(u64) -> i64, confidence: f64) -> String {
    let mut text = String::new();
    for frame in 1..=WALK_FRAMES {
        let step = 4 * frame;
        for (person, x, y) in [(1, 20 + step, 40), (2, 260 - step, 150)] {
            writeln!(text, "{frame},{},{x},{y},30,80,{confidence}", track(person)).unwrap();
        }
    }
    text
}

#[test]
fn detections_of_a_file_are_followed_counted_and_evaluated() {
    let workshop = garage();
    let detections = workshop.write("det.txt", walk(|_| -1, 0.9));
    let truth = workshop.write("gt.txt", walk(|person| person as i64, 1.0));
    let tracks = workshop.path("tracks.txt");
    let words = [
        "track",
        "--detections",
        text(&detections),
        "--frame-rate",
        "25",
        "--size",
        "320x240",
        "--mot",
        text(&tracks),
        "--line",
        "door=150,0,150,240",
    ];
    let document = json(&workshop, &words).to_string();
    assert!(document.contains("door") && document.contains("person"), "{document}");

    let rows = std::fs::read_to_string(&tracks).unwrap();
    assert_eq!(rows.lines().count() as u64, 2 * WALK_FRAMES, "{rows}");

    let figures =
        json(&workshop, &["evaluate", "tracks", "--truth", text(&truth), "--tracks", text(&tracks)]);
    for name in ["mota", "idf1", "hota"] {
        let found = find(&figures, name).unwrap_or_else(|| panic!("no `{name}` in {figures}"));
        assert!((found - 1.0).abs() < 1e-6, "{name}: {figures}");
    }

    // What was given is a record, and was answered once; the same again is the same record.
    let stored = records(&workshop);
    let again: Vec<&str> = words.into_iter().chain(["--force"]).collect();
    json(&workshop, &again);
    assert_eq!(records(&workshop), stored);
    assert_eq!(std::fs::read_to_string(&tracks).unwrap(), rows);
}

/// The first number under this name, wherever it stands.
fn find(value: &Value, name: &str) -> Option<f64> {
    match value {
        Value::Object(members) => members
            .get(name)
            .and_then(Value::as_f64)
            .or_else(|| members.values().find_map(|value| find(value, name))),
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[test]
fn bad_lines_are_set_aside_with_their_reasons() {
    let workshop = garage();
    let mut rows = walk(|_| -1, 0.9);
    rows.push_str("51,-1,10,10,wide,80,0.9\n0,-1,10,10,30,80,0.9\n51,-1,10,10\n");
    let detections = workshop.write("det.txt", rows);
    let tracks = workshop.path("tracks.txt");
    let words = ["track", "--detections", text(&detections), "--frame-rate", "25", "--mot", text(&tracks)];
    let document = told(&workshop, SOME_REJECTED, &words).to_string();
    for reason in ["101", "102", "103", "width"] {
        assert!(document.contains(reason), "{reason}: {document}");
    }
    assert_eq!(std::fs::read_to_string(&tracks).unwrap().lines().count() as u64, 2 * WALK_FRAMES);
}
