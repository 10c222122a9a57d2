//! Records and settings that a plugin was not made for.

use foretell_runtime::manifest::FieldType;
use serde_json::{Map, Value as Json, json};

use crate::records::{Column, Dice, Kind, Row, Value};
use crate::subject::Subject;

/// A setting that no plugin has.
const NO_SETTING: &str = "no_such_setting";

/// The same records with one column changed, each with what was done.
pub(crate) struct Variant {
    pub(crate) what: String,
    /// The column.
    pub(crate) place: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) fn wrong_types(subject: &Subject, rows: &[Row]) -> Vec<Variant> {
    let mut generator = subject.generator("wrong types");
    let mut variants = Vec::new();
    for (place, column) in subject.columns.iter().enumerate() {
        let changed = match &column.kind {
            Kind::Image(_) => vec![Kind::Field(FieldType::Utf8)],
            Kind::Field(kind) => vec![Kind::Field(another(kind))],
            // Each of its fields in turn.
            Kind::Past(fields) => (0..fields.len())
                .map(|index| {
                    let mut fields = fields.clone();
                    fields[index].1 = another(&fields[index].1);
                    Kind::Past(fields)
                })
                .collect(),
        };
        for kind in changed {
            let mut columns = subject.columns.clone();
            let mut rows = rows.to_vec();
            let what = match (&column.kind, &kind) {
                (Kind::Past(was), Kind::Past(is)) => {
                    let index = was.iter().zip(is).position(|(was, is)| was != is).unwrap_or_default();
                    for row in &mut rows {
                        let Value::Past(events) = &mut row[place] else { continue };
                        for event in events {
                            event.fields[index] = scalar(&is[index].1, &mut generator.dice);
                        }
                    }
                    format!("history `{}` with `{}` as {}", column.name, is[index].0, is[index].1)
                }
                (_, Kind::Field(kind)) => {
                    for row in &mut rows {
                        row[place] = match kind {
                            FieldType::List(item) => {
                                Value::List((0..3).map(|_| scalar(item, &mut generator.dice)).collect())
                            }
                            kind => scalar(kind, &mut generator.dice),
                        };
                    }
                    format!("column `{}` as {kind}", column.name)
                }
                _ => unreachable!("an image is replaced by a text, and a past by a past"),
            };
            columns[place].kind = kind;
            variants.push(Variant { what, place, columns, rows });
        }
    }
    variants
}

/// A type with values of the same size where there is one, so that a plugin that does not look reads nonsense and not beyond.
fn another(kind: &FieldType) -> FieldType {
    match kind {
        FieldType::Int64
        | FieldType::Timestamp
        | FieldType::Utf8
        | FieldType::Category
        | FieldType::Image => FieldType::Float64,
        FieldType::Float64 | FieldType::Bool => FieldType::Int64,
        FieldType::List(item) => FieldType::List(Box::new(another(item))),
    }
}

fn scalar(kind: &FieldType, dice: &mut Dice) -> Value {
    match kind {
        FieldType::Int64 => Value::Whole(dice.between(1, 1_000)),
        FieldType::Utf8 => Value::Text(dice.between(1, 1_000).to_string()),
        _ => Value::Number(1.0 + 999.0 * dice.unit()),
    }
}

pub(crate) fn missing_columns(subject: &Subject, rows: &[Row]) -> Vec<Variant> {
    let variant = |place: usize| {
        let mut columns = subject.columns.clone();
        let what = format!("records without the column `{}`", columns.remove(place).name);
        let mut rows = rows.to_vec();
        rows.iter_mut().for_each(|row| {
            row.remove(place);
        });
        Variant { what, place, columns, rows }
    };
    // A plugin of a single column has nothing left.
    let count = subject.columns.len();
    if count < 2 { Vec::new() } else { (0..count).map(variant).collect() }
}

/// Each setting of the manifest with values of other types, and a setting that there is not.
pub(crate) fn settings(config: &Map<String, Json>) -> Vec<Map<String, Json>> {
    let other = |value: &Json| match value {
        Json::Number(_) => [json!("a text"), json!(null), json!([])],
        Json::String(_) => [json!(-1), json!(null), json!({})],
        _ => [json!("a text"), json!(null), json!(-1)],
    };
    let changed = config.iter().flat_map(|(key, value)| other(value).map(|value| (key.clone(), value)));
    let unknown = (NO_SETTING.to_owned(), json!(1));
    changed.chain([unknown]).map(|setting| Map::from_iter([setting])).collect()
}
