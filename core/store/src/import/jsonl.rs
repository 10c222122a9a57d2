//! JSON Lines: one JSON object per line.
//!
//! Only the members that the plan wants are kept; the rest of a line is checked and passed over. Nesting costs nothing
//! there: what is passed over is not taken apart, and a nested value where a plain one is wanted is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batch::{Batcher, Cancelled, reject, shorten};
use super::cell::{Cell, Reason};
use super::plan::{Plan, Refusal, Row};
use super::text::{ROW_BYTES_MAX, TextFile, without_line_end};
use super::{ImportErrorKind, Mapping, MappingError};
use crate::record::{NewRecord, Reject};

/// Finds the wanted members of an object.
#[derive(Clone, Debug)]
pub(super) struct Members {
    columns: HashMap<Arc<str>, usize>,
}

impl Members {
    pub(super) fn new(columns: &[Arc<str>]) -> Self {
        Self { columns: columns.iter().cloned().zip(0..).collect() }
    }

    /// Takes one line apart.
    pub(super) fn row<'a>(&self, line: &'a [u8], plan: &Plan) -> Result<JsonRow<'a>, Refusal> {
        let text = std::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let found = ObjectSeed(self)
            .deserialize(&mut deserializer)
            .and_then(|found| deserializer.end().map(|()| found))
            .map_err(|error| not_json(text, &error))?;
        match found.twice {
            Some(column) => Err(plan.refusal(column, Reason::Twice)),
            None => Ok(JsonRow { values: found.values }),
        }
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> Reason {
    if !text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Reason::NotObject;
    }
    // The line is always the first one; the number in front of the file's own would confuse.
    Reason::NotJson(error.to_string().replace(" at line 1 column ", " at column "))
}

/// The wanted members of one line.
pub(super) struct JsonRow<'a> {
    values: Vec<Value<'a>>,
}

impl Row for JsonRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        match &self.values[column] {
            Value::Plain(cell) => *cell,
            Value::Text(text) => Cell::of_bytes(text.as_bytes()),
        }
    }
}

#[derive(Clone)]
enum Value<'a> {
    Plain(Cell<'static>),
    Text(Cow<'a, str>),
}

struct Found<'a> {
    values: Vec<Value<'a>>,
    twice: Option<usize>,
}

struct ObjectSeed<'m>(&'m Members);

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found =
            Found { values: vec![Value::Plain(Cell::Missing); self.0.columns.len()], twice: None };
        let mut seen = vec![false; self.0.columns.len()];
        while let Some(column) = map.next_key_seed(NameSeed(self.0))? {
            let Some(column) = column else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            found.values[column] = map.next_value_seed(ValueSeed)?;
            if std::mem::replace(&mut seen[column], true) {
                found.twice.get_or_insert(column);
            }
        }
        Ok(found)
    }
}

/// The name of a member: the column that it is, if it is wanted.
struct NameSeed<'m>(&'m Members);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.columns.get(name).copied())
    }
}

struct ValueSeed;

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Plain(Cell::Missing))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Plain(Cell::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Plain(Cell::Int(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Plain(i64::try_from(value).map_or(Cell::Unsigned(value), Cell::Int)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Plain(Cell::Float(value)))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Plain(Cell::Nested("an array")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Plain(Cell::Nested("an object")))
    }
}

/// A file that has at least one line.
pub(super) struct JsonFile {
    text: TextFile,
}

impl JsonFile {
    /// Looks at the first line.
    pub(super) fn open(file: File) -> Result<Self, ImportErrorKind> {
        let mut text = TextFile::new(file)?;
        while let Some(end) = next_line(&mut text)? {
            match text.window()[..end].trim_ascii_start().first() {
                None => text.take(end),
                Some(b'[') => return Err(ImportErrorKind::JsonArray),
                Some(_) => return Ok(Self { text }),
            }
        }
        Err(ImportErrorKind::Empty)
    }

    /// Reads the file to its end, or until nobody wants more.
    pub(super) fn read(self, mut batcher: Batcher) -> Result<(), ImportErrorKind> {
        let Self { mut text } = self;
        let members = Members::new(batcher.plan().columns());
        while let Some(end) = next_line(&mut text)? {
            let (line, row) = (text.line(), without_line_end(&text.window()[..end]));
            if row.len() > ROW_BYTES_MAX {
                batcher.refuse(line, &Reason::LongRow(ROW_BYTES_MAX).into(), shorten(row));
                text.skip_line()?;
            } else {
                if !row.trim_ascii().is_empty() {
                    match members.row(row, batcher.plan()) {
                        Ok(members) => batcher.text_row(line, &members, row),
                        Err(refusal) => batcher.refuse(line, &refusal, shorten(row)),
                    }
                }
                text.take(end);
            }
            if let Err(Cancelled) = batcher.send_full(text.taken()) {
                return Ok(());
            }
        }
        // A receiver that is gone needs no last batch either.
        batcher.send(text.taken()).or(Ok(()))
    }
}

/// Where the next line ends, its line end included, with all of it in view unless it is longer than a row may be.
/// Nothing at the end of the file.
fn next_line(text: &mut TextFile) -> Result<Option<usize>, ImportErrorKind> {
    let mut searched = 0;
    loop {
        let window = text.window();
        if let Some(end) = window[searched..].iter().position(|byte| *byte == b'\n') {
            return Ok(Some(searched + end + 1));
        }
        searched = window.len();
        if !text.read_on()? {
            let end = text.window().len();
            return Ok((end > 0).then_some(end));
        }
    }
}

/// Makes records of single JSON objects, as they arrive from a live stream.
///
/// ```
/// use foretell_store::import::{JsonReader, Mapping};
///
/// let mapping = Mapping::from_toml(r#"
///     schema = 1
///     external_id = "id"
///     event_time = { column = "event_time" }
///     field = [{ name = "customer", type = "utf8", key = true }, { name = "amount", type = "float64", minimum = 0 }]
/// "#)?;
/// let reader = JsonReader::new(&mapping)?;
/// let line = br#"{"id":"A-17","event_time":"2018-07-25T09:15:00Z","customer":596,"amount":57.16}"#;
/// let record = reader.record(line).unwrap();
/// assert_eq!(record.payload, r#"{"customer":"596","amount":57.16}"#);
///
/// let reject = reader.record(br#"{"event_time":"2018-07-25T09:15:00Z","customer":"7","amount":-1}"#).unwrap_err();
/// assert_eq!((reject.field.as_deref(), &*reject.reason), (Some("id"), "is missing or empty"));
/// # Ok::<(), foretell_store::import::MappingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonReader {
    plan: Plan,
    members: Members,
}

impl JsonReader {
    /// A reader of objects whose members are the columns of `mapping`.
    pub fn new(mapping: &Mapping) -> Result<Self, MappingError> {
        let plan = mapping.plan()?;
        let members = Members::new(plan.columns());
        Ok(Self { plan, members })
    }

    /// The record that one object describes. Without an `external_id` in the mapping it has none.
    ///
    /// The reject has no line: the caller knows which one it is.
    pub fn record(&self, line: &[u8]) -> Result<NewRecord, Reject> {
        let checked = match line.len() {
            0..=ROW_BYTES_MAX => self.members.row(line, &self.plan).and_then(|row| self.plan.record(&row)),
            _ => Err(Reason::LongRow(ROW_BYTES_MAX).into()),
        };
        checked.map_err(|refusal| reject(None, refusal.column.as_deref(), &refusal.reason, shorten(line)))
    }
}
