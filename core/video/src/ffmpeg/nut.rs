//! The part of the container NUT that ffmpeg writes for one stream of raw video: sizes, times and frames that say where they end.
//!
//! After the specification of NUT (the FFmpeg project, version 3, "nut.txt"). It is read from a pipe, forwards, and nothing else
//! than what `-f nut -c:v rawvideo -pix_fmt rgb24` writes is understood.

use crate::error::VideoErrorKind;
use crate::rate::FrameRate;
use std::io::{self, BufReader, Read};

const FILE_ID: &[u8; 25] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;
/// The most bytes of a packet that is no frame.
const PACKET_BYTES_MAX: u64 = 1 << 20;
/// A packet of more bytes has a checksum behind its length.
const CHECKED_BYTES_MIN: u64 = 4_096;
/// Bytes that are buffered. Frames go past the buffer, straight to where they are kept.
const BUFFER_BYTES: usize = 1_024;

const FLAG_CODED_PTS: u64 = 1 << 3;
const FLAG_STREAM_ID: u64 = 1 << 4;
const FLAG_SIZE_MSB: u64 = 1 << 5;
const FLAG_CHECKSUM: u64 = 1 << 6;
const FLAG_RESERVED: u64 = 1 << 7;
const FLAG_SIDE_DATA: u64 = 1 << 8;
const FLAG_HEADER_INDEX: u64 = 1 << 10;
const FLAG_MATCH_TIME: u64 = 1 << 11;
const FLAG_CODED: u64 = 1 << 12;
const FLAG_INVALID: u64 = 1 << 13;

/// What a first byte of a frame stands for.
#[derive(Clone, Copy, Default)]
struct FrameCode {
    flags: u64,
    pts_delta: i64,
    size_multiplier: u64,
    size_low: u64,
    reserved: u64,
    header_index: u64,
}

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frame_rate: Option<FrameRate>,
}

/// Reads frames out of the pipe.
pub(crate) struct Nut<R> {
    reader: BufReader<R>,
    header: Header,
    codes: Vec<FrameCode>,
    /// Starts that frames have in common and leave out.
    elided: Vec<Vec<u8>>,
    /// Seconds of a unit of time, as a fraction.
    time_base: (u64, u64),
    time_bases: Vec<(u64, u64)>,
    pts_shift: u32,
    last_pts: i64,
}

/// A frame, or that there are no more.
pub(crate) struct RawFrame {
    /// In seconds.
    pub(crate) time: f64,
    /// Red, green and blue, row by row; empty if it was not wanted.
    pub(crate) samples: Vec<u8>,
}

fn damaged(what: &str) -> VideoErrorKind {
    VideoErrorKind::Ffmpeg(format!("its output cannot be read: {what}"))
}

impl<R: Read> Nut<R> {
    /// Reads the headers. `None`: the pipe ended before the first frame.
    pub(crate) fn open(pipe: R) -> Result<Option<Nut<R>>, VideoErrorKind> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, pipe);
        let mut id = [0; FILE_ID.len()];
        match reader.read_exact(&mut id) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        if &id != FILE_ID {
            return Err(damaged("it is not the format that was asked for"));
        }
        let mut nut = Nut {
            reader,
            header: Header { width: 0, height: 0, frame_rate: None },
            codes: Vec::new(),
            elided: Vec::new(),
            time_base: (1, 1),
            time_bases: Vec::new(),
            pts_shift: 0,
            last_pts: 0,
        };
        // The headers end at the first syncpoint, which stands before the first frame.
        loop {
            let Some(first) = byte(&mut nut.reader)? else { return Ok(None) };
            if first != b'N' {
                return Err(damaged("it has no syncpoint before its first frame"));
            }
            if nut.packet()? == SYNCPOINT {
                break;
            }
        }
        if nut.codes.len() != 256 || nut.header.width == 0 || nut.header.height == 0 {
            return Err(damaged("it has no headers before its first frame"));
        }
        Ok(Some(nut))
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// The next frame; with `wanted` false it is passed over. `None` behind the last one.
    pub(crate) fn next(&mut self, wanted: bool) -> Result<Option<RawFrame>, VideoErrorKind> {
        loop {
            match byte(&mut self.reader)? {
                None => return Ok(None),
                Some(b'N') => {
                    self.packet()?;
                }
                Some(code) => return self.frame(usize::from(code), wanted),
            }
        }
    }

    /// Reads a packet that is no frame, whose first byte `N` has been read. Returns its start code.
    fn packet(&mut self) -> Result<u64, VideoErrorKind> {
        let mut rest = [0; 7];
        self.reader.read_exact(&mut rest)?;
        let code = rest.iter().fold(u64::from(b'N'), |code, &byte| code << 8 | u64::from(byte));
        let length = number(&mut self.reader)?;
        if length > PACKET_BYTES_MAX {
            return Err(damaged("a header of it is too long"));
        }
        if length > CHECKED_BYTES_MIN {
            self.reader.read_exact(&mut [0; 4])?;
        }
        let mut payload = Vec::new();
        (&mut self.reader).take(length).read_to_end(&mut payload)?;
        let mut payload = payload.as_slice();
        match code {
            MAIN => self.main_header(&mut payload)?,
            STREAM => self.stream_header(&mut payload)?,
            SYNCPOINT => self.syncpoint(&mut payload)?,
            _ => {
                if let Some(rate) = frame_rate(payload) {
                    self.header.frame_rate = Some(rate);
                }
            }
        }
        Ok(code)
    }

    fn main_header(&mut self, payload: &mut &[u8]) -> Result<(), VideoErrorKind> {
        let version = number(payload)?;
        if version > 3 {
            return Err(damaged("its version is not known"));
        }
        let (streams, _max_distance) = (number(payload)?, number(payload)?);
        let bases = number(payload)?;
        if streams != 1 || !(1..=16).contains(&bases) {
            return Err(damaged("it has not one stream"));
        }
        self.time_bases.clear();
        for _ in 0..bases {
            self.time_bases.push((number(payload)?, number(payload)?.max(1)));
        }
        self.codes = frame_codes(payload)?;
        self.elided = vec![Vec::new()];
        for _ in 0..number(payload)?.min(256) {
            let length = number(payload)?.min(256) as usize;
            let start = payload.split_off(..length).ok_or_else(|| damaged("a header of it is cut off"))?;
            self.elided.push(start.to_vec());
        }
        Ok(())
    }

    fn stream_header(&mut self, payload: &mut &[u8]) -> Result<(), VideoErrorKind> {
        let (_stream, class) = (number(payload)?, number(payload)?);
        let fourcc = number(payload)?;
        let fourcc = payload.split_off(..fourcc.min(16) as usize).unwrap_or_default();
        if class != 0 || fourcc != b"RGB\x18" {
            return Err(damaged("it is not red, green and blue"));
        }
        let base = number(payload)? as usize;
        self.time_base = *self.time_bases.get(base).ok_or_else(|| damaged("it has no such time base"))?;
        self.pts_shift = number(payload)?.min(62) as u32;
        let (_pts_distance, _delay, _flags) = (number(payload)?, number(payload)?, number(payload)?);
        let specific = number(payload)?.min(PACKET_BYTES_MAX) as usize;
        payload.split_off(..specific).ok_or_else(|| damaged("a header of it is cut off"))?;
        let side = |value: u64| u32::try_from(value).map_err(|_| damaged("its size is beyond all limits"));
        self.header.width = side(number(payload)?)?;
        self.header.height = side(number(payload)?)?;
        Ok(())
    }

    fn syncpoint(&mut self, payload: &mut &[u8]) -> Result<(), VideoErrorKind> {
        let coded = number(payload)?;
        let count = (self.time_bases.len() as u64).max(1);
        let base = self.time_bases.get((coded % count) as usize).copied().unwrap_or((1, 1));
        let (from, to) = (base.0 as f64 / base.1 as f64, self.time_base.0 as f64 / self.time_base.1 as f64);
        let pts = coded / count;
        self.last_pts = if base == self.time_base { pts as i64 } else { (pts as f64 * from / to) as i64 };
        Ok(())
    }

    fn frame(&mut self, code: usize, wanted: bool) -> Result<Option<RawFrame>, VideoErrorKind> {
        let mut code = *self.codes.get(code).ok_or_else(|| damaged("a frame of it has no code"))?;
        let reader = &mut self.reader;
        if code.flags & FLAG_CODED != 0 {
            code.flags ^= number(reader)?;
        }
        if code.flags & (FLAG_INVALID | FLAG_SIDE_DATA) != 0 {
            return Err(damaged("a frame of it has a code that was not announced"));
        }
        if code.flags & FLAG_STREAM_ID != 0 {
            number(reader)?;
        }
        let mut pts = self.last_pts.saturating_add(code.pts_delta);
        if code.flags & FLAG_CODED_PTS != 0 {
            pts = full_pts(number(reader)?, self.pts_shift, self.last_pts);
        }
        let mut size = code.size_low;
        if code.flags & FLAG_SIZE_MSB != 0 {
            size = number(reader)?.saturating_mul(code.size_multiplier).saturating_add(size);
        }
        if code.flags & FLAG_MATCH_TIME != 0 {
            number(reader)?;
        }
        if code.flags & FLAG_HEADER_INDEX != 0 {
            code.header_index = number(reader)?;
        }
        if code.flags & FLAG_RESERVED != 0 {
            code.reserved = number(reader)?.min(256);
        }
        for _ in 0..code.reserved {
            number(reader)?;
        }
        if code.flags & FLAG_CHECKSUM != 0 {
            reader.read_exact(&mut [0; 4])?;
        }
        let Header { width, height, .. } = self.header;
        if size != u64::from(width) * u64::from(height) * 3 {
            return Err(damaged("a frame of it has another size than announced"));
        }
        self.last_pts = pts;
        let start = self.elided.get(code.header_index as usize).filter(|start| start.len() as u64 <= size);
        let start = start.ok_or_else(|| damaged("a frame of it has a start that was not announced"))?;
        let rest = (&mut self.reader).take(size - start.len() as u64);
        let samples = if wanted { samples(start, rest, size)? } else { passed_over(rest)? };
        let time = pts as f64 * self.time_base.0 as f64 / self.time_base.1 as f64;
        Ok(samples.map(|samples| RawFrame { time, samples }))
    }
}

/// A frame's samples, read into memory that is not written twice. `None`: the pipe ended within it.
fn samples(start: &[u8], mut rest: impl Read, size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut samples = Vec::with_capacity(size as usize);
    samples.extend_from_slice(start);
    rest.read_to_end(&mut samples)?;
    Ok((samples.len() as u64 == size).then_some(samples))
}

fn passed_over<R: Read>(mut rest: io::Take<R>) -> io::Result<Option<Vec<u8>>> {
    io::copy(&mut rest, &mut io::sink())?;
    Ok((rest.limit() == 0).then(Vec::new))
}

/// The table of what a frame's first byte stands for, in runs.
fn frame_codes(payload: &mut &[u8]) -> Result<Vec<FrameCode>, VideoErrorKind> {
    let mut codes = Vec::with_capacity(256);
    let mut code = FrameCode::default();
    while codes.len() < 256 {
        code.flags = number(payload)?;
        let fields = number(payload)?;
        if fields > 0 {
            code.pts_delta = signed(number(payload)?);
        }
        if fields > 1 {
            code.size_multiplier = number(payload)?;
        }
        if fields > 2 {
            number(payload)?;
        }
        let low = if fields > 3 { number(payload)? } else { 0 };
        code.reserved = if fields > 4 { number(payload)?.min(256) } else { 0 };
        let count = if fields > 5 { number(payload)? } else { code.size_multiplier.saturating_sub(low) };
        if fields > 6 {
            number(payload)?;
        }
        if fields > 7 {
            code.header_index = number(payload)?;
        }
        for _ in 8..fields {
            number(payload)?;
        }
        if count == 0 {
            return Err(damaged("its table of frames is empty somewhere"));
        }
        for run in 0..count {
            // `N` begins what is no frame.
            if codes.len() == usize::from(b'N') {
                codes.push(FrameCode { flags: FLAG_INVALID, ..FrameCode::default() });
            }
            if codes.len() == 256 {
                break;
            }
            codes.push(FrameCode { size_low: low.saturating_add(run), ..code });
        }
    }
    Ok(codes)
}

/// The time whose lowest bits are coded: the one nearest to the last. What does not fit into these bits is coded as it is.
fn full_pts(coded: u64, shift: u32, last: i64) -> i64 {
    let span = 1_i64 << shift;
    match i64::try_from(coded) {
        Ok(low) if low < span => {
            let delta = last.saturating_sub(span / 2);
            (low.wrapping_sub(delta) & (span - 1)).saturating_add(delta)
        }
        Ok(coded) => coded - span,
        Err(_) => last,
    }
}

/// `r_frame_rate` of an info packet: its name, the type -1 of a text, the text.
fn frame_rate(payload: &[u8]) -> Option<FrameRate> {
    const NAME: &[u8] = b"\x0cr_frame_rate";
    let at = payload.windows(NAME.len()).position(|window| window == NAME)?;
    let mut rest = payload.get(at + NAME.len()..)?;
    if signed(number(&mut rest).ok()?) != -1 {
        return None;
    }
    let length = number(&mut rest).ok()?;
    let text = std::str::from_utf8(rest.get(..usize::try_from(length).ok()?)?).ok()?;
    let (numerator, denominator) = text.split_once('/')?;
    FrameRate::new(numerator.parse().ok()?, denominator.parse().ok()?)
}

fn byte(reader: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match reader.read_exact(&mut byte) {
        Ok(()) => Ok(Some(byte[0])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// `v`: seven bits a byte, the highest first.
fn number(reader: &mut impl Read) -> io::Result<u64> {
    let mut value = 0_u64;
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        value = value.wrapping_shl(7) | u64::from(byte[0] & 0x7f);
        if byte[0] < 0x80 {
            return Ok(value);
        }
    }
}

/// `s`: odd numbers are positive.
fn signed(coded: u64) -> i64 {
    let value = coded.wrapping_add(1);
    if value & 1 == 1 { -((value >> 1) as i64) } else { (value >> 1) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(bytes: &mut Vec<u8>, value: u64) {
        let groups = (0..10).rev().map(|group| (value >> (group * 7)) as u8 & 0x7f);
        let mut groups: Vec<_> = groups.skip_while(|&group| group == 0).collect();
        if groups.is_empty() {
            groups.push(0);
        }
        let last = groups.len() - 1;
        groups[..last].iter_mut().for_each(|group| *group |= 0x80);
        bytes.extend(groups);
    }

    fn packet(bytes: &mut Vec<u8>, code: u64, payload: &[u8]) {
        bytes.extend(code.to_be_bytes());
        v(bytes, payload.len() as u64 + 4);
        bytes.extend(payload);
        // Its checksum is not looked at: a pipe loses nothing.
        bytes.extend([0; 4]);
    }

    /// Two frames of 2 x 1 pixels, at 0 and 2 units of 1001/30000 s; the second leaves out a start of two bytes.
    fn stream() -> Vec<u8> {
        let mut bytes = FILE_ID.to_vec();
        let mut main = Vec::new();
        for value in [3, 1, 65_536, 1, 1_001, 30_000] {
            v(&mut main, value);
        }
        // One code for all: time, bytes and start are coded. Fields: pts, multiplier, stream, size, reserved, count.
        for value in [FLAG_CODED_PTS | FLAG_SIZE_MSB | FLAG_HEADER_INDEX, 6, 0, 1, 0, 0, 0, 255] {
            v(&mut main, value);
        }
        v(&mut main, 1);
        main.extend([2, 7, 8]);
        packet(&mut bytes, MAIN, &main);
        let mut header = Vec::new();
        header.extend([0, 0, 4]);
        header.extend(b"RGB\x18");
        for value in [0, 4, 100, 0, 0, 0, 2, 1, 1, 1, 0] {
            v(&mut header, value);
        }
        packet(&mut bytes, STREAM, &header);
        let mut info = vec![1, 0, 0, 0, 1];
        info.extend(b"\x0cr_frame_rate\x02\x0a30000/1001");
        packet(&mut bytes, 0x4E49_AB68_B596_BA78, &info);
        packet(&mut bytes, SYNCPOINT, &[0, 0]);
        // Code, time, bytes, which start, bytes.
        bytes.extend([0, 0, 6, 0, 1, 2, 3, 4, 5, 6]);
        bytes.extend([0, 2, 6, 1, 3, 4, 5, 6]);
        bytes
    }

    #[test]
    fn frames_and_their_times_are_read() {
        let bytes = stream();
        let mut nut = Nut::open(bytes.as_slice()).unwrap().unwrap();
        let frame_rate = FrameRate::new(30_000, 1_001);
        assert_eq!(nut.header(), Header { width: 2, height: 1, frame_rate });
        let first = nut.next(true).unwrap().unwrap();
        assert_eq!((first.samples, first.time), (vec![1, 2, 3, 4, 5, 6], 0.0));
        let second = nut.next(true).unwrap().unwrap();
        assert_eq!((second.samples, second.time), (vec![7, 8, 3, 4, 5, 6], 2.0 * 1_001.0 / 30_000.0));
        assert!(nut.next(true).unwrap().is_none());

        let mut nut = Nut::open(bytes.as_slice()).unwrap().unwrap();
        assert!(nut.next(false).unwrap().unwrap().samples.is_empty());
        assert_eq!(nut.next(true).unwrap().unwrap().samples, [7, 8, 3, 4, 5, 6]);
    }

    #[test]
    fn times_are_completed_to_the_nearest() {
        // Coded, bits, the last time, expected.
        let cases = [(3, 4, 0, 3), (3, 4, 16, 19), (15, 4, 16, 15), (16 + 100, 4, 5, 100), (0, 7, 127, 128)];
        for (coded, shift, last, expected) in cases {
            assert_eq!(full_pts(coded, shift, last), expected, "{coded} {shift} {last}");
        }
    }

    #[test]
    fn a_pipe_that_ends_within_a_frame_has_the_frames_before() {
        let bytes = stream();
        let second = bytes.len() - 8;
        for length in 0..bytes.len() {
            let frames = match Nut::open(&bytes[..length]) {
                Ok(Some(mut nut)) => std::iter::from_fn(|| nut.next(true).ok().flatten()).count(),
                Ok(None) | Err(_) => 0,
            };
            assert_eq!(frames, usize::from(length >= second), "{length}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_survived(changes in prop::collection::vec((0_usize..200, any::<u8>()), 1..5)) {
            let mut bytes = stream();
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            if let Ok(Some(mut nut)) = Nut::open(bytes.as_slice()) {
                let Header { width, height, .. } = nut.header();
                if u64::from(width) * u64::from(height) <= crate::clip::FRAME_PIXELS_MAX {
                    while let Ok(Some(frame)) = nut.next(true) {
                        prop_assert_eq!(frame.samples.len() as u64, u64::from(width) * u64::from(height) * 3);
                    }
                }
            }
        }
    }
}
