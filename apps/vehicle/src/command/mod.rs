//! The commands of `foretell-vehicle`, one module each.

mod calibrate;
mod detect;
mod drive;
mod evaluate;
mod lanes;
mod signs;
mod track;

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use foretell_jobs::Live;
use foretell_store::open::Store;
use foretell_terminal::job::{self, Models};
use foretell_terminal::{Failure, Output, Place, check_absent, exit};
use foretell_video::Ffmpeg;

use crate::arguments::{Arguments, Command, Saved, Source};
use crate::canvas::Canvas;
use crate::footage::{Footage, Options, Refused};
use crate::lane::{CameraFile, CameraFileError};
use crate::watch::score_failure;
use crate::{DOMAIN, adapt};

/// Name of the program.
const PROGRAM: &str = "foretell-vehicle";
/// A task, and the plugin that does it unless another one is named or deployed.
#[derive(Clone, Copy)]
struct Usual {
    task: &'static str,
    plugin: &'static str,
}

const DETECTOR: Usual = Usual { task: "detection", plugin: "vehicle-detector" };
const TRACKER: Usual = Usual { task: "tracking", plugin: "vehicle-tracker" };
const SIGNS: Usual = Usual { task: "multiclass-classification", plugin: "vehicle-signs" };
const LANES: Usual = Usual { task: "segmentation", plugin: "vehicle-lanes" };
const DECISION: Usual = Usual { task: "ranking", plugin: "vehicle-decision" };

/// Runs what the user typed, to its exit code.
pub async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let (place, output) = (&arguments.place, Output::new(arguments.json));
    match &arguments.command {
        Command::Detect(command) => detect::run(&Session::open(place, output).await?, command).await,
        Command::Track(command) => track::run(&Session::open(place, output).await?, command).await,
        Command::Signs(command) => signs::run(&Session::open(place, output).await?, command).await,
        Command::Lanes(command) => lanes::run(&Session::open(place, output).await?, command).await,
        Command::Drive(command) => drive::run(&Session::open(place, output).await?, command).await,
        Command::Calibrate(command) => calibrate::run(place, output, command).await,
        Command::Adapt(command) => adapt::run(place, output, command),
        Command::Evaluate(command) => evaluate::run(place, output, command).await,
        Command::Batch(command) => job::run(&app(place, output, DETECTOR), command).await,
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Arguments::command(), PROGRAM, &mut std::io::stdout());
            Ok(exit::DONE)
        }
    }
}

/// Reads a camera file that the user named.
fn camera_file(path: &Path) -> Result<CameraFile, Failure> {
    CameraFile::read(path).map_err(|CameraFileError { path, kind }| {
        Failure::words(format!("cannot take the camera from `{}`: {kind}", path.display()))
            .hint(Some("`foretell-vehicle calibrate` makes a camera file"))
    })
}

/// Refuses to draw several inputs over each other, and over a file that is there: better before frames are looked at than after.
fn check_drawn(saved: &Saved, clips: &[Footage]) -> Result<(), Failure> {
    if let Some(path) = saved.save.as_deref().filter(|path| path.is_file()) {
        check_absent(path, saved.force)?;
    }
    match (&saved.save, clips) {
        (Some(_), [_, _, ..]) => {
            Err(Failure::words(format!("`--save` draws one input, and there are {}", clips.len()))
                .hint(Some("put the pictures into a folder, or draw each in a command of its own")))
        }
        _ => Ok(()),
    }
}

/// What was set aside is listed up to so many lines; `--json` has all of it.
const REFUSED_SHOWN_MAX: usize = 10;

/// Tells what was set aside, and why.
fn show_refused(output: Output, refused: &[Refused]) {
    for Refused { file, reason } in refused.iter().take(REFUSED_SHOWN_MAX) {
        output.line(&format!("  set aside `{file}`: {reason}"));
    }
    if let Some(more @ 1..) = refused.len().checked_sub(REFUSED_SHOWN_MAX) {
        output.line(&format!("  and {more} more; `--json` lists all"));
    }
}

/// This app, as batch work sees it.
fn app(place: &Place, output: Output, usual: Usual) -> job::App<'_> {
    job::App {
        place,
        output,
        program: PROGRAM,
        version: env!("CARGO_PKG_VERSION"),
        command: "batch",
        unit: "frames",
        plugin: Some(usual.plugin),
        task: Some(usual.task),
        domain: Some(DOMAIN),
    }
}

/// What every command that looks at frames works with.
struct Session<'a> {
    place: &'a Place,
    output: Output,
    store: Store,
    ffmpeg: Ffmpeg,
}

impl<'a> Session<'a> {
    async fn open(place: &'a Place, output: Output) -> Result<Self, Failure> {
        Ok(Self { place, output, store: place.create_or_open().await?, ffmpeg: Ffmpeg::find() })
    }

    /// The plugin of a name, `name` or `name@version`, or the one that is deployed or usual.
    async fn models(&self, named: Option<&str>, usual: Usual) -> Result<Models, Failure> {
        let wanted = job::Wanted { plugin: named, ..job::Wanted::default() };
        job::models(&app(self.place, self.output, usual), &self.store, &wanted).await
    }

    /// Opens what the user named.
    async fn footage(&self, source: &Source) -> Result<Vec<Footage>, Failure> {
        if source.clip.is_some() && source.inputs.len() > 1 {
            let found = source.inputs.len();
            return Err(Failure::words(format!("`--clip` names one clip, and there are {found} inputs"))
                .hint(Some(
                    "put the pictures of one clip into a folder, or name each clip in a command of its own",
                )));
        }
        let options = Options {
            frame_rate: source.frame_rate,
            clip: source.clip.clone(),
            start: source.start,
            camera: source.camera.as_deref().map(camera_file).transpose()?,
        };
        let mut footage = Vec::with_capacity(source.inputs.len());
        for path in &source.inputs {
            footage.push(Footage::open(&self.store, path, &self.ffmpeg, &options).await?);
        }
        Ok(footage)
    }

    /// Where the drawn frames of a clip go, if the user wants them.
    fn canvas(&self, saved: &Saved, footage: &Footage) -> Result<Option<Canvas>, Failure> {
        let canvas = |path: &PathBuf| Canvas::new(path, footage.frame_rate, &self.ffmpeg, saved.force);
        saved.save.as_ref().map(canvas).transpose()
    }

    /// Begins a run of a plugin over a clip.
    async fn live(&self, models: &Models, footage: &Footage) -> Result<Live, Failure> {
        let selection = serde_json::json!({ "clip": footage.clip });
        Live::begin(&self.store, &models.plugin, &models.program, models.role, &selection)
            .await
            .map_err(|error| score_failure(&error))
    }

    /// Ends runs.
    async fn finish(&self, lives: impl IntoIterator<Item = Live>) -> Result<(), Failure> {
        for live in lives {
            live.finish().await.map_err(|error| score_failure(&error))?;
        }
        Ok(())
    }
}
