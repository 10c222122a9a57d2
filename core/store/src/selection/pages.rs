//! Reading the ids of selected records, page by page.
//!
//! A row costs far more than the ids in it, so a page is one row with all of its ids joined.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::condition::{Condition, failure};
use super::deadline::fetch_one_within;
use super::{SELECT_TIME_MAX, Selection, SelectionErrorKind};
use crate::fault::ReadContext;
use crate::rows::Binding;
use crate::time::Micros;

/// Ids beyond [`Selection::after`] that are read and sorted for each page. If there are more, the
/// records are read in time order, which passes over all that are done.
const NEW_IDS_MAX: i64 = 1 << 16;

/// The records of domain ?1 from (event time ?2, id ?3) to (event time ?4, id ?5).
pub(super) const SPAN: &str = "SELECT count(*) FROM record INDEXED BY record_event_time
    WHERE domain = ?1 AND (event_time, id) >= (?2, ?3) AND (event_time, id) <= (?4, ?5)";

/// Records that were selected, in the order of (event time, id).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Their ids, at least one.
    pub(crate) ids: Vec<i64>,
    /// Event time and id of the first one.
    pub(crate) first: (Micros, i64),
    /// Event time and id of the last one.
    pub(crate) last: (Micros, i64),
}

/// Where the records of a selection are read, before it is asked which of them are meant.
struct Place {
    tables: &'static str,
    within: &'static str,
    time: &'static str,
    id: &'static str,
}

/// All records of the domain, in time order. The index answers alone as long as nothing else of a record is asked for.
const BY_TIME: Place = Place {
    tables: "record AS r INDEXED BY record_event_time",
    within: "r.domain = ?1",
    time: "r.event_time",
    id: "r.id",
};

/// The records of one entity, in time order.
const BY_KEY: Place = Place {
    tables: "entity CROSS JOIN record_key AS past ON past.entity_id = entity.id",
    within: "entity.domain = ?1 AND entity.name = ?7 AND entity.value = ?8",
    time: "past.event_time",
    id: "past.record_id",
};

/// The records that were stored last.
const BY_ID: Place =
    Place { tables: "record AS r NOT INDEXED", within: "r.domain = ?1", time: "r.event_time", id: "r.id" };

/// Records that are named by their ids. The stretches stand on the left, so that only the records in them are read.
const BY_NAME: Place = Place {
    tables: "json_each(?14) AS stretch CROSS JOIN record AS r NOT INDEXED
             ON r.id BETWEEN stretch.value ->> 0 AND stretch.value ->> 1",
    within: "r.domain = ?1",
    time: "r.event_time",
    id: "r.id",
};

/// The selected records up to an id, page by page.
#[derive(Debug)]
pub(crate) struct Pages<'s> {
    selection: &'s Selection,
    id_max: i64,
    /// `FROM ... WHERE ...`, with numbered values: see [`Pages::bind`].
    rows: String,
    time: &'static str,
    id: &'static str,
    /// Time and id of the record before the next one.
    position: (Micros, i64),
    ended: bool,
}

impl<'s> Pages<'s> {
    /// Begins before the first of the selected records with an id of at most `id_max`.
    pub(crate) async fn new(
        connection: &mut SqliteConnection,
        selection: &'s Selection,
        id_max: i64,
    ) -> Result<Pages<'s>, SelectionErrorKind> {
        let condition = Condition::of(connection, selection).await?;
        let after = selection.after();
        let place = match &selection.key {
            Some(_) => BY_KEY,
            None if selection.records.is_some() => BY_NAME,
            None if after > 0 && id_max.saturating_sub(after) <= NEW_IDS_MAX => BY_ID,
            None => BY_TIME,
        };
        Ok(Self {
            selection,
            id_max,
            rows: rows(&place, selection, condition.as_ref()),
            time: place.time,
            id: place.id,
            position: (selection.from.unwrap_or(Micros::MIN), i64::MIN),
            ended: false,
        })
    }

    /// The next selected records, at most `limit` but at least one; `None` after the last one. Fewer than `limit` are
    /// the last ones.
    pub(crate) async fn next(
        &mut self,
        connection: &mut SqliteConnection,
        limit: usize,
    ) -> Result<Option<Page>, SelectionErrorKind> {
        if self.ended {
            return Ok(None);
        }
        let limit = limit.max(1);
        let row = self.fetch_one(connection, self.page_sql(), limit).await?;
        let page = page(&row).while_reading(|| self.selection.what())?;
        match &page {
            Some(page) => {
                self.position = page.last;
                self.ended = page.ids.len() < limit;
            }
            None => self.ended = true,
        }
        Ok(page)
    }

    /// How many records come after those that were given.
    pub(super) async fn count(&self, connection: &mut SqliteConnection) -> Result<u64, SelectionErrorKind> {
        let row = self.fetch_one(connection, format!("SELECT count(*) {}", self.rows), 0).await?;
        Ok(row.try_get(0).while_reading(|| self.selection.what())?)
    }

    /// `FROM ... WHERE ...`.
    #[cfg(test)]
    pub(super) fn rows(&self) -> &str {
        &self.rows
    }

    pub(super) fn page_sql(&self) -> String {
        let Self { rows, time, id, .. } = self;
        format!(
            "SELECT group_concat(id, ' '), min(event_time), max(event_time)
             FROM (SELECT {id} AS id, {time} AS event_time {rows} ORDER BY {time}, {id} LIMIT ?6)"
        )
    }

    async fn fetch_one(
        &self,
        connection: &mut SqliteConnection,
        sql: String,
        limit: usize,
    ) -> Result<SqliteRow, SelectionErrorKind> {
        let runs = self.selection.unscored.as_ref();
        let runs = runs.map(|unscored| serde_json::Value::from(unscored.runs.as_slice()).to_string());
        let named = self.selection.records.as_ref();
        let named = named.map(|records| {
            serde_json::Value::from_iter(records.stretches().map(|(first, last)| vec![first, last]))
                .to_string()
        });
        let query = self.bind(sqlx::query(AssertSqlSafe(sql)), limit, runs.as_deref(), named.as_deref());
        match self.selection.condition {
            None => Ok(query.fetch_one(connection).await.while_reading(|| self.selection.what())?),
            Some(_) => fetch_one_within(connection, SELECT_TIME_MAX, query)
                .await
                .map_err(|error| failure(error, self.selection)),
        }
    }

    /// Binds ?1 to ?14. A value that a selection does not have is null, and is in none of its statements.
    fn bind<'q>(
        &'q self,
        query: Binding<'q>,
        limit: usize,
        runs: Option<&'q str>,
        named: Option<&'q str>,
    ) -> Binding<'q> {
        let Selection { domain, to, key, label, source, .. } = self.selection;
        let (name, value) = key.as_ref().map(|(name, value)| (name, value)).unzip();
        let query = query
            .bind(domain)
            .bind(self.position.0)
            .bind(self.position.1)
            .bind(to.map_or(Micros::MAX, |to| to.saturating_sub(1)))
            .bind(self.id_max)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(name)
            .bind(value)
            .bind(label.as_ref().map(|label| &label.name));
        let query = match label.as_ref().and_then(|label| label.value.as_ref()) {
            Some(value) => value.bind(query),
            None => query.bind(None::<i64>),
        };
        query.bind(*source).bind(runs).bind(self.selection.after()).bind(named)
    }
}

/// Everything from `FROM` on but the order.
fn rows(place: &Place, selection: &Selection, condition: Option<&Condition>) -> String {
    let Place { tables, within, time, id } = place;
    let mut sql =
        format!("FROM {tables} WHERE {within} AND ({time}, {id}) > (?2, ?3) AND {time} <= ?4 AND {id} <= ?5");
    let mut and = |criterion: String| {
        sql.push_str(" AND ");
        sql.push_str(&criterion);
    };
    if selection.unscored.is_some() || selection.after.is_some() {
        and(format!("{id} > ?13"));
    }
    if selection.records.is_some() && selection.key.is_some() {
        and(format!(
            "EXISTS (SELECT 1 FROM json_each(?14) AS stretch
                     WHERE {id} BETWEEN stretch.value ->> 0 AND stretch.value ->> 1)"
        ));
    }
    if selection.source.is_some() {
        and(format!("(SELECT source_id FROM record WHERE record.id = {id}) = ?11"));
    }
    if let Some(label) = &selection.label {
        and(match label.value {
            None => format!("EXISTS (SELECT 1 FROM label WHERE record_id = {id} AND name = ?9)"),
            Some(_) => format!(
                "(SELECT value FROM label WHERE record_id = {id} AND name = ?9
                  ORDER BY known_at DESC, label.id DESC LIMIT 1) = ?10"
            ),
        });
    }
    if selection.unscored.as_ref().is_some_and(|unscored| !unscored.runs.is_empty()) {
        and(format!(
            "NOT EXISTS (SELECT 1 FROM prediction
                         WHERE record_id = {id} AND run_id IN (SELECT value FROM json_each(?12)))"
        ));
        and(format!(
            "NOT EXISTS (SELECT 1 FROM rejected_record
                         WHERE run_id IN (SELECT value FROM json_each(?12)) AND record_id = {id})"
        ));
    }
    // Last, since it costs most.
    if let Some(condition) = condition {
        and(condition.is_met_by(id));
    }
    sql
}

fn page(row: &SqliteRow) -> Result<Option<Page>, sqlx::Error> {
    let Some(ids) = row.try_get::<Option<&str>, _>(0)? else { return Ok(None) };
    let ids: Result<Vec<i64>, _> = ids.split(' ').map(str::parse).collect();
    let ids = ids.map_err(|error| sqlx::Error::Decode(error.into()))?;
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(None) };
    let (first, last) = ((row.try_get(1)?, *first), (row.try_get(2)?, *last));
    Ok(Some(Page { ids, first, last }))
}

/// How many records of a domain stand from `first` to `last`, both (event time, id) and both counted.
pub(crate) async fn span(
    connection: &mut SqliteConnection,
    domain: &str,
    first: (Micros, i64),
    last: (Micros, i64),
) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar(SPAN)
        .bind(domain)
        .bind(first.0)
        .bind(first.1)
        .bind(last.0)
        .bind(last.1)
        .fetch_one(connection)
        .await
}
