//! Work over stored records: score them with a plugin, and verify what was scored before.
//!
//! This is the one place where the store, which knows no plugin, and the runtime, which knows no database, meet. [`score`]
//! walks the records in time order with their history, predicts batch by batch, and writes predictions and rejects;
//! reading, predicting and writing overlap. [`answer`] does the same for a few records at once, online. [`verify`] repeats
//! stored predictions with the plugin, the models and the past of their time, and compares.
//!
//! - **Invariant:** predictions of a batch and its rejects are committed in one transaction, so a job that is killed
//!   leaves whole batches behind, and the next one goes on with what is unscored.
//! - **Invariant:** a record that makes a plugin fail costs that record, and not its batch.

mod columns;
mod isolate;
mod lineage;
mod score;
mod verify;

pub use columns::{InputError, history_specs};
pub use isolate::Answer;
pub use lineage::{Program, RegisterError};
pub use score::{Progress, ScoreError, ScoreOptions, ScoreReport, answer, score};
pub use verify::{Difference, Repeated, VerifyError, VerifyOptions, VerifyReport, verify};
