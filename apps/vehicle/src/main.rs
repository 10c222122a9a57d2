//! `foretell-vehicle`: what is on the road, in pictures and clips.

use std::process::ExitCode;

use clap::Parser;
use foretell_vehicle::arguments::Arguments;
use foretell_vehicle::command;

fn main() -> ExitCode {
    foretell_terminal::run(|| command::run(Arguments::parse()))
}
