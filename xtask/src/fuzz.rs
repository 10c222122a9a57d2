//! What the host does with manifests and answers that nobody would write by hand: inputs from a seed, as many as one likes.
//!
//! `foretell-fuzz` makes and runs them; this one builds it, with the profile `fuzz`.

use crate::{
    process::{self, ProcessError},
    workspace::cargo,
};

/// The package whose program runs the targets.
const PACKAGE: &str = "foretell-fuzz";

/// What `fuzz` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Inputs to run, shared between the targets
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2..))]
    executions: u64,

    /// Seed; the same inputs on every machine
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Number of the first input, to run one again
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    from: u64,

    /// One of the targets alone
    #[arg(long, value_parser = ["manifest", "answer"])]
    target: Option<String>,
}

/// The command `fuzz`.
pub(crate) fn fuzz(arguments: &Arguments) -> Result<(), ProcessError> {
    let mut command = cargo();
    command.args(["run", "--profile", "fuzz", "--locked", "--package", PACKAGE]);
    command.args(["--", "--executions", &arguments.executions.to_string()]);
    command.args(["--seed", &arguments.seed.to_string(), "--from", &arguments.from.to_string()]);
    if let Some(target) = &arguments.target {
        command.args(["--target", target]);
    }
    process::run(&mut command)
}
