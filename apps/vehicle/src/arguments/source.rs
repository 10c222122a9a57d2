//! What several commands take: what to look at, and where results go.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use foretell_store::time::{Micros, parse_time};
use foretell_video::FrameRate;

/// What to look at.
#[derive(Debug, Args)]
pub struct Source {
    /// Pictures, folders of pictures, videos; `shots/*.jpg` in quotes and `frame-%06d.png` are patterns.
    #[arg(required = true, value_name = "INPUT", value_hint = ValueHint::AnyPath)]
    pub inputs: Vec<PathBuf>,
    /// Frames a second of pictures that follow each other; a video knows its own.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub frame_rate: Option<FrameRate>,
    /// Name of the clip in the store, unless it is to be that of its file or folder.
    #[arg(long, value_name = "NAME")]
    pub clip: Option<String>,
    /// When the clip begins, such as `2026-05-01T08:30:00Z`, unless that is when its file was written.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub start: Option<Micros>,
    /// The camera that took it, as `foretell-vehicle calibrate` writes it; it is stored with each frame, for other sizes scaled.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub camera: Option<PathBuf>,
}

/// Where results go, beside the store.
#[derive(Debug, Args)]
pub struct Saved {
    /// Also draw the results: into a `.png` or `.jpg` for one picture, a folder, or a video (`.mp4`, `.avi`, ...).
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub save: Option<PathBuf>,
    /// Also write one JSON object a frame, a line each, into this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lines: Option<PathBuf>,
    /// Replace files that are there already.
    #[arg(long)]
    pub force: bool,
}

fn parse_rate(text: &str) -> Result<FrameRate, &'static str> {
    let expected = "expected frames a second, such as `25` or `29.97`";
    text.parse().ok().and_then(FrameRate::of).ok_or(expected)
}
