//! Marker segments: frames, scans and presets (T.87 annex C).

use super::damaged;
use crate::dicom::jpeg::{LENGTH_BYTES, segment};
use crate::error::MediaErrorKind;

/// Walks over marker segments.
pub(super) struct Segments<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Segments<'a> {
    /// The next marker and its body, without the length.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), MediaErrorKind> {
        let short =
            || MediaErrorKind::Truncated("its JPEG-LS stream lacks a marker or its segment".to_owned());
        // What is left of a scan may hold bytes of ones: a bit less than 0x80 follows them there.
        let start = self.bytes.get(self.at..).ok_or_else(short)?;
        let skip = start.windows(2).position(|pair| pair[0] == 0xFF && (0x80..0xFF).contains(&pair[1]));
        let skip = skip.ok_or_else(short)?;
        let marker = start[skip + 1];
        self.at += skip + 2;
        if matches!(marker, 0xD0..=0xD9) {
            return Ok((marker, &[]));
        }
        let body = segment(self.bytes, self.at).ok_or_else(short)?;
        self.at += LENGTH_BYTES + body.len();
        Ok((marker, body))
    }
}

pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) precision: u32,
    pub(super) ids: Vec<u8>,
}

impl Frame {
    pub(super) fn parse(body: &[u8]) -> Result<Frame, MediaErrorKind> {
        let [precision, y1, y0, x1, x0, count, rest @ ..] = body else {
            return Err(damaged("its frame header is too short"));
        };
        let height = usize::from(u16::from_be_bytes([*y1, *y0]));
        let width = usize::from(u16::from_be_bytes([*x1, *x0]));
        let ids: Vec<u8> = rest.chunks_exact(3).map(|component| component[0]).collect();
        if !(2..=16).contains(precision) || ids.len() != usize::from(*count) || !(1..=4).contains(count) {
            return Err(damaged(&format!(
                "{precision} bits and {count} components; expected 2 to 16 and 1 to 4"
            )));
        }
        if width == 0 || height == 0 {
            return Err(damaged("its frame is empty"));
        }
        if rest.chunks_exact(3).any(|component| component[1] != 0x11) {
            return Err(damaged("its components differ in size"));
        }
        Ok(Frame { width, height, precision: u32::from(*precision), ids })
    }
}

pub(super) struct Scan {
    /// Indices of components.
    pub(super) components: Vec<usize>,
    pub(super) near: i32,
    pub(super) interleave: u8,
}

impl Scan {
    pub(super) fn parse(body: &[u8], frame: &Frame) -> Result<Scan, MediaErrorKind> {
        let short = || damaged("its scan header is too short");
        let count = usize::from(*body.first().ok_or_else(short)?);
        let selectors = body.get(1..1 + 2 * count).ok_or_else(short)?;
        let [near, interleave, transform] = *body.get(1 + 2 * count..4 + 2 * count).ok_or_else(short)? else {
            return Err(short());
        };
        let mut components = Vec::with_capacity(count);
        for selector in selectors.chunks_exact(2) {
            let index = frame.ids.iter().position(|&id| id == selector[0]);
            components.push(index.ok_or_else(|| damaged("its scan names an unknown component"))?);
            if selector[1] != 0 {
                return Err(damaged("it uses a mapping table"));
            }
        }
        components.dedup();
        let shape = match interleave {
            0 => components.len() == 1,
            1 | 2 => !components.is_empty(),
            _ => false,
        };
        if !shape || components.len() != count || transform != 0 {
            return Err(damaged(&format!(
                "{count} components, interleave mode {interleave}, transform {transform}"
            )));
        }
        Ok(Scan { components, near: i32::from(near), interleave })
    }
}

/// Preset coding parameters (T.87 section C.2.4.1.1); zeros mean defaults.
#[derive(Default)]
pub(super) struct Presets {
    pub(super) maximum: i32,
    pub(super) thresholds: [i32; 3],
    pub(super) reset: i32,
}

impl Presets {
    pub(super) fn parse(body: &[u8]) -> Result<Presets, MediaErrorKind> {
        if body.first() != Some(&1) || body.len() != 11 {
            return Err(damaged("it has parameters other than the presets of type 1"));
        }
        let number = |at: usize| i32::from(u16::from_be_bytes([body[at], body[at + 1]]));
        Ok(Presets { maximum: number(1), thresholds: [number(3), number(5), number(7)], reset: number(9) })
    }
}
