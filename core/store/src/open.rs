//! Opening a database: one file, one writer, readers beside it.
//!
//! ```
//! # use foretell_store::open::{OpenErrorKind, Store};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("shop.db");
//! let missing = Store::open(&path).await.unwrap_err();
//! assert!(matches!(missing.kind, OpenErrorKind::Missing));
//!
//! let store = Store::create_or_open(&path).await?;
//! assert_eq!(store.path(), path);
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! The file is in WAL mode: any number of processes read while one writes. Within a process every write goes through
//! one connection, so writes wait for each other instead of failing; a write of another process is waited for during
//! [`BUSY_TIMEOUT`], then reported as [`FaultKind::Locked`].
//!
//! A foretell database is recognised by its application id, so that another program's SQLite file is refused before
//! anything in it is touched. An older schema is brought up to date on opening; a newer one is refused.
//!
//! **Pitfall:** SQLite keeps `-wal` and `-shm` files beside the database while it is open. Copy a live database with
//! [`Store::backup`], never with a file copy.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::fault::{Fault, FaultKind};

/// How long a write waits for another process before it fails.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Marks a SQLite file as a foretell database: "fore" in ASCII.
pub const APPLICATION_ID: i32 = 0x666f_7265;

/// Readers open at the same time, in one process.
const READERS_MAX: u32 = 4;
/// How long to wait before asking for the write-ahead log again.
const WAL_RETRY: Duration = Duration::from_millis(5);
/// Page cache of the connection that writes, into the middle of indexes too. SQLite counts a negative size in KiB.
const WRITER_CACHE_SIZE: &str = "-65536";
/// Page cache of each connection that reads, mostly straight on; the system keeps the file in its own cache besides.
const READER_CACHE_SIZE: &str = "-16384";
/// Rows that a reader may be ahead of the one who reads them.
const ROWS_AHEAD_MAX: usize = 1_024;

pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The version of the schema that this program writes.
///
/// **Invariant:** migrations are numbered from 1 and only ever added, so a greater number is a newer schema.
pub fn schema_version() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// A database that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open `{}`", path.display())]
pub struct OpenError {
    /// The file as it was asked for.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub kind: OpenErrorKind,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// There is no such file, and it was not to be created.
    #[error("there is no such file")]
    Missing,
    /// The directory of the file does not exist, so the file cannot be created there.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The path names a directory.
    #[error("it is a directory, and a database is a file")]
    Directory,
    /// A SQLite database of some other program. It was left as it was.
    #[error("it is a SQLite database, but not one of foretell (application id {application_id:#010x})")]
    Foreign {
        /// The id that the file carries; 0 for a program that sets none.
        application_id: i32,
    },
    /// Written by a newer version of foretell.
    #[error("its schema has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// The version of the schema in the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Written by an older version of foretell, and opened only for reading, so that it cannot be brought up to date.
    #[error("its schema has version {found}, and this program reads version {known}")]
    Older {
        /// The version of the schema in the file.
        found: i64,
        /// The version that this program needs.
        known: i64,
    },
    /// The schema was made by a migration that differs from the one of the same number in this program.
    #[error("its schema version {0} was made by other statements than this program's")]
    Altered(i64),
    /// The schema could not be brought up to date.
    #[error("its schema cannot be brought to version {known}")]
    Migration {
        /// The version that this program needs.
        known: i64,
        /// What failed.
        source: MigrateError,
    },
    /// The database could not be read, locked or written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl OpenErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("check the path; an import or a simulation creates a new database"),
            Self::NoDirectory(_) => Some("create the directory first, or choose another one"),
            Self::Directory => Some("name a file in it, such as `foretell.db`"),
            Self::Foreign { .. } => Some("choose another file; this one was not changed"),
            Self::Newer { .. } => Some("update foretell; the file was not changed"),
            Self::Older { .. } => Some("open it once for writing, which brings it up to date"),
            Self::Altered(_) => {
                Some("open it with the program that made it, export the records, and import them anew")
            }
            Self::Migration { .. } => Some("restore a backup, or open it with the version that wrote it"),
            Self::Store(fault) => fault.hint(),
        }
    }
}

impl From<sqlx::Error> for OpenErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How to open a database, where the defaults do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// How long a write waits for another process. [`BUSY_TIMEOUT`] unless set.
    pub busy_timeout: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { busy_timeout: BUSY_TIMEOUT }
    }
}

/// What may be done with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Create,
    Write,
    Read,
    /// Reading whatever the version of the schema, which is enough for a copy.
    Copy,
}

impl Access {
    fn is_read_only(self) -> bool {
        matches!(self, Self::Read | Self::Copy)
    }
}

/// When a transaction counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once it is on the disk: what was acknowledged survives a power cut.
    Full,
    /// Once it is handed to the operating system: a power cut may lose the last transactions, whole, but nothing
    /// else. For work that can be done again.
    Normal,
}

/// An open database. Cloning it gives another handle of the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    options: SqliteConnectOptions,
    writer: Mutex<SqliteConnection>,
    readers: SqlitePool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl OpenOptions {
    /// Opens a database, and creates it if the file is missing. See [`Store::create_or_open`].
    pub async fn create_or_open(self, path: impl AsRef<Path>) -> Result<Store, OpenError> {
        self.connect(path.as_ref(), Access::Create).await
    }

    /// Opens a database that exists. See [`Store::open`].
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Store, OpenError> {
        self.connect(path.as_ref(), Access::Write).await
    }

    /// Opens a database that exists, for reading alone. See [`Store::open_read_only`].
    pub async fn open_read_only(self, path: impl AsRef<Path>) -> Result<Store, OpenError> {
        self.connect(path.as_ref(), Access::Read).await
    }

    async fn connect(self, path: &Path, access: Access) -> Result<Store, OpenError> {
        self.try_connect(path, access).await.map_err(|kind| {
            let kind = match kind {
                OpenErrorKind::Store(fault) => explain(path, fault),
                kind => kind,
            };
            OpenError { path: path.to_owned(), kind }
        })
    }

    async fn try_connect(self, path: &Path, access: Access) -> Result<Store, OpenErrorKind> {
        if access != Access::Create && !path.exists() {
            return Err(OpenErrorKind::Missing);
        }
        // An absolute path can be taken neither for a URI nor for `:memory:`.
        let file = std::path::absolute(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(access.is_read_only())
            .create_if_missing(access == Access::Create)
            .busy_timeout(self.busy_timeout)
            .row_buffer_size(ROWS_AHEAD_MAX)
            .pragma("cache_size", WRITER_CACHE_SIZE)
            .pragma("mmap_size", "0")
            .pragma("temp_store", "MEMORY")
            .disable_statement_logging();
        let mut writer = options.connect().await?;
        if let Err(kind) = self.prepare(&mut writer, access).await {
            // Dropping it would close it too, but only later, when the caller may be looking at the file.
            writer.close().await?;
            return Err(kind);
        }
        let options = options.create_if_missing(false);
        let readers = SqlitePoolOptions::new().max_connections(READERS_MAX).connect_lazy_with(
            options.clone().pragma("query_only", "ON").pragma("cache_size", READER_CACHE_SIZE),
        );
        let inner = Inner { path: path.to_owned(), options, writer: Mutex::new(writer), readers };
        Ok(Store { inner: Arc::new(inner) })
    }

    async fn prepare(self, writer: &mut SqliteConnection, access: Access) -> Result<(), OpenErrorKind> {
        prepare_schema(writer, access).await?;
        if !access.is_read_only() {
            // Only now, since this changes the file.
            switch_to_wal(writer, self.busy_timeout).await?;
            check_writable(writer, self.busy_timeout).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Opens the database at `path`; creates it if the file is missing.
    ///
    /// The directory must exist. An older schema is brought up to date, in one transaction.
    pub async fn create_or_open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::default().create_or_open(path).await
    }

    /// Opens the database at `path`, which must exist.
    ///
    /// An older schema is brought up to date, in one transaction.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::default().open(path).await
    }

    /// Opens the database at `path`, which must exist, for reading alone.
    ///
    /// Every write through this store fails with [`FaultKind::ReadOnly`].
    ///
    /// **Pitfall:** SQLite itself still needs to create the `-wal` and `-shm` files beside a database that no other
    /// process has open. From a medium that cannot be written, copy the file first.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::default().open_read_only(path).await
    }

    /// Opens the database at `path` for [`Store::backup`] alone, though its schema may be an older one: so it can be copied
    /// before it is brought up to date.
    pub async fn open_to_copy(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::default().connect(path.as_ref(), Access::Copy).await
    }

    /// The file, as it was given on opening.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Waits until every connection is closed; then the `-wal` file is merged into the database and removed.
    ///
    /// While other handles of the same store are in use (an [`Appender`](crate::record::Appender) holds one), it stays
    /// open for them. Dropping the last handle closes it too, a little later and on another thread. Nothing is lost
    /// either way.
    pub async fn close(self) {
        let Some(inner) = Arc::into_inner(self.inner) else { return };
        inner.readers.close().await;
        if let Err(error) = inner.writer.into_inner().close().await {
            tracing::warn!(path = %inner.path.display(), %error, "the database was not closed cleanly");
        }
    }

    /// How its connections are opened, for work that needs one of its own.
    pub(crate) fn options(&self) -> &SqliteConnectOptions {
        &self.inner.options
    }

    /// The one connection that writes. Readers are beside it: see [`Store::readers`].
    ///
    /// **Invariant:** a transaction is begun by [`begin`] alone, which sets how durable it is.
    pub(crate) async fn writer(&self) -> MutexGuard<'_, SqliteConnection> {
        let mut writer = self.inner.writer.lock().await;
        // A transaction that was dropped is undone before the next statement. One whose commit failed, for want of space, SQLite
        // has undone by itself, and then undoing it fails: sqlx would believe for ever that it is within a transaction.
        if writer.is_in_transaction()
            && (writer.ping().await.is_err() || writer.is_in_transaction())
            && let Ok(another) = self.inner.options.connect().await
        {
            *writer = another;
        }
        writer
    }

    /// Connections for reading, each with a view of the last committed state.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }
}

/// Begins a write: takes the write lock at once, so that a later statement cannot fail for want of it.
///
/// Dropping the transaction, or the future of an operation that holds it, undoes everything since.
pub(crate) async fn begin(
    writer: &mut SqliteConnection,
    durability: Durability,
) -> Result<Transaction<'_, Sqlite>, sqlx::Error> {
    let settings = match durability {
        Durability::Full => "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL",
        Durability::Normal => "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL",
    };
    begin_with(writer, settings).await
}

/// Begins a write of thousands of rows that can be made again, [`Durability::Normal`], in which SQLite looks up no references: to
/// do so row by row takes a third of the time.
///
/// **Invariant:** whoever begins it looks them up together, within it, and undoes it if one is missing.
pub(crate) async fn begin_bulk(
    writer: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>, sqlx::Error> {
    begin_with(writer, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = NORMAL").await
}

/// Begins a write with the settings of its kind, all of them.
///
/// They are set every time: a future dropped half way must not leave its settings to the next one. They are statements of
/// their own because they cannot change within a transaction.
async fn begin_with<'w>(
    writer: &'w mut SqliteConnection,
    settings: &'static str,
) -> Result<Transaction<'w, Sqlite>, sqlx::Error> {
    sqlx::query(settings).execute(&mut *writer).await?;
    writer.begin_with("BEGIN IMMEDIATE").await
}

/// Recognises the file, and brings its schema up to date.
async fn prepare_schema(connection: &mut SqliteConnection, access: Access) -> Result<(), OpenErrorKind> {
    match schema_state(connection).await? {
        SchemaState::Current => Ok(()),
        SchemaState::Older(_) if access == Access::Copy => Ok(()),
        SchemaState::Empty if access != Access::Create => Err(OpenErrorKind::Foreign { application_id: 0 }),
        SchemaState::Older(found) if access == Access::Read => {
            Err(OpenErrorKind::Older { found, known: schema_version() })
        }
        SchemaState::Empty | SchemaState::Older(_) => migrate(connection).await,
    }
}

enum SchemaState {
    Current,
    Empty,
    Older(i64),
}

async fn schema_state(connection: &mut SqliteConnection) -> Result<SchemaState, OpenErrorKind> {
    let objects: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    let application_id: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if application_id == 0 && objects == 0 {
        return Ok(SchemaState::Empty);
    }
    if application_id != APPLICATION_ID {
        return Err(OpenErrorKind::Foreign { application_id });
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?;
    let (found, known) = (applied.last().map_or(0, |(version, _)| *version), schema_version());
    if found > known {
        return Err(OpenErrorKind::Newer { found, known });
    }
    let altered = applied.iter().find(|(version, checksum)| {
        !MIGRATOR.iter().any(|own| own.version == *version && *own.checksum == **checksum)
    });
    match altered {
        Some((version, _)) => Err(OpenErrorKind::Altered(*version)),
        None if found < known => Ok(SchemaState::Older(found)),
        None => Ok(SchemaState::Current),
    }
}

/// Applies the migrations that are missing, all in one transaction: a database is whole or untouched.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), OpenErrorKind> {
    let mut transaction = begin(connection, Durability::Full).await?;
    // Another process may have done it while this one waited for the lock.
    if !matches!(schema_state(&mut transaction).await?, SchemaState::Current) {
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
            .execute(&mut *transaction)
            .await?;
        MIGRATOR.run(&mut *transaction).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
                if Fault::kind_of(&error) != FaultKind::Internal =>
            {
                error.into()
            }
            source => OpenErrorKind::Migration { known: schema_version(), source },
        })?;
    }
    Ok(transaction.commit().await?)
}

/// Turns on the write-ahead log, which stays on. It needs the file for itself for a moment, and SQLite does not wait for
/// another process that is opening it, so wait here.
async fn switch_to_wal(writer: &mut SqliteConnection, busy_timeout: Duration) -> Result<(), sqlx::Error> {
    let deadline = Instant::now() + busy_timeout;
    loop {
        let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *writer).await;
        match mode {
            Err(error) if Fault::kind_of(&error) == FaultKind::Locked && Instant::now() < deadline => {
                tokio::time::sleep(WAL_RETRY).await;
            }
            Err(error) => return Err(error),
            Ok(mode) => {
                if mode != "wal" {
                    tracing::warn!(
                        mode,
                        "there is no write-ahead log here, so readers and writers wait for each other"
                    );
                }
                return Ok(());
            }
        }
    }
}

/// Finds out now, not at the first write, that the file cannot be written.
///
/// SQLite opens a file without write permission for reading, silently. A lock held by another process proves that the
/// file can be written, and is not waited for.
async fn check_writable(writer: &mut SqliteConnection, busy_timeout: Duration) -> Result<(), OpenErrorKind> {
    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *writer).await?;
    let probe = async { begin(writer, Durability::Full).await?.rollback().await }.await.map_err(Fault::from);
    let restore = format!("PRAGMA busy_timeout = {}", busy_timeout.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(restore)).execute(&mut *writer).await?;
    match probe {
        Err(fault) if fault.kind() != FaultKind::Locked => Err(fault.into()),
        _ => Ok(()),
    }
}

/// SQLite says only "unable to open": look at the path to say why.
fn explain(path: &Path, fault: Fault) -> OpenErrorKind {
    if path.is_dir() {
        return OpenErrorKind::Directory;
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return OpenErrorKind::Directory,
    };
    match fault.kind() {
        FaultKind::CannotOpen if !parent.is_dir() => OpenErrorKind::NoDirectory(parent.to_owned()),
        _ => OpenErrorKind::Store(fault),
    }
}
