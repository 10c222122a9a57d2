//! Labels: what turned out to be true, and when that was known.
//!
//! A label belongs to a record and has a name (`returned`), a value, and the time from which it was known. Labels are
//! only ever added: a later finding overrules an earlier one, and what was believed before stays visible.
//!
//! ```
//! # use foretell_store::open::Store;
//! # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
//! use foretell_store::label::NewLabel;
//! use foretell_store::record::LabelValue;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec![], source).await?;
//! # let order = NewRecord { external_id: None, event_time: 0, payload: "{}".into(), keys: vec![], labels: vec![], media: vec![] };
//! # let record_id = appender.append(vec![order]).await?[0].record_id();
//! let finding = |value, known_at| NewLabel {
//!     record_id,
//!     name: "returned".into(),
//!     value: LabelValue::Bool(value),
//!     known_at,
//!     source: "review".into(),
//! };
//! store.add_labels(&[finding(false, 10), finding(true, 20)]).await?;
//!
//! let labels = store.labels(record_id).await?;
//! assert_eq!(labels.last().unwrap().value, LabelValue::Bool(true));
//! # Ok(())
//! # }
//! ```
//!
//! **Invariant:** of the labels of one record and name, the one with the greatest (`known_at`, `id`) holds; as of a
//! time `t`, the greatest among those with `known_at <= t`.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection};

use crate::fault::{Fault, ReadContext, ReadError};
use crate::open::{Durability, Store, begin};
use crate::record::LabelValue;
use crate::rows::Insert;
use crate::time::{Micros, now};

/// A label that says again what holds at that time anyway is left out, so that the same labels can be added twice.
const INSERT_LABEL: Insert = Insert {
    into: "INSERT INTO label (record_id, name, value, known_at, source, recorded_at)
           SELECT new.column1, new.column2, new.column3, new.column4, new.column5, new.column6 FROM (",
    row: "(?, ?, ?, ?, ?, @1)",
    then: ") AS new
           WHERE (new.column3, new.column5) IS NOT (
               SELECT value, source FROM label
               WHERE record_id = new.column1 AND name = new.column2 AND known_at = new.column4
               ORDER BY id DESC LIMIT 1)",
};

/// A label to be added to a record that is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLabel {
    /// The record.
    pub record_id: i64,
    /// What was found out, such as `returned`.
    pub name: String,
    /// The finding.
    pub value: LabelValue,
    /// When it became known. It takes part in histories from that time on.
    pub known_at: Micros,
    /// Who says so: `import`, `review`, ...
    pub source: String,
}

/// A label, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Its id. Ids grow in the order of storing.
    pub id: i64,
    /// The record.
    pub record_id: i64,
    /// What was found out.
    pub name: String,
    /// The finding.
    pub value: LabelValue,
    /// When it became known.
    pub known_at: Micros,
    /// Who says so.
    pub source: String,
    /// When it was stored.
    pub recorded_at: Micros,
}

impl FromRow<'_, SqliteRow> for Label {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            record_id: row.try_get("record_id")?,
            name: row.try_get("name")?,
            value: LabelValue::read(row, "value")?,
            known_at: row.try_get("known_at")?,
            source: row.try_get("source")?,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}

/// Labels that could not be added. None of them was.
#[derive(Debug, thiserror::Error)]
#[error("cannot add labels")]
pub struct LabelError {
    /// Why.
    #[source]
    pub kind: LabelErrorKind,
}

/// Why labels could not be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelErrorKind {
    /// There is no such record.
    #[error("there is no record {0}")]
    UnknownRecord(i64),
    /// NaN or infinite.
    #[error("label `{name}` of record {record_id} is not a finite number")]
    NotFinite {
        /// The record.
        record_id: i64,
        /// The name of the label.
        name: String,
    },
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl LabelErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            Self::UnknownRecord(_) => Some("store the records first, then their labels"),
            Self::NotFinite { .. } => None,
        }
    }
}

impl From<sqlx::Error> for LabelErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Adds labels, all or none; returns how many were new.
    ///
    /// When it returns, they are on the disk. A label is not new if the one that holds at its `known_at` has the same
    /// value and source, so adding the same labels twice is harmless.
    pub async fn add_labels(&self, labels: &[NewLabel]) -> Result<u64, LabelError> {
        self.try_add_labels(labels).await.map_err(|kind| LabelError { kind })
    }

    async fn try_add_labels(&self, labels: &[NewLabel]) -> Result<u64, LabelErrorKind> {
        if let Some(label) = labels.iter().find(|label| !label.value.is_finite()) {
            return Err(LabelErrorKind::NotFinite { record_id: label.record_id, name: label.name.clone() });
        }
        let recorded_at = now();
        let mut writer = self.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let added = INSERT_LABEL
            .write(
                &mut transaction,
                labels,
                |query, label| {
                    label
                        .value
                        .bind(query.bind(label.record_id).bind(label.name.as_str()))
                        .bind(label.known_at)
                        .bind(label.source.as_str())
                },
                |query| query.bind(recorded_at),
            )
            .await;
        if let Err(error) = &added
            && is_foreign_key_violation(error)
            && let Some(id) =
                unknown_record(&mut transaction, labels.iter().map(|label| label.record_id)).await?
        {
            return Err(LabelErrorKind::UnknownRecord(id));
        }
        let added = added?;
        transaction.commit().await?;
        Ok(added)
    }

    /// The labels of a record, by name; of each name, the one that holds comes last.
    pub async fn labels(&self, record_id: i64) -> Result<Vec<Label>, ReadError> {
        sqlx::query_as("SELECT * FROM label WHERE record_id = ? ORDER BY name, known_at, id")
            .bind(record_id)
            .fetch_all(self.readers())
            .await
            .while_reading(|| format!("the labels of record {record_id}"))
    }
}

pub(crate) fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}

/// The first of `ids` that no record has.
pub(crate) async fn unknown_record(
    connection: &mut SqliteConnection,
    ids: impl Iterator<Item = i64>,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM record WHERE record.id = value) LIMIT 1",
    )
    .bind(serde_json::Value::from_iter(ids).to_string())
    .fetch_optional(connection)
    .await
}
