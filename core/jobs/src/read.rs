//! The first stage of a worker: chunks, with the past of their records.

use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use foretell_runtime::manifest::Manifest;
use foretell_store::history::{HistorySpec, Walk, WalkOptions, Watermarks, lookup};
use foretell_store::job::Chunk;
use foretell_store::open::Store;
use tokio::sync::mpsc;

use crate::batch::{Assembler, Batch, records_at_once};
use crate::columns::{history_specs, inputs};
use crate::lots::Lots;
use crate::score::ScoreError;

/// Records that are looked up together.
pub(crate) const LOOKUP_RECORDS: usize = 64;

/// To look one record's past up costs as much as to walk past so many.
const LOOKUP_COST: u64 = 32;

/// What goes from reading to predicting.
#[derive(Debug)]
pub(crate) enum Read {
    /// A chunk begins.
    Begin(Box<Chunk>),
    /// Some of its records.
    Batch(Batch),
    /// That was all of it; so long it was waited for.
    End(Duration),
}

/// Whoever was to take batches is gone.
#[derive(Debug)]
pub(crate) struct Abandoned;

/// Reads chunks, and goes on with the same windows as long as they follow each other.
pub(crate) struct Reader {
    store: Store,
    domain: String,
    inputs: SchemaRef,
    specs: Vec<HistorySpec>,
    watermarks: Watermarks,
    assembler: Assembler,
    /// Records of a batch at most.
    batch_rows: usize,
    /// A walk, and the number of the chunk that it stands behind.
    walk: Option<(Walk, i64)>,
}

impl Reader {
    /// `schema` has the columns that the plugin was opened with.
    pub(crate) fn new(
        store: &Store,
        manifest: &Manifest,
        schema: &SchemaRef,
        watermarks: Watermarks,
    ) -> Result<Self, ScoreError> {
        Ok(Self {
            store: store.clone(),
            domain: manifest.plugin.domain.clone(),
            inputs: inputs(manifest),
            specs: history_specs(manifest)?,
            watermarks,
            assembler: Assembler::new(store, manifest, schema),
            batch_rows: records_at_once(manifest),
            walk: None,
        })
    }

    /// Sends a chunk with the past of its records, which come in the order of (event time, id).
    pub(crate) async fn read(
        &mut self,
        chunk: Chunk,
        sender: &mpsc::Sender<Read>,
    ) -> Result<Result<(), Abandoned>, ScoreError> {
        if sender.send(Read::Begin(Box::new(chunk.clone()))).await.is_err() {
            return Ok(Err(Abandoned));
        }
        let members = chunk.portion.members.len();
        let waited = if members * LOOKUP_COST < chunk.span {
            self.look_up(&chunk, sender).await?
        } else {
            self.walk(&chunk, sender).await?
        };
        Ok(match waited {
            Some(waited) => sender.send(Read::End(waited)).await.map_err(|_| Abandoned),
            None => Err(Abandoned),
        })
    }

    /// Passes the records of the chunk, and returns how long they were waited for; `None` if nobody takes them.
    async fn walk(
        &mut self,
        chunk: &Chunk,
        sender: &mpsc::Sender<Read>,
    ) -> Result<Option<Duration>, ScoreError> {
        let start = Instant::now();
        let mut walk = match self.walk.take() {
            Some((walk, last)) if last + 1 == chunk.number => walk,
            _ => {
                let mut options = WalkOptions::new(&self.domain, self.inputs.clone(), self.specs.clone());
                options.from = Some(chunk.portion.first.0);
                options.watermarks = Some(self.watermarks);
                options.batch_rows = self.batch_rows;
                Walk::new(&self.store, options).await?
            }
        };
        let mut waited = start.elapsed();
        loop {
            let start = Instant::now();
            let Some(batch) = walk.next_of(&chunk.portion).await? else { break };
            let batch = self.assembler.assemble(batch).await?;
            waited += start.elapsed();
            if sender.send(Read::Batch(batch)).await.is_err() {
                return Ok(None);
            }
        }
        self.walk = Some((walk, chunk.number));
        Ok(Some(waited))
    }

    /// Asks for the past of each record by itself: the way for few records among many.
    async fn look_up(
        &self,
        chunk: &Chunk,
        sender: &mpsc::Sender<Read>,
    ) -> Result<Option<Duration>, ScoreError> {
        let ids = self.store.ids_by_time(&chunk.portion.members).await?;
        let mut lots = Lots::new(&ids, LOOKUP_RECORDS.min(self.batch_rows));
        let mut waited = Duration::ZERO;
        while let Some(ids) = lots.next() {
            let start = Instant::now();
            let (inputs, specs) = (&self.inputs, &self.specs);
            let batch = lookup(&self.store, &self.domain, inputs, specs, ids, Some(self.watermarks)).await;
            match batch {
                Ok(batch) => {
                    let batch = self.assembler.assemble(batch).await?;
                    waited += start.elapsed();
                    if sender.send(Read::Batch(batch)).await.is_err() {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    lots.halve(ids, error.into())?;
                    waited += start.elapsed();
                }
            }
        }
        Ok(Some(waited))
    }
}
