//! `foretell-vehicle evaluate`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueHint};

/// What is evaluated.
#[derive(Debug, Subcommand)]
pub enum Evaluate {
    /// How well a detector finds what somebody drew in pictures: COCO's average precision and recall.
    Detections(EvaluateDetections),
    /// How well a tracker follows what somebody drew in clips: MOTA, IDF1 and HOTA.
    Tracks(EvaluateTracks),
}

/// `foretell-vehicle evaluate detections`
#[derive(Debug, Args)]
#[command(
    after_help = "Images are stored and predicted as by `detect`, those that this plugin has answered with the same settings \
                  not again. Average precision wants also what the detector is not sure of, so its setting `score` is lowered \
                  for the evaluation; such answers are stored as those of a challenger, and no view or export shows them as \
                  answers. Intervals are percentiles of a bootstrap over images."
)]
pub struct EvaluateDetections {
    /// What was drawn, as COCO's JSON of annotations.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub truth: PathBuf,
    /// Folder of the images, unless they lie beside the annotations or in a folder `images` there or one above.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub images: Option<PathBuf>,
    /// The plugin that detects, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// The least score of a box that counts.
    #[arg(long, value_name = "SCORE", default_value_t = 0.01, value_parser = super::parse_share)]
    pub score_min: f64,
    /// Which label a class of the truth has, such as `tram=bus`, where its name does not say it. May be given several times.
    #[arg(long, value_name = "THEIRS=OURS", value_parser = parse_map)]
    pub map: Vec<(String, String)>,
    /// Resamples for the intervals; 0 for none.
    #[arg(long, default_value_t = 1000)]
    pub resamples: u32,
    /// Seed of the resampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// `foretell-vehicle evaluate tracks`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("answers").required(true).args(["tracks", "clip"])))]
#[command(
    after_help = "Files are MOTChallenge text: `frame,id,x,y,width,height,confidence`, frames from 1. Of the truth those rows \
                  count whose confidence is at least 1, or that have none; of the tracks all. The first file of tracks, or the \
                  first clip, belongs to the first truth, the second to the second. CLEAR MOT and identity are at an \
                  intersection over union of 0.5, HOTA is the mean over 0.05 to 0.95."
)]
pub struct EvaluateTracks {
    /// What was drawn; one file or several.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true, value_hint = ValueHint::FilePath)]
    pub truth: Vec<PathBuf>,
    /// What a tracker answered: one file for each truth.
    #[arg(long, value_name = "FILE", num_args = 1.., value_hint = ValueHint::FilePath)]
    pub tracks: Vec<PathBuf>,
    /// A stored clip that was tracked, by its name, for each truth.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub clip: Vec<String>,
    /// Whose tracks of stored clips, `name` or `name@version`; the latest of each clip count.
    #[arg(long, value_name = "PLUGIN", default_value = "vehicle-tracker", conflicts_with = "tracks")]
    pub tracker: String,
}

fn parse_map(text: &str) -> Result<(String, String), &'static str> {
    let parts = text.split_once('=').map(|(theirs, ours)| (theirs.trim(), ours.trim()));
    let named = parts.filter(|(theirs, ours)| !theirs.is_empty() && !ours.is_empty());
    named
        .map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()))
        .ok_or("expected a class of the truth, `=` and a label of the plugin, such as `tram=bus`")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn parse(words: &str) -> Result<Evaluate, clap::error::ErrorKind> {
        let words = ["foretell-vehicle", "evaluate"].into_iter().chain(words.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.kind())?.command {
            Command::Evaluate(evaluate) => Ok(evaluate),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_compared_is_named() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        for (words, expected) in [
            ("detections", Some(MissingRequiredArgument)),
            ("detections --truth val.json --map tram=bus --map van=car --score-min 0.05", None),
            ("detections --truth val.json --map tram", Some(ValueValidation)),
            ("detections --truth val.json --score-min 2", Some(ValueValidation)),
            ("tracks --truth gt.txt", Some(MissingRequiredArgument)),
            ("tracks --tracks test.txt", Some(MissingRequiredArgument)),
            ("tracks --truth a.txt b.txt --tracks c.txt d.txt", None),
            ("tracks --truth a.txt --clip road --tracker vehicle-tracker@0.1.0", None),
            ("tracks --truth a.txt --clip road --tracks c.txt", Some(ArgumentConflict)),
            ("tracks --truth a.txt --tracks c.txt --tracker vehicle-tracker", Some(ArgumentConflict)),
        ] {
            assert_eq!(parse(words).err(), expected, "{words}");
        }
        let Ok(Evaluate::Detections(command)) = parse("detections --truth val.json --map a=b") else {
            panic!("detections")
        };
        assert_eq!((command.score_min, &command.map[..]), (0.01, &[("a".to_owned(), "b".to_owned())][..]));
    }
}
