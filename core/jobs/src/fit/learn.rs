//! Reading and learning, at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foretell_runtime::check::check;
use foretell_runtime::fit::Fitting;
use foretell_runtime::manifest::Manifest;
use foretell_store::job::{Job, StageTimes};
use foretell_store::lineage::Run;
use foretell_store::record::Reject;
use foretell_store::time::Micros;
use tokio::sync::mpsc;

use super::FitError;
use crate::batch::Batch;
use crate::isolate::allowed;
use crate::lineage::watermarks;
use crate::presence::Presence;
use crate::read::{Read, Reader};
use crate::score::ScoreError;
use crate::supervise::Progress;
use crate::work::STOP_GRACE;

/// Batches that may wait between reading and learning.
const BATCHES_WAITING_MAX: usize = 4;
/// Chunks that may wait to be noted.
const CHUNKS_WAITING_MAX: usize = 16;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What was learned.
pub(super) struct Lesson {
    /// The files that the plugin wrote.
    pub(super) models: Vec<(String, Vec<u8>)>,
    /// Event time of the first record that it learned.
    pub(super) first_time: Option<Micros>,
    /// Event time of the last one.
    pub(super) last_time: Option<Micros>,
}

/// Has a plugin learn the records of a job.
#[derive(Clone)]
pub(super) struct Learner {
    presence: Presence,
    fitting: Arc<Fitting>,
    manifest: Arc<Manifest>,
    /// Records that were learned, and that were set aside.
    counts: Arc<[AtomicU64; 2]>,
    /// What went wrong first.
    failure: Arc<Mutex<Option<FitError>>>,
}

/// A chunk that was learned.
#[derive(Default)]
struct Noted {
    number: i64,
    learned: u64,
    rejects: Vec<Reject>,
    first_time: Option<Micros>,
    last_time: Option<Micros>,
    read: Duration,
    learn: Duration,
}

impl Learner {
    pub(super) fn new(presence: Presence, fitting: Fitting, manifest: Manifest) -> Self {
        Self {
            presence,
            fitting: Arc::new(fitting),
            manifest: Arc::new(manifest),
            counts: Arc::default(),
            failure: Arc::default(),
        }
    }

    /// Learns everything, and gives what the plugin made of it.
    pub(super) async fn learn(
        self,
        job: &Job,
        run: &Run,
        mut progress: impl FnMut(&Progress),
    ) -> Result<Lesson, FitError> {
        let schema = self.fitting.schema();
        let reader = Reader::new(&self.presence.store, &self.manifest, schema, watermarks(run))?;
        let (to_learn, read) = mpsc::channel(BATCHES_WAITING_MAX);
        let (to_note, mut learned) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (learner, id) = (self.clone(), job.id);
        tokio::spawn(async move { learner.note(learner.read(id, reader, to_learn).await) });
        let learner = self.clone();
        let mut learning = tokio::task::spawn_blocking(move || {
            learner.note(learner.learn_all(read, &to_note));
            // Before the end, the plugin makes its files of what it has learned.
            drop(to_note);
            learner.is_going_on().then(|| learner.fitting.finish())
        });
        let mut told = Told::new(job);
        let (mut first_time, mut last_time) = (None, None);
        let mut tick = tokio::time::interval(TELL_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                noted = learned.recv() => {
                    let Some(noted) = noted else { break };
                    (first_time, last_time) = (first_time.or(noted.first_time), noted.last_time.or(last_time));
                    self.note(self.store_noted(&noted, &mut told).await);
                }
                _ = tick.tick() => progress(told.now(&self.counts)),
                () = self.presence.stop.stopped() => break,
            }
        }
        drop(learned);
        let patience = async {
            self.presence.stop.stopped().await;
            self.fitting.set_cancelled(true);
            tokio::time::sleep(STOP_GRACE).await;
        };
        // A plugin that does not return is left behind.
        let files = tokio::select! {
            files = &mut learning => Some(files),
            () = patience => None,
        };
        progress(told.now(&self.counts));
        if let Some(failure) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failure);
        }
        match files {
            _ if self.presence.stop.is_stopped() => Err(FitError::Interrupted),
            Some(Ok(Some(models))) => Ok(Lesson { models: models?, first_time, last_time }),
            _ => Err(ScoreError::Stopped("learning").into()),
        }
    }

    /// Notes how a stage ended. The first failure counts, since others may come of it, and it stops the other stages.
    fn note(&self, ended: Result<(), FitError>) {
        if let Err(failure) = ended
            // A plugin that stops when it is asked to has not failed.
            && !(failure.is_cancelled() && self.presence.stop.is_stopped())
        {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.presence.stop.stop();
        }
    }

    /// Whether nothing has failed, and nobody has stopped it.
    fn is_going_on(&self) -> bool {
        !self.presence.stop.is_stopped()
    }

    /// Reads the chunks one after the other.
    async fn read(&self, job: i64, mut reader: Reader, to_learn: mpsc::Sender<Read>) -> Result<(), FitError> {
        for number in 1.. {
            let Some(chunk) = self.presence.store.job_chunk(job, number).await? else { break };
            tokio::select! {
                sent = reader.read(chunk, &to_learn) => if sent?.is_err() { break },
                () = self.presence.stop.stopped() => break,
            }
        }
        Ok(())
    }

    /// Learns what was read. Runs on a thread of its own, since a plugin may take its time.
    fn learn_all(
        &self,
        mut read: mpsc::Receiver<Read>,
        to_note: &mpsc::Sender<Noted>,
    ) -> Result<(), FitError> {
        let mut noted = Noted::default();
        while let Some(message) = read.blocking_recv() {
            if !self.is_going_on() {
                break;
            }
            match message {
                Read::Begin(chunk) => noted = Noted { number: chunk.number, ..Noted::default() },
                Read::Batch(batch) => self.learn_batch(batch, &mut noted)?,
                Read::End(waited) => {
                    noted.read = waited;
                    if to_note.blocking_send(std::mem::take(&mut noted)).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Learns a batch, without the records that the manifest does not allow.
    fn learn_batch(&self, batch: Batch, noted: &mut Noted) -> Result<(), FitError> {
        let start = Instant::now();
        let records = &batch.records;
        let refusals = check(&self.manifest, records);
        let (learned, rejected) = (noted.learned, noted.rejects.len());
        for rows in allowed(&refusals, records.num_rows(), self.manifest.limits.rows_max) {
            self.fitting.learn(&records.slice(rows.start, rows.len()))?;
            noted.learned += rows.len() as u64;
            noted.first_time = noted.first_time.or(Some(batch.event_times[rows.start]));
            noted.last_time = Some(batch.event_times[rows.end - 1]);
        }
        noted.rejects.extend(batch.rejects);
        noted.rejects.extend(refusals.into_iter().map(|refusal| Reject {
            record_id: Some(batch.ids[refusal.row]),
            field: Some(refusal.field),
            reason: refusal.reason,
            ..Reject::default()
        }));
        self.counts[0].fetch_add(noted.learned - learned, Ordering::Relaxed);
        self.counts[1].fetch_add((noted.rejects.len() - rejected) as u64, Ordering::Relaxed);
        noted.learn += start.elapsed();
        Ok(())
    }

    /// Writes down that a chunk was learned, for those who watch.
    async fn store_noted(&self, noted: &Noted, told: &mut Told) -> Result<(), FitError> {
        let start = Instant::now();
        let Presence { store, id, .. } = &self.presence;
        if !store.note_learned(id, noted.number, noted.learned, &noted.rejects).await? {
            self.presence.stop.stop();
            return Ok(());
        }
        let spent = StageTimes { read: noted.read, predict: noted.learn, write: start.elapsed() };
        self.presence.spend(spent);
        told.progress.read_s += spent.read.as_secs_f64();
        told.progress.predict_s += spent.predict.as_secs_f64();
        told.progress.write_s += spent.write.as_secs_f64();
        Ok(())
    }
}

/// What progress is told.
struct Told {
    begun: Instant,
    progress: Progress,
}

impl Told {
    fn new(job: &Job) -> Self {
        Self { begun: Instant::now(), progress: Progress { records: job.records, ..Progress::default() } }
    }

    /// How far it is now.
    fn now(&mut self, counts: &[AtomicU64; 2]) -> &Progress {
        let [learned, rejected] = [0, 1].map(|place| counts[place].load(Ordering::Relaxed));
        self.progress.reach(learned, rejected, 0, self.begun.elapsed());
        &self.progress
    }
}
