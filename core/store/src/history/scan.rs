//! Reading a domain in the order of (event time, id), chunk by chunk, ahead of the one who uses the chunks.

use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteConnection};
use tokio::sync::mpsc;

use super::chunk::{Chunk, RawChunk, inconsistent};
use super::decode::Decoder;
use super::label::Labels;
use super::names::{Found, Names};
use super::plan::{Key, Plan};
use super::{HistoryErrorKind, Watermarks};
use crate::fault::ReadContext;
use crate::time::Micros;

/// Chunks that may wait to be decoded.
const RAW_CHUNKS_WAITING_MAX: usize = 1;

/// Decoded chunks that may wait for their history.
const CHUNKS_WAITING_MAX: usize = 2;

/// Bytes of payloads in one chunk to aim at: chunks of larger payloads have fewer records.
const CHUNK_BYTES: usize = 4 << 20;

/// Bytes above which a payload is not joined with others in one row, but read by itself. So how much memory a statement takes does
/// not depend on what comes after records that were small.
const JOINED_BYTES_MAX: i64 = 16 << 10;

/// Records in the first chunk, before it is known how large payloads are.
const FIRST_CHUNK_ROWS: usize = 1_024;

/// The result code of SQLite for a text that would exceed its limit.
const SQLITE_TOOBIG: &str = "18";

/// The next ?5 records of domain ?1 after (event time ?2, id ?3) and up to event time ?4, in one row. A payload of more than ?6 bytes
/// is empty there; how many of them there are is the last column.
const RECORDS: &str = "
    SELECT group_concat(id, ' '), group_concat(event_time, ' '), group_concat(payload, char(10)), sum(payload = '')
    FROM (
        SELECT id, event_time, CASE WHEN octet_length(payload) > ?6 THEN '' ELSE payload END AS payload FROM record
        WHERE domain = ?1 AND (event_time, id) > (?2, ?3) AND event_time <= ?4
        ORDER BY event_time, id
        LIMIT ?5
    )";

const PAYLOAD: &str = "SELECT payload FROM record WHERE id = ?";

/// Where [`RECORDS`] says how many payloads are large.
const LARGE_COLUMN: usize = 3;

const WATERMARKS: &str =
    "SELECT (SELECT coalesce(max(id), 0) FROM record), (SELECT coalesce(max(id), 0) FROM label)";

/// Which records to read.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) domain: String,
    /// Records are wanted from this time on; those before are read as far as they are in a window of a wanted one.
    pub(super) from: Option<Micros>,
    /// Records are wanted before this time.
    pub(super) to: Option<Micros>,
    /// Records in one chunk.
    pub(super) rows_max: usize,
}

/// A chunk, and whose records are in it.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) chunk: Chunk,
    /// For each key, the entities of the records.
    pub(super) found: Vec<Found>,
}

/// The chunks of a range, in order.
#[derive(Debug)]
pub(super) struct Scan {
    chunks: mpsc::Receiver<Message<Scanned>>,
    ended: bool,
}

impl Scan {
    /// Starts reading.
    pub(super) fn start(
        connection: PoolConnection<Sqlite>,
        plan: Arc<Plan>,
        range: Range,
        label_watermark: i64,
    ) -> Result<Self, HistoryErrorKind> {
        let decoding = Decoding {
            decoder: Decoder::new(plan.payload.clone())?,
            names: plan.keys.iter().map(|_| Names::default()).collect(),
            plan: Arc::clone(&plan),
        };
        let (raw_sender, raw_chunks) = mpsc::channel(RAW_CHUNKS_WAITING_MAX);
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
        let rows = range.rows_max.min(FIRST_CHUNK_ROWS);
        let reading = Reading { connection, plan, range, label_watermark, position: None, rows };
        tokio::spawn(reading.run(raw_sender));
        tokio::spawn(decoding.run(raw_chunks, sender));
        Ok(Self { chunks, ended: false })
    }

    /// The next chunk, or `None` after the last one.
    pub(super) async fn next(&mut self) -> Message<Scanned> {
        if self.ended {
            return Ok(None);
        }
        let message = self.chunks.recv().await.unwrap_or(Err(HistoryErrorKind::Stopped));
        self.ended = is_last(&message);
        message
    }
}

/// What the channel after a stage carries: a chunk, `None` after the last one, or what went wrong. A channel that
/// closes before that was left by a stage that panicked.
type Message<C> = Result<Option<C>, HistoryErrorKind>;

fn is_last<C>(message: &Message<C>) -> bool {
    !matches!(message, Ok(Some(_)))
}

/// The second stage.
struct Decoding {
    plan: Arc<Plan>,
    decoder: Decoder,
    /// One for each key.
    names: Vec<Names>,
}

impl Decoding {
    /// Sends decoded chunks until the last one, or until nobody wants them any more.
    async fn run(
        mut self,
        mut raw_chunks: mpsc::Receiver<Message<RawChunk>>,
        sender: mpsc::Sender<Message<Scanned>>,
    ) {
        while let Some(message) = raw_chunks.recv().await {
            let message = message.and_then(|chunk| chunk.map(|chunk| self.decode(chunk)).transpose());
            let last = is_last(&message);
            if sender.send(message).await.is_err() || last {
                return;
            }
        }
    }

    fn decode(&mut self, chunk: RawChunk) -> Result<Scanned, HistoryErrorKind> {
        let chunk = chunk.decode(&mut self.decoder)?;
        let find = |(key, names): (&Key, &mut Names)| {
            names.find(key, (0..chunk.ids.len()).map(|row| chunk.key(key, row)), &chunk.times)
        };
        let found = self.plan.keys.iter().zip(&mut self.names).map(find).collect();
        Ok(Scanned { chunk, found })
    }
}

/// The first stage.
struct Reading {
    connection: PoolConnection<Sqlite>,
    plan: Arc<Plan>,
    range: Range,
    label_watermark: i64,
    /// Time and id of the last record that was read; `None` at first.
    position: Option<(Micros, i64)>,
    /// Records to read next.
    rows: usize,
}

impl Reading {
    /// Sends chunks until the last one, or until nobody wants them any more.
    async fn run(mut self, sender: mpsc::Sender<Message<RawChunk>>) {
        loop {
            let message = self.next().await;
            let last = is_last(&message);
            if sender.send(message).await.is_err() || last {
                return;
            }
        }
    }

    async fn next(&mut self) -> Message<RawChunk> {
        let row = self.read(self.position.unwrap_or_else(|| self.start())).await?;
        let Some(mut chunk) = RawChunk::from_row(&row)? else { return Ok(None) };
        if row.try_get::<i64, _>(LARGE_COLUMN).while_reading(|| self.range.what())? > 0 {
            self.add_large(&mut chunk).await?;
        }
        for name in &self.plan.labels {
            chunk
                .labels
                .push(Labels::read(&mut self.connection, name, &chunk.ids, self.label_watermark).await?);
        }
        self.position = chunk.times.last().copied().zip(chunk.ids.last().copied());
        self.rows = rows_for(CHUNK_BYTES, &chunk).clamp(1, self.range.rows_max);
        Ok(Some(chunk))
    }

    /// Puts in the payloads that are empty because they are large, and leaves off what comes after a chunk's worth of bytes.
    async fn add_large(&mut self, chunk: &mut RawChunk) -> Result<(), HistoryErrorKind> {
        let joined = std::mem::take(&mut chunk.payloads);
        let lines: Vec<&str> = joined.split('\n').collect();
        if lines.len() != chunk.ids.len() {
            let reason = format!("expected {} payloads, found {}", chunk.ids.len(), lines.len());
            return Err(inconsistent(&chunk.ids, reason));
        }
        let mut rows = 0;
        for (line, &id) in lines.into_iter().zip(&chunk.ids) {
            if chunk.payloads.len() >= CHUNK_BYTES {
                break;
            }
            if rows > 0 {
                chunk.payloads.push('\n');
            }
            if line.is_empty() {
                let payload: String = sqlx::query_scalar(PAYLOAD)
                    .bind(id)
                    .fetch_one(&mut *self.connection)
                    .await
                    .while_reading(|| format!("record {id}"))?;
                chunk.payloads.push_str(&payload);
            } else {
                chunk.payloads.push_str(line);
            }
            rows += 1;
        }
        chunk.ids.truncate(rows);
        chunk.times.truncate(rows);
        Ok(())
    }

    /// Where to begin so that the windows are full when the first wanted record comes.
    fn start(&self) -> (Micros, i64) {
        // Events at exactly `from - length` are out of every window. Without windows, `from` itself is still in.
        let length = self.plan.length_max().max(1);
        self.range.from.map_or((Micros::MIN, i64::MIN), |from| (from.saturating_sub(length), i64::MAX))
    }

    async fn read(&mut self, (time, id): (Micros, i64)) -> Result<SqliteRow, HistoryErrorKind> {
        loop {
            let row = sqlx::query(RECORDS)
                .bind(&self.range.domain)
                .bind(time)
                .bind(id)
                .bind(self.range.last())
                .bind(self.rows as i64)
                .bind(JOINED_BYTES_MAX)
                .fetch_one(&mut *self.connection)
                .await;
            match row {
                Err(sqlx::Error::Database(error))
                    if self.rows > 1 && error.code().as_deref() == Some(SQLITE_TOOBIG) =>
                {
                    self.rows /= 2;
                }
                row => return Ok(row.while_reading(|| self.range.what())?),
            }
        }
    }
}

impl Range {
    /// The last time that is wanted.
    fn last(&self) -> Micros {
        self.to.map_or(Micros::MAX, |to| to.saturating_sub(1))
    }

    /// What is read, for an error.
    fn what(&self) -> String {
        format!("the records of domain `{}`", self.domain)
    }
}

/// The greatest ids there are.
pub(super) async fn watermarks(connection: &mut SqliteConnection) -> Result<Watermarks, HistoryErrorKind> {
    let (record, label) = sqlx::query_as(WATERMARKS)
        .fetch_one(connection)
        .await
        .while_reading(|| "the greatest ids".to_owned())?;
    Ok(Watermarks { record, label })
}

/// Records that have `bytes` of payloads if they are like those of `chunk`, but at most twice as many as those.
fn rows_for(bytes: usize, chunk: &RawChunk) -> usize {
    let rows = chunk.ids.len();
    (rows * bytes / chunk.payloads.len().max(1)).min(2 * rows)
}
