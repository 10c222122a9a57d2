//! A worker as the database sees it: alive while it says so, and wanted while its job is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foretell_store::job::{JobState, StageTimes, WorkerId};
use foretell_store::open::Store;

use crate::score::ScoreError;
use crate::work::Stop;

/// How often a worker looks whether it is still wanted.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a worker says that it is alive, in turns of [`LOOK_EVERY`].
const HEARTBEAT_TURNS: u32 = 4;

/// A worker that was entered in the database, and stops when it is not wanted any more.
#[derive(Clone)]
pub(crate) struct Presence {
    pub(crate) store: Store,
    pub(crate) id: WorkerId,
    pub(crate) stop: Stop,
    /// Where the time went that no heartbeat has told yet.
    times: Arc<Mutex<StageTimes>>,
    /// Whether others took it for dead.
    lost: Arc<AtomicBool>,
}

impl Presence {
    pub(crate) fn new(store: &Store, id: WorkerId, stop: &Stop) -> Self {
        Self { store: store.clone(), id, stop: stop.clone(), times: Arc::default(), lost: Arc::default() }
    }

    /// Notes where time went.
    pub(crate) fn spend(&self, spent: StageTimes) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.read += spent.read;
        times.predict += spent.predict;
        times.write += spent.write;
    }

    /// Stops, since others took this worker for dead.
    pub(crate) fn give_up(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.stop.stop();
    }

    /// Whether others took it for dead.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Tells the database that this worker is alive, and where its time went; whether others take it for alive, too.
    async fn heartbeat(&self) -> Result<bool, ScoreError> {
        let times = std::mem::take(&mut *self.times.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(self.store.heartbeat(&self.id, times).await?)
    }

    /// Ends the worker in good order.
    pub(crate) async fn end(&self) -> Result<(), ScoreError> {
        self.heartbeat().await?;
        Ok(self.store.end_worker(&self.id).await?)
    }

    /// Says that this worker is alive, and stops it when its job is paused or cancelled, or when it was taken for dead.
    pub(crate) async fn watch(self) {
        let mut turn = 0;
        while !self.stop.is_stopped() {
            tokio::time::sleep(LOOK_EVERY).await;
            turn += 1;
            // A database that cannot be read or written is the matter of the other stages.
            let alive = turn % HEARTBEAT_TURNS != 0 || self.heartbeat().await.unwrap_or(true);
            let state = self.store.job_state(self.id.job).await.ok().flatten();
            if !alive {
                self.give_up();
            } else if state.is_some_and(|state| !is_wanted(state)) {
                self.stop.stop();
            }
        }
    }
}

/// Whether workers of a job in this state go on. The last chunk of another worker makes it done.
fn is_wanted(state: JobState) -> bool {
    matches!(state, JobState::Ready | JobState::Done | JobState::Failed)
}
