//! What has to be read, worked out once from the input fields and the specs.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use super::{EVENT_TIME, FieldKind, HistoryErrorKind, HistoryField, HistorySpec, event_fields};
use crate::time::Micros;

/// The plan for one set of input fields and specs.
#[derive(Debug)]
pub(super) struct Plan {
    /// The input fields as the caller declared them.
    pub(super) inputs: SchemaRef,
    /// Where each input field comes from.
    pub(super) columns: Vec<Column>,
    /// Every field that is read from a payload: inputs, keys and fields of past events. All may be null, so that a
    /// missing one is found by us, record by record.
    pub(super) payload: SchemaRef,
    /// The names of the labels that are read.
    pub(super) labels: Vec<String>,
    /// The distinct keys of the specs. Specs with the same key share the events of an entity.
    pub(super) keys: Vec<Key>,
    /// One for each spec, in their order.
    pub(super) lists: Vec<List>,
}

/// Where an input field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The event time of the record.
    EventTime,
    /// A column of [`Plan::payload`].
    Payload(usize),
}

/// A key, and what is kept of each event of its entities.
#[derive(Debug)]
pub(super) struct Key {
    /// The name of the payload field that holds it.
    pub(super) name: String,
    /// The column of [`Plan::payload`] that holds it.
    pub(super) column: usize,
    /// What is kept of an event besides its time.
    pub(super) fields: Vec<Source>,
    /// The windows of the specs with this key.
    pub(super) windows: Vec<Window>,
}

/// A field of past events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) from: From,
    pub(super) kind: FieldKind,
}

/// Where a field of past events comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A column of [`Plan::payload`].
    Payload(usize),
    /// One of [`Plan::labels`].
    Label(usize),
}

/// Events with an event time in `(t - length, t - delay]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) length: Micros,
    pub(super) delay: Micros,
}

/// One list column.
#[derive(Debug)]
pub(super) struct List {
    pub(super) name: String,
    /// Which of [`Plan::keys`].
    pub(super) key: usize,
    /// Which of [`Key::windows`].
    pub(super) window: usize,
    /// Which of [`Key::fields`], in the order of the spec.
    pub(super) fields: Vec<usize>,
    /// The fields of the struct that is an item of the list.
    pub(super) item: Fields,
}

impl Key {
    /// How far back any of the specs with this key looks.
    pub(super) fn length_max(&self) -> Micros {
        self.windows.iter().map(|window| window.length).max().unwrap_or(0)
    }

    /// The shortest delay of the specs with this key.
    pub(super) fn delay_min(&self) -> Micros {
        self.windows.iter().map(|window| window.delay).min().unwrap_or(0)
    }

    /// Whether something of the payload of past events is wanted.
    pub(super) fn reads_payload(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.from, From::Payload(_)))
    }
}

impl Plan {
    pub(super) fn new(inputs: &SchemaRef, specs: &[HistorySpec]) -> Result<Self, HistoryErrorKind> {
        let mut payload = Payload::default();
        let columns = inputs
            .fields()
            .iter()
            .map(|field| input_column(&mut payload, field))
            .collect::<Result<_, _>>()?;
        let mut plan = Self {
            inputs: inputs.clone(),
            columns,
            payload: Arc::new(Schema::empty()),
            labels: Vec::new(),
            keys: Vec::new(),
            lists: Vec::new(),
        };
        for spec in specs {
            check(spec)?;
            plan.add(&mut payload, spec)?;
        }
        plan.payload = Arc::new(Schema::new(payload.fields));
        Ok(plan)
    }

    /// How far back any spec looks.
    pub(super) fn length_max(&self) -> Micros {
        self.keys.iter().map(Key::length_max).max().unwrap_or(0)
    }

    fn add(&mut self, payload: &mut Payload, spec: &HistorySpec) -> Result<(), HistoryErrorKind> {
        let column = payload.column(&spec.key, &DataType::Utf8)?;
        let sources = spec
            .fields
            .iter()
            .map(|field| {
                let from = match field {
                    HistoryField::Record { name, kind } => {
                        From::Payload(payload.column(name, &kind.arrow_type())?)
                    }
                    HistoryField::Label { name, .. } => {
                        From::Label(position_or_push(&mut self.labels, name.clone()))
                    }
                };
                Ok(Source { from, kind: field.kind() })
            })
            .collect::<Result<Vec<_>, HistoryErrorKind>>()?;
        let key = self.keys.iter().position(|key| key.column == column).unwrap_or_else(|| {
            self.keys.push(Key { name: spec.key.clone(), column, fields: Vec::new(), windows: Vec::new() });
            self.keys.len() - 1
        });
        let Key { fields, windows, .. } = &mut self.keys[key];
        windows.push(Window { length: spec.window, delay: spec.delay });
        self.lists.push(List {
            name: spec.name.clone(),
            key,
            window: windows.len() - 1,
            fields: sources.into_iter().map(|source| position_or_push(fields, source)).collect(),
            item: event_fields(spec),
        });
        Ok(())
    }
}

/// The payload fields found so far.
#[derive(Default)]
struct Payload {
    fields: Vec<FieldRef>,
}

impl Payload {
    /// The column of a field, which is added if it is new.
    fn column(&mut self, name: &str, wanted: &DataType) -> Result<usize, HistoryErrorKind> {
        let Some(column) = self.fields.iter().position(|field| field.name() == name) else {
            self.fields.push(Arc::new(Field::new(name, wanted.clone(), true)));
            return Ok(self.fields.len() - 1);
        };
        let declared = self.fields[column].data_type();
        if declared != wanted {
            return Err(HistoryErrorKind::FieldType {
                field: name.to_owned(),
                declared: declared.clone(),
                wanted: wanted.clone(),
            });
        }
        Ok(column)
    }
}

fn input_column(payload: &mut Payload, field: &Field) -> Result<Column, HistoryErrorKind> {
    if field.name() != EVENT_TIME {
        return payload.column(field.name(), field.data_type()).map(Column::Payload);
    }
    let wanted = DataType::Timestamp(TimeUnit::Microsecond, None);
    if *field.data_type() != wanted {
        let (field, declared) = (EVENT_TIME.to_owned(), field.data_type().clone());
        return Err(HistoryErrorKind::FieldType { field, declared, wanted });
    }
    Ok(Column::EventTime)
}

fn check(spec: &HistorySpec) -> Result<(), HistoryErrorKind> {
    let history = || spec.name.clone();
    if spec.delay < 0 || spec.window <= spec.delay {
        return Err(HistoryErrorKind::Window { history: history(), window: spec.window, delay: spec.delay });
    }
    if spec.key == EVENT_TIME {
        return Err(HistoryErrorKind::Reserved { history: history() });
    }
    for (index, field) in spec.fields.iter().enumerate() {
        let name = field.column_name();
        if name == EVENT_TIME {
            return Err(HistoryErrorKind::Reserved { history: history() });
        }
        if spec.fields[..index].iter().any(|other| other.column_name() == name) {
            return Err(HistoryErrorKind::Repeated { history: history(), field: name.into_owned() });
        }
    }
    Ok(())
}

fn position_or_push<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|other| *other == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
