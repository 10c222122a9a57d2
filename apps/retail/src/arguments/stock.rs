//! What a shop has: import, simulation, learning.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueHint};
use foretell_store::time::{Micros, parse_time};

/// What to import.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Good rows are stored in one transaction for each batch; bad rows are listed with file, \
                  line, field and reason, kept in the database, and never stop an import. Running an \
                  import again stores nothing twice."
)]
pub enum Import {
    /// One purchase on each row of a CSV, JSON Lines or Parquet file: customer, item, event_time, basket, quantity,
    /// price.
    ///
    /// Only item and event_time are required. A row is named by the content of its file and its line: the same rows
    /// in another file are other purchases, unless the mapping names a column with an `external_id`.
    Purchases(Table),
    /// One item on each row of a comma- or tab-separated file: item, title, brand, category, price, in_stock.
    ///
    /// Only item is required; the category is a path such as `Camping > Tents`. A column may also be called item_id,
    /// name or short_name (for title), or category_path. Between tabs a quote is a character like any other. What has
    /// not changed since the last import is not stored again, and of each item the newest row holds.
    Catalogue(Wide),
    /// One basket on each line: items, separated by commas. No customers and no times are known.
    ///
    /// The first basket gets the start time, every other one is a minute later than the one before. A basket is named
    /// by the file's name and its line.
    Baskets(Baskets),
    /// One customer on each line: their id and their items, oldest first, separated by blanks. No times are known.
    ///
    /// So that a split in time leaves the last two purchases out, a customer's last item gets 2000-01-03 and the one
    /// before it 2000-01-02. All earlier ones stand a minute apart, the last of them at 1999-12-31 23:59: `--to
    /// 2000-01-01` learns what comes before both, `evaluate --from 2000-01-02 --to 2000-01-03` validates and
    /// `evaluate --from 2000-01-03` tests.
    Sequences(Wide),
    /// How much was sold in each month: the first column names the item, every other one is a month such as 2025-03.
    ///
    /// A cell becomes one purchase of that quantity at the first moment of its month. A zero is stored, too, since it
    /// says that the month was looked at; an empty cell says that it was not, and is left out.
    Demand(Wide),
}

/// A file with a column for each field.
#[derive(Debug, Args)]
pub struct Table {
    /// File to import; the ending says the format.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// How columns become fields: a TOML file. Without it, columns have the names of the fields.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mapping: Option<PathBuf>,
    /// Also write the rejected rows to this file, as JSON Lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
}

/// A text file of which a line holds several purchases.
#[derive(Debug, Args)]
pub struct Wide {
    /// File to import.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Also write the rejected lines to this file, as JSON Lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rejects: Option<PathBuf>,
}

/// `foretell-retail import baskets`
#[derive(Debug, Args)]
pub struct Baskets {
    /// The file.
    #[command(flatten)]
    pub wide: Wide,
    /// When the first basket was bought.
    #[arg(long, value_name = "DATE", default_value = "2000-01-01", value_parser = parse_time)]
    pub start: Micros,
}

/// `foretell-retail simulate`
#[derive(Debug, Args)]
#[command(
    after_help = "The catalogue follows from --seed and --items alone. Customer 7 buys the same whether \
                  there are 10 customers or 10,000, and --crowd sends other customers to the same shop: \
                  train with one crowd, try with another."
)]
pub struct Simulate {
    /// Number of customers.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub customers: u32,
    /// Number of items.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub items: u32,
    /// Number of days.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_653))]
    pub days: u32,
    /// First day.
    #[arg(long, default_value = "2025-01-01", value_name = "DATE")]
    pub start: NaiveDate,
    /// Seed; the same numbers give the same shop on every machine.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Seed of the customers, if it shall be another one.
    #[arg(long, value_name = "SEED")]
    pub crowd: Option<u64>,
    /// Write purchases.csv and catalogue.csv into this directory instead of storing anything.
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub export: Option<PathBuf>,
    /// Store what is exported, too.
    #[arg(long, requires = "export")]
    pub store: bool,
}

/// `foretell-retail fit`
#[derive(Debug, Args)]
#[command(
    after_help = "Learning is a job: it is planned over the purchases that are stored now, and what it \
                  learned becomes a version of the plugin, pinned by hash. The tail that is held out is \
                  answered by what was learned before it, compared with what was bought, and learned \
                  afterwards."
)]
pub struct Fit {
    /// Plugin that learns, `name` or `name@version`.
    #[arg(long, default_value = crate::PLUGIN)]
    pub plugin: String,
    /// Learn purchases before this time; all, if not said.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<Micros>,
    /// Go on from what was learned last, with what was stored since, and try nothing.
    #[arg(long, conflicts_with = "hold_out")]
    pub update: bool,
    /// Days at the end to try it on first; 0 for none. 7, if not said.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub hold_out: Option<u32>,
    /// Seed of the learning and of the intervals.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Leave the model that answers as it is.
    #[arg(long)]
    pub no_deploy: bool,
}
