//! Decoding of every layout: against boxes that were worked out from its definition, and there and back.

use foretell_plugin_detector::config::Settings;
use foretell_plugin_detector::decode::{Candidate, Misfit, Size};
use foretell_plugin_detector::suppress::suppress;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What `golden.py` worked out.
#[derive(Deserialize)]
struct Case {
    name: String,
    config: Map<String, Value>,
    size: usize,
    tensors: Vec<Formula>,
    boxes: Vec<Expected>,
}

/// A tensor of which each number follows from its place.
#[derive(Deserialize)]
struct Formula {
    seed: u64,
    shape: Vec<usize>,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Expected {
    corners: [f32; 4],
    score: f32,
    label: String,
}

impl Formula {
    /// As `tensor` of `golden.py`.
    fn numbers(&self) -> Vec<f32> {
        let number = |place: u64| {
            let mixed = ((place + self.seed) * 2_654_435_761 + 97) % (1 << 32);
            let mixed = (mixed ^ (mixed >> 13)) * 2_246_822_519 % (1 << 32);
            let unit = (mixed >> 8) as f64 / f64::from(1 << 24);
            (self.low + (self.high - self.low) * unit) as f32
        };
        (0..self.shape.iter().product::<usize>() as u64).map(number).collect()
    }
}

fn settings(config: &Value) -> Settings {
    let Value::Object(config) = config else { panic!("settings are an object") };
    Settings::read(config.clone()).unwrap()
}

fn decode(settings: &Settings, tensors: &[&[f32]], size: Size) -> Result<Vec<Candidate>, Misfit> {
    let mut found = Vec::new();
    settings.layout.decode(tensors, size, &settings.scoring, &mut found)?;
    Ok(found)
}

fn square(side: usize) -> Size {
    Size { width: side, height: side }
}

#[test]
fn boxes_are_those_of_the_layouts_definition() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = case.name;
        let settings = Settings::read(case.config).unwrap();
        let size = square(case.size);
        let answers = settings.layout.answers(size, settings.scoring.classes()).unwrap();
        let shapes: Vec<_> = answers.into_iter().map(|answer| answer.shape).collect();
        assert_eq!(
            shapes,
            case.tensors.iter().map(|tensor| tensor.shape.clone()).collect::<Vec<_>>(),
            "{name}"
        );
        let tensors: Vec<_> = case.tensors.iter().map(Formula::numbers).collect();
        let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
        let mut found = decode(&settings, &tensors, size).unwrap();
        suppress(&mut found, settings.suppression);
        assert_eq!(found.len(), case.boxes.len(), "{name}");
        for (found, expected) in found.iter().zip(&case.boxes) {
            assert_eq!(settings.labels[usize::from(found.label)], expected.label, "{name}");
            assert!((found.score - expected.score).abs() < 1e-5, "{name}: {found:?}");
            let corners = [found.corners.left, found.corners.top, found.corners.right, found.corners.bottom];
            for (side, expected) in corners.iter().zip(expected.corners) {
                assert!((side - expected).abs() < 2e-3, "{name}: {found:?} {expected}");
            }
        }
    }
}

/// An object to put into a tensor: cell, box and class.
#[derive(Clone, Debug)]
struct Object {
    /// Of a picture of 64 x 64.
    centre: [f32; 2],
    side: [f32; 2],
    score: f32,
    class: usize,
}

const CLASSES: usize = 3;
const SIDE: usize = 64;

fn object() -> impl Strategy<Value = Object> {
    let inside = 0.5f32..63.5;
    let side = 2.0f32..60.0;
    ([inside.clone(), inside], [side.clone(), side], 0.3f32..0.99, 0..CLASSES)
        .prop_map(|(centre, side, score, class)| Object { centre, side, score, class })
}

/// The logarithm of odds of a probability.
fn logit(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

/// Puts the object into a row: the four numbers are the layout's matter.
fn row(numbers: [f32; 4], objectness: Option<f32>, object: &Object) -> Vec<f32> {
    let mut row = numbers.to_vec();
    row.extend(objectness);
    row.extend((0..CLASSES).map(|class| if class == object.class { object.score } else { 0.0 }));
    row
}

fn cxcywh(object: &Object) -> [f32; 4] {
    [object.centre[0], object.centre[1], object.side[0], object.side[1]]
}

fn xyxy(object: &Object) -> [f32; 4] {
    let [x, y, width, height] = cxcywh(object);
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}

/// The cell of a stride in which the object's centre is, and how many a row has.
fn cell(object: &Object, stride: usize) -> (usize, usize, usize) {
    let [x, y] = object.centre.map(|side| (side / stride as f32) as usize);
    (x, y, SIDE / stride)
}

/// Rows of nothing, in which `at` is the object.
fn rows(count: usize, at: usize, row: Vec<f32>) -> Vec<f32> {
    let columns = row.len();
    let mut rows = vec![0.0; count * columns];
    rows[at * columns..][..columns].copy_from_slice(&row);
    rows
}

/// Each layout as settings and tensors with the object in them.
fn encoded(object: &Object, stride: usize) -> Vec<(Value, Vec<Vec<f32>>)> {
    let classes: Vec<_> = (0..CLASSES).map(|class| format!("c{class}")).collect();
    let with = |more: Value| {
        let mut config = json!({"classes": classes});
        let (Value::Object(all), Value::Object(more)) = (&mut config, more) else { unreachable!() };
        all.extend(more);
        config
    };
    let (x, y, columns) = cell(object, stride);
    let before: usize = [8, 16, 32].iter().filter(|&&other| other < stride).map(|s| (SIDE / s).pow(2)).sum();
    let anchor = before + y * columns + x;
    let anchors = 64 + 16 + 4;
    let offset = [object.centre[0] / stride as f32 - x as f32, object.centre[1] / stride as f32 - y as f32];

    let free =
        [offset[0], offset[1], (object.side[0] / stride as f32).ln(), (object.side[1] / stride as f32).ln()];
    let yolox = rows(anchors, anchor, row(free, Some(1.0), object));
    let decoded = rows(3 * anchors, anchor, row(cxcywh(object), Some(1.0), object));

    // The logistic function of v5 reaches from -0.5 to 1.5 cells, and to four times the anchor of 20 x 20.
    let half = |part: f32| part / 2.0;
    let sized = [
        half(offset[0] + 0.5),
        half(offset[1] + 0.5),
        half((object.side[0] / 20.0).sqrt()),
        half((object.side[1] / 20.0).sqrt()),
    ];
    let mut grid = rows(anchors, anchor, row(sized.map(logit), Some(20.0), object));
    let columns_of_row = 5 + CLASSES;
    for (place, number) in grid.iter_mut().enumerate() {
        let (at, column) = (place / columns_of_row, place % columns_of_row);
        if column >= 4 && at != anchor {
            *number = -20.0;
        } else if column > 4 {
            *number = if *number == 0.0 { -20.0 } else { logit(*number) };
        }
    }

    let turned = rows(anchors, anchor, row(cxcywh(object), None, object));
    let numbers = 4 + CLASSES;
    let v8 =
        (0..numbers * anchors).map(|place| turned[place % anchors * numbers + place / anchors]).collect();

    let fraction = xyxy(object).map(|side| side / SIDE as f32);
    let yxyx = [fraction[1], fraction[0], fraction[3], fraction[2]];
    let boxes = rows(9, 4, yxyx.to_vec());
    let scores = rows(9, 4, row([0.0; 4], None, object).split_off(4));

    let (column, line, side) = cell(object, 4);
    let place = line * side + column;
    let map = |maps: &[f32]| -> Vec<f32> {
        maps.iter().flat_map(|&one| rows(side * side, place, vec![one])).collect()
    };
    let heat: Vec<f32> = row([0.0; 4], None, object).split_off(4);
    let centre = vec![
        map(&heat),
        map(&object.side.map(|side| side / 4.0)),
        map(&[object.centre[0] / 4.0 - column as f32, object.centre[1] / 4.0 - line as f32]),
    ];

    let mut six = xyxy(object).to_vec();
    six.extend([object.score, object.class as f32]);
    let three = vec![
        rows(5, 0, xyxy(object).to_vec()),
        rows(5, 0, vec![object.score]),
        rows(5, 0, vec![object.class as f32]),
    ];
    let four = [three.clone(), vec![vec![1.0]]].concat();
    let sizes = json!([[[20, 20]], [[20, 20]], [[20, 20]]]);
    vec![
        (with(json!({"layout": "yolox"})), vec![yolox]),
        (with(json!({"layout": "yolov5"})), vec![decoded]),
        (
            with(json!({"layout": "yolov5", "form": "grid", "activation": "sigmoid", "sizes": sizes})),
            vec![grid],
        ),
        (with(json!({"layout": "yolov8"})), vec![v8]),
        (with(json!({"layout": "yolov8", "form": "rows"})), vec![turned]),
        (with(json!({"layout": "ssd", "rows": 9, "order": "yxyx", "unit": "fraction"})), vec![boxes, scores]),
        (with(json!({"layout": "centre"})), centre),
        (with(json!({"layout": "end-to-end", "rows": 5})), vec![rows(5, 3, six)]),
        (with(json!({"layout": "end-to-end", "rows": 5, "outputs": ["boxes", "scores", "classes"]})), three),
        (
            with(
                json!({"layout": "end-to-end", "rows": 5, "outputs": ["boxes", "scores", "classes", "count"]}),
            ),
            four,
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_put_into_a_layout_comes_out_of_it(
        object in object(),
        stride in prop::sample::select(vec![8usize, 16, 32]),
    ) {
        for (config, tensors) in encoded(&object, stride) {
            let settings = settings(&config);
            let size = square(SIDE);
            let answers = settings.layout.answers(size, CLASSES).unwrap();
            let lengths: Vec<usize> = answers.iter().map(|answer| answer.shape.iter().product()).collect();
            prop_assert_eq!(&lengths, &tensors.iter().map(Vec::len).collect::<Vec<_>>(), "{}", config);
            let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
            let found = decode(&settings, &tensors, size).unwrap();
            // A side beyond four times the anchor is one that the layout can't say.
            let sayable = config["form"] != "grid" || object.side.iter().all(|side| *side < 79.0);
            prop_assert!(sayable);
            prop_assert_eq!(found.len(), 1, "{}", config);
            let Candidate { corners, score, label } = found[0];
            prop_assert_eq!(&settings.labels[usize::from(label)], &format!("c{}", object.class));
            prop_assert!((score - object.score).abs() < 1e-4, "{} {} {}", config, score, object.score);
            let found = [corners.left, corners.top, corners.right, corners.bottom];
            for (found, put) in found.into_iter().zip(xyxy(&object)) {
                prop_assert!((found - put).abs() < 2e-2, "{} {:?} {:?}", config, found, put);
            }
        }
    }

    #[test]
    fn no_answer_of_a_network_makes_a_box_that_is_none(
        seed in any::<u32>(),
        wild in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, -1e38, -1.0, 0.5]),
    ) {
        let object = Object { centre: [20.0; 2], side: [10.0; 2], score: 0.9, class: 1 };
        for (config, mut tensors) in encoded(&object, 8) {
            let settings = settings(&config);
            for (place, number) in tensors.iter_mut().flatten().enumerate() {
                if (place as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) % 3 == 0 {
                    *number = wild;
                }
            }
            let tensors: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
            // A class that does not exist is an error; everything else is a box or nothing.
            for found in decode(&settings, &tensors, square(SIDE)).unwrap_or_default() {
                let corners = found.corners;
                prop_assert!([corners.left, corners.top, corners.right, corners.bottom].iter().all(|side| side.is_finite()));
                prop_assert!(corners.right > corners.left && corners.bottom > corners.top, "{config} {found:?}");
                prop_assert!(found.score >= 0.25);
            }
        }
    }
}

#[test]
fn an_anchor_is_its_best_class_or_several() {
    let config = |several| {
        json!({"layout": "ssd", "rows": 1, "several": several, "score": 0.3,
            "classes": ["background", "van", "car", "bus", "dog"],
            "map": {"van": "car", "car": "car", "bus": "bus"}})
    };
    let (boxes, scores) = ([0.0, 0.0, 9.0, 9.0], [0.99, 0.4, 0.5, 0.35, 0.98]);
    let found = |several| {
        let settings = settings(&config(several));
        let found = decode(&settings, &[&boxes, &scores], square(SIDE)).unwrap();
        let named = |found: &Candidate| (settings.labels[usize::from(found.label)].clone(), found.score);
        found.iter().map(named).collect::<Vec<_>>()
    };
    assert_eq!(found(false), [("car".to_owned(), 0.5)]);
    assert_eq!(found(true), [("car".to_owned(), 0.4), ("car".to_owned(), 0.5), ("bus".to_owned(), 0.35)]);
}

#[test]
fn misfits_say_what_was_expected() {
    let yolox = settings(&json!({"layout": "yolox", "classes": ["car"]}));
    let error = yolox.layout.answers(Size { width: 300, height: 64 }, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an image of 300 x 64 pixels has no whole cells of 8; make `width` and `height` of the manifest's image multiples of \
         every one of `strides`, or state `strides`"
    );
    let ended = settings(&json!({"layout": "end-to-end", "rows": 1, "classes": ["car", "bus"]}));
    for class in [2.0, -1.0, 0.5, f32::NAN, f32::INFINITY] {
        let error = decode(&ended, &[&[0.0, 0.0, 9.0, 9.0, 0.9, class]], square(SIDE)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "output `predictions` names class {class}; expected a whole number from 0 to 1: `classes` lists 2, so make \
                 `classes` the names of all classes of the network"
            )
        );
        let unused = decode(&ended, &[&[0.0, 0.0, 9.0, 9.0, 0.1, class]], square(SIDE));
        assert_eq!(unused, Ok(Vec::new()));
    }
}
