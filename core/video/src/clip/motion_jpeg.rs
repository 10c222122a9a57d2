//! A Motion-JPEG AVI file as a clip.

use super::images::check_same;
use super::{Clip, ClipInfo, Decoder, Frame, Kind, check_size, decoded};
use crate::avi::{self, Index};
use crate::error::VideoErrorKind;
use crate::rate::FrameRate;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// What a file turned out to be.
pub(super) enum Opened {
    Clip(Clip),
    /// Something else.
    Another,
    /// Motion-JPEG of which nothing can be made here, and why.
    Strange(VideoErrorKind),
}

#[derive(Debug)]
struct MotionJpeg {
    file: File,
    index: Index,
    next: u64,
}

pub(super) fn open(path: &Path) -> Result<Opened, VideoErrorKind> {
    let mut file = File::open(path)?;
    let index = match avi::read(&mut file)? {
        avi::Found::Another => return Ok(Opened::Another),
        avi::Found::MotionJpeg(index) => index,
    };
    check_size(index.width, index.height)?;
    if index.frames.is_empty() {
        return Err(match &index.cut {
            Some(reason) => VideoErrorKind::Broken { frames: 0, reason: reason.clone() },
            None => VideoErrorKind::NoFrames,
        });
    }
    let mut decoder = MotionJpeg { file, index, next: 0 };
    if let Err(kind) = decoder.decode(0) {
        return Ok(Opened::Strange(kind));
    }
    let Index { width, height, frame_rate, .. } = decoder.index;
    let frames = decoder.index.frames.len() as u64;
    let info = ClipInfo {
        kind: Kind::MotionJpeg,
        width,
        height,
        frame_rate,
        frames: Some(frames),
        seconds: Some(frame_rate.seconds(frames)),
    };
    Ok(Opened::Clip(Clip::ready(path, info, decoder)))
}

impl MotionJpeg {
    fn decode(&mut self, index: u64) -> Result<Option<Frame>, VideoErrorKind> {
        let Some(&(offset, length)) =
            usize::try_from(index).ok().and_then(|index| self.index.frames.get(index))
        else {
            return Ok(None);
        };
        // The index was made from the file: the bytes were there.
        let mut bytes = Vec::with_capacity(length as usize);
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(u64::from(length)).read_to_end(&mut bytes)?;
        let picture = decoded(bytes)
            .map_err(|error| VideoErrorKind::Broken { frames: index, reason: error.to_string() })?;
        check_same(index, None, (self.index.width, self.index.height), &picture)?;
        Ok(Some(Frame { index, time: self.index.frame_rate.seconds(index), picture }))
    }
}

impl Decoder for MotionJpeg {
    fn next(&mut self, from: u64, _decoded: &AtomicU64) -> Result<Option<Frame>, VideoErrorKind> {
        let index = self.next.max(from);
        self.next = index.saturating_add(1);
        let frame = self.decode(index)?;
        match (&frame, &self.index.cut) {
            (None, Some(reason)) => {
                let frames = self.index.frames.len() as u64;
                Err(VideoErrorKind::Broken { frames, reason: reason.clone() })
            }
            _ => Ok(frame),
        }
    }

    fn set_frame_rate(&mut self, rate: FrameRate) {
        self.index.frame_rate = rate;
    }
}
