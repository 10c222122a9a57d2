//! `foretell-vehicle calibrate`

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueHint};
use foretell_camera::Pattern;

/// `foretell-vehicle calibrate`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("from").required(true).args(["folder", "road"])))]
#[command(
    after_help = "A camera has two halves, and both come from pictures. Its lens: 15 to 20 pictures of a chessboard on something flat, \
                  all of the board in each, tilted to different sides and up to the edges of the picture. Its mount: one picture of a \
                  straight, flat road, taken while driving along the lane.\n  foretell-vehicle calibrate boards --pattern 9x6 --output \
                  lens.toml\n  foretell-vehicle calibrate --road straight.jpg --camera lens.toml --output camera.toml\n\nA chessboard of \
                  10 x 7 squares has 9 x 6 inner corners. Lanes are 3.7 m wide on highways of the United States, 3.75 m on most German \
                  motorways."
)]
pub struct Calibrate {
    /// Folder of pictures of a chessboard, for the lens.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, requires = "pattern")]
    pub folder: Option<PathBuf>,
    /// How many inner corners the chessboard has.
    #[arg(long, value_name = "COLUMNSxROWS", value_parser = parse_pattern, requires = "folder")]
    pub pattern: Option<Pattern>,
    /// Side of a square of the chessboard, to tell how far away it was; the lens does not depend on it.
    #[arg(long, value_name = "METRES", value_parser = parse_square, requires = "folder")]
    pub square: Option<f64>,
    /// How high above the road the camera is, until a road says it.
    #[arg(long, value_name = "METRES", default_value_t = 1.2, requires = "folder")]
    pub height: f64,
    /// How far it looks down, until a road says it; negative is up.
    #[arg(
        long,
        value_name = "DEGREES",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        requires = "folder"
    )]
    pub pitch: f64,
    /// How far it looks to the right, until a road says it.
    #[arg(
        long,
        value_name = "DEGREES",
        default_value_t = 0.0,
        allow_hyphen_values = true,
        requires = "folder"
    )]
    pub yaw: f64,
    /// Picture of a straight, flat road, for the mount.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::FilePath, requires = "camera", conflicts_with = "folder")]
    pub road: Option<PathBuf>,
    /// The lens that took the picture of the road, as a camera file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "road")]
    pub camera: Option<PathBuf>,
    /// How wide the lane is, between the middles of its lines.
    #[arg(long, value_name = "METRES", default_value_t = 3.7, requires = "road")]
    pub lane_width: f64,
    /// The plugin that finds the lane, `name` or `name@version`.
    #[arg(long, value_name = "PLUGIN", requires = "road")]
    pub model: Option<String>,
    /// Where the camera file goes.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Replace a file that is there already.
    #[arg(long)]
    pub force: bool,
}

fn parse_pattern(text: &str) -> Result<Pattern, String> {
    let sides = text.split_once(['x', 'X']);
    let sides = sides.and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    let (columns, rows) = sides.ok_or("expected inner corners of the chessboard, such as `9x6`")?;
    Pattern::new(columns, rows).map_err(|error| error.to_string())
}

fn parse_square(text: &str) -> Result<f64, &'static str> {
    /// The longest side of a square.
    const SQUARE_METRES_MAX: f64 = 10.0;
    let side = text.parse().ok().filter(|side| *side > 0.0 && *side <= SQUARE_METRES_MAX);
    side.ok_or("expected metres, such as `0.025`")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::arguments::{Arguments, Command};

    fn parse(words: &str) -> Result<Command, clap::error::ErrorKind> {
        let words = ["foretell-vehicle"].into_iter().chain(words.split_whitespace());
        Arguments::try_parse_from(words).map(|parsed| parsed.command).map_err(|error| error.kind())
    }

    #[test]
    fn a_lens_or_a_mount_is_calibrated() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        for (words, expected) in [
            ("calibrate --output c.toml", Some(MissingRequiredArgument)),
            ("calibrate boards --output c.toml", Some(MissingRequiredArgument)),
            ("calibrate boards --pattern 9x6", Some(MissingRequiredArgument)),
            ("calibrate boards --pattern 9x6 --output c.toml", None),
            ("calibrate boards --pattern 9x6 --square 0.025 --pitch -2 --output c.toml", None),
            ("calibrate boards --pattern 2x6 --output c.toml", Some(ValueValidation)),
            ("calibrate boards --pattern 9 --output c.toml", Some(ValueValidation)),
            ("calibrate boards --pattern 9x6 --square 0 --output c.toml", Some(ValueValidation)),
            ("calibrate --road a.jpg --output c.toml", Some(MissingRequiredArgument)),
            ("calibrate --road a.jpg --camera l.toml --output c.toml --lane-width 3.5", None),
            (
                "calibrate boards --pattern 9x6 --road a.jpg --camera l.toml --output c.toml",
                Some(ArgumentConflict),
            ),
        ] {
            assert_eq!(parse(words).err(), expected, "{words}");
        }
    }

    #[test]
    fn what_belongs_together_is_given_together() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        for (words, expected) in [
            ("lanes a.jpg b.jpg --camera c.toml --sheet s.png", None),
            ("lanes a.jpg --confidence-min 2", Some(ValueValidation)),
            ("signs crops --sheet s.png", None),
            ("signs a.mp4 --detector d", Some(MissingRequiredArgument)),
            ("signs a.mp4 --score 0.5", Some(MissingRequiredArgument)),
            ("signs a.mp4 --detect --score 0.5 --detector d --save d.mp4", None),
            ("signs a.mp4 --detect --sheet s.png", Some(ArgumentConflict)),
            ("drive a.mp4 --speed 20 --signs --sign-model s", None),
            ("drive a.mp4 --speed 300", Some(ValueValidation)),
            ("drive a.mp4 --speed 20 --speed-file s.csv", Some(ArgumentConflict)),
            ("drive a.mp4 --sign-model s", Some(MissingRequiredArgument)),
            ("adapt n.onnx --output d", None),
        ] {
            assert_eq!(parse(words).err(), expected, "{words}");
        }
    }
}
