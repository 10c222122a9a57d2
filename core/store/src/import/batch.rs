//! Rows on their way from a file to the database: converted, counted, and gathered into batches.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use super::cell::Reason;
use super::parquet::Table;
use super::plan::{Plan, Refusal, Row};
use crate::record::{BATCH_RECORDS, NewRecord, Reject};

/// Rows of one batch, good or bad.
pub const BATCH_ROWS_MAX: usize = BATCH_RECORDS;
/// Bytes of payloads and texts at which a batch is full, however few rows it has.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// How much of a refused row is kept.
pub const CONTENT_BYTES_MAX: usize = 1_024;
/// How many hexadecimal digits of a file's hash stand in the names of its rows, if they have no names of their own.
const HASH_DIGITS: usize = 16;

/// Rows that are stored together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<NewRecord>,
    pub(super) rejects: Vec<Reject>,
    /// How far in the file the batch reaches: bytes of text, rows of Parquet.
    pub(super) done: u64,
    /// The line of each record.
    lines: Vec<i64>,
    /// What the records looked like in a text file, one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// What the records looked like in a Parquet file.
    table: Option<Arc<Table>>,
    bytes: usize,
}

impl Batch {
    pub(super) fn rows(&self) -> usize {
        self.records.len() + self.rejects.len()
    }

    fn is_full(&self) -> bool {
        self.rows() >= BATCH_ROWS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    /// Where the records of a batch came from, for those that the database refuses.
    pub(super) fn origins(&mut self) -> Origins {
        Origins {
            lines: std::mem::take(&mut self.lines),
            text: std::mem::take(&mut self.text),
            ends: std::mem::take(&mut self.ends),
            table: self.table.take(),
        }
    }
}

/// Where the records of a batch came from.
pub(super) struct Origins {
    lines: Vec<i64>,
    text: Vec<u8>,
    ends: Vec<usize>,
    table: Option<Arc<Table>>,
}

impl Origins {
    /// The reject for the record at `index` of the batch.
    pub(super) fn refuse(&self, index: usize, column: Option<&str>, reason: &Reason) -> Reject {
        let line = self.lines[index];
        let content = match &self.table {
            Some(table) => table.content(line),
            None => {
                let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
                shorten(&self.text[start..self.ends[index]])
            }
        };
        reject(Some(line), column, reason, content)
    }
}

/// What the database and the report get to see of a refused row.
pub(super) fn reject(line: Option<i64>, column: Option<&str>, reason: &Reason, content: String) -> Reject {
    Reject {
        record_id: None,
        line,
        field: column.map(str::to_owned),
        reason: reason.to_string(),
        content: Some(content),
    }
}

/// The start of a row as text, whatever bytes it holds.
pub(super) fn shorten(row: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&row[..row.len().min(CONTENT_BYTES_MAX)]).into_owned();
    if row.len() > CONTENT_BYTES_MAX {
        text.push('…');
    }
    text
}

/// Nobody waits for more batches: the import was cancelled, or storing failed.
#[derive(Debug)]
pub(super) struct Cancelled;

/// Converts rows and sends them on in batches.
pub(super) struct Batcher {
    plan: Arc<Plan>,
    /// What names the rows of the file that have no names of their own.
    file_name: String,
    batch: Batch,
    sender: Sender<Batch>,
}

impl Batcher {
    pub(super) fn new(plan: Arc<Plan>, file_hash: &str, sender: Sender<Batch>) -> Self {
        let file_name = file_hash.chars().take(HASH_DIGITS).collect();
        Self { plan, file_name, batch: Batch::default(), sender }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A row of a text file, as it reads.
    pub(super) fn text_row(&mut self, line: i64, row: &impl Row, text: &[u8]) {
        match self.plan.record(row) {
            Ok(record) => {
                let kept = &text[..text.len().min(CONTENT_BYTES_MAX)];
                self.batch.text.extend_from_slice(kept);
                self.batch.ends.push(self.batch.text.len());
                self.batch.bytes += kept.len();
                self.accept(line, record);
            }
            Err(refusal) => self.refuse(line, &refusal, shorten(text)),
        }
    }

    /// A row of a Parquet file. All rows of a batch are of one table.
    pub(super) fn table_row(&mut self, line: i64, row: &impl Row, table: &Arc<Table>) {
        match self.plan.record(row) {
            Ok(record) => {
                self.batch.table.get_or_insert_with(|| Arc::clone(table));
                self.accept(line, record);
            }
            Err(refusal) => self.refuse(line, &refusal, table.content(line)),
        }
    }

    /// A row that cannot even be taken apart.
    pub(super) fn refuse(&mut self, line: i64, refusal: &Refusal, content: String) {
        self.batch.bytes += content.len();
        self.batch.rejects.push(reject(Some(line), refusal.column.as_deref(), &refusal.reason, content));
    }

    fn accept(&mut self, line: i64, mut record: NewRecord) {
        if !self.plan.names_rows() {
            record.external_id = Some(format!("{}:{line}", self.file_name));
        }
        self.batch.bytes += record.payload.len();
        self.batch.lines.push(line);
        self.batch.records.push(record);
    }

    /// Sends the batch on if it is full. `done` says how far in the file the rows so far reach.
    pub(super) fn send_full(&mut self, done: u64) -> Result<(), Cancelled> {
        if self.batch.is_full() { self.send(done) } else { Ok(()) }
    }

    /// Sends on what there is.
    pub(super) fn send(&mut self, done: u64) -> Result<(), Cancelled> {
        if self.batch.rows() == 0 {
            return Ok(());
        }
        let batch = Batch { done, ..std::mem::take(&mut self.batch) };
        self.sender.blocking_send(batch).map_err(|_| Cancelled)
    }
}
