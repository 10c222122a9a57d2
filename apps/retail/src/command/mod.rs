//! The commands of `foretell-retail`, one module each.

mod answers;
mod ask;
mod backtest;
mod evaluate;
mod fit;
mod forecast;
mod import;
mod measure;
mod model;
mod purchases;
mod recommend;
mod show;
mod similar;
mod simulate;

use clap::CommandFactory;
use foretell_terminal::{Failure, Output, Place, exit, job};

use crate::arguments::{Arguments, Command};
use crate::{DOMAIN, PLUGIN, TASK};

/// Runs what the user typed, to its exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (place, output) = (&arguments.place, Output::new(arguments.json));
    match &arguments.command {
        Command::Import(command) => import::run(place, output, command).await,
        Command::Simulate(command) => simulate::run(place, output, command).await,
        Command::Fit(command) => fit::run(place, output, command).await,
        Command::Recommend(command) => recommend::run(place, output, command).await,
        Command::Similar(command) => similar::run(place, output, command).await,
        Command::Show(command) => show::run(place, output, command).await,
        Command::Evaluate(command) => evaluate::run(place, output, command).await,
        Command::Forecast(command) => forecast::run(place, output, command).await,
        Command::Batch(command) => job::run(&batch(place, output), command).await,
        Command::Completions { shell } => {
            clap_complete::generate(
                *shell,
                &mut Arguments::command(),
                "foretell-retail",
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
        program: "foretell-retail",
        version: env!("CARGO_PKG_VERSION"),
        command: "batch",
        unit: "purchases",
        plugin: Some(PLUGIN),
        domain: Some(DOMAIN),
        task: Some(TASK),
    }
}

/// An item that the user named, and that nobody knows.
fn unknown_item(item: &str) -> Failure {
    Failure::words(format!("there is no item `{item}`: it is not in the catalogue, and was never bought"))
        .hint(Some("`foretell record list --domain retail-catalogue` lists some"))
}
