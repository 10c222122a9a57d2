//! Settings that can't be used, in the same words for all plugins.

use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

use crate::Error;

/// Why a plugin's settings, what `[config]` of its manifest says, can't be used.
///
/// ```
/// use foretell_sdk::{Error, SettingsError};
///
/// SettingsError::check_range("decay", 0.5, 0.0..=1.0)?;
/// let error = SettingsError::check_range("decay", 1.5, 0.0..=1.0).unwrap_err();
/// assert_eq!(error.to_string(), "the setting `decay` is 1.5; expected 0 to 1");
/// // What `open` answers: the user has to change something.
/// assert_eq!(Error::from(error), Error::invalid("the setting `decay` is 1.5; expected 0 to 1"));
/// # Ok::<(), SettingsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// One is missing, unknown, or of another type.
    Form {
        /// The words of whoever read them.
        reason: String,
    },
    /// One has a value that it can't have.
    Value {
        /// Which one.
        name: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
}

impl SettingsError {
    /// Settings that can't be read, for the reason that a reader gives.
    pub fn form(reason: impl Display) -> Self {
        Self::Form { reason: reason.to_string() }
    }

    /// A setting that is `found`, and is to be `expected`.
    pub fn value(name: &'static str, found: impl Display, expected: impl Display) -> Self {
        Self::Value { name, found: found.to_string(), expected: expected.to_string() }
    }

    /// Refuses a number outside of a range. NaN is in none.
    ///
    /// # Errors
    /// [`SettingsError::Value`].
    pub fn check_range(name: &'static str, found: f64, range: RangeInclusive<f64>) -> Result<(), Self> {
        if range.contains(&found) {
            return Ok(());
        }
        Err(Self::value(name, found, format_args!("{} to {}", range.start(), range.end())))
    }
}

impl Display for SettingsError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { reason } => write!(formatter, "the settings can't be read: {reason}"),
            Self::Value { name, found, expected } => {
                write!(formatter, "the setting `{name}` is {found}; expected {expected}")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        Self::invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_with_both_ends() {
        for (found, is_in) in
            [(0.0, true), (1.0, true), (-0.1, false), (1.1, false), (f64::NAN, false), (f64::INFINITY, false)]
        {
            assert_eq!(SettingsError::check_range("share", found, 0.0..=1.0).is_ok(), is_in, "{found}");
        }
    }

    #[test]
    fn words_name_what_was_found_and_what_is_expected() {
        let read = SettingsError::form("missing field `share`");
        assert_eq!(read.to_string(), "the settings can't be read: missing field `share`");
        let many = SettingsError::value("classes", "a list of 1001", "at most 1000");
        assert_eq!(many.to_string(), "the setting `classes` is a list of 1001; expected at most 1000");
    }
}
