//! The commands of `foretell-fraud`, one module each.

mod evaluate;
mod follow;
mod import;
mod label;
mod score;
mod show;
mod simulate;

use clap::CommandFactory;
use foretell_store::time::{Micros, parse_time};
use foretell_terminal::{Failure, Output, Place, exit, job};

use crate::arguments::{Arguments, Command};
use crate::{DOMAIN, PLUGIN, TASK};

/// Runs what the user typed, to its exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (place, output) = (&arguments.place, Output::new(arguments.json));
    match &arguments.command {
        Command::Import(command) => import::run(place, output, command).await,
        Command::Simulate(command) => simulate::run(place, output, command).await,
        Command::Score(command) => score::run(place, output, command).await,
        Command::Batch(command) => job::run(&batch(place, output), command).await,
        Command::Show(command) => show::run(place, output, command).await,
        Command::Label(command) => label::run(place, output, command).await,
        Command::Evaluate(command) => evaluate::run(place, output, command).await,
        Command::Completions { shell } => {
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "foretell-fraud",
                &mut std::io::stdout(),
            );
            Ok(exit::DONE)
        }
    }
}

/// This app, as batch work sees it.
fn batch(place: &Place, output: Output) -> job::App<'_> {
    job::App {
        place,
        output,
        program: "foretell-fraud",
        version: env!("CARGO_PKG_VERSION"),
        command: "batch",
        unit: "transactions",
        plugin: Some(PLUGIN),
        domain: Some(DOMAIN),
        task: Some(TASK),
    }
}

/// Reads a time that the user typed.
fn time(text: Option<&str>) -> Result<Option<Micros>, Failure> {
    text.map(|text| parse_time(text).map_err(|error| Failure::new(&error))).transpose()
}

/// A transaction that the user named and the database does not have.
fn unknown(transaction: &str) -> Failure {
    Failure::words(format!("there is no transaction `{transaction}`"))
        .hint(Some("`foretell record list --domain fraud` lists some"))
}
