//! Which stored records are meant, by a batch job for example.
//!
//! A [`Selection`] names a domain and whatever narrows it: times, the value of a key, a label, a source, a condition in
//! SQL, and what runs have not scored yet. A record is selected if it meets all of them. The selected records stand in
//! the order of (event time, id).
//!
//! ```
//! # use foretell_store::open::Store;
//! # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
//! use foretell_store::selection::Selection;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
//! # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
//! # let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await?;
//! # let order = |amount: &str| NewRecord {
//! #     external_id: None, event_time: 0, payload: format!(r#"{{"amount":{amount}}}"#),
//! #     keys: vec![Some("596".into())], labels: vec![],
//! #     media: vec![],
//! # };
//! appender.append(vec![order("80.0"), order("120.0")]).await?;
//!
//! let large = Selection {
//!     key: Some(("customer".into(), "596".into())),
//!     condition: Some("payload ->> '$.amount' > 100".into()),
//!     ..Selection::domain("shop")
//! };
//! assert_eq!(store.count_selected(&large).await?, 1);
//! assert_eq!(large.describe(), "domain shop, key customer = 596, where payload ->> '$.amount' > 100");
//! # Ok(())
//! # }
//! ```
//!
//! # Conditions
//!
//! A condition is one SQL expression, as it would follow `WHERE`, over the view in which the domain's analyst reads
//! records: the one that `readable_view` names for the domain, else `readable_record`. It is SQLite's SQL with SQLite's
//! precedence of operators, and a record is selected if it is true, not if it is false or null. Of the language there is
//! what looks at one record for a bounded time:
//!
//! - columns of the view, numbers, texts in single quotes, `NULL`, `TRUE`, `FALSE`
//! - comparisons, `AND`, `OR`, `NOT`, `IS NULL`, `IN` with a list, `BETWEEN`, `CASE`, `CAST`, arithmetic
//! - `LIKE` and `GLOB` with a pattern in quotes, `->` and `->>` with a path in quotes
//! - the functions of [`FUNCTIONS`], without what depends on the present or on the machine
//!
//! There are no subqueries, parameters, aggregates and windows, no `||`, and nothing that grows a text. The expression
//! is parsed and written anew, so what reaches the database is what was understood and not what was typed; it runs on
//! connections that cannot write, and is stopped after [`SELECT_SECONDS_MAX`].
//!
//! **Invariant:** a condition is either refused before any record is read, or all names in it are columns of the view
//! and functions of [`FUNCTIONS`].

mod condition;
mod deadline;
mod dialect;
mod expression;
mod pages;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use condition::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX, ConditionError};
pub use expression::{ConditionFunction, FUNCTIONS};
pub(crate) use pages::{Page, Pages, span};

use crate::fault::{ReadContext, ReadError};
use crate::members::Members;
use crate::open::Store;
use crate::record::LabelValue;
use crate::time::{Micros, format_time};

/// Seconds that looking for one page of records, or counting all of them, may take where there is a condition.
pub const SELECT_SECONDS_MAX: u64 = 60;

/// Ids that are read together when all of them are wanted.
const PAGE_RECORDS: usize = 1 << 16;

const SELECT_TIME_MAX: Duration = Duration::from_secs(SELECT_SECONDS_MAX);

/// Which records are meant. What is `None` does not narrow.
///
/// As JSON it leaves out what is `None`, and refuses a criterion that this program does not know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The domain. Every record belongs to one.
    pub domain: String,
    /// Only records with this event time or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Micros>,
    /// Only records with an event time before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Micros>,
    /// Only records that have this value of this key: `("customer", "596")`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<(String, String)>,
    /// Only records with this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<SelectedLabel>,
    /// Only records of the source with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<i64>,
    /// Only records that were stored after the one with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// Only these records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Members>,
    /// Only records for which this SQL expression is true: see [the module](self#conditions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Only records that these runs left undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscored: Option<Unscored>,
}

/// A label that records must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectedLabel {
    /// Its name.
    pub name: String,
    /// If given, the label that holds, which is the one with the greatest (known at, id), must have this value. True
    /// equals 1 and false equals 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<LabelValue>,
}

/// Records without a prediction and without a reject in any of some runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unscored {
    /// The ids of the runs.
    pub runs: Vec<i64>,
    /// Every record up to this id is known to be done, and is not looked at. 0 if nothing is known.
    pub after: i64,
}

impl Selection {
    /// All records of a domain.
    pub fn domain(domain: impl Into<String>) -> Self {
        Self { domain: domain.into(), ..Self::default() }
    }

    /// The selection in one line, for a person at the screen.
    ///
    /// **Pitfall:** values of keys and texts in a condition may say who somebody is, so it never goes to a log.
    pub fn describe(&self) -> String {
        let mut text = format!("domain {}", self.domain);
        let mut add = |words: std::fmt::Arguments| {
            let _ = write!(text, ", {words}");
        };
        if let Some(from) = self.from {
            add(format_args!("from {}", format_time(from)));
        }
        if let Some(to) = self.to {
            add(format_args!("before {}", format_time(to)));
        }
        if let Some((name, value)) = &self.key {
            add(format_args!("key {name} = {value}"));
        }
        if let Some(label) = &self.label {
            let value = label.value.as_ref().map(|value| match value {
                LabelValue::Bool(value) => format!(" = {value}"),
                LabelValue::Number(value) => format!(" = {value}"),
                LabelValue::Text(value) => format!(" = {value}"),
            });
            add(format_args!("label {}{}", label.name, value.unwrap_or_default()));
        }
        if let Some(source) = self.source {
            add(format_args!("source {source}"));
        }
        if let Some(after) = self.after {
            add(format_args!("stored after record {after}"));
        }
        if let Some(records) = &self.records {
            add(format_args!("{} records by their ids", records.len()));
        }
        if let Some(condition) = &self.condition {
            add(format_args!("where {condition}"));
        }
        if let Some(unscored) = &self.unscored {
            add(format_args!("not scored by {} earlier runs", unscored.runs.len()));
            if unscored.after > 0 {
                add(format_args!("stored after record {}", unscored.after));
            }
        }
        text.replace(char::is_control, " ")
    }

    /// The record after which those stand that are looked at; 0 for all.
    fn after(&self) -> i64 {
        let done = self.unscored.as_ref().map(|unscored| unscored.after);
        done.max(self.after).unwrap_or(0)
    }

    /// What is read, for an error.
    fn what(&self) -> String {
        format!("the records of domain `{}`", self.domain)
    }
}

/// Records that could not be selected.
#[derive(Debug, thiserror::Error)]
#[error("cannot select records of domain `{domain}`")]
pub struct SelectionError {
    /// The domain of the records.
    pub domain: String,
    /// Why.
    #[source]
    pub kind: SelectionErrorKind,
}

/// Why records could not be selected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionErrorKind {
    /// The condition was refused, or failed on a record.
    #[error("the condition does not work")]
    Condition(#[from] ConditionError),
    /// The view that conditions are about is not there, or has no column `record_id`.
    #[error("conditions are about the view `{name}`, and there is no such view with a column `record_id`")]
    View {
        /// The view that the domain should have.
        name: String,
    },
    /// The database could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl SelectionErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Condition(error) => error.hint(),
            Self::View { .. } => {
                Some("create the view, or delete its row in the table `readable_view` to use the general one")
            }
            Self::Read(error) => error.hint(),
        }
    }

    /// Adds the domain.
    pub(crate) fn of(self, domain: &str) -> SelectionError {
        SelectionError { domain: domain.to_owned(), kind: self }
    }
}

impl Store {
    /// How many records are selected.
    pub async fn count_selected(&self, selection: &Selection) -> Result<u64, SelectionError> {
        self.try_count_selected(selection).await.map_err(|kind| kind.of(&selection.domain))
    }

    /// The ids of the records that are selected, as of one moment.
    pub async fn selected(&self, selection: &Selection) -> Result<Members, SelectionError> {
        self.try_selected(selection).await.map_err(|kind| kind.of(&selection.domain))
    }

    async fn try_selected(&self, selection: &Selection) -> Result<Members, SelectionErrorKind> {
        let mut snapshot = self.readers().begin().await.while_reading(|| selection.what())?;
        let id_max = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM record")
            .fetch_one(&mut *snapshot)
            .await
            .while_reading(|| selection.what())?;
        let mut pages = Pages::new(&mut snapshot, selection, id_max).await?;
        let mut ids = Vec::new();
        while let Some(page) = pages.next(&mut snapshot, PAGE_RECORDS).await? {
            ids.extend(page.ids);
        }
        Ok(ids.into_iter().collect())
    }

    async fn try_count_selected(&self, selection: &Selection) -> Result<u64, SelectionErrorKind> {
        let mut reader = self.readers().acquire().await.while_reading(|| selection.what())?;
        let id_max = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM record")
            .fetch_one(&mut *reader)
            .await
            .while_reading(|| selection.what())?;
        Pages::new(&mut reader, selection, id_max).await?.count(&mut reader).await
    }
}
