//! Records with what belongs to them, read page by page.

use std::collections::HashMap;
use std::fmt;

use futures::TryStreamExt;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection};

use super::ExportErrorKind;
use super::layout::Layout;
use crate::prediction::Prediction;
use crate::record::{LabelValue, RecordFilter};
use crate::time::Micros;

/// Records of one page.
const PAGE_ROWS_MAX: usize = 1_024;
/// Bytes of payloads at which a page ends.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Records that are written together, in order.
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
}

/// A record with what belongs to it.
pub(super) struct Row {
    pub(super) external_id: Option<String>,
    pub(super) event_time: Micros,
    /// The fields of the payload, in its own order.
    pub(super) fields: Vec<(String, Value)>,
    /// By name, the value that holds last and when it was known.
    pub(super) labels: Vec<(String, LabelValue, Micros)>,
    pub(super) prediction: Option<Prediction>,
    /// The output of the prediction.
    pub(super) output: Option<Value>,
}

/// Which records are read, and from where on.
pub(super) struct Selection<'f> {
    filter: &'f RecordFilter,
    run: Option<i64>,
    /// Event time and id of the record before the next one.
    last: (Micros, i64),
}

impl<'f> Selection<'f> {
    pub(super) fn new(filter: &'f RecordFilter, run: Option<i64>) -> Self {
        let last = match (filter.newest_first, filter.from, filter.to) {
            (false, Some(from), _) => (from, i64::MIN),
            (false, None, _) => (Micros::MIN, i64::MIN),
            (true, _, Some(to)) => (to, i64::MIN),
            (true, _, None) => (Micros::MAX, i64::MAX),
        };
        Self { filter, run, last }
    }

    /// A question about the records behind the last one, up to the end of the filter. `tables` joins others to them, and
    /// `?7` is the run.
    ///
    /// The beginning of the filter is where `last` stands at first: were it a condition as well, SQLite would go through
    /// the index from there for every page.
    fn sql(&self, columns: &str, tables: &str, rest: &str) -> String {
        let (behind, until) = if self.filter.newest_first { ("<", ">=") } else { (">", "<=") };
        let (time, id) = self.place();
        let (records, key) = match self.filter.key {
            None => ("record", ""),
            Some(_) => (
                "entity JOIN record_key AS past ON past.entity_id = entity.id JOIN record ON record.id = past.record_id",
                "AND entity.domain = ?1 AND entity.name = ?5 AND entity.value = ?6",
            ),
        };
        format!(
            "SELECT {columns} FROM {records} {tables}
             WHERE record.domain = ?1 AND ({time}, {id}) {behind} (?2, ?3) AND {time} {until} ?4 {key} {rest}"
        )
    }

    fn in_order(&self) -> String {
        let order = if self.filter.newest_first { "DESC" } else { "ASC" };
        let (time, id) = self.place();
        format!("ORDER BY {time} {order}, {id} {order}")
    }

    /// The columns of the index that leads to the records.
    fn place(&self) -> (&'static str, &'static str) {
        match self.filter.key {
            None => ("record.event_time", "record.id"),
            Some(_) => ("past.event_time", "past.record_id"),
        }
    }

    fn query(&self, sql: String) -> Query<'_, Sqlite, SqliteArguments> {
        let filter = self.filter;
        let end = match filter.newest_first {
            false => filter.to.map_or(Micros::MAX, |to| to.saturating_sub(1)),
            true => filter.from.unwrap_or(Micros::MIN),
        };
        let (name, value) = filter.key.as_ref().map(|(name, value)| (name, value)).unzip();
        let query = sqlx::query(AssertSqlSafe(sql)).bind(&filter.domain);
        query.bind(self.last.0).bind(self.last.1).bind(end).bind(name).bind(value).bind(self.run)
    }

    /// Finds out which columns there are, and how many records.
    pub(super) async fn survey(
        &self,
        snapshot: &mut SqliteConnection,
    ) -> Result<(Layout, u64), ExportErrorKind> {
        let mut layout = Layout::default();
        let mut total = 0;
        let mut payloads =
            self.query(self.sql("record.id, payload", "", &self.in_order())).fetch(&mut *snapshot);
        while let Some(row) = payloads.try_next().await? {
            total += 1;
            layout.see_fields(&members(row.try_get(0)?, row.try_get(1)?)?)?;
        }
        drop(payloads);

        let columns = "DISTINCT label.name, typeof(label.value), label.value IN (0, 1)";
        let sql = self.sql(columns, "JOIN label ON label.record_id = record.id", "ORDER BY label.name");
        for row in self.query(sql).fetch_all(&mut *snapshot).await? {
            layout.see_label(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)?;
        }

        let predictions = "JOIN prediction ON prediction.record_id = record.id";
        let sql = self.sql("count(*) > 0, count(output) > 0", predictions, "AND (?7 IS NULL OR run_id = ?7)");
        let row = self.query(sql).fetch_one(snapshot).await?;
        layout.see_predictions(row.try_get(0)?, row.try_get(1)?);
        Ok((layout, total))
    }

    /// The next page, or nothing at the end.
    pub(super) async fn next_page(
        &mut self,
        snapshot: &mut SqliteConnection,
    ) -> Result<Option<Page>, ExportErrorKind> {
        let mut ids = Vec::new();
        let mut rows = Vec::new();
        self.records(snapshot, &mut ids, &mut rows).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let places: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
        let ids = Value::from(ids).to_string();
        add_labels(snapshot, &ids, |record_id| places.get(&record_id).copied(), &mut rows).await?;
        for prediction in self.predictions(snapshot, &ids).await? {
            let Some(place) = places.get(&prediction.record_id) else { continue };
            let row = &mut rows[*place];
            // What is no JSON, because another program wrote it, is a text all the same.
            let parse =
                |output: &String| serde_json::from_str(output).unwrap_or_else(|_| output.as_str().into());
            row.output = prediction.output.as_ref().map(parse);
            row.prediction = Some(prediction);
        }
        Ok(Some(Page { rows }))
    }

    async fn records(
        &mut self,
        snapshot: &mut SqliteConnection,
        ids: &mut Vec<i64>,
        rows: &mut Vec<Row>,
    ) -> Result<(), ExportErrorKind> {
        let columns = "record.id, external_id, record.event_time, payload";
        let sql = self.sql(columns, "", &format!("{} LIMIT {PAGE_ROWS_MAX}", self.in_order()));
        let mut found = self.query(sql).fetch(snapshot);
        let mut last = self.last;
        let mut bytes = 0;
        while bytes < PAGE_BYTES_MAX
            && let Some(row) = found.try_next().await?
        {
            let (id, event_time): (i64, Micros) = (row.try_get(0)?, row.try_get(2)?);
            let payload: &str = row.try_get(3)?;
            bytes += payload.len();
            let fields = members(id, payload)?;
            let external_id = row.try_get(1)?;
            ids.push(id);
            rows.push(Row {
                external_id,
                event_time,
                fields,
                labels: Vec::new(),
                prediction: None,
                output: None,
            });
            last = (event_time, id);
        }
        drop(found);
        self.last = last;
        Ok(())
    }

    /// Of each record the prediction of the run, or the latest one that was an answer.
    async fn predictions(
        &self,
        snapshot: &mut SqliteConnection,
        ids: &str,
    ) -> Result<Vec<Prediction>, sqlx::Error> {
        sqlx::query_as(
            "SELECT record_id, max(run_id) AS run_id, score, label, output FROM prediction
             WHERE record_id IN (SELECT value FROM json_each(?1))
                 AND CASE WHEN ?2 IS NULL THEN run_id NOT IN (SELECT id FROM run WHERE shadow = 1) ELSE run_id = ?2 END
             GROUP BY record_id",
        )
        .bind(ids)
        .bind(self.run)
        .fetch_all(snapshot)
        .await
    }
}

async fn add_labels(
    snapshot: &mut SqliteConnection,
    ids: &str,
    place: impl Fn(i64) -> Option<usize>,
    rows: &mut [Row],
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "SELECT record_id, name, value, known_at FROM label WHERE record_id IN (SELECT value FROM json_each(?))
         ORDER BY record_id, name, known_at, id",
    );
    let mut found = query.bind(ids).fetch(snapshot);
    while let Some(row) = found.try_next().await? {
        let Some(place) = place(row.try_get("record_id")?) else { continue };
        let labels = &mut rows[place].labels;
        let (name, known_at): (&str, Micros) = (row.try_get("name")?, row.try_get("known_at")?);
        let value = LabelValue::read(&row, "value")?;
        match labels.last_mut() {
            // Of one name, the last one holds.
            Some((last, held, since)) if last == name => (*held, *since) = (value, known_at),
            _ => labels.push((name.to_owned(), value, known_at)),
        }
    }
    Ok(())
}

/// The members of a payload.
fn members(id: i64, payload: &str) -> Result<Vec<(String, Value)>, ExportErrorKind> {
    serde_json::from_str(payload).map(|Members(members)| members).map_err(|_| ExportErrorKind::Payload(id))
}

/// A JSON object whose members stay in order.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
