//! The plugins that ship, through the runtime: they say what their recipe's ONNX Runtime said of the same made-up images.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt8Type};
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use foretell_tests::{build_directory, image_column, onnx_runtime};
use serde_json::Value;

/// Largest difference of a number: another processor adds in another order.
const TOLERANCE: f64 = 2e-4;

/// What the recipe wrote for a plugin: made-up images by formula, and what its network says of each.
fn golden(plugin: &str) -> Value {
    let path = format!("{}/../plugins/medical/{plugin}/tests/golden.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn load(plugin: &str) -> Plugin {
    let directory = build_directory().join("plugins").join(format!("medical-{plugin}"));
    let verified = Verified::trusting(&directory)
        .unwrap_or_else(|error| panic!("{error}; run `cargo xtask test`, or `cargo xtask assemble` first"));
    Plugin::load(&onnx_runtime(), verified, &LoadOptions::default()).unwrap()
}

/// The image that a formula of the recipe makes.
fn image(formula: &str, side: i64) -> Vec<u8> {
    let pixel = |y: i64, x: i64| match formula {
        "(y*7 + x*13 + (x*y) % 31) % 256" => (y * 7 + x * 13 + (x * y) % 31) % 256,
        "(x*255) / (N-1), whole division" => (x * 255) / (side - 1),
        "255 - ((y*y + x*x) / N) % 256, whole division" => 255 - ((y * y + x * x) / side) % 256,
        "128" => 128,
        other => panic!("no such formula: {other}"),
    };
    (0..side).flat_map(|y| (0..side).map(move |x| pixel(y, x) as u8)).collect()
}

/// Records of these images as the plugin is given them; it knows nothing else of them.
fn batch(plugin: &Plugin, images: &[Vec<u8>], side: i32) -> RecordBatch {
    let schema = plugin.schema();
    let column = image_column(schema.field(0).data_type(), images, side, side);
    let mut all: Vec<ArrayRef> = vec![Arc::new(column)];
    all.extend(schema.fields()[1..].iter().map(|field| new_null_array(field.data_type(), images.len())));
    RecordBatch::try_new(Arc::clone(schema), all).unwrap()
}

/// The cases of a plugin, and all of their images in one batch.
fn cases(name: &str, plugin: &Plugin) -> (Vec<Value>, RecordBatch) {
    let golden = golden(name);
    let side = golden["side"].as_i64().unwrap();
    let cases = golden["cases"].as_array().unwrap().clone();
    let images: Vec<_> = cases.iter().map(|case| image(case["formula"].as_str().unwrap(), side)).collect();
    (cases, batch(plugin, &images, side as i32))
}

#[track_caller]
fn near(found: f32, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: {expected}"));
    let tolerance = TOLERANCE * expected.abs().max(1.0);
    assert!((f64::from(found) - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn scores_distances_and_maps_are_those_of_the_recipe() {
    for name in ["chest-xray", "brain-tumor"] {
        let plugin = load(name);
        let (cases, records) = cases(name, &plugin);
        let predictions = plugin.predict(&records).unwrap();
        let columns = predictions.columns();
        let novelty = columns.column(1).as_primitive::<Float32Type>().values();
        let scores = match columns.column(0).as_fixed_size_list_opt() {
            Some(lists) => lists.values().as_primitive::<Float32Type>().values().to_vec(),
            None => columns.column(0).as_primitive::<Float32Type>().values().to_vec(),
        };
        let classes = scores.len() / cases.len();
        let maps = plugin.attend(&records).unwrap();
        for (row, case) in cases.iter().enumerate() {
            let formula = case["formula"].as_str().unwrap();
            near(novelty[row], &case["novelty"], &format!("novelty of {formula}"));
            let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let expected = list(case.get("score").unwrap_or(&case["scores"]));
            let means = list(&case["activation_mean"]);
            assert_eq!((expected.len(), means.len(), maps[row].classes.len()), (classes, classes, classes));
            for class in 0..classes {
                let what = format!("class {class} of {formula}");
                near(scores[row * classes + class], &expected[class], &what);
                let map = &maps[row].classes[class];
                near(map.iter().sum::<f32>() / map.len() as f32, &means[class], &what);
            }
            let first = case["activation_first_row"].as_array().unwrap();
            for (value, expected) in maps[row].classes[0].iter().zip(first) {
                near(*value, expected, &format!("map of {formula}"));
            }
        }
        // One image alone is told the same as among others.
        let alone = plugin.predict(&records.slice(1, 1)).unwrap();
        let distance = alone.columns().column(1).as_primitive::<Float32Type>().value(0);
        assert!((distance - novelty[1]).abs() < 1e-4, "{distance}, and {} among others", novelty[1]);
    }
}

#[test]
fn an_outline_is_where_the_recipe_is_surer_than_the_threshold() {
    let plugin = load("brain-outline");
    let threshold = plugin.manifest().config_json()["threshold"].as_f64().unwrap();
    let (cases, records) = cases("brain-outline", &plugin);
    let predictions = plugin.predict(&records).unwrap();
    let side = golden("brain-outline")["side"].as_u64().unwrap() as usize;
    let mut compared = 0;
    for (row, case) in cases.iter().enumerate() {
        let classes = predictions.columns().column(2).as_list::<i32>().value(row);
        let classes = classes.as_primitive::<UInt8Type>().values().to_vec();
        assert_eq!(classes.len(), side * side);
        for pixel in case["mask_pixels"].as_array().unwrap() {
            let [y, x] = ["y", "x"].map(|name| pixel[name].as_u64().unwrap() as usize);
            let likely = pixel["value"].as_f64().unwrap();
            // At the threshold itself either is right.
            if (likely - threshold).abs() > TOLERANCE {
                assert_eq!(
                    classes[y * side + x],
                    u8::from(likely >= threshold),
                    "{pixel} of {}",
                    case["formula"]
                );
                compared += 1;
            }
        }
    }
    assert!(compared >= cases.len(), "{compared} pixels were compared");
}
