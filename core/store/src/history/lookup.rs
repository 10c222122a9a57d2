//! The online path: the past of a few records, asked of the database.

use arrow_schema::SchemaRef;
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;

use super::batch::Assembly;
use super::chunk::{Chunk, RawChunk};
use super::column::Limits;
use super::decode::Decoder;
use super::label::Labels;
use super::past::Past;
use super::plan::{From, Key, Plan};
use super::{HistoryBatch, HistoryError, HistoryErrorKind, HistorySpec, Watermarks};
use crate::fault::ReadContext;
use crate::open::Store;
use crate::time::Micros;

/// Bytes of payloads that are looked up at once, unless one record alone has more.
const LOOKUP_BYTES_MAX: usize = 32 << 20;

const RECORD: &str = "SELECT event_time, payload FROM record WHERE id = ?1 AND domain = ?2";

/// The events of the entity with key ?2 = ?3 in domain ?1, after event time ?4, before (event time ?5, id ?6), with ids
/// up to ?7, in one row.
macro_rules! events {
    ($payload:literal, $join:literal) => {
        concat!(
            "SELECT group_concat(record_id, ' '), group_concat(event_time, ' '), group_concat(payload, char(10))
            FROM (
                SELECT k.record_id, k.event_time, ",
            $payload,
            " AS payload
                FROM record_key AS k ",
            $join,
            " WHERE k.entity_id = (SELECT id FROM entity WHERE domain = ?1 AND name = ?2 AND value = ?3)
                    AND k.event_time > ?4 AND (k.event_time, k.record_id) < (?5, ?6) AND k.record_id <= ?7
                ORDER BY k.event_time, k.record_id
            )"
        )
    };
}

const EVENTS: &str = events!("r.payload", "CROSS JOIN record AS r ON r.id = k.record_id");
const EVENTS_WITHOUT_PAYLOAD: &str = events!("NULL", "");

/// Gives records with their past, in the order of `record_ids`, each looked up by itself.
///
/// `inputs` are the input fields; those that are not nullable are required. A record whose payload does not fit them is
/// in [`HistoryBatch::rejects`]. Without `watermarks` the history sees all that is stored.
///
/// This takes a few statements for each record, so use it for one record or a handful, and [`Walk`](super::Walk) for
/// many.
///
/// # Errors
///
/// [`HistoryErrorKind::NoRecord`] for an id that the domain does not have, [`HistoryErrorKind::Full`] if the payloads of so many
/// records or their past do not fit in one batch, and whatever is wrong with the specs, the input fields or the database.
pub async fn lookup(
    store: &Store,
    domain: &str,
    inputs: &SchemaRef,
    specs: &[HistorySpec],
    record_ids: &[i64],
    watermarks: Option<Watermarks>,
) -> Result<HistoryBatch, HistoryError> {
    let all = Watermarks { record: i64::MAX, label: i64::MAX };
    let lookup = async {
        let plan = Plan::new(inputs, specs)?;
        let decoder = Decoder::new(plan.payload.clone())?;
        let connection = store.readers().acquire().await.while_reading(|| "records".to_owned())?;
        let watermarks = watermarks.unwrap_or(all);
        Lookup { connection, domain, plan: &plan, decoder, watermarks }.batch(record_ids).await
    };
    lookup.await.map_err(|kind: HistoryErrorKind| kind.of(domain))
}

struct Lookup<'p> {
    connection: PoolConnection<Sqlite>,
    domain: &'p str,
    plan: &'p Plan,
    decoder: Decoder,
    watermarks: Watermarks,
}

impl Lookup<'_> {
    async fn batch(mut self, ids: &[i64]) -> Result<HistoryBatch, HistoryErrorKind> {
        let plan = self.plan;
        let chunk = self.records(ids).await?;
        let mut batch = Assembly::new(plan, &chunk, Limits::default(), &vec![0; plan.lists.len()]);
        for row in 0..ids.len() {
            let mut pasts = Vec::with_capacity(plan.keys.len());
            for key in &plan.keys {
                pasts.push(match chunk.key(key, row) {
                    Some(value) => Some(self.past(key, value, chunk.times[row], ids[row]).await?),
                    None => None,
                });
            }
            if !batch.add(row, |key| pasts[key].as_ref()) {
                return Err(HistoryErrorKind::Full { records: ids.len() });
            }
        }
        Ok(batch.finish())
    }

    /// The records themselves, whose labels do not matter.
    async fn records(&mut self, ids: &[i64]) -> Result<Chunk, HistoryErrorKind> {
        let mut times = Vec::with_capacity(ids.len());
        let mut payloads = String::new();
        for (place, &id) in ids.iter().enumerate() {
            let record: Option<(Micros, String)> = sqlx::query_as(RECORD)
                .bind(id)
                .bind(self.domain)
                .fetch_optional(&mut *self.connection)
                .await
                .while_reading(|| format!("record {id}"))?;
            let (time, payload) = record.ok_or(HistoryErrorKind::NoRecord(id))?;
            if place > 0 {
                if payloads.len() + payload.len() > LOOKUP_BYTES_MAX {
                    return Err(HistoryErrorKind::Full { records: ids.len() });
                }
                payloads.push('\n');
            }
            times.push(time);
            payloads.push_str(&payload);
        }
        let decoded = self.decoder.decode(&payloads, ids)?;
        Ok(Chunk { ids: ids.to_vec(), times, decoded, labels: Vec::new() })
    }

    /// The past of the entity with this value of a key, as the record `id` at `time` sees it.
    async fn past(
        &mut self,
        key: &Key,
        value: &str,
        time: Micros,
        id: i64,
    ) -> Result<Past, HistoryErrorKind> {
        let mut past = Past::new(key);
        if let Some(events) = self.events(key, value, time, id).await? {
            let feeds = events.feeds(key);
            for (row, time) in events.times.iter().enumerate() {
                past.push(key, &feeds, row, *time);
            }
        }
        past.advance(key, time);
        Ok(past)
    }

    /// The events in the longest window and after the shortest delay of a key.
    async fn events(
        &mut self,
        key: &Key,
        value: &str,
        time: Micros,
        id: i64,
    ) -> Result<Option<Chunk>, HistoryErrorKind> {
        // Without a delay, events at the same time count if they stand before the record.
        let delay = key.delay_min();
        let before = (time.saturating_sub(delay), if delay == 0 { id } else { i64::MAX });
        let row = sqlx::query(if key.reads_payload() { EVENTS } else { EVENTS_WITHOUT_PAYLOAD })
            .bind(self.domain)
            .bind(&key.name)
            .bind(value)
            .bind(time.saturating_sub(key.length_max()))
            .bind(before.0)
            .bind(before.1)
            .bind(self.watermarks.record)
            .fetch_one(&mut *self.connection)
            .await
            .while_reading(|| format!("the past of record {id}"))?;
        let Some(mut events) = RawChunk::from_row(&row)? else { return Ok(None) };
        for (index, name) in self.plan.labels.iter().enumerate() {
            events.labels.push(match key.fields.iter().any(|field| field.from == From::Label(index)) {
                true => Labels::read(&mut self.connection, name, &events.ids, self.watermarks.label).await?,
                false => Labels::none(events.ids.len()),
            });
        }
        Ok(Some(match key.reads_payload() {
            true => events.decode(&mut self.decoder)?,
            false => events.without_payload(),
        }))
    }
}
