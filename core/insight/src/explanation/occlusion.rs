//! By how much does the score fall when a part of the image is hidden?

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{BATCH_IMAGES_MAX, Baseline, Batch, ExplanationError, HeatMap, Image};
use super::{check_count, check_predictions, scores};

/// How to hide parts of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Occlusion {
    /// The side of the square that is hidden, in pixels: 1 to the shorter side of the image.
    ///
    /// A finding that is much larger than the patch is never hidden as a whole; one that is much smaller is drawn as
    /// large as the patch.
    pub patch: usize,
    /// How far the next square is from the one before, in pixels: 1 to `patch`.
    pub stride: usize,
    /// What stands where something was hidden.
    pub baseline: Baseline,
    /// How many images the model is given at once, 1 to [`BATCH_IMAGES_MAX`].
    pub batch: usize,
}

impl Default for Occlusion {
    /// Squares of 32 pixels every 16, blurred, 16 images at once: 170 predictions for an image of 224 x 224.
    fn default() -> Occlusion {
        Occlusion { patch: 32, stride: 16, baseline: Baseline::default(), batch: 16 }
    }
}

impl Occlusion {
    /// How many predictions the map of an image takes, the one of the image itself among them.
    ///
    /// # Errors
    /// A patch or a stride outside its range, or more than [`PREDICTIONS_MAX`](super::PREDICTIONS_MAX) predictions.
    pub fn predictions(&self, image: &Image<'_>) -> Result<usize, ExplanationError> {
        self.grid(image).map(|(rows, columns)| rows.len() * columns.len() + 1)
    }

    /// The first row and the first column of the patches.
    fn grid(&self, image: &Image<'_>) -> Result<(Vec<usize>, Vec<usize>), ExplanationError> {
        let Occlusion { patch, stride, batch, .. } = *self;
        image.check_side("patch", patch)?;
        if !(1..=patch).contains(&stride) {
            return Err(ExplanationError::Stride { found: stride, patch });
        }
        check_count("images at once", batch, BATCH_IMAGES_MAX)?;
        let (rows, columns) = (self.starts(image.height), self.starts(image.width));
        check_predictions(rows.len() * columns.len() + 1)?;
        Ok((rows, columns))
    }

    /// Where patches begin along a side. The last one ends with the side, so that every pixel is covered.
    fn starts(&self, side: usize) -> Vec<usize> {
        let last = side - self.patch;
        (0..last).step_by(self.stride).chain([last]).collect()
    }
}

/// What hiding parts of an image did to its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Occluded {
    /// The score of the image as it is.
    pub score: f32,
    /// By how much the score falls when the patches over a pixel are hidden, as mean over these patches: in the unit of
    /// the score. Where it is negative, hiding raises the score. As large as the image.
    pub map: HeatMap,
}

/// The map of an image by occlusion (Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV
/// 2014, arXiv 1311.2901, section 4.2).
///
/// Each square of the image in turn is replaced by the baseline. A pixel that the model does not look at is 0, unless
/// it shares a patch with one that it does look at.
///
/// # Errors
/// [`ExplanationError`]: settings that do not fit the image, or scores that are not one finite number for each image.
/// What the model answers with when it fails is handed through.
pub fn occlusion<E: From<ExplanationError>>(
    image: &Image<'_>,
    settings: &Occlusion,
    mut predict: impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Occluded, E> {
    let (rows, columns) = settings.grid(image)?;
    let baseline = settings.baseline.samples(image);
    let change = |number: usize, copy: &mut [u8]| {
        copy.copy_from_slice(image.samples);
        // The first is the image as it is.
        let Some(patch) = number.checked_sub(1) else { return };
        let (top, left) = (rows[patch / columns.len()], columns[patch % columns.len()]);
        for row in top..top + settings.patch {
            let start = (row * image.width + left) * image.channels;
            let line = start..start + settings.patch * image.channels;
            copy[line.clone()].copy_from_slice(&baseline[line]);
        }
    };
    let count = rows.len() * columns.len() + 1;
    let scores = scores(image, count, settings.batch, change, &mut predict)?;
    let drops: Vec<f64> = scores[1..].iter().map(|&score| f64::from(scores[0]) - f64::from(score)).collect();
    let values = spread(
        &drops,
        &covering(&rows, settings.patch, image.height),
        &covering(&columns, settings.patch, image.width),
    );
    Ok(Occluded { score: scores[0], map: HeatMap::new(image.height, image.width, values)? })
}

/// For each place of a side: which patches lie over it. They are neighbours, for patches ascend.
fn covering(starts: &[usize], patch: usize, side: usize) -> Vec<Range<usize>> {
    let over = |place: usize| {
        let first = starts.partition_point(|&start| start + patch <= place);
        first..starts.partition_point(|&start| start <= place)
    };
    (0..side).map(over).collect()
}

/// The mean drop of the patches over each pixel: sums along the rows of patches first, then across them.
///
/// No running sum: where all drops are 0, the mean must be 0 to the last bit.
fn spread(drops: &[f64], rows: &[Range<usize>], columns: &[Range<usize>]) -> Vec<f32> {
    let across = columns.last().map_or(0, |last| last.end);
    let along: Vec<f64> = drops
        .chunks_exact(across)
        .flat_map(|line| columns.iter().map(|over| line[over.clone()].iter().sum()))
        .collect();
    let width = columns.len();
    let mut values = Vec::with_capacity(rows.len() * width);
    for row in rows {
        for (column, over) in columns.iter().enumerate() {
            let sum: f64 = row.clone().map(|line| along[line * width + column]).sum();
            values.push((sum / (row.len() * over.len()) as f64) as f32);
        }
    }
    values
}
