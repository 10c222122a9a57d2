//! `foretell-vehicle drive`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Saved, Source};
use crate::drive::SPEED_MAX;

/// `foretell-vehicle drive`
#[derive(Debug, Args)]
#[command(
    after_help = "For research and development. Not a safety system.\n\nEvery frame is looked at once, by the detector and by the finder \
                  of lanes; then what was detected is followed, and what it means for the car is decided: warnings of collisions, of \
                  small gaps, of people ahead, and of leaving the lane, each with its reason. Frames, crops, tracks and the drive as a \
                  whole are stored as records, so that another plugin can judge them again in a job.\n\nA file of speeds has a first \
                  line `frame,speed_m_per_s` and a line for each frame from which on the speed is another. Without a speed there is no \
                  warning of gaps and of standing traffic."
)]
pub struct Drive {
    /// What to look at. The pictures of a folder are one clip.
    #[command(flatten)]
    pub source: Source,
    /// The plugin that detects, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// The plugin that finds lanes.
    #[arg(long, value_name = "PLUGIN")]
    pub lanes: Option<String>,
    /// The plugin that tracks.
    #[arg(long, value_name = "PLUGIN")]
    pub tracker: Option<String>,
    /// The plugin that decides.
    #[arg(long, value_name = "PLUGIN")]
    pub decision: Option<String>,
    /// Also read the best crop of each traffic sign that was followed.
    #[arg(long)]
    pub signs: bool,
    /// The plugin that reads signs.
    #[arg(long, value_name = "PLUGIN", requires = "signs")]
    pub sign_model: Option<String>,
    /// How fast the car was all the time, in metres per second.
    #[arg(long, value_name = "M/S", value_parser = parse_speed)]
    pub speed: Option<f64>,
    /// How fast it was from which frame on: a table `frame,speed_m_per_s`, frames from 0.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "speed")]
    pub speed_file: Option<PathBuf>,
    /// The least confidence of a lane; what is below is no lane.
    #[arg(long, value_name = "CONFIDENCE", default_value_t = 0.2, value_parser = super::parse_share)]
    pub confidence_min: f64,
    /// Also write the tracks as MOTChallenge text: `frame,track,x,y,width,height,score,-1,-1,-1`, frames from 1.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mot: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub saved: Saved,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.0..=SPEED_MAX).contains(speed));
    speed.ok_or_else(|| format!("expected metres per second from 0 to {SPEED_MAX}"))
}
