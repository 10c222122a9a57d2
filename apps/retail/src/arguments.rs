//! The command line of `foretell-retail`, as the user types it.

mod ask;
mod measure;
mod stock;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use foretell_terminal::{Place, job};
use serde_json::Value;

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

/// How the plugin is to answer.
#[derive(Clone, Debug, Default, Args)]
pub struct Settings {
    /// Change a setting of the plugin, such as `decay=0.8`; can be given for several. `foretell plugin inspect` lists
    /// them.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub set: Vec<(String, Value)>,
}

/// Reads a setting: its value is JSON, or a text.
fn parse_setting(text: &str) -> Result<(String, Value), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((name.to_owned(), value))
        }
        _ => Err("expected the name of a setting and its value, such as `decay=0.8`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_or_texts() {
        let value = |text| parse_setting(text).map(|(_, value)| value);
        assert_eq!(value("decay=0.8"), Ok(Value::from(0.8)));
        assert_eq!(value("repeat=true"), Ok(Value::from(true)));
        assert_eq!(value("period=week"), Ok(Value::from("week")));
        assert!(value("=1").is_err() && value("decay").is_err());
    }
}
