//! Where drawn frames go: into a picture, a folder of pictures, or a video.

use std::path::{Path, PathBuf};

use foretell_media::Picture;
use foretell_media::draw::to_png;
use foretell_terminal::{Failure, check_absent, save};
use foretell_video::{Ffmpeg, FrameRate, Options, Writer};

use crate::footage::Footage;

/// The ending of a picture.
const PNG: &str = "png";

/// A place for drawn frames.
pub enum Canvas {
    /// One picture.
    Still {
        /// Where it goes.
        path: PathBuf,
        /// Whether it may replace a file.
        force: bool,
        /// Whether it was drawn.
        is_drawn: bool,
    },
    /// A video, or numbered pictures in a folder, begun with the first frame.
    Clip {
        /// Where it goes.
        path: PathBuf,
        /// Whether it may replace what is there.
        force: bool,
        /// Frames a second.
        frame_rate: FrameRate,
        /// The encoder, if any.
        ffmpeg: Ffmpeg,
        /// What was begun.
        writer: Option<Box<Writer>>,
    },
}

impl Canvas {
    /// A canvas at `path`: what it is follows from the ending.
    ///
    /// # Errors
    /// There is a file already, and it may not be replaced.
    pub fn new(path: &Path, frame_rate: FrameRate, ffmpeg: &Ffmpeg, force: bool) -> Result<Canvas, Failure> {
        let path = path.to_owned();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(PNG)) {
            check_absent(&path, force)?;
            return Ok(Canvas::Still { path, force, is_drawn: false });
        }
        Ok(Canvas::Clip { path, force, frame_rate, ffmpeg: ffmpeg.clone(), writer: None })
    }

    /// Adds a drawn frame.
    ///
    /// # Errors
    /// It can't be written, or is the second one of a single picture.
    pub fn add(&mut self, picture: Picture) -> Result<(), Failure> {
        match self {
            Canvas::Still { path, is_drawn: true, .. } => {
                let words = format!("`{}` is one picture, and there are several frames", path.display());
                Err(Failure::words(words).hint(Some("name a folder or a video, such as `drawn.mp4`")))
            }
            Canvas::Still { path, force, is_drawn } => {
                *is_drawn = true;
                save(path, &to_png(&picture).map_err(|error| Failure::new(&error))?, *force)
            }
            Canvas::Clip { path, force, frame_rate, ffmpeg, writer } => {
                let writer = match writer {
                    Some(writer) => writer,
                    None => {
                        let size = (picture.width, picture.height);
                        let options = Options { replace: *force, ..Options::default() };
                        let begun = Writer::create(path, size, *frame_rate, ffmpeg, options);
                        writer.insert(Box::new(begun.map_err(|error| Failure::new(&error))?))
                    }
                };
                writer.write(picture).map_err(|error| Failure::new(&error))
            }
        }
    }

    /// Writes what is left. Without a frame there is nothing to write.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Canvas::Clip { writer: Some(writer), .. } => {
                writer.finish().map(|_| ()).map_err(|error| Failure::new(&error))
            }
            _ => Ok(()),
        }
    }
}

/// Goes through a clip again, and draws on each of its frames that can be read.
///
/// # Errors
/// The clip can't be read any more, or the drawing can't be written.
pub fn redraw(
    footage: &Footage,
    ffmpeg: &Ffmpeg,
    mut canvas: Canvas,
    mut draw: impl FnMut(u64, &Picture) -> Result<Picture, Failure>,
) -> Result<(), Failure> {
    // What can't be read was told when the clip was looked at.
    for frame in footage.frames(ffmpeg)?.flatten() {
        canvas.add(draw(frame.index, &frame.picture)?)?;
    }
    canvas.finish()
}
