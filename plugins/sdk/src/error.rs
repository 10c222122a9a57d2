//! Why a plugin could not do what it was asked.

use foretell_abi::{STATUS_CANCELLED, STATUS_FAILED, STATUS_INVALID, Status};

/// An error with words for the user: lower case, no full stop, names the thing in backticks, says what was expected and
/// what was found.
///
/// ```
/// let error = foretell_sdk::Error::invalid("column `amount` is negative in row 3; expected 0 or more");
/// assert_eq!(error.to_string(), "column `amount` is negative in row 3; expected 0 or more");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    /// The records or the settings can't be served.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: STATUS_INVALID, message: message.into() }
    }

    /// Anything else that went wrong inside the plugin.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { status: STATUS_FAILED, message: message.into() }
    }

    /// The host asked to stop.
    pub fn cancelled() -> Self {
        Self { status: STATUS_CANCELLED, message: "cancelled".to_owned() }
    }

    /// The host could not do what it was asked.
    pub(crate) fn of_host(status: Status, message: String) -> Self {
        Self { status, message }
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
