//! Keys of `[config]`, read one by one, so that what is wrong with one can be said by its name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Most characters of a value that a message repeats.
const FOUND_CHARACTERS_MAX: usize = 80;

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("setting `{key}`: {kind}")]
pub struct BadSetting {
    /// The key in the manifest's `[config]`.
    pub key: String,
    /// What is wrong with it.
    pub kind: BadSettingKind,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadSettingKind {
    /// It has another value than it can have.
    #[error("expected {expected}, found {found}")]
    Value {
        /// What it can be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It is needed, and not there.
    #[error("expected {expected}, found nothing")]
    Missing {
        /// What it can be.
        expected: String,
    },
    /// There is no such key.
    #[error("expected one of {}, found an unknown key", known.join(", "))]
    Unknown {
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// The key is one of another layout.
    #[error("it means nothing with `layout = \"{layout}\"`; remove it, or change the layout")]
    Misplaced {
        /// The layout that was chosen.
        layout: &'static str,
    },
}

impl BadSetting {
    pub(super) fn value(key: &str, expected: impl Into<String>, found: &impl ToString) -> Self {
        let found: String = found.to_string();
        let mut short: String = found.chars().take(FOUND_CHARACTERS_MAX).collect();
        if short.len() < found.len() {
            short.push_str(" ...");
        }
        Self { key: key.to_owned(), kind: BadSettingKind::Value { expected: expected.into(), found: short } }
    }
}

/// The keys that were not read yet.
pub(super) struct Keys {
    map: Map<String, Value>,
    /// All keys that were asked for, whether there or not.
    known: Vec<&'static str>,
}

impl Keys {
    pub(super) fn new(map: Map<String, Value>) -> Self {
        Self { map, known: Vec::new() }
    }

    /// The value of a key, if it is there; `expected` says what it can be.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Result<Option<T>, BadSetting> {
        self.known.push(key);
        let Some(value) = self.map.remove(key) else { return Ok(None) };
        match T::deserialize(&value) {
            Ok(read) => Ok(Some(read)),
            Err(_) => Err(BadSetting::value(key, expected, &value)),
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Result<T, BadSetting> {
        self.optional(key, expected)?.ok_or_else(|| BadSetting {
            key: key.to_owned(),
            kind: BadSettingKind::Missing { expected: expected.to_owned() },
        })
    }

    /// A number within bounds, or what it is when nothing is said.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<f32>,
        otherwise: f32,
    ) -> Result<f32, BadSetting> {
        let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
        let number = self.optional(key, &expected)?.unwrap_or(otherwise);
        if bounds.contains(&number) { Ok(number) } else { Err(BadSetting::value(key, expected, &number)) }
    }

    /// A whole number within bounds, if it is there.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, BadSetting> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        match self.optional(key, &expected)? {
            Some(number) if !bounds.contains(&number) => Err(BadSetting::value(key, expected, &number)),
            number => Ok(number),
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, BadSetting> {
        let expected = alternatives(words);
        let Some(word) = self.optional::<String>(key, &expected)? else { return Ok(None) };
        let found = words.iter().find(|(known, _)| *known == word);
        found
            .map(|(_, meaning)| Some(*meaning))
            .ok_or_else(|| BadSetting::value(key, expected, &format!("\"{word}\"")))
    }

    /// Refuses what nobody asked for; `elsewhere` are keys that another layout would ask for.
    pub(super) fn end(self, layout: &'static str, elsewhere: &[&'static str]) -> Result<(), BadSetting> {
        let Some(key) = self.map.into_iter().map(|(key, _)| key).next() else { return Ok(()) };
        let kind = match elsewhere.contains(&key.as_str()) {
            true => BadSettingKind::Misplaced { layout },
            false => BadSettingKind::Unknown { known: self.known },
        };
        Err(BadSetting { key, kind })
    }
}

/// The words, as a message names them.
pub(super) fn alternatives<T>(words: &[(&'static str, T)]) -> String {
    let quoted: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}
