//! Clips that are whole.

use super::*;

/// What was said while the frames were at hand is said again when they are decoded from the store.
#[test]
fn what_is_said_of_frames_is_stored_and_can_be_repeated() {
    for name in ["road.avi", "road.mp4"] {
        let workshop = garage();
        let path = clip(&workshop, name, frame);
        let documents = json(&workshop, &["detect", text(&path)]);
        let document = &documents[0];
        assert_eq!(document["frames"], FRAMES, "{document}");
        assert_eq!(document["known_frames"], 0, "{document}");
        assert_eq!(document["refused"], Value::Array(Vec::new()), "{document}");
        assert_eq!(records(&workshop), FRAMES);

        let run = document["run"].to_string();
        let verified = workshop.run("foretell", &["verify", "--run", &run, "--json"], "");
        assert_eq!(verified.code, DONE, "{name}: {verified:?}");

        // The same clip again is the same records, and a run of its own.
        let again = &json(&workshop, &["detect", text(&path)])[0];
        assert_eq!(again["known_frames"], FRAMES, "{again}");
        assert_ne!(again["run"], document["run"]);
        assert_eq!(again["found"], document["found"]);
        assert_eq!(records(&workshop), FRAMES);
    }
}

#[test]
fn a_clip_is_drawn_as_a_clip_a_folder_or_a_picture() {
    let workshop = garage();
    let path = clip(&workshop, "road.avi", frame);
    for (name, is_there) in [("drawn.avi", "drawn.avi"), ("drawn", "drawn/000020.jpg")] {
        let drawn = workshop.path(name);
        let lines = workshop.path(&format!("{name}.jsonl"));
        let words = ["detect", text(&path), "--save", text(&drawn), "--lines", text(&lines)];
        json(&workshop, &words);
        assert!(workshop.path(is_there).is_file(), "{name}");
        let told = std::fs::read_to_string(&lines).unwrap();
        let frames: Vec<u64> = told
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["frame"].as_u64().unwrap())
            .collect();
        assert_eq!(frames, (0..FRAMES).collect::<Vec<_>>());
        // What is there is not replaced unasked.
        refused(&workshop, &words, &["exists"]);
    }
    let still = workshop.path("one.png");
    refused(&workshop, &["detect", text(&path), "--save", text(&still)], &["one picture", "several frames"]);
    let picture = workshop.path("drawn/000001.jpg");
    json(&workshop, &["detect", text(&picture), "--save", text(&still), "--force"]);
    assert!(std::fs::read(&still).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn pictures_of_several_sizes_are_looked_at_each() {
    let workshop = garage();
    let folder = workshop.path("shots");
    std::fs::create_dir(&folder).unwrap();
    for (number, side) in [48_u32, 200, 333].into_iter().enumerate() {
        let picture = image::RgbImage::from_fn(side, side / 2 + 9, |x, y| image::Rgb([x as u8, y as u8, 99]));
        picture.save(folder.join(format!("{number}.png"))).unwrap();
    }
    let document = &json(&workshop, &["detect", text(&folder)])[0];
    assert_eq!((&document["frames"], &document["clip"]), (&3.into(), &"shots".into()), "{document}");
    let coco = workshop.path("found.json");
    json(&workshop, &["detect", text(&folder), "--coco", text(&coco)]);
    let found: Value = serde_json::from_str(&std::fs::read_to_string(&coco).unwrap()).unwrap();
    let sizes: Vec<_> =
        found["images"].as_array().unwrap().iter().map(|image| image["width"].clone()).collect();
    assert_eq!(sizes, [48, 200, 333]);
}
