//! `bench jobs`: what scoring of stored records costs, from the command to the end of its process.
//!
//! | part | what is measured |
//! |---|---|
//! | [`scoring`] | `foretell-fraud score` over a million records, beside scripts that an experienced person would write, and beside its own stages, each alone |
//! | [`growth`] | the same command over few and over many records of the same town: memory and rate |
//! | [`cold`] | one record on standard input, from the start of the program to the printed prediction, beside a script |
//!
//! The databases are simulated once and kept in `target/measure/jobs`; whoever scores gets a copy that was just written and is
//! on the disk. The scripts lie in `tests/bench`, and run in a Python environment that is made on first use.
//!
//! **Invariant:** speed is compared only after both sides were seen to compute the same scores.

mod cold;
mod databases;
mod growth;
mod scoring;

use std::path::{Path, PathBuf};

use foretell_terminal::{Failure, Output};

use self::databases::Databases;
use super::Fraud;
use crate::figures::Figures;
use crate::{machine, python};

/// What was found.
pub(super) struct Findings {
    scoring: scoring::Findings,
    growth: growth::Findings,
    cold: cold::Findings,
}

/// Measures all parts. `large`: growth up to 10,000,000 records in place of 1,000,000.
pub(super) async fn measure(fraud: &Fraud, large: bool) -> Result<Findings, Failure> {
    let (databases, scripts) = (Databases::new()?, Scripts::new(fraud.network()?)?);
    let cold = cold::measure(&databases, &scripts).await?;
    let scoring = scoring::measure(fraud, &databases, &scripts).await?;
    let growth = growth::measure(&databases, large).await?;
    Ok(Findings { scoring, growth, cold })
}

impl Findings {
    pub(super) fn note(&self, figures: &mut Figures) {
        self.scoring.note(figures);
        self.growth.note(figures);
        self.cold.note(figures);
    }

    pub(super) fn draw(&self, output: Output) {
        self.scoring.draw(output);
        self.growth.draw(output);
        self.cold.draw(output);
    }
}

/// The scripts in Python, and what they need.
struct Scripts {
    python: PathBuf,
    directory: PathBuf,
    network: PathBuf,
}

impl Scripts {
    fn new(network: PathBuf) -> Result<Self, Failure> {
        let directory = machine::workspace().join("tests/bench");
        let python = python::environment("bench-python", &directory.join("requirements.txt"))?;
        Ok(Self { python, directory, network })
    }

    /// The command that runs a script on a database.
    fn command(&self, script: &str, database: &Path) -> std::process::Command {
        let mut command = std::process::Command::new(&self.python);
        command.arg(self.directory.join(script));
        command.arg("--db").arg(database).arg("--model").arg(&self.network);
        command
    }
}

/// Seconds with a sensible number of digits.
fn seconds(seconds: Option<f64>) -> String {
    seconds.map(|seconds| format!("{seconds:.2}")).unwrap_or_default()
}

/// Memory in whole megabytes.
fn megabytes(megabytes: Option<f64>) -> String {
    megabytes.map(|megabytes| format!("{megabytes:.0}")).unwrap_or_default()
}

/// How many times as much.
fn times(ratio: Option<f64>) -> String {
    ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default()
}
