//! Records as they come every day: each value well within what the manifest allows.
//!
//! A manifest says types and ranges, and not how fields belong together. So the generator takes what is most often the case: all
//! lists of a record are as long as each other, lists of whole numbers ascend, and a text is one of few, some of which are numbers
//! and some of which are the plugin's own labels. What a plugin refuses all the same is set aside by whoever asked for it.

use foretell_runtime::manifest::{EVENT_TIME, FieldType, Image, Input, LABEL_PREFIX, Manifest};

use super::{Column, Dice, Event, Fill, Kind, Picture, Row, Value, columns};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// The time of the first record: 2020-01-01.
const FIRST: i64 = 18_262 * DAY;
/// How long records go on.
const SPAN: i64 = 60 * DAY;
/// The time of the last record at most.
pub(crate) const LATEST: i64 = FIRST + SPAN;
/// How far an ordinary number is from the least that is allowed, or from zero.
const REACH: f64 = 100.0;
/// Different texts of a field, in either form.
const TEXTS: i64 = 20;
/// Share of optional values that are missing.
const MISSING_PERCENT: usize = 20;
/// Share of labels in a history that are not known yet.
const UNKNOWN_PERCENT: usize = 30;
/// Items of an ordinary list at most.
const ITEMS_MAX: usize = 8;
/// Events of an ordinary history at most.
const EVENTS_MAX: usize = 8;
/// Shortest and longest side of an image that may have any.
const SIDES: (i64, i64) = (16, 64);

/// Makes records of one manifest.
pub(crate) struct Generator<'a> {
    manifest: &'a Manifest,
    columns: Vec<Column>,
    pub(crate) dice: Dice,
}

impl<'a> Generator<'a> {
    /// The generator of a seed for one purpose.
    pub(crate) fn new(manifest: &'a Manifest, seed: u64, purpose: &str) -> Self {
        Self { manifest, columns: columns(manifest), dice: Dice::new(seed, purpose) }
    }

    /// So many records, in the order of their times.
    pub(crate) fn rows(&mut self, count: usize) -> Vec<Row> {
        let mut times: Vec<i64> = (0..count).map(|_| self.dice.between(FIRST, LATEST)).collect();
        times.sort_unstable();
        times.into_iter().map(|time| self.row(time)).collect()
    }

    /// A record of a time.
    pub(crate) fn row(&mut self, time: i64) -> Row {
        let items = if self.dice.chance(MISSING_PERCENT) { 0 } else { 1 + self.dice.below(ITEMS_MAX) };
        (0..self.columns.len()).map(|place| self.value(place, time, items)).collect()
    }

    /// A value of a column, for a record of a time whose lists have so many items.
    fn value(&mut self, place: usize, time: i64, items: usize) -> Value {
        let Some(input) = self.manifest.inputs.get(place) else {
            let count = self.dice.below(EVENTS_MAX + 1);
            return self.past(place, time, count);
        };
        if input.name == EVENT_TIME {
            return Value::Time(time);
        }
        if !input.required && self.dice.chance(MISSING_PERCENT) {
            return Value::Null;
        }
        match &self.columns[place].kind {
            Kind::Image(image) => picture(&mut self.dice, image),
            _ => self.input(input, &input.kind, time, items),
        }
    }

    /// A value of an input, or of another type in its place.
    pub(crate) fn input(&mut self, input: &Input, kind: &FieldType, time: i64, items: usize) -> Value {
        let FieldType::List(item) = kind else { return self.scalar(Some(input), kind, time) };
        let mut values: Vec<Value> = (0..items).map(|_| self.scalar(Some(input), item, time)).collect();
        if **item == FieldType::Int64 {
            values.sort_by_key(|value| match value {
                Value::Whole(number) => *number,
                _ => 0,
            });
        }
        Value::List(values)
    }

    /// So many events of a history, before a record of a time.
    pub(crate) fn past(&mut self, place: usize, time: i64, count: usize) -> Value {
        let history = &self.manifest.histories[place - self.manifest.inputs.len()];
        let earliest = time.saturating_sub(history.window.min(SPAN.max(2 * history.delay))).saturating_add(1);
        let latest = time.saturating_sub(history.delay);
        let mut times: Vec<i64> = (0..count).map(|_| self.dice.between(earliest, latest)).collect();
        times.sort_unstable();
        Value::Past(times.into_iter().map(|time| self.event(place, time)).collect())
    }

    /// An event of a history.
    pub(crate) fn event(&mut self, place: usize, time: i64) -> Event {
        let history = &self.manifest.histories[place - self.manifest.inputs.len()];
        let manifest = self.manifest;
        let field = |name: &String| {
            let kind = manifest.history_field(name).unwrap_or(&FieldType::Utf8);
            if name.starts_with(LABEL_PREFIX) && self.dice.chance(UNKNOWN_PERCENT) {
                return Value::Null;
            }
            self.scalar(manifest.inputs.iter().find(|input| input.name == *name), kind, time)
        };
        Event { time, fields: history.fields.iter().map(field).collect() }
    }

    /// A single value, within the bounds of an input.
    fn scalar(&mut self, input: Option<&Input>, kind: &FieldType, time: i64) -> Value {
        let (low, high) = usual(input);
        let dice = &mut self.dice;
        match kind {
            FieldType::Int64 => Value::Whole(dice.between(low.ceil() as i64, high.floor() as i64)),
            FieldType::Float64 => Value::Number(low + dice.unit() * (high - low)),
            FieldType::Bool => Value::Bool(dice.chance(50)),
            FieldType::Timestamp => Value::Time(dice.between(time - SPAN, time)),
            FieldType::Utf8 | FieldType::Category | FieldType::Image | FieldType::List(_) => {
                Value::Text(text(dice, input, &self.manifest.output.labels))
            }
        }
    }
}

/// The range in which ordinary values of an input lie.
fn usual(input: Option<&Input>) -> (f64, f64) {
    let minimum = input.and_then(|input| input.minimum);
    let maximum = input.and_then(|input| input.maximum);
    match (minimum, maximum) {
        (Some(low), Some(high)) if low < 0.0 && high > 0.0 => (low.max(-REACH), high.min(REACH)),
        (Some(low), high) => (low, high.unwrap_or(f64::INFINITY).min(low + REACH)),
        (None, Some(high)) if high < REACH => (high - REACH, high),
        (None, _) => (0.0, REACH),
    }
}

fn text(dice: &mut Dice, input: Option<&Input>, labels: &[String]) -> String {
    let allowed = input.map_or(&[][..], |input| &input.allowed);
    if !allowed.is_empty() {
        return dice.choose(allowed).clone();
    }
    let number = dice.between(1, TEXTS);
    match dice.below(4) {
        0 if !labels.is_empty() => dice.choose(labels).clone(),
        0 | 1 => format!("some-{number}"),
        _ => number.to_string(),
    }
}

pub(super) fn picture(dice: &mut Dice, image: &Image) -> Value {
    let side = |dice: &mut Dice| dice.between(SIDES.0, SIDES.1) as u32;
    let (width, height) = image.size().unwrap_or_else(|| (side(dice), side(dice)));
    let fill = if dice.chance(20) { Fill::Flat(dice.below(256) as u8) } else { Fill::Squares(dice.bits()) };
    Value::Picture(Picture { height, width, fill })
}
