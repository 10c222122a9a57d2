//! The command line of `foretell-vehicle`, as the user types it.

mod calibrate;
mod detect;
mod drive;
mod evaluate;
mod lanes;
mod signs;
mod source;
mod track;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use foretell_terminal::{Place, job};

pub use calibrate::Calibrate;
pub use detect::Detect;
pub use drive::Drive;
pub use evaluate::{Evaluate, EvaluateDetections, EvaluateTracks};
pub use lanes::Lanes;
pub use signs::Signs;
pub use source::{Saved, Source};
pub use track::Track;

use crate::adapt::Adapt;

/// See what is on the road: detect, track, read signs, find lanes, in pictures and videos.
///
/// For research and development. Not a safety system: nothing here may steer, brake or warn in a car.
#[derive(Debug, Parser)]
#[command(name = "foretell-vehicle", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done with some frames set aside."
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
    /// Detect vehicles, people, lights and signs in pictures, folders and videos.
    Detect(Detect),
    /// Detect, and follow what was detected from frame to frame.
    Track(Track),
    /// Read traffic signs: of crops, or of frames in which they are detected first.
    Signs(Signs),
    /// Find the lane ahead: how it bends, and where the car is in it.
    Lanes(Lanes),
    /// All of it in one pass over a drive, and warnings with their reasons.
    Drive(Drive),
    /// Make a camera file: the lens from pictures of a chessboard, the mount from a straight road.
    Calibrate(Calibrate),
    /// Look at a detection network in ONNX, propose the settings that run it, and make a plugin of it.
    Adapt(Adapt),
    /// Compare detections and tracks with what somebody drew.
    #[command(subcommand)]
    Evaluate(Evaluate),
    /// Predict stored frames and clips in jobs that survive being killed, and compare models.
    #[command(subcommand)]
    Batch(job::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

fn parse_share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("expected a number from 0 to 1")
}
