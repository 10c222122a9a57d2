use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeListBuilder, Float32Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    StructBuilder, TimestampMicrosecondBuilder, UInt8Builder,
};
use arrow_array::{ArrayRef, Int32Array};
use arrow_schema::{DataType, Field};
use foretell_runtime::manifest::MANIFEST_FILE;
use foretell_store::time::DAY;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A plugin of a task, with these labels.
pub(crate) fn manifest(task: &str, labels: &[&str]) -> Manifest {
    manifest_with(task, labels, "type = \"float64\"")
}

/// The same, with an input of another kind.
fn manifest_with(task: &str, labels: &[&str], input: &str) -> Manifest {
    let positive = if task == "binary-classification" { "positive = \"yes\"" } else { "" };
    let text = format!(
        r#"
        schema = 1
        [plugin]
        name = "any"
        version = "1.0.0"
        description = "any"
        license = "MIT"
        authors = ["any"]
        domain = "any"
        task = "{task}"
        abi = "1.0"
        library = "any"
        [[input]]
        name = "amount"
        {input}
        [output]
        labels = {labels:?}
        {positive}
        "#
    );
    Manifest::parse(&text, Path::new(MANIFEST_FILE)).unwrap_or_else(|error| panic!("{error}"))
}

/// What becomes of predictions in one column or several.
fn answers(manifest: &Manifest, columns: Vec<ArrayRef>) -> Vec<Result<(Value, Value, Value), String>> {
    answers_on(manifest, columns, &[])
}

/// The same, for images that had these sizes.
fn answers_on(
    manifest: &Manifest,
    columns: Vec<ArrayRef>,
    originals: &[Size],
) -> Vec<Result<(Value, Value, Value), String>> {
    let rows = columns[0].len();
    let fields = manifest.prediction_schema().fields().clone();
    let columns = StructArray::new(fields, columns, None);
    let mut answers = vec![None; rows];
    read(manifest, &columns, originals, &mut answers);
    let told = answers.into_iter().map(|answer| match answer.expect("each row is answered") {
        Answer::Predicted(Predicted { score, label, output }) => {
            let output =
                output.map_or(Value::Null, |output| serde_json::from_str(&output).expect("it is JSON"));
            Ok((json!(score), json!(label), output))
        }
        Answer::Refused { reason, .. } => Err(reason),
    });
    told.collect()
}

/// The item of a list column.
fn items(manifest: &Manifest) -> (Arc<Field>, StructBuilder) {
    let schema = manifest.prediction_schema();
    let DataType::List(item) = schema.field(0).data_type() else { panic!("it is a list") };
    let DataType::Struct(fields) = item.data_type() else { panic!("its items are structs") };
    (Arc::clone(item), StructBuilder::from_fields(fields.clone(), 0))
}

fn rankings(lists: &[&[(&str, f32, Option<&str>)]]) -> Vec<Result<(Value, Value, Value), String>> {
    let manifest = manifest("ranking", &[]);
    let (item, builder) = items(&manifest);
    let mut column = ListBuilder::new(builder).with_field(item);
    for list in lists {
        for (item, score, reason) in *list {
            let ranked = column.values();
            ranked.field_builder::<StringBuilder>(0).unwrap().append_value(item);
            ranked.field_builder::<Float32Builder>(1).unwrap().append_value(*score);
            ranked.field_builder::<StringBuilder>(2).unwrap().append_option(*reason);
            ranked.append(true);
        }
        column.append(true);
    }
    answers(&manifest, vec![Arc::new(column.finish())])
}

#[test]
fn numbers_are_scores() {
    let scores: ArrayRef = Arc::new(Float32Array::from(vec![0.25, 0.5, f32::NAN]));
    let binary = answers(&manifest("binary-classification", &["no", "yes"]), vec![scores]);
    assert_eq!(binary[0], Ok((json!(0.25), json!("no"), Value::Null)));
    assert_eq!(binary[1], Ok((json!(0.5), json!("yes"), Value::Null)));
    assert_eq!(binary[2], Err("the plugin answered NaN; expected a finite number".into()));
    let values: ArrayRef = Arc::new(Float32Array::from(vec![-3.5, f32::INFINITY]));
    let regression = answers(&manifest("regression", &[]), vec![values]);
    assert_eq!(regression[0], Ok((json!(-3.5), Value::Null, Value::Null)));
    assert!(regression[1].is_err());
}

#[test]
fn the_best_class_is_decided_on() {
    let field = Arc::new(Field::new("item", DataType::Float32, false));
    let mut column = FixedSizeListBuilder::new(Float32Builder::new(), 3).with_field(field);
    for scores in [[0.25, 0.5, 0.25], [0.4, 0.2, 0.4], [0.1, f32::NAN, 0.2]] {
        column.values().append_slice(&scores);
        column.append(true);
    }
    let classes = answers(
        &manifest("multiclass-classification", &["cat", "d\"og", "owl"]),
        vec![Arc::new(column.finish())],
    );
    assert_eq!(classes[0], Ok((json!(0.5), json!("d\"og"), json!({"cat": 0.25, "d\"og": 0.5, "owl": 0.25}))));
    assert_eq!(classes[1].as_ref().unwrap().1, "cat", "the first of equal ones");
    let reason = "the plugin answered NaN as `d\"og` of number 2; expected a finite number";
    assert_eq!(classes[2], Err(reason.into()));
}

#[test]
fn a_ranking_begins_with_its_best() {
    let told = rankings(&[
        &[("12", 0.5, Some("bought 7")), ("\"\\\n\u{1}ü", 1.5e-7, None)],
        &[],
        &[("1", 1.0, None), ("2", f32::NEG_INFINITY, None)],
        &[("3", 3.0, None)],
    ]);
    let list = json!([
        {"item": "12", "score": 0.5, "reason": "bought 7"}, {"item": "\"\\\n\u{1}ü", "score": 1.5e-7}
    ]);
    assert_eq!(told[0], Ok((json!(0.5), json!("12"), list)));
    assert_eq!(told[1], Ok((Value::Null, Value::Null, json!([]))));
    let reason = "the plugin answered -inf as `score` of number 2; expected a finite number";
    assert_eq!(told[2], Err(reason.into()));
    assert_eq!(told[3], Ok((json!(3.0), json!("3"), json!([{"item": "3", "score": 3}]))));
}

#[test]
fn a_forecast_begins_with_its_first_step() {
    let manifest = manifest("forecast", &[]);
    let (item, builder) = items(&manifest);
    let mut column = ListBuilder::new(builder).with_field(item);
    type Step = (i64, f32, Option<f32>, Option<f32>);
    let forecasts: [&[Step]; 4] = [
        &[(11_747 * DAY, 1.5, Some(0.0), Some(4.0)), (11_747 * DAY + 1, 2.0, None, Some(3.0))],
        &[],
        &[(0, 1.0, Some(f32::NAN), None)],
        &[(i64::MAX, 1.0, None, None)],
    ];
    for forecast in forecasts {
        for (time, value, low, high) in forecast {
            let step = column.values();
            step.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_value(*time);
            step.field_builder::<Float32Builder>(1).unwrap().append_value(*value);
            step.field_builder::<Float32Builder>(2).unwrap().append_option(*low);
            step.field_builder::<Float32Builder>(3).unwrap().append_option(*high);
            step.append(true);
        }
        column.append(true);
    }
    let told = answers(&manifest, vec![Arc::new(column.finish())]);
    let steps = json!([
        {"event_time": "2002-03-01T00:00:00Z", "value": 1.5, "low": 0, "high": 4},
        {"event_time": "2002-03-01T00:00:00.000001Z", "value": 2, "high": 3}
    ]);
    assert_eq!(told[0], Ok((json!(1.5), Value::Null, steps)));
    assert_eq!(told[1], Ok((Value::Null, Value::Null, json!([]))));
    assert_eq!(told[2], Err("the plugin answered NaN as `low` of number 1; expected a finite number".into()));
    assert!(told[3].as_ref().unwrap_err().contains("expected a time in the years 1 to 9999"));
}

#[test]
fn boxes_are_told_with_the_surest_one() {
    for (task, track) in [("detection", None), ("tracking", Some(7))] {
        let manifest = manifest(task, &["car"]);
        let (item, builder) = items(&manifest);
        let mut column = ListBuilder::new(builder).with_field(item);
        for (label, score) in [("bus", 0.25), ("car", 0.75)] {
            let found = column.values();
            for (side, value) in [1.0, 2.0, 3.0, 4.5].into_iter().enumerate() {
                found.field_builder::<Float32Builder>(side).unwrap().append_value(value);
            }
            found.field_builder::<StringBuilder>(4).unwrap().append_value(label);
            found.field_builder::<Float32Builder>(5).unwrap().append_value(score);
            if let Some(track) = track {
                found.field_builder::<Int64Builder>(6).unwrap().append_value(track);
                found.field_builder::<Int32Builder>(7).unwrap().append_value(3);
            }
            found.append(true);
        }
        column.append(true);
        column.append(true);
        let told = answers(&manifest, vec![Arc::new(column.finish())]);
        let (score, label, output) = told[0].clone().unwrap();
        assert_eq!((score, label), (json!(0.75), json!("car")), "{task}");
        let mut first = json!({"x": 1, "y": 2, "width": 3, "height": 4.5, "label": "bus", "score": 0.25});
        if let Some(track) = track {
            first["track"] = track.into();
            first["frame"] = 3.into();
        }
        assert_eq!((output.as_array().unwrap().len(), &output[0]), (2, &first), "{task}");
        assert_eq!(told[1], Ok((Value::Null, Value::Null, json!([]))));
    }
}

/// One box in what the plugin was given, for each record.
fn one_box_each(manifest: &Manifest, boxes: &[[f32; 4]]) -> ArrayRef {
    let (item, builder) = items(manifest);
    let mut column = ListBuilder::new(builder).with_field(item);
    for sides in boxes {
        let found = column.values();
        for (side, value) in sides.iter().enumerate() {
            found.field_builder::<Float32Builder>(side).unwrap().append_value(*value);
        }
        found.field_builder::<StringBuilder>(4).unwrap().append_value("car");
        found.field_builder::<Float32Builder>(5).unwrap().append_value(0.5);
        found.append(true);
        column.append(true);
    }
    Arc::new(column.finish())
}

#[test]
fn a_detection_is_told_in_pixels_of_the_original_image() {
    let detector = |fit: &str| {
        let image = format!("image = {{ width = 100, height = 100, fit = \"{fit}\" }}");
        manifest_with("detection", &["car"], &format!("type = \"image\"\n{image}"))
    };
    let told = |fit: &str, original: Size, sides: [f32; 4]| {
        let manifest = detector(fit);
        let column = one_box_each(&manifest, &[sides]);
        let (score, _, output) = answers_on(&manifest, vec![column], &[original]).remove(0).unwrap();
        assert_eq!(score.is_null(), output == json!([]), "what is outside of the image has no score");
        let side = |name: &str| output[0][name].as_f64();
        [side("x"), side("y"), side("width"), side("height")]
    };
    let at = |sides: [f64; 4]| sides.map(Some);
    // The image has 200 x 50 pixels: a letterbox has bars of 37 and 38 rows.
    let original = (200, 50);
    assert_eq!(told("stretch", original, [10.0, 20.0, 30.0, 40.0]), at([20.0, 10.0, 60.0, 20.0]));
    assert_eq!(told("letterbox", original, [10.0, 40.0, 30.0, 10.0]), at([20.0, 6.0, 60.0, 20.0]));
    assert_eq!(told("corner", original, [10.0, 5.0, 30.0, 10.0]), at([20.0, 10.0, 60.0, 20.0]));
    assert_eq!(told("crop", original, [10.0, 20.0, 30.0, 40.0]), at([80.0, 10.0, 15.0, 20.0]));
    // Cut at the edges of the image; what lies in a bar alone is nothing.
    assert_eq!(told("letterbox", original, [-10.0, 30.0, 200.0, 20.0]), at([0.0, 0.0, 200.0, 26.0]));
    assert_eq!(told("letterbox", original, [10.0, 2.0, 30.0, 30.0]), [None; 4]);
    assert_eq!(told("stretch", original, [10.0, 20.0, 0.0, 40.0]), [None; 4]);
}

#[test]
fn a_mask_is_told_in_runs() {
    let field = Arc::new(Field::new("item", DataType::UInt8, false));
    let mut classes = ListBuilder::new(UInt8Builder::new()).with_field(field);
    for mask in [&[0, 0, 0, 0, 1, 1][..], &[], &[0, 1], &[2]] {
        classes.values().append_slice(mask);
        classes.append(true);
    }
    let sides = |sides: [i32; 4]| Arc::new(Int32Array::from_iter_values(sides)) as ArrayRef;
    let columns = vec![sides([2, 0, 2, 1]), sides([3, 0, 2, 1]), Arc::new(classes.finish())];
    let told = answers(&manifest("segmentation", &["no", "yes"]), columns);
    let output = |told: &Result<(Value, Value, Value), String>| told.as_ref().unwrap().2.clone();
    assert_eq!(output(&told[0]), json!({"height": 2, "width": 3, "classes": [[0, 4], [1, 2]]}));
    assert_eq!(output(&told[1]), json!({"height": 0, "width": 0, "classes": []}));
    assert_eq!(told[2], Err("the plugin answered 2 pixels for an image of 2 times 2".into()));
    assert_eq!(told[3], Err("the plugin answered class 2; expected one below 2".into()));
}

proptest! {
    #[test]
    fn a_number_reads_back_as_the_same_and_is_short(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite());
        let mut json = String::new();
        number(&mut json, value);
        prop_assert!(json.len() <= 24, "{}", json);
        prop_assert_eq!(json.parse::<f32>().unwrap().to_bits(), bits);
        let read: f64 = serde_json::from_str(&json).unwrap();
        prop_assert_eq!((read as f32).to_bits(), bits);
        // One digit less does not read back to it.
        let long = format!("{value:e}");
        let digits = long.split('e').next().unwrap().bytes().filter(u8::is_ascii_digit).count();
        let short = format!("{:.*e}", digits.saturating_sub(2), value);
        prop_assert!(digits == 1 || short.parse::<f32>().unwrap() != value);
    }

    #[test]
    fn a_text_reads_back_as_the_same(original in any::<String>()) {
        let mut json = String::new();
        text(&mut json, &original);
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), original);
    }
}

/// A manifest of [`manifest`] that promises a novelty, unfamiliar from 3 on.
fn wary(task: &str, labels: &[&str]) -> Manifest {
    let mut manifest = manifest(task, labels);
    let novelty = foretell_runtime::manifest::Novelty { threshold: 3.0, description: None };
    manifest.output.novelty = Some(novelty);
    manifest
}

#[test]
fn a_novelty_stands_in_the_output_beside_what_else_is_there() {
    let distances = || Arc::new(Float32Array::from(vec![2.5, 3.0, f32::NAN])) as ArrayRef;
    let words = "the plugin answered NaN as `novelty`; expected a finite number";

    let scores = Arc::new(Float32Array::from(vec![0.25, 0.5, 0.75]));
    let found = answers(&wary("binary-classification", &["no", "yes"]), vec![scores, distances()]);
    assert_eq!(found[0], Ok((json!(0.25), json!("no"), json!({"novelty": 2.5, "unfamiliar": false}))));
    assert_eq!(found[1], Ok((json!(0.5), json!("yes"), json!({"novelty": 3, "unfamiliar": true}))));
    assert_eq!(found[2], Err(words.to_owned()));

    let manifest = wary("multiclass-classification", &["cat", "dog"]);
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let mut scores = FixedSizeListBuilder::new(Float32Builder::new(), 2).with_field(item);
    for _ in 0..3 {
        scores.values().append_slice(&[0.75, 0.25]);
        scores.append(true);
    }
    let found = answers(&manifest, vec![Arc::new(scores.finish()), distances()]);
    let output = json!({"cat": 0.75, "dog": 0.25, "novelty": 2.5, "unfamiliar": false});
    assert_eq!(found[0], Ok((json!(0.75), json!("cat"), output)));
    assert_eq!(found[2], Err(words.to_owned()));
}
