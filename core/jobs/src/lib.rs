//! Work over stored records: score them with a plugin, and verify what was scored before.
//!
//! This is the one place where the store, which knows no plugin, and the runtime, which knows no database, meet.
//!
//! - [`create`] plans a job: it fixes which records are to be scored, and writes them down in chunks.
//! - [`work()`] is one worker of a job: it claims chunks, walks their records in time order with their history, predicts batch by
//!   batch, and writes predictions and rejects; reading, predicting and writing overlap.
//! - [`supervise()`] runs workers as processes of their own, ends those whose plugin hangs, and starts others in the place of
//!   those that die. [`resume`] makes an interrupted job ready for it.
//! - [`create_fit`] and [`run_fit`] plan and do a fit: a plugin learns its model anew from stored records, and what it learned becomes
//!   a version of the plugin.
//! - [`answer()`] scores a few records at once, online; [`Live`] does it for records that come one after the other, such as the frames
//!   of a clip.
//! - [`Standing`] says who answers now, in a process that runs for long: a version that is given the role meanwhile is loaded beside the
//!   old one, and takes its place.
//! - [`verify()`] repeats stored predictions with the plugin, the models and the past of their time, and compares.
//! - [`ImageProbe`] asks a plugin about changed copies of a stored image, for explanations.
//! - [`compare()`] sets what two runs said of the same records side by side.
//!
//! - **Invariant:** predictions of a chunk, its rejects and its completion are committed in one transaction, so whatever ends
//!   a process leaves whole chunks behind, and another one goes on with the rest.
//! - **Invariant:** a record that makes a plugin fail, panic, hang or crash costs that record, and not its chunk.

mod agree;
mod batch;
mod clips;
mod columns;
mod compare;
mod create;
mod deploy;
mod event;
mod films;
mod fit;
mod isolate;
mod lineage;
mod live;
mod lots;
mod outcome;
mod picture;
mod presence;
mod probe;
mod process;
mod read;
mod reload;
mod score;
mod standing;
mod supervise;
mod verify;
mod work;

pub use columns::{InputError, history_specs};
pub use compare::{
    CompareError, CompareOptions, CompareReport, ComparedModel, ComparedRun, MOVED_MAX, Moved, Same, compare,
};
pub use create::{JobOptions, create, preview, resume};
pub use deploy::{GiveRoleError, deploy, duty, is_deployed};
pub use event::Event;
pub use fit::{FitError, FitOptions, PlannedFit, create_fit, run_fit};
pub use foretell_store::job::{Fitted, FittedModel};
pub use isolate::Answer;
pub use lineage::Program;
pub use live::{Live, Said, Shown, answer};
pub use outcome::{Predicted, answers};
pub use probe::{ImageProbe, ProbeError};
pub use process::is_gone;
pub use reload::{ReloadError, ReloadErrorKind, reload_deployed};
pub use score::ScoreError;
pub use standing::{Holders, Standing};
pub use supervise::{Progress, SuperviseError, WORKERS_MAX, supervise};
pub use verify::{Difference, Repeated, VerifyError, VerifyOptions, VerifyReport, verify};
pub use work::{Stop, WorkError, Worked, work};
