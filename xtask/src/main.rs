//! The project's own commands: what `cargo xtask` runs.
//!
//! One module per command. A command is a function that takes the [`workspace::Workspace`] and its own
//! arguments, prints what it does, and returns its own error. To add one: a variant of [`Command`], a line in
//! [`run`], and a variant of [`CommandError`].
//!
//! This crate stays small on purpose: everything in it is compiled before the first line of the first command.
//! It therefore drives the product through its binaries, and links none of its crates.

mod assemble;
mod bench;
mod demo;
mod ffmpeg;
mod fuzz;
mod header;
mod npm;
mod onnxruntime;
mod pin;
mod process;
mod reproduce;
mod test;
mod wheel;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{assemble::Profile, workspace::Workspace};

/// Build, check and try foretell
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, simulate transactions, score and evaluate them, and say what to look at next
    Demo,

    /// Check everything that must hold; stop at the first step that fails
    Test,

    /// Evaluate the shipped models on published data, through the product itself
    Reproduce(reproduce::Arguments),

    /// Measure speed beside what the same work costs without foretell
    Bench(bench::Arguments),

    /// Give the host manifests and answers that nobody would write by hand
    Fuzz(fuzz::Arguments),

    /// Get the pinned ONNX Runtime through pip, check it, and put it where foretell looks for it
    FetchOnnxruntime {
        /// Get it again even if the right library is already there
        #[arg(long)]
        force: bool,
    },

    /// Get the pinned ffmpeg through pip, check it, and put it into foretell's home: the tests run it
    FetchFfmpeg {
        /// Get it again even if the right program is already there
        #[arg(long)]
        force: bool,
    },

    /// Build the plugins and lay out their directories in `target/<profile>/plugins`
    Assemble {
        /// Build with optimisation
        #[arg(long)]
        release: bool,
    },

    /// Write `core/abi/include/foretell.h` from the Rust source of the C interface
    Header {
        /// Write nothing; fail if the committed header is not what would be written
        #[arg(long)]
        check: bool,
    },
}

/// What a command can fail with: the command's own error, unchanged.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum CommandError {
    Workspace(#[from] workspace::WorkspaceError),
    Fetch(#[from] onnxruntime::FetchError),
    FetchFfmpeg(#[from] ffmpeg::FetchFfmpegError),
    Assemble(#[from] assemble::AssembleError),
    Header(#[from] header::HeaderError),
    Test(#[from] test::TestError),
    Demo(#[from] demo::DemoError),
    Measure(#[from] bench::MeasureError),
    Fuzz(#[from] process::ProcessError),
}

impl CommandError {
    /// The exit code of the program that failed, where one did; 1 otherwise.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Assemble(error) => error.exit_code(),
            Self::Test(error) => error.exit_code(),
            Self::Demo(error) => error.exit_code(),
            Self::Measure(error) => error.exit_code(),
            Self::Fuzz(error) => error.exit_code(),
            Self::Workspace(_) | Self::Fetch(_) | Self::FetchFfmpeg(_) | Self::Header(_) => 1,
        }
    }
}

fn run(command: &Command) -> Result<(), CommandError> {
    let workspace = Workspace::enter()?;
    match command {
        Command::Demo => demo::demo(&workspace)?,
        Command::Test => test::test(&workspace)?,
        Command::Reproduce(arguments) => reproduce::reproduce(&workspace, arguments)?,
        Command::Bench(arguments) => bench::bench(&workspace, arguments)?,
        Command::Fuzz(arguments) => fuzz::fuzz(arguments)?,
        Command::FetchOnnxruntime { force } => onnxruntime::fetch(*force)?,
        Command::FetchFfmpeg { force } => {
            ffmpeg::fetch(*force)?;
        }
        Command::Assemble { release } => assemble::assemble(&workspace, Profile::new(*release))?,
        Command::Header { check: true } => header::check()?,
        Command::Header { check: false } => header::write()?,
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
