//! What can be wrong with a mapping.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{MAPPING_BYTES_MAX, MAPPING_FIELDS_MAX, MAPPING_SCHEMA};
use crate::time::DurationError;

/// A mapping that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", MappingTitle(path.as_deref()))]
pub struct MappingError {
    /// The file that it was read from, if any.
    pub path: Option<PathBuf>,
    /// Why it cannot be used.
    #[source]
    pub kind: MappingErrorKind,
}

struct MappingTitle<'a>(Option<&'a Path>);

impl fmt::Display for MappingTitle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "cannot use the mapping `{}`", path.display()),
            None => f.write_str("cannot use the mapping"),
        }
    }
}

impl From<MappingErrorKind> for MappingError {
    fn from(kind: MappingErrorKind) -> Self {
        Self { path: None, kind }
    }
}

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MappingErrorKind {
    /// The file could not be read.
    #[error("it cannot be read")]
    Read(#[from] std::io::Error),
    /// The file is longer than any mapping.
    #[error("it is {bytes} bytes long, and the limit is {MAPPING_BYTES_MAX}")]
    TooLong {
        /// The length of the file.
        bytes: u64,
    },
    /// It is not TOML, or has members of other names or types than a mapping.
    #[error("it is not a mapping: {}", .0.to_string().trim_end())]
    Syntax(#[from] toml::de::Error),
    /// It is written in another version of the format, or does not say in which.
    #[error("{}", SchemaMessage(*found))]
    Schema {
        /// The version that it names.
        found: Option<u32>,
    },
    /// It names no field, so that every payload would be empty.
    #[error("it has no `[[field]]`, so records would have no content")]
    NoFields,
    /// It names more fields or labels than [`MAPPING_FIELDS_MAX`].
    #[error("it has {count} `[[{part}]]` entries, and the limit is {MAPPING_FIELDS_MAX}")]
    TooMany {
        /// `field` or `label`.
        part: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The delimiter of CSV files is not usable.
    #[error("`delimiter` is {0:?}: expected one ASCII character other than a quote or a line end")]
    Delimiter(char),
    /// One part of it makes no sense.
    #[error("{place}: {problem}")]
    Part {
        /// Which part.
        place: Place,
        /// What is wrong with it.
        problem: Problem,
    },
}

struct SchemaMessage(Option<u32>);

impl fmt::Display for SchemaMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => write!(f, "it does not say its version: expected `schema = {MAPPING_SCHEMA}` at the top"),
            Some(found) => {
                write!(f, "it has schema {found}, and this program understands schema {MAPPING_SCHEMA}: ")?;
                f.write_str(if found > MAPPING_SCHEMA { "update foretell" } else { "write the mapping anew" })
            }
        }
    }
}

/// A part of a mapping: ``field `amount` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `event_time`, `field` or `label`.
    pub part: &'static str,
    /// The name of the field or label; empty for the event time.
    pub name: String,
}

impl Place {
    pub(in crate::import) fn refuse(self, problem: Problem) -> MappingErrorKind {
        MappingErrorKind::Part { place: self, problem }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { f.write_str(self.part) } else { write!(f, "{} `{}`", self.part, self.name) }
    }
}

/// What is wrong with one part of a mapping.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A field or label without a name.
    #[error("it has no name")]
    NoName,
    /// Two of the same name.
    #[error("the name is used twice")]
    NamedTwice,
    /// The payload cannot have a field that the store itself fills.
    #[error("the name is taken by the time of the record: choose another one")]
    ReservedName,
    /// A key that is not text.
    #[error("a key is text: say `type = \"utf8\"`, which takes whole numbers too")]
    KeyType,
    /// A setting that means nothing for the type of the field.
    #[error("`{setting}` means nothing for this type: {meaning}")]
    Misplaced {
        /// The setting.
        setting: &'static str,
        /// What it is for.
        meaning: &'static str,
    },
    /// A divisor that is not a positive finite number.
    #[error("`divide` is {0}: expected a number above 0")]
    Divisor(f64),
    /// The bounds are no numbers, or leave nothing between them.
    #[error("nothing lies between `minimum` and `maximum`")]
    Bounds,
    /// Text and numbers at once.
    #[error("`unit` is for numbers and `format` is for text: leave one out")]
    UnitAndFormat,
    /// An epoch for text.
    #[error("`epoch` is for numbers: say their `unit` too")]
    EpochWithoutUnit,
    /// A pattern that `strftime` does not know.
    #[error("`format` is {0:?}: expected `rfc3339` or a pattern such as `%Y-%m-%d %H:%M:%S`")]
    Format(String),
    /// Nothing says when the label was known.
    #[error("say when its value was known: `known_after = \"7d\"`, or `known_at` with a column")]
    NotKnown,
    /// Two answers to when the label was known.
    #[error("`known_after` and `known_at` exclude each other: leave one out")]
    KnownTwice,
    /// The duration cannot be read.
    #[error("`known_after`: {0}")]
    KnownAfter(#[from] DurationError),
    /// Only one of the two lists of a true-or-false label.
    #[error("`true_values` and `false_values` go together: any other value is rejected, never guessed")]
    OneList,
    /// A text that means both true and false.
    #[error("`{0}` is in both `true_values` and `false_values`")]
    InBothLists(String),
}
