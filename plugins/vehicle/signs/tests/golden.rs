//! The shipped network through the runtime says what its recipe's ONNX Runtime said of the same made-up crops. These tests need
//! ONNX Runtime, and say so when it is missing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder, UInt8Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, RecordBatch, StructArray, new_null_array};
use arrow_schema::{DataType, Field};
// Links the library, so that cargo builds it before the test.
use foretell_plugin_signs as _;
use foretell_runtime::onnx::{Places, Runtime};
use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use serde_json::Value;
use tempfile::TempDir;

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Largest difference of a number: another processor adds in another order.
const TOLERANCE: f64 = 2e-4;
const CHANNELS: i64 = 3;
/// Colours of the drawn signs, red, green and blue: rim, field, and what is behind the sign.
const COLOURS: [[u8; 3]; 3] = [[180, 30, 40], [230, 230, 230], [90, 120, 150]];
const RIM: usize = 0;
const FIELD: usize = 1;
const BEHIND: usize = 2;

/// The library of this build, which lies beside the running test.
fn library() -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let test = std::env::current_exe().unwrap();
    test.with_file_name(format!("{DLL_PREFIX}foretell_plugin_signs{DLL_SUFFIX}"))
}

/// The plugin's directory, as it would be installed.
fn directory() -> TempDir {
    let place = TempDir::new().unwrap();
    std::fs::create_dir(place.path().join("model")).unwrap();
    for file in ["plugin.toml", "model/network.onnx"] {
        std::fs::copy(Path::new(PACKAGE).join(file), place.path().join(file)).unwrap();
    }
    std::fs::copy(library(), place.path().join(library().file_name().unwrap())).unwrap();
    place
}

fn plugin() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let runtime = Runtime::start(&Places::of_process(None)).unwrap_or_else(|error| panic!("{error}"));
        let directory = directory();
        let verified = Verified::trusting(directory.path()).unwrap();
        Plugin::load(&runtime, verified, &LoadOptions::default()).unwrap()
    })
}

/// What the recipe wrote: the side of a crop, and a case for each of them.
fn golden() -> (i64, Vec<Value>) {
    let told: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    (told["side"].as_i64().unwrap(), told["cases"].as_array().unwrap().clone())
}

/// The colour of a drawn sign: `u` and `v` are twice the distance from the middle, to the right and downwards.
fn drawn(name: &str, v: i64, u: i64, side: i64) -> Option<[u8; 3]> {
    let part = match name {
        "no entry" if 8 * v.abs() < side && 5 * u.abs() < 3 * side => FIELD,
        "no entry" if u * u + v * v < (side - 2).pow(2) => RIM,
        "no entry" => BEHIND,
        "yield" => match (2 * side + 2 * v - 8).min(side - v - 2 * u.abs() - 4) {
            room if room < 0 => BEHIND,
            room if room < side / 2 => RIM,
            _ => FIELD,
        },
        _ => return None,
    };
    Some(COLOURS[part])
}

/// The crop that a formula of the recipe makes.
fn crop(formula: &str, side: i64) -> Vec<u8> {
    let pixel = |y: i64, x: i64, c: i64| {
        if let Some(colour) = drawn(formula, 2 * y - side + 1, 2 * x - side + 1, side) {
            return i64::from(colour[c as usize]);
        }
        match formula {
            "(y*7 + x*13 + (x*y) % 31 + c*40) % 256" => (y * 7 + x * 13 + (x * y) % 31 + c * 40) % 256,
            "((x*(2-c) + y*c)*255) / (2*(N-1)), whole division" => {
                ((x * (2 - c) + y * c) * 255) / (2 * (side - 1))
            }
            "255 - ((y*y + x*x)*(c+1) / N) % 256, whole division" => {
                255 - ((y * y + x * x) * (c + 1) / side) % 256
            }
            "128" => 128,
            other => panic!("no such formula: {other}"),
        }
    };
    let places = (0..side).flat_map(|y| (0..side).map(move |x| (y, x)));
    places.flat_map(|(y, x)| (0..CHANNELS).map(move |c| pixel(y, x, c) as u8)).collect()
}

/// A column of images of the manifest's type.
fn image_column(data_type: &DataType, images: &[Vec<u8>], side: i64) -> StructArray {
    let DataType::Struct(fields) = data_type else { panic!("an image is a struct, and this is {data_type}") };
    let item = |field: &Field| match field.data_type() {
        DataType::List(item) | DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => panic!("{other} is no list"),
    };
    let mut data = ListBuilder::new(UInt8Builder::new()).with_field(item(&fields[0]));
    let mut shape = FixedSizeListBuilder::new(Int32Builder::new(), 3).with_field(item(&fields[1]));
    for image in images {
        data.values().append_slice(image);
        data.append(true);
        shape.values().append_slice(&[side, side, CHANNELS].map(|side| side as i32));
        shape.append(true);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(data.finish()), Arc::new(shape.finish())];
    StructArray::new(fields.clone(), columns, None)
}

/// Records of these crops as the plugin is given them; it knows nothing else of them.
fn batch(images: &[Vec<u8>], side: i64) -> RecordBatch {
    let schema = plugin().schema();
    let mut all: Vec<ArrayRef> = vec![Arc::new(image_column(schema.field(0).data_type(), images, side))];
    all.extend(schema.fields()[1..].iter().map(|field| new_null_array(field.data_type(), images.len())));
    RecordBatch::try_new(Arc::clone(schema), all).unwrap()
}

/// For each crop, what the plugin says: the scores in the order of the labels, and the distance.
fn answers(records: &RecordBatch) -> Vec<(Vec<f32>, f32)> {
    let predictions = plugin().predict(records).unwrap();
    let columns = predictions.columns();
    let novelty = columns.column(1).as_primitive::<Float32Type>().values();
    let scores = columns.column(0).as_fixed_size_list();
    let scores = |row: usize| scores.value(row).as_primitive::<Float32Type>().values().to_vec();
    (0..records.num_rows()).map(|row| (scores(row), novelty[row])).collect()
}

#[track_caller]
fn near(found: f32, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: {expected}"));
    let tolerance = TOLERANCE * expected.abs().max(1.0);
    assert!((f64::from(found) - expected).abs() <= tolerance, "{what}: {found}, expected {expected}");
}

#[test]
fn scores_and_distances_are_those_of_the_recipe() {
    let (side, cases) = golden();
    let labels = &plugin().manifest().output.labels;
    let threshold = plugin().manifest().output.novelty.as_ref().unwrap().threshold;
    let crops: Vec<_> = cases.iter().map(|case| crop(case["formula"].as_str().unwrap(), side)).collect();
    let answers = answers(&batch(&crops, side));
    assert_eq!(answers.len(), cases.len());
    for ((scores, novelty), case) in answers.iter().zip(&cases) {
        let formula = case["formula"].as_str().unwrap();
        near(*novelty, &case["distance"], &format!("distance of {formula}"));
        let expected = case["probability"].as_array().unwrap();
        assert_eq!((scores.len(), expected.len()), (labels.len(), labels.len()));
        for ((score, expected), label) in scores.iter().zip(expected).zip(labels) {
            near(*score, expected, &format!("{label} of {formula}"));
        }
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{formula}");
        let best = (0..labels.len()).max_by(|left, right| scores[*left].total_cmp(&scores[*right])).unwrap();
        assert_eq!(labels[best], case["called"].as_str().unwrap(), "{formula}");
        if labels.iter().any(|label| label == formula) {
            // A drawing of a sign: it is called what it is.
            assert_eq!(labels[best], formula);
        } else {
            assert!(f64::from(*novelty) > threshold, "{formula} is no sign, and its distance is {novelty}");
        }
    }
}

#[test]
fn one_crop_alone_is_told_the_same_as_among_others() {
    let (side, cases) = golden();
    let crops: Vec<_> = cases.iter().map(|case| crop(case["formula"].as_str().unwrap(), side)).collect();
    let records = batch(&crops, side);
    let together = answers(&records);
    for (row, (scores, novelty)) in together.iter().enumerate() {
        let alone = answers(&records.slice(row, 1)).remove(0);
        assert!((alone.1 - novelty).abs() <= 1e-4 * novelty.max(1.0), "{} {novelty}", alone.1);
        for (left, right) in alone.0.iter().zip(scores) {
            assert!((left - right).abs() <= 1e-4, "{left} {right}");
        }
    }
}

#[test]
fn no_crops_are_answered_by_nothing() {
    let (side, _) = golden();
    assert!(answers(&batch(&[], side)).is_empty());
}
