//! Records: what went in, exactly as it came.
//!
//! A record is one input of a *domain* (a field of work such as `shop`): a time, a payload (one JSON object on one
//! line), and, if the user's own system names it, an external id. An [`Appender`] writes records from one *source* (a
//! file, a simulation, a live stream), in batches; once [`Appender::append`] returns, the batch is on the disk.
//!
//! ```
//! use foretell_store::open::Store;
//! use foretell_store::record::{Appender, LabelValue, NewRecord, NewRecordLabel, Outcome, RecordFilter, SourceInfo, SourceKind};
//! use foretell_store::time::{parse_time, DAY};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! let source = SourceInfo { kind: SourceKind::File, name: "orders.csv".into(), hash: None, mapping: None };
//! let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await?;
//!
//! let time = parse_time("2018-07-25T09:15:00Z")?;
//! let order = NewRecord {
//!     external_id: Some("A-17".into()),
//!     event_time: time,
//!     payload: r#"{"customer":"596","amount":57.16}"#.into(),
//!     keys: vec![Some("596".into())],
//!     labels: vec![NewRecordLabel { name: "returned".into(), value: LabelValue::Bool(false), known_at: time + 7 * DAY }],
//!     media: vec![],
//! };
//! let outcomes = appender.append(vec![order.clone(), order]).await?;
//! assert!(matches!(outcomes[..], [Outcome::Stored(a), Outcome::AlreadyStored(b)] if a == b));
//! appender.finish().await?;
//!
//! let record = store.record_by_external_id("shop", "A-17").await?.expect("it was just stored");
//! assert_eq!(record.event_time, time);
//! assert_eq!(store.count(&RecordFilter::domain("shop")).await?, 1);
//! # Ok(())
//! # }
//! ```
//!
//! **Keys** are the fields of the payload whose values group records: the past of a customer is the records with the
//! same value of `customer`. A record without a value for a key belongs to no group of that key, and has no past there.
//!
//! **Invariant:** a record never changes after it was acknowledged. The same external id with another time or payload
//! is a [`Outcome::Conflict`], and is not stored.
//!
//! **Pitfall:** the store does not look into payloads for keys: [`NewRecord::keys`] must say what the payload says.

mod append;
mod newest;
mod read;
mod reject;
mod source;

pub use append::{AppendError, AppendErrorKind, Appender, BATCH_RECORDS};
pub use newest::{Newest, NewestRecord};
pub use read::{Record, RecordFilter};
pub use reject::{Reject, RejectFilter, RejectReason, RejectedRecord};
pub(crate) use reject::{RejectOrigin, insert_rejects};
pub use source::{Source, SourceInfo, SourceKind};

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};

use crate::rows::Binding;
use crate::time::Micros;

/// Bytes of one payload: room for lists of some hundreds of thousands of entries, such as what was found in a long film.
pub const PAYLOAD_BYTES_MAX: usize = 32 << 20;

/// A record to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecord {
    /// The name that the user's own system gives it, unique within the domain.
    pub external_id: Option<String>,
    /// When it happened.
    pub event_time: Micros,
    /// A JSON object on one line, of at most [`PAYLOAD_BYTES_MAX`] bytes.
    pub payload: String,
    /// The value of each key, in the order of the names given to [`Appender::begin`]; `None` where the record has no
    /// such value.
    pub keys: Vec<Option<String>>,
    /// What is already known about it.
    pub labels: Vec<NewRecordLabel>,
    /// Media that belong to it, which are stored with it.
    pub media: Vec<NewMedium>,
}

/// Encoded media of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMedium {
    /// The field of the payload that names it by its hash.
    pub field: String,
    /// Its media type, such as `image/png`.
    pub media_type: String,
    /// The content, kept once however many records have it.
    pub data: Arc<[u8]>,
}

impl NewMedium {
    /// The name of the content: its BLAKE3 hash, in hexadecimal.
    pub fn hash(&self) -> String {
        crate::blob::hash_of(&self.data)
    }
}

/// A label that arrives together with its record.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRecordLabel {
    /// What was found out, such as `returned`.
    pub name: String,
    /// The finding.
    pub value: LabelValue,
    /// When it became known. It takes part in histories from that time on.
    pub known_at: Micros,
}

/// The value of a label.
///
/// As JSON it is the bare value: `true`, `2.5` or `"late"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValue {
    /// Yes or no; 1 or 0 in the database.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// The name of a class.
    Text(String),
}

impl LabelValue {
    /// The value as a number: 1 for true, 0 for false, nothing for a text.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Number(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// Whether the database can hold it: SQLite would turn a NaN into nothing at all.
    pub(crate) fn is_finite(&self) -> bool {
        self.as_number().is_none_or(f64::is_finite)
    }

    pub(crate) fn bind<'q>(&'q self, query: Binding<'q>) -> Binding<'q> {
        match self {
            Self::Bool(value) => query.bind(i64::from(*value)),
            Self::Number(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.as_str()),
        }
    }

    pub(crate) fn read(row: &SqliteRow, column: &str) -> Result<Self, sqlx::Error> {
        let kind = row.try_get_raw(column)?.type_info().into_owned();
        Ok(match kind.name() {
            "INTEGER" => match row.try_get_unchecked::<i64, _>(column)? {
                0 => Self::Bool(false),
                1 => Self::Bool(true),
                // Written by another program: ours writes numbers as REAL.
                number => Self::Number(number as f64),
            },
            "REAL" => Self::Number(row.try_get_unchecked(column)?),
            _ => Self::Text(row.try_get_unchecked(column)?),
        })
    }
}

/// What became of a record that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was stored under this id.
    Stored(i64),
    /// It was there before, under this id, with the same time and payload. Nothing was written, not even its labels:
    /// see [`Store::add_labels`](crate::open::Store::add_labels) for labels that arrive later.
    AlreadyStored(i64),
    /// Another record, under this id, has the same external id but another time or payload. Nothing was written.
    Conflict(i64),
}

impl Outcome {
    /// The id of the record that holds the external id.
    pub fn record_id(self) -> i64 {
        match self {
            Self::Stored(id) | Self::AlreadyStored(id) | Self::Conflict(id) => id,
        }
    }
}
