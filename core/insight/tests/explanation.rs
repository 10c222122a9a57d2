//! Explanations of models whose answer is known: by thought, and from `golden/make_explanation.py`.

use foretell_insight::explanation::{
    Baseline, Batch, ExplanationError, HeatMap, IMAGE_PIXELS_MAX, Image, Occlusion, Perturbation, Point,
    area, deletion, faithfulness, insertion, occlusion,
};
use serde_json::Value;

type Scores = Result<Vec<f32>, ExplanationError>;

/// Of scores that went through 32-bit numbers.
const TOLERANCE: f64 = 1e-6;

/// A model that answers `of` each image.
fn model(of: impl Fn(&[u8]) -> f64) -> impl FnMut(Batch<'_>) -> Scores {
    move |batch| Ok(batch.iter().map(|image| of(image) as f32).collect())
}

#[track_caller]
fn assert_close(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < TOLERANCE,
            "{what} at {place}: expected {expected}, found {found}"
        );
    }
}

fn scores(curve: &[Point]) -> Vec<f64> {
    curve.iter().map(|point| point.score).collect()
}

fn values(map: &HeatMap) -> impl Iterator<Item = f64> {
    map.values().iter().map(|&value| f64::from(value))
}

/// Four pixels of 200 among black ones, and a model that reads one of them: every patch over it takes the whole score.
#[test]
fn a_model_that_reads_one_pixel_has_a_map_around_it() {
    let mut samples = vec![0; 6 * 5];
    samples[2 * 5 + 3] = 200;
    let image = Image::new(6, 5, 1, &samples).expect("an image");
    let settings = Occlusion { patch: 2, stride: 1, baseline: Baseline::Mean, batch: 3 };
    let found = occlusion(&image, &settings, model(|image| f64::from(image[2 * 5 + 3]))).expect("a map");
    assert_eq!(found.score, 200.0);
    // The mean of the image is 200 / 30, rounded to 7. Of the patches over a neighbour some lie over the pixel too.
    let drop = 193.0;
    for row in 0..6usize {
        for column in 0..5usize {
            let patches = |place: usize, side: usize| {
                (place.saturating_sub(1)..=place.min(side - 2)).collect::<Vec<_>>()
            };
            let (tops, lefts) = (patches(row, 6), patches(column, 5));
            let over = |starts: &[usize], place: usize| {
                starts.iter().filter(|&&start| start == place || start + 1 == place).count()
            };
            let share = (over(&tops, 2) * over(&lefts, 3)) as f64 / (tops.len() * lefts.len()) as f64;
            assert!((f64::from(found.map.at(row, column)) - drop * share).abs() < 1e-4, "{row} {column}");
        }
    }
    assert_eq!(found.map.at(2, 3), 193.0);
    assert_eq!(found.map.at(5, 0), 0.0);
}

/// Patches beside each other, and a sum as score: what a patch takes is the sum over its own pixels.
#[test]
fn the_map_of_a_linear_model_is_exact() {
    let samples: Vec<u8> = (0..8 * 12 * 3).map(|place| (place * 37 % 251) as u8).collect();
    let image = Image::new(8, 12, 3, &samples).expect("an image");
    let weight = |place: usize| (place % 7) as f64 - 3.0;
    let sum =
        |image: &[u8]| image.iter().enumerate().map(|(place, &value)| weight(place) * f64::from(value)).sum();
    for baseline in [Baseline::Blurred, Baseline::Mean] {
        let settings = Occlusion { patch: 4, stride: 4, baseline, batch: 16 };
        assert_eq!(settings.predictions(&image), Ok(7));
        let found = occlusion(&image, &settings, model(sum)).expect("a map");
        let hidden = baseline.samples(&image);
        let taken = |row: usize, column: usize, channel: usize| {
            let place = (row * 12 + column) * 3 + channel;
            weight(place) * (f64::from(samples[place]) - f64::from(hidden[place]))
        };
        for row in 0..8 {
            for column in 0..12 {
                let (top, left) = (row / 4 * 4, column / 4 * 4);
                let rows = top..top + 4;
                let expected: f64 = rows
                    .flat_map(|row| {
                        (left..left + 4).flat_map(move |column| (0..3).map(move |c| (row, column, c)))
                    })
                    .map(|(row, column, channel)| taken(row, column, channel))
                    .sum();
                assert_eq!(found.map.at(row, column), expected as f32, "{baseline:?} {row} {column}");
            }
        }
    }
}

#[test]
fn the_last_patch_ends_with_the_image() {
    // Of 7 pixels with patches of 3 every 2: 0, 2, 4. Of 8: 0, 2, 4, 5.
    let samples = vec![0; 7 * 8];
    let image = Image::new(7, 8, 1, &samples).expect("an image");
    let settings = Occlusion { patch: 3, stride: 2, ..Occlusion::default() };
    assert_eq!(settings.predictions(&image), Ok(3 * 4 + 1));
    let whole = Occlusion { patch: 7, stride: 7, ..Occlusion::default() };
    assert_eq!(whole.predictions(&image), Ok(3));
}

/// Half of the pixels are white and make the score; the map knows which.
#[test]
fn areas_of_a_map_that_knows_are_a_quarter_and_three_quarters() {
    let samples: Vec<u8> = (0..100).map(|place| if place % 2 == 0 { 250 } else { 0 }).collect();
    let image = Image::new(10, 10, 1, &samples).expect("an image");
    let bright = |image: &[u8]| image.iter().filter(|&&sample| sample == 250).count() as f64 / 50.0;
    let knows =
        HeatMap::new(10, 10, samples.iter().map(|&sample| f32::from(sample)).collect()).expect("a map");
    let settings = Perturbation { steps: 10, cell: 1, random_orders: 50, ..Perturbation::default() };
    let found = faithfulness(&image, &knows, &settings, model(bright)).expect("curves");
    let falling: Vec<f64> = (0..=10).map(|step| (1.0 - f64::from(step) / 5.0).max(0.0)).collect();
    let rising: Vec<f64> = (0..=10).map(|step| (f64::from(step) / 5.0).min(1.0)).collect();
    assert_close("deletion", scores(&found.curves.deletion), &falling);
    assert_close("insertion", scores(&found.curves.insertion), &rising);
    assert_close("areas", [found.deletion_area, found.insertion_area], &[0.25, 0.75]);
    assert_eq!(found.score, 1.0);
    // A random order takes them evenly, so the curve is the diagonal, but for chance: the score after half of 100
    // pixels has a standard deviation of about 0.1, and 50 orders make it 0.014.
    for random in [found.random_deletion_area, found.random_insertion_area] {
        assert!((random - 0.5).abs() < 0.05, "{random}");
    }
    assert!(found.is_better_than_random());
    let wrong = HeatMap::new(10, 10, knows.values().iter().map(|value| -value).collect()).expect("a map");
    let found = faithfulness(&image, &wrong, &settings, model(bright)).expect("curves");
    assert_close("areas", [found.deletion_area, found.insertion_area], &[0.75, 0.25]);
    assert!(!found.is_better_than_random());
}

#[test]
fn equal_values_go_in_the_order_of_their_position() {
    let samples: Vec<u8> = (1..=16).map(|value| value * 10).collect();
    let image = Image::new(4, 4, 1, &samples).expect("an image");
    // 0 and -0 are equal.
    let even = HeatMap::new(4, 4, (0..16).map(|place| if place % 3 == 0 { -0.0 } else { 0.0 }).collect());
    let settings = Perturbation { steps: 16, baseline: Baseline::Mean, ..Perturbation::default() };
    // The mean of the image is 85, which no pixel has.
    let first_kept =
        model(|image| image.iter().position(|&value| value != 85).map_or(16.0, |place| place as f64));
    let curve = deletion(&image, &even.expect("a map"), &settings, first_kept).expect("a curve");
    assert_close("first kept", scores(&curve), &(0..=16).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_gives_the_same_random_orders() {
    let samples: Vec<u8> = (0..81).map(|place| place * 3).collect();
    let image = Image::new(9, 9, 1, &samples).expect("an image");
    let map = HeatMap::new(9, 9, vec![0.0; 81]).expect("a map");
    let uneven = |image: &[u8]| image.iter().enumerate().map(|(place, &x)| place as f64 * f64::from(x)).sum();
    let of = |seed| {
        let settings = Perturbation { cell: 2, seed, ..Perturbation::default() };
        faithfulness(&image, &map, &settings, model(uneven)).expect("curves")
    };
    assert_eq!(of(1), of(1));
    let (one, two) = (of(1).curves, of(2).curves);
    assert_eq!((&one.deletion, &one.insertion), (&two.deletion, &two.insertion));
    assert_ne!(one.random_deletion, two.random_deletion);
}

#[test]
fn areas_by_the_trapezoid_rule() {
    let curve = |points: &[(f64, f64)]| -> Vec<Point> {
        points.iter().map(|&(share, score)| Point { share, score }).collect()
    };
    for (points, expected) in [
        (&[][..], 0.0),
        (&[(0.5, 3.0)], 0.0),
        (&[(0.0, 1.0), (1.0, 0.0)], 0.5),
        (&[(0.0, 2.0), (0.25, 2.0), (1.0, 2.0)], 2.0),
        (&[(0.0, 0.0), (0.5, -1.0), (1.0, 0.0)], -0.5),
    ] {
        assert_eq!(area(&curve(points)), expected, "{points:?}");
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn samples(value: &Value) -> Vec<u8> {
    numbers(value).into_iter().map(|value| value as u8).collect()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/explanation.json")).expect("valid JSON")
}

fn count(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

#[test]
fn maps_and_curves_are_those_of_numpy() {
    for case in golden()["images"].as_array().expect("cases") {
        let held = samples(&case["image"]);
        let size: Vec<usize> = numbers(&case["size"]).into_iter().map(|side| side as usize).collect();
        let [height, width, channels] = size[..] else { panic!("three sides") };
        let image = Image::new(height, width, channels, &held).expect("an image");
        assert_eq!(Baseline::Blurred.samples(&image), samples(&case["blurred"]), "{size:?}");
        assert_eq!(Baseline::Mean.samples(&image)[..channels], samples(&case["mean"]), "{size:?}");

        let weights = numbers(&case["weights"]);
        let sum = |image: &[u8]| -> f64 {
            weights.iter().zip(image).map(|(weight, &x)| weight * f64::from(x)).sum()
        };
        let score = |image: &[u8]| (sum(image) / 255.0).tanh();
        let baseline: Baseline = serde_json::from_value(case["baseline"].clone()).expect("a baseline");
        let (patch, stride) = (count(&case["patch"]), count(&case["stride"]));
        let settings = Occlusion { patch, stride, baseline, batch: 5 };
        let found = occlusion(&image, &settings, model(score)).expect("a map");
        assert_close("score", [f64::from(found.score)], &[case["score"].as_f64().expect("a number")]);
        assert_close("map", values(&found.map), &numbers(&case["map"]));

        let order_by = numbers(&case["order_by"]).into_iter().map(|value| value as f32).collect();
        let order_by = HeatMap::new(height, width, order_by).expect("a map");
        let settings =
            Perturbation { steps: count(&case["steps"]), baseline, batch: 4, ..Perturbation::default() };
        let away = deletion(&image, &order_by, &settings, model(score)).expect("a curve");
        let back = insertion(&image, &order_by, &settings, model(score)).expect("a curve");
        for (name, curve) in [("deletion", away), ("insertion", back)] {
            let expected = &case[name];
            assert_close(name, curve.iter().map(|point| point.share), &numbers(&expected["shares"]));
            assert_close(name, scores(&curve), &numbers(&expected["scores"]));
            assert_close(name, [area(&curve)], &[expected["area"].as_f64().expect("a number")]);
        }
    }
}

#[test]
fn larger_maps_are_those_of_pillow() {
    for case in golden()["maps"].as_array().expect("cases") {
        let sides = |name: &str| (count(&case[name][0]), count(&case[name][1]));
        let (height, width) = sides("size");
        let map = numbers(&case["map"]).into_iter().map(|value| value as f32).collect();
        let (high, wide) = sides("resized");
        let larger = HeatMap::new(height, width, map).expect("a map").resized(high, wide).expect("a map");
        assert_eq!((larger.height(), larger.width()), (high, wide));
        assert_close("resized", values(&larger), &numbers(&case["expected"]));
    }
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let samples = vec![7; 6 * 4];
    let image = Image::new(6, 4, 1, &samples).expect("an image");
    let map = HeatMap::new(6, 4, vec![0.0; 24]).expect("a map");
    let coarse = HeatMap::new(3, 2, vec![0.0; 6]).expect("a map");
    let one = || model(|_| 1.0);
    let patches = Occlusion { patch: 2, stride: 1, ..Occlusion::default() };
    let steps = Perturbation { cell: 2, ..Perturbation::default() };
    let cases: Vec<(&str, ExplanationError)> = vec![
        ("found 0 x 4", Image::new(0, 4, 1, &[]).expect_err("no rows")),
        ("16777217", Image::new(1, IMAGE_PIXELS_MAX + 1, 1, &[]).expect_err("too large")),
        ("1 to 16777216 pixels", HeatMap::new(usize::MAX, 2, Vec::new()).expect_err("too large")),
        ("channels, found 0", Image::new(1, 1, 0, &[]).expect_err("no channels")),
        ("expected 24 values", Image::new(6, 4, 1, &samples[1..]).expect_err("too few")),
        (
            "row 1, column 0 of the map is NaN",
            HeatMap::new(2, 1, vec![0.0, f32::NAN]).expect_err("no number"),
        ),
        ("found 0 x 3", map.resized(0, 3).expect_err("no rows")),
        (
            "patch of 1 to 4",
            occlusion(&image, &Occlusion { patch: 5, ..patches }, one()).expect_err("too large"),
        ),
        (
            "patch of 1 to 4",
            occlusion(&image, &Occlusion { patch: 0, ..patches }, one()).expect_err("nothing"),
        ),
        (
            "stride of 1 to 2",
            occlusion(&image, &Occlusion { stride: 3, ..patches }, one()).expect_err("gaps"),
        ),
        (
            "stride of 1 to 2",
            occlusion(&image, &Occlusion { stride: 0, ..patches }, one()).expect_err("no end"),
        ),
        ("images at once", occlusion(&image, &Occlusion { batch: 0, ..patches }, one()).expect_err("none")),
        ("3 x 2 places", faithfulness(&image, &coarse, &steps, one()).expect_err("another size")),
        ("3 x 2 places", deletion(&image, &coarse, &steps, one()).expect_err("another size")),
        (
            "cell of 1 to 4",
            faithfulness(&image, &map, &Perturbation { cell: 9, ..steps }, one()).expect_err("large"),
        ),
        (
            "1000 steps",
            insertion(&image, &map, &Perturbation { steps: 1_001, ..steps }, one()).expect_err("many"),
        ),
        ("orders, found 0", Perturbation { random_orders: 0, ..steps }.predictions().expect_err("none")),
        (
            "needs 202202",
            Perturbation { steps: 1_000, random_orders: 100, ..steps }.predictions().expect_err("many"),
        ),
        ("answered inf", occlusion(&image, &patches, model(|_| f64::INFINITY)).expect_err("no number")),
        ("with 1 scores", occlusion(&image, &patches, |_| Scores::Ok(vec![1.0])).expect_err("too few")),
        ("map is inf", {
            // Each score is finite, their difference is not.
            let mut great = [f32::MAX, f32::MIN].into_iter().cycle();
            occlusion(&image, &Occlusion { patch: 4, stride: 4, batch: 1, ..patches }, |_| {
                Scores::Ok(great.by_ref().take(1).collect())
            })
            .expect_err("too far apart")
        }),
    ];
    for (expected, error) in cases {
        let message = error.to_string();
        assert!(message.contains(expected), "expected `{expected}` in `{message}`");
    }
    let wide = vec![0; 400 * 400];
    let wide = Image::new(400, 400, 1, &wide).expect("an image");
    let many = Occlusion { patch: 10, stride: 1, ..patches }.predictions(&wide);
    assert_eq!(many, Err(ExplanationError::Predictions { found: 391 * 391 + 1 }));
}

/// An error of the model comes back as it is, in the caller's own type.
#[test]
fn the_error_of_the_model_is_handed_through() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Explanation(ExplanationError),
        Model(&'static str),
    }
    impl From<ExplanationError> for Failure {
        fn from(error: ExplanationError) -> Failure {
            Failure::Explanation(error)
        }
    }
    let image = Image::new(2, 2, 1, &[1, 2, 3, 4]).expect("an image");
    let settings = Occlusion { patch: 1, stride: 1, batch: 2, ..Occlusion::default() };
    let mut calls = 0;
    let stopped = occlusion(&image, &settings, |batch| {
        calls += 1;
        if calls == 2 { Err(Failure::Model("stopped")) } else { Ok(vec![0.0; batch.images()]) }
    });
    assert_eq!(stopped, Err(Failure::Model("stopped")));
    assert_eq!(calls, 2);
    let refused =
        occlusion(&image, &Occlusion { patch: 3, ..settings }, |_| Err(Failure::Model("not asked")));
    assert!(matches!(refused, Err(Failure::Explanation(ExplanationError::Side { found: 3, .. }))));
}
