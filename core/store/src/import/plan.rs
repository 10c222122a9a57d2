//! A mapping made ready: which columns are wanted, and how a row of them becomes a record.

use std::sync::Arc;

use chrono::format::StrftimeItems;

use super::cell::{Cell, Clock, NAME_BYTES_MAX, Reason, VALUE_BYTES_MAX, parse_pattern, sample};
use super::mapping::{
    Field, FieldType, Label, LabelType, Mapping, MappingErrorKind, Place, Problem, TimeColumn, Unit,
};
use crate::record::{LabelValue, NewRecord, NewRecordLabel, PAYLOAD_BYTES_MAX};
use crate::time::{Micros, TIME_MAX, parse_duration};

/// The name under which a plugin sees the time of the record, which a payload therefore cannot use.
const EVENT_TIME: &str = "event_time";

/// A checked [`Mapping`], ready to convert rows.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every column that the mapping names, once each. Everything below counts in it.
    columns: Vec<Arc<str>>,
    external_id: Option<usize>,
    event_time: (usize, Clock),
    fields: Vec<PlannedField>,
    labels: Vec<PlannedLabel>,
}

#[derive(Clone, Debug)]
struct PlannedField {
    column: usize,
    /// What stands before the value in the payload: `,"amount":`.
    prefix: Vec<u8>,
    form: Form,
    required: bool,
    key: bool,
}

/// The type of a field, with everything that belongs to it.
#[derive(Clone, Debug)]
enum Form {
    Int(Bounds),
    Float { divide: Option<f64>, bounds: Bounds },
    Bool,
    Text { allowed: Option<Vec<String>>, limit: usize },
    Time(Clock),
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    minimum: Option<f64>,
    maximum: Option<f64>,
}

#[derive(Clone, Debug)]
struct PlannedLabel {
    column: usize,
    name: String,
    form: LabelForm,
    known: Known,
}

#[derive(Clone, Debug)]
enum LabelForm {
    Bool,
    Codes { yes: Vec<String>, no: Vec<String> },
    Number,
    Text,
}

#[derive(Clone, Debug)]
enum Known {
    After(Micros),
    At(usize, Clock),
}

/// One row of any file, seen through the columns of a plan.
pub(super) trait Row {
    /// The value of a column, which counts in [`Plan::columns`].
    fn cell(&self, column: usize) -> Cell<'_>;
}

/// Why a row was refused, and in which column if it was one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) column: Option<Arc<str>>,
    pub(super) reason: Reason,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { column: None, reason }
    }
}

impl Plan {
    pub(super) fn new(mapping: &Mapping) -> Result<Self, MappingErrorKind> {
        let mut columns = Columns::default();
        let external_id = mapping.external_id.as_deref().map(|column| columns.add(column));
        let place = Place { part: EVENT_TIME, name: String::new() };
        let event_time =
            plan_time(&mapping.event_time, &mut columns).map_err(|problem| place.refuse(problem))?;
        let fields = mapping
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let place = Place { part: "field", name: field.name.clone() };
                plan_field(field, index, &mut columns).map_err(|problem| place.refuse(problem))
            })
            .collect::<Result<_, _>>()?;
        let labels = mapping
            .labels
            .iter()
            .map(|label| {
                let place = Place { part: "label", name: label.name.clone() };
                plan_label(label, &mut columns).map_err(|problem| place.refuse(problem))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { columns: columns.0, external_id, event_time, fields, labels })
    }

    /// The columns of the file that are needed, once each.
    pub fn columns(&self) -> &[Arc<str>] {
        &self.columns
    }

    /// Whether rows carry their own names.
    pub(super) fn names_rows(&self) -> bool {
        self.external_id.is_some()
    }

    /// Makes a record of a row. Its external id is the row's own, or none.
    pub(super) fn record(&self, row: &impl Row) -> Result<NewRecord, Refusal> {
        let external_id = match self.external_id {
            Some(column) => Some(self.at(column, name(row.cell(column)).and_then(required))?),
            None => None,
        };
        let (column, clock) = &self.event_time;
        let event_time = self.at(*column, clock.event(row.cell(*column)).and_then(required))?;
        let mut keys = Vec::new();
        let mut payload = Vec::with_capacity(32 * self.fields.len());
        payload.push(b'{');
        for field in &self.fields {
            payload.extend_from_slice(&field.prefix);
            let cell = row.cell(field.column);
            self.at(field.column, field.write(cell, &mut payload))?;
            if field.key {
                keys.push(self.at(field.column, name(cell))?);
            }
        }
        payload.push(b'}');
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Reason::TooLong { bytes: payload.len(), limit: PAYLOAD_BYTES_MAX }.into());
        }
        let payload = String::from_utf8(payload).expect("JSON of checked text is text");
        let labels = self.labels(row, event_time)?;
        Ok(NewRecord { external_id, event_time, payload, keys, labels, media: vec![] })
    }

    fn labels(&self, row: &impl Row, event_time: Micros) -> Result<Vec<NewRecordLabel>, Refusal> {
        let mut labels = Vec::with_capacity(self.labels.len());
        for label in &self.labels {
            let Some(value) = self.at(label.column, label.form.value(row.cell(label.column)))? else {
                continue;
            };
            let known_at = match &label.known {
                Known::After(delay) => event_time.saturating_add(*delay).min(TIME_MAX),
                Known::At(column, clock) => {
                    self.at(*column, clock.event(row.cell(*column)).and_then(required))?
                }
            };
            labels.push(NewRecordLabel { name: label.name.clone(), value, known_at });
        }
        Ok(labels)
    }

    fn at<T>(&self, column: usize, result: Result<T, Reason>) -> Result<T, Refusal> {
        result.map_err(|reason| self.refusal(column, reason))
    }

    pub(super) fn refusal(&self, column: usize, reason: Reason) -> Refusal {
        Refusal { column: Some(Arc::clone(&self.columns[column])), reason }
    }
}

impl PlannedField {
    /// Writes the value as JSON.
    fn write(&self, cell: Cell<'_>, payload: &mut Vec<u8>) -> Result<(), Reason> {
        let written = match &self.form {
            Form::Int(bounds) => match cell.int()? {
                Some(number) => {
                    bounds.check(number as f64)?;
                    serde_json::to_writer(&mut *payload, &number)
                }
                None => return self.write_missing(payload),
            },
            Form::Float { divide, bounds } => match cell.float()? {
                Some(number) => {
                    let number = divide.map_or(number, |divisor| number / divisor);
                    if !number.is_finite() {
                        return Err(Reason::NotFinite);
                    }
                    bounds.check(number)?;
                    serde_json::to_writer(&mut *payload, &number)
                }
                None => return self.write_missing(payload),
            },
            Form::Bool => match cell.bool()? {
                Some(value) => serde_json::to_writer(&mut *payload, &value),
                None => return self.write_missing(payload),
            },
            Form::Text { allowed, limit } => match cell.text(*limit)? {
                Some(text) => {
                    check_allowed(&text, allowed.as_deref())?;
                    serde_json::to_writer(&mut *payload, text.as_ref())
                }
                None => return self.write_missing(payload),
            },
            Form::Time(clock) => match clock.field(cell)? {
                Some(time) => serde_json::to_writer(&mut *payload, &time),
                None => return self.write_missing(payload),
            },
        };
        written.expect("a number or a text can be written as JSON into memory");
        Ok(())
    }

    fn write_missing(&self, payload: &mut Vec<u8>) -> Result<(), Reason> {
        if self.required {
            return Err(Reason::Missing);
        }
        payload.extend_from_slice(b"null");
        Ok(())
    }
}

impl Bounds {
    fn check(self, value: f64) -> Result<(), Reason> {
        match self {
            Self { minimum: Some(minimum), .. } if value < minimum => Err(Reason::Below { value, minimum }),
            Self { maximum: Some(maximum), .. } if value > maximum => Err(Reason::Above { value, maximum }),
            _ => Ok(()),
        }
    }
}

impl LabelForm {
    fn value(&self, cell: Cell<'_>) -> Result<Option<LabelValue>, Reason> {
        Ok(match self {
            Self::Bool => cell.bool()?.map(LabelValue::Bool),
            Self::Number => cell.float()?.map(LabelValue::Number),
            Self::Text => name(cell)?.map(LabelValue::Text),
            Self::Codes { yes, no } => match cell.code()? {
                None => None,
                Some(code) if yes.iter().any(|value| *value == code) => Some(LabelValue::Bool(true)),
                Some(code) if no.iter().any(|value| *value == code) => Some(LabelValue::Bool(false)),
                Some(code) => return Err(Reason::UnknownLabel(sample(&code))),
            },
        })
    }
}

/// Text that names something: short, and without the character at which SQL functions would cut it off.
fn name(cell: Cell<'_>) -> Result<Option<String>, Reason> {
    match cell.text(NAME_BYTES_MAX)? {
        Some(text) if text.contains('\0') => Err(Reason::Nul),
        text => Ok(text.map(std::borrow::Cow::into_owned)),
    }
}

fn required<T>(value: Option<T>) -> Result<T, Reason> {
    value.ok_or(Reason::Missing)
}

fn check_allowed(text: &str, allowed: Option<&[String]>) -> Result<(), Reason> {
    match allowed {
        Some(allowed) if !allowed.iter().any(|value| value == text) => {
            let listed = sample(&allowed.join(", "));
            Err(Reason::NotAllowed { value: sample(text), allowed: listed })
        }
        _ => Ok(()),
    }
}

/// The columns that were named so far.
#[derive(Default)]
struct Columns(Vec<Arc<str>>);

impl Columns {
    fn add(&mut self, name: &str) -> usize {
        match self.0.iter().position(|column| **column == *name) {
            Some(index) => index,
            None => {
                self.0.push(name.into());
                self.0.len() - 1
            }
        }
    }
}

fn plan_time(time: &TimeColumn, columns: &mut Columns) -> Result<(usize, Clock), Problem> {
    if time.column.is_empty() {
        return Err(Problem::NoName);
    }
    let epoch = time.epoch.map(|epoch| epoch.timestamp_micros());
    Ok((columns.add(&time.column), clock(time.unit, time.format.as_deref(), epoch)?))
}

fn clock(unit: Option<Unit>, format: Option<&str>, epoch: Option<Micros>) -> Result<Clock, Problem> {
    match (unit, format) {
        (Some(_), Some(_)) => Err(Problem::UnitAndFormat),
        (Some(unit), None) => Ok(Clock::Count { unit, epoch: epoch.unwrap_or(0) }),
        (None, _) if epoch.is_some() => Err(Problem::EpochWithoutUnit),
        (None, None | Some("rfc3339")) => Ok(Clock::Standard),
        (None, Some(pattern)) => {
            let wrong = || Problem::Format(pattern.to_owned());
            let items = StrftimeItems::new(pattern).parse_to_owned().map_err(|_| wrong())?;
            // A pattern that cannot read back what it wrote would reject every row: it has no year, for instance.
            let sample = chrono::DateTime::UNIX_EPOCH.format_with_items(items.iter()).to_string();
            match parse_pattern(&sample, &items) {
                Some(_) => Ok(Clock::Pattern { items, pattern: pattern.to_owned() }),
                None => Err(wrong()),
            }
        }
    }
}

fn plan_field(field: &Field, index: usize, columns: &mut Columns) -> Result<PlannedField, Problem> {
    if field.name == EVENT_TIME {
        return Err(Problem::ReservedName);
    }
    check_settings(field)?;
    let form = match field.kind {
        FieldType::Int64 => Form::Int(bounds(field)?),
        FieldType::Float64 => Form::Float { divide: field.divide, bounds: bounds(field)? },
        FieldType::Bool => Form::Bool,
        FieldType::Utf8 | FieldType::Category => {
            let limit = if field.key { NAME_BYTES_MAX } else { VALUE_BYTES_MAX };
            Form::Text { allowed: field.allowed.clone(), limit }
        }
        FieldType::Timestamp => {
            let epoch = field.epoch.map(|epoch| epoch.timestamp_micros());
            Form::Time(clock(field.unit, field.format.as_deref(), epoch)?)
        }
    };
    let name = serde_json::to_string(&field.name).expect("a text can be written as JSON");
    let separator = if index == 0 { "" } else { "," };
    Ok(PlannedField {
        column: columns.add(field.column()),
        prefix: format!("{separator}{name}:").into_bytes(),
        form,
        required: field.required,
        key: field.key,
    })
}

/// Refuses settings that the type of the field would silently ignore.
fn check_settings(field: &Field) -> Result<(), Problem> {
    let kind = field.kind;
    let number = matches!(kind, FieldType::Int64 | FieldType::Float64);
    let text = matches!(kind, FieldType::Utf8 | FieldType::Category);
    let time = kind == FieldType::Timestamp;
    let settings = [
        ("divide", field.divide.is_some(), kind == FieldType::Float64, "it is for `float64`"),
        ("minimum", field.minimum.is_some(), number, "it is for `int64` and `float64`"),
        ("maximum", field.maximum.is_some(), number, "it is for `int64` and `float64`"),
        ("allowed", field.allowed.is_some(), text, "it is for `utf8` and `category`"),
        ("unit", field.unit.is_some(), time, "it is for `timestamp`"),
        ("format", field.format.is_some(), time, "it is for `timestamp`"),
        ("epoch", field.epoch.is_some(), time, "it is for `timestamp`"),
    ];
    if let Some((setting, _, _, meaning)) = settings.iter().find(|(_, given, fits, _)| *given && !fits) {
        return Err(Problem::Misplaced { setting, meaning });
    }
    if field.key && !text {
        return Err(Problem::KeyType);
    }
    match field.divide {
        Some(divisor) if !(divisor.is_finite() && divisor > 0.0) => Err(Problem::Divisor(divisor)),
        _ => Ok(()),
    }
}

fn bounds(field: &Field) -> Result<Bounds, Problem> {
    let Field { minimum, maximum, .. } = *field;
    let least = minimum.unwrap_or(f64::NEG_INFINITY);
    let greatest = maximum.unwrap_or(f64::INFINITY);
    // Not true for a NaN on either side, as it should be.
    if least <= greatest { Ok(Bounds { minimum, maximum }) } else { Err(Problem::Bounds) }
}

fn plan_label(label: &Label, columns: &mut Columns) -> Result<PlannedLabel, Problem> {
    let form = match (label.kind, &label.true_values, &label.false_values) {
        (LabelType::Bool, None, None) => LabelForm::Bool,
        (LabelType::Bool, Some(yes), Some(no)) => match yes.iter().find(|value| no.contains(value)) {
            Some(both) => return Err(Problem::InBothLists(both.clone())),
            None => LabelForm::Codes { yes: yes.clone(), no: no.clone() },
        },
        (LabelType::Bool, _, _) => return Err(Problem::OneList),
        (LabelType::Float64, None, None) => LabelForm::Number,
        (LabelType::Utf8, None, None) => LabelForm::Text,
        (_, yes, _) => {
            let setting = if yes.is_some() { "true_values" } else { "false_values" };
            return Err(Problem::Misplaced { setting, meaning: "it is for `bool`" });
        }
    };
    let column = columns.add(label.column());
    let known = match (&label.known_after, &label.known_at) {
        (None, None) => return Err(Problem::NotKnown),
        (Some(_), Some(_)) => return Err(Problem::KnownTwice),
        (Some(delay), None) => Known::After(parse_duration(delay)?),
        (None, Some(time)) => {
            let (column, clock) = plan_time(time, columns)?;
            Known::At(column, clock)
        }
    };
    Ok(PlannedLabel { column, name: label.name.clone(), form, known })
}
