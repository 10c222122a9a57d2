//! The parts of JPEG (ITU-T T.81) that medicine uses and nobody else: lossless prediction (process 14, annex H) of 2 to 16 bits,
//! and sequential DCT of 12 bits (process 4). 8-bit images that are not lossless go through `zune-jpeg`.

use crate::error::MediaErrorKind;

/// What a frame header says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    /// The marker's number: 0 baseline, 1 extended, 2 progressive, 3 lossless, others are not in use.
    pub(super) process: u8,
    /// Bits of a sample.
    pub(super) precision: u32,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Identifiers of the components.
    pub(super) ids: Vec<u8>,
    /// A JFIF header precedes it: three components are Y, Cb and Cr.
    pub(super) jfif: bool,
    /// The colour transform of Adobe's header, if there is one: 0 none, 1 YCbCr.
    pub(super) adobe: Option<u8>,
    components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq)]
struct Component {
    sampling: u8,
    quantisation: usize,
}

fn damaged(reason: &str) -> MediaErrorKind {
    MediaErrorKind::Damaged(format!("its JPEG stream: {reason}"))
}

fn unsupported(what: &str) -> MediaErrorKind {
    MediaErrorKind::Unsupported(format!("{what} is not read here; convert it to another transfer syntax"))
}

/// Reads up to the frame header.
pub(super) fn frame(bytes: &[u8]) -> Result<Frame, MediaErrorKind> {
    let mut segments = Segments { bytes, at: 0 };
    let (mut jfif, mut adobe) = (false, None);
    loop {
        let (marker, body) = segments.next()?;
        match marker {
            0xE0 => jfif |= body.starts_with(b"JFIF"),
            0xEE if body.starts_with(b"Adobe") => adobe = body.get(11).copied(),
            0xC0..=0xCF if !matches!(marker, DHT | 0xC8 | 0xCC) => {
                return Frame::parse(marker, body, jfif, adobe);
            }
            SOS | EOI => return Err(damaged("it has no frame header")),
            _ => {}
        }
    }
}

/// Bytes of a segment's length.
pub(super) const LENGTH_BYTES: usize = 2;

/// What stands in the segment at `at`, behind its marker (T.81 section B.1.1.4, and T.87 in the same way): first comes its length, which
/// counts itself. `None` if the stream ends before it does.
pub(super) fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = bytes.get(at..at + LENGTH_BYTES)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(at + LENGTH_BYTES..at + length)
}

/// The most Huffman tables of a frame; a stream defines at most two for each of four components.
const TABLES_MAX: u64 = 64;

const DHT: u8 = 0xC4;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;

impl Frame {
    fn parse(marker: u8, body: &[u8], jfif: bool, adobe: Option<u8>) -> Result<Frame, MediaErrorKind> {
        let [precision, y1, y0, x1, x0, count, rest @ ..] = body else {
            return Err(damaged("its frame header is too short"));
        };
        let height = usize::from(u16::from_be_bytes([*y1, *y0]));
        let width = usize::from(u16::from_be_bytes([*x1, *x0]));
        let rest = rest.get(..usize::from(*count) * 3).unwrap_or_default();
        let ids: Vec<u8> = rest.chunks_exact(3).map(|component| component[0]).collect();
        let component =
            |bytes: &[u8]| Component { sampling: bytes[1], quantisation: usize::from(bytes[2] & 3) };
        let components = rest.chunks_exact(3).map(component).collect();
        if !(2..=16).contains(precision) || ids.is_empty() || ids.len() > 4 || width == 0 || height == 0 {
            return Err(damaged("its frame header is that of no image"));
        }
        let precision = u32::from(*precision);
        Ok(Frame { process: marker & 0xF, precision, width, height, ids, jfif, adobe, components })
    }
}

/// Decodes a lossless, or a sequential frame of 8 or 12 bits without subsampling; components of a pixel beside each other.
///
/// **Invariant:** memory is taken for what the frame header says, so the caller compares [`frame`] with what it expects first.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<u16>, MediaErrorKind> {
    let frame = frame(bytes)?;
    let lossless = match (frame.process, frame.precision) {
        (3, _) => true,
        (0 | 1, 8 | 12) => false,
        (process, bits) => {
            return Err(unsupported(&format!("JPEG of process SOF{process} with {bits} bits")));
        }
    };
    let alone = frame.components.len() == 1;
    if !alone && frame.components.iter().any(|component| component.sampling != 0x11) {
        return Err(unsupported("lossless or 12-bit JPEG with subsampled colours"));
    }
    let mut target = vec![0; frame.width * frame.height * frame.ids.len()];
    let mut tables = Tables::default();
    let mut seen = Vec::new();
    let mut segments = Segments { bytes, at: 0 };
    while seen.len() < frame.ids.len() {
        let (marker, body) = segments.next()?;
        match marker {
            DHT => tables.huffman(body)?,
            DQT => tables.quantisation(body)?,
            DRI => tables.restart = body.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            SOS => {
                let scan = Scan::parse(body, &frame)?;
                if scan.parts.iter().any(|part| seen.contains(&part.component)) {
                    return Err(damaged("a component is in two scans"));
                }
                seen.extend(scan.parts.iter().map(|part| part.component));
                let mut bits = Bits::new(&bytes[segments.at..]);
                if lossless {
                    lossless_scan(&frame, &scan, &tables, &mut bits, &mut target)?;
                } else {
                    dct_scan(&frame, &scan, &tables, &mut bits, &mut target)?;
                }
                segments.at += bits.at;
            }
            EOI => return Err(damaged("it ends before all of its components")),
            _ => {}
        }
    }
    Ok(target)
}

/// Walks over marker segments.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    /// The next marker and its body, without the length.
    fn next(&mut self) -> Result<(u8, &'a [u8]), MediaErrorKind> {
        let short = || MediaErrorKind::Truncated("its JPEG stream lacks a marker or its segment".to_owned());
        let start = self.bytes.get(self.at..).ok_or_else(short)?;
        let skip = start.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF));
        let skip = skip.ok_or_else(short)?;
        let marker = start[skip + 1];
        self.at += skip + 2;
        if matches!(marker, 0xD0..=0xD9 | 0x01) {
            return Ok((marker, &[]));
        }
        let body = segment(self.bytes, self.at).ok_or_else(short)?;
        self.at += LENGTH_BYTES + body.len();
        Ok((marker, body))
    }
}

#[derive(Default)]
struct Tables {
    dc: [Option<Box<Huffman>>; 4],
    ac: [Option<Box<Huffman>>; 4],
    quantisation: [Option<[f32; 64]>; 4],
    restart: usize,
    /// Huffman tables so far.
    made: u64,
}

impl Tables {
    fn huffman(&mut self, mut body: &[u8]) -> Result<(), MediaErrorKind> {
        while let [kind, rest @ ..] = body {
            let short = || damaged("a Huffman table is too short");
            let counts: &[u8; 16] = rest.first_chunk().ok_or_else(short)?;
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let values = rest.get(16..16 + total).ok_or_else(short)?;
            self.made += 1;
            MediaErrorKind::limit("Huffman tables of a frame:", self.made, TABLES_MAX)?;
            let table = Some(Box::new(Huffman::new(counts, values)?));
            let slot = usize::from(kind & 3);
            if kind & 0x10 == 0 {
                self.dc[slot] = table;
            } else {
                self.ac[slot] = table;
            }
            body = &rest[16 + total..];
        }
        Ok(())
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Result<(), MediaErrorKind> {
        while let [kind, rest @ ..] = body {
            let width = if kind >> 4 == 0 { 1 } else { 2 };
            let steps = rest.get(..64 * width).ok_or_else(|| damaged("a quantisation table is too short"))?;
            let mut table = [0.0; 64];
            for (step, &place) in steps.chunks_exact(width).zip(&ZIGZAG) {
                table[place] = step.iter().fold(0_u16, |sum, &byte| sum << 8 | u16::from(byte)).into();
            }
            self.quantisation[usize::from(kind & 3)] = Some(table);
            body = &rest[64 * width..];
        }
        Ok(())
    }
}

/// Where the coefficients of a block are that follow each other in the stream (T.81 figure A.6).
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A code of at most 16 bits: the value and the length of each.
struct Huffman {
    codes: Vec<(u8, u8)>,
}

impl Huffman {
    /// T.81 annex C: codes of equal length are consecutive numbers.
    fn new(counts: &[u8; 16], values: &[u8]) -> Result<Huffman, MediaErrorKind> {
        let mut codes = vec![(0, 0); 1 << 16];
        let (mut at, mut values) = (0_usize, values.iter());
        for (length, &count) in (1..=16_u8).zip(counts) {
            let span = 1_usize << (16 - length);
            for &value in values.by_ref().take(usize::from(count)) {
                let codes =
                    codes.get_mut(at..at + span).ok_or_else(|| damaged("a Huffman table is no code"))?;
                codes.fill((value, length));
                at += span;
            }
        }
        Ok(Huffman { codes })
    }
}

struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

struct Scan {
    parts: Vec<Part>,
    /// Of lossless scans: the predictor, 1 to 7.
    predictor: u8,
    /// Of lossless scans: bits that were dropped.
    shift: u32,
}

impl Scan {
    fn parse(body: &[u8], frame: &Frame) -> Result<Scan, MediaErrorKind> {
        let short = || damaged("its scan header is too short");
        let count = usize::from(*body.first().ok_or_else(short)?);
        let selectors = body.get(1..1 + 2 * count).ok_or_else(short)?;
        let rest = body.get(1 + 2 * count..4 + 2 * count).ok_or_else(short)?;
        let mut parts: Vec<Part> = Vec::with_capacity(count);
        for selector in selectors.chunks_exact(2) {
            let component = frame.ids.iter().position(|&id| id == selector[0]);
            let component = component.ok_or_else(|| damaged("its scan names an unknown component"))?;
            if parts.iter().any(|part| part.component == component) {
                return Err(damaged("its scan names a component twice"));
            }
            parts.push(Part {
                component,
                dc: usize::from(selector[1] >> 4 & 3),
                ac: usize::from(selector[1] & 3),
            });
        }
        if parts.is_empty() {
            return Err(damaged("its scan has no component"));
        }
        Ok(Scan { parts, predictor: rest[0], shift: u32::from(rest[2] & 0xF) })
    }
}

/// Bits up to a marker, without the zero bytes that are stuffed behind bytes of ones.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
    /// Bits that were put behind the last byte so far: some were read once there are more than `count`.
    invented: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0, buffer: 0, count: 0, invented: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                None | Some([] | [0xFF, ..]) => {
                    self.invented += 8;
                    0
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        if self.count < count {
            self.fill();
        }
        let value = (self.buffer >> (64 - count)) as u32;
        self.skip(count);
        value
    }

    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    fn value(&mut self, table: &Huffman) -> Result<u8, MediaErrorKind> {
        if self.count < 16 {
            self.fill();
        }
        let (value, length) = table.codes[(self.buffer >> 48) as usize];
        if length == 0 {
            return Err(damaged("a code is in no table"));
        }
        self.skip(u32::from(length));
        Ok(value)
    }

    /// A number of `size` bits whose first bit is its sign (T.81 figure F.12).
    fn number(&mut self, size: u32) -> i32 {
        let bits = self.take(size) as i32;
        if size > 0 && bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits }
    }

    /// Fails when more bits were read than there are.
    fn check(&self) -> Result<(), MediaErrorKind> {
        if self.count >= self.invented {
            return Ok(());
        }
        Err(MediaErrorKind::Truncated("its JPEG data are used up before its last pixel".to_owned()))
    }

    /// Goes behind the restart marker, which must be next.
    fn restart(&mut self) -> Result<(), MediaErrorKind> {
        self.check()?;
        match self.bytes.get(self.at..) {
            Some([0xFF, 0xD0..=0xD7, ..]) => *self = Bits { at: self.at + 2, ..Bits::new(self.bytes) },
            _ => return Err(damaged("a restart marker is missing")),
        }
        Ok(())
    }
}

fn table(tables: &[Option<Box<Huffman>>; 4], slot: usize) -> Result<&Huffman, MediaErrorKind> {
    tables[slot].as_deref().ok_or_else(|| damaged("a Huffman table is missing"))
}

/// T.81 annex H.
fn lossless_scan(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    bits: &mut Bits<'_>,
    target: &mut [u16],
) -> Result<(), MediaErrorKind> {
    let (width, stride) = (frame.width, frame.ids.len());
    if !(1..=7).contains(&scan.predictor) || scan.shift >= frame.precision {
        return Err(damaged("its scan has no predictor"));
    }
    if !tables.restart.is_multiple_of(width) {
        return Err(unsupported("lossless JPEG that restarts within a row"));
    }
    let restart_rows = tables.restart / width;
    let codes: Vec<&Huffman> =
        scan.parts.iter().map(|part| table(&tables.dc, part.dc)).collect::<Result<_, _>>()?;
    let start = 1_i32 << (frame.precision - scan.shift - 1);
    for row in 0..frame.height {
        bits.check()?;
        let again = restart_rows != 0 && row != 0 && row.is_multiple_of(restart_rows);
        if again {
            bits.restart()?;
        }
        let first = row == 0 || again;
        for column in 0..width {
            for (part, codes) in scan.parts.iter().zip(&codes) {
                let at = (row * width + column) * stride + part.component;
                let sample = |at: usize| i32::from(target[at] >> scan.shift);
                let predicted = match (first, column) {
                    (true, 0) => start,
                    (true, _) => sample(at - stride),
                    (false, 0) => sample(at - width * stride),
                    _ => {
                        let (a, b) = (sample(at - stride), sample(at - width * stride));
                        let c = sample(at - (width + 1) * stride);
                        match scan.predictor {
                            1 => a,
                            2 => b,
                            3 => c,
                            4 => a + b - c,
                            5 => a + ((b - c) >> 1),
                            6 => b + ((a - c) >> 1),
                            _ => (a + b) >> 1,
                        }
                    }
                };
                let size = bits.value(codes)?;
                let difference = match size {
                    0..=15 => bits.number(u32::from(size)),
                    16 => 1 << 15,
                    _ => return Err(damaged("a difference has more than 16 bits")),
                };
                target[at] = ((predicted + difference) as u16) << scan.shift;
            }
        }
    }
    bits.check()
}

/// T.81 annexes F and A.3.3.
fn dct_scan(
    frame: &Frame,
    scan: &Scan,
    tables: &Tables,
    bits: &mut Bits<'_>,
    target: &mut [u16],
) -> Result<(), MediaErrorKind> {
    let stride = frame.ids.len();
    let blocks = (frame.width.div_ceil(8), frame.height.div_ceil(8));
    let basis = basis();
    let mut before = vec![0_i32; scan.parts.len()];
    for number in 0..blocks.0 * blocks.1 {
        bits.check()?;
        if tables.restart != 0 && number != 0 && number.is_multiple_of(tables.restart) {
            bits.restart()?;
            before.fill(0);
        }
        let (left, top) = (number % blocks.0 * 8, number / blocks.0 * 8);
        for (part, before) in scan.parts.iter().zip(&mut before) {
            let component = &frame.components[part.component];
            let steps = tables.quantisation[component.quantisation].as_ref();
            let steps = steps.ok_or_else(|| damaged("a quantisation table is missing"))?;
            let block =
                block(bits, (table(&tables.dc, part.dc)?, table(&tables.ac, part.ac)?), steps, before)?;
            let samples = inverse(&block, &basis);
            let middle = (1_u32 << (frame.precision - 1)) as f32;
            let highest = ((1_u32 << frame.precision) - 1) as f32;
            for (y, row) in samples.chunks_exact(8).enumerate().take(frame.height - top) {
                for (x, sample) in row.iter().enumerate().take(frame.width - left) {
                    let at = ((top + y) * frame.width + left + x) * stride + part.component;
                    target[at] = (sample + middle).round().clamp(0.0, highest) as u16;
                }
            }
        }
    }
    bits.check()
}

/// The dequantised coefficients of a block.
fn block(
    bits: &mut Bits<'_>,
    (dc, ac): (&Huffman, &Huffman),
    steps: &[f32; 64],
    before: &mut i32,
) -> Result<[f32; 64], MediaErrorKind> {
    let mut block = [0.0; 64];
    let size = bits.value(dc)?;
    if size > 16 {
        return Err(damaged("a coefficient has more than 16 bits"));
    }
    *before = before.wrapping_add(bits.number(u32::from(size)));
    block[0] = *before as f32 * steps[0];
    let mut at = 1;
    while at < 64 {
        let code = bits.value(ac)?;
        let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
        match (run, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                at += run;
                let &place =
                    ZIGZAG.get(at).ok_or_else(|| damaged("a block has more than 64 coefficients"))?;
                block[place] = bits.number(size) as f32 * steps[place];
                at += 1;
            }
        }
    }
    Ok(block)
}

/// `basis[x * 8 + u]`: the one-dimensional basis of T.81 section A.3.3.
fn basis() -> [f32; 64] {
    std::array::from_fn(|at| {
        let (x, u) = ((at / 8) as f32, (at % 8) as f32);
        let scale = if at % 8 == 0 { 0.125_f32.sqrt() } else { 0.5 };
        scale * ((2.0 * x + 1.0) * u * std::f32::consts::PI / 16.0).cos()
    })
}

fn inverse(block: &[f32; 64], basis: &[f32; 64]) -> [f32; 64] {
    let mut rows = [0.0; 64];
    for v in 0..8 {
        for x in 0..8 {
            rows[v * 8 + x] = (0..8).map(|u| block[v * 8 + u] * basis[x * 8 + u]).sum();
        }
    }
    std::array::from_fn(|at| {
        let (y, x) = (at / 8, at % 8);
        (0..8).map(|v| rows[v * 8 + x] * basis[y * 8 + v]).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lossless image of 2 x 2 samples of 8 bits. Codes: 0 for no difference, 10 for one of a bit.
    fn lossless(predictor: u8, restart: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes =
            vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 8, 0, 2, 0, 2, 1, 1, 0x11, 0, 0xFF, 0xC4, 0, 21, 0, 1, 1];
        bytes.extend([0; 14]);
        bytes.extend([0, 1, 0xFF, 0xDD, 0, 4, 0, restart, 0xFF, 0xDA, 0, 8, 1, 1, 0, predictor, 0, 0]);
        bytes.extend(data);
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn lossless_rows_begin_again_at_a_restart() {
        // +1, 0; then -1, +1.
        let data = [0b1010_1111, 0xFF, 0xD0, 0b1001_0111];
        assert_eq!(decode(&lossless(1, 2, &data)), Ok(vec![129, 129, 127, 128]));
        // Without a restart the second row begins below 129.
        assert_eq!(decode(&lossless(1, 0, &[0b1010_1001, 0b0111_1111])), Ok(vec![129, 129, 128, 129]));
        let error = decode(&lossless(1, 2, &[0b1010_1001, 0b0111_1111]));
        assert_eq!(error, Err(damaged("a restart marker is missing")));
        assert!(matches!(decode(&lossless(1, 1, &data)), Err(MediaErrorKind::Unsupported(_))));
        assert!(matches!(decode(&lossless(8, 0, &data)), Err(MediaErrorKind::Damaged(_))));
        assert!(matches!(decode(&lossless(1, 0, &[0b1010_1001])), Err(MediaErrorKind::Truncated(_))));
    }

    #[test]
    fn blocks_begin_again_at_a_restart() {
        let found = decode(include_bytes!("../../tests/golden/dicom/restart.jpeg")).expect("it is decoded");
        let expected = include_bytes!("../../tests/golden/dicom/restart.raw");
        assert_eq!(found.len(), expected.len());
        for (found, &expected) in found.into_iter().zip(expected) {
            assert!(found.abs_diff(expected.into()) <= 1, "{found}, Pillow reads {expected}");
        }
    }
}
