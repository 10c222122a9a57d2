//! Blobs: encoded media, kept once by content.
//!
//! A blob is named by the BLAKE3 hash of its bytes, so the same image is stored once however many records show it. Small
//! ones are copied into the database; large ones can be *linked*: the database then keeps the hash and the path, and
//! reading checks that the file is still the same.
//!
//! ```
//! # use foretell_store::open::Store;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Store::create_or_open(directory.path().join("clinic.db")).await?;
//! let hash = store.put_blob("image/png", b"not really a PNG").await?;
//! assert_eq!(store.put_blob("image/png", b"not really a PNG").await?, hash);
//! assert_eq!(store.read_blob(&hash).await?, b"not really a PNG");
//! # Ok(())
//! # }
//! ```

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::open::{Durability, Store, begin};

/// Bytes of a blob that is copied into the database. Larger ones are linked.
pub const BLOB_BYTES_MAX: usize = 256 << 20;

/// A blob that could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {what}")]
pub struct BlobError {
    verb: &'static str,
    what: String,
    /// Why.
    #[source]
    pub kind: BlobErrorKind,
}

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobErrorKind {
    /// Larger than [`BLOB_BYTES_MAX`].
    #[error("it has {bytes} bytes, and at most {BLOB_BYTES_MAX} are copied into the database")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// There is no blob of this hash.
    #[error("there is no such blob")]
    Unknown,
    /// There is no such record, or no such blob.
    #[error("there is no such record or no such blob")]
    UnknownReference,
    /// The record has another blob in this field.
    #[error("the field has another blob, and a record never changes")]
    FieldTaken,
    /// The content is not what its hash says: the file was changed after it was linked, or the database is damaged.
    #[error("its content has changed: it has hash `{found}` now")]
    Changed {
        /// The hash of what is there now.
        found: String,
    },
    /// A path that is not UTF-8 cannot be kept.
    #[error("its path is not UTF-8")]
    Path,
    /// The linked file could not be read.
    #[error("`{}` cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl BlobErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { .. } => Some("link the file instead of copying it"),
            Self::Changed { .. } => Some("put the original file back"),
            Self::File { .. } => Some("put the file back where it was when it was linked"),
            Self::Store(fault) => fault.hint(),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for BlobErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Copies `data` into the database, unless it is there; returns its hash.
    pub async fn put_blob(&self, media_type: &str, data: &[u8]) -> Result<String, BlobError> {
        let put = async {
            if data.len() > BLOB_BYTES_MAX {
                return Err(BlobErrorKind::TooLarge { bytes: data.len() });
            }
            let hash = hash_of(data);
            self.insert_blob(&hash, media_type, data.len() as u64, Some(data), None).await?;
            Ok(hash)
        };
        put.await.map_err(|kind| BlobError { verb: "store", what: "a blob".to_owned(), kind })
    }

    /// Links the file at `path` without copying it, unless its content is there; returns its hash.
    ///
    /// The path is kept absolute. The file is read once, to hash it.
    pub async fn link_blob(&self, media_type: &str, path: impl AsRef<Path>) -> Result<String, BlobError> {
        let path = path.as_ref();
        let link = async {
            let absolute = std::path::absolute(path).map_err(|source| unreadable(path, source))?;
            let text = absolute.to_str().ok_or(BlobErrorKind::Path)?;
            let (hash, bytes) = hash_file(&absolute).await?;
            self.insert_blob(&hash, media_type, bytes, None, Some(text)).await?;
            Ok(hash)
        };
        link.await.map_err(|kind| BlobError { verb: "link", what: format!("`{}`", path.display()), kind })
    }

    /// Says that `field` of a record is this blob. Saying it again is harmless.
    pub async fn attach_blob(&self, record_id: i64, field: &str, hash: &str) -> Result<(), BlobError> {
        self.insert_record_blob(record_id, field, hash).await.map_err(|kind| BlobError {
            verb: "attach",
            what: format!("blob `{hash}` to field `{field}` of record {record_id}"),
            kind,
        })
    }

    /// The fields of a record that are blobs, with their hashes.
    pub async fn record_blobs(&self, record_id: i64) -> Result<Vec<(String, String)>, BlobError> {
        sqlx::query_as("SELECT field, hash FROM record_blob WHERE record_id = ? ORDER BY field")
            .bind(record_id)
            .fetch_all(self.readers())
            .await
            .map_err(|error| BlobError {
                verb: "read",
                what: format!("the blobs of record {record_id}"),
                kind: error.into(),
            })
    }

    /// The content of a blob, copied or linked, checked against its hash.
    pub async fn read_blob(&self, hash: &str) -> Result<Vec<u8>, BlobError> {
        let read = async {
            let row: Option<(Option<Vec<u8>>, Option<String>)> =
                sqlx::query_as("SELECT data, path FROM blob WHERE hash = ?")
                    .bind(hash)
                    .fetch_optional(self.readers())
                    .await?;
            let data = match row.ok_or(BlobErrorKind::Unknown)? {
                (Some(data), _) => data,
                (None, path) => {
                    let path = PathBuf::from(path.unwrap_or_default());
                    tokio::fs::read(&path).await.map_err(|source| unreadable(&path, source))?
                }
            };
            let found = hash_of(&data);
            match found == hash {
                true => Ok(data),
                false => Err(BlobErrorKind::Changed { found }),
            }
        };
        read.await.map_err(|kind| BlobError { verb: "read", what: format!("blob `{hash}`"), kind })
    }

    /// Where the file of a linked blob is; `None` of a blob that is copied into the database. For media that are too large to be in
    /// memory at once, which [`Store::read_blob`] reads whole: [`Store::check_link`] says whether the file is still the same.
    pub async fn link_of(&self, hash: &str) -> Result<Option<PathBuf>, BlobError> {
        let find = async {
            let row: Option<(Option<String>,)> = sqlx::query_as("SELECT path FROM blob WHERE hash = ?")
                .bind(hash)
                .fetch_optional(self.readers())
                .await?;
            let (path,) = row.ok_or(BlobErrorKind::Unknown)?;
            Ok(path.map(PathBuf::from))
        };
        find.await.map_err(|kind| BlobError { verb: "read", what: format!("blob `{hash}`"), kind })
    }

    /// Reads the file at `path` piece by piece, and fails if its content is not that of the blob.
    pub async fn check_link(&self, hash: &str, path: &Path) -> Result<(), BlobError> {
        let check = async {
            let (found, _) = hash_file(path).await?;
            match found == hash {
                true => Ok(()),
                false => Err(BlobErrorKind::Changed { found }),
            }
        };
        check.await.map_err(|kind| BlobError { verb: "read", what: format!("blob `{hash}`"), kind })
    }

    async fn insert_blob(
        &self,
        hash: &str,
        media_type: &str,
        bytes: u64,
        data: Option<&[u8]>,
        path: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        sqlx::query(
            "INSERT INTO blob (hash, media_type, bytes, data, path) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash)
        .bind(media_type)
        .bind(bytes.cast_signed())
        .bind(data)
        .bind(path)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    async fn insert_record_blob(&self, record_id: i64, field: &str, hash: &str) -> Result<(), BlobErrorKind> {
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let inserted = sqlx::query(
            "INSERT INTO record_blob (record_id, field, hash) VALUES (?1, ?2, ?3)
             ON CONFLICT (record_id, field) DO UPDATE SET hash = ?3 WHERE hash = ?3",
        )
        .bind(record_id)
        .bind(field)
        .bind(hash)
        .execute(&mut *transaction)
        .await
        .map_err(|error| match crate::label::is_foreign_key_violation(&error) {
            true => BlobErrorKind::UnknownReference,
            false => error.into(),
        })?;
        if inserted.rows_affected() == 0 {
            return Err(BlobErrorKind::FieldTaken);
        }
        Ok(transaction.commit().await?)
    }
}

/// The name of a content: its BLAKE3 hash, in hexadecimal.
pub(crate) fn hash_of(data: &[u8]) -> String {
    blake3::hash(data).to_hex().to_string()
}

/// Hash and size of a file, read piece by piece.
async fn hash_file(path: &Path) -> Result<(String, u64), BlobErrorKind> {
    let path = path.to_owned();
    let hash = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        let read = std::fs::File::open(&path).and_then(|file| hasher.update_reader(file).map(|_| ()));
        read.map(|()| (hasher.finalize().to_hex().to_string(), hasher.count()))
            .map_err(|source| unreadable(&path, source))
    });
    hash.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn unreadable(path: &Path, source: std::io::Error) -> BlobErrorKind {
    BlobErrorKind::File { path: path.to_owned(), source }
}
