//! `foretell-retail`: recommend, find what goes together, forecast.

use std::process::ExitCode;

use clap::Parser;
use foretell_retail::arguments::Arguments;
use foretell_retail::command;

fn main() -> ExitCode {
    foretell_terminal::run(|| command::run(Arguments::parse()))
}
