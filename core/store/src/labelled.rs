//! Records with the label that holds for them, whether they were scored or not: what an evaluation must know besides scores.

use futures::TryStreamExt;
use sqlx::Row;

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::time::Micros;

/// Which labelled records to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledFilter {
    /// The domain.
    pub domain: String,
    /// The name of the label, whose values are true, false or numbers.
    pub label: String,
    /// Only records with this event time or a later one.
    pub from: Micros,
    /// Only records with an event time before this one.
    pub to: Micros,
    /// The payload field to read beside the label.
    pub field: String,
}

/// Labelled records by (event time, id): row `i` of every column belongs to the same record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// Event times.
    pub event_times: Vec<Micros>,
    /// The label that holds, true as 1 and false as 0: of several, the one that was known last.
    pub labels: Vec<f64>,
    /// The payload field as text; `None` where a payload has no such value.
    pub fields: Vec<Option<String>>,
}

impl Store {
    /// Reads records that have a label, in the order of (event time, id). Records without one are left out.
    ///
    /// ```
    /// use foretell_store::labelled::LabelledFilter;
    /// use foretell_store::open::Store;
    /// use foretell_store::time::DAY;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// let store = Store::create_or_open(directory.path().join("shop.db")).await?;
    /// let filter = LabelledFilter {
    ///     domain: "shop".into(), label: "returned".into(), from: 0, to: 7 * DAY, field: "customer".into(),
    /// };
    /// assert!(store.labelled(&filter).await?.labels.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn labelled(&self, filter: &LabelledFilter) -> Result<Labelled, ReadError> {
        let read = async {
            let mut rows = sqlx::query(
                "SELECT event_time, value, field FROM (
                     SELECT id, event_time, payload ->> ?5 AS field,
                         (SELECT value FROM label WHERE record_id = record.id AND name = ?4
                          ORDER BY known_at DESC, id DESC LIMIT 1) AS value
                     FROM record WHERE domain = ?1 AND event_time >= ?2 AND event_time < ?3
                 ) WHERE typeof(value) IN ('integer', 'real') ORDER BY event_time, id",
            )
            .bind(&filter.domain)
            .bind(filter.from)
            .bind(filter.to)
            .bind(&filter.label)
            .bind(&filter.field)
            .fetch(self.readers());
            let mut labelled = Labelled::default();
            while let Some(row) = rows.try_next().await? {
                labelled.event_times.push(row.try_get(0)?);
                labelled.labels.push(row.try_get_unchecked(1)?);
                labelled.fields.push(row.try_get_unchecked(2)?);
            }
            Ok(labelled)
        };
        read.await.while_reading(|| format!("the records with label `{}`", filter.label))
    }
}
