//! The outermost values that a manifest allows.

use foretell_runtime::manifest::{EVENT_TIME, FieldType, Image, Manifest};

use super::{Event, Fill, Generator, Kind, LATEST, Picture, Row, Value, columns, time_place};

/// Bytes of a long text.
const TEXT_BYTES: usize = 1 << 16;
/// Items of a long list.
const ITEMS: usize = 1_000;
/// Events of a long history.
const EVENTS: usize = 2_000;
/// Longest side of an image that may have any.
const SIDE_PIXELS: u32 = 512;
/// Earliest and latest time that a record can have: the years 1 and 9999, in microseconds.
const TIMES: [i64; 4] = [-62_135_596_800_000_000, -1, 0, 253_402_300_799_999_999];

/// The outermost values of a column, each a value of an otherwise ordinary record, with what is to be said of it.
pub(crate) fn extremes(
    manifest: &Manifest,
    generator: &mut Generator<'_>,
    place: usize,
) -> Vec<(String, Value)> {
    let column = &columns(manifest)[place];
    let input = manifest.inputs.get(place);
    let bounds = (input.and_then(|input| input.minimum), input.and_then(|input| input.maximum));
    let allowed = input.map_or(&[][..], |input| &input.allowed);
    match &column.kind {
        Kind::Image(image) => pictures(image),
        Kind::Field(FieldType::List(item)) => {
            let mut found = vec![("without an item".to_owned(), Value::List(Vec::new()))];
            found.extend(
                scalars(item, bounds, allowed)
                    .into_iter()
                    .map(|(what, value)| (format!("with {what} in it"), Value::List(vec![value]))),
            );
            if let Some(input) = input {
                let long = generator.input(input, &input.kind, LATEST, ITEMS);
                found.push((format!("of {ITEMS} items"), long));
            }
            found
        }
        Kind::Field(_) if column.name == EVENT_TIME => {
            TIMES.iter().map(|time| (format!("{time}"), Value::Time(*time))).collect()
        }
        Kind::Field(kind) => scalars(kind, bounds, allowed),
        Kind::Past(fields) => {
            let mut found = vec![
                ("without an event".to_owned(), Value::Past(Vec::new())),
                (format!("of {EVENTS} events"), generator.past(place, LATEST, EVENTS)),
            ];
            for (index, (name, kind)) in fields.iter().enumerate() {
                for (what, value) in scalars(kind, (None, None), &[]) {
                    let Value::Past(mut events) = generator.past(place, LATEST, 3) else { continue };
                    for Event { fields, .. } in &mut events {
                        fields[index] = value.clone();
                    }
                    found.push((format!("with {what} as `{name}` of its events"), Value::Past(events)));
                }
            }
            found
        }
    }
}

/// A record with an outermost value in a column. A record at the end of time has a past that ends there.
pub(crate) fn with_extreme(
    manifest: &Manifest,
    generator: &mut Generator<'_>,
    row: &Row,
    place: usize,
    value: &Value,
) -> Row {
    if Some(place) == time_place(manifest)
        && let Value::Time(time) = value
    {
        return generator.row(*time);
    }
    let mut row = row.clone();
    row[place] = value.clone();
    // Its past was made for the latest time.
    if matches!(value, Value::Past(_))
        && let Some(time) = time_place(manifest)
    {
        row[time] = Value::Time(LATEST);
    }
    row
}

/// A record with a value in one field of each past event of a history, which has one if it had none.
pub(crate) fn with_past(
    manifest: &Manifest,
    generator: &mut Generator<'_>,
    row: &Row,
    place: usize,
    index: usize,
    value: &Value,
) -> Row {
    let time = match time_place(manifest).map(|place| &row[place]) {
        Some(Value::Time(time)) => *time,
        _ => LATEST,
    };
    let mut row = row.clone();
    if !matches!(&row[place], Value::Past(events) if !events.is_empty()) {
        row[place] = generator.past(place, time, 1);
    }
    if let Value::Past(events) = &mut row[place] {
        for event in events {
            event.fields[index] = value.clone();
        }
    }
    row
}

fn pictures(image: &Image) -> Vec<(String, Value)> {
    let sizes = match image.size() {
        Some((width, height)) => vec![(width, height)],
        None => vec![(1, 1), (1, SIDE_PIXELS), (SIDE_PIXELS, 1)],
    };
    let fills = [("black", Fill::Flat(0)), ("white", Fill::Flat(u8::MAX)), ("in squares", Fill::Squares(1))];
    sizes
        .into_iter()
        .flat_map(|(width, height)| {
            fills.map(|(what, fill)| {
                (format!("{width} x {height}, {what}"), Value::Picture(Picture { height, width, fill }))
            })
        })
        .collect()
}

fn scalars(
    kind: &FieldType,
    (minimum, maximum): (Option<f64>, Option<f64>),
    allowed: &[String],
) -> Vec<(String, Value)> {
    let within =
        |number: f64| minimum.is_none_or(|low| low <= number) && maximum.is_none_or(|high| number <= high);
    let values: Vec<Value> = match kind {
        FieldType::Int64 => {
            let low = minimum.map_or(i64::MIN, |low| low.ceil() as i64);
            let high = maximum.map_or(i64::MAX, |high| high.floor() as i64);
            let inner = [-1, 0, 1].into_iter().filter(|number| within(*number as f64));
            [low, high].into_iter().chain(inner).map(Value::Whole).collect()
        }
        FieldType::Float64 => {
            let outer = [minimum.unwrap_or(f64::MIN), maximum.unwrap_or(f64::MAX)];
            let inner = [-0.0, f64::MIN_POSITIVE, -f64::MIN_POSITIVE, 1e-300, 1e300];
            let inner = inner.into_iter().filter(|number| within(*number));
            outer.into_iter().chain(inner).map(Value::Number).collect()
        }
        FieldType::Bool => vec![Value::Bool(false), Value::Bool(true)],
        FieldType::Timestamp => TIMES.into_iter().map(Value::Time).collect(),
        FieldType::Utf8 | FieldType::Category | FieldType::Image | FieldType::List(_) => {
            let texts = [String::new(), "\u{0}".into(), "\u{202e}\u{1f980}'\"\\\n".into()];
            let long = ["x".repeat(TEXT_BYTES)];
            match allowed {
                [] => texts.into_iter().chain(long).map(Value::Text).collect(),
                _ => allowed.iter().cloned().map(Value::Text).collect(),
            }
        }
    };
    values.into_iter().map(|value| (in_words(&value), value)).collect()
}

/// A single value as it is told of.
pub(crate) fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "missing".to_owned(),
        Value::Whole(number) => number.to_string(),
        Value::Number(number) => format!("{number:e}"),
        Value::Bool(flag) => flag.to_string(),
        Value::Time(time) => format!("the time {time}"),
        Value::Text(text) if text.len() == TEXT_BYTES => format!("a text of {TEXT_BYTES} bytes"),
        Value::Text(text) => format!("the text {text:?}"),
        other => format!("{other:?}"),
    }
}
