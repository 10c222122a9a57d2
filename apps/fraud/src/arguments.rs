//! The command line of `foretell-fraud`, as the user types it.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use foretell_terminal::{Place, job};

/// Find card fraud: import transactions, score them with their past, label what turned out, evaluate.
#[derive(Debug, Parser)]
#[command(name = "foretell-fraud", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done with some records set aside."
)]
pub struct Arguments {
    /// Where the database, the plugins and ONNX Runtime are.
    #[command(flatten)]
    pub place: Place,
    /// Print results as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import transactions from CSV, JSON Lines or Parquet.
    Import(Import),
    /// Make up transactions of customers at terminals, with three kinds of fraud among them.
    Simulate(Simulate),
    /// Score transactions: given ones, or stored ones that this model has not scored yet.
    Score(Score),
    /// Score stored transactions in jobs that survive being killed, and compare models.
    #[command(subcommand)]
    Batch(job::Command),
    /// Show a transaction: what was stored, its past, its predictions, its labels.
    Show(Show),
    /// Say what a transaction turned out to be.
    Label(Label),
    /// Compare scores with labels: ROC AUC, average precision, calibration, Card Precision@k.
    Evaluate(Evaluate),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// `foretell-fraud import`
#[derive(Debug, Args)]
#[command(
    after_help = "Good rows are stored in one transaction for each batch; bad rows are listed, kept in the database, and \
                        never stop an import. Running an import again stores nothing twice."
)]
pub struct Import {
    /// File to import; the ending says the format.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// How columns become a transaction: a TOML file, or one of ours. `transaction`: transaction_id, event_time, customer_id,
    /// terminal_id, amount; `labelled`: the same and fraud; `handbook`: the Fraud Detection Handbook's table.
    #[arg(long, value_name = "FILE|NAME", default_value = "transaction")]
    pub mapping: String,
    /// Also write the rejected rows to this file, as JSON Lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
}

/// `foretell-fraud simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    /// Number of customers.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub customers: u32,
    /// Number of terminals.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub terminals: u32,
    /// Number of days.
    #[arg(long, default_value_t = 183, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    /// First day.
    #[arg(long, default_value = "2018-04-01", value_name = "DATE")]
    pub start: NaiveDate,
    /// Seed; the same numbers give the same transactions on every machine.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How far from home a customer goes, on a square of 100 by 100. As far as it takes to reach about 75 terminals, if not said.
    #[arg(long)]
    pub radius: Option<f64>,
    /// Days after which a fraud is known.
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    pub known_after: u32,
}

/// `foretell-fraud score`
#[derive(Debug, Args)]
#[command(
    after_help = "A given transaction is stored first and scored then, so that nothing that was answered is lost:\n  \
                        echo '{\"transaction_id\":\"t1\",\"event_time\":\"2018-10-01T09:30:00Z\",\"customer_id\":\"596\",\
                        \"terminal_id\":\"3156\",\"amount\":57.16}' | foretell-fraud score -"
)]
pub struct Score {
    /// JSON or JSON Lines to score, `-` for standard input. Without it, stored transactions are scored.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: Option<PathBuf>,
    /// Answer each line of standard input as it comes, until it ends; a model that is promoted meanwhile takes over.
    #[arg(long, requires = "input", conflicts_with = "model")]
    pub follow: bool,
    /// Stored transactions from this time on.
    #[arg(long, value_name = "TIME", conflicts_with = "input")]
    pub from: Option<String>,
    /// Stored transactions before this time.
    #[arg(long, value_name = "TIME", conflicts_with = "input")]
    pub to: Option<String>,
    /// Also stored transactions that this model has scored before.
    #[arg(long, conflicts_with = "input")]
    pub again: bool,
    /// The network to use instead of the plugin's own, an ONNX file with the same inputs and outputs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub model: Option<PathBuf>,
    /// Processes that work at the same time.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = job::parse_workers, conflicts_with = "input")]
    pub workers: usize,
}

/// `foretell-fraud show`
#[derive(Debug, Args)]
pub struct Show {
    /// The transaction's id.
    pub transaction: String,
}

/// What a transaction turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    /// It was fraud.
    Fraud,
    /// It was not.
    Genuine,
}

/// `foretell-fraud label`
#[derive(Debug, Args)]
#[command(
    after_help = "A label is never changed: a later one overrules an earlier one from the time when it was known."
)]
pub struct Label {
    /// The transaction's id.
    pub transaction: String,
    /// What it turned out to be.
    pub verdict: Verdict,
    /// When that was known; now, if not said.
    #[arg(long, value_name = "TIME")]
    pub known_at: Option<String>,
    /// Who found out.
    #[arg(long, default_value = "review")]
    pub source: String,
}

/// `foretell-fraud evaluate`
#[derive(Debug, Args)]
#[command(
    after_help = "With --split-start the evaluation follows the handbook: a training week from that day, a week of delay, a \
                        test week. Only the test week counts, without the cards that were known to be compromised by then."
)]
pub struct Evaluate {
    /// First day of the training week.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["from", "to"])]
    pub split_start: Option<NaiveDate>,
    /// Transactions from this time on.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Transactions before this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only scores of this run. Without it, the latest score of each transaction counts.
    #[arg(long)]
    pub run: Option<i64>,
    /// Cards that can be checked in a day.
    #[arg(long, default_value_t = 100, value_name = "CARDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub cards: u32,
    /// Resamples for the intervals; 0 for none.
    #[arg(long, default_value_t = 200)]
    pub resamples: u32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
