//! What foretell's command-line apps share, so that they look and behave alike: where the database and the plugins are
//! ([`Place`]), how results are printed ([`Output`]), how long work shows itself ([`Bar`]), how failures are told and what
//! the exit codes mean ([`Failure`], [`exit`]).
//!
//! - **Invariant:** results go to standard output and nothing else does. Progress, warnings and errors go to standard
//!   error, so that `--json | jq` always works.
//! - **Invariant:** what people read has no control characters in it but ends of lines and tabs; a plugin's or a record's words cannot
//!   move the cursor.
//! - **Invariant:** an app has no logic that another app would need; it has arguments, wording and drawing.

mod arguments;
mod document;
mod failure;
mod intake;
pub mod job;
mod lines;
mod output;
mod place;
mod progress;
mod save;

/// Batches come and go by the thousand, each a few megabytes, made in one thread and dropped in another. The system's allocator
/// gives their pages back each time, and asks for them anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use arguments::{Within, parse_model};
pub use document::{Json, Time};
pub use failure::{Failure, exit, run};
pub use intake::{Intake, Rows, import};
pub use lines::{Given, LINE_BYTES_MAX, Lines};
pub use output::{Output, format_bytes, format_count, format_percent};
pub use place::{Place, this_program};
pub use progress::Bar;
pub use save::{check_absent, save};
