//! What can be wrong with a manifest, and where it stands.

use std::{
    fmt::{self, Display},
    ops::Range,
    path::PathBuf,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer},
};

use super::SCHEMA_VERSION;
use crate::files::FileError;

/// A manifest can't be used.
#[derive(Debug, thiserror::Error)]
#[error("manifest `{}`: {kind}", origin.display())]
pub struct ManifestError {
    /// The file, or what the caller called the text.
    pub origin: PathBuf,
    /// What is wrong with it.
    pub kind: ManifestErrorKind,
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestErrorKind {
    /// The file can't be read, or is larger than [`MANIFEST_BYTES_MAX`](super::MANIFEST_BYTES_MAX).
    #[error("{0}")]
    File(FileError),
    /// It is not text.
    #[error("expected UTF-8 text, found other bytes at position {position_bytes}")]
    Encoding {
        /// Bytes before the first that is not text.
        position_bytes: usize,
    },
    /// It is text, but not TOML.
    #[error("line {line}: expected TOML, found: {message}")]
    Syntax {
        /// Line of the file, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// It is of another version of the format.
    #[error(
        "`schema`: expected {SCHEMA_VERSION}, found {found}; update foretell, or use a plugin made for it"
    )]
    Schema {
        /// The version that it states.
        found: u32,
    },
    /// Keys or values are wrong.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
}

/// One wrong key or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1; of the table around it where the key is missing.
    pub line: usize,
    /// The key with the tables around it, such as `input[2].minimum`. Tables of one name count from 0.
    pub key: String,
    /// What was expected, and what was found.
    pub message: String,
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { line, key, message } = self;
        if key.is_empty() {
            return write!(formatter, "line {line}: {message}");
        }
        write!(formatter, "line {line}: `{key}`: {message}")
    }
}

/// One problem on the line, several on lines of their own.
fn list(problems: &[Problem]) -> String {
    match problems {
        [problem] => problem.to_string(),
        _ => problems
            .iter()
            .fold(format!("{} problems", problems.len()), |text, problem| format!("{text}\n  {problem}")),
    }
}

/// The text of a manifest with the position of every key and value.
pub(super) struct Source<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Source<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Source<'t>, ManifestErrorKind> {
        let root = DeTable::parse(text).map_err(|error| ManifestErrorKind::Syntax {
            line: line(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        Ok(Source { text, root })
    }

    pub(super) fn deserializer(&self) -> Deserializer<'t> {
        Deserializer::from(self.root.clone())
    }

    /// Whether a key stands in the file, where its default would have served.
    pub(super) fn states(&self, wanted: &str) -> bool {
        let mut is_stated = false;
        descend(self.root.get_ref(), "", &mut |key, _| is_stated |= key == wanted);
        is_stated
    }

    /// Says where in the file a value stands that could not be read.
    pub(super) fn explain(&self, error: &toml::de::Error) -> ManifestErrorKind {
        let span = error.span().unwrap_or(0..0);
        let mut narrowest = (self.root.span(), String::new());
        descend(self.root.get_ref(), "", &mut |key, place| {
            let within = place.start <= span.start && span.end <= place.end;
            if within && place.len() <= narrowest.0.len() {
                narrowest = (place, key.to_owned());
            }
        });
        let message = error.message().to_owned();
        let problem = Problem { line: line(self.text, span.start), key: narrowest.1, message };
        ManifestErrorKind::Invalid(vec![problem])
    }

    /// Gives problems that name their keys the lines of those keys.
    pub(super) fn locate(&self, problems: Vec<(String, String)>) -> Vec<Problem> {
        let mut places = Vec::new();
        descend(self.root.get_ref(), "", &mut |key, place| places.push((key.to_owned(), place.start)));
        let position = |wanted: &str| {
            let around = |key: &str| {
                wanted.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let nearest = places.iter().filter(|(key, _)| around(key)).max_by_key(|(key, _)| key.len());
            nearest.map_or(0, |(_, start)| *start)
        };
        let problem = |(key, message): (String, String)| Problem {
            line: line(self.text, position(&key)),
            key,
            message,
        };
        problems.into_iter().map(problem).collect()
    }
}

/// The line, from 1, of a position in the text.
fn line(text: &str, position: usize) -> usize {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Visits every key and value below a table, with its full key and its place in the text.
fn descend(table: &DeTable<'_>, around: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    for (name, value) in table {
        let key = if around.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{around}.{}", name.get_ref())
        };
        visit(&key, name.span());
        inspect(value, &key, visit);
    }
}

fn inspect(value: &Spanned<DeValue<'_>>, key: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    visit(key, value.span());
    match value.get_ref() {
        DeValue::Table(table) => descend(table, key, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                inspect(item, &format!("{key}[{index}]"), visit);
            }
        }
        _ => {}
    }
}
