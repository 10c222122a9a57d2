//! Reading a clip.

mod images;
mod motion_jpeg;
mod program;
mod thread;

use crate::error::{VideoError, VideoErrorKind};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::process::Ender;
use crate::rate::FrameRate;
use foretell_media::{Media, MediaError, Picture, SampleType, Samples};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use thread::Feed;

/// The most pixels of a frame: 16 K, as 16,384 x 8,192.
pub const FRAME_PIXELS_MAX: u64 = 1 << 27;
/// The most frames of a clip: a week at 25 frames a second.
pub const FRAMES_MAX: u64 = 1 << 24;
/// Frames that are decoded ahead of the caller.
pub const FRAMES_AHEAD: usize = 4;
/// How long a frame may take before the clip is given up, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// What a clip is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A file that ffmpeg decodes.
    Video,
    /// An AVI file of JPEG images, which is decoded here.
    MotionJpeg,
    /// Image files, one for each frame.
    Images,
}

/// What is known of a clip before its frames are decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipInfo {
    /// What it is stored as.
    pub kind: Kind,
    /// Pixels of a row, as displayed: after rotation.
    pub width: u32,
    /// Rows, as displayed.
    pub height: u32,
    /// Frames a second, as announced. Of a video of varying rate, what its container calls its rate: see [`Frame::time`].
    pub frame_rate: FrameRate,
    /// How many frames there are, where they can be counted without decoding them.
    pub frames: Option<u64>,
    /// How long the clip is in seconds, as announced. A container with sound announces the longer of both.
    pub seconds: Option<f64>,
}

/// A decoded frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Which one, counted from 0.
    pub index: u64,
    /// When it is shown, in seconds after the first one.
    pub time: f64,
    /// Red, green and blue in 8 bits, of the clip's size.
    pub picture: Picture,
}

/// A clip that is being read, one frame after the other, in the order in which they are shown.
///
/// Frames are decoded on a thread of their own, at most [`FRAMES_AHEAD`] ahead of the caller. Dropping the clip ends that thread,
/// and ffmpeg with it.
///
/// **Invariant:** every frame that could be decoded is handed out. An error is the last thing that the iterator gives.
#[derive(Debug)]
pub struct Clip {
    path: PathBuf,
    info: ClipInfo,
    /// The index of the frame that the caller gets next.
    next: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is decoded before the first frame is asked for.
    Ready(Box<dyn Decoder>),
    Running(Feed),
    Ended,
}

/// What decodes frames, on a thread of its own.
trait Decoder: Send + std::fmt::Debug {
    /// The next frame whose index is at least `from`. `None` behind the last one. `decoded` counts those that are passed over.
    fn next(&mut self, from: u64, decoded: &AtomicU64) -> Result<Option<Frame>, VideoErrorKind>;

    /// Who ends a program that it waits for.
    fn ender(&self) -> Option<Ender> {
        None
    }

    /// Changes how many frames a second has, where the source does not know.
    fn set_frame_rate(&mut self, rate: FrameRate);
}

impl Clip {
    /// Opens a clip:
    /// - a Motion-JPEG AVI file: decoded here, without ffmpeg;
    /// - an image file: a clip of one frame;
    /// - any other file: decoded by ffmpeg;
    /// - a directory: its images ([`Kind::Images`]) in the order of the numbers in their names, `2.jpg` before `10.jpg`;
    /// - a pattern, if no such file is there: `*` in its last part stands for anything, `%d` and `%06d` for a number.
    ///
    /// # Errors
    /// Nothing there, no ffmpeg where one is needed, no video, no frame, a size beyond a limit.
    pub fn open(path: impl AsRef<Path>, ffmpeg: &Ffmpeg) -> Result<Clip, VideoError> {
        let path = path.as_ref();
        opened(path, ffmpeg).map_err(|kind| kind.of("open", path))
    }

    /// A clip of image files, in this order.
    ///
    /// # Errors
    /// No file, a first one that is no image, a size beyond a limit.
    pub fn of_images(paths: Vec<PathBuf>, frame_rate: FrameRate) -> Result<Clip, VideoError> {
        let first = paths.first().cloned().unwrap_or_default();
        let clip = images::open(&first, paths).map_err(|kind| kind.of("open", &first))?;
        Ok(clip.with_frame_rate(frame_rate))
    }

    /// The clip with another frame rate, for images, which have none: [`FrameRate::OF_IMAGES`] is what they are taken for. Of a
    /// clip that has times of its own, or from which frames were taken already, nothing changes.
    #[must_use]
    pub fn with_frame_rate(mut self, rate: FrameRate) -> Clip {
        if let (Kind::Images, State::Ready(decoder)) = (self.info.kind, &mut self.state) {
            decoder.set_frame_rate(rate);
            self.info.frame_rate = rate;
            self.info.seconds = self.info.frames.map(|frames| rate.seconds(frames));
        }
        self
    }

    /// What is known of the clip.
    pub fn info(&self) -> &ClipInfo {
        &self.info
    }

    /// Passes over the next `frames` frames. Of images and Motion-JPEG they are not even read; ffmpeg decodes them, since later
    /// frames are made from them.
    pub fn pass_over(&mut self, frames: u64) {
        self.next = self.next.saturating_add(frames);
        if let State::Running(feed) = &self.state {
            feed.want(self.next);
        }
    }

    fn ready(path: &Path, info: ClipInfo, decoder: impl Decoder + 'static) -> Clip {
        Clip { path: path.to_owned(), info, next: 0, state: State::Ready(Box::new(decoder)) }
    }

    fn taken(&mut self) -> Result<Option<Frame>, VideoErrorKind> {
        if let State::Ready(_) = self.state
            && let State::Ready(decoder) = std::mem::replace(&mut self.state, State::Ended)
        {
            self.state = State::Running(Feed::start(decoder, self.next));
        }
        let State::Running(feed) = &self.state else { return Ok(None) };
        while let Some(frame) = feed.take()? {
            // Those that were decoded before it was known that nobody wants them.
            if frame.index >= self.next {
                self.next = frame.index + 1;
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}

impl Iterator for Clip {
    type Item = Result<Frame, VideoError>;

    /// The next frame, or why there is none. Behind an error and behind the last frame there is nothing.
    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.taken().map_err(|kind| kind.of("read", &self.path)).transpose();
        if !matches!(taken, Some(Ok(_))) {
            self.state = State::Ended;
        }
        taken
    }
}

impl std::iter::FusedIterator for Clip {}

/// The image files that a directory, a pattern or the name of an image stands for, in the order of [`Clip::open`]; `None` of
/// anything else. For who wants the files, or images of several sizes.
///
/// # Errors
/// Nothing there, or a directory that can't be read.
pub fn images(path: impl AsRef<Path>) -> Result<Option<Vec<PathBuf>>, VideoError> {
    let path = path.as_ref();
    stills(path).map_err(|kind| kind.of("read", path))
}

fn stills(path: &Path) -> Result<Option<Vec<PathBuf>>, VideoErrorKind> {
    if path.is_dir() {
        return images::of_directory(path).map(Some);
    }
    if !path.exists() {
        return images::of_pattern(path)?.map(Some).ok_or(VideoErrorKind::Missing);
    }
    Ok(images::is_image(path).then(|| vec![path.to_owned()]))
}

fn opened(path: &Path, ffmpeg: &Ffmpeg) -> Result<Clip, VideoErrorKind> {
    if let Some(paths) = stills(path)? {
        return images::open(path, paths);
    }
    match motion_jpeg::open(path)? {
        motion_jpeg::Opened::Clip(clip) => Ok(clip),
        motion_jpeg::Opened::Another => program::open(path, ffmpeg),
        // Some cameras write JPEG of their own kind, of which ffmpeg may make more.
        motion_jpeg::Opened::Strange(kind) => match program::open(path, ffmpeg) {
            Err(VideoErrorKind::NoFfmpeg { .. }) => Err(kind),
            other => other,
        },
    }
}

/// The endings of images, for messages.
pub(crate) fn endings() -> String {
    images::ENDINGS.map(|ending| format!(".{ending}")).join(", ")
}

/// Fails if a frame would be too large.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), VideoErrorKind> {
    let hint = "make the clip smaller";
    VideoErrorKind::limit("a frame of pixels:", u64::from(width) * u64::from(height), FRAME_PIXELS_MAX, hint)
}

/// An encoded image as red, green and blue.
fn decoded(bytes: Vec<u8>) -> Result<Picture, MediaError> {
    let picture = Media::open_owned(bytes)?.picture(1, SampleType::U8)?;
    Ok(match picture {
        Picture { width, height, channels: 1, samples: Samples::U8(samples) } => {
            let samples = samples.into_iter().flat_map(|sample| [sample; 3]).collect();
            Picture { width, height, channels: 3, samples: Samples::U8(samples) }
        }
        picture => picture,
    })
}
