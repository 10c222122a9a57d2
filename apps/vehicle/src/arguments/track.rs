//! `foretell-vehicle track`

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Saved, Source};
use crate::counting::{Line, ShapeError, Zone};
use crate::follow::DETECTOR_SCORES;

/// `foretell-vehicle track`
#[derive(Debug, Args)]
#[command(
    after_help = "The detections of a clip are stored as one record, so that another tracker can follow them again in a job: \
                  `foretell-vehicle batch create --plugin vehicle-tracker@VERSION`.\n\nA box crosses a line or is in a zone by \
                  the middle of its lower side, where it stands on the road. Coordinates are pixels from the upper left \
                  corner, or shares of the frame's width and height where all numbers of a line or zone are from 0 to 1. Left \
                  and right are those of somebody who goes along the line from its first point to its second."
)]
#[command(mut_arg("inputs", |inputs| inputs.required(false).required_unless_present("detections")))]
pub struct Track {
    /// What to look at. The pictures of a folder are one clip.
    #[command(flatten)]
    pub source: Source,
    /// The plugin that detects, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN")]
    pub model: Option<String>,
    /// Follow the detections of a file instead: MOTChallenge text `frame,id,x,y,width,height,score`, frames from 1.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["inputs", "model", "save"])]
    pub detections: Option<PathBuf>,
    /// Width and height of the frames in pixels, unless they end where the outermost detections do.
    #[arg(long, value_name = "WxH", value_parser = parse_size, conflicts_with = "inputs")]
    pub size: Option<(u32, u32)>,
    /// From which score on the detector of the file reports an object; 0.5 suits detectors that are near 1 for what is surely there.
    #[arg(long, value_name = "SCORE", value_parser = parse_detector_score, conflicts_with = "inputs")]
    pub detector_score: Option<f64>,
    /// What the detections of the file are.
    #[arg(long, value_name = "LABEL", default_value = "person", conflicts_with = "inputs")]
    pub label: String,
    /// The plugin that tracks.
    #[arg(long, value_name = "PLUGIN")]
    pub tracker: Option<String>,
    /// Count what crosses a line, and in which direction: `gate=x1,y1,x2,y2`. May be given several times.
    #[arg(long, value_name = "NAME=X1,Y1,X2,Y2", value_parser = parse_line, allow_hyphen_values = true)]
    pub line: Vec<Line>,
    /// Count what is in a part of the frame, and how long: `lot=x1,y1,x2,y2,x3,y3,...`. May be given several times.
    #[arg(long, value_name = "NAME=X1,Y1,...", value_parser = parse_zone, allow_hyphen_values = true)]
    pub zone: Vec<Zone>,
    /// Also write the tracks as MOTChallenge text: `frame,track,x,y,width,height,score,-1,-1,-1`, frames from 1.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mot: Option<PathBuf>,
    /// Where results go.
    #[command(flatten)]
    pub saved: Saved,
}

fn parse_line(text: &str) -> Result<Line, ShapeError> {
    Line::parse(text)
}

fn parse_zone(text: &str) -> Result<Zone, ShapeError> {
    Zone::parse(text)
}

fn parse_detector_score(text: &str) -> Result<f64, String> {
    let score = text.parse().ok().filter(|score| DETECTOR_SCORES.contains(score));
    score.ok_or_else(|| {
        format!("expected a score from {} to {}", DETECTOR_SCORES.start(), DETECTOR_SCORES.end())
    })
}

fn parse_size(text: &str) -> Result<(u32, u32), &'static str> {
    /// The most pixels of a side.
    const SIDE_PIXELS_MAX: u32 = 1 << 20;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=SIDE_PIXELS_MAX).contains(side));
    let sides = text.split_once(['x', 'X']);
    let size = sides.and_then(|(width, height)| side(width).zip(side(height)));
    size.ok_or("expected a width and a height in pixels, such as `640x480`")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::arguments::{Arguments, Command};

    fn parse(words: &str) -> Result<Command, clap::error::ErrorKind> {
        let words = ["foretell-vehicle", "track"].into_iter().chain(words.split_whitespace());
        Arguments::try_parse_from(words).map(|parsed| parsed.command).map_err(|error| error.kind())
    }

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn pictures_or_detections_are_tracked() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        for (words, expected) in [
            ("", Some(MissingRequiredArgument)),
            ("a.mp4", None),
            ("--detections det.txt --size 640x480 --label car --frame-rate 25", None),
            ("a.mp4 --detections det.txt", Some(ArgumentConflict)),
            ("--detections det.txt --save drawn.mp4", Some(ArgumentConflict)),
            ("--detections det.txt --model vehicle-detector", Some(ArgumentConflict)),
            ("a.mp4 --size 640x480", Some(ArgumentConflict)),
            ("a.mp4 --label car", Some(ArgumentConflict)),
            ("--detections det.txt --size 640x0", Some(ValueValidation)),
            ("--detections det.txt --detector-score 0.25", None),
            ("--detections det.txt --detector-score 0", Some(ValueValidation)),
            ("a.mp4 --detector-score 0.25", Some(ArgumentConflict)),
            ("a.mp4 --line gate=0.5,0,0.5,1 --line far=-10,0,5,90 --zone lot=0,0,9,0,9,9", None),
            ("a.mp4 --line gate=0.5,0,0.5", Some(ValueValidation)),
            ("a.mp4 --zone lot=0.5,0,0.5,1", Some(ValueValidation)),
        ] {
            assert_eq!(parse(words).err(), expected, "{words}");
        }
        let Ok(Command::Track(track)) = parse("a.mp4 --line gate=0,0,1,1") else { panic!("a track") };
        assert_eq!((track.line.len(), track.label.as_str(), track.detections), (1, "person", None));
    }
}
