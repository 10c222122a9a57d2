//! The commands of `foretell-medical`, one module each.

mod evaluate;
mod explain;
mod export;
mod import;
pub(crate) mod intake;
mod label;
mod predict;
mod show;

use clap::CommandFactory;
use foretell_terminal::{Failure, Output, Place, exit, job};

use crate::arguments::{Arguments, Command};
use crate::model::CHEST;
use crate::{DOMAIN, NOTICE, TASK};

/// Name of the program.
const PROGRAM: &str = "foretell-medical";

/// Runs what the user typed, to its exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (place, output) = (&arguments.place, Output::new(arguments.json));
    match &arguments.command {
        Command::Import(command) => import::run(place, output, command).await,
        Command::Predict(command) => predict::run(place, output, command).await,
        Command::Explain(command) => explain::run(place, output, command).await,
        Command::Evaluate(command) => evaluate::run(place, output, command).await,
        Command::Show(command) => show::run(place, output, command).await,
        Command::Label(command) => label::run(place, output, command).await,
        Command::Export(command) => export::run(place, output, command).await,
        Command::Batch(command) => {
            let code = job::run(&batch(place, output), command).await?;
            let shows_predictions =
                matches!(command, job::Command::Results { .. } | job::Command::Compare(_));
            if shows_predictions && !output.is_json() {
                output.line(&format!("\n{NOTICE}"));
            }
            Ok(code)
        }
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), PROGRAM, &mut std::io::stdout());
            Ok(exit::DONE)
        }
    }
}

/// This app, as batch work sees it.
fn batch(place: &Place, output: Output) -> job::App<'_> {
    job::App {
        place,
        output,
        program: PROGRAM,
        version: env!("CARGO_PKG_VERSION"),
        command: "batch",
        unit: "images",
        plugin: Some(CHEST),
        domain: Some(DOMAIN),
        task: Some(TASK),
    }
}
