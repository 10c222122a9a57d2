//! Frames through plugins: decoded, stored, predicted and written down, each stage while the next frames are in the one before.

use std::sync::Arc;

use foretell_jobs::{Answer, Live, Said, Shown};
use foretell_media::Picture;
use foretell_store::open::Store;
use foretell_store::record::{Appender, NewRecord, Outcome, SourceInfo, SourceKind};
use foretell_terminal::Failure;
use foretell_video::Ffmpeg;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;

use crate::DOMAIN;
use crate::footage::{Footage, Frame, KEYS, Refused};

/// Frames that go through the stages together, at most.
const BATCH_FRAMES: usize = 16;
/// Bytes of pictures that do: a frame in 4K has 24 MiB.
const BATCH_BYTES: usize = 48 << 20;
/// Batches that are decoded and wait to be predicted.
const BATCHES_WAITING_MAX: usize = 1;

/// A frame, and what each plugin says of it.
pub struct Watched {
    /// Which frame of the clip.
    pub index: u64,
    /// Its record.
    pub record: i64,
    /// Its file, as the store names it.
    pub payload: String,
    /// What it shows.
    pub picture: Arc<Picture>,
    /// One answer for each of the plugins, in their order.
    pub answers: Vec<Answer>,
}

/// What became of a clip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Frames that were read, stored and predicted.
    pub frames: u64,
    /// Frames that were stored before.
    pub known: u64,
    /// What could not be read.
    pub refused: Vec<Refused>,
}

/// Has plugins look at each frame of a clip. `then` hears of the frames in their order.
///
/// What a plugin says of a frame is stored before `then` hears of it. Of the clip, so many frames are in memory as the stages
/// hold: a few batches.
///
/// # Errors
/// The database can't be written, or a plugin can't predict at all. What was stored before stays. A frame that can't be read or
/// predicted is no error.
pub async fn watch(
    store: &Store,
    footage: &Footage,
    ffmpeg: &Ffmpeg,
    lives: &[Live],
    mut then: impl FnMut(Watched) -> Result<(), Failure>,
) -> Result<Gone, Failure> {
    let name = footage.path.display().to_string();
    let source = SourceInfo { kind: SourceKind::File, name, hash: None, mapping: None };
    let keys = KEYS.map(str::to_owned).to_vec();
    let mut appender = Appender::begin(store, DOMAIN, keys, source).await.map_err(append_failure)?;
    let (to_store, mut decoded) = mpsc::channel(BATCHES_WAITING_MAX);
    let (reading, program) = (footage.clone(), ffmpeg.clone());
    let reading = tokio::task::spawn_blocking(move || read(&reading, &program, &to_store));
    let mut gone = Gone::default();
    let mut asked = FuturesOrdered::new();
    let mut is_open = true;
    loop {
        tokio::select! {
            batch = decoded.recv(), if is_open && asked.len() < batches_at_once() => match batch {
                Some(batch) => asked.push_back(ask(lives, keep(&mut appender, batch, &mut gone).await?)),
                None => is_open = false,
            },
            Some(said) = asked.next() => {
                let (frames, said) = said?;
                for (live, said) in lives.iter().zip(&said) {
                    live.write(said).await.map_err(|error| score_failure(&error))?;
                }
                told(frames, &said).try_for_each(&mut then)?;
            }
            else => break,
        }
    }
    reading.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    appender.finish().await.map_err(append_failure)?;
    Ok(gone)
}

/// Batches that are predicted at once: one for each core.
pub fn batches_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What comes from the decoder.
type Decoded = Vec<Result<Frame, Refused>>;

/// Reads the whole clip, in batches, until nobody takes them any more.
fn read(footage: &Footage, ffmpeg: &Ffmpeg, to_store: &mpsc::Sender<Decoded>) -> Result<(), Failure> {
    let mut batch = Decoded::new();
    let mut bytes = 0;
    for frame in footage.frames(ffmpeg)? {
        bytes += frame.as_ref().map_or(0, |frame| frame.picture.samples.len());
        batch.push(frame);
        if batch.len() >= BATCH_FRAMES || bytes >= BATCH_BYTES {
            bytes = 0;
            if to_store.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        // Whoever is gone does not want it.
        let _ = to_store.blocking_send(batch);
    }
    Ok(())
}

/// A frame that is stored.
struct Kept {
    index: u64,
    record: i64,
    payload: String,
    picture: Arc<Picture>,
}

impl Kept {
    fn shown(&self) -> Shown {
        Shown { record: self.record, picture: Some(Arc::clone(&self.picture)) }
    }
}

async fn keep(appender: &mut Appender, batch: Decoded, gone: &mut Gone) -> Result<Vec<Kept>, Failure> {
    let mut frames = Vec::with_capacity(batch.len());
    for frame in batch {
        match frame {
            Ok(frame) => frames.push(frame),
            Err(refused) => gone.refused.push(refused),
        }
    }
    let records: Vec<NewRecord> = frames.iter().map(|frame| frame.record.clone()).collect();
    let outcomes = appender.append(records).await.map_err(append_failure)?;
    let kept = frames.into_iter().zip(outcomes).map(|(frame, outcome)| {
        let record = match outcome {
            Outcome::Stored(record) => record,
            // Of this name there is this content alone.
            Outcome::AlreadyStored(record) | Outcome::Conflict(record) => {
                gone.known += 1;
                record
            }
        };
        gone.frames += 1;
        Kept { index: frame.index, record, payload: frame.record.payload, picture: frame.picture }
    });
    Ok(kept.collect())
}

/// Asks all plugins about some frames.
async fn ask(lives: &[Live], frames: Vec<Kept>) -> Result<(Vec<Kept>, Vec<Said>), Failure> {
    let shown: Vec<Shown> = frames.iter().map(Kept::shown).collect();
    let said = futures::future::try_join_all(lives.iter().map(|live| live.predict(&shown))).await;
    Ok((frames, said.map_err(|error| score_failure(&error))?))
}

/// What was said of each frame, by each plugin.
fn told(frames: Vec<Kept>, said: &[Said]) -> impl Iterator<Item = Watched> {
    let mut answers: Vec<std::collections::HashMap<i64, Answer>> =
        said.iter().map(|said| said.answers().collect()).collect();
    frames.into_iter().map(move |Kept { index, record, payload, picture }| {
        let silent = || Answer::Refused { field: None, reason: "there is no answer".to_owned() };
        let answers = answers.iter_mut().map(|said| said.remove(&record).unwrap_or_else(silent)).collect();
        Watched { index, record, payload, picture, answers }
    })
}

/// Tells why records could not be stored.
pub fn append_failure(error: foretell_store::record::AppendError) -> Failure {
    let hint = error.kind.hint();
    Failure::new(&error).hint(hint)
}

/// Tells why records could not be predicted.
pub fn score_failure(error: &foretell_jobs::ScoreError) -> Failure {
    Failure::new(error).hint(error.hint())
}
