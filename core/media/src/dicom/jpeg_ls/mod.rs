//! JPEG-LS (ITU-T T.87), lossless and near-lossless: what DICOM's transfer syntaxes 1.2.840.10008.1.2.4.80 and .81 hold.
//!
//! Names follow the standard: a *context* counts what was seen in similar surroundings (`A` magnitudes, `B` bias, `C`
//! correction, `N` occurrences), *regular mode* predicts each sample from its neighbours `Ra` (left), `Rb` (above), `Rc` (above
//! left) and `Rd` (above right), *run mode* writes the length of a row of equal samples. Mapping tables (T.87 annex C) and
//! lines of other sizes than the frame's are not read: DICOM does not use them.

mod bits;
mod header;

use crate::error::MediaErrorKind;
use bits::Bits;
use header::{Frame, Presets, Scan, Segments};

/// Reads the frame header alone: width, height, components, bits.
pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize, usize, u32), MediaErrorKind> {
    let mut reader = Segments { bytes, at: 0 };
    loop {
        let (marker, body) = reader.next()?;
        if marker == SOF55 {
            let frame = Frame::parse(body)?;
            return Ok((frame.width, frame.height, frame.ids.len(), frame.precision));
        }
        if marker == SOS {
            return Err(damaged("its scan comes before its frame header"));
        }
    }
}

/// Decodes a frame; components of a pixel stand beside each other.
///
/// **Invariant:** memory is taken for what the frame header says, so the caller compares [`size`] with what it expects first.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<u16>, MediaErrorKind> {
    let mut reader = Segments { bytes, at: 0 };
    let mut frame = None;
    let mut presets = Presets::default();
    let mut restart = 0;
    let mut planes: Vec<u16> = Vec::new();
    let mut seen = Vec::new();
    loop {
        let (marker, body) = reader.next()?;
        match marker {
            SOF55 if frame.is_some() => return Err(damaged("it has two frame headers")),
            SOF55 => {
                let found = Frame::parse(body)?;
                planes = vec![0; found.width * found.height * found.ids.len()];
                frame = Some(found);
            }
            LSE => presets = Presets::parse(body)?,
            DRI => restart = body.iter().fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte)),
            SOS => {
                let frame =
                    frame.as_ref().ok_or_else(|| damaged("its scan comes before its frame header"))?;
                if restart != 0 {
                    return Err(MediaErrorKind::Unsupported(
                        "JPEG-LS with restart markers is not read here; convert it to another transfer syntax".to_owned(),
                    ));
                }
                let scan = Scan::parse(body, frame)?;
                if let Some(again) = scan.components.iter().find(|component| seen.contains(*component)) {
                    return Err(damaged(&format!("component {again} is in two scans")));
                }
                seen.extend(&scan.components);
                let coding = Coding::new(frame.precision, scan.near, &presets)?;
                let mut decoder = Decoder::new(&bytes[reader.at..], coding);
                decoder.scan(frame, &scan, &mut planes)?;
                reader.at += decoder.bits.position();
                if seen.len() == frame.ids.len() {
                    return Ok(planes);
                }
            }
            // A colour transform of Hewlett-Packard's, which no standard has.
            APP8 if body.starts_with(b"mrfx") && body.get(4) != Some(&0) => {
                return Err(MediaErrorKind::Unsupported(
                    "JPEG-LS with a colour transform is not read here; convert it to another transfer syntax"
                        .to_owned(),
                ));
            }
            EOI => return Err(damaged("it ends before all of its components")),
            _ => {}
        }
    }
}

const SOF55: u8 = 0xF7;
const LSE: u8 = 0xF8;
const SOS: u8 = 0xDA;
const DRI: u8 = 0xDD;
const EOI: u8 = 0xD9;
const APP8: u8 = 0xE8;

fn damaged(reason: &str) -> MediaErrorKind {
    MediaErrorKind::Damaged(format!("its JPEG-LS stream: {reason}"))
}

/// Everything that is fixed for a scan.
struct Coding {
    maximum: i32,
    near: i32,
    thresholds: [i32; 3],
    reset: i32,
    range: i32,
    /// Bits of a prediction error that is written out, `qbpp`.
    error_bits: u32,
    limit: u32,
}

impl Coding {
    fn new(precision: u32, near: i32, presets: &Presets) -> Result<Coding, MediaErrorKind> {
        let full = (1 << precision) - 1;
        let maximum = if presets.maximum == 0 { full } else { presets.maximum };
        if maximum > full || near > (maximum / 2).min(255) {
            return Err(damaged(&format!(
                "maximum {maximum} and near {near} do not go with {precision} bits"
            )));
        }
        let defaults = default_thresholds(maximum, near);
        let mut thresholds = presets.thresholds;
        for (threshold, default) in thresholds.iter_mut().zip(defaults) {
            if *threshold == 0 {
                *threshold = default;
            }
        }
        let [first, second, third] = thresholds;
        let ordered = near < first && first <= second && second <= third && third <= maximum;
        let reset = if presets.reset == 0 { 64 } else { presets.reset };
        if !ordered || !(3..=full.max(255)).contains(&reset) {
            return Err(damaged(&format!("thresholds {first}, {second}, {third} and reset {reset}")));
        }
        let range = (maximum + 2 * near) / (2 * near + 1) + 1;
        let bits = |levels: i32| 32 - (levels - 1).leading_zeros();
        let error_bits = bits(range);
        let sample_bits = bits(maximum + 1).max(2);
        let limit = 2 * (sample_bits + sample_bits.max(8));
        Ok(Coding { maximum, near, thresholds, reset, range, error_bits, limit })
    }

    /// T.87 section A.3.3: a gradient as one of nine levels.
    fn level(&self, gradient: i32) -> i32 {
        let [first, second, third] = self.thresholds;
        let size = gradient.abs();
        let level = match size {
            _ if size >= third => 4,
            _ if size >= second => 3,
            _ if size >= first => 2,
            _ if size > self.near => 1,
            _ => 0,
        };
        if gradient < 0 { -level } else { level }
    }

    /// The sample that a prediction and its error stand for (T.87 section A.4.5).
    fn reconstructed(&self, predicted: i32, error: i32) -> i32 {
        let step = 2 * self.near + 1;
        let mut sample = predicted + error * step;
        if sample < -self.near {
            sample += self.range * step;
        } else if sample > self.maximum + self.near {
            sample -= self.range * step;
        }
        sample.clamp(0, self.maximum)
    }
}

/// T.87 section C.2.4.1.1.1.
fn default_thresholds(maximum: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, low: i32| if value > maximum || value < low { low } else { value };
    if maximum >= 128 {
        let factor = (maximum.min(4095) + 128) / 256;
        let first = clamp(factor + 2 + 3 * near, near + 1);
        let second = clamp(factor * 4 + 3 + 5 * near, first);
        [first, second, clamp(factor * 17 + 4 + 7 * near, second)]
    } else {
        let factor = 256 / (maximum + 1);
        let first = clamp((3 / factor + 3 * near).max(2), near + 1);
        let second = clamp((7 / factor + 5 * near).max(3), first);
        [first, second, clamp((21 / factor + 7 * near).max(4), second)]
    }
}

/// What was seen in similar surroundings (T.87 section A.6).
#[derive(Clone, Copy)]
struct Context {
    magnitudes: i32,
    bias: i32,
    correction: i32,
    occurrences: i32,
}

impl Context {
    /// `k`: the bits of an error that are written as they are.
    fn golomb(magnitudes: i32, occurrences: i32) -> u32 {
        let mut k = 0;
        while k < 24 && (i64::from(occurrences) << k) < i64::from(magnitudes) {
            k += 1;
        }
        k
    }
}

/// Run lengths (T.87 section A.2.1, table J).
const RUN_BITS: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

struct Decoder<'a> {
    bits: Bits<'a>,
    coding: Coding,
    contexts: [Context; 365],
    /// Of interruptions: of a run between unlike, and between like neighbours; `bias` counts negative errors.
    interruptions: [Context; 2],
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8], coding: Coding) -> Decoder<'a> {
        let magnitudes = ((coding.range + 32) / 64).max(2);
        let context = Context { magnitudes, bias: 0, correction: 0, occurrences: 1 };
        let bits = Bits::new(bytes);
        Decoder { bits, coding, contexts: [context; 365], interruptions: [context; 2] }
    }

    fn scan(&mut self, frame: &Frame, scan: &Scan, target: &mut [u16]) -> Result<(), MediaErrorKind> {
        let (width, stride) = (frame.width, frame.ids.len());
        let lines = scan.components.len();
        // The line above and the line at hand of each component, with a sample before and one behind.
        let mut above = vec![vec![0_i32; width + 2]; lines];
        let mut current = above.clone();
        let mut runs = vec![0_usize; lines];
        for row in 0..frame.height {
            for (line, upper) in current.iter_mut().zip(&mut above) {
                // The sample before a line is the one above its first, and the one behind it repeats its last.
                upper[width + 1] = upper[width];
                line[0] = upper[1];
            }
            if scan.interleave == 2 {
                self.pixels(width, &mut current, &above, &mut runs[0])?;
            } else {
                for ((line, upper), run) in current.iter_mut().zip(&above).zip(&mut runs) {
                    self.line(width, line, upper, run)?;
                }
            }
            for (line, &component) in current.iter().zip(&scan.components) {
                let start = row * width * stride + component;
                for (sample, target) in line[1..=width].iter().zip(target[start..].iter_mut().step_by(stride))
                {
                    *target = *sample as u16;
                }
            }
            std::mem::swap(&mut above, &mut current);
        }
        Ok(())
    }

    /// A line of one component.
    fn line(
        &mut self,
        width: usize,
        line: &mut [i32],
        above: &[i32],
        run: &mut usize,
    ) -> Result<(), MediaErrorKind> {
        let mut at = 1;
        while at <= width {
            let (a, b, c, d) = (line[at - 1], above[at], above[at - 1], above[at + 1]);
            let levels = [self.coding.level(d - b), self.coding.level(b - c), self.coding.level(c - a)];
            if levels != [0; 3] {
                line[at] = self.regular(a, b, c, levels)?;
                at += 1;
                continue;
            }
            let length = self.run(width + 1 - at, run)?;
            line[at..at + length].fill(a);
            at += length;
            if at <= width {
                line[at] = self.interruption(a, above[at], *run)?;
                at += 1;
                *run = run.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// A line of pixels whose components follow each other: they are in run mode together.
    fn pixels(
        &mut self,
        width: usize,
        lines: &mut [Vec<i32>],
        above: &[Vec<i32>],
        run: &mut usize,
    ) -> Result<(), MediaErrorKind> {
        let mut at = 1;
        while at <= width {
            let levels = |coding: &Coding, line: &[i32], above: &[i32]| {
                let (a, b, c, d) = (line[at - 1], above[at], above[at - 1], above[at + 1]);
                [coding.level(d - b), coding.level(b - c), coding.level(c - a)]
            };
            let flat =
                lines.iter().zip(above).all(|(line, above)| levels(&self.coding, line, above) == [0; 3]);
            if !flat {
                for (line, above) in lines.iter_mut().zip(above) {
                    let levels = levels(&self.coding, line, above);
                    line[at] = self.regular(line[at - 1], above[at], above[at - 1], levels)?;
                }
                at += 1;
                continue;
            }
            let length = self.run(width + 1 - at, run)?;
            for line in lines.iter_mut() {
                let a = line[at - 1];
                line[at..at + length].fill(a);
            }
            at += length;
            if at <= width {
                for (line, above) in lines.iter_mut().zip(above) {
                    let (a, b) = (line[at - 1], above[at]);
                    // With several components an interruption always counts as one between unlike neighbours.
                    line[at] = self.interrupted(a, b, 0, *run)?;
                }
                at += 1;
                *run = run.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// T.87 sections A.4 to A.6.
    fn regular(&mut self, a: i32, b: i32, c: i32, levels: [i32; 3]) -> Result<i32, MediaErrorKind> {
        let number = (levels[0] * 9 + levels[1]) * 9 + levels[2];
        let sign = if number < 0 { -1 } else { 1 };
        let context = &mut self.contexts[number.unsigned_abs() as usize];
        let edge = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        let predicted = (edge + sign * context.correction).clamp(0, self.coding.maximum);
        let k = Context::golomb(context.magnitudes, context.occurrences);
        let mapped = mapped_error(&mut self.bits, &self.coding, k, self.coding.limit)?;
        let mut error = if mapped & 1 == 0 { mapped >> 1 } else { -((mapped + 1) >> 1) };
        if k == 0 && self.coding.near == 0 && 2 * context.bias <= -context.occurrences {
            error = -(error + 1);
        }
        // Update (T.87 section A.6.1).
        context.bias += error * (2 * self.coding.near + 1);
        context.magnitudes = context.magnitudes.saturating_add(error.abs());
        if context.occurrences == self.coding.reset {
            context.magnitudes >>= 1;
            context.bias >>= 1;
            context.occurrences >>= 1;
        }
        context.occurrences += 1;
        if context.bias <= -context.occurrences {
            context.bias = (context.bias + context.occurrences).max(1 - context.occurrences);
            context.correction = (context.correction - 1).max(-128);
        } else if context.bias > 0 {
            context.bias = (context.bias - context.occurrences).min(0);
            context.correction = (context.correction + 1).min(127);
        }
        Ok(self.coding.reconstructed(predicted, sign * error))
    }

    /// The length of a run, at most `room` (T.87 section A.7.1).
    fn run(&mut self, room: usize, index: &mut usize) -> Result<usize, MediaErrorKind> {
        let mut length = 0;
        while self.bits.take(1) == 1 {
            let whole = 1_usize << RUN_BITS[*index];
            let step = whole.min(room - length);
            length += step;
            if step == whole {
                *index = (*index + 1).min(31);
            }
            if length == room {
                return Ok(length);
            }
        }
        length += self.bits.take(RUN_BITS[*index]) as usize;
        if length >= room {
            return Err(damaged("a run is longer than its line"));
        }
        Ok(length)
    }

    /// The sample that ends a run (T.87 section A.7.2).
    fn interruption(&mut self, a: i32, b: i32, run: usize) -> Result<i32, MediaErrorKind> {
        let like = usize::from((a - b).abs() <= self.coding.near);
        self.interrupted(a, b, like, run)
    }

    fn interrupted(&mut self, a: i32, b: i32, like: usize, run: usize) -> Result<i32, MediaErrorKind> {
        let kind = like as i32;
        let predicted = if like == 1 { a } else { b };
        let sign = if like == 0 && a > b { -1 } else { 1 };
        let context = &mut self.interruptions[like];
        let sum = context.magnitudes + if like == 1 { context.occurrences >> 1 } else { 0 };
        let k = Context::golomb(sum, context.occurrences);
        let limit = self.coding.limit - RUN_BITS[run] - 1;
        let mapped = mapped_error(&mut self.bits, &self.coding, k, limit)?;
        let doubled = mapped + kind;
        let map = doubled & 1;
        let size = (doubled + map) / 2;
        // The sign that the map stands for depends on what was frequent so far.
        let negative = (k != 0 || 2 * context.bias >= context.occurrences) == (map == 1);
        let error = if negative { -size } else { size };
        if error < 0 {
            context.bias += 1;
        }
        context.magnitudes = context.magnitudes.saturating_add((mapped + 1 - kind) >> 1);
        if context.occurrences == self.coding.reset {
            context.magnitudes >>= 1;
            context.bias >>= 1;
            context.occurrences >>= 1;
        }
        context.occurrences += 1;
        Ok(self.coding.reconstructed(predicted, sign * error))
    }
}

/// A Golomb code of limited length (T.87 section A.5.3).
fn mapped_error(bits: &mut Bits<'_>, coding: &Coding, k: u32, limit: u32) -> Result<i32, MediaErrorKind> {
    let most = limit - coding.error_bits - 1;
    let zeros = bits.zeros(most)?;
    let mapped = if zeros < most { (zeros << k) | bits.take(k) } else { bits.take(coding.error_bits) + 1 };
    // An error beyond the range is none, and would grow what is counted without end.
    let mapped = mapped as i32;
    if mapped > 2 * coding.range {
        Err(damaged("an error is beyond the range of samples"))
    } else {
        Ok(mapped)
    }
}
