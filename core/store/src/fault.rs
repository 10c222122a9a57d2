//! What can go wrong underneath every operation: the file, the lock, the disk.
//!
//! SQLite answers with numbers; people need to know what happened and what to do. [`Fault`] is the one place where a
//! result code becomes a [`FaultKind`] with a message and a hint. The error type of each operation carries its own
//! context (which record, which file) and a `Fault` when the database itself was the cause.

use std::fmt;

/// Why the database could not do what was asked.
///
/// ```
/// use foretell_store::fault::FaultKind;
///
/// assert!(FaultKind::Locked.hint().is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Another process held the write lock for longer than the busy timeout.
    Locked,
    /// The file, its directory or this connection cannot be written.
    ReadOnly,
    /// No space is left on the disk, or a quota is used up.
    Full,
    /// The operating system failed to read or write.
    Io,
    /// The file is damaged.
    Corrupt,
    /// The file is something other than a SQLite database.
    NotDatabase,
    /// The file, or one that SQLite keeps beside it, cannot be opened.
    CannotOpen,
    /// Memory ran out.
    Memory,
    /// A statement failed for a reason that none of the above explains: a defect of this program.
    Internal,
}

impl FaultKind {
    /// What happened, in one phrase.
    pub fn message(self) -> &'static str {
        match self {
            Self::Locked => "another process is writing to the database",
            Self::ReadOnly => "the database cannot be written",
            Self::Full => "the disk is full",
            Self::Io => "the disk could not be read or written",
            Self::Corrupt => "the database file is damaged",
            Self::NotDatabase => "the file is not a SQLite database",
            Self::CannotOpen => "the database file cannot be opened",
            Self::Memory => "memory ran out",
            Self::Internal => "the database refused a statement",
        }
    }

    /// What the user can do about it, if anything.
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Locked => Some("wait until the other process is done, or stop it, and try again"),
            Self::ReadOnly => {
                Some("check the permissions of the file and of its directory: both must be writable")
            }
            Self::Full => Some("free some space and try again: what was acknowledged before is kept"),
            Self::Io => {
                Some("check the disk and, for a network drive, the connection; then check the database")
            }
            Self::Corrupt => Some("restore a backup, or export what can still be read"),
            Self::NotDatabase => Some("check the path: a foretell database is one SQLite file"),
            Self::CannotOpen => Some("check the path and the permissions of its directory"),
            Self::Memory => Some("close other programs, or use smaller batches"),
            Self::Internal => None,
        }
    }

    /// The kind for a SQLite result code, extended or not.
    fn of_code(code: i32) -> Self {
        match code & 0xff {
            5 | 6 => Self::Locked,
            3 | 8 => Self::ReadOnly,
            7 => Self::Memory,
            10 => Self::Io,
            11 => Self::Corrupt,
            13 => Self::Full,
            14 => Self::CannotOpen,
            26 => Self::NotDatabase,
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// A failure of the database, with the answer of SQLite as its source where that says more than the kind does.
#[derive(Debug)]
pub struct Fault {
    kind: FaultKind,
    answer: sqlx::Error,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind {
            FaultKind::Io | FaultKind::CannotOpen | FaultKind::Corrupt | FaultKind::Internal => {
                Some(&self.answer)
            }
            FaultKind::Locked
            | FaultKind::ReadOnly
            | FaultKind::Full
            | FaultKind::NotDatabase
            | FaultKind::Memory => None,
        }
    }
}

impl Fault {
    /// What kind of failure this is.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        self.kind.hint()
    }

    pub(crate) fn kind_of(error: &sqlx::Error) -> FaultKind {
        match error {
            sqlx::Error::Database(error) => error
                .code()
                .and_then(|code| code.parse().ok())
                .map_or(FaultKind::Internal, FaultKind::of_code),
            sqlx::Error::Io(_) => FaultKind::Io,
            _ => FaultKind::Internal,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(answer: sqlx::Error) -> Self {
        Self { kind: Self::kind_of(&answer), answer }
    }
}

/// A question to the database that went unanswered.
///
/// Reading can fail only because of the database itself, so there is one type for all reads.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}")]
pub struct ReadError {
    what: String,
    #[source]
    fault: Fault,
}

impl ReadError {
    pub(crate) fn new(what: impl Into<String>, fault: impl Into<Fault>) -> Self {
        Self { what: what.into(), fault: fault.into() }
    }

    /// What was to be read, as the message names it.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why it could not be read.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        self.fault.hint()
    }
}

/// Turns the error of a query into a [`ReadError`] that says what was read.
pub(crate) trait ReadContext<T> {
    fn while_reading(self, what: impl FnOnce() -> String) -> Result<T, ReadError>;
}

impl<T> ReadContext<T> for Result<T, sqlx::Error> {
    fn while_reading(self, what: impl FnOnce() -> String) -> Result<T, ReadError> {
        self.map_err(|error| ReadError::new(what(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_keep_the_kind_of_their_family() {
        let cases = [
            (5, FaultKind::Locked),
            (517, FaultKind::Locked),    // SQLITE_BUSY_SNAPSHOT
            (262, FaultKind::Locked),    // SQLITE_LOCKED_SHAREDCACHE
            (1544, FaultKind::ReadOnly), // SQLITE_READONLY_DIRECTORY
            (4874, FaultKind::Io),       // SQLITE_IOERR_SHMOPEN
            (267, FaultKind::Corrupt),   // SQLITE_CORRUPT_VTAB
            (13, FaultKind::Full),
            (26, FaultKind::NotDatabase),
            (1, FaultKind::Internal),
            (2067, FaultKind::Internal), // SQLITE_CONSTRAINT_UNIQUE
        ];
        for (code, kind) in cases {
            assert_eq!(FaultKind::of_code(code), kind, "code {code}");
        }
    }

    #[test]
    fn what_a_user_can_mend_has_a_hint() {
        for kind in [FaultKind::Locked, FaultKind::ReadOnly, FaultKind::Full, FaultKind::Corrupt] {
            assert!(kind.hint().is_some(), "{kind}");
        }
    }
}
