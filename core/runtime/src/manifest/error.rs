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

/// Problems of one manifest that are told; the rest is counted.
const PROBLEMS_MAX: usize = 64;
/// Letters of one message, since the names and values in it are as long as the file's author likes.
const PROBLEM_LETTERS_MAX: usize = 1_000;

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
///
/// Nothing here costs more than the text is long, whoever wrote it: a key is followed down from the root, and written out in full for
/// the one message that names it.
pub(super) struct Source<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

/// One step from a table or an array to what is in it.
#[derive(Clone, Copy)]
enum Step<'t> {
    Name(&'t str),
    Index(usize),
}

impl<'t> Source<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Source<'t>, ManifestErrorKind> {
        let root = DeTable::parse(text).map_err(|error| ManifestErrorKind::Syntax {
            line: line(text, error.span().map_or(0, |span| span.start)),
            message: cut(error.message()),
        })?;
        Ok(Source { text, root })
    }

    pub(super) fn deserializer(&self) -> Deserializer<'t> {
        Deserializer::from(self.root.clone())
    }

    /// Whether a key stands in the file, where its default would have served.
    pub(super) fn states(&self, wanted: &str) -> bool {
        self.follow(wanted).1.is_empty()
    }

    /// Says where in the file a value stands that could not be read.
    pub(super) fn explain(&self, error: &toml::de::Error) -> ManifestErrorKind {
        let span = error.span().unwrap_or(0..0);
        let mut narrowest = (self.root.span(), Vec::new());
        descend(self.root.get_ref(), &mut Vec::new(), &mut |steps, place| {
            let within = place.start <= span.start && span.end <= place.end;
            if within && place.len() <= narrowest.0.len() {
                narrowest = (place, steps.to_vec());
            }
        });
        let line = line(self.text, span.start);
        let problem = Problem { line, key: cut(&written(&narrowest.1)), message: cut(error.message()) };
        ManifestErrorKind::Invalid(vec![problem])
    }

    /// Gives problems that name their keys the lines of those keys. The first [`PROBLEMS_MAX`] are told, and how many more there are.
    pub(super) fn locate(&self, problems: Vec<(String, String)>) -> Vec<Problem> {
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        let mut told: Vec<_> = problems
            .into_iter()
            .take(PROBLEMS_MAX)
            .map(|(key, message)| Problem {
                line: line(self.text, self.follow(&key).0),
                key,
                message: cut(&message),
            })
            .collect();
        if let Some(last) = told.last().filter(|_| more > 0) {
            let message = format!("and {more} more problems, which are told when these are mended");
            told.push(Problem { line: last.line, key: String::new(), message });
        }
        told
    }

    /// Follows a key such as `input[2].minimum` down as far as the file has it: where what was found last begins, and what is left
    /// of the key.
    fn follow<'k>(&self, key: &'k str) -> (usize, &'k str) {
        let (mut position, mut table, mut rest) = (0, Some(self.root.get_ref()), key);
        while let Some(around) = table {
            let (name, mut after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
            let Some(mut value) = around.get(name) else { return (position, rest) };
            while let Some((index, behind)) = after.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                let items = value.get_ref().as_array();
                let item = index.parse().ok().and_then(|index: usize| items?.get(index));
                let Some(item) = item else { return (value.span().start, after) };
                (value, after) = (item, behind);
            }
            position = value.span().start;
            table = value.get_ref().as_table();
            rest = after.strip_prefix('.').unwrap_or(after);
            if rest.is_empty() {
                break;
            }
        }
        (position, rest)
    }
}

/// The line, from 1, of a position in the text.
fn line(text: &str, position: usize) -> usize {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// A text of the file's author in a message, which has an end.
fn cut(text: &str) -> String {
    match text.char_indices().nth(PROBLEM_LETTERS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// A key as messages have it.
fn written(steps: &[Step<'_>]) -> String {
    let mut key = String::new();
    for step in steps {
        match step {
            Step::Name(name) if key.is_empty() => key.push_str(name),
            Step::Name(name) => key.extend([".", name]),
            Step::Index(index) => key.push_str(&format!("[{index}]")),
        }
    }
    key
}

/// Visits every key and value below a table, with the steps to it and its place in the text.
fn descend<'t>(
    table: &'t DeTable<'_>,
    steps: &mut Vec<Step<'t>>,
    visit: &mut impl FnMut(&[Step<'t>], Range<usize>),
) {
    for (name, value) in table {
        steps.push(Step::Name(name.get_ref()));
        visit(steps, name.span());
        inspect(value, steps, visit);
        steps.pop();
    }
}

fn inspect<'t>(
    value: &'t Spanned<DeValue<'_>>,
    steps: &mut Vec<Step<'t>>,
    visit: &mut impl FnMut(&[Step<'t>], Range<usize>),
) {
    visit(steps, value.span());
    match value.get_ref() {
        DeValue::Table(table) => descend(table, steps, visit),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Index(index));
                inspect(item, steps, visit);
                steps.pop();
            }
        }
        _ => {}
    }
}
