//! A worker: claims chunks of a job, and does them, until there are none or it is told to stop.
//!
//! Three stages overlap, each in a task of its own: one claims chunks and reads them with their past, one predicts, one writes.
//! Between them wait at most [`BATCHES_WAITING_MAX`] batches and [`CHUNKS_WAITING_MAX`] chunks of predictions, so memory depends
//! on the size of a chunk, and never on how many there are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foretell_runtime::onnx::Runtime;
use foretell_runtime::plugin::Plugin;
use foretell_runtime::registry::Registry;
use foretell_store::job::{Chunk, Claim, Job, JobKind, StageTimes};
use foretell_store::lineage::Run;
use foretell_store::open::Store;
use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::create::{end_gone_workers, find};
use crate::event::Event;
use crate::isolate::Lost;
use crate::lineage::watermarks;
use crate::presence::{LOOK_EVERY, Presence};
use crate::process::identity;
use crate::read::{Read, Reader};
use crate::reload::{ReloadError, reload};
use crate::score::{ScoreError, Scored};

/// Batches that may wait between reading and predicting.
const BATCHES_WAITING_MAX: usize = 2;
/// Chunks of predictions that may wait to be written.
const CHUNKS_WAITING_MAX: usize = 2;
/// How long a worker that is to stop waits for the plugin.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(2);

/// Why a worker stopped before the job did.
#[derive(Debug, Error)]
pub enum WorkError {
    /// Records could not be scored, or the database failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The plugin of the job could not be loaded as it was when the job was created.
    #[error(transparent)]
    Reload(#[from] ReloadError),
    /// The job is of a kind that one process does by itself.
    #[error("job {0} is a fit, which workers do not share")]
    Kind(i64),
    /// Another ONNX Runtime would answer a part of the job.
    #[error(
        "job {job} was begun with ONNX Runtime {begun}, and this is {found}; go on with the one it was begun with, or cancel it"
    )]
    Runtime {
        /// The job.
        job: i64,
        /// The version of the job.
        begun: String,
        /// The version that was found.
        found: String,
    },
}

impl WorkError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Score(error) => error.hint(),
            Self::Kind(_) => Some("run the job, without `work`"),
            Self::Reload(_) | Self::Runtime { .. } => None,
        }
    }
}

/// How a worker came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// There was nothing left for it, or it was told to stop.
    Ended,
    /// Others took it for dead, and its chunks away: the machine slept, or was very busy. Another worker can go on.
    Lost,
}

/// Tells somebody to stop, once and for all.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Tells it.
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Whether it was told.
    pub fn is_stopped(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until it is told.
    pub async fn stopped(&self) {
        let told = self.0.1.notified();
        if !self.is_stopped() {
            told.await;
        }
    }
}

/// Works on a job until no chunk is left, until the job is paused or cancelled, or until `stop`. `tell` hears what happens.
///
/// Several processes may do this with the same job. Whatever ends them, what they had not completed is done by another.
pub async fn work(
    store: &Store,
    registry: &Registry,
    runtime: &Arc<Runtime>,
    job: i64,
    stop: &Stop,
    tell: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Worked, WorkError> {
    let (job, run) = begun(store, runtime, job).await?;
    if job.kind != JobKind::Score {
        return Err(WorkError::Kind(job.id));
    }
    // An isolated plugin is ended by whoever asks it: here.
    let runtime = runtime.within(Duration::from_micros(job.timeout.cast_unsigned()));
    let plugin = Arc::new(reload(registry, &runtime, &run)?);
    end_gone_workers(store, job.id).await?;
    let worker = store.enter_worker(job.id, &identity()).await.map_err(ScoreError::from)?;
    tell(Event::Entered { worker: worker.worker });
    let presence = Presence::new(store, worker, stop);
    let worker = Worker { presence, plugin, failure: Arc::default(), tell: Arc::new(tell) };
    let worked = worker.run(&run).await;
    // Should this fail too, the first error says why; others find out that this process is gone.
    let ended = worker.presence.end().await;
    worked?;
    ended?;
    Ok(if worker.presence.is_lost() { Worked::Lost } else { Worked::Ended })
}

/// A job and its run, if this ONNX Runtime is the one that it was begun with.
pub(crate) async fn begun(store: &Store, runtime: &Runtime, job: i64) -> Result<(Job, Run), WorkError> {
    let job = find(store, job).await?;
    let run = store.run(job.run_id).await.map_err(ScoreError::from)?.expect("a job refers to its run");
    let found = runtime.version().to_string();
    if run.onnxruntime != found {
        return Err(WorkError::Runtime { job: job.id, begun: run.onnxruntime, found });
    }
    Ok((job, run))
}

#[derive(Clone)]
struct Worker {
    presence: Presence,
    plugin: Arc<Plugin>,
    /// What went wrong first.
    failure: Arc<Mutex<Option<ScoreError>>>,
    tell: Arc<dyn Fn(Event) + Send + Sync>,
}

/// A chunk on its way to the store.
struct Finished {
    number: i64,
    scored: Scored,
    read: Duration,
    predict: Duration,
}

impl Worker {
    async fn run(&self, run: &Run) -> Result<(), ScoreError> {
        let (store, plugin) = (&self.presence.store, &self.plugin);
        let reader = Reader::new(store, plugin.manifest(), plugin.schema(), watermarks(run))?;
        let (to_predict, read) = mpsc::channel(BATCHES_WAITING_MAX);
        let (to_write, finished) = mpsc::channel(CHUNKS_WAITING_MAX);
        let written = Arc::new(Notify::new());
        let reading = {
            let (worker, written) = (self.clone(), Arc::clone(&written));
            tokio::spawn(async move { worker.note(worker.read(reader, to_predict, written).await) })
        };
        let predicting = {
            let worker = self.clone();
            tokio::task::spawn_blocking(move || worker.note(worker.predict(read, to_write)))
        };
        let writing = {
            let worker = self.clone();
            tokio::spawn(async move { worker.note(worker.write(finished, written).await) })
        };
        let watching = tokio::spawn(self.presence.clone().watch());
        self.join(reading, predicting, writing).await;
        watching.abort();
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), Err)
    }

    /// Notes how a stage ended. The first failure counts, since others may come of it, and it stops the other stages.
    fn note(&self, ended: Result<(), ScoreError>) {
        // A plugin that stops when it is asked to has not failed.
        let obeyed = |failure: &ScoreError| failure.is_cancelled() && self.presence.stop.is_stopped();
        if let Err(failure) = ended
            && !obeyed(&failure)
        {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.presence.stop.stop();
        }
    }

    /// Waits for all stages.
    async fn join(&self, reading: JoinHandle<()>, predicting: JoinHandle<()>, writing: JoinHandle<()>) {
        let stages = [(reading, "reading"), (predicting, "predicting"), (writing, "writing")];
        let [reading, predicting, writing] = stages.map(|(stage, name)| async move {
            if stage.await.is_err() {
                self.note(Err(ScoreError::Stopped(name)));
            }
        });
        let patience = async {
            self.presence.stop.stopped().await;
            self.plugin.set_cancelled(true);
            tokio::time::sleep(STOP_GRACE).await;
        };
        // A plugin that does not return is left behind: the process ends, and its chunk is free.
        tokio::select! {
            _ = async { tokio::join!(writing, predicting, reading) } => (),
            () = patience => (),
        }
    }

    /// Claims chunks and reads them.
    async fn read(
        &self,
        mut reader: Reader,
        to_predict: mpsc::Sender<Read>,
        written: Arc<Notify>,
    ) -> Result<(), ScoreError> {
        let mut last = None;
        while !self.presence.stop.is_stopped() {
            match self.presence.store.claim_chunk(&self.presence.id, last).await? {
                Claim::Chunk(chunk) => {
                    last = Some(chunk.number);
                    let sent = tokio::select! {
                        sent = reader.read(*chunk, &to_predict) => sent?,
                        () = self.presence.stop.stopped() => break,
                    };
                    if sent.is_err() {
                        break;
                    }
                }
                // What is left may come back, from a worker that fails; or it is this one's own, and about to be written.
                Claim::Wait => {
                    tokio::select! {
                        () = written.notified() => (),
                        () = tokio::time::sleep(LOOK_EVERY) => end_gone_workers(&self.presence.store, self.presence.id.job).await?,
                        () = self.presence.stop.stopped() => break,
                    }
                }
                Claim::Lost => {
                    self.presence.give_up();
                    break;
                }
                Claim::Stop(_) => break,
            }
        }
        Ok(())
    }

    /// Predicts what was read. Runs on a thread of its own, since a plugin may take its time.
    fn predict(
        &self,
        mut read: mpsc::Receiver<Read>,
        to_write: mpsc::Sender<Finished>,
    ) -> Result<(), ScoreError> {
        let mut current: Option<(Box<Chunk>, Scored, Duration)> = None;
        let mut lost = Lost::default();
        // Whatever happens to this process is not the doing of a plugin that is not in it.
        let tell = |event| {
            if !self.plugin.is_isolated() {
                (self.tell)(event);
            }
        };
        while let Some(message) = read.blocking_recv() {
            if self.presence.stop.is_stopped() {
                break;
            }
            match message {
                Read::Begin(chunk) => current = Some((chunk, Scored::default(), Duration::ZERO)),
                Read::Batch(batch) => {
                    let (chunk, scored, spent) = current.as_mut().expect("a batch comes after its chunk");
                    let start = Instant::now();
                    let call = |record| tell(Event::Called { chunk: chunk.number, record });
                    if chunk.careful {
                        let poison = &chunk.poison;
                        scored.add_records(&self.plugin, &batch, poison, &mut lost, |id| call(Some(id)))?;
                    } else {
                        call(None);
                        scored.add_batch(&self.plugin, &batch, &mut lost)?;
                    }
                    tell(Event::Returned);
                    *spent += start.elapsed();
                }
                Read::End(waited) => {
                    let (chunk, scored, spent) = current.take().expect("a chunk ends after it began");
                    let number = chunk.number;
                    let finished = Finished { number, scored, read: waited, predict: spent };
                    if to_write.blocking_send(finished).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes chunks that are predicted.
    async fn write(
        &self,
        mut finished: mpsc::Receiver<Finished>,
        written: Arc<Notify>,
    ) -> Result<(), ScoreError> {
        while let Some(Finished { number, mut scored, read, predict }) = finished.recv().await {
            let start = Instant::now();
            // In the order of their keys, rows are written fastest.
            scored.predictions.sort_unstable_by_key(|prediction| prediction.record_id);
            scored.rejects.sort_unstable_by_key(|reject| reject.record_id);
            let Scored { predictions, rejects } = &scored;
            if !self.presence.store.complete_chunk(&self.presence.id, number, predictions, rejects).await? {
                self.presence.give_up();
                break;
            }
            let write = start.elapsed();
            self.presence.spend(StageTimes { read, predict, write });
            written.notify_one();
            (self.tell)(Event::Done {
                predicted: predictions.len() as u64,
                rejected: rejects.len() as u64,
                read: read.as_secs_f64(),
                predict: predict.as_secs_f64(),
                write: write.as_secs_f64(),
            });
        }
        Ok(())
    }
}
