//! Importing images: files are found, read side by side, freed from what identifies a patient, and stored in batches.
//!
//! Reading goes ahead of writing. A batch is one transaction, so whatever ends an import leaves whole batches behind, and
//! the same import again goes on: what is there is found by its name and content, and stored no second time.
//!
//! **Invariant:** nothing of a DICOM file reaches the disk before its identifiers are removed, unless the user said that
//! they are kept.
//!
//! **Invariant:** memory does not grow with the number of files, but for their names: at most [`AHEAD_BYTES_MAX`] are read
//! ahead, and [`BATCH_BYTES_MAX`] wait to be written, or one file if that is larger.

mod archive;
mod labels;
mod prepare;
mod report;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use foretell_media::dicom::deidentify::Salt;
use foretell_store::blob::BLOB_BYTES_MAX;
use foretell_store::fault::ReadError;
use foretell_store::label::LabelError;
use foretell_store::open::Store;
use foretell_store::record::AppendError;
use foretell_store::time::now;
use futures::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

pub use archive::{ENTRIES_MAX, ENTRY_RATIO_MAX, UNPACKED_BYTES_MAX};
pub use labels::{
    FINDING_CHARACTERS_MAX, LABELS_BYTES_MAX, LabelSources, Labels, LabelsError, OUTLINE_POINTS_MAX, points,
};
pub use prepare::{Identity, identify};
pub use report::{Refused, Removed, Report, Warned};
pub use walk::{DEPTH_MAX, FILES_MAX, WalkError};

use prepare::{Prepared, Settings, prepare, size};
use store::Writer;
use walk::{Candidate, Found, walk};

/// The most bytes of a file.
pub const FILE_BYTES_MAX: u64 = BLOB_BYTES_MAX as u64;
/// The most frames of a file.
pub const FRAMES_MAX: u32 = 10_000;
/// Bytes of files that are read ahead of writing.
pub const AHEAD_BYTES_MAX: u64 = 1 << 27;
/// Bytes of files that are written in one transaction.
pub const BATCH_BYTES_MAX: usize = 1 << 25;
/// Records that are written in one transaction.
pub const BATCH_RECORDS_MAX: usize = 512;

/// The field of a payload that names the image.
pub(crate) const IMAGE_FIELD: &str = "image";
/// Keys of a record.
const KEYS: [&str; 2] = ["patient", "study"];
/// Files that wait to be written.
const WAITING_FILES_MAX: usize = 64;
/// Bytes are counted in pieces of this size: a file takes one at least.
const PIECE_BYTES: u64 = 1 << 12;

/// What to import, and how.
#[derive(Debug)]
pub struct Order {
    /// Files, folders, zip archives, DICOM directories.
    pub paths: Vec<PathBuf>,
    /// What is known of them.
    pub labels: Labels,
    /// What pseudonyms are made with; none where identifiers are kept.
    pub salt: Option<Salt>,
}

/// Images could not be imported. What was stored before stays.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// What was named is not there.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// Records could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Labels of records that were there before could not be written.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// What is stored could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl IntakeError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Walk(_) => None,
            Self::Append(error) => error.kind.hint(),
            Self::Label(error) => error.kind.hint(),
            Self::Read(error) => error.hint(),
        }
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Files that are done.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

/// Imports what was ordered; `progress` hears after each file.
///
/// # Errors
/// What was named is not there, or the database cannot be read or written. A file that is no image, or a damaged one, is
/// no error: the report names it.
pub async fn import(
    store: &Store,
    order: Order,
    mut progress: impl FnMut(Progress),
) -> Result<Report, IntakeError> {
    let begun = Instant::now();
    let Order { paths, labels, salt } = order;
    let found = spawn_blocking(move || walk(&paths)).await;
    let Found { mut candidates, refused, skipped, kinds, .. } =
        found.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    labels.keep_wanted(&mut candidates);
    let mut report = Report::default();
    (report.listed_missing, report.skipped) = (labels.missing(&candidates) as u64, skipped);
    report.files = candidates.len() as u64 + refused.len() as u64;
    let total = candidates.len() as u64;
    let settings = Arc::new(Settings { salt, labels, time: now() });

    let mut writer = Writer::begin(store, kinds.describe(), settings.time).await?;
    for refused in refused {
        writer.refuse(refused, &mut report).await?;
    }
    let (sender, mut receiver) = mpsc::channel(WAITING_FILES_MAX);
    let reader = tokio::spawn(read_ahead(candidates, settings, sender));
    let mut done = 0;
    while let Some((candidate, prepared)) = receiver.recv().await {
        match prepared {
            Prepared::Images(images) => writer.add(candidate, images, &mut report).await?,
            Prepared::Skipped => report.skipped += 1,
            Prepared::Refused { reason, is_named } => {
                let Candidate { name, number, .. } = candidate;
                writer.refuse(Refused { file: name, reason, number, is_named }, &mut report).await?;
            }
        }
        done += 1;
        progress(Progress { done, total });
    }
    if let Err(error) = reader.await {
        std::panic::resume_unwind(error.into_panic());
    }
    writer.finish(&mut report).await?;
    report.sum_up();
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// Reads files side by side, one on each core, and hands them over in order. Ends when nobody listens any more.
async fn read_ahead(
    candidates: Vec<Candidate>,
    settings: Arc<Settings>,
    sender: mpsc::Sender<(Candidate, Prepared)>,
) {
    let pieces_max = (AHEAD_BYTES_MAX / PIECE_BYTES) as u32;
    let memory = Arc::new(Semaphore::new(pieces_max as usize));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let files = futures::stream::iter(candidates).map(|candidate| {
        let (settings, memory) = (Arc::clone(&settings), Arc::clone(&memory));
        async move {
            let pieces = (size(&candidate.place) / PIECE_BYTES + 1).min(u64::from(pieces_max)) as u32;
            // In the order of files, so that the one that is wanted next never waits for one behind it.
            let held = memory.acquire_many_owned(pieces).await.expect("nobody closes it");
            let prepared = spawn_blocking(move || {
                let prepared = prepare(&candidate, &settings);
                (candidate, prepared)
            });
            let prepared =
                prepared.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            (prepared, held)
        }
    });
    let mut files = files.buffered(cores);
    while let Some((prepared, held)) = files.next().await {
        if sender.send(prepared).await.is_err() {
            return;
        }
        drop(held);
    }
}
