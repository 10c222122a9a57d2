//! What a plugin answered, in the form in which predictions are stored: a score, a label and an output.
//!
//! | task | score | label | output |
//! |---|---|---|---|
//! | binary-classification | of the positive class | the class that the manifest's threshold decides on | none |
//! | multiclass-classification | of the best class | the best class | `{"cat":0.75,"dog":0.25}` |
//! | regression | the value | none | none |
//! | ranking | of the first item | the first item | `[{"item":"12","score":0.5,"reason":"bought 7"}]` |
//! | forecast | value of the first step | none | `[{"event_time":"2002-03-01T00:00:00Z","value":1.5,"low":0,"high":4}]` |
//! | detection | of the surest box | its label | `[{"x":1,"y":2,"width":3,"height":4,"label":"car","score":0.5}]` |
//! | tracking | as detection | as detection | the same, each with `"track":7,"frame":0` |
//! | segmentation | none | none | `{"height":2,"width":3,"classes":[[0,4],[1,2]]}` |
//!
//! A classification whose manifest promises a novelty has `"novelty":2.5,"unfamiliar":false` in its output, too: how far the record is
//! from what the plugin was trained on, and whether its prediction means nothing for that reason.
//!
//! An empty list has no score and no label. `reason`, `low` and `high` are left out where there is none. `classes` says row by row
//! which label, by its place in the manifest, how many pixels after each other have.
//!
//! **Invariant:** all numbers are finite. An answer with another one refuses its record.
//!
//! Numbers are the shortest text that reads back to the same 32-bit number. The JSON is written as it comes: a tree of values would
//! cost more than most plugins.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array, Float32Array, ListArray, StringArray, StructArray};
use foretell_runtime::manifest::{Manifest, NOVELTY, Task, UNFAMILIAR};
use foretell_runtime::plugin::Predictions;
use foretell_store::time::{TIME_MAX, TIME_MIN, format_time};

use crate::isolate::Answer;
use crate::picture::Size;
use boxes::{Boxes, Views};

mod boxes;

/// A prediction, as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// The number that the task defines.
    pub score: Option<f64>,
    /// The class or the item that was decided on.
    pub label: Option<String>,
    /// JSON: what the score and the label do not say.
    pub output: Option<String>,
}

/// The answers that a plugin's predictions are, one for each record, as they are stored.
///
/// `originals` has the width and the height of each record's image, in pixels, before the host resized it for the plugin; it is empty
/// where there are no images. Numbers that are not finite, masks of another size than they state and the like refuse their record.
pub fn answers(manifest: &Manifest, predictions: &Predictions, originals: &[Size]) -> Vec<Answer> {
    let mut answers = vec![None; predictions.len()];
    read(manifest, predictions.columns(), originals, &mut answers);
    answers.into_iter().flatten().collect()
}

/// Turns predictions, in the columns that the task fixes, into answers, one for each row.
///
/// `originals` has the size of each row's image before the host resized it; it is empty where there are no images.
pub(crate) fn read(
    manifest: &Manifest,
    columns: &StructArray,
    originals: &[Size],
    answers: &mut [Option<Answer>],
) {
    match manifest.plugin.task {
        Task::BinaryClassification | Task::Regression => {
            let numbers = columns.column(0).as_primitive::<Float32Type>().values();
            let novelty = Novelty::new(manifest, columns);
            fill(answers, |row| {
                let number = finite(numbers[row])?;
                let label = manifest.decide(number).map(str::to_owned);
                let output = novelty.as_ref().map(|novelty| novelty.alone(row)).transpose()?;
                Ok(Predicted { score: Some(f64::from(number)), label, output })
            });
        }
        Task::MulticlassClassification => {
            let scores = columns.column(0).as_fixed_size_list();
            let values = scores.values().as_primitive::<Float32Type>().values();
            let labels = &manifest.output.labels;
            let novelty = Novelty::new(manifest, columns);
            fill(answers, |row| {
                classes(labels, &values[row * labels.len()..][..labels.len()], |json| {
                    novelty.as_ref().map_or(Ok(()), |novelty| {
                        json.push(',');
                        novelty.write(row, json)
                    })
                })
            });
        }
        Task::Ranking => {
            let rankings = Rankings::new(columns);
            let mut bytes = 0;
            fill(answers, |row| rankings.row(row, &mut bytes));
        }
        Task::Forecast => {
            let forecasts = Forecasts::new(columns);
            fill(answers, |row| forecasts.row(row));
        }
        Task::Detection | Task::Tracking => {
            let boxes = Boxes::new(columns);
            let views = Views::new(manifest, originals);
            fill(answers, |row| boxes.row(row, views.of(row)));
        }
        Task::Segmentation => fill(answers, |row| mask(columns, row, manifest.output.labels.len())),
    }
}

fn fill(answers: &mut [Option<Answer>], mut answer: impl FnMut(usize) -> Result<Predicted, String>) {
    for (row, place) in answers.iter_mut().enumerate() {
        *place = Some(match answer(row) {
            Ok(predicted) => Answer::Predicted(predicted),
            Err(reason) => Answer::Refused { field: None, reason },
        });
    }
}

fn finite(number: f32) -> Result<f32, String> {
    match number.is_finite() {
        true => Ok(number),
        false => Err(format!("the plugin answered {number}; expected a finite number")),
    }
}

/// As [`finite`], for a number that stands within an answer.
fn finite_at(number: f32, name: &str, place: usize) -> Result<f32, String> {
    match number.is_finite() {
        true => Ok(number),
        false => Err(format!(
            "the plugin answered {number} as `{name}` of number {}; expected a finite number",
            place + 1
        )),
    }
}

/// How far the records are from what the plugin was trained on.
struct Novelty<'a> {
    manifest: &'a Manifest,
    distances: &'a [f32],
}

impl<'a> Novelty<'a> {
    /// Where the manifest promises it, it is the last column.
    fn new(manifest: &'a Manifest, columns: &'a StructArray) -> Option<Self> {
        manifest.output.novelty.as_ref()?;
        let distances = columns.columns().last()?.as_primitive::<Float32Type>().values();
        Some(Self { manifest, distances })
    }

    /// Writes the members of an object.
    fn write(&self, row: usize, json: &mut String) -> Result<(), String> {
        let distance = self.distances[row];
        if !distance.is_finite() {
            return Err(format!("the plugin answered {distance} as `{NOVELTY}`; expected a finite number"));
        }
        let is_unfamiliar = self.manifest.is_unfamiliar(distance).unwrap_or_default();
        let _ = write!(json, "\"{NOVELTY}\":");
        number(json, distance);
        let _ = write!(json, ",\"{UNFAMILIAR}\":{is_unfamiliar}");
        Ok(())
    }

    fn alone(&self, row: usize) -> Result<String, String> {
        let mut json = String::from("{");
        self.write(row, &mut json)?;
        json.push('}');
        Ok(json)
    }
}

/// `then` may write more members behind the classes.
fn classes(
    labels: &[String],
    scores: &[f32],
    then: impl FnOnce(&mut String) -> Result<(), String>,
) -> Result<Predicted, String> {
    let mut json = String::from("{");
    let mut best: Option<usize> = None;
    for (place, (label, score)) in labels.iter().zip(scores).enumerate() {
        if best.is_none_or(|best| *score > scores[best]) {
            best = Some(place);
        }
        separate(&mut json, place);
        text(&mut json, label);
        json.push(':');
        number(&mut json, finite_at(*score, label, place)?);
    }
    then(&mut json)?;
    json.push('}');
    let score = best.map(|best| f64::from(scores[best]));
    Ok(Predicted { score, label: best.map(|best| labels[best].clone()), output: Some(json) })
}

/// The lists of a column of structs.
struct Lists<'a> {
    lists: &'a ListArray,
    items: &'a StructArray,
}

impl<'a> Lists<'a> {
    fn new(columns: &'a StructArray) -> Self {
        let lists = columns.column(0).as_list::<i32>();
        Self { lists, items: lists.values().as_struct() }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.lists.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    fn texts(&self, field: usize) -> &'a StringArray {
        self.items.column(field).as_string()
    }

    fn numbers(&self, field: usize) -> &'a Float32Array {
        self.items.column(field).as_primitive()
    }
}

struct Rankings<'a> {
    lists: Lists<'a>,
    items: &'a StringArray,
    scores: &'a [f32],
    reasons: &'a StringArray,
}

impl<'a> Rankings<'a> {
    fn new(columns: &'a StructArray) -> Self {
        let lists = Lists::new(columns);
        let (items, scores, reasons) = (lists.texts(0), lists.numbers(1).values(), lists.texts(2));
        Self { lists, items, scores, reasons }
    }

    /// `bytes` is how long the answer before was: the next one will be about as long.
    fn row(&self, row: usize, bytes: &mut usize) -> Result<Predicted, String> {
        let range = self.lists.range(row);
        let mut json = String::with_capacity(*bytes + *bytes / 4);
        json.push('[');
        for (place, item) in range.clone().enumerate() {
            separate(&mut json, place);
            json.push_str("{\"item\":");
            text(&mut json, self.items.value(item));
            json.push_str(",\"score\":");
            number(&mut json, finite_at(self.scores[item], "score", place)?);
            if self.reasons.is_valid(item) {
                json.push_str(",\"reason\":");
                text(&mut json, self.reasons.value(item));
            }
            json.push('}');
        }
        json.push(']');
        *bytes = json.len();
        let first = range.into_iter().next();
        Ok(Predicted {
            score: first.map(|first| f64::from(self.scores[first])),
            label: first.map(|first| self.items.value(first).to_owned()),
            output: Some(json),
        })
    }
}

struct Forecasts<'a> {
    lists: Lists<'a>,
    times: &'a [i64],
    values: &'a [f32],
    ends: [(&'static str, &'a Float32Array); 2],
}

impl<'a> Forecasts<'a> {
    fn new(columns: &'a StructArray) -> Self {
        let lists = Lists::new(columns);
        let times = lists.items.column(0).as_primitive::<TimestampMicrosecondType>().values();
        let (values, low, high) = (lists.numbers(1).values(), lists.numbers(2), lists.numbers(3));
        Self { lists, times, values, ends: [("low", low), ("high", high)] }
    }

    fn row(&self, row: usize) -> Result<Predicted, String> {
        let range = self.lists.range(row);
        let mut json = String::from("[");
        for (place, step) in range.clone().enumerate() {
            let time = self.times[step];
            if !(TIME_MIN..=TIME_MAX).contains(&time) {
                let number = place + 1;
                return Err(format!(
                    "the plugin answered a step, number {number}, of {}; expected a time in the years 1 to 9999",
                    format_time(time)
                ));
            }
            separate(&mut json, place);
            // Writing to a text cannot fail.
            let _ = write!(json, "{{\"event_time\":\"{}\",\"value\":", format_time(time));
            number(&mut json, finite_at(self.values[step], "value", place)?);
            for (name, ends) in self.ends.iter().filter(|(_, ends)| ends.is_valid(step)) {
                let _ = write!(json, ",\"{name}\":");
                number(&mut json, finite_at(ends.value(step), name, place)?);
            }
            json.push('}');
        }
        json.push(']');
        let score = range.into_iter().next().map(|first| f64::from(self.values[first]));
        Ok(Predicted { score, label: None, output: Some(json) })
    }
}

fn mask(columns: &StructArray, row: usize, labels: usize) -> Result<Predicted, String> {
    let side = |column| columns.column(column).as_primitive::<Int32Type>().value(row);
    let (height, width) = (side(0), side(1));
    let pixels = columns.column(2).as_list::<i32>().value(row);
    let pixels = pixels.as_primitive::<UInt8Type>().values();
    if height < 0 || width < 0 || i64::from(height) * i64::from(width) != pixels.len() as i64 {
        let found = pixels.len();
        return Err(format!("the plugin answered {found} pixels for an image of {height} times {width}"));
    }
    if let Some(class) = pixels.iter().find(|class| usize::from(**class) >= labels) {
        return Err(format!("the plugin answered class {class}; expected one below {labels}"));
    }
    let mut json = String::new();
    let _ = write!(json, "{{\"height\":{height},\"width\":{width},\"classes\":[");
    for (place, run) in pixels.chunk_by(|one, other| one == other).enumerate() {
        separate(&mut json, place);
        let _ = write!(json, "[{},{}]", run[0], run.len());
    }
    json.push_str("]}");
    Ok(Predicted { score: None, label: None, output: Some(json) })
}

/// Writes a comma, unless what follows is the first.
fn separate(json: &mut String, place: usize) {
    if place > 0 {
        json.push(',');
    }
}

/// Writes a number so that it reads back as the same one, with an exponent where it would be long without.
fn number(json: &mut String, number: f32) {
    let size = number.abs();
    // Writing to a text cannot fail.
    let _ = match size == 0.0 || (1e-5..1e16).contains(&size) {
        true => write!(json, "{number}"),
        false => write!(json, "{number:e}"),
    };
}

fn text(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::to_string(text).expect("a text is JSON"));
        return;
    }
    json.push('"');
    json.push_str(text);
    json.push('"');
}

#[cfg(test)]
pub(crate) mod tests;
