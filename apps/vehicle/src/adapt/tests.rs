//! Proposals for networks of every kind, by what would be seen of them.

use std::collections::BTreeMap;
use std::path::Path;

use foretell_runtime::hash::Hash;
use foretell_runtime::manifest::Manifest;
use foretell_runtime::onnx::Element;

use super::*;

/// A picture of 128 x 128, so that few numbers make an answer.
const SIDE: usize = 128;
/// Cells of 8, 16 and 32 pixels in it.
const CELLS: usize = 256 + 64 + 16;

fn facts(outputs: Vec<Seen>) -> Facts {
    let input = Input {
        declared: "`images` f32[1, 3, 128, 128]".to_owned(),
        is_nhwc: false,
        takes_bytes: false,
        width: SIDE,
        height: SIDE,
        is_sized: true,
        batch: Some(1),
    };
    Facts { input, outputs, dim: Some(0.1), metadata: BTreeMap::new() }
}

fn seen(name: &str, shape: &[usize], number: impl Fn(usize) -> f32) -> Seen {
    let declared = format!("`{name}` f32{shape:?}");
    let numbers = (0..shape.iter().product()).map(number).collect();
    Seen { name: name.to_owned(), declared, element: Element::F32, shape: shape.to_vec(), numbers }
}

/// The middle of the cell of a row, in pixels, for so many anchors a cell.
fn middle(row: usize, anchors: usize) -> [f32; 2] {
    let mut row = row;
    for (stride, cells) in [(8, 256), (16, 64), (32, 16)] {
        if row < cells * anchors {
            let (cell, across) = (row % cells, SIDE / stride);
            return [cell % across, cell / across].map(|side| (side as f32 + 0.5) * stride as f32);
        }
        row -= cells * anchors;
    }
    panic!("there is no such row");
}

/// A probability, from its place.
fn chance(place: usize) -> f32 {
    (place * 37 % 101) as f32 / 101.0
}

/// The settings that are proposed, `classes` and `map` aside, and how sure they are.
fn settings(facts: &Facts, names: Option<&[&str]>) -> Vec<String> {
    let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let proposal = propose(facts, names).unwrap_or_else(|error| panic!("{error}"));
    let wanted = proposal.lines.iter().filter(|line| !["classes", "score", "batch"].contains(&line.key));
    wanted.map(|line| format!("{} = {} ({})", line.key, line.value, line.certainty)).collect()
}

const SCALE: &str = "scale = 1.0 (likely)";
const RGB: &str = "channels = \"rgb\" (likely)";

#[test]
fn yolox_is_known_by_its_cells_and_its_offsets() {
    let grid = seen("output", &[CELLS, 85], |place| if place % 85 < 4 { chance(place) } else { 0.01 });
    let found = settings(&facts(vec![grid]), None);
    let bgr = "channels = \"bgr\" (likely)";
    assert_eq!(found, ["layout = \"yolox\" (certain)", "form = \"grid\" (certain)", bgr, SCALE]);
    let moved = seen("output", &[CELLS, 85], |place| match place % 85 {
        column @ 0..2 => middle(place / 85, 1)[column] + 3.0,
        2..4 => 20.0,
        _ => 0.01,
    });
    let found = settings(&facts(vec![moved]), None);
    assert_eq!(found[1], "form = \"decoded\" (certain)");
}

#[test]
fn yolov5_has_three_anchors_a_cell() {
    let columns = 5 + 3;
    let names = ["car", "bus", "dog"];
    let decoded = seen("output0", &[3 * CELLS, columns], |place| match place % columns {
        column @ 0..2 => middle(place / columns, 3)[column] / SIDE as f32,
        2..4 => 0.3,
        _ => chance(place),
    });
    let found = settings(&facts(vec![decoded]), Some(&names));
    let expected = [
        "layout = \"yolov5\" (certain)",
        "form = \"decoded\" (certain)",
        "unit = \"fraction\" (certain)",
        RGB,
        SCALE,
    ];
    assert_eq!(found, expected);
    let logits = |place: usize| chance(place) * 12.0 - 9.0;
    let grid = settings(&facts(vec![seen("output", &[3 * CELLS, columns], logits)]), Some(&names));
    assert_eq!(grid[1..3], ["form = \"grid\" (certain)", "activation = \"sigmoid\" (certain)"]);
    let apart = [16, 8, 4].map(|side| seen("scale", &[3, side, side, columns], logits));
    let found = settings(&facts(apart.to_vec()), Some(&names));
    assert_eq!(
        found[..3],
        [
            "layout = \"yolov5\" (certain)",
            "form = \"scales\" (certain)",
            "activation = \"sigmoid\" (certain)"
        ]
    );
}

#[test]
fn yolov8_has_its_anchors_last() {
    let columns = |place: usize| match place / CELLS {
        row @ 0..2 => middle(place % CELLS, 1)[row],
        2..4 => 30.0,
        _ => chance(place),
    };
    let found = settings(&facts(vec![seen("output0", &[84, CELLS], columns)]), None);
    assert_eq!(found, ["layout = \"yolov8\" (certain)", RGB, SCALE]);
    // DETR's kin: few boxes, in parts of the picture.
    let rows = seen("output0", &[100, 84], chance);
    let found = settings(&facts(vec![rows]), None);
    assert_eq!(
        found[..5],
        [
            "layout = \"yolov8\" (a guess)",
            "form = \"rows\" (a guess)",
            "rows = 100 (certain)",
            "overlap = 1.0 (a guess)",
            "unit = \"fraction\" (certain)",
        ]
    );
}

#[test]
fn ssd_has_boxes_beside_scores_in_either_order() {
    let boxes = seen("boxes", &[100, 4], |place| {
        // Top, left, bottom, right of a grid of 10 x 10.
        let (cell, column) = (place / 4, place % 4);
        let middle = [cell / 10, cell % 10][column % 2] as f32 / 10.0 + 0.05;
        if column < 2 { middle - 0.1 } else { middle + 0.1 }
    });
    let scores = seen("scores", &[100, 91], chance);
    let expected = ["order = \"yxyx\" (certain)", "unit = \"fraction\" (certain)", RGB, SCALE];
    let found = settings(&facts(vec![boxes.clone(), scores.clone()]), None);
    assert_eq!(found[..2], ["layout = \"ssd\" (certain)", "rows = 100 (certain)"]);
    assert_eq!(found[2..], expected);
    let other = seen("other", &[7], chance);
    let found = settings(&facts(vec![scores, other, boxes]), None);
    assert_eq!(found[2], "outputs = [\"scores\", { role = \"ignored\", shape = [7] }, \"boxes\"] (certain)");
    assert_eq!(found[3..], expected);
}

#[test]
fn final_boxes_are_known_together_or_apart() {
    let together = seen("output0", &[30, 6], |place| if place % 6 == 5 { 2.0 } else { chance(place) * 60.0 });
    let found = settings(&facts(vec![together]), Some(&["car", "bus", "person"]));
    assert_eq!(found[..2], ["layout = \"end-to-end\" (certain)", "rows = 30 (certain)"]);
    let integers = |name: &str, shape: &[usize]| Seen { element: Element::I64, ..seen(name, shape, |_| 1.0) };
    let outputs = vec![
        seen("num_detections", &[1], |_| 30.0),
        seen("detection_boxes", &[30, 4], chance),
        seen("detection_scores", &[30], chance),
        integers("detection_classes", &[30]),
    ];
    let found = settings(&facts(outputs), Some(&["background", "car"]));
    assert_eq!(
        found[2],
        "outputs = [{ role = \"count\", shape = [1] }, \"boxes\", \"scores\", { role = \"classes\", element = \"int64\" }] \
         (certain)"
    );
    assert_eq!(found[3..5], ["order = \"yxyx\" (likely)", "unit = \"fraction\" (certain)"]);
}

#[test]
fn centres_are_known_by_their_maps() {
    let outputs = vec![
        seen("hm", &[3, 32, 32], |place| chance(place) - 5.0),
        seen("wh", &[2, 32, 32], |place| chance(place) * 9.0),
        seen("reg", &[2, 32, 32], chance),
    ];
    let found = settings(&facts(outputs), Some(&["car", "bus", "person"]));
    assert_eq!(
        found[..3],
        [
            "layout = \"centre\" (certain)",
            "outputs = [\"heat\", \"size\", \"offset\"] (certain)",
            "activation = \"sigmoid\" (certain)",
        ]
    );
}

#[test]
fn what_a_file_says_of_itself_is_compared_with_its_shapes() {
    let columns = seen("output0", &[4 + 2, CELLS], chance);
    let mut facts = facts(vec![columns]);
    facts.metadata.insert("author".to_owned(), "Ultralytics".to_owned());
    facts.metadata.insert("names".to_owned(), "{0: 'rider', 1: 'traffic light'}".to_owned());
    let proposal = propose(&facts, None).unwrap();
    let config = proposal.config();
    assert!(config.contains("classes = [\"rider\", \"traffic light\"]"), "{config}");
    assert!(
        config.contains("map = { rider = \"person\", \"traffic light\" = \"traffic light\" }"),
        "{config}"
    );
    assert!(config.contains("scale = 0.00392156862745098"), "{config}");
    assert!(proposal.image.value.contains("fit = \"letterbox\", pad = 114"), "{}", proposal.image.value);
    assert_eq!(proposal.labels(), ["person", "traffic light"]);

    facts.metadata.insert("names".to_owned(), "{0: 'rider'}".to_owned());
    let error = propose(&facts, None).unwrap_err().to_string();
    assert!(error.contains("name 1 classes, and the network has 2"), "{error}");
    facts.metadata.clear();
    let error = propose(&facts, None).unwrap_err().to_string();
    assert!(error.contains("the names of its 2 classes") && error.contains("--labels"), "{error}");
    let error = propose(&facts, Some(vec!["cat".to_owned(), "dog".to_owned()])).unwrap_err().to_string();
    assert!(
        error.contains("none of its classes is one of car, truck") && error.contains("cat, dog"),
        "{error}"
    );
}

#[test]
fn a_proposal_becomes_a_manifest_that_is_one() {
    let detector = include_str!("../../../../plugins/vehicle/detector/plugin.toml");
    let detector = Manifest::parse(detector, Path::new("detector")).unwrap();
    let grid = seen("output", &[CELLS, 85], |place| if place % 85 < 4 { chance(place) } else { 0.01 });
    let proposal = propose(&facts(vec![grid]), None).unwrap();
    let network = Hash::of(b"network");
    let text = write::manifest(&proposal, "yolox-nano", &network, &detector);
    let manifest = Manifest::parse(&text, Path::new("yolox")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        manifest.plugin.engine.unwrap().to_string(),
        format!("vehicle-detector@{}", detector.plugin.version)
    );
    assert_eq!(manifest.output.labels, LABELS);
    assert_eq!(manifest.models[0].blake3, network);
}

#[test]
fn names_of_plugins_are_made_of_files() {
    for (file, expected) in [
        ("/models/yolox_nano.onnx", "yolox-nano"),
        ("YOLO11n (2).onnx", "yolo11n-2"),
        ("8n.onnx", "detector-8n"),
        ("...", "detector"),
    ] {
        assert_eq!(name_of(Path::new(file)), expected);
    }
}

#[test]
fn what_is_no_detector_is_refused() {
    for outputs in [
        vec![seen("probabilities", &[1000], chance)],
        vec![seen("mask", &[2, 64, 64], chance)],
        vec![seen("a", &[10, 3], chance), seen("b", &[10], chance)],
        vec![],
    ] {
        let error = propose(&facts(outputs), None).unwrap_err().to_string();
        assert!(error.starts_with("expected the answer of a detector, found "), "{error}");
    }
}
