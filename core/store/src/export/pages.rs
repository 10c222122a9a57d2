//! Records with what belongs to them, read page by page.

use std::collections::HashMap;
use std::fmt;

use futures::TryStreamExt;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::ExportErrorKind;
use crate::prediction::Prediction;
use crate::record::{LabelValue, RecordFilter};
use crate::time::Micros;

/// Records of one page.
const PAGE_ROWS_MAX: usize = 4_096;
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

/// Goes through the records that a filter selects.
pub(super) struct Pages<'f> {
    filter: &'f RecordFilter,
    run: Option<i64>,
    /// Event time and id of the record before the next page.
    last: (Micros, i64),
}

impl<'f> Pages<'f> {
    pub(super) fn new(filter: &'f RecordFilter, run: Option<i64>) -> Self {
        let last = match (filter.newest_first, filter.from, filter.to) {
            (false, Some(from), _) => (from, i64::MIN),
            (false, None, _) => (Micros::MIN, i64::MIN),
            (true, _, Some(to)) => (to, i64::MIN),
            (true, _, None) => (Micros::MAX, i64::MAX),
        };
        Self { filter, run, last }
    }

    /// The next page, or nothing at the end.
    pub(super) async fn next(
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
        let filter = self.filter;
        let end = match filter.newest_first {
            false => filter.to.map_or(Micros::MAX, |to| to.saturating_sub(1)),
            true => filter.from.unwrap_or(Micros::MIN),
        };
        let mut query = sqlx::query(AssertSqlSafe(self.sql()))
            .bind(&filter.domain)
            .bind(self.last.0)
            .bind(self.last.1)
            .bind(end);
        if let Some((name, value)) = &filter.key {
            query = query.bind(name).bind(value);
        }
        let mut found = query.fetch(snapshot);
        let mut bytes = 0;
        while bytes < PAGE_BYTES_MAX
            && let Some(row) = found.try_next().await?
        {
            let (id, event_time): (i64, Micros) = (row.try_get(0)?, row.try_get(2)?);
            let payload: &str = row.try_get(3)?;
            bytes += payload.len();
            let Members(fields) = serde_json::from_str(payload).map_err(|_| ExportErrorKind::Payload(id))?;
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
            self.last = (event_time, id);
        }
        Ok(())
    }

    /// The records behind the last one, up to the end of the filter. Its beginning is where `last` stands at first: were
    /// it a condition as well, SQLite would go through the index from there for every page.
    fn sql(&self) -> String {
        let (behind, until, order) = match self.filter.newest_first {
            false => (">", "<=", "ASC"),
            true => ("<", ">=", "DESC"),
        };
        let (tables, time, id, key) = match self.filter.key {
            None => ("record", "record.event_time", "record.id", ""),
            Some(_) => (
                "entity JOIN record_key AS past ON past.entity_id = entity.id JOIN record ON record.id = past.record_id",
                "past.event_time",
                "past.record_id",
                "AND entity.domain = ?1 AND entity.name = ?5 AND entity.value = ?6",
            ),
        };
        format!(
            "SELECT record.id, external_id, record.event_time, payload FROM {tables}
             WHERE record.domain = ?1 AND ({time}, {id}) {behind} (?2, ?3) AND {time} {until} ?4 {key}
             ORDER BY {time} {order}, {id} {order} LIMIT {PAGE_ROWS_MAX}"
        )
    }

    /// Of each record the prediction of the run, or the latest one.
    async fn predictions(
        &self,
        snapshot: &mut SqliteConnection,
        ids: &str,
    ) -> Result<Vec<Prediction>, sqlx::Error> {
        sqlx::query_as(
            "SELECT record_id, max(run_id) AS run_id, score, label, output FROM prediction
             WHERE record_id IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR run_id = ?2) GROUP BY record_id",
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
