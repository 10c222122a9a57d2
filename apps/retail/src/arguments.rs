//! The command line of `foretell-retail`, as the user types it.

mod ask;
mod measure;
mod stock;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use foretell_terminal::{Place, job};

pub use ask::{Limits, Recommend, Show, Similar};
pub use measure::{Evaluate, Every, Forecast};
pub use stock::{Baskets, Fit, Import, Simulate, Table, Wide};

/// Recommend what to buy next, find what goes together, and forecast what will be sold, from a shop's own purchases.
#[derive(Debug, Parser)]
#[command(name = "foretell-retail", version, max_term_width = 100, propagate_version = true)]
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
    /// Import purchases, or the catalogue that gives items their titles, brands, categories, prices and stock.
    #[command(subcommand)]
    Import(Import),
    /// Make up a shop: a catalogue, and customers whose purchases have tastes, chains, refills and seasons in them.
    Simulate(Simulate),
    /// Learn from the stored purchases what goes together, try it on the latest ones, and let it answer from then on.
    Fit(Fit),
    /// Recommend items to a customer, or to go with a basket or a session.
    Recommend(Recommend),
    /// Find items that are similar to one, or bought together with it.
    Similar(Similar),
    /// Show a customer with what they bought, or an item with how it sold.
    Show(Show),
    /// Compare recommendations with what was bought next: HR, NDCG, MRR, coverage, novelty, beside popularity.
    Evaluate(Evaluate),
    /// Forecast how much of an item will be sold, or measure how good forecasts were.
    Forecast(Forecast),
    /// Answer for stored purchases in jobs that survive being killed, and compare models.
    #[command(subcommand)]
    Batch(job::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}
