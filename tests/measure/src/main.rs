//! What `cargo xtask reproduce` and `cargo xtask bench` run: figures of quality on published data, and figures of speed
//! beside bare ONNX Runtime and Python.
//!
//! Figures go to standard output, as a table or as one flat JSON object; what is being done goes to standard error.
//! Everything else that a figure needs (programs, plugin directories) lies beside this program in the target directory,
//! where `cargo xtask` puts it, and everything that is written goes to `measure` beside that.
//!
//! - **Invariant:** `reproduce` changes nothing outside of its own directory: it has a home and a database of its own.
//! - **Invariant:** speed is measured and told, never asserted. What must hold exactly is a [`Check`](reproduce::Check).

mod bench;
mod figures;
mod machine;
mod product;
mod program;
mod python;
mod reproduce;
mod shop;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use foretell_terminal::{Failure, Output, exit};

/// Measure foretell.
#[derive(Debug, Parser)]
#[command(name = "foretell-measure", version, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 4 a check did not hold.")]
struct Arguments {
    /// Print figures as one flat JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate the shipped models on their published protocol, through the product itself.
    Reproduce {
        /// Whose models.
        domain: Domain,
        /// Directory of the domain's published data.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        data: PathBuf,
        /// Train the models anew first, in a Python environment below the target directory.
        #[arg(long)]
        train: bool,
    },
    /// Measure speed beside what the same work costs without foretell.
    Bench {
        /// Which benchmark; all of them, if not said.
        name: Option<Benchmark>,
        /// Also with 10,000,000 records: takes about 10 GB of disk and a quarter of an hour.
        #[arg(long)]
        large: bool,
        /// Directory of the public sets of purchases, for `retail`, or of images, for `media`; or of both, as `retail` and `medical`.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        data: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Domain {
    /// Card fraud, on the transactions of the Fraud Detection Handbook.
    Fraud,
    /// Medical imaging: chest films of children and of grown-ups, and MRI slices of brains.
    Medical,
    /// A shop: next items on public sets of purchases, baskets, and demand for car parts.
    Retail,
    /// Vehicles: detections on highways, traffic signs, and tracks of pedestrians.
    Vehicle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// A prediction call beside the bare network.
    Runtime,
    /// Scoring of stored records and the cold start of a program, beside the same in Python.
    Jobs,
    /// A folder of images, from the files to stored predictions, beside the same in Python.
    Media,
    /// Next items for all customers and for one, beside the same in Python, and learning which items go together.
    Retail,
    /// A video, from the file to stored detections and tracks, beside the same in Python and beside the network alone.
    Vehicle,
}

async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let output = Output::new(arguments.json);
    match arguments.command {
        Command::Reproduce { domain: Domain::Fraud, data, train } => {
            reproduce::fraud(output, &data, train).await
        }
        Command::Reproduce { domain: Domain::Medical, data, train } => {
            reproduce::medical(output, &data, train)
        }
        Command::Reproduce { domain: Domain::Retail, data, train } => reproduce::retail(output, &data, train),
        Command::Reproduce { domain: Domain::Vehicle, data, train } => {
            reproduce::vehicle(output, &data, train).await
        }
        Command::Bench { name, large, data } => {
            bench::run(output, name, large, data.as_deref()).await?;
            Ok(exit::DONE)
        }
    }
}

fn main() -> ExitCode {
    foretell_terminal::run(|| run(Arguments::parse()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
