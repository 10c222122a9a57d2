//! How sure a line of the proposal is, and why it stands there.

use std::fmt;

use serde::Serialize;

/// How sure something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Nothing else fits what was seen.
    Certain,
    /// What networks of this kind usually are; something else would fit too.
    Likely,
    /// One of several that fit alike.
    Guess,
}

impl fmt::Display for Certainty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Guess => "a guess",
        })
    }
}

/// A line of the proposed settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The key.
    pub key: &'static str,
    /// Its value, as TOML.
    pub value: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why it was chosen.
    pub why: String,
}

impl Line {
    /// A line with a value in the words of TOML.
    pub fn new(
        key: &'static str,
        value: impl Into<String>,
        certainty: Certainty,
        why: impl Into<String>,
    ) -> Self {
        Self { key, value: value.into(), certainty, why: why.into() }
    }
}
