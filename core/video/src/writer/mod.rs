//! Writing a clip.

mod motion_jpeg;
mod place;
mod program;
mod still;

use crate::error::{VideoError, VideoErrorKind};
use crate::ffmpeg::Ffmpeg;
use crate::ffmpeg::process::Ender;
use crate::rate::FrameRate;
use foretell_media::{Picture, Samples};
use place::Place;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

pub use still::{JPEG_QUALITY, Still};

/// Frames that wait to be encoded before the caller has to.
const FRAMES_WAITING_MAX: usize = 4;

/// How a clip is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Replace what is there already.
    pub replace: bool,
    /// What the frames of a directory are encoded as.
    pub still: Still,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// How many frames it has.
    pub frames: u64,
    /// What encoded them: `jpeg`, `png`, or the name of an encoder of ffmpeg, such as `libx264`.
    pub encoder: &'static str,
}

/// A clip that is being written. Frames are encoded on a thread of their own.
///
/// **Invariant:** at the final path stands the whole clip, or what stood there before. Until [`Writer::finish`] it is written
/// beside; a writer that is dropped leaves nothing.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    size: (u32, u32),
    frames: u64,
    encoder: &'static str,
    place: Option<Place>,
    sender: Option<SyncSender<Picture>>,
    thread: Option<JoinHandle<Result<(), VideoErrorKind>>>,
    is_wanted: Arc<AtomicBool>,
    ender: Option<Ender>,
}

/// What encodes frames, on a thread of its own.
trait Encoder: Send {
    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// Adds a frame: `samples` are red, green and blue, row by row.
    fn add(&mut self, samples: &[u8]) -> Result<(), VideoErrorKind>;

    /// Writes what is missing at the end.
    fn finish(self: Box<Self>) -> Result<(), VideoErrorKind>;

    /// Who ends a program that it waits for.
    fn ender(&self) -> Option<Ender> {
        None
    }
}

impl Writer {
    /// Begins a clip of frames of `size`, width and height in pixels. What it is written as follows from the path:
    /// - `.avi`: Motion-JPEG, without ffmpeg;
    /// - `.mp4`, `.mov`, `.mkv`: H.264 through ffmpeg, or MPEG-4 where its build has no H.264 ([`Written::encoder`] says which);
    /// - `.webm`: VP9 or VP8 through ffmpeg;
    /// - a directory, an ending `/` or no ending: images `000001.jpg`, `000002.jpg`, ...
    ///
    /// Videos of ffmpeg have an even size: a row or column of black is added where one is missing.
    ///
    /// # Errors
    /// Something there that may not be replaced, another ending, no ffmpeg where one is needed, a size beyond a limit.
    pub fn create(
        path: impl AsRef<Path>,
        size: (u32, u32),
        frame_rate: FrameRate,
        ffmpeg: &Ffmpeg,
        options: Options,
    ) -> Result<Writer, VideoError> {
        let path = path.as_ref();
        created(path, size, frame_rate, ffmpeg, options).map_err(|kind| kind.of("write", path))
    }

    /// Adds a frame: 8 bits of red, green and blue, of the clip's size. It waits while several frames are not encoded yet.
    ///
    /// # Errors
    /// Another kind of picture, which is not added; or what went wrong with it or with a frame before, which ends the writing.
    pub fn write(&mut self, picture: Picture) -> Result<(), VideoError> {
        self.added(picture).map_err(|kind| kind.of("write", &self.path))
    }

    /// Encodes what is left, and puts the clip at its path.
    ///
    /// # Errors
    /// No frame, or what went wrong with one of them or at the end. Nothing is at the path then that was not there before.
    pub fn finish(mut self) -> Result<Written, VideoError> {
        self.finished().map_err(|kind| kind.of("write", &self.path))
    }

    fn added(&mut self, picture: Picture) -> Result<(), VideoErrorKind> {
        let found = match &picture.samples {
            Samples::U8(_)
                if (picture.width, picture.height, picture.channels) == (self.size.0, self.size.1, 3) =>
            {
                None
            }
            samples => Some(samples.sample_type()),
        };
        if let Some(sample) = found {
            let words =
                |width, height, channels, sample| format!("{width} x {height} x {channels} of {sample}");
            return Err(VideoErrorKind::WrongPicture {
                index: self.frames,
                expected: words(self.size.0, self.size.1, 3, "U8".to_owned()),
                found: words(picture.width, picture.height, picture.channels, format!("{sample:?}")),
            });
        }
        let is_sent = self.sender.as_ref().is_some_and(|sender| sender.send(picture).is_ok());
        if !is_sent {
            self.joined()?;
            return Err(VideoErrorKind::Argument("it was given up at a frame before".to_owned()));
        }
        self.frames += 1;
        Ok(())
    }

    fn finished(&mut self) -> Result<Written, VideoErrorKind> {
        if self.frames == 0 {
            return Err(VideoErrorKind::NoFrames);
        }
        self.is_wanted.store(true, Ordering::Relaxed);
        self.joined()?;
        let place = self.place.take();
        place
            .ok_or_else(|| VideoErrorKind::Argument("it was given up at a frame before".to_owned()))?
            .keep()?;
        Ok(Written { path: self.path.clone(), frames: self.frames, encoder: self.encoder })
    }

    /// Lets the thread end, and tells what it met. What was written is given up if that is an error.
    fn joined(&mut self) -> Result<(), VideoErrorKind> {
        self.sender = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let result = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if result.is_err() {
            self.place = None;
        }
        result
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let (Some(ender), Some(_)) = (&self.ender, &self.thread) {
            ender.end();
        }
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn created(
    path: &Path,
    size: (u32, u32),
    rate: FrameRate,
    ffmpeg: &Ffmpeg,
    options: Options,
) -> Result<Writer, VideoErrorKind> {
    let (width, height) = size;
    if width == 0 || height == 0 {
        return Err(VideoErrorKind::Argument("a frame has at least one pixel".to_owned()));
    }
    crate::clip::check_size(width, height)?;
    let place = Place::beside(path, options.replace)?;
    let encoder: Box<dyn Encoder> = match &place {
        Place::Directory(_) => Box::new(still::Stills::new(place.path(), size, options.still)?),
        Place::File(_) if place.ending() == "avi" => {
            Box::new(motion_jpeg::MotionJpeg::new(place.path(), size, rate)?)
        }
        Place::File(_) => Box::new(program::Program::new(place.path(), &place.ending(), size, rate, ffmpeg)?),
    };
    let name = encoder.name();
    let ender = encoder.ender();
    let (sender, receiver) = mpsc::sync_channel(FRAMES_WAITING_MAX);
    let is_wanted = Arc::new(AtomicBool::new(false));
    let thread = {
        let is_wanted = Arc::clone(&is_wanted);
        std::thread::spawn(move || encoded(encoder, receiver, &is_wanted))
    };
    Ok(Writer {
        path: path.to_owned(),
        size,
        frames: 0,
        encoder: name,
        place: Some(place),
        sender: Some(sender),
        thread: Some(thread),
        is_wanted,
        ender,
    })
}

fn encoded(
    mut encoder: Box<dyn Encoder>,
    receiver: Receiver<Picture>,
    is_wanted: &AtomicBool,
) -> Result<(), VideoErrorKind> {
    for picture in receiver {
        if let Samples::U8(samples) = &picture.samples {
            encoder.add(samples)?;
        }
    }
    if is_wanted.load(Ordering::Relaxed) { encoder.finish() } else { Ok(()) }
}
