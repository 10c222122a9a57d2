//! How a check ends.

use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What it asks for holds.
    Passed,
    /// It does not hold, or the plugin crashed or hung over it.
    Failed,
    /// The manifest asks for nothing that it could be held against.
    NotApplicable,
    /// It could not be made, because another one failed, or because this machine does not tell what it measures.
    NotRun,
}

impl Outcome {
    /// As it stands in a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotApplicable => "not applicable",
            Self::NotRun => "not run",
        }
    }
}

/// What a child says of its check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// Why it failed or does not apply; what was measured where it passed.
    pub(crate) reason: String,
    /// A hash of what was answered, for checks that are made by two processes.
    pub(crate) digest: Option<String>,
}

/// Why a check did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    Fault(String),
    NotApplicable(String),
    NotRun(String),
}

/// What a passed check has to say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) note: String,
    pub(crate) digest: Option<String>,
}

/// How a check ends, on its way.
pub(crate) type Found = Result<Passed, Finding>;

/// A fault of the plugin.
pub(crate) fn fault(reason: impl Into<String>) -> Finding {
    Finding::Fault(reason.into())
}

/// The check was passed, and this is what was seen.
pub(crate) fn passed(note: impl Into<String>) -> Found {
    Ok(Passed { note: note.into(), digest: None })
}

impl From<Found> for Verdict {
    fn from(found: Found) -> Self {
        let (outcome, reason, digest) = match found {
            Ok(Passed { note, digest }) => (Outcome::Passed, note, digest),
            Err(Finding::Fault(reason)) => (Outcome::Failed, reason, None),
            Err(Finding::NotApplicable(reason)) => (Outcome::NotApplicable, reason, None),
            Err(Finding::NotRun(reason)) => (Outcome::NotRun, reason, None),
        };
        Self { outcome, reason, digest }
    }
}
