//! The thread on which frames are decoded.

use super::{Decoder, FRAMES_AHEAD, Frame, WAIT_SECONDS_MAX};
use crate::error::VideoErrorKind;
use crate::ffmpeg::process::Ender;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

type Taken = Result<Option<Frame>, VideoErrorKind>;

/// Frames from another thread.
#[derive(Debug)]
pub(super) struct Feed {
    receiver: Option<Receiver<Taken>>,
    thread: Option<JoinHandle<()>>,
    progress: Arc<Progress>,
    ender: Option<Ender>,
}

/// What both threads know.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The index of the first frame that is wanted.
    from: AtomicU64,
    /// How many frames were decoded, wanted or not: that this moves shows that nothing hangs.
    pub(super) decoded: AtomicU64,
}

impl Feed {
    /// Starts a thread that decodes from frame `from`.
    pub(super) fn start(decoder: Box<dyn Decoder>, from: u64) -> Feed {
        let progress = Arc::new(Progress { from: AtomicU64::new(from), decoded: AtomicU64::new(0) });
        let (sender, receiver) = mpsc::sync_channel(FRAMES_AHEAD);
        let ender = decoder.ender();
        let thread = {
            let progress = Arc::clone(&progress);
            std::thread::spawn(move || run(decoder, &sender, &progress))
        };
        Feed { receiver: Some(receiver), thread: Some(thread), progress, ender }
    }

    /// From now on, frames before `from` are of no interest.
    pub(super) fn want(&self, from: u64) {
        self.progress.from.store(from, Ordering::Relaxed);
    }

    /// Waits for the next frame.
    pub(super) fn take(&self) -> Taken {
        let Some(receiver) = &self.receiver else { return Ok(None) };
        loop {
            let before = self.progress.decoded.load(Ordering::Relaxed);
            match receiver.recv_timeout(Duration::from_secs(WAIT_SECONDS_MAX)) {
                Ok(taken) => return taken,
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if self.progress.decoded.load(Ordering::Relaxed) == before => {
                    return Err(VideoErrorKind::Hung { seconds: WAIT_SECONDS_MAX });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.receiver = None;
        if let Some(ender) = &self.ender {
            ender.end();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut decoder: Box<dyn Decoder>, sender: &SyncSender<Taken>, progress: &Progress) {
    loop {
        let from = progress.from.load(Ordering::Relaxed);
        let taken = decoder.next(from, &progress.decoded);
        let is_last = !matches!(taken, Ok(Some(_)));
        if sender.send(taken).is_err() || is_last {
            return;
        }
    }
}
