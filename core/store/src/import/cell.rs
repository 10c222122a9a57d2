//! One value of one column of one row, as the file has it, and what it can become.
//!
//! CSV has bytes, JSON has typed values, Parquet has typed columns. All of them become a [`Cell`], so that a rule such as
//! "an empty text is a missing value" is written once and holds for every format.

use std::borrow::Cow;

use chrono::format::{Item, Parsed, parse};

use super::mapping::Unit;
use crate::time::{DAY, HOUR, MINUTE, Micros, SECOND, TIME_MAX, TIME_MIN, format_time, parse_time};

/// The longest text of one value. A line of text cannot hold more; a Parquet file could.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// The longest text that names something: an external id, or the value of an entity key.
pub const NAME_BYTES_MAX: usize = 1_024;
/// How much of an offending value a reason quotes.
const SAMPLE_CHARS_MAX: usize = 40;

/// A value as the file has it. A missing one is a [`Cell::Missing`], never an empty text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Missing,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    /// Text that nobody has checked yet.
    Bytes(&'a [u8]),
    /// A time that the file itself marks as such, counted from 1970.
    Time(i64, Unit),
    /// A JSON array or object.
    Nested(&'static str),
}

/// Why a row, or a value of it, was refused. Reads as the end of a sentence that begins with the column.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Reason {
    #[error("is missing or empty")]
    Missing,
    #[error("is not valid UTF-8")]
    NotUtf8,
    #[error("`{0}` is not a number")]
    NotNumber(String),
    #[error("`{0}` is not a whole number")]
    NotWhole(String),
    #[error("`{0}` does not fit a whole number of 64 bits")]
    TooGreat(String),
    #[error("is not a finite number")]
    NotFinite,
    #[error("`{0}` is neither true nor false")]
    NotBool(String),
    #[error("is {found}, which cannot become {wanted}")]
    Unfit { found: &'static str, wanted: &'static str },
    #[error("is {bytes} bytes long, and the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    #[error("contains a NUL character")]
    Nul,
    #[error("{value} is less than the minimum {minimum}")]
    Below { value: f64, minimum: f64 },
    #[error("{value} is more than the maximum {maximum}")]
    Above { value: f64, maximum: f64 },
    #[error("`{value}` is none of the allowed values: {allowed}")]
    NotAllowed { value: String, allowed: String },
    #[error("`{value}` is not a time: expected {expected}")]
    NotTime { value: String, expected: String },
    #[error("is a number, and the mapping does not say its `unit`")]
    NoUnit,
    #[error("`{value}` is before the epoch, {}", format_time(*.epoch))]
    BeforeEpoch { value: String, epoch: Micros },
    #[error("`{value}` is not a time between the years {} and 9999", if *.event { "1970" } else { "1" })]
    NoSuchTime { value: String, event: bool },
    #[error("`{0}` is in neither `true_values` nor `false_values`")]
    UnknownLabel(String),
    #[error("the row has {found} columns, and the header has {expected}")]
    ColumnCount { found: usize, expected: usize },
    #[error("text follows the closing quote: a quote within a value is written twice")]
    TextAfterQuote,
    #[error("a quote is opened and never closed")]
    OpenQuote,
    #[error("the row is longer than {0} bytes")]
    LongRow(usize),
    #[error("the line is not valid JSON: {0}")]
    NotJson(String),
    #[error("the line is not a JSON object")]
    NotObject,
    #[error("stands twice in the object")]
    Twice,
    #[error("record {record_id} has this external id already, with another time or payload")]
    Conflict { record_id: i64 },
}

/// The start of a text, for a reason that quotes it.
pub(super) fn sample(text: &str) -> String {
    match text.char_indices().nth(SAMPLE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl<'a> Cell<'a> {
    /// Text or, where it is empty, a missing value.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::Missing } else { Self::Bytes(bytes) }
    }

    /// What kind of value this is, for a reason that refuses it.
    fn kind(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Unsigned(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Bytes(_) => "text",
            Self::Time(..) => "a time",
            Self::Nested(kind) => kind,
        }
    }

    fn unfit<T>(self, wanted: &'static str) -> Result<T, Reason> {
        Err(Reason::Unfit { found: self.kind(), wanted })
    }

    /// As text of at most `limit` bytes; whole numbers as their decimal text.
    pub(super) fn text(self, limit: usize) -> Result<Option<Cow<'a, str>>, Reason> {
        match self {
            Self::Missing => Ok(None),
            Self::Bytes(bytes) if bytes.len() > limit => Err(Reason::TooLong { bytes: bytes.len(), limit }),
            Self::Bytes(bytes) => Ok(Some(Cow::Borrowed(utf8(bytes)?))),
            Self::Int(number) => Ok(Some(Cow::Owned(number.to_string()))),
            Self::Unsigned(number) => Ok(Some(Cow::Owned(number.to_string()))),
            Self::Bool(_) | Self::Float(_) | Self::Time(..) | Self::Nested(_) => self.unfit("text"),
        }
    }

    /// As a whole number. Fractions that are whole count, since a table with gaps often stores its whole numbers so.
    pub(super) fn int(self) -> Result<Option<i64>, Reason> {
        match self {
            Self::Missing => Ok(None),
            Self::Int(number) => Ok(Some(number)),
            Self::Unsigned(number) => {
                i64::try_from(number).map(Some).map_err(|_| Reason::TooGreat(number.to_string()))
            }
            Self::Float(number) => whole(number).map(Some),
            Self::Bytes(bytes) => match number(utf8(bytes)?)? {
                Number::Int(number) => Ok(Some(number)),
                Number::Float(number) => whole(number).map(Some),
            },
            Self::Bool(_) | Self::Time(..) | Self::Nested(_) => self.unfit("a whole number"),
        }
    }

    /// As a finite number.
    pub(super) fn float(self) -> Result<Option<f64>, Reason> {
        let number = match self {
            Self::Missing => return Ok(None),
            Self::Int(number) => number as f64,
            Self::Unsigned(number) => number as f64,
            Self::Float(number) => number,
            Self::Bytes(bytes) => match number(utf8(bytes)?)? {
                Number::Int(number) => number as f64,
                Number::Float(number) => number,
            },
            Self::Bool(_) | Self::Time(..) | Self::Nested(_) => return self.unfit("a number"),
        };
        if number.is_finite() { Ok(Some(number)) } else { Err(Reason::NotFinite) }
    }

    /// As true or false.
    pub(super) fn bool(self) -> Result<Option<bool>, Reason> {
        match self {
            Self::Missing => Ok(None),
            Self::Bool(value) => Ok(Some(value)),
            Self::Int(0) | Self::Unsigned(0) => Ok(Some(false)),
            Self::Int(1) | Self::Unsigned(1) => Ok(Some(true)),
            Self::Int(number) => Err(Reason::NotBool(number.to_string())),
            Self::Unsigned(number) => Err(Reason::NotBool(number.to_string())),
            Self::Float(0.0) => Ok(Some(false)),
            Self::Float(1.0) => Ok(Some(true)),
            Self::Float(number) => Err(Reason::NotBool(number.to_string())),
            Self::Bytes(bytes) => {
                let text = utf8(bytes)?.trim();
                let is_any = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
                match (is_any(["true", "1", "yes"]), is_any(["false", "0", "no"])) {
                    (true, _) => Ok(Some(true)),
                    (_, true) => Ok(Some(false)),
                    _ => Err(Reason::NotBool(sample(text))),
                }
            }
            Self::Time(..) | Self::Nested(_) => self.unfit("true or false"),
        }
    }

    /// As the text that the lists of a label are compared with: `1`, `true`, `chargeback`.
    pub(super) fn code(self) -> Result<Option<Cow<'a, str>>, Reason> {
        match self {
            Self::Bool(value) => Ok(Some(Cow::Borrowed(if value { "true" } else { "false" }))),
            Self::Float(number) => Ok(Some(Cow::Owned(match whole(number) {
                Ok(whole) => whole.to_string(),
                Err(_) => number.to_string(),
            }))),
            other => other.text(NAME_BYTES_MAX),
        }
    }

    /// As a reason quotes it.
    pub(super) fn quoted(self) -> String {
        match self {
            Self::Bytes(bytes) => sample(&String::from_utf8_lossy(bytes)),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) | Self::Time(number, _) => number.to_string(),
            Self::Unsigned(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Missing | Self::Nested(_) => self.kind().to_owned(),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)
}

enum Number {
    Int(i64),
    Float(f64),
}

fn number(text: &str) -> Result<Number, Reason> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Ok(Number::Int(number));
    }
    match text.parse() {
        Ok(number) => Ok(Number::Float(number)),
        Err(_) => Err(Reason::NotNumber(sample(text))),
    }
}

/// Above this, not every whole number has a float of its own, so a float does not say which one was meant.
const WHOLE_FLOAT_MAX: f64 = (1_u64 << 53) as f64;

fn whole(number: f64) -> Result<i64, Reason> {
    match number {
        number if !number.is_finite() => Err(Reason::NotFinite),
        number if number.fract() != 0.0 => Err(Reason::NotWhole(number.to_string())),
        number if number.abs() > WHOLE_FLOAT_MAX => Err(Reason::TooGreat(number.to_string())),
        number => Ok(number as i64),
    }
}

/// How a column of times is read.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    /// Numbers, counted from an epoch.
    Count { unit: Unit, epoch: Micros },
    /// Text in one format.
    Pattern { items: Vec<Item<'static>>, pattern: String },
    /// RFC 3339, a date, or whatever the file itself marks as a time.
    Standard,
}

impl Clock {
    /// When a record happened, or when a label was known: not before 1970, nor before the epoch.
    pub(super) fn event(&self, cell: Cell<'_>) -> Result<Option<Micros>, Reason> {
        self.read(cell, 0)
    }

    /// Any time that the store can keep.
    pub(super) fn field(&self, cell: Cell<'_>) -> Result<Option<Micros>, Reason> {
        self.read(cell, TIME_MIN)
    }

    fn read(&self, cell: Cell<'_>, earliest: Micros) -> Result<Option<Micros>, Reason> {
        let event = earliest == 0;
        let time = match (self, cell) {
            (_, Cell::Missing) => return Ok(None),
            (_, Cell::Time(count, unit)) => unit.micros(count),
            (Self::Count { unit, epoch }, cell) => {
                let count = count(*unit, cell)?;
                if event && count.is_some_and(|count| count < 0) {
                    return Err(Reason::BeforeEpoch { value: cell.quoted(), epoch: *epoch });
                }
                count.and_then(|count| count.checked_add(*epoch))
            }
            (Self::Pattern { items, pattern }, cell) => {
                let Some(text) = cell.text(NAME_BYTES_MAX)? else { return Ok(None) };
                let Some(time) = parse_pattern(text.trim(), items) else {
                    return Err(Reason::NotTime { value: sample(&text), expected: format!("`{pattern}`") });
                };
                Some(time)
            }
            (Self::Standard, Cell::Bytes(bytes)) => {
                let text = utf8(bytes)?.trim();
                let expected = || "RFC 3339, such as `2018-07-25T09:15:00Z`".to_owned();
                Some(
                    parse_time(text)
                        .map_err(|_| Reason::NotTime { value: sample(text), expected: expected() })?,
                )
            }
            (Self::Standard, Cell::Int(_) | Cell::Unsigned(_) | Cell::Float(_)) => {
                return Err(Reason::NoUnit);
            }
            (Self::Standard, cell) => return cell.unfit("a time"),
        };
        match time {
            Some(time) if (earliest..=TIME_MAX).contains(&time) => Ok(Some(time)),
            _ => Err(Reason::NoSuchTime { value: cell.quoted(), event }),
        }
    }
}

/// The microseconds that a number counts, or nothing if they are too many.
fn count(unit: Unit, cell: Cell<'_>) -> Result<Option<Micros>, Reason> {
    let whole = match cell {
        Cell::Int(count) => Some(count),
        Cell::Bytes(bytes) => match number(utf8(bytes)?)? {
            Number::Int(count) => Some(count),
            Number::Float(_) => None,
        },
        _ => None,
    };
    if let Some(count) = whole {
        return Ok(unit.micros(count));
    }
    let Some(count) = cell.float()? else { return Ok(None) };
    let micros = match unit {
        Unit::Nanoseconds => count / 1_000.0,
        unit => count * unit.size() as f64,
    }
    .round();
    // Anything greater is far outside of the range of times, on either side.
    let limit = i64::MAX as f64 / 4.0;
    Ok(Some(micros.clamp(-limit, limit) as Micros))
}

impl Unit {
    /// How many microseconds one of it is; a nanosecond counts as none.
    fn size(self) -> Micros {
        match self {
            Self::Days => DAY,
            Self::Hours => HOUR,
            Self::Minutes => MINUTE,
            Self::Seconds => SECOND,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1,
            Self::Nanoseconds => 0,
        }
    }

    fn micros(self, count: i64) -> Option<Micros> {
        match self {
            Self::Nanoseconds => Some(count.div_euclid(1_000)),
            unit => count.checked_mul(unit.size()),
        }
    }
}

/// Reads a text in a pattern. What the pattern leaves out of the time of day is zero; a zone left out is UTC.
pub(super) fn parse_pattern(text: &str, items: &[Item<'static>]) -> Option<Micros> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    let resolve = |parsed: &Parsed| match parsed.to_datetime() {
        Ok(zoned) => Some(zoned.timestamp_micros()),
        Err(_) => Some(parsed.to_naive_datetime_with_offset(0).ok()?.and_utc().timestamp_micros()),
    };
    resolve(&parsed).or_else(|| {
        if parsed.hour_mod_12().is_none() {
            parsed.set_hour(0).ok()?;
        }
        if parsed.minute().is_none() {
            parsed.set_minute(0).ok()?;
        }
        resolve(&parsed)
    })
}
