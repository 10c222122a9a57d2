//! `foretell-medical evaluate`

use clap::Args;
use foretell_terminal::Within;

use crate::model::Model;

/// `foretell-medical evaluate`
#[derive(Debug, Args)]
#[command(
    after_help = "Compares what was predicted with labels: `finding` for classes, `outline` for outlines. Images that are \
                  unlike those of the training are counted, and every figure is told for all images and for those without \
                  them. Intervals are percentiles of a bootstrap over images, which are not independent where a patient has \
                  several."
)]
pub struct Evaluate {
    /// Whose predictions: `chest`, `brain` (type and outline of a tumour), or a plugin, `name` or `name@version`.
    #[arg(long, default_value_t, value_name = "chest|brain|PLUGIN")]
    pub model: Model,
    /// Predictions of this run alone. Without it, the latest prediction of each image counts.
    #[arg(long, value_name = "NUMBER", conflicts_with = "model")]
    pub run: Option<i64>,
    /// Images of this time, or of this patient or study.
    #[command(flatten)]
    pub within: Within,
    /// Images of one import.
    #[arg(long, value_name = "NUMBER")]
    pub source: Option<i64>,
    /// Images whose file begins with this path, such as `chest/test/`.
    #[arg(long, value_name = "PATH")]
    pub files: Option<String>,
    /// Images for which this SQL expression over the view `medical_image` holds, such as `modality = 'DX'`.
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Resamples for the intervals; 0 for none.
    #[arg(long, default_value_t = 1000)]
    pub resamples: u32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
