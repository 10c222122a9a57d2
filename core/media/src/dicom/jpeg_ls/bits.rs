//! The bits of a scan (T.87 section A.1).

use super::damaged;
use crate::error::MediaErrorKind;

/// Bits after a marker, with the bit that is stuffed behind each byte of ones.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0, buffer: 0, count: 0, after_ones: false }
    }

    /// Zeros follow the last byte: what they decode to is found to be too long, see [`Bits::take`].
    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = self.bytes.get(self.at).copied().unwrap_or(0);
            // A marker ends the data.
            let marker = byte == 0xFF && self.bytes.get(self.at + 1).is_none_or(|&next| next >= 0x80);
            let (byte, width) = match (marker || self.at >= self.bytes.len(), self.after_ones) {
                (true, _) => (0, 8),
                (false, true) => (byte & 0x7F, 7),
                (false, false) => (byte, 8),
            };
            if !marker {
                self.at += 1;
            }
            self.after_ones = byte == 0xFF;
            self.buffer |= u64::from(byte) << (64 - width - self.count);
            self.count += width;
        }
    }

    /// The next `count` bits, at most 24.
    pub(super) fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        if self.count < count {
            self.fill();
        }
        let value = (self.buffer >> (64 - count)) as u32;
        self.buffer <<= count;
        self.count -= count;
        value
    }

    /// Zeros up to the next one, which is read as well; at most `most`.
    pub(super) fn zeros(&mut self, most: u32) -> Result<u32, MediaErrorKind> {
        if self.count < 48 {
            self.fill();
        }
        let zeros = self.buffer.leading_zeros().min(self.count);
        if zeros >= self.count.min(most + 1) {
            // No code is that long: the data are used up, or are no code.
            return Err(damaged("a code is longer than any may be; its data are damaged or cut off"));
        }
        self.buffer <<= zeros + 1;
        self.count -= zeros + 1;
        Ok(zeros)
    }

    /// The place of the first byte that was not used, or a little before it.
    pub(super) fn position(&self) -> usize {
        self.at.min(self.bytes.len()).saturating_sub((self.count / 8) as usize)
    }
}
