//! The product as people run it: its programs, with a home and a database of their own.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use foretell_runtime::home::HOME_VARIABLE;
use foretell_terminal::{Failure, exit};
use serde::de::DeserializeOwned;

use crate::machine;

/// How often a program is asked for its memory. What it needs in its last few milliseconds is missed.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The programs, and where they work.
pub(super) struct Product {
    programs: PathBuf,
    home: PathBuf,
    database: PathBuf,
}

/// What a program did.
pub(super) struct Finished {
    command: String,
    status: ExitStatus,
    stdout: String,
    /// What it said on standard error.
    pub(super) stderr: String,
    /// From its start to its end.
    pub(super) seconds: f64,
    /// The most memory that it had at a time, in units of 1,000,000 bytes; `None` where the system does not tell.
    pub(super) peak_rss_mb: Option<f64>,
}

impl Product {
    /// A product with nothing installed and nothing stored, in `directory`, which is emptied.
    pub(super) fn fresh(directory: &Path) -> Result<Self, Failure> {
        let cannot =
            |error: io::Error| Failure::words(format!("can't empty `{}`: {error}", directory.display()));
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => fs::create_dir_all(directory).map_err(cannot)?,
        }
        Ok(Self {
            programs: machine::built()?,
            home: directory.join("home"),
            database: directory.join("foretell.db"),
        })
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    /// Runs a program to its end, whatever that is.
    pub(super) fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Finished, Failure> {
        let path = self.programs.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&path);
        command.args(arguments).env(HOME_VARIABLE, &self.home).env("FORETELL_DB", &self.database);
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let line = format!("{program} {}", words.join(" "));
        super::say(&format!("$ {line}"));
        run(&mut command, line.clone()).map_err(|error| {
            Failure::words(format!("can't run `{line}`: {error}"))
                .hint(Some(format!("`cargo build --release` makes `{}`", path.display())))
        })
    }

    /// Runs a program that must do its work and answer in JSON, even if the answer is that something did not hold.
    pub(super) fn ask<T: DeserializeOwned, S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<(T, Finished), Failure> {
        let finished = self.run(program, arguments)?;
        let finished = if finished.answered() { finished } else { finished.succeeded()? };
        let answer = serde_json::from_str(&finished.stdout).map_err(|error| {
            Failure::words(format!("`{}` answered something else than expected: {error}", finished.command))
        })?;
        Ok((answer, finished))
    }
}

impl Finished {
    /// A failure with the program's own words, unless it succeeded.
    pub(super) fn succeeded(self) -> Result<Self, Failure> {
        if self.status.success() {
            return Ok(self);
        }
        let (status, stderr) = (self.status, self.stderr.trim());
        Err(Failure::words(format!("`{}` failed ({status}):\n{stderr}", self.command)))
    }

    /// Whether it came to an answer, if not to the one that was hoped for.
    fn answered(&self) -> bool {
        let codes = [exit::DONE, exit::SOME_REJECTED, exit::NOT_EQUAL].map(i32::from);
        self.status.code().is_some_and(|code| codes.contains(&code))
    }

    /// Whether it said that it failed.
    pub(super) fn failed(&self) -> bool {
        !self.status.success()
    }
}

fn run(command: &mut Command, line: String) -> io::Result<Finished> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let stdout = scope.spawn(|| read(stdout));
        let stderr = scope.spawn(|| read(stderr));
        let (status, peak_rss_mb) = watch(&mut child)?;
        let seconds = start.elapsed().as_secs_f64();
        let stopped = |_| io::Error::other("the thread that reads its output stopped");
        let (stdout, stderr) = (stdout.join().map_err(stopped)??, stderr.join().map_err(stopped)??);
        Ok(Finished { command: line, status, stdout, stderr, seconds, peak_rss_mb })
    })
}

fn read(pipe: Option<impl Read>) -> io::Result<String> {
    let mut text = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Waits for the end of a program, looking at its memory meanwhile.
fn watch(child: &mut Child) -> io::Result<(ExitStatus, Option<f64>)> {
    let mut peak = None;
    loop {
        // A program that has ended has no memory any more, so the last look counts.
        peak = peak_rss_mb(child.id()).or(peak);
        if let Some(status) = child.try_wait()? {
            return Ok((status, peak));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// The greatest resident memory of a running process so far.
fn peak_rss_mb(process: u32) -> Option<f64> {
    let facts = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    peak_of(&facts)
}

fn peak_of(facts: &str) -> Option<f64> {
    let line = facts.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_is_read_from_the_facts_of_a_process() {
        assert_eq!(peak_of("Name:\ta\nVmHWM:\t    1000 kB\nVmRSS:\t 5 kB\n"), Some(1.024));
        assert_eq!(peak_of("Name:\ta\n"), None, "a process that has ended");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_program_says_and_needs_is_seen() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; sleep 0.1; exit 3"]);
        let finished = run(&mut shell, "sh".to_owned()).unwrap();
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
        assert!(finished.failed() && finished.seconds >= 0.1);
        assert!(finished.peak_rss_mb.is_some_and(|peak| peak > 0.1), "{:?}", finished.peak_rss_mb);
        assert!(finished.succeeded().is_err());
    }
}
