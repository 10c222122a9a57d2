//! Reading records back.

use serde::Serialize;
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, FromRow, Sqlite};

use crate::fault::{ReadContext, ReadError};
use crate::members::Members;
use crate::open::Store;
use crate::prediction::numbers;
use crate::time::Micros;

/// A record, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Record {
    /// Its id. Ids grow in the order of storing, which need not be the order of event times.
    pub id: i64,
    /// The field of work that it belongs to.
    pub domain: String,
    /// The name that the user's own system gives it.
    pub external_id: Option<String>,
    /// When it happened.
    pub event_time: Micros,
    /// A JSON object on one line.
    pub payload: String,
    /// Where it came from.
    pub source_id: i64,
    /// When it was stored.
    pub received_at: Micros,
}

/// Which records to read.
///
/// ```
/// use foretell_store::record::RecordFilter;
///
/// let filter = RecordFilter { from: Some(0), newest_first: true, ..RecordFilter::domain("shop") };
/// assert_eq!(filter.domain, "shop");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// The domain. Every record belongs to one.
    pub domain: String,
    /// Only records with this event time or a later one.
    pub from: Option<Micros>,
    /// Only records with an event time before this one.
    pub to: Option<Micros>,
    /// Only records that have this value of this key: `("customer", "596")`.
    pub key: Option<(String, String)>,
    /// Latest event time first, instead of earliest first.
    pub newest_first: bool,
}

impl RecordFilter {
    /// All records of a domain, earliest first.
    pub fn domain(domain: impl Into<String>) -> Self {
        Self { domain: domain.into(), ..Self::default() }
    }

    /// The tables and the condition, without what is selected from them.
    fn rows(&self) -> &'static str {
        match self.key {
            None => "FROM record WHERE domain = ?1 AND event_time >= ?2 AND event_time <= ?3",
            Some(_) => {
                "FROM entity JOIN record_key AS past ON past.entity_id = entity.id JOIN record ON record.id = past.record_id
                 WHERE entity.domain = ?1 AND past.event_time >= ?2 AND past.event_time <= ?3
                 AND entity.name = ?4 AND entity.value = ?5"
            }
        }
    }

    fn order(&self) -> &'static str {
        match (&self.key, self.newest_first) {
            (None, false) => "event_time, id",
            (None, true) => "event_time DESC, id DESC",
            (Some(_), false) => "past.event_time, past.record_id",
            (Some(_), true) => "past.event_time DESC, past.record_id DESC",
        }
    }

    fn bind<'q, T>(
        &'q self,
        query: QueryAs<'q, Sqlite, T, SqliteArguments>,
    ) -> QueryAs<'q, Sqlite, T, SqliteArguments> {
        let last = self.to.map_or(Micros::MAX, |to| to.saturating_sub(1));
        let query = query.bind(&self.domain).bind(self.from.unwrap_or(Micros::MIN)).bind(last);
        match &self.key {
            None => query,
            Some((name, value)) => query.bind(name).bind(value),
        }
    }
}

impl Store {
    /// The record with this id, if there is one.
    pub async fn record(&self, id: i64) -> Result<Option<Record>, ReadError> {
        sqlx::query_as("SELECT * FROM record WHERE id = ?")
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .while_reading(|| format!("record {id}"))
    }

    /// The record that the user's own system calls `external_id`, if there is one.
    pub async fn record_by_external_id(
        &self,
        domain: &str,
        external_id: &str,
    ) -> Result<Option<Record>, ReadError> {
        sqlx::query_as("SELECT * FROM record WHERE domain = ? AND external_id = ?")
            .bind(domain)
            .bind(external_id)
            .fetch_optional(self.readers())
            .await
            .while_reading(|| format!("a record of domain `{domain}`"))
    }

    /// Those of these records that there are, by their ids. They are held in memory.
    pub async fn records_among(&self, members: &Members) -> Result<Vec<Record>, ReadError> {
        let stretches: Vec<(i64, i64)> = members.stretches().collect();
        sqlx::query_as(
            "SELECT record.* FROM json_each(?) AS stretch
             CROSS JOIN record NOT INDEXED ON record.id BETWEEN stretch.value ->> 0 AND stretch.value ->> 1
             ORDER BY record.id",
        )
        .bind(serde_json::to_string(&stretches).expect("numbers are JSON"))
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("{} records", members.len()))
    }

    /// Those of the records with one of these names that there are, in no order.
    pub async fn records_by_external_ids<'n>(
        &self,
        domain: &str,
        external_ids: impl IntoIterator<Item = &'n str>,
    ) -> Result<Vec<Record>, ReadError> {
        sqlx::query_as(
            "SELECT * FROM record WHERE domain = ? AND external_id IN (SELECT value FROM json_each(?))",
        )
        .bind(domain)
        .bind(serde_json::Value::from_iter(external_ids).to_string())
        .fetch_all(self.readers())
        .await
        .while_reading(|| format!("records of domain `{domain}`"))
    }

    /// Records by event time, then id; at most `limit` of them.
    ///
    /// They are held in memory, so this is for lists that a person looks at, not for a whole database.
    pub async fn records(&self, filter: &RecordFilter, limit: u32) -> Result<Vec<Record>, ReadError> {
        let (rows, order) = (filter.rows(), filter.order());
        let sql = format!("SELECT record.* {rows} ORDER BY {order} LIMIT {limit}");
        filter
            .bind(sqlx::query_as(AssertSqlSafe(sql)))
            .fetch_all(self.readers())
            .await
            .while_reading(|| format!("the records of domain `{}`", filter.domain))
    }

    /// How many records there are.
    pub async fn count(&self, filter: &RecordFilter) -> Result<u64, ReadError> {
        let sql = format!("SELECT count(*) {}", filter.rows());
        let (count,): (u64,) = filter
            .bind(sqlx::query_as(AssertSqlSafe(sql)))
            .fetch_one(self.readers())
            .await
            .while_reading(|| format!("the number of records of domain `{}`", filter.domain))?;
        Ok(count)
    }

    /// The ids of some records, in the order of (event time, id).
    pub async fn ids_by_time(&self, members: &Members) -> Result<Vec<i64>, ReadError> {
        let read = async {
            let list: Option<String> = sqlx::query_scalar(
                "SELECT group_concat(id, ' ') FROM (
                     SELECT record.id FROM json_each(?) CROSS JOIN record ON record.id = value ORDER BY event_time, record.id
                 )",
            )
            .bind(serde_json::Value::from_iter(members.iter()).to_string())
            .fetch_one(self.readers())
            .await?;
            let mut ids = Vec::new();
            list.map_or(Ok(()), |list| numbers(&list, &mut ids))?;
            Ok(ids)
        };
        read.await.while_reading(|| "the order of records".to_owned())
    }
}
