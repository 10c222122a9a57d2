//! `foretell-medical predict`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use foretell_terminal::job;

use super::Intake;
use crate::model::Model;

/// `foretell-medical predict`
#[derive(Debug, Args)]
#[command(
    after_help = "What is not stored yet is imported first, and what a model has predicted before is not predicted again. \
                  One image is shown on a card, several on a worklist: by falling score, with images that are unlike those \
                  of the training behind all others. Many are predicted in a job: interrupted, the same command goes on."
)]
pub struct Predict {
    /// What to import, where it is not stored yet.
    #[command(flatten)]
    pub intake: Intake,
    /// Who looks at the images: `chest`, `brain` (type and outline of a tumour), or a plugin, `name` or `name@version`.
    #[arg(long, default_value_t, value_name = "chest|brain|PLUGIN")]
    pub model: Model,
    /// Also draw the image with heat map and outline into this file; of one image alone.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub png: Option<PathBuf>,
    /// Also write a page: of one image its card, of several the worklist.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Replace files that are there already.
    #[arg(long)]
    pub force: bool,
    /// Predict also what this model has predicted before.
    #[arg(long)]
    pub again: bool,
    /// Images of a worklist that are shown on a terminal.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Processes that work at the same time; as many as are worth it, if not said.
    #[arg(long, value_name = "N", value_parser = job::parse_workers)]
    pub workers: Option<usize>,
}
