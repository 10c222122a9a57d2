//! Samples as they are stored: integers before rescaling, windows and palettes.

/// The samples of a frame, type and values as `pydicom`'s `pixel_array` has them (with `raw=True`).
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum StoredSamples {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// A frame as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Components of a pixel, which stand beside each other.
    pub channels: u32,
    /// `height * width * channels` of them.
    pub samples: StoredSamples,
}

/// Samples as patterns of bits.
#[derive(Debug)]
pub(super) enum Raw {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Raw {
    /// From bytes, least or most significant first. `allocated`: 8, 16 or 32 bits.
    pub(super) fn integers(bytes: &[u8], allocated: u32, big: bool) -> Raw {
        match allocated {
            8 => Raw::U8(bytes.to_vec()),
            16 => {
                let pairs = bytes.as_chunks::<2>().0.iter();
                let read = if big { u16::from_be_bytes } else { u16::from_le_bytes };
                Raw::U16(pairs.map(|&pair| read(pair)).collect())
            }
            _ => {
                let fours = bytes.as_chunks::<4>().0.iter();
                let read = if big { u32::from_be_bytes } else { u32::from_le_bytes };
                Raw::U32(fours.map(|&four| read(four)).collect())
            }
        }
    }

    /// The number of samples.
    pub(super) fn len(&self) -> usize {
        match self {
            Raw::U8(samples) => samples.len(),
            Raw::U16(samples) => samples.len(),
            Raw::U32(samples) => samples.len(),
            Raw::F32(samples) => samples.len(),
            Raw::F64(samples) => samples.len(),
        }
    }

    /// Widens unsigned samples to what is allocated.
    pub(super) fn widened(self, allocated: u32) -> Raw {
        match (self, allocated) {
            (Raw::U8(samples), 16) => Raw::U16(samples.into_iter().map(u16::from).collect()),
            (Raw::U8(samples), 32) => Raw::U32(samples.into_iter().map(u32::from).collect()),
            (Raw::U16(samples), 8) => Raw::U8(samples.into_iter().map(|sample| sample as u8).collect()),
            (Raw::U16(samples), 32) => Raw::U32(samples.into_iter().map(u32::from).collect()),
            (raw, _) => raw,
        }
    }

    /// Components that follow each other as planes are put beside each other.
    pub(super) fn interleaved(self, components: usize) -> Raw {
        fn woven<T: Copy>(samples: Vec<T>, components: usize) -> Vec<T> {
            let pixels = samples.len() / components;
            let pixel = |at: usize| (0..components).map(move |component| component * pixels + at);
            (0..pixels).flat_map(pixel).map(|at| samples[at]).collect()
        }
        match self {
            Raw::U8(samples) => Raw::U8(woven(samples, components)),
            Raw::U16(samples) => Raw::U16(woven(samples, components)),
            Raw::U32(samples) => Raw::U32(woven(samples, components)),
            floats => floats,
        }
    }

    /// Gives the patterns their meaning: `bits` of each, above `below` unused ones, are the value.
    pub(super) fn typed(self, bits: u32, below: u32, signed: bool) -> StoredSamples {
        macro_rules! typed {
            ($samples:expr, $width:expr, $unsigned:ty, $integer:ty, $whole:path, $negative:path) => {{
                // Bits above the value are not to be trusted (PS3.5 section 8.1.1).
                let up = ($width - bits).saturating_sub(below);
                let down = $width - bits.min($width);
                match (signed, down) {
                    (false, 0) => $whole($samples),
                    (false, _) => {
                        $whole($samples.into_iter().map(|s: $unsigned| (s << up) >> down).collect())
                    }
                    (true, _) => {
                        $negative($samples.into_iter().map(|s| ((s << up) as $integer) >> down).collect())
                    }
                }
            }};
        }
        use StoredSamples::{F32, F64, I8, I16, I32, U8, U16, U32};
        match self {
            Raw::U8(samples) => typed!(samples, 8, u8, i8, U8, I8),
            Raw::U16(samples) => typed!(samples, 16, u16, i16, U16, I16),
            Raw::U32(samples) => typed!(samples, 32, u32, i32, U32, I32),
            Raw::F32(samples) => F32(samples),
            Raw::F64(samples) => F64(samples),
        }
    }
}
