//! What can go wrong with a clip.

use crate::ffmpeg::FFMPEG_VARIABLE;
use foretell_media::MediaError;
use std::io;
use std::path::{Path, PathBuf};

/// A clip that could not be opened, read to its end, or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`: {kind}", path = path.display())]
pub struct VideoError {
    /// What was to be done.
    pub action: &'static str,
    /// The clip: a file, a directory or a pattern.
    pub path: PathBuf,
    /// Why it was not.
    pub kind: VideoErrorKind,
}

/// Why something could not be done with a clip. Frames are counted from 0, as in [`crate::Frame::index`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoErrorKind {
    /// Nothing is there.
    #[error("there is no such file or directory; check the name, and whether its disk is there")]
    Missing,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(io::Error),
    /// The clip needs ffmpeg, and there is none.
    #[error(
        "the program ffmpeg is needed and was not found{}; install ffmpeg, or name the program in \
         `{FFMPEG_VARIABLE}`, or use Motion-JPEG (.avi) or a directory of images, which need none",
        named.as_ref().map(|path| format!(" (tried `{}`)", path.display())).unwrap_or_default()
    )]
    NoFfmpeg {
        /// What `FORETELL_FFMPEG` names, if that is not a program.
        named: Option<PathBuf>,
    },
    /// ffmpeg gave up. These are its own words.
    #[error("ffmpeg gave up: {0}")]
    Ffmpeg(String),
    /// No frame came for a long time.
    #[error("no frame has come for {seconds} s; is its disk there, and does ffmpeg read it by hand?")]
    Hung {
        /// How long nothing came.
        seconds: u64,
    },
    /// The file holds no video that can be read.
    #[error(
        "it is no video that can be read: {0}; give a video, a Motion-JPEG .avi or a directory of images"
    )]
    NotVideo(String),
    /// The clip is damaged or cut off. The frames that could be decoded were handed out before.
    #[error("it is damaged or cut off after {frames} frames: {reason}; the frames before are whole")]
    Broken {
        /// How many frames were decoded: the damage is at or shortly before this one.
        frames: u64,
        /// What was found there.
        reason: String,
    },
    /// There is no frame in it.
    #[error("there is no frame in it; give a clip or a directory with images ({ENDINGS})", ENDINGS = crate::clip::endings())]
    NoFrames,
    /// A frame has another size than those before.
    #[error(
        "frame {index}{} has {} x {} pixels, those before have {} x {}; make all of one size",
        name.as_ref().map(|name| format!(" (`{name}`)")).unwrap_or_default(),
        found.0, found.1, expected.0, expected.1
    )]
    SizeChanged {
        /// Which one.
        index: u64,
        /// Its file, of a directory of images.
        name: Option<String>,
        /// Width and height of the clip in pixels.
        expected: (u32, u32),
        /// Width and height of the frame in pixels.
        found: (u32, u32),
    },
    /// The clip, or what was asked, is beyond a limit.
    #[error("{what} {found} is beyond the limit of {allowed}; {hint}")]
    Limit {
        /// What is limited, with its unit.
        what: &'static str,
        /// What was found.
        found: u64,
        /// What is allowed.
        allowed: u64,
        /// What to do instead.
        hint: &'static str,
    },
    /// A frame that is an image cannot be decoded or encoded.
    #[error("frame {index}{}: {reason}", name.as_ref().map(|name| format!(" (`{name}`)")).unwrap_or_default())]
    Picture {
        /// Which one.
        index: u64,
        /// Its file, of a directory of images.
        name: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// What would be written is there already.
    #[error("it is there already; give another name, or say that it may be replaced")]
    Exists,
    /// A clip cannot be written under this name.
    #[error("{0}; name a file that ends in .avi, .mp4, .mov, .mkv or .webm, or a directory")]
    Ending(String),
    /// A picture is not of the kind that was announced.
    #[error("frame {index} is {found}, expected is {expected}")]
    WrongPicture {
        /// Which one.
        index: u64,
        /// What a frame must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// An argument that makes no sense.
    #[error("{0}")]
    Argument(String),
}

impl VideoErrorKind {
    /// The error of doing `action` with the clip at `path`.
    pub(crate) fn of(self, action: &'static str, path: &Path) -> VideoError {
        VideoError { action, path: path.to_owned(), kind: self }
    }

    /// Fails when `found` is greater than `allowed`.
    pub(crate) fn limit(
        what: &'static str,
        found: u64,
        allowed: u64,
        hint: &'static str,
    ) -> Result<(), VideoErrorKind> {
        if found > allowed { Err(VideoErrorKind::Limit { what, found, allowed, hint }) } else { Ok(()) }
    }

    /// What is wrong with the image that is frame `index`.
    pub(crate) fn picture(index: u64, name: Option<&Path>, error: &MediaError) -> VideoErrorKind {
        VideoErrorKind::Picture { index, name: file_name(name), reason: error.to_string() }
    }
}

impl From<io::Error> for VideoErrorKind {
    fn from(error: io::Error) -> VideoErrorKind {
        match error.kind() {
            io::ErrorKind::NotFound => VideoErrorKind::Missing,
            io::ErrorKind::AlreadyExists => VideoErrorKind::Exists,
            _ => VideoErrorKind::Io(error),
        }
    }
}

/// The last part of a path, for messages.
pub(crate) fn file_name(path: Option<&Path>) -> Option<String> {
    path?.file_name().map(|name| name.to_string_lossy().into_owned())
}
