//! The past of a record: what the same customer, terminal or device did before it.
//!
//! A model often needs more than the record itself: how much this customer spent in the last 30 days, how many orders
//! of this shop came back. A [`HistorySpec`] says which past is wanted, and the store turns it into a list column that
//! goes to the model beside the input fields. The model stays a pure function of the record and its past.
//!
//! # The column
//!
//! For a record with event time `t`, the list holds every *other* record of the domain that
//! - has the same value of the key,
//! - stands before it in the order of (event time, record id),
//! - and has an event time in `(t - window, t - delay]`,
//!
//! oldest first. Each item is a struct: `event_time`, then the fields of the spec. The value of a label field is the
//! label with the greatest (known at, label id) among those with `known_at <= t`, and null before any is known. A
//! record without the key has an empty list. [`arrow_type`] gives the type of the column.
//!
//! # Two ways to the same column
//!
//! - [`lookup`] asks the database for the past of a few records. This is the online path: one record at a time, as it
//!   arrives.
//! - [`Walk`] goes through a domain in time order, keeps the current windows in memory, and gives the past of every
//!   record on the way. This is the path of batch jobs: it reads each record once, however often it is in somebody's
//!   past.
//!
//! A property test holds the two against each other, and both against a plain reading of the definition above.
//!
//! # Why nothing leaks
//!
//! **Invariant:** the past of a record is a function of what happened, and of what was known, up to its own event time.
//!
//! A walk cannot look ahead, because a record enters the windows only after its own past was given out, and a label
//! enters only once the clock of the walk, the event time of the record at hand, has reached its `known_at`. `delay`
//! says how late labels arrive: with labels known after seven days, `delay = 7d` gives each record the events that are
//! decided by then, and gives a training set the same view.
//!
//! # Late arrivals
//!
//! History is by event time. A record that is stored late, with an event time in the past, is from then on part of the
//! past of everything after it, so a run made before and a run made after may differ. [`Watermarks`] make a run
//! repeatable: they are the greatest ids of records and labels that existed when it began, and a history under
//! watermarks ignores everything above. Ids only grow and rows never change, so the same watermarks always give the
//! same columns.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_schema::{DataType, Field, Schema};
//! use foretell_store::history::{FieldKind, HistoryField, HistorySpec, Walk, WalkOptions, lookup};
//! # use foretell_store::{open::Store, record::{Appender, NewRecord, SourceInfo, SourceKind}};
//! use foretell_store::time::{DAY, HOUR};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "till".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await?;
//! # let order = |time, payload: &str| NewRecord {
//! #     external_id: None, event_time: time, payload: payload.into(), keys: vec![Some("596".into())], labels: vec![],
//! #     media: vec![],
//! # };
//! // Two orders of customer 596, an hour apart.
//! let ids: Vec<i64> = appender
//!     .append(vec![
//!         order(0, r#"{"customer":"596","amount":12.5}"#),
//!         order(HOUR, r#"{"customer":"596","amount":80}"#),
//!     ])
//!     .await?
//!     .iter()
//!     .map(|outcome| outcome.record_id())
//!     .collect();
//!
//! let inputs = Arc::new(Schema::new(vec![Field::new("amount", DataType::Float64, false)]));
//! let spec = HistorySpec {
//!     name: "orders".into(),
//!     key: "customer".into(),
//!     window: 30 * DAY,
//!     delay: 0,
//!     fields: vec![HistoryField::Record { name: "amount".into(), kind: FieldKind::Float64 }],
//! };
//!
//! let online = lookup(&store, "shop", &inputs, &[spec.clone()], &ids, None).await?;
//! assert_eq!(online.history[0].value_length(0), 0); // nothing before the first order
//! assert_eq!(online.history[0].value_length(1), 1); // the first is the past of the second
//!
//! let mut walk = Walk::new(&store, WalkOptions::new("shop", inputs, vec![spec])).await?;
//! while let Some(batch) = walk.next().await? {
//!     assert_eq!(batch, online);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Pitfalls
//!
//! - Events at exactly `t - window` are out, events at exactly `t - delay` are in.
//! - Two records at the same microsecond are ordered by id: the later one has the earlier one in its past.
//! - A stored payload that does not fit the input fields is set aside with its reason ([`HistoryBatch::rejects`]) and
//!   the others go on. In the past of others it is still an event, with nulls for what does not fit.
//! - A label whose value is not of the declared kind counts as null. A number outside 1e-60 to 1e60 may differ in its
//!   last bit from what was stored.

mod batch;
mod chunk;
mod column;
mod decode;
mod label;
mod list;
mod lookup;
mod names;
mod number;
mod past;
mod plan;
mod scan;
mod series;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{ListArray, RecordBatch};
use arrow_schema::{DataType, Field, Fields, TimeUnit};

use crate::fault::ReadError;
use crate::record::Reject;
use crate::time::{Micros, format_duration};

pub use lookup::lookup;
pub use walk::{BATCH_ROWS, BATCH_ROWS_MAX, Portion, Walk, WalkOptions};

/// Items in one list column of one batch: Arrow counts them in 32 bits. Batches are cut to stay below it, and a single
/// record with a longer past is rejected.
pub const HISTORY_ITEMS_MAX: usize = 4 << 20;

/// Bytes of text in one field of one list column of one batch, for the same reason.
pub const HISTORY_TEXT_BYTES_MAX: usize = 256 << 20;

/// The name of the event time, in the input fields as well as in the items of a history.
pub const EVENT_TIME: &str = "event_time";

/// Which past of a record is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySpec {
    /// The name of the list column.
    pub name: String,
    /// The payload field whose value the record and its past share.
    pub key: String,
    /// How far back the past goes: events at `t - window` and before are out.
    pub window: Micros,
    /// How old an event must be: events after `t - delay` are out. At least 0, and less than `window`.
    pub delay: Micros,
    /// What is wanted of each event besides its time.
    pub fields: Vec<HistoryField>,
}

/// A field of past events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryField {
    /// A field of the payload.
    Record {
        /// Its name in the payload and in the column.
        name: String,
        /// Its type.
        kind: FieldKind,
    },
    /// A label, as it was known at the time of the record whose past it is.
    Label {
        /// Its name. In the column it is called `label.` and this name.
        name: String,
        /// Its type.
        kind: FieldKind,
    },
}

impl HistoryField {
    /// The name of the field within the items of the list: `amount`, `label.returned`.
    pub fn column_name(&self) -> Cow<'_, str> {
        match self {
            Self::Record { name, .. } => Cow::Borrowed(name),
            Self::Label { name, .. } => Cow::Owned(format!("label.{name}")),
        }
    }

    /// The type of the field.
    pub fn kind(&self) -> FieldKind {
        match self {
            Self::Record { kind, .. } | Self::Label { kind, .. } => *kind,
        }
    }
}

/// The type of a field of past events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A whole number.
    Int64,
    /// A number.
    Float64,
    /// True or false; for a label, 1 or 0.
    Bool,
    /// A text.
    Utf8,
    /// A time: RFC 3339 or microseconds in a payload, microseconds in a label.
    Timestamp,
}

impl FieldKind {
    /// The Arrow type of the field.
    pub fn arrow_type(self) -> DataType {
        match self {
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Utf8 => DataType::Utf8,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

/// The type of the column of a spec:
/// `List<item: Struct<event_time: Timestamp(us), the fields of the spec, each nullable>>`.
///
/// Neither a list nor an item of it is ever null.
pub fn arrow_type(spec: &HistorySpec) -> DataType {
    DataType::List(list_item(event_fields(spec)))
}

/// The fields of the struct that is an item of the list.
fn event_fields(spec: &HistorySpec) -> Fields {
    let time = Field::new(EVENT_TIME, DataType::Timestamp(TimeUnit::Microsecond, None), false);
    let fields =
        spec.fields.iter().map(|field| Field::new(field.column_name(), field.kind().arrow_type(), true));
    std::iter::once(time).chain(fields).collect()
}

fn list_item(fields: Fields) -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Struct(fields), false))
}

/// What a history may see: rows with at most these ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The greatest record id that may be part of a past.
    pub record: i64,
    /// The greatest label id that may be part of a past.
    pub label: i64,
}

/// Records with their past, ready for a model.
///
/// `ids`, `event_times`, the rows of `records` and the rows of each list in `history` go together.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryBatch {
    /// The ids of the records.
    pub ids: Vec<i64>,
    /// When they happened.
    pub event_times: Vec<Micros>,
    /// The input fields, in the order of the schema that was asked for. The input field `event_time`, if there is one,
    /// is the event time of the record; the others come from its payload.
    pub records: RecordBatch,
    /// One column for each spec, in the order of the specs.
    pub history: Vec<ListArray>,
    /// Records that were wanted but whose payload does not fit the input fields. They are in none of the above.
    pub rejects: Vec<Reject>,
}

/// A history that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the history of records in domain `{domain}`")]
pub struct HistoryError {
    /// The domain of the records.
    pub domain: String,
    /// Why.
    #[source]
    pub kind: HistoryErrorKind,
}

/// Why a history could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// The window of a spec holds nothing.
    #[error(
        "history `{history}` has window `{}` and delay `{}`: expected a delay of at least 0 and a longer window",
        format_duration(*window), format_duration(*delay)
    )]
    Window {
        /// The name of the spec.
        history: String,
        /// Its window.
        window: Micros,
        /// Its delay.
        delay: Micros,
    },
    /// A spec asks for a payload field named `event_time`.
    #[error(
        "history `{history}` names a field or a key `{EVENT_TIME}`, which is the event time of the record itself"
    )]
    Reserved {
        /// The name of the spec.
        history: String,
    },
    /// A spec asks for a field twice.
    #[error("history `{history}` names the field `{field}` twice")]
    Repeated {
        /// The name of the spec.
        history: String,
        /// The field.
        field: String,
    },
    /// Inputs and histories declare a field with different types.
    #[error("field `{field}` is declared as {declared} and wanted as {wanted}")]
    FieldType {
        /// The field.
        field: String,
        /// The type in the first declaration.
        declared: DataType,
        /// The type in a later one, or the only type that it can have.
        wanted: DataType,
    },
    /// There is no record with this id in the domain.
    #[error("the domain has no record with id {0}")]
    NoRecord(i64),
    /// The input fields have a type that cannot be read from JSON.
    #[error("the input fields cannot be read from JSON")]
    Inputs(#[source] arrow_schema::ArrowError),
    /// So many records, or their past, do not fit in one batch.
    #[error("{records} records with their past are more than one batch may hold")]
    Full {
        /// How many records were asked for.
        records: usize,
    },
    /// What the database returned contradicts itself.
    #[error("the rows that were read from record {record_id} on do not belong together: {reason}")]
    Inconsistent {
        /// The first record that was read.
        record_id: i64,
        /// What was expected and what was found.
        reason: String,
    },
    /// The part of the program that reads ahead ended before the work was done.
    #[error("reading stopped before the end")]
    Stopped,
    /// The database could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl HistoryErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(error) => error.hint(),
            Self::Inconsistent { .. } => Some("check the database"),
            Self::FieldType { .. } => Some("give the field one type; a key is a text"),
            Self::Full { .. } => Some("look fewer records up at once, or choose shorter windows"),
            Self::NoRecord(_) => Some("check the id and the domain"),
            _ => None,
        }
    }

    /// Adds the domain.
    fn of(self, domain: &str) -> HistoryError {
        HistoryError { domain: domain.to_owned(), kind: self }
    }
}
