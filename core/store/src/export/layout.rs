//! Which columns an export has, of which types, and what each of them says of a record.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::ExportErrorKind;
use super::pages::Row;
use crate::record::LabelValue;
use crate::time::Micros;

/// Different fields and labels of the records of one export.
pub const EXPORT_COLUMNS_MAX: usize = 16_384;

/// The columns that the store itself fills.
const OWN_NAMES: [&str; 2] = ["external_id", "event_time"];
const OWN_PREFIXES: [&str; 3] = ["label.", "prediction.", "payload."];

/// One column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    origin: Origin,
}

/// Where the values of a column come from.
#[derive(Debug)]
enum Origin {
    ExternalId,
    EventTime,
    Field(String),
    Label(String),
    LabelKnownAt(String),
    RunId,
    Score,
    PredictedLabel,
    Output,
}

/// The type of the values of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value so far.
    #[default]
    Unknown,
    Bool,
    Int,
    Float,
    Text,
    Time,
    /// Values of several types, or nested ones.
    Mixed,
}

impl Kind {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            (a, b) if a == b => a,
            _ => Self::Mixed,
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_i64() => Self::Int,
            Value::Number(_) => Self::Float,
            Value::String(_) => Self::Text,
            Value::Array(_) | Value::Object(_) => Self::Mixed,
        }
    }
}

/// One value of one column.
#[derive(Debug)]
pub(super) enum Datum<'r> {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'r str),
    Time(Micros),
    /// A value of a column of [`Kind::Mixed`].
    Json(&'r Value),
}

impl Datum<'_> {
    /// A value of a mixed column as text.
    pub(super) fn text_of(value: &Value) -> Cow<'_, str> {
        match value {
            Value::String(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_string()),
        }
    }
}

/// What was seen of the records so far.
#[derive(Default)]
pub(super) struct Layout {
    fields: Names,
    labels: Names,
    predicted: bool,
    output: bool,
}

/// Names in the order of their first appearance, with the type of all their values.
#[derive(Default)]
struct Names {
    places: HashMap<String, usize>,
    kinds: Vec<(String, Kind)>,
}

impl Names {
    fn see(&mut self, name: &str, kind: Kind) {
        match self.places.get(name) {
            Some(place) => {
                let (_, seen) = &mut self.kinds[*place];
                *seen = seen.and(kind);
            }
            None => {
                self.places.insert(name.to_owned(), self.kinds.len());
                self.kinds.push((name.to_owned(), kind));
            }
        }
    }
}

impl Layout {
    /// Takes in the fields of a payload.
    pub(super) fn see_fields(&mut self, fields: &[(String, Value)]) -> Result<(), ExportErrorKind> {
        for (name, value) in fields {
            self.fields.see(name, Kind::of(value));
        }
        self.check()
    }

    /// Takes in a label whose values have this type in the database, where truth is one of the numbers 0 and 1.
    pub(super) fn see_label(
        &mut self,
        name: &str,
        kind: &str,
        is_truth: bool,
    ) -> Result<(), ExportErrorKind> {
        self.labels.see(
            name,
            match kind {
                "integer" if is_truth => Kind::Bool,
                "integer" | "real" => Kind::Float,
                _ => Kind::Text,
            },
        );
        self.check()
    }

    /// Takes in whether there are predictions, and whether they have outputs.
    pub(super) fn see_predictions(&mut self, predicted: bool, output: bool) {
        self.predicted = predicted;
        self.output = output;
    }

    fn check(&self) -> Result<(), ExportErrorKind> {
        match self.fields.kinds.len() + self.labels.kinds.len() {
            0..=EXPORT_COLUMNS_MAX => Ok(()),
            _ => Err(ExportErrorKind::TooManyColumns),
        }
    }

    /// All columns, in order.
    pub(super) fn columns(self) -> Vec<Column> {
        let column = |name: &str, kind, origin| Column { name: name.to_owned(), kind, origin };
        let mut columns = vec![
            column("external_id", Kind::Text, Origin::ExternalId),
            column("event_time", Kind::Time, Origin::EventTime),
        ];
        for (field, kind) in self.fields.kinds {
            columns.push(Column {
                name: field_name(&field).into_owned(),
                kind,
                origin: Origin::Field(field),
            });
        }
        for (label, kind) in self.labels.kinds {
            let name = format!("label.{label}");
            columns.push(column(&name, kind, Origin::Label(label.clone())));
            columns.push(column(&format!("{name}.known_at"), Kind::Time, Origin::LabelKnownAt(label)));
        }
        if self.predicted {
            columns.push(column("prediction.run_id", Kind::Int, Origin::RunId));
            columns.push(column("prediction.score", Kind::Float, Origin::Score));
            columns.push(column("prediction.label", Kind::Text, Origin::PredictedLabel));
        }
        if self.output {
            columns.push(column("prediction.output", Kind::Mixed, Origin::Output));
        }
        columns
    }
}

/// The column of a field: its name, unless that is one of the store's own.
fn field_name(field: &str) -> Cow<'_, str> {
    let taken = OWN_NAMES.contains(&field) || OWN_PREFIXES.iter().any(|prefix| field.starts_with(prefix));
    if taken { Cow::Owned(format!("payload.{field}")) } else { Cow::Borrowed(field) }
}

impl Column {
    /// What the column says of a record. `at` is the place of the column among all columns, where its field stands in
    /// most payloads.
    pub(super) fn value<'r>(&self, row: &'r Row, at: usize) -> Datum<'r> {
        let text = |text: &'r Option<String>| text.as_deref().map_or(Datum::Missing, Datum::Text);
        let prediction = row.prediction.as_ref();
        match &self.origin {
            Origin::ExternalId => text(&row.external_id),
            Origin::EventTime => Datum::Time(row.event_time),
            Origin::Field(name) => {
                find(&row.fields, name, at).map_or(Datum::Missing, |value| self.datum(value))
            }
            Origin::Label(name) => match label(row, name) {
                None => Datum::Missing,
                Some((LabelValue::Bool(value), _)) => Datum::Bool(*value),
                Some((LabelValue::Number(number), _)) => Datum::Float(*number),
                Some((LabelValue::Text(text), _)) => Datum::Text(text),
            },
            Origin::LabelKnownAt(name) => label(row, name).map_or(Datum::Missing, |(_, at)| Datum::Time(at)),
            Origin::RunId => prediction.map_or(Datum::Missing, |prediction| Datum::Int(prediction.run_id)),
            Origin::Score => {
                prediction.and_then(|prediction| prediction.score).map_or(Datum::Missing, Datum::Float)
            }
            Origin::PredictedLabel => prediction.map_or(Datum::Missing, |prediction| text(&prediction.label)),
            Origin::Output => row.output.as_ref().map_or(Datum::Missing, Datum::Json),
        }
    }

    fn datum<'r>(&self, value: &'r Value) -> Datum<'r> {
        match (self.kind, value) {
            (_, Value::Null) => Datum::Missing,
            (Kind::Bool, Value::Bool(value)) => Datum::Bool(*value),
            (Kind::Text, Value::String(text)) => Datum::Text(text),
            (Kind::Int, Value::Number(number)) => number.as_i64().map_or(Datum::Missing, Datum::Int),
            (Kind::Float, Value::Number(number)) => number.as_f64().map_or(Datum::Missing, Datum::Float),
            (_, value) => Datum::Json(value),
        }
    }
}

fn label<'r>(row: &'r Row, name: &str) -> Option<(&'r LabelValue, Micros)> {
    row.labels.iter().find(|(label, ..)| label == name).map(|(_, value, known_at)| (value, *known_at))
}

/// The field of this name. Payloads of one kind have their fields in one order, so it usually stands where the column
/// does, behind the store's own ones.
fn find<'r>(fields: &'r [(String, Value)], name: &str, at: usize) -> Option<&'r Value> {
    let expected = at.checked_sub(OWN_NAMES.len()).and_then(|at| fields.get(at));
    expected
        .filter(|(field, _)| field == name)
        .or_else(|| fields.iter().find(|(field, _)| field == name))
        .map(|(_, value)| value)
}
