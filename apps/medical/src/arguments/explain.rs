//! `foretell-medical explain`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use foretell_insight::explanation::Baseline;
use serde::Serialize;

use super::Target;
use crate::model::Model;

/// `foretell-medical explain`
#[derive(Debug, Args)]
#[command(
    after_help = "Where in the image the score of a class comes from, as a map, and whether that is true: the score while the \
                  hottest pixels are hidden first, and while they are shown first, beside a random order.\n  \
                  foretell-medical explain film.dcm --html film.html\n  \
                  foretell-medical explain --record 7 --model brain --class glioma --method occlusion --stride 4 --png slice.png\n\
                  Nothing is stored but the image. The same image, settings and seed give the same answer."
)]
pub struct Explain {
    /// Which image.
    #[command(flatten)]
    pub target: Target,
    /// Whose prediction: `chest`, `brain` (the type of a tumour), or a plugin, `name` or `name@version`.
    #[arg(long, default_value_t, value_name = "chest|brain|PLUGIN")]
    pub model: Model,
    /// Class whose score is explained; the predicted one, if not said.
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// How: by hiding parts of the image, by what the network says of itself, or both.
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Side of the square that is hidden, in pixels of what the network sees (160 or 192 a side).
    #[arg(long, default_value_t = 32, value_name = "PIXELS", value_parser = parse_pixels)]
    pub patch: usize,
    /// How far the next square is from the one before; the smaller, the finer and the slower.
    #[arg(long, default_value_t = 8, value_name = "PIXELS", value_parser = parse_pixels)]
    pub stride: usize,
    /// What stands where something is hidden.
    #[arg(long, value_enum, default_value_t)]
    pub hide: Hide,
    /// What the map is of: the probability, or its log odds, which still move where the network is sure.
    #[arg(long, value_enum, default_value_t)]
    pub scale: Scale,
    /// Seed of the random orders that a map is compared with.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Also draw the image and its maps into this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub png: Option<PathBuf>,
    /// Also write a page with the image, its maps and their curves.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Replace these files where they are there already.
    #[arg(long)]
    pub force: bool,
}

/// How a map is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Hide parts of the image, one after the other: by how much does the score fall?
    Occlusion,
    /// Ask the network which places of its last layer spoke for the class.
    Activation,
    /// Both.
    #[default]
    Both,
}

impl Method {
    /// Whether parts are to be hidden.
    pub fn hides(self) -> bool {
        self != Self::Activation
    }

    /// Whether the network is to be asked.
    pub fn asks(self) -> bool {
        self != Self::Occlusion
    }
}

/// What stands where something is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Hide {
    /// A blurred copy of the image: detail is lost, brightness stays.
    #[default]
    Blurred,
    /// The mean of the image: everything is lost.
    Mean,
}

impl From<Hide> for Baseline {
    fn from(hide: Hide) -> Self {
        match hide {
            Hide::Blurred => Self::Blurred,
            Hide::Mean => Self::Mean,
        }
    }
}

/// What a map is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The calibrated probability of the class.
    #[default]
    Probability,
    /// The logarithm of the probability divided by that of all else.
    LogOdds,
}

impl Scale {
    /// A probability on this scale. It is finite: what is surer than a 32-bit number can say is taken for the surest that it
    /// can.
    pub fn of(self, probability: f32) -> f32 {
        match self {
            Self::Probability => probability,
            Self::LogOdds => {
                let probability =
                    f64::from(probability).clamp(f64::from(f32::EPSILON), 1.0 - f64::from(f32::EPSILON));
                (probability / (1.0 - probability)).ln() as f32
            }
        }
    }
}

fn parse_pixels(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|pixels| *pixels > 0).ok_or("expected a number of pixels, 1 or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_finite() {
        assert_eq!(Scale::Probability.of(0.25), 0.25);
        assert_eq!(Scale::LogOdds.of(0.5), 0.0);
        assert!((Scale::LogOdds.of(0.75) - 3.0_f32.ln()).abs() < 1e-6);
        let (least, most) = (Scale::LogOdds.of(0.0), Scale::LogOdds.of(1.0));
        assert!(least.is_finite() && most.is_finite() && least < -15.0 && most > 15.0);
    }

    #[test]
    fn pixels_are_counted_from_1() {
        assert_eq!(parse_pixels("16"), Ok(16));
        assert!(["0", "-1", "1.5", "many"].iter().all(|text| parse_pixels(text).is_err()));
    }

    #[test]
    fn both_methods_are_both() {
        assert!(Method::Both.hides() && Method::Both.asks());
        assert!(Method::Occlusion.hides() && !Method::Occlusion.asks());
        assert!(!Method::Activation.hides() && Method::Activation.asks());
    }
}
