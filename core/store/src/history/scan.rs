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

/// Records in the first chunk, before it is known how large payloads are.
const FIRST_CHUNK_ROWS: usize = 1_024;

/// The result code of SQLite for a text that would exceed its limit.
const SQLITE_TOOBIG: &str = "18";

/// A record that none of the runs in ?2 (a JSON array) has predicted or rejected.
macro_rules! unscored {
    () => {
        "NOT EXISTS (
            SELECT 1 FROM prediction AS p
            WHERE p.record_id = r.id AND p.run_id IN (SELECT value FROM json_each(?2))
        ) AND r.id NOT IN (
            SELECT j.record_id FROM rejected_record AS j
            WHERE j.run_id IN (SELECT value FROM json_each(?2)) AND j.record_id IS NOT NULL
        )"
    };
}

/// The next ?6 records of domain ?1 after (event time ?3, id ?4) and up to event time ?5, in one row.
macro_rules! records {
    ($wanted:expr) => {
        concat!(
            "SELECT group_concat(id, ' '), group_concat(event_time, ' '), group_concat(payload, char(10)),
                group_concat(wanted, '')
            FROM (
                SELECT r.id, r.event_time, r.payload, ",
            $wanted,
            " AS wanted
                FROM record AS r
                WHERE r.domain = ?1 AND (r.event_time, r.id) > (?3, ?4) AND r.event_time <= ?5
                ORDER BY r.event_time, r.id
                LIMIT ?6
            )"
        )
    };
}

const RECORDS: &str = records!("NULL");
const RECORDS_AND_UNSCORED: &str = records!(unscored!());

const FIRST_UNSCORED: &str = concat!(
    "SELECT r.event_time FROM record AS r
    WHERE r.domain = ?1 AND r.event_time BETWEEN ?3 AND ?4 AND ",
    unscored!(),
    " ORDER BY r.event_time, r.id LIMIT 1"
);

const WATERMARKS: &str =
    "SELECT (SELECT coalesce(max(id), 0) FROM record), (SELECT coalesce(max(id), 0) FROM label)";

/// Which records to read.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) domain: String,
    /// Records are wanted from this time on.
    pub(super) from: Option<Micros>,
    /// Records are wanted before this time.
    pub(super) to: Option<Micros>,
    /// If set, only records that none of these runs has predicted or rejected are wanted.
    pub(super) unscored_by: Option<Vec<i64>>,
    /// Records in one chunk.
    pub(super) rows_max: usize,
}

/// A chunk, and which of its records are wanted. The others are there for the past of these.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) chunk: Chunk,
    pub(super) wanted: Vec<bool>,
    /// For each key, the entities of the records.
    pub(super) found: Vec<Found>,
}

/// What the first stage gives to the second.
struct Read {
    chunk: RawChunk,
    wanted: Vec<bool>,
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
        mut raw_chunks: mpsc::Receiver<Message<Read>>,
        sender: mpsc::Sender<Message<Scanned>>,
    ) {
        while let Some(message) = raw_chunks.recv().await {
            let message = message.and_then(|read| read.map(|read| self.decode(read)).transpose());
            let last = is_last(&message);
            if sender.send(message).await.is_err() || last {
                return;
            }
        }
    }

    fn decode(&mut self, read: Read) -> Result<Scanned, HistoryErrorKind> {
        let chunk = read.chunk.decode(&mut self.decoder)?;
        let find = |(key, names): (&Key, &mut Names)| {
            names.find(key, (0..chunk.ids.len()).map(|row| chunk.key(key, row)), &chunk.times)
        };
        let found = self.plan.keys.iter().zip(&mut self.names).map(find).collect();
        Ok(Scanned { chunk, wanted: read.wanted, found })
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
    async fn run(mut self, sender: mpsc::Sender<Message<Read>>) {
        loop {
            let message = self.next().await;
            let last = is_last(&message);
            if sender.send(message).await.is_err() || last {
                return;
            }
        }
    }

    async fn next(&mut self) -> Message<Read> {
        let start = match self.position {
            None => self.start().await?,
            position => position,
        };
        let Some(start) = start else { return Ok(None) };
        let row = self.read(start).await?;
        let Some(mut chunk) = RawChunk::from_row(&row)? else { return Ok(None) };
        for name in &self.plan.labels {
            chunk
                .labels
                .push(Labels::read(&mut self.connection, name, &chunk.ids, self.label_watermark).await?);
        }
        self.position = chunk.times.last().copied().zip(chunk.ids.last().copied());
        self.rows = rows_for(CHUNK_BYTES, &chunk).clamp(1, self.range.rows_max);
        let wanted = self.wanted(&row, &chunk)?;
        Ok(Some(Read { chunk, wanted }))
    }

    /// Where to begin so that the windows are full when the first wanted record comes; `None` if none is wanted.
    async fn start(&mut self) -> Result<Option<(Micros, i64)>, HistoryErrorKind> {
        let first = match &self.range.unscored_by {
            None => self.range.from,
            Some(runs) => {
                let first: Option<Micros> = sqlx::query_scalar(FIRST_UNSCORED)
                    .bind(&self.range.domain)
                    .bind(runs_json(runs))
                    .bind(self.range.from.unwrap_or(Micros::MIN))
                    .bind(self.range.last())
                    .fetch_optional(&mut *self.connection)
                    .await
                    .while_reading(|| self.range.what())?;
                if first.is_none() {
                    return Ok(None);
                }
                first
            }
        };
        // Events at exactly `first - length` are out of every window. Without windows, `first` itself is still in.
        let length = self.plan.length_max().max(1);
        Ok(Some(first.map_or((Micros::MIN, i64::MIN), |first| (first.saturating_sub(length), i64::MAX))))
    }

    async fn read(&mut self, (time, id): (Micros, i64)) -> Result<SqliteRow, HistoryErrorKind> {
        let (sql, runs) = match &self.range.unscored_by {
            None => (RECORDS, None),
            Some(runs) => (RECORDS_AND_UNSCORED, Some(runs_json(runs))),
        };
        loop {
            let row = sqlx::query(sql)
                .bind(&self.range.domain)
                .bind(&runs)
                .bind(time)
                .bind(id)
                .bind(self.range.last())
                .bind(self.rows as i64)
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

    fn wanted(&self, row: &SqliteRow, chunk: &RawChunk) -> Result<Vec<bool>, HistoryErrorKind> {
        let flags: Option<&str> = row.try_get(3).while_reading(|| self.range.what())?;
        if flags.is_some_and(|flags| flags.len() != chunk.ids.len()) {
            return Err(inconsistent(
                &chunk.ids,
                "records and what is known of their predictions differ in number",
            ));
        }
        let in_range = chunk.times.iter().map(|time| self.range.from.is_none_or(|from| from <= *time));
        Ok(match flags {
            None => in_range.collect(),
            Some(flags) => {
                in_range.zip(flags.bytes()).map(|(in_range, flag)| in_range && flag == b'1').collect()
            }
        })
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

fn runs_json(runs: &[i64]) -> String {
    serde_json::Value::from(runs).to_string()
}

/// Records that have `bytes` of payloads if they are like those of `chunk`, but at most twice as many as those.
fn rows_for(bytes: usize, chunk: &RawChunk) -> usize {
    let rows = chunk.ids.len();
    (rows * bytes / chunk.payloads.len().max(1)).min(2 * rows)
}
