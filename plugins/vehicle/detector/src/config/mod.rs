//! The manifest's `[config]`: what a network takes and how its answer is read.
//!
//! | key | without it | |
//! |---|---|---|
//! | `layout` | needed | `yolov5`, `yolov8`, `yolox`, `ssd`, `centre` or `end-to-end`, see [`decode`](crate::decode) |
//! | `classes` | needed | names of the network's classes in order, or one of the [lists](crate::classes::LISTS); `background` never counts |
//! | `map` | each class is a label | table from classes to labels of the manifest; a class that is not in it is dropped |
//! | `score` | 0.25 | least score of a box; a tracker that is given the boxes takes it for the score from which they are objects |
//! | `overlap` | 0.45, or 1 | intersection over union above which the worse of two boxes of a label goes; 1 where the network sees to it (`centre`, `end-to-end`) |
//! | `agnostic` | false | whether boxes of different labels throw each other out |
//! | `several` | false | whether an anchor may be several classes at once; else it is the best of those that have a label |
//! | `boxes_max` | 300 | most boxes of an image |
//! | `activation` | `none` | `sigmoid` where scores are logarithms of odds |
//! | `form` | the first | `yolov5`: `decoded`, `grid`, `scales`; `yolox`: `grid`, `decoded`, `scales`; `yolov8`: `columns`, `rows` |
//! | `strides` | 8, 16, 32; of `centre` 4 | sides of the cells in pixels, in the network's order; not of `end-to-end` |
//! | `sizes` | those of YOLOv3 | `yolov5` with `grid` or `scales`: for each stride, widths and heights of the anchors in pixels |
//! | `order` | `cxcywh`; `xyxy` of `ssd` and `end-to-end` | order of a box's numbers: `xyxy`, `yxyx`, `xywh`, `cxcywh` |
//! | `unit` | `pixels`; `cells` of `centre` | `fraction`: of the width and height |
//! | `rows` | one a cell of each stride, `yolov5` three; needed by `end-to-end` | boxes that the network answers for an image |
//! | `outputs` | in the order of the layout | what the network's outputs are, in its own order |
//! | `tensor` | `nchw` | `nhwc`: the channels of a pixel beside each other |
//! | `element` | `float32` | `uint8`: samples as they are |
//! | `channels` | `rgb` | or `bgr` |
//! | `scale`, `mean`, `deviation` | 1, 0, 1 | the network is given (sample * scale - mean) / deviation; means and deviations in the network's order of channels |
//! | `batch` | any | images that the network takes at once, where it takes one number of them alone |
//!
//! An output is named by its role: `predictions`, `boxes`, `scores`, `classes`, `count`, `heat`, `size`, `offset`. Where it is no
//! `float32`, or has another shape, a table says so: `{ role = "count", element = "int32", shape = [1] }`; and one before the last
//! wanted that nobody reads is `{ role = "ignored", shape = [100, 91] }`. Shapes leave the images out.

mod keys;
mod shape;

use std::collections::BTreeMap;

use keys::Keys;
pub use keys::{BadSetting, BadSettingKind};
use serde::Deserialize;
use serde_json::{Map, Value};
pub use shape::{Output, OutputElement};

use crate::classes;
use crate::decode::{Activation, Layout, Scoring};
use crate::prepare::{Element, Preparation, TensorOrder};
use crate::suppress::Suppression;

/// Most classes of a network.
pub const CLASSES_MAX: usize = 10_000;
/// Most boxes of an image.
pub const BOXES_MAX: usize = 100_000;
/// Most images that a network takes at once.
pub const BATCH_MAX: usize = 1024;
/// Least score of a box when nothing is said.
const SCORE: f32 = 0.25;
/// Overlap from which on a box goes when nothing is said: what YOLO's makers use.
const OVERLAP: f32 = 0.45;
/// Boxes of an image when nothing is said.
const BOXES: usize = 300;
/// Channels of an image.
const CHANNELS: usize = 3;
/// Greatest scale, mean and deviation.
const FACTOR_MAX: f32 = 1e6;

/// `[config]`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What becomes of samples before the network sees them.
    pub preparation: Preparation,
    /// Images that the network takes at once; any number without it.
    pub batch: Option<usize>,
    /// How the answer is laid out.
    pub layout: Layout,
    /// The key `layout`.
    pub name: &'static str,
    /// The network's outputs, in its own order.
    pub outputs: Vec<Output>,
    /// Labels of boxes; a candidate names one by its place.
    pub labels: Vec<String>,
    /// Which scores count.
    pub scoring: Scoring,
    /// Which boxes stay.
    pub suppression: Suppression,
}

/// A list of classes, or the name of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Name(String),
}

impl Settings {
    /// Reads and checks the settings, a JSON object.
    pub fn read(config: Map<String, Value>) -> Result<Self, BadSetting> {
        let mut keys = Keys::new(config);
        let (name, kind) = shape::layout(&mut keys)?;
        let classes = read_classes(&mut keys)?;
        let (labels, places) = read_map(&mut keys, &classes)?;
        let preparation = read_preparation(&mut keys)?;
        let batch = keys.whole("batch", 1..=BATCH_MAX)?;
        let mut layout = kind.read(&mut keys)?;
        let outputs = shape::outputs(&mut keys, &mut layout)?;
        let activations = [("none", Activation::None), ("sigmoid", Activation::Sigmoid)];
        let activation = keys.word("activation", &activations)?.unwrap_or(Activation::None);
        let several = keys.optional("several", "true or false")?.unwrap_or(false);
        let score = keys.number("score", 0.0..=1.0, SCORE)?;
        let is_final = matches!(layout, Layout::Centre(_) | Layout::Ended(_));
        let suppression = Suppression {
            overlap: keys.number("overlap", 0.0..=1.0, if is_final { 1.0 } else { OVERLAP })?,
            agnostic: keys.optional("agnostic", "true or false")?.unwrap_or(false),
            boxes_max: keys.whole("boxes_max", 1..=BOXES_MAX)?.unwrap_or(BOXES),
        };
        keys.end(name, &shape::KEYS)?;
        let scoring = Scoring::new(places, score, activation, several);
        Ok(Self { preparation, batch, layout, name, outputs, labels, scoring, suppression })
    }
}

fn read_classes(keys: &mut Keys) -> Result<Vec<String>, BadSetting> {
    const EXPECTED: &str = "the names of the network's classes in order, or the name of a list of them";
    let names = match keys.required("classes", EXPECTED)? {
        Names::List(names) => names,
        Names::Name(name) => classes::list(&name).ok_or_else(|| {
            let expected = format!("a list of names, or one of {}", classes::LISTS.join(", "));
            BadSetting::value("classes", expected, &format!("\"{name}\""))
        })?,
    };
    if !(1..=CLASSES_MAX).contains(&names.len()) {
        return Err(BadSetting::value("classes", format!("1 to {CLASSES_MAX} names"), &names.len()));
    }
    Ok(names)
}

/// The labels, and which of them each class has.
fn read_map(keys: &mut Keys, classes: &[String]) -> Result<(Vec<String>, Vec<Option<u16>>), BadSetting> {
    const EXPECTED: &str = "a table from names of classes to labels";
    let map: Option<BTreeMap<String, String>> = keys.optional("map", EXPECTED)?;
    if let Some(unknown) = map.iter().flat_map(BTreeMap::keys).find(|class| !classes.contains(class)) {
        return Err(BadSetting::value("map", "classes that `classes` lists", &format!("`{unknown}`")));
    }
    let mut labels: Vec<String> = Vec::new();
    let mut places = Vec::new();
    for class in classes {
        let label = match &map {
            _ if class == classes::BACKGROUND => None,
            Some(map) => map.get(class),
            None => Some(class),
        };
        places.push(label.map(|label| {
            let place = labels.iter().position(|known| known == label).unwrap_or_else(|| {
                labels.push(label.clone());
                labels.len() - 1
            });
            // There are as many labels as classes at most, which are fewer.
            place as u16
        }));
    }
    if labels.is_empty() {
        return Err(BadSetting::value("map", "a label for at least one class", &"none"));
    }
    Ok((labels, places))
}

fn read_preparation(keys: &mut Keys) -> Result<Preparation, BadSetting> {
    let orders = [("nchw", TensorOrder::Nchw), ("nhwc", TensorOrder::Nhwc)];
    let elements = [("float32", Element::Float32), ("uint8", Element::Uint8)];
    let channels = [("rgb", false), ("bgr", true)];
    let each = |keys: &mut Keys, key, otherwise: f32| -> Result<[f32; CHANNELS], BadSetting> {
        let expected = format!("three numbers from -{FACTOR_MAX} to {FACTOR_MAX}, one a channel");
        let numbers = keys.optional(key, &expected)?.unwrap_or([otherwise; CHANNELS]);
        let fit = numbers.iter().all(|number| number.abs() <= FACTOR_MAX);
        if fit { Ok(numbers) } else { Err(BadSetting::value(key, expected, &format!("{numbers:?}"))) }
    };
    let preparation = Preparation {
        order: keys.word("tensor", &orders)?.unwrap_or(TensorOrder::Nchw),
        element: keys.word("element", &elements)?.unwrap_or(Element::Float32),
        reversed: keys.word("channels", &channels)?.unwrap_or(false),
        scale: keys.number("scale", -FACTOR_MAX..=FACTOR_MAX, 1.0)?,
        mean: each(keys, "mean", 0.0)?,
        deviation: each(keys, "deviation", 1.0)?,
    };
    if preparation.deviation.contains(&0.0) {
        let found = format!("{:?}", preparation.deviation);
        return Err(BadSetting::value("deviation", "numbers other than 0", &found));
    }
    if preparation.element == Element::Uint8 && !preparation.keeps_values() {
        let expected = "\"float32\" where `scale`, `mean` or `deviation` change the samples";
        return Err(BadSetting::value("element", expected, &"\"uint8\""));
    }
    Ok(preparation)
}
