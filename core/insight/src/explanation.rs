//! Which part of an image does a score rest on? Heat maps, and whether they are true.
//!
//! ```
//! use std::error::Error;
//!
//! use foretell_insight::explanation::{Batch, Image, Occlusion, Perturbation, faithfulness, occlusion};
//!
//! // A model that looks at the left upper corner alone: its score is the mean brightness there.
//! let model = |batch: Batch<'_>| -> Result<Vec<f32>, Box<dyn Error>> {
//!     let brightness = |image: &[u8]| [0, 1, 8, 9].map(|place: usize| f32::from(image[place])).iter().sum::<f32>();
//!     Ok(batch.iter().map(|image| brightness(image) / (4.0 * 255.0)).collect())
//! };
//! let mut samples = vec![90; 8 * 8];
//! for place in [0, 1, 8, 9] {
//!     samples[place] = 255;
//! }
//! let image = Image::new(8, 8, 1, &samples)?;
//!
//! let settings = Occlusion { patch: 2, stride: 2, ..Occlusion::default() };
//! let found = occlusion(&image, &settings, model)?;
//! assert_eq!(found.score, 1.0);
//! assert!(found.map.at(0, 0) > 0.1 && found.map.at(5, 5) == 0.0);
//!
//! let settings = Perturbation { cell: 2, ..Perturbation::default() };
//! assert!(faithfulness(&image, &found.map, &settings, model)?.is_better_than_random());
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! # Concepts
//! - The **model** is a function from images to scores: it gets a [`Batch`], and answers one number for each image, the
//!   score of the one class that is to be explained. What is behind it does not matter here.
//! - An **occlusion map** ([`occlusion()`]) says by how much the score falls when a part of the image is hidden.
//! - A **baseline** ([`Baseline`]) is what stands where something was hidden.
//! - **Faithfulness** ([`faithfulness()`]) asks of any [`HeatMap`], wherever it comes from: does the score fall quickly
//!   when the hottest pixels are taken away first (deletion), and does it rise quickly when they are put back first
//!   (insertion)? And does it do so more quickly than in a random order?
//! - A coarse map of a model's own, such as the 7 x 7 places of a class activation map, becomes one of the image's size
//!   with [`HeatMap::resized`].
//!
//! # Contract
//! Images are 8-bit samples `[height, width, channels]`, as they go into the model's preprocessing. The functions
//! return the caller's own error type, which must be made from [`ExplanationError`]: what the model answers with when
//! it fails is handed through as it is.
//!
//! An explanation asks for many predictions: [`Occlusion::predictions`] and [`Perturbation::predictions`] say how many
//! before any is made. Beside the batch, memory is a few tens of bytes for each pixel.
//!
//! **Invariant:** the same image, settings and seed give the same explanation, whatever the size of the batches: unless
//! the model itself answers differently for another batch.
//!
//! **Invariant:** no value of a map and no score of a curve is NaN or infinite: a model that answers so is an error.
//!
//! # Pitfalls
//! - A map says what the *model* looked at, not what is there. A model that reads a marker at the edge of the image
//!   has a faithful map with a hot marker.
//! - A part that is hidden is seen by the model too: the image with a hole in it is one that it was never trained on.
//!   Compare two baselines before believing in a detail.
//! - Two hints for the same answer hide each other: each alone may be hidden without the score falling, and both are
//!   cold.
//! - Explain the log odds, not the probability, when the score is close to 0 or 1: nothing moves there.

mod baseline;
mod curve;
mod heat_map;
mod occlusion;

use std::slice::ChunksExact;

pub use baseline::{BLUR_SHARE, Baseline};
pub use curve::{
    Curves, Faithfulness, Perturbation, Point, RANDOM_ORDERS_MAX, STEPS_MAX, area, deletion, faithfulness,
    insertion,
};
pub use heat_map::HeatMap;
pub use occlusion::{Occluded, Occlusion, occlusion};

/// The most pixels of an image or a map.
pub const IMAGE_PIXELS_MAX: usize = 1 << 24;

/// The most channels of an image.
pub const CHANNELS_MAX: usize = 16;

/// The most predictions that one explanation may ask for.
pub const PREDICTIONS_MAX: usize = 20_000;

/// The most images of a batch.
pub const BATCH_IMAGES_MAX: usize = 1_024;

/// A batch is made smaller than was asked for, though never smaller than one image, when it would be larger than this.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

/// Why there is no explanation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplanationError {
    /// An image or a map without pixels, or with too many.
    #[error(
        "expected an image or a map of 1 to {IMAGE_PIXELS_MAX} pixels, found {height} x {width}; explain the image in \
         the size that the model sees"
    )]
    Pixels {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
    },
    /// No channels, or too many.
    #[error("expected 1 to {CHANNELS_MAX} channels, found {found}")]
    Channels {
        /// How many there are.
        found: usize,
    },
    /// More or fewer samples than the size says.
    #[error(
        "expected {expected} values for {height} x {width} pixels with {channels} channels, found {found}"
    )]
    Samples {
        /// Rows.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// Values of a pixel.
        channels: usize,
        /// `height * width * channels`.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A map of another size than the image.
    #[error(
        "the map has {} x {} places and the image {} x {} pixels (height x width); resize the map first",
        map.0, map.1, image.0, image.1
    )]
    Sizes {
        /// Height and width of the map.
        map: (usize, usize),
        /// Height and width of the image.
        image: (usize, usize),
    },
    /// A value of a map is NaN or infinite.
    #[error("the value at row {row}, column {column} of the map is {found}; expected a finite number")]
    Value {
        /// The first such row, counted from 0.
        row: usize,
        /// Its column, counted from 0.
        column: usize,
        /// The value.
        found: f32,
    },
    /// A square that does not fit into the image.
    #[error("expected a {what} of 1 to {most} pixels a side, the shorter side of the image, found {found}")]
    Side {
        /// What the square is for.
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// The shorter side of the image.
        most: usize,
    },
    /// Patches that would leave pixels uncovered, or all lie in one place.
    #[error("expected a stride of 1 to {patch} pixels, the side of the patch, found {found}")]
    Stride {
        /// What was asked for.
        found: usize,
        /// The side of the patch.
        patch: usize,
    },
    /// A setting that counts something is 0 or too great.
    #[error("expected 1 to {most} {what}, found {found}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// The most that is allowed.
        most: usize,
    },
    /// The explanation would take too long.
    #[error(
        "the explanation needs {found} predictions, at most {PREDICTIONS_MAX} are allowed; take a larger stride, fewer \
         steps or fewer random orders"
    )]
    Predictions {
        /// How many would be made.
        found: usize,
    },
    /// The model answered for more or fewer images than it was given.
    #[error(
        "the model was given {expected} images and answered with {found} scores; it must answer one for each"
    )]
    Scores {
        /// Images of the batch.
        expected: usize,
        /// Scores it answered with.
        found: usize,
    },
    /// A score is NaN or infinite.
    #[error("the model answered {found} for a changed copy of the image; expected a finite number")]
    Score {
        /// The score.
        found: f32,
    },
}

/// An image that a model was asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image<'a> {
    height: usize,
    width: usize,
    channels: usize,
    samples: &'a [u8],
}

impl<'a> Image<'a> {
    /// An image of samples `[height, width, channels]`: row by row, the channels of a pixel beside each other.
    ///
    /// # Errors
    /// [`ExplanationError::Pixels`], [`ExplanationError::Channels`]: a size of 0 or beyond the limits;
    /// [`ExplanationError::Samples`]: it is not the size of `samples`.
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        samples: &'a [u8],
    ) -> Result<Image<'a>, ExplanationError> {
        check_pixels(height, width)?;
        if !(1..=CHANNELS_MAX).contains(&channels) {
            return Err(ExplanationError::Channels { found: channels });
        }
        let (expected, found) = (height * width * channels, samples.len());
        if found != expected {
            return Err(ExplanationError::Samples { height, width, channels, expected, found });
        }
        Ok(Image { height, width, channels, samples })
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Samples of a pixel.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// All samples, `[height, width, channels]`.
    pub fn samples(&self) -> &'a [u8] {
        self.samples
    }

    /// Refuses a square that is larger than the image.
    fn check_side(&self, what: &'static str, found: usize) -> Result<(), ExplanationError> {
        let most = self.height.min(self.width);
        let fits = (1..=most).contains(&found);
        if fits { Ok(()) } else { Err(ExplanationError::Side { what, found, most }) }
    }
}

/// Images of one size that a model is asked about together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch<'a> {
    /// Rows of each image.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Samples of a pixel.
    pub channels: usize,
    /// Samples of all images, `[images, height, width, channels]`.
    pub samples: &'a [u8],
}

impl<'a> Batch<'a> {
    /// How many images there are: at least one.
    pub fn images(&self) -> usize {
        self.samples.len() / (self.height * self.width * self.channels)
    }

    /// The samples of each image.
    pub fn iter(&self) -> ChunksExact<'a, u8> {
        self.samples.chunks_exact(self.height * self.width * self.channels)
    }
}

fn check_pixels(height: usize, width: usize) -> Result<(), ExplanationError> {
    match height.checked_mul(width) {
        Some(1..=IMAGE_PIXELS_MAX) => Ok(()),
        _ => Err(ExplanationError::Pixels { height, width }),
    }
}

fn check_count(what: &'static str, found: usize, most: usize) -> Result<(), ExplanationError> {
    let counts = (1..=most).contains(&found);
    if counts { Ok(()) } else { Err(ExplanationError::Count { what, found, most }) }
}

fn check_predictions(found: usize) -> Result<(), ExplanationError> {
    if found <= PREDICTIONS_MAX { Ok(()) } else { Err(ExplanationError::Predictions { found }) }
}

/// The scores of `count` changed copies of `image`, asked for in batches.
///
/// `change` writes copy `i` over whatever is in the slice, and is called for 0, 1, 2, ... in order.
fn scores<E: From<ExplanationError>>(
    image: &Image<'_>,
    count: usize,
    batch: usize,
    mut change: impl FnMut(usize, &mut [u8]),
    predict: &mut impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Vec<f32>, E> {
    let bytes = image.samples.len();
    let batch = batch.min(count).min(BATCH_BYTES_MAX / bytes).max(1);
    let mut buffer = vec![0; batch * bytes];
    let mut scores = Vec::with_capacity(count);
    while scores.len() < count {
        let images = batch.min(count - scores.len());
        let samples = &mut buffer[..images * bytes];
        for (number, slot) in (scores.len()..).zip(samples.chunks_exact_mut(bytes)) {
            change(number, slot);
        }
        let Image { height, width, channels, .. } = *image;
        let answers = predict(Batch { height, width, channels, samples })?;
        if answers.len() != images {
            return Err(ExplanationError::Scores { expected: images, found: answers.len() }.into());
        }
        if let Some(&found) = answers.iter().find(|score| !score.is_finite()) {
            return Err(ExplanationError::Score { found }.into());
        }
        scores.extend(answers);
    }
    Ok(scores)
}
