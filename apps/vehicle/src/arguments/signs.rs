//! `foretell-vehicle signs`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Saved, Source};

/// `foretell-vehicle signs`
#[derive(Debug, Args)]
#[command(
    after_help = "Each picture is a crop of one sign with a little around it. With `--detect`, pictures and videos are whole frames: \
                  signs are detected, cut out with a tenth around them, and each crop is stored as a record of its own.\n\nA crop \
                  that is unlike all that the plugin has learnt is marked as unfamiliar: it may be a sign of another country, or \
                  none.\n  foretell-vehicle signs crops\n  foretell-vehicle signs drive.mp4 --detect --save drawn.mp4"
)]
pub struct Signs {
    /// What to look at.
    #[command(flatten)]
    pub source: Source,
    /// The plugin that reads signs, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// Detect signs on whole frames first.
    #[arg(long)]
    pub detect: bool,
    /// The plugin that detects.
    #[arg(long, value_name = "PLUGIN", requires = "detect")]
    pub detector: Option<String>,
    /// The least score of a detected sign, of those that the detector reports by its own setting.
    #[arg(long, value_name = "SCORE", default_value_t = 0.4, value_parser = super::parse_share, requires = "detect")]
    pub score: f64,
    /// Also write a contact sheet of the crops with what each shows, a `.png`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "detect")]
    pub sheet: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub saved: Saved,
}
