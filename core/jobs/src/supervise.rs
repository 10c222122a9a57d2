//! Worker processes, looked after: started, watched, ended when a plugin hangs, and started again when one dies.
//!
//! A plugin is native code. One that crashes takes its process with it, and one that hangs cannot be stopped from within. So
//! the plugin runs in worker processes, which say on their standard output when they call it. When a process dies during
//! a call, or the call takes too long, the chunk is given back and tried record by record; so the record that does it is found,
//! and set aside with the reason.
//!
//! **Invariant:** a worker ends when this process does, however that ends: its standard input is closed then.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use foretell_runtime::exit;
use foretell_store::job::{Blame, Job, Poison, WorkerId};
use foretell_store::open::Store;
use foretell_store::time::format_duration;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::create::{end_gone_workers, find};
use crate::event::Event;
use crate::score::ScoreError;
use crate::work::Stop;

/// How often progress is told, and calls are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How late a tick may be until the time counts for nobody.
const LATE_MAX: Duration = Duration::from_secs(1);
/// How often the database is asked what others have done, in ticks.
const OTHERS_EVERY_TICKS: u32 = 10;
/// How long a worker that was told to stop may take until it is ended.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Workers that die one after the other, without a chunk being done and no call to blame, until it is given up.
const DEATHS_MAX: u32 = 5;
/// Records that end a worker one after the other, without a single one being predicted, until it is given up.
pub(crate) const LOST_MAX: u32 = 32;
/// What to do then.
pub(crate) const LOST_HINT: &str = "see whether the plugin works on this machine";
/// Workers of one job on one machine.
pub const WORKERS_MAX: usize = 64;

/// Why a job did not come to its end.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// The database failed, or a job cannot be worked on.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// A worker could not be started.
    #[error("cannot start a worker")]
    Start(#[source] std::io::Error),
    /// A worker cannot go on, and neither could another one.
    #[error("{message}")]
    Worker {
        /// What it said.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Workers keep dying, and no record is to blame.
    #[error("{DEATHS_MAX} workers in a row ended before a chunk was done; the last one {how}")]
    Deaths {
        /// How the last one ended.
        how: String,
    },
    /// It does not seem to be the records: the plugin predicts none of them.
    #[error("{LOST_MAX} records in a row could not be predicted; of the last one: {reason}")]
    Lost {
        /// What was the matter with the last one.
        reason: String,
    },
}

impl SuperviseError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Score(error) => error.hint(),
            Self::Worker { hint, .. } => hint.as_deref(),
            Self::Deaths { .. } => {
                Some("see whether memory ran out, then resume the job; what was done is kept")
            }
            Self::Lost { .. } => Some(LOST_HINT),
            Self::Start(_) => None,
        }
    }
}

/// How far a job is, as this process has seen it.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Progress {
    /// Records of the job.
    pub records: u64,
    /// Those that are predicted, or learned.
    pub predicted: u64,
    /// Those that were set aside.
    pub rejected: u64,
    /// Records that were predicted, learned or set aside since this process began, by whomever.
    pub done: u64,
    /// Seconds since this process began.
    pub seconds: f64,
    /// Records a second since then; those that were done before do not count.
    pub records_per_s: f64,
    /// Seconds that are left at this rate; `None` while there is none.
    pub left_s: Option<f64>,
    /// Seconds in which records were read, by all workers together.
    pub read_s: f64,
    /// Seconds in which the plugin predicted or learned.
    pub predict_s: f64,
    /// Seconds in which predictions were written.
    pub write_s: f64,
}

impl Progress {
    /// Notes how far it is `after` so long; `before` records were done when it began.
    pub(crate) fn reach(&mut self, predicted: u64, rejected: u64, before: u64, after: Duration) {
        (self.predicted, self.rejected, self.seconds) = (predicted, rejected, after.as_secs_f64());
        let all = predicted + rejected;
        self.done = all.saturating_sub(before);
        self.records_per_s = self.done as f64 / self.seconds.max(f64::MIN_POSITIVE);
        let left = self.records.saturating_sub(all) as f64;
        self.left_s = (self.done > 0).then(|| left / self.records_per_s);
    }
}

/// Runs worker processes on a job until it is done, paused or cancelled, or until `stop`; returns the job as it is then.
///
/// `command` makes the command of a worker, a program that calls [`work`](crate::work()) with the same database, tells its
/// events as JSON on its standard output, and stops when its standard input is closed. `progress` hears how far it is.
pub async fn supervise(
    store: &Store,
    job: &Job,
    workers: usize,
    command: impl Fn() -> Command,
    stop: &Stop,
    mut progress: impl FnMut(&Progress),
) -> Result<Job, SuperviseError> {
    let (sender, mut told) = mpsc::unbounded_channel();
    let mut crew = Crew {
        store,
        job,
        command: &command,
        sender,
        workers: Vec::new(),
        started: 0,
        deaths: 0,
        lost: 0,
        begun: Instant::now(),
        progress: Progress {
            records: job.records,
            predicted: job.predicted,
            rejected: job.rejected,
            ..Progress::default()
        },
    };
    let outcome = crew.run(workers.clamp(1, WORKERS_MAX), &mut told, stop, &mut progress).await;
    crew.dismiss().await;
    outcome?;
    Ok(find(store, job.id).await?)
}

/// A worker process.
struct Member {
    /// Its place in the order of starting.
    number: usize,
    child: Child,
    /// Closing it tells the worker to stop.
    stdin: Option<ChildStdin>,
    id: Option<WorkerId>,
    call: Option<Call>,
    /// Whether it was taken for dead, once it has come to its end in good order.
    ended: Option<bool>,
    failed: Option<SuperviseError>,
}

/// Who ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guilt {
    /// The plugin, by what it did.
    Plugin,
    /// Somebody killed it, perhaps the system for want of memory, which may be the plugin's doing.
    Killer,
    /// Not the plugin.
    Nobody,
}

/// A call of the plugin that has not returned.
struct Call {
    chunk: i64,
    record: Option<i64>,
    since: Instant,
}

struct Crew<'a, C> {
    store: &'a Store,
    job: &'a Job,
    command: &'a C,
    sender: mpsc::UnboundedSender<(usize, Option<Event>)>,
    workers: Vec<Member>,
    started: usize,
    deaths: u32,
    lost: u32,
    begun: Instant,
    progress: Progress,
}

impl<C: Fn() -> Command> Crew<'_, C> {
    async fn run(
        &mut self,
        workers: usize,
        told: &mut mpsc::UnboundedReceiver<(usize, Option<Event>)>,
        stop: &Stop,
        progress: &mut impl FnMut(&Progress),
    ) -> Result<(), SuperviseError> {
        for _ in 0..workers {
            self.start()?;
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut ticks) = (Instant::now(), 0_u32);
        while !self.workers.is_empty() {
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                Some((number, event)) = told.recv() => self.hear(number, event).await?,
                _ = tick.tick() => {
                    // What was said before the clock went on comes first.
                    while let Ok((number, event)) = told.try_recv() {
                        self.hear(number, event).await?;
                    }
                    self.allow_for(last.elapsed());
                    last = Instant::now();
                    self.end_hanging().await?;
                    ticks += 1;
                    if ticks.is_multiple_of(OTHERS_EVERY_TICKS) {
                        self.count().await;
                    }
                    self.tell(progress);
                }
            }
        }
        self.count().await;
        self.tell(progress);
        Ok(())
    }

    fn start(&mut self) -> Result<(), SuperviseError> {
        let mut command = (self.command)();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(SuperviseError::Start)?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let stdin = child.stdin.take();
        self.started += 1;
        let number = self.started;
        tokio::spawn(listen(number, stdout, self.sender.clone()));
        self.workers.push(Member { number, child, stdin, id: None, call: None, ended: None, failed: None });
        Ok(())
    }

    /// Takes note of what a worker says; of nothing, when it has closed its standard output.
    async fn hear(&mut self, number: usize, event: Option<Event>) -> Result<(), SuperviseError> {
        let Some(event) = event else { return self.ended(number).await };
        let Some(member) = self.workers.iter_mut().find(|member| member.number == number) else {
            return Ok(());
        };
        match event {
            Event::Entered { worker } => member.id = Some(WorkerId { job: self.job.id, worker }),
            Event::Called { chunk, record } => {
                let returned = member.call.replace(Call { chunk, record, since: Instant::now() });
                self.praise(returned);
            }
            Event::Returned => {
                let returned = member.call.take();
                self.praise(returned);
            }
            Event::Done { predicted, rejected, read, predict, write } => {
                self.deaths = 0;
                self.progress.predicted += predicted;
                self.progress.rejected += rejected;
                self.progress.read_s += read;
                self.progress.predict_s += predict;
                self.progress.write_s += write;
            }
            Event::Ended { lost } => member.ended = Some(lost),
            Event::Failed { message, hint } => member.failed = Some(SuperviseError::Worker { message, hint }),
        }
        Ok(())
    }

    /// Time in which this process did not get to look, because it was suspended or waited for the database, is not the
    /// plugins'.
    fn allow_for(&mut self, since_last: Duration) {
        let late = since_last.saturating_sub(TICK);
        if late > LATE_MAX {
            for call in self.workers.iter_mut().filter_map(|member| member.call.as_mut()) {
                call.since += late;
            }
        }
    }

    /// Notes that a call has returned, if there was one.
    fn praise(&mut self, returned: Option<Call>) {
        if returned.is_some_and(|call| call.record.is_some()) {
            self.lost = 0;
        }
    }

    /// Ends workers whose plugin takes longer than it may.
    async fn end_hanging(&mut self) -> Result<(), SuperviseError> {
        let timeout = Duration::from_micros(self.job.timeout.cast_unsigned());
        let hangs = |member: &Member| member.call.as_ref().is_some_and(|call| call.since.elapsed() > timeout);
        while let Some(place) = self.workers.iter().position(hangs) {
            let member = self.workers.swap_remove(place);
            let reason = format!("the plugin did not answer within {}", format_duration(self.job.timeout));
            self.bury(member, &reason, Guilt::Plugin).await?;
            self.start()?;
        }
        Ok(())
    }

    /// A worker has closed its standard output: it has come to its end, or died.
    async fn ended(&mut self, number: usize) -> Result<(), SuperviseError> {
        let Some(place) = self.workers.iter().position(|member| member.number == number) else {
            return Ok(());
        };
        let mut member = self.workers.swap_remove(place);
        // A process that has closed its standard output and goes on is of no use.
        let status = match tokio::time::timeout(STOP_GRACE, member.child.wait()).await {
            Ok(status) => Some(status.map_err(SuperviseError::Start)?),
            Err(_) => None,
        };
        if let Some(failed) = member.failed.take() {
            // What made it fail may make this fail, too; then others find that the process is gone.
            if let Some(id) = &member.id
                && let Err(error) = self.store.end_worker(id).await
            {
                tracing::debug!(%error, "a worker that failed could not be ended in the database");
            }
            return Err(failed);
        }
        let (how, guilt) = match (member.ended, status) {
            (Some(false), _) => return Ok(()),
            (Some(true), _) => ("was taken for dead".to_owned(), Guilt::Nobody),
            (None, Some(status)) => (exit::describe(status), guilt(status)),
            (None, None) => ("closed its standard output".to_owned(), Guilt::Plugin),
        };
        // What a call has done is limited by how often its chunk is tried.
        if guilt != Guilt::Plugin || member.call.is_none() {
            self.deaths += 1;
        }
        self.bury(member, &format!("the process of the plugin {how}"), guilt).await?;
        match self.deaths {
            DEATHS_MAX.. => Err(SuperviseError::Deaths { how }),
            _ => self.start(),
        }
    }

    /// Gives back what a worker leaves, with what is known of why it ended.
    async fn bury(&mut self, mut member: Member, reason: &str, guilt: Guilt) -> Result<(), SuperviseError> {
        // It may have ended already.
        let _ = member.child.kill().await;
        if let (Some(id), Some(call)) = (&member.id, member.call)
            && guilt != Guilt::Nobody
        {
            let problem = reason.to_owned();
            let blame = match (call.record, guilt) {
                (Some(record_id), Guilt::Plugin) => Blame::Record(Poison { record_id, reason: problem }),
                (Some(record_id), _) => Blame::Killed(Poison { record_id, reason: problem }),
                (None, _) => Blame::Chunk { problem },
            };
            self.store.fail_chunk(id, call.chunk, &blame).await.map_err(ScoreError::from)?;
            if let Blame::Record(_) = blame {
                self.lost += 1;
            }
        }
        match (&member.id, guilt) {
            // Its other chunks are as good as ever.
            (Some(id), Guilt::Plugin) => self.store.end_worker(id).await.map_err(ScoreError::from)?,
            (Some(id), _) => self.store.bury_worker(id).await.map_err(ScoreError::from)?,
            (None, _) => end_gone_workers(self.store, self.job.id).await?,
        }
        match self.lost < LOST_MAX {
            true => Ok(()),
            false => Err(SuperviseError::Lost { reason: reason.to_owned() }),
        }
    }

    /// Tells all workers to stop, and ends those that don't.
    async fn dismiss(&mut self) {
        for member in &mut self.workers {
            member.stdin.take();
        }
        let deadline = tokio::time::Instant::now() + STOP_GRACE;
        for mut member in self.workers.drain(..) {
            if tokio::time::timeout_at(deadline, member.child.wait()).await.is_err() {
                let _ = member.child.kill().await;
            }
            if let Some(id) = &member.id
                && let Err(error) = self.store.end_worker(id).await
            {
                tracing::warn!(%error, "a worker could not be ended in the database; others will find that it is gone");
            }
        }
    }

    /// Looks how far the job is, since others may work on it, too. Should the database be busy, what was told last still holds.
    async fn count(&mut self) {
        if let Ok(Some(job)) = self.store.job(self.job.id).await {
            (self.progress.predicted, self.progress.rejected) = (job.predicted, job.rejected);
        }
    }

    fn tell(&mut self, progress: &mut impl FnMut(&Progress)) {
        let Progress { predicted, rejected, .. } = self.progress;
        let before = self.job.predicted + self.job.rejected;
        self.progress.reach(predicted, rejected, before, self.begun.elapsed());
        progress(&self.progress);
    }
}

/// Passes on what a worker says; `None` when it has closed its standard output.
async fn listen(number: usize, stdout: ChildStdout, sender: mpsc::UnboundedSender<(usize, Option<Event>)>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
        // A plugin may print what it likes, too.
        let event = serde_json::from_slice(&line).ok();
        line.clear();
        let Some(event) = event else { continue };
        if sender.send((number, Some(event))).is_err() {
            return;
        }
    }
    let _ = sender.send((number, None));
}

/// Who ended a process that ended so. A signal that no call sends to its own process came from somebody else.
fn guilt(status: ExitStatus) -> Guilt {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            // Illegal instruction, trap, abort, bus error, arithmetic error, segmentation fault, bad system call.
            4..=8 | 11 | 31 => Guilt::Plugin,
            9 => Guilt::Killer,
            _ => Guilt::Nobody,
        };
    }
    // A plugin has no business to end the process, with whatever code.
    let _ = status;
    Guilt::Plugin
}
