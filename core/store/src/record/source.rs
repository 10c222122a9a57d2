//! Where records came from: one row for each file, simulation or stream.

use serde::Serialize;
use sqlx::FromRow;

use crate::fault::{ReadContext, ReadError};
use crate::open::{Durability, Store, begin};
use crate::time::{Micros, now};

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// What kind of thing it is.
    pub kind: SourceKind,
    /// The name of the file, the seed of the simulation, or the program that streams.
    pub name: String,
    /// BLAKE3 of the file, hexadecimal.
    pub hash: Option<String>,
    /// How columns became fields, as JSON.
    pub mapping: Option<String>,
}

/// What kind of thing records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A file that was imported.
    File,
    /// A simulation.
    Simulation,
    /// A program that sends records as they happen.
    Live,
}

impl SourceKind {
    /// The name of the kind in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Simulation => "simulation",
            Self::Live => "live",
        }
    }

    /// What the labels that came with such records give as their source.
    pub(super) fn label_source(self) -> &'static str {
        match self {
            Self::File => "import",
            Self::Simulation => "simulation",
            Self::Live => "live",
        }
    }
}

/// A source, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Source {
    /// Its id.
    pub id: i64,
    /// The domain of its records.
    pub domain: String,
    /// What kind of thing it is: `file`, `simulation` or `live`.
    pub kind: String,
    /// The name of the file, the seed of the simulation, or the program that streams.
    pub name: String,
    /// BLAKE3 of the file, hexadecimal.
    pub hash: Option<String>,
    /// How columns became fields, as JSON.
    pub mapping: Option<String>,
    /// When the first record was about to be written.
    pub started_at: Micros,
    /// When it was complete; `None` while it runs, and for one that stopped half way.
    pub finished_at: Option<Micros>,
}

impl Store {
    /// The sources of a domain, the latest first.
    pub async fn sources(&self, domain: &str) -> Result<Vec<Source>, ReadError> {
        sqlx::query_as("SELECT * FROM source WHERE domain = ? ORDER BY id DESC")
            .bind(domain)
            .fetch_all(self.readers())
            .await
            .while_reading(|| format!("the sources of domain `{domain}`"))
    }

    /// The source with this id, if there is one.
    pub async fn source(&self, id: i64) -> Result<Option<Source>, ReadError> {
        sqlx::query_as("SELECT * FROM source WHERE id = ?")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .while_reading(|| format!("source {id}"))
    }
}

pub(super) async fn insert_source(
    store: &Store,
    domain: &str,
    source: &SourceInfo,
) -> Result<i64, sqlx::Error> {
    let mut writer = store.writer().await;
    let mut transaction = begin(&mut writer, Durability::Full).await?;
    let inserted = sqlx::query(
        "INSERT INTO source (domain, kind, name, hash, mapping, started_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(domain)
    .bind(source.kind.as_str())
    .bind(&source.name)
    .bind(&source.hash)
    .bind(&source.mapping)
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(inserted.last_insert_rowid())
}

pub(super) async fn finish_source(store: &Store, id: i64) -> Result<(), sqlx::Error> {
    let mut writer = store.writer().await;
    let mut transaction = begin(&mut writer, Durability::Full).await?;
    sqlx::query("UPDATE source SET finished_at = ? WHERE id = ?")
        .bind(now())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
