//! What came after each record.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::prediction::{malformed, numbers};
use crate::time::Micros;

/// Records in one row of the database: a row costs more than what is in it.
const PAGE_RECORDS: usize = 8_192;

/// Which records' successors to read, and what of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessorFilter {
    /// The domain.
    pub domain: String,
    /// The key whose value a record and its successor share, such as `customer`.
    pub key: String,
    /// The payload field that makes a record a successor, and that is read of it, such as `item`.
    pub field: String,
    /// Only successors of records with this event time or a later one.
    pub from: Option<Micros>,
    /// Only successors of records with an event time before this one.
    pub to: Option<Micros>,
}

/// A record, and what came after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The record.
    pub record_id: i64,
    /// When it happened.
    pub event_time: Micros,
    /// The record that came next.
    pub next_id: i64,
    /// When that one happened.
    pub next_time: Micros,
    /// The payload field of that one, as text.
    pub value: String,
}

/// The successors that a filter means, in the order of (event time, id) of the records that they follow, all as of one moment.
///
/// The successor of a record is the next one, by (event time, id), that has the same value of the key and has the field: whose
/// field is not there, or null, is passed over. A record without the key has none. It may stand after the times of the filter.
#[derive(Debug)]
pub struct Successors {
    filter: SuccessorFilter,
    snapshot: Transaction<'static, Sqlite>,
    /// Event time and id of the last record that was looked at; `None` after the last one.
    position: Option<(Micros, i64)>,
}

/// The next records of domain ?1 after (event time ?4, id ?5) and up to event time ?6, each with id and event time of its successor by
/// key ?2, 0 if there is none, and field ?3 of that one.
const PAGE: &str = "
    SELECT group_concat(page.id, ' '), group_concat(page.event_time, ' '),
        group_concat(coalesce(successor.id, 0), ' '), group_concat(coalesce(successor.event_time, 0), ' '),
        json_group_array(CAST(successor.payload ->> ?3 AS TEXT))
    FROM (
        SELECT id, event_time, (
            SELECT later.record_id
            FROM entity
            CROSS JOIN record_key AS later ON later.entity_id = entity.id
            CROSS JOIN record AS next ON next.id = later.record_id
            WHERE entity.domain = ?1 AND entity.name = ?2 AND entity.value = record.payload ->> ?2
                AND (later.event_time, later.record_id) > (record.event_time, record.id)
                AND next.payload ->> ?3 IS NOT NULL
            ORDER BY later.event_time, later.record_id LIMIT 1) AS next_id
        FROM record
        WHERE domain = ?1 AND (event_time, id) > (?4, ?5) AND event_time <= ?6
        ORDER BY event_time, id LIMIT ?7
    ) AS page LEFT JOIN record AS successor ON successor.id = page.next_id";

impl Store {
    /// Reads what came after each record: the truth that a prediction of what comes next is held against.
    ///
    /// ```
    /// # use foretell_store::open::Store;
    /// # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
    /// use foretell_store::record::SuccessorFilter;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
    /// # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
    /// # let mut appender = Appender::begin(&store, "shop", vec!["customer".into()], source).await?;
    /// # let order = |event_time, item: &str| NewRecord {
    /// #     external_id: None, event_time, payload: format!(r#"{{"customer":"596","item":"{item}"}}"#),
    /// #     keys: vec![Some("596".into())], labels: vec![],
    /// # };
    /// // Customer 596 buys tea, and an hour later milk.
    /// appender.append(vec![order(0, "tea"), order(3_600_000_000, "milk")]).await?;
    /// let filter = SuccessorFilter {
    ///     domain: "shop".into(), key: "customer".into(), field: "item".into(), from: None, to: None,
    /// };
    /// let mut successors = store.successors(&filter).await?;
    /// while let Some(page) = successors.next().await? {
    ///     assert_eq!((page.len(), page[0].value.as_str()), (1, "milk"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn successors(&self, filter: &SuccessorFilter) -> Result<Successors, ReadError> {
        let snapshot = self.readers().begin().await.while_reading(|| filter.what())?;
        let position = Some((filter.from.unwrap_or(Micros::MIN), i64::MIN));
        Ok(Successors { filter: filter.clone(), snapshot, position })
    }
}

impl Successors {
    /// The next of them, a few thousand at most; `None` after the last ones. A page may be empty.
    pub async fn next(&mut self) -> Result<Option<Vec<Successor>>, ReadError> {
        let Some((time, id)) = self.position else { return Ok(None) };
        let filter = &self.filter;
        let row = sqlx::query(PAGE)
            .bind(&filter.domain)
            .bind(&filter.key)
            .bind(&filter.field)
            .bind(time)
            .bind(id)
            .bind(filter.to.map_or(Micros::MAX, |to| to.saturating_sub(1)))
            .bind(PAGE_RECORDS as i64)
            .fetch_one(&mut *self.snapshot)
            .await
            .while_reading(|| filter.what())?;
        let (page, last) = read(&row).while_reading(|| filter.what())?;
        self.position = last;
        Ok(Some(page))
    }
}

/// Successors, and event time and id of the last record that was looked at, unless there are no more.
type Page = (Vec<Successor>, Option<(Micros, i64)>);

fn read(row: &SqliteRow) -> Result<Page, sqlx::Error> {
    let Some(list) = row.try_get::<Option<&str>, _>(0)? else { return Ok((Vec::new(), None)) };
    let (mut ids, mut times) = (Vec::new(), Vec::new());
    let (mut next_ids, mut next_times) = (Vec::new(), Vec::new());
    numbers(list, &mut ids)?;
    numbers(row.try_get(1)?, &mut times)?;
    numbers(row.try_get(2)?, &mut next_ids)?;
    numbers(row.try_get(3)?, &mut next_times)?;
    let values: Vec<Option<String>> = serde_json::from_str(row.try_get(4)?).map_err(malformed)?;
    let rows = ids.len();
    if [times.len(), next_ids.len(), next_times.len(), values.len()] != [rows; 4] {
        return Err(malformed("the columns differ in length"));
    }
    let last = (rows == PAGE_RECORDS).then(|| (times[rows - 1], ids[rows - 1]));
    let records = ids.into_iter().zip(times).zip(next_ids.into_iter().zip(next_times)).zip(values);
    let page = records.filter_map(|(((record_id, event_time), (next_id, next_time)), value)| {
        Some(Successor { record_id, event_time, next_id, next_time, value: value? })
    });
    Ok((page.collect(), last))
}

impl SuccessorFilter {
    fn what(&self) -> String {
        format!("what came after the records of domain `{}`", self.domain)
    }
}
