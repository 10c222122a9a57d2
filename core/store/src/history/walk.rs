//! The batch path: through a domain in time order, with the current windows in memory.
//!
//! Three things go on at once: SQLite reads a chunk, the one before it is decoded, and the one before that is given its
//! history by whoever calls [`Walk::next`]. The channels between them are short, so a slow consumer holds the reading
//! up instead of filling the memory.
//!
//! **Invariant:** memory depends on what the windows hold, never on how much is stored. An entity without events in
//! its longest window is forgotten.

use std::sync::Arc;

use arrow_schema::SchemaRef;

use super::batch::Assembly;
use super::column::Limits;
use super::names::{Found, Slot};
use super::past::{Feed, Past};
use super::plan::Plan;
use super::scan::{Range, Scan, Scanned, watermarks};
use super::{HistoryBatch, HistoryError, HistoryErrorKind, HistorySpec, Watermarks};
use crate::fault::ReadContext;
use crate::members::Members;
use crate::open::Store;
use crate::time::Micros;

/// A good number of records for one batch.
pub const BATCH_ROWS: usize = 4_096;

/// Records in one batch, at most.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Records whose entities are read ahead together.
const TOUCH_ROWS: usize = 16;

/// What a [`Walk`] goes through, and what it gives.
#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// The domain of the records.
    pub domain: String,
    /// The input fields. Those that are not nullable are required of every record.
    pub inputs: SchemaRef,
    /// The past that goes with each record.
    pub specs: Vec<HistorySpec>,
    /// Gives records from this time on; `None`: from the first one.
    pub from: Option<Micros>,
    /// Gives records before this time; `None`: up to the last one.
    pub to: Option<Micros>,
    /// Records in one batch, from 1 to [`BATCH_ROWS_MAX`]. Batches may be smaller: when payloads or histories are
    /// large, when few records are wanted, and at the beginning and the end.
    pub batch_rows: usize,
    /// What the history may see; `None`: what is stored when the walk begins. Records that arrive later may still be
    /// given, but are in nobody's past.
    pub watermarks: Option<Watermarks>,
}

impl WalkOptions {
    /// All records of a domain, in batches of [`BATCH_ROWS`].
    pub fn new(domain: impl Into<String>, inputs: SchemaRef, specs: Vec<HistorySpec>) -> Self {
        Self {
            domain: domain.into(),
            inputs,
            specs,
            from: None,
            to: None,
            batch_rows: BATCH_ROWS,
            watermarks: None,
        }
    }
}

/// Some records of a domain that stand together in the order of (event time, id): what a [`Walk`] gives at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Portion {
    /// Event time and id of the first one.
    pub first: (Micros, i64),
    /// Event time and id of the last one.
    pub last: (Micros, i64),
    /// All of them. Others that stand between the first and the last are only part of their past.
    pub members: Members,
}

/// Records with their past, in the order of (event time, id).
///
/// A walk reads ahead on the current Tokio runtime, which must be there when it is made. Dropping it ends the reading.
#[derive(Debug)]
pub struct Walk {
    domain: String,
    plan: Arc<Plan>,
    watermarks: Watermarks,
    scan: Scan,
    /// For each of [`Plan::keys`], the past of each entity.
    pasts: Vec<Vec<Past>>,
    /// The chunk at hand.
    current: Option<Current>,
    /// Event time and id of the last record that was dealt with.
    passed: Option<(Micros, i64)>,
    /// Gives records from this time on.
    from: Micros,
    /// Items of each list in the last batch: the next one is likely to need as many.
    items: Vec<usize>,
}

#[derive(Debug)]
struct Current {
    scanned: Scanned,
    /// The first record that was not dealt with.
    row: usize,
}

impl Walk {
    /// Begins a walk.
    ///
    /// Fails if the specs or the input fields contradict themselves or each other, and if the database cannot be read.
    pub async fn new(store: &Store, options: WalkOptions) -> Result<Self, HistoryError> {
        let domain = options.domain.clone();
        Self::begin(store, options).await.map_err(|kind| kind.of(&domain))
    }

    async fn begin(store: &Store, options: WalkOptions) -> Result<Self, HistoryErrorKind> {
        let plan = Arc::new(Plan::new(&options.inputs, &options.specs)?);
        let mut connection = store.readers().acquire().await.while_reading(|| "records".to_owned())?;
        let watermarks = match options.watermarks {
            Some(watermarks) => watermarks,
            None => watermarks(&mut connection).await?,
        };
        let range = Range {
            domain: options.domain.clone(),
            from: options.from,
            to: options.to,
            rows_max: options.batch_rows.clamp(1, BATCH_ROWS_MAX),
        };
        Ok(Self {
            domain: options.domain,
            scan: Scan::start(connection, Arc::clone(&plan), range, watermarks.label)?,
            watermarks,
            pasts: plan.keys.iter().map(|_| Vec::new()).collect(),
            current: None,
            passed: None,
            from: options.from.unwrap_or(Micros::MIN),
            items: vec![0; plan.lists.len()],
            plan,
        })
    }

    /// What the history of this walk can see. Stored with a run, it makes the run repeatable.
    pub fn watermarks(&self) -> Watermarks {
        self.watermarks
    }

    /// The next batch of all records, or `None` after the last one. A batch may hold nothing but rejects.
    pub async fn next(&mut self) -> Result<Option<HistoryBatch>, HistoryError> {
        let from = self.from;
        self.next_until((Micros::MAX, i64::MAX), |(time, _)| from <= time).await
    }

    /// The next batch of the records of `portion`, or `None` when there are no more. A batch may hold nothing but rejects.
    ///
    /// Portions are asked for one after the other, in order, each until its end. Between them, the windows stay as they
    /// are, so portions that follow each other cost as much as one.
    ///
    /// **Pitfall:** what was passed is gone. For a portion before the last one, begin another walk.
    pub async fn next_of(&mut self, portion: &Portion) -> Result<Option<HistoryBatch>, HistoryError> {
        self.next_until(portion.last, |(_, id)| portion.members.contains(id)).await
    }

    /// The next batch of the records that are `wanted`, up to `last`.
    async fn next_until(
        &mut self,
        last: (Micros, i64),
        wanted: impl Fn((Micros, i64)) -> bool,
    ) -> Result<Option<HistoryBatch>, HistoryError> {
        while self.passed.is_none_or(|passed| passed < last) {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.scan.next().await.map_err(|kind| kind.of(&self.domain))? {
                    Some(scanned) => self.begin_chunk(scanned),
                    None => return Ok(None),
                },
            };
            let (batch, end) = self.pass(&mut current, last, &wanted);
            if current.row < current.scanned.chunk.ids.len() {
                self.current = Some(current);
            }
            if !batch.ids.is_empty() || !batch.rejects.is_empty() {
                return Ok(Some(batch));
            }
            if end {
                break;
            }
        }
        Ok(None)
    }

    fn begin_chunk(&mut self, scanned: Scanned) -> Current {
        for ((key, pasts), found) in self.plan.keys.iter().zip(&mut self.pasts).zip(&scanned.found) {
            for slot in &found.forgotten {
                pasts[*slot] = Past::new(key);
            }
            pasts.resize_with(found.slots_end, || Past::new(key));
        }
        Current { scanned, row: 0 }
    }

    /// Goes on through the current chunk, until its end, until the batch is full, or past `last`; then it also says so.
    fn pass(
        &mut self,
        current: &mut Current,
        last: (Micros, i64),
        wanted: impl Fn((Micros, i64)) -> bool,
    ) -> (HistoryBatch, bool) {
        let Current { scanned: Scanned { chunk, found }, row } = current;
        let Self { plan, pasts, .. } = self;
        let feeds: Vec<Vec<Feed<'_>>> = plan.keys.iter().map(|key| chunk.feeds(key)).collect();
        let mut batch = Assembly::new(plan, chunk, Limits::default(), &self.items);
        let mut end = false;
        while *row < chunk.ids.len() {
            if row.is_multiple_of(TOUCH_ROWS) {
                touch(pasts, found, *row);
            }
            let (time, id) = (chunk.times[*row], chunk.ids[*row]);
            if (time, id) > last {
                end = true;
                break;
            }
            for (index, key) in plan.keys.iter().enumerate() {
                if let Some(slot) = found[index].slots[*row] {
                    pasts[index][slot].advance(key, time);
                }
            }
            let past = |index: usize| found[index].slots[*row].map(|slot: Slot| &pasts[index][slot]);
            if wanted((time, id)) && !batch.add(*row, past) {
                break;
            }
            // Only now: a record is not part of its own past.
            if id <= self.watermarks.record {
                for (index, key) in plan.keys.iter().enumerate() {
                    if let Some(slot) = found[index].slots[*row] {
                        pasts[index][slot].push(key, &feeds[index], *row, time);
                    }
                }
            }
            self.passed = Some((time, id));
            *row += 1;
        }
        self.items = batch.items();
        (batch.finish(), end)
    }
}

/// Reads ahead what the next records will need of their entities, so that the waits for the memory overlap.
fn touch(pasts: &[Vec<Past>], found: &[Found], row: usize) {
    for (pasts, found) in pasts.iter().zip(found) {
        let next = &found.slots[row..found.slots.len().min(row + TOUCH_ROWS)];
        let sum = next.iter().flatten().fold(0, |sum, slot| sum ^ pasts[*slot].touch());
        std::hint::black_box(sum); // otherwise the reads would be left out
    }
}
