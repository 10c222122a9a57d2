//! What only medical images need: an [intake] of files, folders, archives and DICOM directories, with identifiers of patients
//! removed on the way; [models](model) and what they [find](finding); the [card] on which an image is shown with it; and the
//! commands of `foretell-medical`.
//!
//! What predicts are plugins (`plugins/medical`); this app has no part in them.
//!
//! **Invariant:** [`NOTICE`] stands on everything that this app prints or writes.

pub mod arguments;
pub mod asking;
pub mod card;
pub mod command;
pub mod evaluation;
pub mod finding;
pub mod intake;
pub mod locate;
pub mod model;
pub mod payload;
pub mod salt;
pub mod worklist;

/// Domain of the records.
pub const DOMAIN: &str = "medical";
/// Task whose champion looks at images in batch work, unless another plugin or task is named.
pub const TASK: &str = "binary-classification";
/// Stands on every result.
pub const NOTICE: &str = "Research use only. Not a medical device; never a diagnosis.";
/// Label that says what an image was found to show.
pub const FINDING: &str = "finding";
/// Label that says where: a JSON list of points `[x, y]`, in fractions of width and height.
pub const OUTLINE: &str = "outline";
