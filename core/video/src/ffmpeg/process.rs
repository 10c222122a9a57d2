//! A running ffmpeg: what it says, and that it ends.

use crate::error::VideoErrorKind;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The most bytes of a line that are kept.
const LINE_BYTES_MAX: u64 = 1_000;
/// How long ffmpeg may take to end once it has closed its output, in seconds.
const ENDING_SECONDS_MAX: u64 = 10;
/// How often it is looked whether it has ended, in milliseconds.
const LOOK_MILLISECONDS: u64 = 2;

/// A running ffmpeg. It is ended when this is dropped.
pub(crate) struct Process {
    child: Arc<Mutex<Child>>,
    said: Arc<Said>,
    listener: Option<JoinHandle<()>>,
}

/// Who ends an ffmpeg that somebody else waits for.
#[derive(Clone, Debug)]
pub(crate) struct Ender(Arc<Mutex<Child>>);

/// What ffmpeg has said so far.
#[derive(Default)]
struct Said {
    state: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    /// `Duration: 00:00:08.84` of the input.
    seconds: Option<f64>,
    /// The input has sound.
    has_sound: bool,
    /// The headers of input and output have been said.
    has_headers: bool,
    /// What went wrong: the first and the last lines of severity `error` and above that are not consequences.
    errors: VecDeque<String>,
    is_over: bool,
}

/// The most lines of errors that are kept.
const ERRORS_MAX: usize = 8;

/// Pipes to and from a [`Process`].
pub(crate) struct Pipes {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
}

impl Process {
    /// Starts `command`, whose standard error is a pipe.
    pub(crate) fn start(mut command: Command) -> Result<(Process, Pipes), VideoErrorKind> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| {
            VideoErrorKind::Ffmpeg(format!("`{}` cannot be run: {error}", command.get_program().display()))
        })?;
        let pipes = Pipes { stdin: child.stdin.take(), stdout: child.stdout.take() };
        let said = Arc::new(Said::default());
        let listener = child.stderr.take().map(|stderr| {
            let said = Arc::clone(&said);
            thread::spawn(move || said.listen(stderr))
        });
        Ok((Process { child: Arc::new(Mutex::new(child)), said, listener }, pipes))
    }

    pub(crate) fn ender(&self) -> Ender {
        Ender(Arc::clone(&self.child))
    }

    /// What ffmpeg says of the input. It is waited for until both headers have been said.
    pub(crate) fn announced(&self, patience: Duration) -> Announced {
        let lines = self.said.lock();
        let waiting = |lines: &mut Lines| !lines.has_headers && !lines.is_over;
        let (lines, _) = self
            .said
            .changed
            .wait_timeout_while(lines, patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        Announced { seconds: lines.seconds, has_sound: lines.has_sound }
    }

    /// Waits until it has ended, for a short time if `at_once`, and says what went wrong.
    pub(crate) fn wait(&mut self, at_once: bool) -> Outcome {
        let start = Instant::now();
        let limit = Duration::from_secs(ENDING_SECONDS_MAX);
        let status = loop {
            match lock(&self.child).try_wait() {
                Ok(Some(status)) => break Some(status),
                Err(_) => break None,
                Ok(None) => {}
            }
            if at_once && start.elapsed() > limit {
                break None;
            }
            thread::sleep(Duration::from_millis(LOOK_MILLISECONDS));
        };
        self.ender().end();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        Outcome { status, error: self.said.lock().errors.back().cloned() }
    }
}

/// What is said of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    /// How long it is: the longer of pictures and sound.
    pub(crate) seconds: Option<f64>,
    pub(crate) has_sound: bool,
}

/// How an ffmpeg has ended.
pub(crate) struct Outcome {
    /// `None` if it had to be ended.
    status: Option<ExitStatus>,
    /// The last error that it told.
    pub(crate) error: Option<String>,
}

impl Outcome {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// What it said, or how it ended.
    pub(crate) fn reason(self) -> String {
        self.error.unwrap_or_else(|| match self.status {
            Some(status) => format!("it ended with {status} and said nothing"),
            None => "it did not end by itself".to_owned(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ender().end();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Ender {
    /// Ends the process, and what it has started, if it still runs.
    pub(crate) fn end(&self) {
        let mut child = lock(&self.0);
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        // A script in the place of ffmpeg has children of its own, which hold the pipes.
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads until the process closes its standard error. Lines of any length and encoding can come: file names stand in them.
    fn listen(&self, stderr: ChildStderr) {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(count) if count > 0 => self.lock().hear(&String::from_utf8_lossy(&line)),
                _ => break,
            }
            self.changed.notify_all();
        }
        self.lock().is_over = true;
        self.changed.notify_all();
    }
}

impl Lines {
    fn hear(&mut self, line: &str) {
        let (context, severity, words) = parts(line.trim_end());
        match severity {
            "info" => {
                if let Some(duration) = words.trim_start().strip_prefix("Duration: ") {
                    self.seconds = self.seconds.or_else(|| seconds(duration));
                }
                self.has_headers |= words.starts_with("Output #");
                let is_stream = words.trim_start().starts_with("Stream #");
                self.has_sound |= !self.has_headers && is_stream && words.contains(": Audio: ");
            }
            "error" | "fatal" | "panic" if !is_consequence(context, words) => {
                if CONSEQUENCES.iter().any(|start| words.starts_with(start)) && !self.errors.is_empty() {
                    return;
                }
                // The last one counts, and a damaged file can have thousands.
                if self.errors.len() == ERRORS_MAX {
                    self.errors.pop_front();
                }
                self.errors.push_back(without_file(words).to_owned());
            }
            _ => {}
        }
    }
}

/// Context, severity and words of a line: `[h264 @ 0x55b3] [error] Invalid NAL unit size`.
fn parts(line: &str) -> (&str, &str, &str) {
    let mut at = 0;
    let mut severity = "";
    while let Some(rest) = line[at..].strip_prefix('[') {
        let Some((inside, _)) = rest.split_once("] ") else { break };
        let context = at;
        at += inside.len() + 3;
        if ["info", "warning", "error", "fatal", "panic", "verbose", "debug"].contains(&inside) {
            severity = inside;
            return (&line[..context], severity, &line[at..]);
        }
    }
    ("", severity, line)
}

/// How lines begin that are said after the one which tells what is wrong.
const CONSEQUENCES: [&str; 5] = [
    "Error opening input",
    "Error opening output",
    "Error parsing options",
    "Error splitting the argument list",
    "Failed to set value",
];

/// Whether the line says what follows from another error, and not what is wrong with the clip.
fn is_consequence(context: &str, words: &str) -> bool {
    // The output's own remarks: nothing was written because nothing was read; times that go backwards.
    context.starts_with("[out#")
        || context.starts_with("[nut")
        || words.starts_with("Error opening input file file:")
}

/// Older versions say which file it was; whoever reads the message knows.
fn without_file(words: &str) -> &str {
    match words.rsplit_once(": ") {
        Some((before, after)) if before.starts_with("file:") => after,
        _ => words,
    }
}

/// `00:00:08.84, start: 0.000000, bitrate: 2390 kb/s` as seconds; `N/A, ...` is nothing.
fn seconds(text: &str) -> Option<f64> {
    let mut parts = text.split(',').next()?.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = hours.trim().parse::<u32>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?;
    let seconds: f64 = seconds.trim().parse().ok()?;
    Some(f64::from(whole) * 60.0 + seconds).filter(|seconds| seconds.is_finite() && *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let cases = [
            (
                "[info]   Duration: 00:01:08.84, start: 0.0",
                ("", "info", "  Duration: 00:01:08.84, start: 0.0"),
            ),
            (
                "[h264 @ 0x55] [error] Invalid size (1 > 2).",
                ("[h264 @ 0x55] ", "error", "Invalid size (1 > 2)."),
            ),
            ("[a @ 0x1] [b @ 0x2] [fatal] [x] y", ("[a @ 0x1] [b @ 0x2] ", "fatal", "[x] y")),
            ("[unfinished", ("", "", "[unfinished")),
            ("plain", ("", "", "plain")),
            ("", ("", "", "")),
        ];
        for (line, expected) in cases {
            assert_eq!(parts(line), expected, "{line}");
        }
    }

    #[test]
    fn durations_are_read() {
        let cases = [
            ("00:00:08.84, start: 0.000000", Some(8.84)),
            ("01:02:03.50, bitrate: N/A", Some(3_723.5)),
            ("N/A, start: 0", None),
            ("99999999999:00:00.00", None),
            ("00:00:00.00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_follows_from_an_error_is_not_told_in_its_place() {
        let mut lines = Lines::default();
        lines.hear("[mov @ 0x1] [error] moov atom not found\n");
        lines.hear("[error] Error opening input file file:a.mp4.\n");
        lines.hear("[fatal] Error opening input files: Invalid data found when processing input\n");
        lines.hear("[out#0/nut @ 0x2] [error] Nothing was written into output file\n");
        assert_eq!(lines.errors.back().map(String::as_str), Some("moov atom not found"));
    }
}
