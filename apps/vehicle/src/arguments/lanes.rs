//! `foretell-vehicle lanes`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Saved, Source};

/// `foretell-vehicle lanes`
#[derive(Debug, Args)]
#[command(
    after_help = "The plugin answers a mask of both lines and the surface between them, which is stored; metres are measured in it. They \
                  are as good as the camera: without `--camera` it is guessed from the size of the image alone, and offset and width \
                  may be off by half. `foretell-vehicle calibrate` makes a camera file.\n  foretell-vehicle lanes road.jpg --camera \
                  camera.toml --save drawn.png\n  foretell-vehicle lanes road1.jpg road2.jpg --sheet sheet.png"
)]
pub struct Lanes {
    /// What to look at.
    #[command(flatten)]
    pub source: Source,
    /// The plugin that finds lanes, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// The least confidence of a lane; what is below is no lane.
    #[arg(long, value_name = "CONFIDENCE", default_value_t = 0.1, value_parser = super::parse_share)]
    pub confidence_min: f64,
    /// Also write a contact sheet of all inputs, a `.png`; of a video it shows the frame in the middle.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sheet: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub saved: Saved,
}
