//! `foretell-fraud`: find card fraud.

use std::process::ExitCode;

use clap::Parser;
use foretell_fraud::arguments::Arguments;
use foretell_fraud::command;

fn main() -> ExitCode {
    foretell_terminal::run(|| command::run(Arguments::parse()))
}
