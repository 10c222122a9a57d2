//! The command line of `foretell-medical`, as the user types it.

mod evaluate;
mod explain;
mod export;
mod import;
mod predict;
mod record;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use foretell_terminal::{Place, job};

pub use evaluate::Evaluate;
pub use explain::{Explain, Hide, Method, Scale};
pub use export::Export;
pub use import::{Import, Intake};
pub use predict::Predict;
pub use record::{Label, Show, Target};

/// Look at chest X-rays and slices of brains with a network, for research: import, predict, explain, evaluate.
///
/// Research use only. Not a medical device; never a diagnosis.
#[derive(Debug, Parser)]
#[command(name = "foretell-medical", version, max_term_width = 100, propagate_version = true)]
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
    /// Import images from files, folders, zip archives and DICOM directories; what identifies a patient is removed first.
    Import(Import),
    /// Predict: one image on a card, many as a worklist. What is not stored yet is imported first.
    Predict(Predict),
    /// Show where in an image a prediction comes from, and check by hiding parts of the image whether that is true.
    Explain(Explain),
    /// Compare predictions with labels, with and without images that are unlike those of the training.
    Evaluate(Evaluate),
    /// Show an image: what was stored, its predictions, its labels.
    Show(Show),
    /// Say what an image was found to show.
    Label(Label),
    /// Write a prediction of a DICOM image as DICOM: a structured report, a segmentation.
    Export(Export),
    /// Predict stored images in jobs that survive being killed, and compare models.
    #[command(subcommand)]
    Batch(job::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}
