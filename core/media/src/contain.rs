//! The one place where a panic is caught.
//!
//! Decoders of other people meet hostile bytes here. Those in use return errors, but what they do not know to be wrong may reach
//! an index out of bounds, and one bad file of a folder must not end the process that reads it.

use crate::error::MediaErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a decoder. What it holds is dropped when it panics, so nothing half changed is seen afterwards.
pub(crate) fn contained<T>(decode: impl FnOnce() -> Result<T, MediaErrorKind>) -> Result<T, MediaErrorKind> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(MediaErrorKind::Damaged("its decoder could make nothing of it".to_owned())))
}
