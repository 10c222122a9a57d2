//! Inputs that were refused, with the reason, so that nothing disappears unseen.

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::rows::Insert;
use crate::time::{Micros, now};

const INSERT_REJECT: Insert = Insert {
    into: "INSERT INTO rejected_record (source_id, run_id, rejected_at, record_id, line, field, reason, content)",
    row: "(@1, @2, @3, ?, ?, ?, ?, ?)",
    then: "",
};

/// An input that was refused, kept as it came, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reject {
    /// The record, if it was stored before something refused it.
    pub record_id: Option<i64>,
    /// The line of a text file, or the row of a Parquet file, from 1.
    pub line: Option<i64>,
    /// The field at fault.
    pub field: Option<String>,
    /// What was expected and what was found.
    pub reason: String,
    /// The input as it came.
    pub content: Option<String>,
}

/// What refused an input: the source that it came from, or the run that should have scored it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RejectOrigin {
    Source(i64),
    Run(i64),
}

/// An input that was refused, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct RejectedRecord {
    /// Its id.
    pub id: i64,
    /// The source that it came from, if it was refused before it was stored.
    pub source_id: Option<i64>,
    /// The run that could not score it, if it was refused by one.
    pub run_id: Option<i64>,
    /// The record, if it was stored before something refused it.
    pub record_id: Option<i64>,
    /// The line of a text file, or the row of a Parquet file, from 1.
    pub line: Option<i64>,
    /// The field at fault.
    pub field: Option<String>,
    /// What was expected and what was found.
    pub reason: String,
    /// The input as it came.
    pub content: Option<String>,
    /// When it was refused.
    pub rejected_at: Micros,
}

/// Inputs that were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct RejectReason {
    /// The field at fault.
    pub field: Option<String>,
    /// What was expected and what was found.
    pub reason: String,
    /// How many inputs.
    pub records: u64,
}

/// Which rejects to read: those of one source, of one run, or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RejectFilter {
    /// All there are.
    #[default]
    All,
    /// Refused while reading this source.
    Source(i64),
    /// Refused by this run.
    Run(i64),
}

impl Store {
    /// Rejects in the order in which they were refused, at most `limit` of them.
    pub async fn rejects(&self, filter: RejectFilter, limit: u32) -> Result<Vec<RejectedRecord>, ReadError> {
        let (source_id, run_id) = filter.ids();
        sqlx::query_as(
            "SELECT * FROM rejected_record
             WHERE (?1 IS NULL OR source_id = ?1) AND (?2 IS NULL OR run_id = ?2) ORDER BY id LIMIT ?3",
        )
        .bind(source_id)
        .bind(run_id)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| "the rejected records".to_owned())
    }

    /// Why inputs were refused, the most frequent reasons first, at most `limit` of them.
    pub async fn reject_reasons(
        &self,
        filter: RejectFilter,
        limit: u32,
    ) -> Result<Vec<RejectReason>, ReadError> {
        let (source_id, run_id) = filter.ids();
        sqlx::query_as(
            "SELECT field, reason, count(*) AS records FROM rejected_record
             WHERE (?1 IS NULL OR source_id = ?1) AND (?2 IS NULL OR run_id = ?2)
             GROUP BY field, reason ORDER BY records DESC, min(id) LIMIT ?3",
        )
        .bind(source_id)
        .bind(run_id)
        .bind(limit)
        .fetch_all(self.readers())
        .await
        .while_reading(|| "the reasons of rejected records".to_owned())
    }

    /// How many rejects there are.
    pub async fn count_rejects(&self, filter: RejectFilter) -> Result<u64, ReadError> {
        let (source_id, run_id) = filter.ids();
        sqlx::query_scalar(
            "SELECT count(*) FROM rejected_record
             WHERE (?1 IS NULL OR source_id = ?1) AND (?2 IS NULL OR run_id = ?2)",
        )
        .bind(source_id)
        .bind(run_id)
        .fetch_one(self.readers())
        .await
        .while_reading(|| "the number of rejected records".to_owned())
    }
}

impl RejectFilter {
    fn ids(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::All => (None, None),
            Self::Source(id) => (Some(id), None),
            Self::Run(id) => (None, Some(id)),
        }
    }
}

pub(crate) async fn insert_rejects(
    connection: &mut SqliteConnection,
    origin: RejectOrigin,
    rejects: &[Reject],
) -> Result<(), sqlx::Error> {
    let (source_id, run_id) = match origin {
        RejectOrigin::Source(id) => (Some(id), None),
        RejectOrigin::Run(id) => (None, Some(id)),
    };
    let rejected_at = now();
    INSERT_REJECT
        .write(
            connection,
            rejects,
            |query, reject| {
                query
                    .bind(reject.record_id)
                    .bind(reject.line)
                    .bind(reject.field.as_deref())
                    .bind(reject.reason.as_str())
                    .bind(reject.content.as_deref())
            },
            |query| query.bind(source_id).bind(run_id).bind(rejected_at),
        )
        .await?;
    Ok(())
}
