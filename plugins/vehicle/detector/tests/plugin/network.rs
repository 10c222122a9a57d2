//! The shipped network with its own manifest, against what the recipe's `golden.py` made of its answers.

use std::path::Path;

use foretell_runtime::plugin::{LoadOptions, Plugin};
use foretell_runtime::trust::Verified;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{PACKAGE, answers, library, pictures, runtime};

/// Parts of the side in which rectangles are given.
const UNITS: usize = 320;

#[derive(Deserialize)]
struct Golden {
    side: usize,
    score: f32,
    overlap: f32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    formula: String,
    rectangles: Vec<[usize; 7]>,
    pixel_sum: u64,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    label: String,
    score: f32,
    corners: [f32; 4],
}

impl Case {
    /// The picture, as `picture` of `golden.py` makes it.
    fn picture(&self, side: usize) -> Vec<f32> {
        let sample: fn(usize, usize, usize, usize) -> usize = match self.formula.as_str() {
            "(y*7 + x*13 + c*50 + (x*y) % 31) % 256" => {
                |y, x, c, _| (y * 7 + x * 13 + c * 50 + (x * y) % 31) % 256
            }
            "(x*255) / (N-1), whole division" => |_, x, _, side| x * 255 / (side - 1),
            "200 - (y*120) / N - c*20, whole division" => |y, _, c, side| 200 - y * 120 / side - c * 20,
            "128" => |_, _, _, _| 128,
            other => panic!("no formula `{other}`"),
        };
        let mut samples: Vec<usize> = (0..side * side * 3)
            .map(|place| sample(place / 3 / side, place / 3 % side, place % 3, side))
            .collect();
        for [left, top, right, bottom, colour @ ..] in &self.rectangles {
            let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge * side / UNITS);
            for pixel in (top..bottom).flat_map(|y| (left..right).map(move |x| y * side + x)) {
                samples[pixel * 3..][..3].copy_from_slice(colour);
            }
        }
        assert_eq!(samples.iter().sum::<usize>() as u64, self.pixel_sum, "{}", self.formula);
        samples.into_iter().map(|sample| sample as f32).collect()
    }
}

#[test]
fn the_shipped_network_finds_what_the_recipe_says() {
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("model")).unwrap();
    for file in ["plugin.toml", "model/network.onnx"] {
        std::fs::copy(Path::new(PACKAGE).join(file), directory.path().join(file)).unwrap();
    }
    std::fs::copy(library(), directory.path().join(library().file_name().unwrap())).unwrap();
    let verified = Verified::trusting(directory.path()).unwrap();
    let golden: Golden = serde_json::from_str(include_str!("../network.json")).unwrap();
    let size = verified.manifest().inputs[0].picture().unwrap().size();
    assert_eq!(size, Some((golden.side as u32, golden.side as u32)));

    let Value::Object(config) = json!({"score": golden.score, "overlap": golden.overlap}) else {
        unreachable!()
    };
    let plugin =
        Plugin::load(&runtime(), verified, &LoadOptions { config, ..LoadOptions::default() }).unwrap();
    let shown: Vec<_> = golden.cases.iter().map(|case| case.picture(golden.side)).collect();
    let found = answers(&plugin, &pictures(plugin.schema(), golden.side, &shown)).unwrap();
    assert!(!golden.cases.is_empty() && found.len() == golden.cases.len());
    for (found, case) in found.iter().zip(&golden.cases) {
        assert_eq!(found.len(), case.objects.len(), "{}: {found:?}", case.formula);
        for ((label, score, [x, y, width, height]), expected) in found.iter().zip(&case.objects) {
            assert_eq!(label, &expected.label, "{}", case.formula);
            assert!((score - expected.score).abs() < 1e-3, "{}: {score} {}", case.formula, expected.score);
            for (side, expected) in [*x, *y, x + width, y + height].iter().zip(expected.corners) {
                assert!((side - expected).abs() < 0.1, "{}: {side} {expected}", case.formula);
            }
        }
    }
}
