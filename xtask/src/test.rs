//! Everything that must hold, in the order in which it is cheapest to learn that it does not.
//!
//! One build serves all: `cargo build --all-targets` and `cargo test` resolve the same features, so nothing is
//! compiled twice. The tests find the binaries and plugins beside themselves in the target directory, and ONNX
//! Runtime and ffmpeg by the variables that are set here; each makes a home directory of its own.

use std::{fmt::Write as _, path::PathBuf, process::Command, time::Instant};

use crate::{
    assemble::{self, AssembleError, Profile},
    ffmpeg::{self, FFMPEG_VARIABLE, FetchFfmpegError},
    header::{self, HeaderError},
    onnxruntime::{self, FetchError, LIBRARY_VARIABLE, Library},
    process::{self, ProcessError, complain, export, say},
    workspace::{Workspace, cargo},
};

/// What one step can fail with.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum StepError {
    Process(#[from] ProcessError),
    Header(#[from] HeaderError),
    Assemble(#[from] AssembleError),
}

/// Why `test` failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    FetchFfmpeg(#[from] FetchFfmpegError),
    #[error("step `{step}` failed")]
    Step { step: &'static str, exit_code: u8 },
}

impl TestError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Step { exit_code, .. } => *exit_code,
            Self::Fetch(_) | Self::FetchFfmpeg(_) => 1,
        }
    }
}

/// What the tests find by variables of the environment.
struct Fetched {
    library: Library,
    ffmpeg: PathBuf,
}

/// One thing that must hold.
struct Step {
    name: &'static str,
    run: fn(&Workspace, &Fetched) -> Result<(), StepError>,
}

const STEPS: [Step; 4] = [
    Step { name: "header", run: |_, _| Ok(header::check()?) },
    Step { name: "build", run: |_, _| Ok(process::run(&mut build())?) },
    Step { name: "plugins", run: |workspace, _| Ok(assemble::lay_out(workspace, Profile::Dev)?) },
    Step { name: "tests", run: |_, fetched| Ok(process::run(&mut tests(fetched))?) },
];

fn build() -> Command {
    let mut command = cargo();
    command.args(["build", "--workspace", "--all-targets", "--locked"]);
    command
}

/// All unit, integration and documentation tests.
fn tests(fetched: &Fetched) -> Command {
    let mut command = cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env(LIBRARY_VARIABLE, fetched.library.path()).env(FFMPEG_VARIABLE, &fetched.ffmpeg);
    command
}

/// The command `test`.
pub(crate) fn test(workspace: &Workspace) -> Result<(), TestError> {
    let fetched = Fetched { library: onnxruntime::find_or_fetch()?, ffmpeg: ffmpeg::find_or_fetch()? };
    say(&export(LIBRARY_VARIABLE, fetched.library.path()));
    say(&export(FFMPEG_VARIABLE, &fetched.ffmpeg));
    let mut summary = String::from("\nsummary\n");
    let mut failure = None;
    for step in &STEPS {
        if failure.is_some() {
            let _ = writeln!(summary, "  {:<8}  not run", step.name);
            continue;
        }
        let start = Instant::now();
        let result = (step.run)(workspace, &fetched);
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        let _ =
            writeln!(summary, "  {:<8}  {verdict:<7} {:>6.1} s", step.name, start.elapsed().as_secs_f64());
        if let Err(error) = result {
            complain(&error);
            failure = Some(TestError::Step { step: step.name, exit_code: error.exit_code() });
        }
    }
    say(summary.trim_end());
    match failure {
        Some(error) => Err(error),
        None => {
            say("everything holds");
            Ok(())
        }
    }
}

impl StepError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Process(error) => error.exit_code(),
            Self::Assemble(error) => error.exit_code(),
            Self::Header(_) => 1,
        }
    }
}
