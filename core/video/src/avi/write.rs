//! Writes a Motion-JPEG AVI file.
//!
//! A file of up to [`PART_BYTES_MAX`] is AVI as everything reads it, with its index at the end (`idx1`). A longer one goes on in
//! further parts (`AVIX`), each with an index of its own (`ix00`), which a list at the start (`indx`) points to.

use crate::error::VideoErrorKind;
use crate::rate::FrameRate;
use std::io::{Seek, SeekFrom, Write};

/// The most bytes of a part, its index aside: readers of the first AVI take 1 GiB.
pub(crate) const PART_BYTES_MAX: u64 = 1_000_000_000;
/// The most parts of a file: what the list at the start has room for.
const PARTS_MAX: usize = 256;
/// The most bytes of an encoded frame.
const FRAME_BYTES_MAX: u64 = 1 << 28;
/// The longest side in pixels: JPEG counts in 16 bits.
pub(crate) const SIDE_PIXELS_MAX: u32 = 65_535;

/// Flags of the file: it has an index, its chunks are interleaved, and their types can be trusted.
const FLAGS: u32 = 0x10 | 0x100 | 0x800;
/// Flag of a frame that needs no other.
const KEY_FRAME: u32 = 0x10;
const FRAME_ID: &[u8; 4] = b"00dc";

/// Writes frames that are JPEG images.
pub(crate) struct AviWriter<F> {
    file: F,
    at: u64,
    part_bytes_max: u64,
    /// Where numbers stand that are known at the end.
    places: Places,
    /// Where the current part, and its list of frames, begin.
    part: u64,
    movie: u64,
    /// Offset and bytes of the frames of this part.
    frames: Vec<(u64, u32)>,
    /// Frames of the parts before.
    frames_before: u64,
    frames_of_first: u32,
    largest: u32,
    parts: Vec<Part>,
}

/// Where a part's index is.
struct Part {
    offset: u64,
    bytes: u32,
    frames: u32,
}

#[derive(Default)]
struct Places {
    total_frames: u64,
    buffer: u64,
    stream_length: u64,
    stream_buffer: u64,
    list_entries: u64,
    all_frames: u64,
}

/// Bytes that are put together before they are written.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn id(&mut self, id: &[u8; 4]) -> &mut Self {
        self.0.extend_from_slice(id);
        self
    }

    fn numbers(&mut self, numbers: &[u32]) -> &mut Self {
        self.0.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self
    }

    fn halves(&mut self, halves: &[u16]) -> &mut Self {
        self.0.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        self
    }

    /// A chunk whose content is written by `content`.
    fn chunk(&mut self, id: &[u8; 4], content: impl FnOnce(&mut Bytes)) -> &mut Self {
        self.id(id).numbers(&[0]);
        let start = self.0.len();
        content(self);
        let bytes = (self.0.len() - start) as u32;
        self.0[start - 4..start].copy_from_slice(&bytes.to_le_bytes());
        self
    }
}

impl<F: Write + Seek> AviWriter<F> {
    /// Begins a file. `width` and `height` in pixels are at most [`SIDE_PIXELS_MAX`].
    pub(crate) fn new(file: F, width: u32, height: u32, rate: FrameRate) -> Result<Self, VideoErrorKind> {
        AviWriter::with_parts(file, width, height, rate, PART_BYTES_MAX)
    }

    pub(super) fn with_parts(
        file: F,
        width: u32,
        height: u32,
        rate: FrameRate,
        part_bytes_max: u64,
    ) -> Result<Self, VideoErrorKind> {
        let mut places = Places::default();
        let mut bytes = Bytes::default();
        bytes.id(b"RIFF").numbers(&[0]).id(b"AVI ");
        bytes.chunk(b"LIST", |bytes| headers(bytes, &mut places, width, height, rate));
        let mut writer = AviWriter {
            file,
            at: 0,
            part_bytes_max,
            places,
            part: 0,
            movie: 0,
            frames: Vec::new(),
            frames_before: 0,
            frames_of_first: 0,
            largest: 0,
            parts: Vec::new(),
        };
        writer.put(&bytes.0)?;
        writer.begin_movie()?;
        Ok(writer)
    }

    /// Adds a frame, a JPEG image of the size that was announced.
    pub(crate) fn add(&mut self, jpeg: &[u8]) -> Result<(), VideoErrorKind> {
        let hint = "write it as .mkv or .mp4";
        VideoErrorKind::limit("an encoded frame of bytes:", jpeg.len() as u64, FRAME_BYTES_MAX, hint)?;
        if self.at + jpeg.len() as u64 - self.part > self.part_bytes_max && !self.frames.is_empty() {
            VideoErrorKind::limit(
                "an AVI file of parts:",
                self.parts.len() as u64 + 2,
                PARTS_MAX as u64,
                hint,
            )?;
            self.end_part()?;
            self.part = self.at;
            self.put(Bytes::default().id(b"RIFF").numbers(&[0]).id(b"AVIX").0.as_slice())?;
            self.begin_movie()?;
        }
        let bytes = jpeg.len() as u32;
        self.put(&Bytes::default().id(FRAME_ID).numbers(&[bytes]).0)?;
        self.frames.push((self.at, bytes));
        self.largest = self.largest.max(bytes);
        self.put(jpeg)?;
        if bytes % 2 == 1 {
            self.put(&[0])?;
        }
        Ok(())
    }

    /// Writes the indexes, and what the headers lack.
    pub(crate) fn finish(mut self) -> Result<F, VideoErrorKind> {
        self.end_part()?;
        let all = u32::try_from(self.frames_before).unwrap_or(u32::MAX);
        let Places { total_frames, buffer, stream_length, stream_buffer, list_entries, all_frames } =
            self.places;
        self.put_at(total_frames, self.frames_of_first)?;
        self.put_at(stream_length, all)?;
        self.put_at(all_frames, all)?;
        // A chunk with its head.
        self.put_at(buffer, self.largest.saturating_add(8))?;
        self.put_at(stream_buffer, self.largest.saturating_add(8))?;
        let mut entries = Bytes::default();
        for part in &self.parts {
            entries.0.extend_from_slice(&part.offset.to_le_bytes());
            entries.numbers(&[part.bytes, part.frames]);
        }
        self.put_at(list_entries, self.parts.len() as u32)?;
        self.file.seek(SeekFrom::Start(list_entries + 20))?;
        self.file.write_all(&entries.0)?;
        self.file.flush()?;
        Ok(self.file)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), VideoErrorKind> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Puts a number in the place of another.
    fn put_at(&mut self, place: u64, number: u32) -> Result<(), VideoErrorKind> {
        self.file.seek(SeekFrom::Start(place))?;
        self.file.write_all(&number.to_le_bytes())?;
        Ok(())
    }

    fn begin_movie(&mut self) -> Result<(), VideoErrorKind> {
        self.movie = self.at;
        self.put(&Bytes::default().id(b"LIST").numbers(&[0]).id(b"movi").0)
    }

    /// Writes the indexes of the part and how long it is.
    fn end_part(&mut self) -> Result<(), VideoErrorKind> {
        let is_first = self.parts.is_empty();
        let count = self.frames.len() as u32;
        let mut index = Bytes::default();
        index.chunk(b"ix00", |bytes| {
            bytes.halves(&[2]).halves(&[0x01_00]).numbers(&[count]).id(FRAME_ID);
            bytes.0.extend_from_slice(&self.movie.to_le_bytes());
            bytes.numbers(&[0]);
            for &(offset, length) in &self.frames {
                bytes.numbers(&[(offset - self.movie) as u32, length]);
            }
        });
        self.parts.push(Part { offset: self.at, bytes: index.0.len() as u32, frames: count });
        self.put(&index.0)?;
        let movie_bytes = (self.at - self.movie - 8) as u32;
        if is_first {
            self.frames_of_first = count;
            let mut index = Bytes::default();
            index.chunk(b"idx1", |bytes| {
                for &(offset, length) in &self.frames {
                    // From the letters `movi` to the chunk's head.
                    let from_movie = (offset - 8 - (self.movie + 8)) as u32;
                    bytes.id(FRAME_ID).numbers(&[KEY_FRAME, from_movie, length]);
                }
            });
            self.put(&index.0)?;
        }
        self.put_at(self.movie + 4, movie_bytes)?;
        self.put_at(self.part + 4, (self.at - self.part - 8) as u32)?;
        self.file.seek(SeekFrom::Start(self.at))?;
        self.frames_before += u64::from(count);
        self.frames.clear();
        Ok(())
    }
}

/// The list of headers. The file begins with 20 bytes before it.
fn headers(bytes: &mut Bytes, places: &mut Places, width: u32, height: u32, rate: FrameRate) {
    let microseconds = (1e6 / rate.value()).round().min(f64::from(u32::MAX)) as u32;
    bytes.id(b"hdrl").chunk(b"avih", |bytes| {
        bytes.numbers(&[microseconds, 0, 0, FLAGS]);
        places.total_frames = bytes.0.len() as u64;
        bytes.numbers(&[0, 0, 1]);
        places.buffer = bytes.0.len() as u64;
        bytes.numbers(&[0, width, height, 0, 0, 0, 0]);
    });
    bytes.chunk(b"LIST", |bytes| {
        bytes.id(b"strl").chunk(b"strh", |bytes| {
            bytes.id(b"vids").id(b"MJPG").numbers(&[0, 0, 0, rate.denominator(), rate.numerator(), 0]);
            places.stream_length = bytes.0.len() as u64;
            bytes.numbers(&[0]);
            places.stream_buffer = bytes.0.len() as u64;
            // Buffer, quality (the default), size of a sample (they differ), and where it is shown: 0, 0, width, height.
            bytes.numbers(&[0, u32::MAX, 0]).halves(&[0, 0, width as u16, height as u16]);
        });
        bytes.chunk(b"strf", |bytes| {
            bytes.numbers(&[40, width, height]).halves(&[1, 24]).id(b"MJPG");
            bytes.numbers(&[width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]);
        });
        bytes.chunk(b"indx", |bytes| {
            bytes.halves(&[4, 0]);
            places.list_entries = bytes.0.len() as u64;
            bytes.numbers(&[0]).id(FRAME_ID).numbers(&[0, 0, 0]);
            bytes.0.extend([0; PARTS_MAX * 16]);
        });
    });
    bytes.chunk(b"LIST", |bytes| {
        bytes.id(b"odml").chunk(b"dmlh", |bytes| {
            places.all_frames = bytes.0.len() as u64;
            bytes.numbers(&[0; 62]);
        });
    });
}
