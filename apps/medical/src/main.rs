//! `foretell-medical`: look at medical images with a network's eyes, for research.

use std::process::ExitCode;

use clap::Parser;
use foretell_medical::arguments::Arguments;
use foretell_medical::command;

fn main() -> ExitCode {
    foretell_terminal::run(|| command::run(Arguments::parse()))
}
