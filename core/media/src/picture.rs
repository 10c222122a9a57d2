//! Decoded pixels.

use crate::error::{MediaError, MediaErrorKind};

/// Of what type samples are, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleType {
    /// 0 is black, 255 is white: what a person would be shown.
    U8,
    /// 0 is black, 65,535 is white.
    U16,
    /// Values as the file means them: Hounsfield units, counts; 0 to 255 of an 8-bit image, 0 to 65,535 of a 16-bit one.
    F32,
}

/// Samples of a picture, row by row, the channels of a pixel beside each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// [`SampleType::U8`].
    U8(Vec<u8>),
    /// [`SampleType::U16`].
    U16(Vec<u16>),
    /// [`SampleType::F32`].
    F32(Vec<f32>),
}

impl Samples {
    /// Their type.
    pub fn sample_type(&self) -> SampleType {
        match self {
            Samples::U8(_) => SampleType::U8,
            Samples::U16(_) => SampleType::U16,
            Samples::F32(_) => SampleType::F32,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(samples) => samples.len(),
            Samples::U16(samples) => samples.len(),
            Samples::F32(samples) => samples.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A decoded picture.
///
/// ```
/// use foretell_media::{Picture, SampleType, Samples, View};
///
/// // Two grey pixels, black and white, seen as four in a row.
/// let picture = Picture { width: 2, height: 1, channels: 1, samples: Samples::U8(vec![0, 255]) };
/// let view = View { size: Some((4, 1)), ..View::new(SampleType::U8) };
/// assert_eq!(picture.view(&view)?.samples, Samples::U8(vec![0, 64, 191, 255]));
/// # Ok::<(), foretell_media::MediaError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels of a row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// 1: grey, 3: red, green and blue.
    pub channels: u32,
    /// `height * width * channels` of them.
    pub samples: Samples,
}

impl Picture {
    /// Its samples as another type: 8 and 16 bits keep black and white where they are, values become nothing else.
    ///
    /// # Errors
    /// Values (`F32`) have no black and white.
    pub fn into_type(self, sample: SampleType) -> Result<Picture, MediaError> {
        let samples = match (self.samples, sample) {
            (Samples::U8(samples), SampleType::U16) => {
                Samples::U16(samples.into_iter().map(|sample| u16::from(sample) * 257).collect())
            }
            (Samples::U8(samples), SampleType::F32) => {
                Samples::F32(samples.into_iter().map(f32::from).collect())
            }
            (Samples::U16(samples), SampleType::U8) => {
                Samples::U8(samples.into_iter().map(narrowed).collect())
            }
            (Samples::U16(samples), SampleType::F32) => {
                Samples::F32(samples.into_iter().map(f32::from).collect())
            }
            (Samples::F32(_), SampleType::U8 | SampleType::U16) => {
                let reason =
                    "its values have no black and white; decode it as `u8` or `u16` instead".to_owned();
                return Err(MediaErrorKind::View(reason).of("show a picture of values"));
            }
            (samples, _) => samples,
        };
        Ok(Picture { samples, ..self })
    }
}

/// The nearest of the 256 levels: `x * 255 / 65535`, rounded.
fn narrowed(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}
