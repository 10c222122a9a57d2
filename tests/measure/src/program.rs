//! Programs that are run and watched.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use foretell_terminal::{Failure, exit};
use serde::de::DeserializeOwned;

/// How often a program is asked for its memory. What it and its children need after the last look is missed. Looking takes processor time
/// of the machine that is being measured: with a look every 5 ms, a program of two processes took 3.9 s on two cores, and 3.3 s now.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// In what Linux tells processor time to programs, whatever it counts in itself.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a program did.
pub(crate) struct Finished {
    command: String,
    status: ExitStatus,
    stdout: String,
    /// What it said on standard error.
    pub(crate) stderr: String,
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// Processor time of it and of all processes that it started and waited for, in steps of 10 ms; `None` where the system
    /// does not tell.
    pub(crate) processor_seconds: Option<f64>,
    /// The most memory that it and all processes below it had at a time, in units of 1,000,000 bytes; `None` where the system
    /// does not tell. What several of them share counts for each.
    pub(crate) peak_rss_mb: Option<f64>,
}

impl Finished {
    /// A failure with the program's own words, unless it succeeded.
    pub(crate) fn succeeded(self) -> Result<Self, Failure> {
        if self.status.success() {
            return Ok(self);
        }
        let (status, stderr) = (self.status, self.stderr.trim());
        Err(Failure::words(format!("`{}` failed ({status}):\n{stderr}", self.command)))
    }

    /// Whether it said that it failed.
    pub(crate) fn failed(&self) -> bool {
        !self.status.success()
    }

    /// Its answer in JSON, even if the answer is that something did not hold.
    pub(crate) fn answer<T: DeserializeOwned>(self) -> Result<(T, Self), Failure> {
        let codes = [exit::DONE, exit::SOME_REJECTED, exit::NOT_EQUAL].map(i32::from);
        let answered = self.status.code().is_some_and(|code| codes.contains(&code));
        let finished = if answered { self } else { self.succeeded()? };
        let answer = serde_json::from_str(&finished.stdout).map_err(|error| {
            Failure::words(format!("`{}` answered something else than expected: {error}", finished.command))
        })?;
        Ok((answer, finished))
    }
}

/// The words of a command with spaces between them.
pub(crate) fn words(command: &Command) -> String {
    let words: Vec<_> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Tells what is being done.
pub(crate) fn say(line: &str) {
    // Nobody has to watch.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs a program to its end, whatever that is, with `input` on its standard input. `line` is what it is called in failures.
pub(crate) fn run(command: &mut Command, line: String, input: Option<&str>) -> Result<Finished, Failure> {
    let cannot = |error| Failure::words(format!("can't run `{line}`: {error}"));
    try_run(command, line.clone(), input).map_err(cannot)
}

fn try_run(command: &mut Command, line: String, input: Option<&str>) -> io::Result<Finished> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let before = processor_seconds_of_children();
    let start = Instant::now();
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let stdout = scope.spawn(|| read(stdout));
        let stderr = scope.spawn(|| read(stderr));
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that needs none of it closes its end.
            let _ = stdin.write_all(input.as_bytes());
        }
        let (status, seconds, peak_rss_mb) = watch(&mut child, start)?;
        let stopped = |_| io::Error::other("the thread that reads its output stopped");
        let (stdout, stderr) = (stdout.join().map_err(stopped)??, stderr.join().map_err(stopped)??);
        let processor_seconds =
            processor_seconds_of_children().zip(before).map(|(after, before)| after - before);
        Ok(Finished { command: line, status, stdout, stderr, seconds, processor_seconds, peak_rss_mb })
    })
}

fn read(pipe: Option<impl Read>) -> io::Result<String> {
    let mut text = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Waits for the end of a program, while another thread looks at its memory.
fn watch(child: &mut Child, start: Instant) -> io::Result<(ExitStatus, f64, Option<f64>)> {
    let (process, ended) = (child.id(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak: Option<f64> = None;
            while !ended.load(Ordering::Acquire) {
                let now = Memory::of(process);
                peak = peak.into_iter().chain(now.own_peak).chain(now.family).reduce(f64::max);
                thread::park_timeout(LOOK_EVERY);
            }
            peak
        });
        let status = child.wait();
        let seconds = start.elapsed().as_secs_f64();
        ended.store(true, Ordering::Release);
        watcher.thread().unpark();
        let peak =
            watcher.join().map_err(|_| io::Error::other("the thread that watches its memory stopped"))?;
        Ok((status?, seconds, peak))
    })
}

/// Resident memory, in units of 1,000,000 bytes.
struct Memory {
    /// The most that the process had so far.
    own_peak: Option<f64>,
    /// What it and all processes below it have now.
    family: Option<f64>,
}

impl Memory {
    fn of(process: u32) -> Self {
        let facts = |process: u32| fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let own_peak = megabytes(&facts(process), "VmHWM:");
        let family = family(process).into_iter().filter_map(|process| megabytes(&facts(process), "VmRSS:"));
        Self { own_peak, family: family.reduce(|sum, next| sum + next) }
    }
}

/// A process and all that are below it.
fn family(process: u32) -> Vec<u32> {
    let (mut family, mut place) = (vec![process], 0);
    while let Some(process) = family.get(place) {
        place += 1;
        for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    family
}

fn megabytes(facts: &str, name: &str) -> Option<f64> {
    let line = facts.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// Processor time of all processes that this one has waited for, and those that they have waited for.
fn processor_seconds_of_children() -> Option<f64> {
    processor_seconds_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 16 and 17 of the line, `cutime` and `cstime`. The second field is a name in parentheses, which may hold anything.
fn processor_seconds_of(line: &str) -> Option<f64> {
    let (_, fields) = line.rsplit_once(") ")?;
    let ticks: Vec<f64> =
        fields.split(' ').skip(13).take(2).map(str::parse).collect::<Result<_, _>>().ok()?;
    (ticks.len() == 2).then(|| ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_facts_of_a_process() {
        let facts = "Name:\ta\nVmHWM:\t    1000 kB\nVmRSS:\t 500 kB\n";
        assert_eq!((megabytes(facts, "VmHWM:"), megabytes(facts, "VmRSS:")), (Some(1.024), Some(0.512)));
        assert_eq!(megabytes("Name:\ta\n", "VmHWM:"), None, "a process that has ended");
    }

    #[test]
    fn processor_time_is_that_of_children() {
        let line =
            "7 (a) b) S 1 7 7 0 -1 4194304 90 80 0 0 11 22 150 50 20 0 1 0 99 1000 10 18446744073709551615";
        assert_eq!(processor_seconds_of(line), Some(2.0));
        assert_eq!(processor_seconds_of("7 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_program_says_and_needs_is_seen() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; echo $line; echo err >&2; sleep 0.1; exit 3"]);
        let finished = run(&mut shell, "sh".to_owned(), Some("out\n")).unwrap();
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        assert!(finished.failed() && finished.seconds >= 0.1);
        assert!(finished.peak_rss_mb.is_some_and(|peak| peak > 0.1), "{:?}", finished.peak_rss_mb);
        assert!(finished.processor_seconds.is_some_and(|seconds| seconds >= 0.0));
        assert!(finished.succeeded().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_belong_to_the_family() {
        let mut child = Command::new("sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
        let found = family(std::process::id()).contains(&child.id());
        child.wait().unwrap();
        assert!(found);
    }
}
