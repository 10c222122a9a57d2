//! Looking after a database: backup, check, vacuum, size.
//!
//! ```
//! # use foretell_store::open::Store;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! let report = store.check().await?;
//! assert!(report.is_sound());
//!
//! let copy = directory.path().join("shop-backup.db");
//! store.backup(&copy).await?;
//! assert!(store.backup(&copy).await.is_err(), "a backup never overwrites a file");
//! assert_eq!(Store::open(&copy).await?.stats().await?.records, 0);
//! # Ok(())
//! # }
//! ```

mod check;

use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::{ConnectOptions, Connection, FromRow};

pub use self::check::{CheckReport, PROBLEMS_MAX, Problem};
use crate::fault::{Fault, ReadContext, ReadError};
use crate::open::Store;

/// A backup that could not be made. No file is left behind.
#[derive(Debug, thiserror::Error)]
#[error("cannot back up the database to `{}`", to.display())]
pub struct BackupError {
    /// The file that was to be written.
    pub to: PathBuf,
    /// Why.
    #[source]
    pub kind: BackupErrorKind,
}

/// Why a backup could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupErrorKind {
    /// There is a file of this name.
    #[error("the file exists")]
    Exists,
    /// The path has no file name, or is not UTF-8.
    #[error("the path does not name a file in UTF-8")]
    Path,
    /// The copy is damaged, so it was removed: either the database is, or the disk.
    #[error("the copy does not pass its check: {0}")]
    Damaged(String),
    /// The copy could not be moved into place.
    #[error("the copy cannot be moved into place")]
    Move(#[source] std::io::Error),
    /// The database could not be read, or the copy not written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl BackupErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists => Some("choose another name, or remove the file first"),
            Self::Path => Some("name a file, such as `backup.db`"),
            Self::Damaged(_) => Some("check the database, then the disk"),
            Self::Move(_) => Some("check the permissions of the directory"),
            Self::Store(fault) => fault.hint(),
        }
    }
}

impl From<sqlx::Error> for BackupErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Space that could not be given back.
#[derive(Debug, thiserror::Error)]
#[error("cannot vacuum the database")]
pub struct VacuumError(#[from] Fault);

impl VacuumError {
    /// Why.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

/// How much there is of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Stats {
    /// Records.
    pub records: u64,
    /// Values of keys: customers, devices, ...
    pub entities: u64,
    /// Labels, the overruled ones included.
    pub labels: u64,
    /// Predictions.
    pub predictions: u64,
    /// Runs.
    pub runs: u64,
    /// Sources.
    pub sources: u64,
    /// Refused inputs.
    pub rejected_records: u64,
    /// Blobs, copied or linked.
    pub blobs: u64,
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// Bytes in it that are free, and that [`Store::vacuum`] gives back.
    pub free_bytes: u64,
}

impl Store {
    /// Copies the database, as of this moment, to a file that must not exist; others may read and write meanwhile.
    ///
    /// The copy is compact, is checked, and appears under its name only when it is complete.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), BackupError> {
        let to = to.as_ref();
        self.try_backup(to).await.map_err(|kind| BackupError { to: to.to_owned(), kind })
    }

    async fn try_backup(&self, to: &Path) -> Result<(), BackupErrorKind> {
        let name = to.file_name().and_then(|name| name.to_str()).ok_or(BackupErrorKind::Path)?;
        if to.exists() {
            return Err(BackupErrorKind::Exists);
        }
        let partial = to.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        let complete = async {
            self.copy_to(&partial).await?;
            move_into_place(&partial, to).await.map_err(BackupErrorKind::Move)
        };
        let result = complete.await;
        // After a failure there may be half a copy, or none.
        if result.is_err() && tokio::fs::remove_file(&partial).await.is_ok() {
            tracing::debug!(path = %partial.display(), "removed a half-made backup");
        }
        result
    }

    /// Gives the space of what was deleted back to the operating system, and puts what belongs together side by side.
    ///
    /// It needs free disk space as large as the database, and blocks writers while it runs.
    pub async fn vacuum(&self) -> Result<(), VacuumError> {
        let vacuum = async {
            let mut writer = self.writer().await;
            sqlx::query("VACUUM").execute(&mut *writer).await?;
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *writer).await
        };
        vacuum.await.map(|_| ()).map_err(|error| VacuumError(error.into()))
    }

    /// Counts everything. It takes time in proportion to the database.
    pub async fn stats(&self) -> Result<Stats, ReadError> {
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM record) AS records,
                    (SELECT count(*) FROM entity) AS entities,
                    (SELECT count(*) FROM label) AS labels,
                    (SELECT count(*) FROM prediction) AS predictions,
                    (SELECT count(*) FROM run) AS runs,
                    (SELECT count(*) FROM source) AS sources,
                    (SELECT count(*) FROM rejected_record) AS rejected_records,
                    (SELECT count(*) FROM blob) AS blobs,
                    page_count * page_size AS file_bytes,
                    freelist_count * page_size AS free_bytes
             FROM pragma_page_count, pragma_page_size, pragma_freelist_count",
        )
        .fetch_one(self.readers())
        .await
        .while_reading(|| "the size of the database".to_owned())
    }

    /// Writes a compact copy to `partial`, and checks it.
    async fn copy_to(&self, partial: &Path) -> Result<(), BackupErrorKind> {
        let target = partial.to_str().ok_or(BackupErrorKind::Path)?;
        // A connection of its own: neither the writer nor a reader should wait for as long as this takes.
        let mut original = self.options().clone().read_only(true).connect().await?;
        sqlx::query("VACUUM INTO ?").bind(target).execute(&mut original).await?;
        original.close().await?;
        let mut copy = self.options().clone().filename(partial).read_only(true).connect().await?;
        let finding: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut copy).await?;
        copy.close().await?;
        match finding.as_str() {
            "ok" => Ok(()),
            _ => Err(BackupErrorKind::Damaged(finding)),
        }
    }
}

/// Makes sure that a file is on the disk before its name says that it is complete.
async fn move_into_place(partial: &Path, to: &Path) -> Result<(), std::io::Error> {
    tokio::fs::OpenOptions::new().write(true).open(partial).await?.sync_all().await?;
    tokio::fs::rename(partial, to).await
}
