//! How good it is, and how much will be sold.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use foretell_store::time::{Micros, parse_time};
use foretell_terminal::job;

use super::Settings;

/// `foretell-retail evaluate`
#[derive(Debug, Args)]
#[command(after_help = "Every purchase whose customer bought something later is a question: what next? The \
                  answer is compared with the item of the customer's next purchase, over the full \
                  catalogue. --from and --to are about that next purchase, so that a split in time is one \
                  of targets. What this model has not answered yet is answered first, in a job; each \
                  answer knows what was bought before it, and nothing later.")]
pub struct Evaluate {
    /// Plugin to evaluate, `name` or `name@version`; the champion, if not said.
    #[arg(long)]
    pub plugin: Option<String>,
    /// How it is to answer.
    #[command(flatten)]
    pub settings: Settings,
    /// Evaluate the answers of this run, as they are stored.
    #[arg(long, conflicts_with_all = ["plugin", "set"])]
    pub run: Option<i64>,
    /// Next purchases from this time on. If no period is said: behind what the model has learned, or the last four
    /// weeks.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<Micros>,
    /// Next purchases before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<Micros>,
    /// Complete baskets instead: the last item of each basket is the target, those before it are the question.
    #[arg(long)]
    pub baskets: bool,
    /// Only these customers (with --baskets: these baskets), one on each line of the file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub customers: Option<PathBuf>,
    /// Lengths of the lists that are looked at.
    #[arg(long, value_name = "K,K", default_value = "5,10", value_delimiter = ',')]
    pub top: Vec<NonZeroUsize>,
    /// Only what recommending the most popular items would have come to; no plugin is asked.
    #[arg(long, conflicts_with_all = ["plugin", "run"])]
    pub popularity: bool,
    /// Resamples for the intervals; 0 for none.
    #[arg(long, default_value_t = 200)]
    pub resamples: u32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Processes that work at the same time.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = job::parse_workers)]
    pub workers: usize,
}

/// Length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Every {
    /// Midnight to midnight, UTC.
    Day,
    /// Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

/// `foretell-retail forecast`
#[derive(Debug, Args)]
#[command(
    after_help = "The forecast is a function of the item's stored purchases. With --evaluate N, the last N \
                  periods are held out, forecast from what was known before them, and compared with what \
                  was sold."
)]
pub struct Forecast {
    /// The item.
    #[arg(required_unless_present = "all")]
    pub item: Option<String>,
    /// Length of a period.
    #[arg(long, default_value = "month")]
    pub every: Every,
    /// Number of periods.
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub steps: u32,
    /// When it is asked, which bounds the past that is seen; after the last purchase, if not said.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub at: Option<Micros>,
    /// Every item.
    #[arg(long, conflicts_with = "item")]
    pub all: bool,
    /// Hold out the last N periods, and measure how good the forecast would have been.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub evaluate: Option<u32>,
    /// With --evaluate: round forecasts to whole pieces first, as the published figures of the Monash archive are.
    #[arg(long, requires = "evaluate")]
    pub round: bool,
    /// Plugin that forecasts, `name` or `name@version`; the champion, or retail-demand, if not said.
    #[arg(long)]
    pub plugin: Option<String>,
    /// How it is to forecast.
    #[command(flatten)]
    pub settings: Settings,
    /// Resamples for the intervals; 0 for none.
    #[arg(long, default_value_t = 200)]
    pub resamples: u32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
