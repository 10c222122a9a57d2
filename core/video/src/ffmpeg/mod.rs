//! The program ffmpeg: where it is, and how it is run.

pub(crate) mod nut;
pub(crate) mod process;

use crate::error::VideoErrorKind;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the program ffmpeg, where it is not on the search path or where there are several.
pub const FFMPEG_VARIABLE: &str = "FORETELL_FFMPEG";

/// The program ffmpeg, if there is one. What needs none works without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ffmpeg {
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    At(PathBuf),
    /// `FORETELL_FFMPEG` names this, which is no file.
    Wrong(PathBuf),
    Nowhere,
}

impl Ffmpeg {
    /// Looks for the program: what `FORETELL_FFMPEG` names, else the first `ffmpeg` in the directories of `PATH`. It is not run.
    /// That there is none is told by what needs it.
    pub fn find() -> Ffmpeg {
        if let Some(named) = env::var_os(FFMPEG_VARIABLE).filter(|named| !named.is_empty()) {
            return Ffmpeg::at(PathBuf::from(named));
        }
        let name = format!("ffmpeg{}", env::consts::EXE_SUFFIX);
        let path = env::var_os("PATH").unwrap_or_default();
        let found =
            env::split_paths(&path).map(|directory| directory.join(&name)).find(|path| path.is_file());
        Ffmpeg { place: found.map_or(Place::Nowhere, Place::At) }
    }

    /// The program at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Ffmpeg {
        let path = path.into();
        Ffmpeg { place: if path.is_file() { Place::At(path) } else { Place::Wrong(path) } }
    }

    /// No program: only what works without can be read and written.
    pub fn none() -> Ffmpeg {
        Ffmpeg { place: Place::Nowhere }
    }

    /// Where the program is.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::At(path) => Some(path),
            Place::Wrong(_) | Place::Nowhere => None,
        }
    }

    /// The program with what each call of it has: no colours, no banner, and the severity before each message.
    pub(crate) fn command(&self) -> Result<Command, VideoErrorKind> {
        let path = match &self.place {
            Place::At(path) => path,
            Place::Wrong(path) => return Err(VideoErrorKind::NoFfmpeg { named: Some(path.clone()) }),
            Place::Nowhere => return Err(VideoErrorKind::NoFfmpeg { named: None }),
        };
        let mut command = Command::new(path);
        command.args(["-hide_banner", "-nostats", "-loglevel", "repeat+level+info"]);
        command.env("AV_LOG_FORCE_NOCOLOR", "1").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Which of the encoders `wanted` this build of ffmpeg has, the first of them.
    pub(crate) fn encoder(&self, wanted: &[&'static str]) -> Result<&'static str, VideoErrorKind> {
        let output = self.command()?.arg("-encoders").stdout(Stdio::piped()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        // ` V....D libx264   libx264 H.264 / AVC ...`
        let has =
            |name: &&&'static str| text.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
        wanted.iter().find(has).copied().ok_or_else(|| {
            VideoErrorKind::Ffmpeg(format!("this build of it has none of the encoders {}", wanted.join(", ")))
        })
    }
}

/// A path as ffmpeg's protocol `file`: whatever it begins with, it is neither an option nor another protocol.
pub(crate) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}
