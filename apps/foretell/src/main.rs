//! `foretell`: operate foretell.

use std::process::ExitCode;

use clap::Parser;
use foretell::arguments::Arguments;
use foretell::command;

fn main() -> ExitCode {
    foretell_terminal::run(|| command::run(Arguments::parse()))
}
