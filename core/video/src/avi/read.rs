//! Finds the frames of a Motion-JPEG AVI file.
//!
//! The index at the end of such a file is not used: it is missing where writing was interrupted, and wrong where files were
//! repaired. The chunks themselves say how long they are, and walking from one to the next costs a few bytes of reading each.

use super::{MOTION_JPEG, number};
use crate::clip::FRAMES_MAX;
use crate::error::VideoErrorKind;
use crate::rate::FrameRate;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// The most bytes of the list of headers. It has a few hundred, and some KiB with the index of a large file.
const HEADERS_BYTES_MAX: u64 = 1 << 20;
/// The most chunks of a file that are looked at.
const CHUNKS_MAX: u64 = 1 << 26;
/// The most bytes of a frame.
const FRAME_BYTES_MAX: u64 = 1 << 28;
/// Bytes that are read to see a chunk's head.
const HEAD_BUFFER_BYTES: usize = 512;

/// What a file turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// No AVI file, or one with a video of another kind.
    Another,
    MotionJpeg(Index),
}

/// Where the frames of a Motion-JPEG AVI file are.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: FrameRate,
    /// Offset in the file and bytes of each frame. All bytes are there.
    pub(crate) frames: Vec<(u64, u32)>,
    /// Why there are fewer frames than there should be.
    pub(crate) cut: Option<String>,
}

/// The first video of the file.
struct Stream {
    /// The two digits with which its chunks begin.
    digits: [u8; 2],
    width: u32,
    height: u32,
    frame_rate: FrameRate,
    /// How many frames are announced; 0 is unknown.
    announced: u32,
}

/// Looks for frames from the start of `file`.
pub(crate) fn read<F: Read + Seek>(file: &mut F) -> Result<Found, VideoErrorKind> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut walk = Walk {
        reader: BufReader::with_capacity(HEAD_BUFFER_BYTES, file),
        at: 0,
        length,
        chunks: 0,
        stream: None,
        frames: Vec::new(),
        cut: None,
    };
    match walk.head()? {
        Some(head) if &head.id == b"RIFF" && walk.four()? == Some(*b"AVI ") => {
            let end = walk.end_of(&head);
            walk.riff(end)?;
        }
        _ => return Ok(Found::Another),
    }
    // Further parts of large files.
    while walk.stream.is_some() && walk.cut.is_none() {
        match walk.head()? {
            Some(head) if &head.id == b"RIFF" && walk.four()? == Some(*b"AVIX") => {
                let end = walk.end_of(&head);
                walk.riff(end)?;
            }
            _ => break,
        }
    }
    let Some(stream) = walk.stream else { return Ok(Found::Another) };
    let (found, announced) = (walk.frames.len(), stream.announced as usize);
    let cut = match walk.cut {
        // Behind the last frame nothing is missed.
        _ if announced > 0 && found >= announced => None,
        None if found < announced => Some(format!("{found} of {announced} frames are there")),
        cut => cut,
    };
    let Stream { width, height, frame_rate, .. } = stream;
    Ok(Found::MotionJpeg(Index { width, height, frame_rate, frames: walk.frames, cut }))
}

/// What a chunk begins with.
struct Head {
    id: [u8; 4],
    bytes: u64,
}

struct Walk<'a, F> {
    reader: BufReader<&'a mut F>,
    /// Where in the file the reader is.
    at: u64,
    /// Bytes of the file.
    length: u64,
    chunks: u64,
    stream: Option<Stream>,
    frames: Vec<(u64, u32)>,
    cut: Option<String>,
}

impl<F: Read + Seek> Walk<'_, F> {
    /// The head of the chunk that begins here. `None` at the end of the file.
    fn head(&mut self) -> Result<Option<Head>, VideoErrorKind> {
        self.chunks += 1;
        VideoErrorKind::limit("an AVI file of chunks:", self.chunks, CHUNKS_MAX, "is it a video?")?;
        let (Some(id), Some(bytes)) = (self.four()?, self.four()?) else { return Ok(None) };
        Ok(Some(Head { id, bytes: u64::from(u32::from_le_bytes(bytes)) }))
    }

    fn four(&mut self) -> io::Result<Option<[u8; 4]>> {
        if self.length.saturating_sub(self.at) < 4 {
            return Ok(None);
        }
        let mut four = [0; 4];
        self.reader.read_exact(&mut four)?;
        self.at += 4;
        Ok(Some(four))
    }

    /// Goes to `to`, which is not before here.
    fn go(&mut self, to: u64) -> io::Result<()> {
        let to = to.min(self.length);
        self.reader.seek_relative(i64::try_from(to.saturating_sub(self.at)).unwrap_or(i64::MAX))?;
        self.at = self.at.max(to);
        Ok(())
    }

    /// Where a list ends whose head and kind have been read. Writing that was interrupted leaves 0 or the largest number.
    fn end_of(&self, head: &Head) -> u64 {
        if head.bytes < 4 { self.length } else { (self.at - 4 + head.bytes).min(self.length) }
    }

    /// Chunks of a part of the file.
    fn riff(&mut self, end: u64) -> Result<(), VideoErrorKind> {
        while self.at < end && self.cut.is_none() {
            let Some(head) = self.head()? else { break };
            let next = self.at.saturating_add(head.bytes + head.bytes % 2);
            if &head.id != b"LIST" {
                self.go(next)?;
                continue;
            }
            match self.four()? {
                Some(kind) if &kind == b"hdrl" => {
                    let bytes = head.bytes.saturating_sub(4);
                    VideoErrorKind::limit(
                        "AVI headers of bytes:",
                        bytes,
                        HEADERS_BYTES_MAX,
                        "is it a video?",
                    )?;
                    let mut headers = Vec::new();
                    (&mut self.reader).take(bytes).read_to_end(&mut headers)?;
                    self.at += headers.len() as u64;
                    self.stream = self.stream.take().or_else(|| stream(&headers));
                    self.go(next)?;
                }
                Some(kind) if &kind == b"movi" => {
                    // Nothing to look for in the videos of others.
                    if self.stream.is_none() {
                        return Ok(());
                    }
                    let end = self.end_of(&head);
                    self.movie(end)?;
                    self.go(end + head.bytes % 2)?;
                }
                _ => self.go(next)?,
            }
        }
        self.go(end + end % 2)?;
        Ok(())
    }

    /// Chunks of the list in which the frames are.
    fn movie(&mut self, end: u64) -> Result<(), VideoErrorKind> {
        while self.at < end {
            let start = self.at;
            let Some(head) = self.head()? else {
                self.cut = Some("the file ends within a frame".to_owned());
                return Ok(());
            };
            if &head.id == b"LIST" {
                // Frames can be in groups, which say nothing more.
                self.four()?;
                continue;
            }
            if !head.id.iter().all(|byte| (b' '..=b'~').contains(byte)) {
                self.cut = Some(format!("there is no chunk at byte {start}"));
                return Ok(());
            }
            let next = self.at + head.bytes;
            if next > self.length {
                self.cut = Some("the file ends within a frame".to_owned());
                return Ok(());
            }
            if self.is_frame(&head.id) {
                self.frame(&head)?;
            }
            self.go(next + head.bytes % 2)?;
        }
        Ok(())
    }

    fn is_frame(&self, id: &[u8; 4]) -> bool {
        let ours = self.stream.as_ref().is_some_and(|stream| id.starts_with(&stream.digits));
        ours && matches!(&id[2..], b"dc" | b"db")
    }

    fn frame(&mut self, head: &Head) -> Result<(), VideoErrorKind> {
        VideoErrorKind::limit("an encoded frame of bytes:", head.bytes, FRAME_BYTES_MAX, "is it a video?")?;
        let frames = self.frames.len() as u64 + 1;
        VideoErrorKind::limit("a clip of frames:", frames, FRAMES_MAX, "cut it into several")?;
        // A frame without bytes is the one before once more.
        let frame =
            if head.bytes == 0 { self.frames.last().copied() } else { Some((self.at, head.bytes as u32)) };
        self.frames.extend(frame);
        Ok(())
    }
}

/// The chunks of a list that is in memory. What is cut off at its end is left out.
fn chunks(mut list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let id = list.get(..4)?;
        let bytes = number(list, 4)? as usize;
        let content = list.get(8..8_usize.checked_add(bytes)?)?;
        list = list.get(8 + bytes + bytes % 2..).unwrap_or_default();
        Some((id, content))
    })
}

/// The first video that the headers announce, if it is Motion-JPEG.
fn stream(headers: &[u8]) -> Option<Stream> {
    let main = chunks(headers).find(|(id, _)| id == b"avih").map(|(_, main)| main);
    let lists = chunks(headers).filter(|(id, list)| id == b"LIST" && list.starts_with(b"strl"));
    for (position, (_, list)) in (0_u8..100).zip(lists) {
        let list = list.get(4..)?;
        let header = chunks(list).find(|(id, _)| id == b"strh").map(|(_, header)| header)?;
        if !header.starts_with(b"vids") {
            continue;
        }
        let format = chunks(list).find(|(id, _)| id == b"strf").map(|(_, format)| format)?;
        let compression = format.get(16..20)?.to_ascii_uppercase();
        if !MOTION_JPEG.iter().any(|name| name.as_slice() == compression) {
            return None;
        }
        let (width, height) = (number(format, 4)?, number(format, 8)?.cast_signed().unsigned_abs());
        if width == 0 || height == 0 {
            return None;
        }
        let rate = FrameRate::new(number(header, 24)?, number(header, 20)?);
        let rate = rate.or_else(|| FrameRate::new(1_000_000, number(main?, 0)?));
        return Some(Stream {
            digits: [b'0' + position / 10, b'0' + position % 10],
            width,
            height,
            frame_rate: rate.unwrap_or(FrameRate::OF_IMAGES),
            announced: number(header, 32)?,
        });
    }
    None
}
