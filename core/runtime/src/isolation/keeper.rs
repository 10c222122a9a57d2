//! The process of a plugin, kept by a thread of its own: started, ended when a call takes too long, and buried.
//!
//! One thread does all of it, because Linux takes the end of the thread that started a process for the end of its parent
//! (`prctl(2)`, `PR_SET_PDEATHSIG`), and because it can wait for a deadline while the caller waits for an answer.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Ended, Limits};

/// How long a process that has closed its pipe, or is to close its plugin, may take to end by itself.
const END_TIME_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How late this thread may come to look until the time counts for nobody: the machine slept, or was very busy.
const LATE_MAX: Duration = Duration::from_secs(1);
/// How much one process may tell on standard error; what it tells beyond is dropped.
const TOLD_BYTES_MAX: usize = 1 << 20;
/// How much of the end of it is searched for words about memory.
const TAIL_BYTES_MAX: usize = 2_000;
/// What those who can't get memory say before they end: Rust's standard library, and C++'s.
const MEMORY_WORDS: [&str; 2] = ["memory allocation of ", "std::bad_alloc"];
/// A process whose memory came to this part of its limit is taken to have wanted more.
const MEMORY_PART: f64 = 0.9;

/// Where to speak with a process.
pub(super) struct Pipes {
    pub(super) requests: ChildStdin,
    pub(super) answers: ChildStdout,
}

/// How a process came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// It was ended because its call was cancelled.
    Cancelled,
    /// It did something, or was ended for what it did.
    Ended(Ended),
}

enum Order {
    /// Start a process, and end the one that there is.
    Start(SyncSender<io::Result<Pipes>>),
    /// End the process if it is in a call.
    Cancel,
    /// Say how the process ended; one that still runs is ended, at once if something is wrong with it.
    Bury(Option<Ended>, SyncSender<End>),
}

/// A call must have returned.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    allowed: Duration,
}

/// Keeps the process of a plugin. When it is dropped, the process closes its plugin, and ends.
pub(super) struct Keeper {
    orders: Sender<Order>,
    deadline: Arc<Mutex<Option<Deadline>>>,
    cancelled: Arc<AtomicBool>,
}

impl Keeper {
    /// `command` makes the command that starts the process.
    pub(super) fn new(command: impl Fn() -> Command + Send + 'static, limits: Limits) -> io::Result<Self> {
        let (orders, ordered) = mpsc::channel();
        let (deadline, cancelled) = (Arc::default(), Arc::default());
        let kept = Kept {
            command: Box::new(command),
            limits,
            deadline: Arc::clone(&deadline),
            cancelled: Arc::clone(&cancelled),
            process: None,
        };
        std::thread::Builder::new().name("isolation".to_owned()).spawn(move || kept.keep(&ordered))?;
        Ok(Self { orders, deadline, cancelled })
    }

    /// Starts a process.
    pub(super) fn start(&self) -> io::Result<Pipes> {
        self.ask(Order::Start).unwrap_or_else(|| Err(io::Error::other("its keeper has ended")))
    }

    /// A call begins that may take so long.
    pub(super) fn begin(&self, allowed: Duration) {
        *lock(&self.deadline) = Some(Deadline { at: Instant::now() + allowed, allowed });
        // Cancelled before there was a call to cancel.
        if self.is_cancelled() {
            self.cancel();
        }
    }

    /// A call has returned; whether it did in time.
    pub(super) fn finish(&self) -> bool {
        lock(&self.deadline).take().is_some()
    }

    /// Whether calls are to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Ends the call that is under way, if there is one, and those to come; or lets later ones go on.
    pub(super) fn set_cancelled(&self, cancelled: bool) {
        self.cancelled.store(cancelled, Ordering::SeqCst);
        if cancelled {
            self.cancel();
        }
    }

    fn cancel(&self) {
        // Without a keeper there is no process either.
        let _ = self.orders.send(Order::Cancel);
    }

    /// How the process ended, which it does now if it has not: because of `wrong`, if something is.
    pub(super) fn bury(&self, wrong: Option<Ended>) -> End {
        self.ask(|reply| Order::Bury(wrong, reply)).unwrap_or(End::Ended(Ended::Unknown))
    }

    fn ask<T>(&self, order: impl FnOnce(SyncSender<T>) -> Order) -> Option<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.orders.send(order(reply)).ok()?;
        answer.recv().ok()
    }
}

/// The keeper's own side.
struct Kept {
    command: Box<dyn Fn() -> Command + Send>,
    limits: Limits,
    deadline: Arc<Mutex<Option<Deadline>>>,
    cancelled: Arc<AtomicBool>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    /// The end of what it told, once it has closed its standard error.
    tail: Receiver<Vec<u8>>,
    /// Why it was ended, if it was.
    cause: Option<End>,
}

impl Kept {
    fn keep(mut self, orders: &Receiver<Order>) {
        loop {
            let (wait, since) = (self.wait(), Instant::now());
            let order = orders.recv_timeout(wait);
            self.allow_for(since.elapsed().saturating_sub(wait));
            match order {
                Ok(Order::Start(reply)) => {
                    self.close();
                    // Whoever asked waits for it.
                    let _ = reply.send(self.start());
                }
                Ok(Order::Cancel) => {
                    // It may be about a call that is over, and calls may go on meanwhile.
                    if self.cancelled.load(Ordering::SeqCst) && lock(&self.deadline).take().is_some() {
                        self.end(End::Cancelled);
                    }
                }
                Ok(Order::Bury(wrong, reply)) => {
                    if let Some(wrong) = wrong {
                        self.end(End::Ended(wrong));
                    }
                    let _ = reply.send(self.bury());
                }
                Err(RecvTimeoutError::Timeout) => self.end_late(),
                Err(RecvTimeoutError::Disconnected) => return self.close(),
            }
        }
    }

    /// Until when nothing can be late. A call that begins after this was asked has at least as long.
    fn wait(&self) -> Duration {
        let deadline = *lock(&self.deadline);
        deadline.map_or(self.limits.call_time_max, |deadline| {
            deadline.at.saturating_duration_since(Instant::now()).min(self.limits.call_time_max)
        })
    }

    /// Time in which this process did not get to look is not the plugin's.
    fn allow_for(&self, late: Duration) {
        if late > LATE_MAX
            && let Some(deadline) = &mut *lock(&self.deadline)
        {
            deadline.at += late;
        }
    }

    /// Ends a process whose call takes longer than it may.
    fn end_late(&mut self) {
        let late = lock(&self.deadline).take_if(|deadline| deadline.at <= Instant::now());
        if let Some(deadline) = late {
            self.end(End::Ended(Ended::Late(deadline.allowed)));
        }
    }

    fn end(&mut self, cause: End) {
        if let Some(process) = &mut self.process {
            // It may have ended.
            let _ = process.child.kill();
            process.cause.get_or_insert(cause);
        }
    }

    fn start(&mut self) -> io::Result<Pipes> {
        let mut command = (self.command)();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = Pipes {
            requests: child.stdin.take().expect("standard input is piped"),
            answers: child.stdout.take().expect("standard output is piped"),
        };
        let stderr = child.stderr.take().expect("standard error is piped");
        let (sender, tail) = mpsc::channel();
        std::thread::Builder::new().name("isolation-told".to_owned()).spawn(move || {
            // Whoever asked may no longer want to know.
            let _ = sender.send(pass_on(stderr));
        })?;
        self.process = Some(Process { child, tail, cause: None });
        Ok(pipes)
    }

    /// Lets a process end in good order: it finds its pipe closed, and closes its plugin.
    fn close(&mut self) {
        if let Some(process) = self.process.take() {
            process.gone(END_TIME_MAX);
        }
    }

    fn bury(&mut self) -> End {
        *lock(&self.deadline) = None;
        let Some(mut process) = self.process.take() else { return End::Ended(Ended::Unknown) };
        let cause = process.cause.take();
        let tail = process.told();
        let gone = process.gone(END_TIME_MAX);
        cause.unwrap_or_else(|| End::Ended(self.judge(&gone, &tail)))
    }

    /// How a process ended that nobody ended.
    fn judge(&self, gone: &Gone, tail: &[u8]) -> Ended {
        let Some(status) = gone.status else { return Ended::Unknown };
        let bytes_max = self.limits.memory_bytes_max;
        let told = String::from_utf8_lossy(tail);
        let is_full = gone.bytes.is_some_and(|bytes| bytes as f64 >= bytes_max as f64 * MEMORY_PART);
        if is_full || MEMORY_WORDS.iter().any(|words| told.contains(words)) {
            return Ended::Memory { bytes_max };
        }
        #[cfg(unix)]
        if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Ended::Signal { number };
        }
        status.code().map_or(Ended::Unknown, Ended::Exit)
    }
}

/// What is known of a process that has ended.
struct Gone {
    status: Option<ExitStatus>,
    /// The most memory that it held at a time.
    bytes: Option<u64>,
}

impl Process {
    /// Waits until it has closed its standard error, and gives the end of what it told.
    fn told(&self) -> Vec<u8> {
        self.tail.recv_timeout(END_TIME_MAX).unwrap_or_default()
    }

    /// Waits for its end, and ends it after a while.
    fn gone(mut self, patience: Duration) -> Gone {
        let begun = Instant::now();
        loop {
            if let Some(gone) = reap(&mut self.child, false) {
                return gone;
            }
            if begun.elapsed() >= patience {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        // It may have ended meanwhile.
        let _ = self.child.kill();
        reap(&mut self.child, true).unwrap_or(Gone { status: None, bytes: None })
    }
}

/// Asks how a process ended: waits for its end if `wait`, and gives nothing while it has not.
#[cfg(unix)]
fn reap(child: &mut Child, wait: bool) -> Option<Gone> {
    let (mut status, options) = (0, if wait { 0 } else { libc::WNOHANG });
    #[expect(unsafe_code, reason = "the standard library does not say how much memory a process had")]
    // SAFETY: plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    #[expect(unsafe_code, reason = "the standard library does not say how much memory a process had")]
    // SAFETY: both places are this function's own. The process is this one's child, and is asked by nobody else.
    let found = unsafe { libc::wait4(child.id().cast_signed(), &raw mut status, options, &raw mut usage) };
    match found {
        0 => None,
        -1 => Some(Gone { status: None, bytes: None }),
        _ => {
            // Kilobytes, but for macOS.
            let unit = if cfg!(target_vendor = "apple") { 1 } else { 1_024 };
            let bytes = u64::try_from(usage.ru_maxrss).ok().map(|kept| kept.saturating_mul(unit));
            let status = std::os::unix::process::ExitStatusExt::from_raw(status);
            Some(Gone { status: Some(status), bytes })
        }
    }
}

/// Asks how a process ended: waits for its end if `wait`, and gives nothing while it has not.
#[cfg(not(unix))]
fn reap(child: &mut Child, wait: bool) -> Option<Gone> {
    let status = if wait { child.wait().map(Some) } else { child.try_wait() };
    match status {
        Ok(None) => None,
        Ok(status) => Some(Gone { status, bytes: None }),
        Err(_) => Some(Gone { status: None, bytes: None }),
    }
}

/// Passes on what a process tells, up to a limit, and gives the end of it.
fn pass_on(mut told: ChildStderr) -> Vec<u8> {
    let (mut kept, mut piece, mut passed) = (Vec::new(), [0; TAIL_BYTES_MAX], 0);
    while let Ok(bytes @ 1..) = told.read(&mut piece) {
        if passed < TOLD_BYTES_MAX {
            // Should nobody listen, it is not needed.
            let _ = io::stderr().write_all(&piece[..bytes]);
            passed += bytes;
        }
        kept.extend_from_slice(&piece[..bytes]);
        let surplus = kept.len().saturating_sub(TAIL_BYTES_MAX);
        kept.drain(..surplus);
    }
    kept
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
