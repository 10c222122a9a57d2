//! Whether a plugin keeps the contract: named checks, each in a process of its own, and records at random.
//!
//! A plugin is native code that somebody else wrote. What it promises stands in its manifest, and this crate holds it to that: it
//! makes records from the manifest's types, ranges and allowed values, calls the plugin as a host does, and looks at what comes
//! back. It knows nothing of what the plugin predicts.
//!
//! ```
//! // What `foretell plugin validate --list` prints.
//! for check in foretell_conformance::checks() {
//!     println!("{:32}{}", check.name, check.sentence);
//! }
//! assert!(foretell_conformance::checks().any(|check| check.name == "single-equals-batch"));
//! ```
//!
//! [`validate`] makes all checks and gives a [`Report`]. It starts the processes with a command of the caller's, a program that
//! hands its [`Task`] to [`serve`]:
//!
//! ```text
//! validate --> command(Task) --> process: serve(Task) --> plugin
//!    ^                              |
//!    +------ verdict, or how it died, or that it did not answer in time
//! ```
//!
//! [`measure()`] asks in the same way what its calls cost.
//!
//! - **Invariant:** no code of a plugin runs in the process that calls [`validate`] or [`measure()`]. A plugin that crashes, ends the process or hangs
//!   fails the check that it did so in, and no other.
//! - **Invariant:** the same seed gives the same records, so the same verdict of a plugin that keeps the contract.
//! - **Invariant:** a check that does not apply says why, and is neither passed nor failed. Nothing that a plugin does when it is
//!   called makes a check not apply: only what its manifest asks for does, and, for messages of errors, that there is none.
//! - **Invariant:** the plugin is given what a host would give it. Values beyond the manifest's ranges are refused by the host, and
//!   are no concern of the plugin; columns and settings that a host would not open it with are given to see that it says so.
//!
//! A plugin that learns from records ships with little or nothing learned, and would pass every check by answering nothing. So it
//! learns from generated records first, in each process, and is looked at with that.
//!
//! Pitfalls:
//! - A check shows that a fault is there, never that none is. [`Options::fuzz`] looks further.
//! - A generator knows types and ranges, and not how fields belong together. A plugin may refuse what does not: optional values that
//!   its error names are left out, other such records are set aside, and one that refuses nearly everything fails.

mod answer;
mod check;
mod fuzz;
mod measure;
mod process;
mod records;
mod serve;
mod subject;
mod validate;
mod verdict;

pub use answer::{ABSOLUTE_TOLERANCE, PIXELS_SHARE_MAX, RELATIVE_TOLERANCE};
pub use check::{Check, checks};
pub use measure::{Measure, MeasureError, MeasureErrorKind, Measured, Size, Times, measure};
pub use process::{Task, Work};
pub use serve::serve;
pub use validate::{
    CASES_MAX, Case, FUZZ_FAULTS_MAX, Fuzzed, Options, Report, Row, ValidateError, ValidateErrorKind,
    reproduce, validate,
};
pub use verdict::Outcome;
