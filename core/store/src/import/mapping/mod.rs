//! How the columns of somebody's file become the fields of a record.
//!
//! A mapping is a small TOML file that is written once for each kind of file. It says which column names the record,
//! which one tells when it happened, which ones become fields of the payload and under what name, and which ones are
//! labels, that is, what turned out to be true later:
//!
//! ```
//! use foretell_store::import::mapping::{FieldType, Mapping};
//!
//! let mapping = Mapping::from_toml(r#"
//! schema = 1
//! external_id = "order_id"            # the column that names the record; see below when there is none
//!
//! [event_time]
//! column = "seconds"
//! unit = "s"                          # d, h, m, s, ms, us or ns; or `format`, see below
//! epoch = "2018-04-01T00:00:00Z"      # what 0 means; 1970 unless given
//!
//! [[field]]
//! name = "customer"                   # in the payload
//! column = "customer_number"          # in the file; the same as `name` unless given
//! type = "utf8"                       # int64, float64, bool, utf8, timestamp or category
//! key = true                          # records with the same value share a history
//!
//! [[field]]
//! name = "amount"
//! column = "cents"
//! type = "float64"
//! divide = 100                        # 5716 becomes 57.16: a true division, so nothing is rounded twice
//! minimum = 0                         # bounds count after the division
//! maximum = 100_000
//!
//! [[field]]
//! name = "channel"
//! type = "category"
//! allowed = ["web", "shop"]
//! required = false                    # a missing value becomes null instead of a reject
//!
//! [[label]]
//! name = "returned"
//! column = "return_code"
//! true_values = ["1", "2"]
//! false_values = ["0"]
//! known_after = "14d"                 # after the event; or [label.known_at] with a column of its own
//! "#)?;
//!
//! assert_eq!(mapping.fields[1].kind, FieldType::Float64);
//! assert_eq!(mapping.keys().collect::<Vec<_>>(), ["customer"]);
//! # Ok::<(), foretell_store::import::mapping::MappingError>(())
//! ```
//!
//! **Times.** With `unit`, the column holds numbers counted from `epoch`. With `format`, it holds text: `"rfc3339"`, or
//! a pattern such as `"%d.%m.%Y %H:%M:%S"` in the notation of `strftime`; a time without a zone is UTC. With neither,
//! the column holds RFC 3339 text, a date, or values that a Parquet file marks as times.
//!
//! **Missing values.** Nothing between two commas, a JSON `null`, an absent JSON member, an empty text: all of these are
//! a missing value, in every format. A missing label is a label that is not known yet.
//!
//! **Whole numbers as text.** A field of type `utf8` takes whole numbers too, as their decimal text, since identifiers
//! are stored as numbers as often as not. It takes no fractions, because `596.0` and `596` would be two customers.
//!
//! **Pitfall:** without `external_id` a record is named by the content hash of its file and its line in it. The same
//! file can be imported again without harm, but the same records in another file are other records.

mod error;

use std::collections::HashSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::error::{MappingError, MappingErrorKind, Place, Problem};

use super::plan::Plan;

/// The version of the mapping format that this program understands.
pub const MAPPING_SCHEMA: u32 = 1;
/// The longest mapping file that is read.
pub const MAPPING_BYTES_MAX: u64 = 1 << 20;
/// Fields, or labels, that one mapping may name.
pub const MAPPING_FIELDS_MAX: usize = 1_024;

/// How the columns of a file become the fields of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The version of the format: [`MAPPING_SCHEMA`].
    pub schema: u32,
    /// The column that names the record in the user's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What stands between the columns of a CSV file: an ASCII character, a comma unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// When it happened.
    pub event_time: TimeColumn,
    /// The fields of the payload, in the order in which they are written.
    #[serde(rename = "field", default)]
    pub fields: Vec<Field>,
    /// What turned out to be true.
    #[serde(rename = "label", default)]
    pub labels: Vec<Label>,
}

/// A column that holds times. The [module](self) says how they are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeColumn {
    /// The column in the file.
    pub column: String,
    /// What the numbers of the column count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// How the text of the column is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The time that the number 0 means: 1970-01-01 00:00 UTC unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<DateTime<Utc>>,
}

/// What a number that is a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Days of 24 hours.
    #[serde(rename = "d")]
    Days,
    /// Hours.
    #[serde(rename = "h")]
    Hours,
    /// Minutes.
    #[serde(rename = "m")]
    Minutes,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds; digits beyond the microsecond are cut off.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// One field of the payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name in the payload.
    pub name: String,
    /// The column in the file, where it differs from the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether records with the same value share a history. Text only.
    #[serde(default)]
    pub key: bool,
    /// Whether a record without a value is rejected. True unless given.
    #[serde(default = "yes")]
    pub required: bool,
    /// What a `float64` is divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divide: Option<f64>,
    /// The least number that is accepted, after the division.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest number that is accepted, after the division.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The texts that are accepted; all of them unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
    /// For a `timestamp`: see [`TimeColumn::unit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// For a `timestamp`: see [`TimeColumn::format`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For a `timestamp`: see [`TimeColumn::epoch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<DateTime<Utc>>,
}

/// The type of a field, and how the payload writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// A whole number of 64 bits.
    Int64,
    /// A finite number of 64 bits, written as briefly as reading it back exactly allows.
    Float64,
    /// `true` or `false`; `1`, `0`, `yes` and `no` are understood.
    Bool,
    /// Text.
    Utf8,
    /// A time, written as whole microseconds since 1970.
    Timestamp,
    /// Text with few different values.
    Category,
}

/// Something that turned out to be true or false, or a number or a text, after the event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The name of the label.
    pub name: String,
    /// The column in the file, where it differs from the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The type of its value. `bool` unless given.
    #[serde(rename = "type", default)]
    pub kind: LabelType,
    /// The texts that mean true. Without both lists, `true`, `1` and `yes` do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_values: Option<Vec<String>>,
    /// The texts that mean false. Without both lists, `false`, `0` and `no` do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_values: Option<Vec<String>>,
    /// How long after the event the value was known, such as `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_after: Option<String>,
    /// The column that says when the value was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<TimeColumn>,
}

/// The type of a label's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelType {
    /// True or false.
    #[default]
    Bool,
    /// A finite number of 64 bits.
    Float64,
    /// Text.
    Utf8,
}

fn yes() -> bool {
    true
}

impl Mapping {
    /// The mapping of records that arrive with their fields already named as in the payload, and with an RFC 3339
    /// `event_time` beside them. They have no external id unless [`Mapping::external_id`] is set.
    pub fn of_fields(fields: Vec<Field>) -> Self {
        let event_time = TimeColumn { column: "event_time".to_owned(), ..TimeColumn::default() };
        Self {
            schema: MAPPING_SCHEMA,
            external_id: None,
            delimiter: None,
            event_time,
            fields,
            labels: Vec::new(),
        }
    }

    /// Reads and checks a mapping file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, MappingError> {
        let path = path.as_ref();
        let at = |kind| MappingError { path: Some(path.to_owned()), kind };
        let bytes = std::fs::metadata(path).map_err(|error| at(error.into()))?.len();
        if bytes > MAPPING_BYTES_MAX {
            return Err(at(MappingErrorKind::TooLong { bytes }));
        }
        let text = std::fs::read_to_string(path).map_err(|error| at(error.into()))?;
        Self::from_toml(&text).map_err(|error| at(error.kind))
    }

    /// Reads and checks a mapping.
    pub fn from_toml(text: &str) -> Result<Self, MappingError> {
        /// What every version of the format has.
        #[derive(Deserialize)]
        struct Version {
            schema: Option<u32>,
        }
        // The version first: a newer mapping should be called newer, not misspelt.
        match toml::from_str::<Version>(text).map_err(MappingErrorKind::from)?.schema {
            Some(MAPPING_SCHEMA) => {}
            found => return Err(MappingErrorKind::Schema { found }.into()),
        }
        let mapping: Self = toml::from_str(text).map_err(MappingErrorKind::from)?;
        mapping.plan()?;
        Ok(mapping)
    }

    /// Checks the mapping, and makes it ready to convert rows.
    pub fn plan(&self) -> Result<Plan, MappingError> {
        self.check().and_then(|()| Plan::new(self)).map_err(MappingError::from)
    }

    /// The names of the fields that are entity keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|field| field.key).map(|field| field.name.as_str())
    }

    /// What can be said about the mapping as a whole; the parts are checked when they are planned.
    fn check(&self) -> Result<(), MappingErrorKind> {
        if self.schema != MAPPING_SCHEMA {
            return Err(MappingErrorKind::Schema { found: Some(self.schema) });
        }
        if let Some(delimiter) = self.delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r'))
        {
            return Err(MappingErrorKind::Delimiter(delimiter));
        }
        if self.fields.is_empty() {
            return Err(MappingErrorKind::NoFields);
        }
        let places = [
            ("field", self.fields.iter().map(|field| &field.name).collect::<Vec<_>>()),
            ("label", self.labels.iter().map(|label| &label.name).collect()),
        ];
        for (part, names) in places {
            if names.len() > MAPPING_FIELDS_MAX {
                return Err(MappingErrorKind::TooMany { part, count: names.len() });
            }
            let mut seen = HashSet::new();
            for name in names {
                let place = Place { part, name: name.clone() };
                if name.is_empty() {
                    return Err(place.refuse(Problem::NoName));
                }
                if !seen.insert(name) {
                    return Err(place.refuse(Problem::NamedTwice));
                }
            }
        }
        Ok(())
    }
}

impl Field {
    /// A required field of the same name as its column, without bounds.
    pub fn new(name: impl Into<String>, kind: FieldType) -> Self {
        Self {
            name: name.into(),
            column: None,
            kind,
            key: false,
            required: true,
            divide: None,
            minimum: None,
            maximum: None,
            allowed: None,
            unit: None,
            format: None,
            epoch: None,
        }
    }

    /// The column in the file.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

impl Label {
    /// The column in the file.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}
