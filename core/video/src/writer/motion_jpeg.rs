//! Frames as a Motion-JPEG AVI file.

use super::Encoder;
use super::still::encode_jpeg;
use crate::avi::{AviWriter, SIDE_PIXELS_MAX};
use crate::error::VideoErrorKind;
use crate::rate::FrameRate;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

pub(super) struct MotionJpeg {
    file: AviWriter<BufWriter<File>>,
    size: (u32, u32),
    frames: u64,
    jpeg: Vec<u8>,
}

impl MotionJpeg {
    /// Writes into the file at `path`, which is there and empty.
    pub(super) fn new(path: &Path, size: (u32, u32), rate: FrameRate) -> Result<MotionJpeg, VideoErrorKind> {
        let (hint, longer) = ("make the frames smaller", u64::from(size.0.max(size.1)));
        VideoErrorKind::limit("a side of pixels:", longer, u64::from(SIDE_PIXELS_MAX), hint)?;
        let file = BufWriter::new(File::create(path)?);
        let file = AviWriter::new(file, size.0, size.1, rate)?;
        Ok(MotionJpeg { file, size, frames: 0, jpeg: Vec::new() })
    }
}

impl Encoder for MotionJpeg {
    fn name(&self) -> &'static str {
        "jpeg"
    }

    fn add(&mut self, samples: &[u8]) -> Result<(), VideoErrorKind> {
        encode_jpeg(&mut self.jpeg, samples, self.size).map_err(|reason| VideoErrorKind::Picture {
            index: self.frames,
            name: None,
            reason,
        })?;
        self.frames += 1;
        self.file.add(&self.jpeg)
    }

    fn finish(self: Box<Self>) -> Result<(), VideoErrorKind> {
        let file = self.file.finish()?.into_inner().map_err(|error| error.into_error())?;
        Ok(file.sync_all()?)
    }
}
