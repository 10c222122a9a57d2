//! Writing records, in batches, each on the disk when it is acknowledged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use super::reject::{RejectOrigin, insert_rejects};
use super::source::{finish_source, insert_source};
use super::{NewMedium, NewRecord, Outcome, PAYLOAD_BYTES_MAX, Reject, SourceInfo};
use crate::blob::BLOB_BYTES_MAX;
use crate::fault::Fault;
use crate::open::{Durability, Store, begin};
use crate::rows::{Insert, chunks};
use crate::time::{Micros, TIME_MAX, TIME_MIN, format_time, now};

/// A good number of records for one call of [`Appender::append`] when there are many.
///
/// Each batch touches the index pages of nearly every customer, so the larger the batch, the fewer times they are
/// written.
pub const BATCH_RECORDS: usize = 100_000;

/// Entities whose ids are remembered, per key.
const ENTITIES_REMEMBERED_MAX: usize = 1 << 18;

const INSERT_RECORD: Insert = Insert {
    into: "INSERT INTO record (domain, source_id, received_at, id, external_id, event_time, payload)",
    row: "(@1, @2, @3, ?, ?, ?, ?)",
    then: "ON CONFLICT (domain, external_id) WHERE external_id IS NOT NULL DO NOTHING",
};
const INSERT_LABEL: Insert = Insert {
    into: "INSERT INTO label (source, recorded_at, record_id, name, value, known_at)",
    row: "(@1, @2, ?, ?, ?, ?)",
    then: "",
};
const INSERT_KEY: Insert =
    Insert { into: "INSERT INTO record_key (entity_id, event_time, record_id)", row: "(?, ?, ?)", then: "" };

const INSERT_BLOB: Insert = Insert {
    into: "INSERT INTO blob (hash, media_type, bytes, data)",
    row: "(?, ?, ?, ?)",
    then: "ON CONFLICT (hash) DO NOTHING",
};
const INSERT_RECORD_BLOB: Insert =
    Insert { into: "INSERT INTO record_blob (record_id, field, hash)", row: "(?, ?, ?)", then: "" };

/// Records that could not be appended. None of the batch was stored.
#[derive(Debug, thiserror::Error)]
#[error("cannot append records to domain `{domain}`")]
pub struct AppendError {
    /// The domain of the records.
    pub domain: String,
    /// Why.
    #[source]
    pub kind: AppendErrorKind,
}

/// Why records could not be appended. `index` counts the records of the batch from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendErrorKind {
    /// Two keys have the same name.
    #[error("key `{0}` is named twice")]
    KeyRepeated(String),
    /// A record does not say what its keys are.
    #[error("record {index} of the batch has {found} key values, and the appender has {expected} keys")]
    KeyCount {
        /// Which record.
        index: usize,
        /// Keys of the appender.
        expected: usize,
        /// Values of the record.
        found: usize,
    },
    /// The time is outside the years 1 to 9999, often a number in another unit than microseconds.
    #[error("record {index} of the batch has event time {}, which is outside the years 1 to 9999", format_time(*time))]
    Time {
        /// Which record.
        index: usize,
        /// Its time.
        time: Micros,
    },
    /// The payload is not one JSON object on one line, within the limit.
    #[error("record {index} of the batch has a payload that is not a JSON object on one line: {reason}")]
    Payload {
        /// Which record.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An external id or a key contains a NUL, at which SQL functions would cut it off.
    #[error("record {index} of the batch has a NUL character in its {field}")]
    Nul {
        /// Which record.
        index: usize,
        /// `external id`, or the name of the key.
        field: String,
    },
    /// A medium is larger than [`BLOB_BYTES_MAX`].
    #[error(
        "record {index} of the batch has {bytes} bytes in field `{field}`, and at most {BLOB_BYTES_MAX} are kept"
    )]
    Medium {
        /// Which record.
        index: usize,
        /// The field of the payload that names it.
        field: String,
        /// Its size.
        bytes: usize,
    },
    /// A label is NaN or infinite.
    #[error("record {index} of the batch has label `{name}` with a value that is not a finite number")]
    LabelNotFinite {
        /// Which record.
        index: usize,
        /// The name of the label.
        name: String,
    },
    /// The database could not be written.
    #[error(transparent)]
    Store(#[from] Fault),
}

impl AppendErrorKind {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            Self::Time { .. } => Some("check the unit: times are microseconds since 1970-01-01 UTC"),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for AppendErrorKind {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Writes the records of one source.
///
/// **Invariant:** entities are never deleted, so an id that was once looked up stays true.
#[derive(Debug)]
pub struct Appender {
    store: Store,
    domain: String,
    source_id: i64,
    label_source: &'static str,
    keys: Vec<Key>,
}

/// One key, and the ids of its values as far as they are remembered.
#[derive(Debug)]
struct Key {
    name: String,
    entities: HashMap<String, i64>,
}

impl Appender {
    /// Opens a source in `domain`. `keys` names the payload fields that group records, in the order in which
    /// [`NewRecord::keys`] gives their values.
    pub async fn begin(
        store: &Store,
        domain: &str,
        keys: Vec<String>,
        source: SourceInfo,
    ) -> Result<Self, AppendError> {
        let fail = |kind| AppendError { domain: domain.to_owned(), kind };
        let mut seen = HashSet::new();
        if let Some(name) = keys.iter().find(|name| !seen.insert(*name)) {
            return Err(fail(AppendErrorKind::KeyRepeated(name.clone())));
        }
        let label_source = source.kind.label_source();
        let source_id = insert_source(store, domain, &source).await.map_err(|error| fail(error.into()))?;
        let keys = keys.into_iter().map(|name| Key { name, entities: HashMap::new() }).collect();
        Ok(Self { store: store.clone(), domain: domain.to_owned(), source_id, label_source, keys })
    }

    /// The id of the source, as records and rejects carry it.
    pub fn source_id(&self) -> i64 {
        self.source_id
    }

    /// Stores a batch, whole or not at all; one outcome per record, in the same order.
    ///
    /// When it returns, the batch is on the disk. Cancelling it (dropping the future) stores nothing, unless it was
    /// already being acknowledged; appending the same batch again is safe where records have external ids.
    pub async fn append(&mut self, records: Vec<NewRecord>) -> Result<Vec<Outcome>, AppendError> {
        self.append_with_rejects(records, Vec::new()).await
    }

    /// Keeps inputs that were refused, each with its reason.
    pub async fn reject(&mut self, rejects: Vec<Reject>) -> Result<(), AppendError> {
        self.append_with_rejects(Vec::new(), rejects).await.map(|_| ())
    }

    /// [`append`](Self::append) and [`reject`](Self::reject) in one transaction.
    pub async fn append_with_rejects(
        &mut self,
        records: Vec<NewRecord>,
        rejects: Vec<Reject>,
    ) -> Result<Vec<Outcome>, AppendError> {
        self.write(&records, &rejects).await.map_err(|kind| AppendError { domain: self.domain.clone(), kind })
    }

    /// Marks the source as complete. One that was never finished is seen as stopped half way.
    pub async fn finish(self) -> Result<(), AppendError> {
        finish_source(&self.store, self.source_id)
            .await
            .map_err(|error| AppendError { domain: self.domain.clone(), kind: error.into() })
    }

    async fn write(
        &mut self,
        records: &[NewRecord],
        rejects: &[Reject],
    ) -> Result<Vec<Outcome>, AppendErrorKind> {
        for (index, record) in records.iter().enumerate() {
            check(index, record, &self.keys)?;
        }
        let store = self.store.clone();
        let mut writer = store.writer().await;
        let mut transaction = begin(&mut writer, Durability::Full).await?;
        let outcomes = self.insert_records(&mut transaction, records).await?;
        let stored = || {
            records.iter().zip(&outcomes).filter_map(|(record, outcome)| match outcome {
                Outcome::Stored(id) => Some((record, *id)),
                Outcome::AlreadyStored(_) | Outcome::Conflict(_) => None,
            })
        };
        self.insert_labels(&mut transaction, stored()).await?;
        insert_media(&mut transaction, stored()).await?;
        let learned = self.insert_keys(&mut transaction, stored()).await?;
        insert_rejects(&mut transaction, RejectOrigin::Source(self.source_id), rejects).await?;
        transaction.commit().await?;
        // Not before: had the transaction failed, these ids would belong to nobody.
        for (key, learned) in self.keys.iter_mut().zip(learned) {
            key.remember(learned);
        }
        Ok(outcomes)
    }

    async fn insert_records(
        &self,
        connection: &mut SqliteConnection,
        records: &[NewRecord],
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        let first: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) + 1 FROM record")
            .fetch_one(&mut *connection)
            .await?;
        let rows: Vec<(i64, &NewRecord)> = (first..).zip(records).collect();
        let received_at = now();
        let mut outcomes = Vec::with_capacity(rows.len());
        for chunk in chunks(&rows) {
            let added = INSERT_RECORD
                .write_chunk(
                    connection,
                    chunk,
                    |query, (id, record)| {
                        query
                            .bind(id)
                            .bind(record.external_id.as_deref())
                            .bind(record.event_time)
                            .bind(record.payload.as_str())
                    },
                    |query| query.bind(&self.domain).bind(self.source_id).bind(received_at),
                )
                .await?;
            if added == chunk.len() as u64 {
                outcomes.extend(chunk.iter().map(|(id, _)| Outcome::Stored(*id)));
            } else {
                outcomes.extend(compare_with_stored(connection, &self.domain, chunk).await?);
            }
        }
        Ok(outcomes)
    }

    async fn insert_labels<'r>(
        &self,
        connection: &mut SqliteConnection,
        stored: impl Iterator<Item = (&'r NewRecord, i64)>,
    ) -> Result<(), sqlx::Error> {
        let labels: Vec<_> =
            stored.flat_map(|(record, id)| record.labels.iter().map(move |label| (id, label))).collect();
        let recorded_at = now();
        INSERT_LABEL
            .write(
                connection,
                &labels,
                |query, (id, label)| {
                    label.value.bind(query.bind(id).bind(label.name.as_str())).bind(label.known_at)
                },
                |query| query.bind(self.label_source).bind(recorded_at),
            )
            .await?;
        Ok(())
    }
}

/// Stores the media of the records, each content once.
async fn insert_media<'r>(
    connection: &mut SqliteConnection,
    stored: impl Iterator<Item = (&'r NewRecord, i64)>,
) -> Result<(), sqlx::Error> {
    let mut media: Vec<(i64, String, &NewMedium)> = Vec::new();
    for (record, id) in stored {
        for medium in &record.media {
            // Frames of one file share its content, and follow each other.
            let hash = match media.last() {
                Some((_, hash, last)) if Arc::ptr_eq(&last.data, &medium.data) => hash.clone(),
                _ => medium.hash(),
            };
            media.push((id, hash, medium));
        }
    }
    let mut written = HashSet::new();
    // One statement with many contents would hold them all in memory a second time.
    for one in media.chunks(1) {
        if !written.insert(one[0].1.as_str()) {
            continue;
        }
        INSERT_BLOB
            .write(
                connection,
                one,
                |query, (_, hash, medium)| {
                    let (media_type, data) = (medium.media_type.as_str(), medium.data.as_ref());
                    query.bind(hash.as_str()).bind(media_type).bind(data.len() as i64).bind(data)
                },
                |query| query,
            )
            .await?;
    }
    INSERT_RECORD_BLOB
        .write(
            connection,
            &media,
            |query, (id, hash, medium)| query.bind(id).bind(medium.field.as_str()).bind(hash.as_str()),
            |query| query,
        )
        .await?;
    Ok(())
}

/// Looks up the records of `chunk` that were not added because their external id was there before.
async fn compare_with_stored(
    connection: &mut SqliteConnection,
    domain: &str,
    chunk: &[(i64, &NewRecord)],
) -> Result<Vec<Outcome>, sqlx::Error> {
    let external_ids = json_array(chunk.iter().filter_map(|(_, record)| record.external_id.as_deref()));
    let rows = sqlx::query(
        "SELECT external_id, id, event_time, payload FROM record
         WHERE domain = ? AND external_id IN (SELECT value FROM json_each(?))",
    )
    .bind(domain)
    .bind(external_ids)
    .fetch_all(connection)
    .await?;
    let mut holders = HashMap::with_capacity(rows.len());
    for row in &rows {
        let holder: (i64, Micros, &str) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        holders.insert(row.try_get::<&str, _>(0)?, holder);
    }
    Ok(chunk
        .iter()
        .map(|(id, record)| match record.external_id.as_deref().and_then(|name| holders.get(name)) {
            Some((holder, ..)) if holder == id => Outcome::Stored(*id),
            Some((holder, time, payload)) if *time == record.event_time && *payload == record.payload => {
                Outcome::AlreadyStored(*holder)
            }
            Some((holder, ..)) => Outcome::Conflict(*holder),
            None => Outcome::Stored(*id),
        })
        .collect())
}

impl Appender {
    /// Adds the records to the past of their entities; returns the ids of entities not known before, key by key.
    async fn insert_keys<'r>(
        &self,
        connection: &mut SqliteConnection,
        stored: impl Iterator<Item = (&'r NewRecord, i64)> + Clone,
    ) -> Result<Vec<HashMap<String, i64>>, sqlx::Error> {
        let mut learned = Vec::with_capacity(self.keys.len());
        let mut rows = Vec::new();
        for (position, key) in self.keys.iter().enumerate() {
            let members = stored
                .clone()
                .filter_map(|(record, id)| Some((record.keys[position].as_deref()?, record.event_time, id)));
            let unknown =
                members.clone().map(|(value, ..)| value).filter(|value| !key.entities.contains_key(*value));
            let new = entity_ids(connection, &self.domain, &key.name, &unknown.collect()).await?;
            for (value, time, id) in members {
                let entity =
                    key.entities.get(value).or_else(|| new.get(value)).ok_or(sqlx::Error::RowNotFound)?;
                rows.push((*entity, time, id));
            }
            learned.push(new);
        }
        // In the order of the table, so that each of its pages is visited once.
        rows.sort_unstable();
        INSERT_KEY
            .write(
                connection,
                &rows,
                |query, (entity, time, record)| query.bind(entity).bind(time).bind(record),
                |query| query,
            )
            .await?;
        Ok(learned)
    }
}

impl Key {
    fn remember(&mut self, learned: HashMap<String, i64>) {
        if self.entities.len() + learned.len() > ENTITIES_REMEMBERED_MAX {
            self.entities.clear();
        }
        self.entities.extend(learned);
    }
}

/// The ids of the entities with these values, which are created where they are new.
async fn entity_ids(
    connection: &mut SqliteConnection,
    domain: &str,
    name: &str,
    values: &HashSet<&str>,
) -> Result<HashMap<String, i64>, sqlx::Error> {
    if values.is_empty() {
        return Ok(HashMap::new());
    }
    let values = json_array(values.iter().copied());
    sqlx::query(
        "INSERT INTO entity (domain, name, value) SELECT ?, ?, value FROM json_each(?) WHERE true
         ON CONFLICT (domain, name, value) DO NOTHING",
    )
    .bind(domain)
    .bind(name)
    .bind(&values)
    .execute(&mut *connection)
    .await?;
    let ids: Vec<(String, i64)> = sqlx::query_as(
        "SELECT value, id FROM entity
         WHERE domain = ? AND name = ? AND value IN (SELECT value FROM json_each(?))",
    )
    .bind(domain)
    .bind(name)
    .bind(&values)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().collect())
}

/// One bound value that stands for any number of texts: `json_each` makes rows of it.
fn json_array<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// Refuses what SQLite would store as something else, or what readers could not take apart.
fn check(index: usize, record: &NewRecord, keys: &[Key]) -> Result<(), AppendErrorKind> {
    if record.keys.len() != keys.len() {
        return Err(AppendErrorKind::KeyCount { index, expected: keys.len(), found: record.keys.len() });
    }
    if !(TIME_MIN..=TIME_MAX).contains(&record.event_time) {
        return Err(AppendErrorKind::Time { index, time: record.event_time });
    }
    check_payload(&record.payload).map_err(|reason| AppendErrorKind::Payload { index, reason })?;
    let key_values = keys.iter().map(|key| key.name.as_str()).zip(&record.keys);
    let nul = std::iter::once(("external id", &record.external_id))
        .chain(key_values)
        .find(|(_, value)| value.as_deref().is_some_and(|value| value.contains('\0')));
    if let Some((field, _)) = nul {
        return Err(AppendErrorKind::Nul { index, field: field.to_owned() });
    }
    if let Some(medium) = record.media.iter().find(|medium| medium.data.len() > BLOB_BYTES_MAX) {
        let (field, bytes) = (medium.field.clone(), medium.data.len());
        return Err(AppendErrorKind::Medium { index, field, bytes });
    }
    match record.labels.iter().find(|label| !label.value.is_finite()) {
        Some(label) => Err(AppendErrorKind::LabelNotFinite { index, name: label.name.clone() }),
        None => Ok(()),
    }
}

fn check_payload(payload: &str) -> Result<(), String> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("it has {} bytes, and at most {PAYLOAD_BYTES_MAX} are kept", payload.len()));
    }
    if payload.contains('\n') {
        return Err("it contains a line break".to_owned());
    }
    if !payload.starts_with('{') {
        return Err("it does not begin with `{`".to_owned());
    }
    // The position says enough; the text of the payload must not end up in a message.
    serde_json::from_str::<serde::de::IgnoredAny>(payload)
        .map(|_| ())
        .map_err(|error| format!("it is not valid JSON at column {}", error.column()))
}
