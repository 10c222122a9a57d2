//! What stands where a part of an image was hidden.

use serde::{Deserialize, Serialize};

use super::Image;

/// The standard deviation of the blur, as share of the image's shorter side: 11 pixels of 224.
pub const BLUR_SHARE: f64 = 0.05;

/// The passes of the box filter that make a blur. The distribution of a sum of three is near to normal already.
const BOX_PASSES: usize = 3;

/// What stands where a part of an image was hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// A blurred copy of the image: what is hidden loses its detail, and keeps its brightness.
    ///
    /// It is the default because it brings nothing new into the image. A square of one colour has four sharp edges and,
    /// on most images, a brightness that does not belong there, and a model may answer to these instead of to what is
    /// missing (Fong and Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation", ICCV 2017,
    /// arXiv 1704.03296).
    ///
    /// What is as wide as the blur or wider survives it: an extended, even cloud stays a cloud. Ask with
    /// [`Baseline::Mean`] too where that may be the answer.
    #[default]
    Blurred,
    /// The mean of each channel over the image: the grey square of Zeiler and Fergus. It hides everything.
    Mean,
}

impl Baseline {
    /// The baseline of an image: as many samples, in the same order.
    pub fn samples(self, image: &Image<'_>) -> Vec<u8> {
        match self {
            Baseline::Blurred => blurred(image),
            Baseline::Mean => mean(image),
        }
    }
}

fn mean(image: &Image<'_>) -> Vec<u8> {
    let mut sums = vec![0u64; image.channels];
    for pixel in image.samples.chunks_exact(image.channels) {
        for (sum, &sample) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(sample);
        }
    }
    let pixels = (image.height * image.width) as f64;
    let pixel: Vec<u8> = sums.iter().map(|&sum| (sum as f64 / pixels).round() as u8).collect();
    pixel.repeat(image.height * image.width)
}

/// The pixels on each side of the middle one, for a box filter that makes a blur of standard deviation `sigma` in
/// [`BOX_PASSES`] passes. A box of `w` pixels has the variance `(w^2 - 1) / 12`, and variances add up.
fn radius(sigma: f64) -> usize {
    let width = (12.0 * sigma * sigma / BOX_PASSES as f64 + 1.0).sqrt();
    (((width - 1.0) / 2.0).round() as usize).max(1)
}

/// A Gaussian blur, nearly: box filters along the rows and then along the columns. Beyond its edge, the image is taken
/// to go on as its last pixel.
fn blurred(image: &Image<'_>) -> Vec<u8> {
    let Image { height, width, channels, samples } = *image;
    let radius = radius(BLUR_SHARE * height.min(width) as f64);
    let mut blurred = vec![0; samples.len()];
    // One channel at a time: 8 bytes a pixel at once, however many channels there are.
    let mut plane = vec![0.0; height * width];
    for channel in 0..channels {
        for (value, pixel) in plane.iter_mut().zip(samples.chunks_exact(channels)) {
            *value = f64::from(pixel[channel]);
        }
        for (length, step, lines, apart) in [(width, 1, height, width), (height, width, width, 1)] {
            let mut line = vec![0.0; length];
            for start in (0..lines).map(|line| line * apart) {
                for _ in 0..BOX_PASSES {
                    for (value, place) in line.iter_mut().zip((start..).step_by(step)) {
                        *value = plane[place];
                    }
                    for (mean, place) in box_means(&line, radius).zip((start..).step_by(step)) {
                        plane[place] = mean;
                    }
                }
            }
        }
        for (value, pixel) in plane.iter().zip(blurred.chunks_exact_mut(channels)) {
            pixel[channel] = value.round() as u8;
        }
    }
    blurred
}

/// For each value the mean of those up to `radius` away from it. The sum moves along, so that the time does not depend
/// on the radius.
fn box_means(line: &[f64], radius: usize) -> impl Iterator<Item = f64> {
    let last = line.len() - 1;
    let mut sum: f64 =
        line[0] * (radius + 1) as f64 + (1..=radius).map(|place| line[place.min(last)]).sum::<f64>();
    let width = (2 * radius + 1) as f64;
    (0..line.len()).map(move |place| {
        let mean = sum / width;
        sum += line[(place + radius + 1).min(last)] - line[place.saturating_sub(radius)];
        mean
    })
}
