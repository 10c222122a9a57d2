//! How many frames a second has.

use std::fmt;

/// The most frames of a second: more than cameras for slow motion take.
pub const FRAME_RATE_MAX: f64 = 10_000.0;
/// The longest time between two frames in seconds, such as of a clip in time lapse.
pub const FRAME_SECONDS_MAX: f64 = 86_400.0;

/// Frames a second as a fraction, since those of television are none that a decimal number could hold: 30000/1001.
///
/// ```
/// use foretell_video::FrameRate;
///
/// let rate = FrameRate::of(29.97).unwrap();
/// assert_eq!((rate.numerator(), rate.denominator()), (30_000, 1_001));
/// assert_eq!(FrameRate::new(50, 2).unwrap(), FrameRate::of(25.0).unwrap());
/// assert!(FrameRate::of(0.0).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// What a directory of images is taken for, which says nothing about time: 25 frames a second.
    pub const OF_IMAGES: FrameRate = FrameRate { numerator: 25, denominator: 1 };

    /// `numerator / denominator` frames a second, in lowest terms. `None` if it is beyond the limits ([`FRAME_RATE_MAX`],
    /// [`FRAME_SECONDS_MAX`]).
    pub fn new(numerator: u32, denominator: u32) -> Option<FrameRate> {
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let rate = FrameRate { numerator: numerator / divisor, denominator: denominator / divisor };
        (rate.value() <= FRAME_RATE_MAX && rate.seconds(1) <= FRAME_SECONDS_MAX).then_some(rate)
    }

    /// The fraction that somebody means who writes a decimal number: `n / 1` or `n / 1001 * 1000` if one is within 0.005 of
    /// `value`, else thousandths. `None` if it is beyond the limits.
    pub fn of(value: f64) -> Option<FrameRate> {
        if !(value.is_finite() && value > 0.0 && value <= FRAME_RATE_MAX) {
            return None;
        }
        let whole = value.round();
        let television = (value * 1.001).round();
        if (value - whole).abs() < 0.000_5 && whole >= 1.0 {
            FrameRate::new(whole as u32, 1)
        } else if (value - television / 1.001).abs() < 0.005 && television >= 23.0 {
            FrameRate::new(television as u32 * 1_000, 1_001)
        } else if value >= 1.0 {
            FrameRate::new((value * 1_000.0).round() as u32, 1_000)
        } else {
            FrameRate::new(1_000_000, (1_000_000.0 / value).round().min(f64::from(u32::MAX)) as u32)
        }
    }

    /// Frames in [`FrameRate::denominator`] seconds.
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// Seconds in which there are [`FrameRate::numerator`] frames.
    pub fn denominator(self) -> u32 {
        self.denominator
    }

    /// Frames a second.
    pub fn value(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// Seconds from the start to frame `index`, counted from 0.
    pub fn seconds(self, index: u64) -> f64 {
        index as f64 * f64::from(self.denominator) / f64::from(self.numerator)
    }
}

/// As ffmpeg reads it: `30000/1001`.
impl fmt::Display for FrameRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.numerator, self.denominator)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
