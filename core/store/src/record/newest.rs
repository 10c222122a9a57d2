//! The newest record of each value of a key: what holds, where records replace each other.

use sqlx::{FromRow, Sqlite, Transaction};

use crate::fault::{ReadContext, ReadError};
use crate::open::Store;
use crate::time::Micros;

/// Records that are in memory together: payloads may be long.
const PAGE_RECORDS: usize = 1_024;

/// The newest record of one value of a key.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct NewestRecord {
    /// The value of the key.
    pub value: String,
    /// The record.
    pub record_id: i64,
    /// When it happened.
    pub event_time: Micros,
    /// A JSON object on one line.
    pub payload: String,
}

/// The newest record of each value of a key, by value, all as of one moment. The newest is the last by (event time, id).
#[derive(Debug)]
pub struct Newest {
    domain: String,
    key: String,
    snapshot: Transaction<'static, Sqlite>,
    /// Whether all were given.
    ended: bool,
    /// The last value that was given.
    last: Option<String>,
}

/// The newest records of the next values of key ?2 in domain ?1, from ?3 on, without that one unless ?4.
const PAGE: &str = "
    SELECT value, record.id AS record_id, record.event_time, record.payload
    FROM (
        SELECT value, (SELECT record_id FROM record_key WHERE entity_id = entity.id
                       ORDER BY event_time DESC, record_id DESC LIMIT 1) AS newest
        FROM entity WHERE domain = ?1 AND name = ?2 AND value >= ?3 AND (value > ?3 OR ?4) ORDER BY value LIMIT ?5
    ) CROSS JOIN record ON record.id = newest
    ORDER BY value";

impl Store {
    /// Reads the newest record of each value of a key, such as the present description of each item.
    ///
    /// ```
    /// # use foretell_store::open::Store;
    /// # use foretell_store::record::{Appender, NewRecord, SourceInfo, SourceKind};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let store = Store::create_or_open(directory.path().join("shop.db")).await?;
    /// # let source = SourceInfo { kind: SourceKind::Live, name: "docs".into(), hash: None, mapping: None };
    /// # let mut appender = Appender::begin(&store, "goods", vec!["item".into()], source).await?;
    /// # let price = |event_time, price: &str| NewRecord {
    /// #     external_id: None, event_time, payload: format!(r#"{{"item":"tea","price":{price}}}"#),
    /// #     keys: vec![Some("tea".into())], labels: vec![],
    /// #     media: vec![],
    /// # };
    /// // Tea has become dearer.
    /// appender.append(vec![price(0, "2.5"), price(1, "3")]).await?;
    /// let mut newest = store.newest("goods", "item").await?;
    /// while let Some(page) = newest.next().await? {
    ///     assert_eq!(page[0].payload, r#"{"item":"tea","price":3}"#);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn newest(&self, domain: &str, key: &str) -> Result<Newest, ReadError> {
        let snapshot = self.readers().begin().await.while_reading(|| what(domain))?;
        let (domain, key) = (domain.to_owned(), key.to_owned());
        Ok(Newest { domain, key, snapshot, ended: false, last: None })
    }
}

impl Newest {
    /// The next of them, about a thousand at most; `None` after the last ones.
    pub async fn next(&mut self) -> Result<Option<Vec<NewestRecord>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let page: Vec<NewestRecord> = sqlx::query_as(PAGE)
            .bind(&self.domain)
            .bind(&self.key)
            .bind(self.last.as_deref().unwrap_or_default())
            .bind(self.last.is_none())
            .bind(PAGE_RECORDS as i64)
            .fetch_all(&mut *self.snapshot)
            .await
            .while_reading(|| what(&self.domain))?;
        self.ended = page.len() < PAGE_RECORDS;
        self.last = page.last().map(|record| record.value.clone());
        Ok((!page.is_empty()).then_some(page))
    }
}

fn what(domain: &str) -> String {
    format!("the newest records of domain `{domain}`")
}
