//! `foretell-medical export`

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};

use super::Target;

/// `foretell-medical export`
#[derive(Debug, Args)]
#[command(after_help = "Writes what was predicted and stored before, of an image that came as DICOM:\n  \
                  foretell-medical export --record 7 --sr report.dcm --seg outline.dcm\n\
                  The files refer to the stored image, whose UIDs are new ones unless identifiers were kept.")]
#[command(group(ArgGroup::new("files").required(true).multiple(true).args(["sr", "seg"])))]
pub struct Export {
    /// Which image.
    #[command(flatten)]
    pub target: Target,
    /// Write the scores as a DICOM structured report into this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sr: Option<PathBuf>,
    /// Write the outline as a DICOM segmentation into this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub seg: Option<PathBuf>,
    /// Take the prediction of this run instead of the latest one of its kind; `show` lists them.
    #[arg(long, value_name = "NUMBER")]
    pub run: Option<i64>,
    /// Replace the files where they are there already.
    #[arg(long)]
    pub force: bool,
}
