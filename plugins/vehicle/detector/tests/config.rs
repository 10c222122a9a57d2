//! Settings that can't be used are refused by name, with what was expected and what was found.

use foretell_plugin_detector::config::Settings;
use serde_json::{Value, json};

fn error(config: Value) -> String {
    let Value::Object(config) = config else { panic!("settings are an object") };
    Settings::read(config).unwrap_err().to_string()
}

#[test]
fn refusals_name_the_key() {
    let with = |more: Value| {
        let mut config = json!({"layout": "yolov8", "classes": ["car", "bus"]});
        let (Value::Object(all), Value::Object(more)) = (&mut config, more) else { unreachable!() };
        all.extend(more);
        error(config)
    };
    let cases = [
        (
            error(json!({})),
            r#"setting `layout`: expected "yolov5", "yolov8", "yolox", "ssd", "centre" or "end-to-end", found nothing"#,
        ),
        (
            with(json!({"layout": "yolo"})),
            r#"setting `layout`: expected "yolov5", "yolov8", "yolox", "ssd", "centre" or "end-to-end", found "yolo""#,
        ),
        (
            error(json!({"layout": "ssd"})),
            "setting `classes`: expected the names of the network's classes in order, or the name of a list of them, found \
             nothing",
        ),
        (
            with(json!({"classes": "kitti"})),
            r#"setting `classes`: expected a list of names, or one of coco-80, coco-91, voc-20, voc-21, found "kitti""#,
        ),
        (with(json!({"classes": []})), "setting `classes`: expected 1 to 10000 names, found 0"),
        (
            with(json!({"map": {"lorry": "truck"}})),
            "setting `map`: expected classes that `classes` lists, found `lorry`",
        ),
        (with(json!({"map": {}})), "setting `map`: expected a label for at least one class, found none"),
        (
            with(json!({"map": {"car": 7}})),
            r#"setting `map`: expected a table from names of classes to labels, found {"car":7}"#,
        ),
        (with(json!({"score": 1.5})), "setting `score`: expected a number from 0 to 1, found 1.5"),
        (with(json!({"score": "high"})), "setting `score`: expected a number from 0 to 1, found \"high\""),
        (with(json!({"overlap": -0.1})), "setting `overlap`: expected a number from 0 to 1, found -0.1"),
        (
            with(json!({"boxes_max": 0})),
            "setting `boxes_max`: expected a whole number from 1 to 100000, found 0",
        ),
        (with(json!({"agnostic": 1})), "setting `agnostic`: expected true or false, found 1"),
        (with(json!({"tensor": "chw"})), "setting `tensor`: expected \"nchw\" or \"nhwc\", found \"chw\""),
        (
            with(json!({"element": "float16"})),
            "setting `element`: expected \"float32\" or \"uint8\", found \"float16\"",
        ),
        (
            with(json!({"element": "uint8", "scale": 0.5})),
            "setting `element`: expected \"float32\" where `scale`, `mean` or `deviation` change the samples, found \
             \"uint8\"",
        ),
        (
            with(json!({"mean": [1, 2]})),
            "setting `mean`: expected three numbers from -1000000 to 1000000, one a channel, found [1,2]",
        ),
        (
            with(json!({"deviation": [1, 0, 1]})),
            "setting `deviation`: expected numbers other than 0, found [1.0, 0.0, 1.0]",
        ),
        (
            with(json!({"strides": [8, 0]})),
            "setting `strides`: expected a list of 1 to 8 whole numbers from 1 to 1024, found [8, 0]",
        ),
        (
            with(json!({"layout": "centre", "strides": [4, 8]})),
            "setting `strides`: expected a list of one whole number from 1 to 1024, found [4, 8]",
        ),
        (
            with(json!({"layout": "yolov5", "form": "grid", "sizes": [[[1, 2]], [[3, 4]]]})),
            "setting `sizes`: expected for each of the 3 strides as many pairs of width and height, 1 to 32, above 0 pixels, \
             found [[[1.0, 2.0]], [[3.0, 4.0]]]",
        ),
        (
            with(json!({"layout": "end-to-end"})),
            "setting `rows`: expected how many boxes the network answers for an image, 1 to 1048576, found nothing",
        ),
        (
            with(json!({"sizes": []})),
            "setting `sizes`: it means nothing with `layout = \"yolov8\"`; remove it, or change the layout",
        ),
        (
            with(json!({"layout": "ssd", "rows": 3, "outputs": ["scores"]})),
            "setting `outputs`: expected each of boxes, scores once, in the network's order, and nothing else but up to 16 \
             outputs that are `ignored` and have a `shape`, found scores",
        ),
        (
            with(json!({"layout": "ssd", "rows": 3, "outputs": ["boxes", "scores", "ignored"]})),
            "setting `outputs`: expected each of boxes, scores once, in the network's order, and nothing else but up to 16 \
             outputs that are `ignored` and have a `shape`, found boxes, scores",
        ),
        (with(json!({"batch": 5000})), "setting `batch`: expected a whole number from 1 to 1024, found 5000"),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let unknown = with(json!({"scores": 0.5}));
    assert!(unknown.starts_with("setting `scores`: expected one of layout, classes, map, "), "{unknown}");
    assert!(unknown.ends_with(", found an unknown key"), "{unknown}");
}

#[test]
fn a_list_is_known_by_its_name_and_the_background_never_counts() {
    let Value::Object(config) = json!({"layout": "ssd", "rows": 1917, "classes": "coco-91"}) else {
        unreachable!()
    };
    let settings = Settings::read(config).unwrap();
    assert_eq!(settings.scoring.classes(), 91);
    assert_eq!((settings.labels.len(), &*settings.labels[2]), (80, "car"));
    assert!(!settings.labels.iter().any(|label| label == "background"));
}
