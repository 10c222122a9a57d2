//! One process that does one task: started, listened to, and ended when it takes too long.
//!
//! The plugin is in that process, too, and prints what it likes. So what the process says begins with a [`Token`] that it was given on
//! standard input, before the plugin was loaded: what does not is the plugin's. A plugin that searches the memory of its process for the
//! token can still lie; it is native code, and whoever validates it looks for mistakes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use foretell_runtime::exit;
use serde::{Deserialize, Serialize};

use crate::measure::{Measure, Size};
use crate::verdict::Verdict;

/// Longest line of a process that is listened to; the rest of a longer one is another line.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Longest piece of a detail: each of its bytes may take six in JSON.
pub(crate) const DETAIL_BYTES_MAX: usize = LINE_BYTES_MAX as usize / 8;
/// How much of the end of what a process told on standard error is kept.
const TOLD_BYTES_MAX: usize = 2_000;
/// Where a process is told to put temporary files, on Unix and on Windows.
const TEMPORARY: [&str; 3] = ["TMPDIR", "TMP", "TEMP"];
/// How long a process may take to end after it has closed its standard output.
const END_TIME_MAX: Duration = Duration::from_secs(2);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a process of its own is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The plugin's directory.
    pub directory: PathBuf,
    /// Where everything random begins.
    pub seed: u64,
    /// What to do with it.
    pub work: Work,
}

/// What to do with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// A check, by its name.
    Check(String),
    /// Records at random: so many cases, each with a seed, from the task's on.
    Fuzz(u64),
    /// The case of the task's seed, told in detail.
    Reproduce,
    /// What its calls cost.
    Measure(Measure),
}

impl Task {
    /// The task as one argument of a command line.
    ///
    /// # Panics
    /// When the directory's path is not UTF-8. Those who make tasks refuse it before.
    pub fn to_argument(&self) -> String {
        serde_json::to_string(self).expect("the path of a task is text")
    }

    /// Reads what [`to_argument`](Task::to_argument) made.
    ///
    /// # Errors
    /// Any other text.
    pub fn from_argument(argument: &str) -> Result<Self, String> {
        serde_json::from_str(argument).map_err(|error| error.to_string())
    }
}

/// What a process says on its standard output, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// A case begins.
    Case { seed: u64 },
    /// A case is no clean answer and no clean error.
    Fault { seed: u64, reason: String },
    /// A piece of what a case is about, in words; behind the one before.
    Detail { text: String },
    /// What calls of one size cost.
    Measured(Size),
    /// Work goes on.
    Working,
    /// It has come to its end.
    Done(Verdict),
}

/// What the lines of one process begin with, and those of no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// One that nobody can guess.
    fn new() -> Self {
        // Each state has keys of its own, from the system's source of what is random.
        let word = || RandomState::new().hash_one(0);
        Self(format!("{:016x}{:016x}", word(), word()))
    }

    /// Reads the one that this process was given: the first line of its standard input.
    pub(crate) fn read(mut input: impl BufRead) -> std::io::Result<Self> {
        let mut line = String::new();
        input.read_line(&mut line)?;
        Ok(Self(line.trim_end().to_owned()))
    }

    /// A message as a line of its own, whatever the plugin printed before it.
    pub(crate) fn line(&self, message: &Message) -> String {
        let message = serde_json::to_string(message).expect("messages are numbers and texts");
        format!("\n{}{message}\n", self.0)
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// As it should.
    Done(Verdict),
    /// Before it was done.
    Died(String),
    /// It was ended, because nothing was heard of it for too long.
    Silent,
}

/// Runs a process, and hands on what it says until it ends.
///
/// # Errors
/// The system did not start it.
pub(crate) fn run(
    mut command: Command,
    timeout: Duration,
    mut hear: impl FnMut(Message),
) -> std::io::Result<End> {
    // A process that crashes leaves its temporary files behind, so they lie where they are removed with everything else.
    let scratch = tempfile::TempDir::new()?;
    for name in TEMPORARY {
        command.env(name, scratch.path());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // It ends when this is closed, however this process ends.
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let token = Token::new();
    // One that has ended already is seen to.
    let _ = writeln!(stdin, "{}", token.0);
    let stdout = child.stdout.take().expect("standard output is piped");
    let stderr = child.stderr.take().expect("standard error is piped");
    let (sender, said) = mpsc::channel();
    let (tail_sender, tail) = mpsc::channel();
    std::thread::spawn(move || {
        listen(stdout, &token, |message| sender.send(message).is_ok());
    });
    std::thread::spawn(move || {
        // Whoever asked may no longer want to know.
        let _ = tail_sender.send(end_of(stderr));
    });
    let end = follow(&mut child, &said, timeout, &mut hear);
    // It may have ended.
    let _ = child.kill();
    let status = child.wait()?;
    drop(stdin);
    Ok(match end {
        Some(end) => end,
        None => {
            let told = tail.recv_timeout(END_TIME_MAX).unwrap_or_default();
            let last = told.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let words = last.map(|line| format!("; the last that it told: {line}")).unwrap_or_default();
            // A signal needs no such word: no process asks for one.
            let unasked = status.code().map_or("", |_| ", and nobody had asked for that");
            End::Died(format!("its process {}{unasked}{words}", exit::describe(status)))
        }
    })
}

/// Follows a process to its end; `None` when it has died, or is about to.
fn follow(
    child: &mut Child,
    said: &Receiver<Message>,
    timeout: Duration,
    hear: &mut impl FnMut(Message),
) -> Option<End> {
    loop {
        match said.recv_timeout(timeout) {
            Ok(Message::Done(verdict)) => return Some(End::Done(verdict)),
            Ok(message) => hear(message),
            Err(RecvTimeoutError::Timeout) => return Some(End::Silent),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let closed = Instant::now();
    while closed.elapsed() < END_TIME_MAX && child.try_wait().is_ok_and(|status| status.is_none()) {
        std::thread::sleep(LOOK_EVERY);
    }
    None
}

/// Passes on what a process says. A plugin may print what it likes, too.
fn listen(stdout: impl Read, token: &Token, mut pass: impl FnMut(Message) -> bool) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let said = line.strip_prefix(token.0.as_bytes());
        let message = said.and_then(|said| serde_json::from_slice(said).ok());
        line.clear();
        if message.is_some_and(|message| !pass(message)) {
            return;
        }
    }
}

/// The end of what is told, once nothing more comes.
fn end_of(mut told: impl Read) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; TOLD_BYTES_MAX]);
    while let Ok(bytes @ 1..) = told.read(&mut piece) {
        kept.extend_from_slice(&piece[..bytes]);
        let surplus = kept.len().saturating_sub(TOLD_BYTES_MAX);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn every_end_is_told_apart() {
        let done = r#"read t; printf 'no end of line'; printf "\n$t"'{"case":{"seed":7}}'"\n$t"'{"done":{"outcome":"passed","reason":"r","digest":null}}'"\n""#;
        // A plugin does not know what the lines of its process begin with.
        let forged =
            r#"printf '\n{"case":{"seed":7}}\n{"done":{"outcome":"passed","reason":"r","digest":null}}\n'"#;
        // Those that end by themselves have the time that a busy machine may need.
        let (soon, late) = (Duration::from_secs(1), Duration::from_secs(60));
        let cases = [
            (done, late, "Done(Verdict { outcome: Passed, reason: \"r\", digest: None })"),
            (forged, late, "Died(\"its process ended with code 0"),
            ("exit 0", late, "Died(\"its process ended with code 0"),
            ("echo mercy >&2; kill -s ABRT $$", late, "signal 6 (abort); the last that it told: mercy"),
            ("exec sleep 60", soon, "Silent"),
            ("exec >&-; exec sleep 60", late, "Died"),
        ];
        for (script, timeout, expected) in cases {
            let mut heard = Vec::new();
            let end = run(shell(script), timeout, |message| heard.push(message)).unwrap();
            let end = format!("{end:?}");
            assert!(end.contains(expected), "{script}: {end}");
            assert_eq!(heard.len(), usize::from(script == done), "{script}: {heard:?}");
        }
    }

    #[test]
    fn what_a_process_that_crashed_left_behind_is_removed() {
        let script = ": > \"$TMPDIR/left\" && echo \"$TMPDIR\" >&2 && kill -s ABRT $$";
        let end = run(shell(script), Duration::from_secs(60), |_| ()).unwrap();
        let End::Died(words) = end else { panic!("{end:?}") };
        let (_, place) = words.split_once("told: ").unwrap_or_else(|| panic!("{words}"));
        assert!(PathBuf::from(place).is_absolute() && !PathBuf::from(place).exists(), "{place}");
    }

    #[test]
    fn a_task_survives_the_command_line() {
        for work in [Work::Check("empty-batch".into()), Work::Fuzz(9), Work::Reproduce] {
            let task = Task { directory: "a b/\"c\"".into(), seed: u64::MAX, work };
            assert_eq!(Task::from_argument(&task.to_argument()).unwrap(), task);
        }
        assert!(Task::from_argument("{}").is_err());
    }
}
