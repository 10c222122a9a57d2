//! Values that stand as text in the manifest: field types, durations, versions.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Unexpected},
};
use serde_json::{Map, Number, Value};

/// The type of an input field or a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Whole number of 64 bits.
    Int64,
    /// Floating-point number of 64 bits.
    Float64,
    /// True or false.
    Bool,
    /// Text.
    Utf8,
    /// Text from a small set.
    Category,
    /// Microseconds since 1970-01-01 UTC.
    Timestamp,
    /// An image, which the host decodes.
    Image,
    /// A list of one of the other types, without images and lists.
    List(Box<FieldType>),
}

impl FieldType {
    const SCALARS: [(&str, FieldType); 6] = [
        ("int64", FieldType::Int64),
        ("float64", FieldType::Float64),
        ("bool", FieldType::Bool),
        ("utf8", FieldType::Utf8),
        ("category", FieldType::Category),
        ("timestamp", FieldType::Timestamp),
    ];

    /// Whether its values are numbers, which can have a minimum and a maximum.
    pub fn is_number(&self) -> bool {
        matches!(self, FieldType::Int64 | FieldType::Float64)
    }

    /// Whether its values are text, which can have allowed values and be a key.
    pub fn is_text(&self) -> bool {
        matches!(self, FieldType::Utf8 | FieldType::Category)
    }

    /// The type of the items of a list; anything else is its own.
    pub fn item(&self) -> &FieldType {
        match self {
            FieldType::List(item) => item,
            kind => kind,
        }
    }

    /// Whether a history can list its values.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, FieldType::Image | FieldType::List(_))
    }

    fn scalar(text: &str) -> Option<FieldType> {
        FieldType::SCALARS.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind)
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Image => formatter.write_str("image"),
            FieldType::List(item) => write!(formatter, "list<{item}>"),
            FieldType::Int64 => formatter.write_str("int64"),
            FieldType::Float64 => formatter.write_str("float64"),
            FieldType::Bool => formatter.write_str("bool"),
            FieldType::Utf8 => formatter.write_str("utf8"),
            FieldType::Category => formatter.write_str("category"),
            FieldType::Timestamp => formatter.write_str("timestamp"),
        }
    }
}

/// What a field type may be, for messages.
const TYPES: &str = "one of `int64`, `float64`, `bool`, `utf8`, `category`, `timestamp`, `image`, `list<...>` of one of the first six";

impl<'de> Deserialize<'de> for FieldType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FieldType, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let item = text.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>'));
        let kind = match item {
            Some(item) => FieldType::scalar(item).map(|item| FieldType::List(Box::new(item))),
            None if text == "image" => Some(FieldType::Image),
            None => FieldType::scalar(&text),
        };
        kind.ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &TYPES))
    }
}

impl JsonSchema for FieldType {
    fn schema_name() -> Cow<'static, str> {
        "FieldType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalars = FieldType::SCALARS.map(|(name, _)| name).join("|");
        json_schema!({
            "description": "The type of a field.",
            "type": "string",
            "pattern": format!("^({scalars}|image|list<({scalars})>)$"),
        })
    }
}

/// A version of the plugin interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbiVersion {
    /// Host and plugin must have the same.
    pub major: u32,
    /// The host must have at least the plugin's.
    pub minor: u32,
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl<'de> Deserialize<'de> for AbiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AbiVersion, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let number =
            |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
        text.split_once('.')
            .and_then(|(major, minor)| Some(AbiVersion { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"two numbers such as `1.0`"))
    }
}

impl JsonSchema for AbiVersion {
    fn schema_name() -> Cow<'static, str> {
        "AbiVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A version of the plugin interface: major and minor number.",
            "type": "string",
            "pattern": r"^\d+\.\d+$",
        })
    }
}

/// What a library calls itself: a name and a version, written `NAME@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.name, self.version)
    }
}

impl<'de> Deserialize<'de> for Engine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Engine, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.split_once('@')
            .filter(|(name, _)| !name.is_empty())
            .and_then(|(name, version)| {
                Some(Engine { name: name.to_owned(), version: semver::Version::from_str(version).ok()? })
            })
            .ok_or_else(|| {
                let expected = &"a name and a version such as `general-classifier@0.2.0`";
                D::Error::invalid_value(Unexpected::Str(&text), expected)
            })
    }
}

impl JsonSchema for Engine {
    fn schema_name() -> Cow<'static, str> {
        "Engine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a library calls itself: name and version.",
            "type": "string",
            "pattern": r"^[a-z][a-z0-9]*(-[a-z0-9]+)*@\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$",
        })
    }
}

pub(super) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<semver::Version, D::Error> {
    let text = <Cow<'de, str>>::deserialize(deserializer)?;
    semver::Version::from_str(&text)
        .map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a version such as `1.0.0`"))
}

/// The units of a duration and their microseconds, the longest first.
const UNITS: [(&str, i64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Reads a duration such as `7d`, `12h`, `30m`, `45s`, `250ms` or `10us` as microseconds; `None` if it is none.
///
/// ```
/// use foretell_runtime::manifest::parse_duration;
/// assert_eq!(parse_duration("7d"), Some(604_800_000_000));
/// assert_eq!(parse_duration("7 days"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<i64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, micros) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*micros)
}

/// Writes microseconds as a duration in the longest unit that is exact.
pub(super) fn format_duration(micros: i64) -> String {
    match UNITS.iter().find(|(_, unit)| micros != 0 && micros % unit == 0) {
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None => "0s".to_owned(),
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = <Cow<'de, str>>::deserialize(deserializer)?;
    let expected = &"a duration such as `7d`, `12h`, `30m`, `45s` or `250ms`";
    parse_duration(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), expected))
}

pub(super) fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^\d+(d|h|m|s|ms|us)$" })
}

pub(super) fn config<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let table = toml::Table::deserialize(deserializer)?;
    object(table).map_err(D::Error::custom)
}

fn object(table: toml::Table) -> Result<Map<String, Value>, ConfigError> {
    table.into_iter().map(|(key, value)| Ok((key, json(value)?))).collect()
}

fn json(value: toml::Value) -> Result<Value, ConfigError> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::Number(Number::from_f64(number).ok_or(ConfigError(number))?),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => Value::Object(object(table)?),
    })
}

/// JSON, in which settings reach the plugin, has no such number.
#[derive(Debug, thiserror::Error)]
#[error("expected a finite number, found `{0}`")]
struct ConfigError(f64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("0s", Some(0)),
            ("10us", Some(10)),
            ("250ms", Some(250_000)),
            ("45s", Some(45_000_000)),
            ("30m", Some(1_800_000_000)),
            ("12h", Some(43_200_000_000)),
            ("37d", Some(37 * 86_400_000_000)),
            ("", None),
            ("d", None),
            ("7", None),
            ("-7d", None),
            ("+7d", None),
            ("7 d", None),
            ("7D", None),
            ("1.5d", None),
            ("7days", None),
            ("106751992d", None), // more microseconds than fit
            ("99999999999999999999us", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_not(text in ".*") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn written_durations_are_read_back(number in 0..1_000_000_i64, unit in 0..UNITS.len()) {
            let (name, micros) = UNITS[unit];
            prop_assert_eq!(parse_duration(&format!("{number}{name}")), Some(number * micros));
            prop_assert_eq!(parse_duration(&format_duration(number * micros)), Some(number * micros));
        }
    }
}
