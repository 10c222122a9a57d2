//! Clips, pictures and networks that are not what they should be: a clear result, and nothing lost.

use super::*;

#[test]
fn a_clip_that_is_cut_off_is_looked_at_up_to_the_cut() {
    for (name, share) in [("road.avi", 0.6), ("road.mkv", 0.7)] {
        let workshop = garage();
        let path = clip(&workshop, name, |number| {
            // Noise, so that each frame has bytes of its own.
            let mut picture = frame(number);
            if let Samples::U8(samples) = &mut picture.samples {
                let mut state = number as u32 + 1;
                for sample in samples.iter_mut() {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *sample = sample.wrapping_add((state >> 27) as u8);
                }
            }
            picture
        });
        let bytes = std::fs::read(&path).unwrap();
        let cut = (bytes.len() as f64 * share) as usize;
        let path = workshop.write(&format!("cut-{name}"), &bytes[..cut]);
        let finished = vehicle(&workshop, &["detect", text(&path), "--json"]);
        let document = &finished.json()[0];
        let frames = document["frames"].as_u64().unwrap();
        assert!((1..FRAMES).contains(&frames), "{name}: {document}");
        assert_eq!(records(&workshop), frames, "{name}");
        // ffmpeg takes the end of such a file for the end of the clip where no index says otherwise.
        let refused = document["refused"].as_array().unwrap().len();
        let code = if refused == 0 { DONE } else { SOME_REJECTED };
        assert_eq!(finished.code, code, "{name}: {finished:?}");
        if name == "road.avi" {
            assert_eq!(refused, 1, "{document}");
            assert!(document["refused"][0]["reason"].to_string().contains("cut off"), "{document}");
        }
    }
}

#[test]
fn what_is_no_picture_is_set_aside_and_the_rest_is_done() {
    let workshop = garage();
    let folder = workshop.path("shots");
    std::fs::create_dir(&folder).unwrap();
    let good = image::RgbImage::from_pixel(64, 48, image::Rgb([90, 120, 150]));
    good.save(folder.join("1.png")).unwrap();
    std::fs::write(folder.join("2.png"), b"").unwrap();
    std::fs::write(folder.join("3.jpg"), b"no picture at all").unwrap();
    // A picture of zero by zero pixels: the head of a PNG that says so.
    let mut empty = std::fs::read(folder.join("1.png")).unwrap();
    empty[16..24].fill(0);
    std::fs::write(folder.join("4.png"), &empty).unwrap();
    good.save(folder.join("5.png")).unwrap();
    let document = &told(&workshop, SOME_REJECTED, &["detect", text(&folder)])[0];
    assert_eq!(document["frames"], 2, "{document}");
    let refused: Vec<String> =
        document["refused"].as_array().unwrap().iter().map(|refused| refused["file"].to_string()).collect();
    assert_eq!(refused.len(), 3, "{document}");
    for (file, told) in ["2.png", "3.jpg", "4.png"].iter().zip(&refused) {
        assert!(told.contains(file), "{document}");
    }
    assert_eq!(records(&workshop), 2);
}

/// A hundred megapixels are within what is decoded, and are seen like any other picture.
#[test]
fn a_picture_of_a_hundred_megapixels_is_looked_at() {
    let workshop = garage();
    let path = workshop.write("vast.png", vast::black(10_000, 10_000));
    let document = &json(&workshop, &["detect", text(&path)])[0];
    assert_eq!((&document["frames"], &document["refused"]), (&1.into(), &Value::Array(Vec::new())));
}

#[test]
fn a_clip_without_objects_is_no_failure() {
    let workshop = garage();
    let grey =
        |_| Picture { width: 64, height: 48, channels: 3, samples: Samples::U8(vec![128; 64 * 48 * 3]) };
    let path = clip(&workshop, "fog.avi", grey);
    let document = &json(&workshop, &["track", text(&path)])[0];
    assert_eq!((&document["frames"], &document["tracks"]), (&FRAMES.into(), &serde_json::json!({})));
    let detected = vehicle(&workshop, &["detect", text(&path)]);
    assert!(detected.stdout.contains("found nothing"), "{detected:?}");
}

#[test]
fn a_network_that_does_not_fit_its_layout_is_told_apart() {
    let workshop = garage();
    let folder = workshop.path("another");
    let own = plugin_folder("vehicle-detector");
    for entry in ["plugin.toml", "model/network.onnx"] {
        let target = folder.join(entry);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(own.join(entry), target).unwrap();
    }
    let library = foretell_tests::library("foretell_plugin_detector");
    std::fs::copy(&library, folder.join(library.file_name().unwrap())).unwrap();
    let manifest = std::fs::read_to_string(own.join("plugin.toml")).unwrap();
    let renamed = manifest
        .replace(
            "name = \"vehicle-detector\"",
            "name = \"another-detector\"\nengine = \"vehicle-detector@0.1.0\"",
        )
        .replace("layout = \"ssd\"", "layout = \"yolov8\"");
    assert_ne!(manifest, renamed);
    std::fs::write(folder.join("plugin.toml"), renamed).unwrap();
    workshop.registry().install(&folder, Existing::Keep).unwrap();
    let path = clip(&workshop, "road.avi", frame);
    let finished = vehicle(&workshop, &["detect", text(&path), "--model", "another-detector"]);
    assert_eq!(finished.code, SOME_REJECTED, "{finished:?}");
    let rows = manifest.lines().find_map(|line| line.strip_prefix("rows = ")).unwrap();
    for words in ["layout", &format!("expected f32[n, {rows}, 4]"), "and 10 more"] {
        assert!(finished.stdout.contains(words), "{words}: {finished:?}");
    }
    // The frames are stored, for when the settings are right.
    assert_eq!(records(&workshop), FRAMES);
}

#[test]
fn what_is_not_there_is_told() {
    let workshop = garage();
    let lines = workshop.path("lines.jsonl");
    for command in ["detect", "track", "drive"] {
        let words = [command, "nowhere.mp4", "--lines", text(&lines)];
        refused(&workshop, &words, &["nowhere.mp4", "there is no such file"]);
        // No empty file is left that a second try would have to replace.
        assert!(!lines.exists(), "{command}");
    }
    let path = workshop.write("words.mp4", "these are words, and no video");
    refused(&workshop, &["detect", text(&path)], &["words.mp4", "no video"]);
    refused(&workshop, &["track", "a.avi", "b.avi", "--clip", "one"], &["--clip", "2 inputs"]);
}
