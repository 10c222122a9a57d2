//! `foretell-vehicle detect`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Saved, Source};

/// `foretell-vehicle detect`
#[derive(Debug, Args)]
#[command(
    after_help = "Frames are stored, then predicted, and the predictions are stored with them. A video stays where it is: the \
                  store keeps its hash and its path. Other networks than our own: `foretell-vehicle adapt`."
)]
pub struct Detect {
    /// What to look at.
    #[command(flatten)]
    pub source: Source,
    /// The plugin that detects, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// Also write the detections as COCO results with the list of images, into this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub coco: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub saved: Saved,
}
