//! Figures of speed, and how `foretell-measure`, which finds all figures, is built and run.
//!
//! It finds the product's programs and plugins beside itself in the target directory, so those are built first.

use std::{ffi::OsString, io, path::PathBuf};

use crate::{
    assemble::{self, AssembleError, Profile},
    ffmpeg::{self, FFMPEG_VARIABLE, FetchFfmpegError},
    onnxruntime::{self, FetchError, LIBRARY_VARIABLE},
    process::{self, ProcessError},
    workspace::{Workspace, cargo},
};

/// The package that finds figures. It links the product; this one does not.
const PACKAGE: &str = "foretell-measure";

/// What `bench` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which benchmark; all of them, if not said
    #[arg(value_parser = ["runtime", "jobs", "media", "retail", "vehicle"])]
    name: Option<String>,

    /// Also with 10,000,000 records: takes about 10 GB of disk and a quarter of an hour
    #[arg(long)]
    large: bool,

    /// Directory of the public sets of purchases, for `retail`, of images, for `media`, or of a video, for `vehicle`; they are not
    /// part of this project
    // The command runs in the workspace's root, wherever the user is.
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    data: Option<PathBuf>,

    /// Print one flat JSON object of figures, and nothing else, on standard output
    #[arg(long)]
    json: bool,
}

/// Why figures could not be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    FetchFfmpeg(#[from] FetchFfmpegError),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl MeasureError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Assemble(error) => error.exit_code(),
            Self::Process(error) => error.exit_code(),
            Self::Fetch(_) | Self::FetchFfmpeg(_) => 1,
        }
    }
}

/// A path that stays the same in another directory.
pub(crate) fn absolute(path: &str) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

/// The command `bench`.
pub(crate) fn bench(workspace: &Workspace, arguments: &Arguments) -> Result<(), MeasureError> {
    let mut words = vec!["bench".into()];
    words.extend(arguments.name.as_ref().map(OsString::from));
    if arguments.large {
        words.push("--large".into());
    }
    if let Some(data) = &arguments.data {
        words.extend(["--data".into(), data.into()]);
    }
    measure(workspace, words, arguments.json)
}

/// Builds everything with optimisation, and runs `foretell-measure` with these words on its command line.
pub(crate) fn measure(
    workspace: &Workspace,
    words: impl IntoIterator<Item = OsString>,
    json: bool,
) -> Result<(), MeasureError> {
    if json {
        process::leave_output_to_results();
    }
    let (library, ffmpeg) = (onnxruntime::find_or_fetch()?, ffmpeg::find_or_fetch()?);
    assemble::build_all(workspace, Profile::Release)?;
    let mut command = cargo();
    command.args(["run", "--release", "--locked", "--package", PACKAGE, "--"]);
    command.args(words).env(LIBRARY_VARIABLE, library.path()).env(FFMPEG_VARIABLE, ffmpeg);
    if json {
        command.arg("--json");
    }
    Ok(process::run(&mut command)?)
}
