//! Is a map true? What the score does when pixels go and come in the order of the map.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::{BATCH_IMAGES_MAX, Baseline, Batch, ExplanationError, HeatMap, Image};
use super::{check_count, check_predictions, scores};

/// The most steps of a curve.
pub const STEPS_MAX: usize = 1_000;

/// The most random orders that a map is compared with.
pub const RANDOM_ORDERS_MAX: usize = 100;

/// How to take pixels away and to put them back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Perturbation {
    /// In how many steps, 1 to [`STEPS_MAX`]. A curve has one point more: it begins before the first step.
    pub steps: usize,
    /// What stands where a pixel was taken away. Insertion begins with [`Baseline::Blurred`] whatever this is.
    pub baseline: Baseline,
    /// How many images the model is given at once, 1 to [`BATCH_IMAGES_MAX`].
    pub batch: usize,
    /// How many random orders make the yardstick, 1 to [`RANDOM_ORDERS_MAX`]. Its curves are their mean.
    pub random_orders: usize,
    /// A random order takes squares of this many pixels a side: 1 to the shorter side of the image.
    ///
    /// A map is smooth: what it takes away first lies together. Single pixels all over the image would be noise, which
    /// upsets a model far sooner than a hole does, and no map would look better than chance. Give the side of the patch
    /// that made the map, or the side of a place of a coarse one.
    pub cell: usize,
    /// The same seed gives the same random orders.
    pub seed: u64,
}

impl Default for Perturbation {
    /// 20 steps, blurred, 16 images at once, 4 random orders of squares of 32 pixels, seed 0: 210 predictions.
    fn default() -> Perturbation {
        Perturbation {
            steps: 20,
            baseline: Baseline::default(),
            batch: 16,
            random_orders: 4,
            cell: 32,
            seed: 0,
        }
    }
}

impl Perturbation {
    /// How many predictions [`faithfulness()`] takes.
    ///
    /// # Errors
    /// A number outside its range, or more than [`PREDICTIONS_MAX`](super::PREDICTIONS_MAX) predictions.
    pub fn predictions(&self) -> Result<usize, ExplanationError> {
        check_count("steps", self.steps, STEPS_MAX)?;
        check_count("images at once", self.batch, BATCH_IMAGES_MAX)?;
        check_count("random orders", self.random_orders, RANDOM_ORDERS_MAX)?;
        let predictions = 2 * (1 + self.random_orders) * (self.steps + 1);
        check_predictions(predictions)?;
        Ok(predictions)
    }
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The share of the pixels that were taken away, or put back: 0 to 1.
    pub share: f64,
    /// The score then.
    pub score: f64,
}

/// What the score did, from the first pixel to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The hottest pixels are taken away first.
    pub deletion: Vec<Point>,
    /// The hottest pixels are put back first.
    pub insertion: Vec<Point>,
    /// Squares are taken away in a random order: the mean over all such orders.
    pub random_deletion: Vec<Point>,
    /// Squares are put back in a random order: the mean over all such orders.
    pub random_insertion: Vec<Point>,
}

/// How true a map is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    /// The score of the image as it is.
    pub score: f64,
    /// The area under the deletion curve, in the unit of the score: the smaller the better.
    pub deletion_area: f64,
    /// The area under the insertion curve, in the unit of the score: the greater the better.
    pub insertion_area: f64,
    /// The area that a random order has.
    pub random_deletion_area: f64,
    /// The area that a random order has.
    pub random_insertion_area: f64,
    /// Over how many random orders the yardstick is the mean.
    pub random_orders: usize,
    /// What the areas are of.
    pub curves: Curves,
}

impl Faithfulness {
    /// Whether the map is better than the random orders in both respects.
    ///
    /// It is a comparison with a mean, not a test: look at both areas before making much of a small difference.
    pub fn is_better_than_random(&self) -> bool {
        self.deletion_area < self.random_deletion_area && self.insertion_area > self.random_insertion_area
    }
}

/// The area under a curve by the trapezoid rule. Of shares from 0 to 1 it is the mean height of the curve; of fewer
/// than two points it is 0.
pub fn area(curve: &[Point]) -> f64 {
    let trapezoid = |pair: &[Point]| (pair[1].share - pair[0].share) * (pair[0].score + pair[1].score) / 2.0;
    curve.windows(2).map(trapezoid).sum()
}

/// The deletion curve of a map: the score while the hottest pixels are replaced by the baseline first (Petsiuk, Das and
/// Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018, arXiv 1806.07421).
///
/// Pixels that are equally hot go in the order of their position. The first point is the image as it is, the last one
/// is the baseline.
///
/// # Errors
/// [`ExplanationError`]: a map of another size than the image, settings outside their range, or scores that are not one
/// finite number for each image. What the model answers with when it fails is handed through.
pub fn deletion<E: From<ExplanationError>>(
    image: &Image<'_>,
    map: &HeatMap,
    settings: &Perturbation,
    mut predict: impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Vec<Point>, E> {
    settings.predictions()?;
    let order = hottest_first(image, map)?;
    curve(image, &order, settings, image.samples, &settings.baseline.samples(image), &mut predict)
}

/// The insertion curve of a map: the score while the hottest pixels are put back first into a blurred copy of the image
/// (the same paper).
///
/// Pixels that are equally hot come in the order of their position. The first point is the blurred copy, the last one
/// is the image as it is.
///
/// # Errors
/// As [`deletion()`].
pub fn insertion<E: From<ExplanationError>>(
    image: &Image<'_>,
    map: &HeatMap,
    settings: &Perturbation,
    mut predict: impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Vec<Point>, E> {
    settings.predictions()?;
    let order = hottest_first(image, map)?;
    curve(image, &order, settings, &Baseline::Blurred.samples(image), image.samples, &mut predict)
}

/// Both curves of a map, and those of random orders to compare them with.
///
/// # Errors
/// As [`deletion()`]; and a cell that is larger than the image.
pub fn faithfulness<E: From<ExplanationError>>(
    image: &Image<'_>,
    map: &HeatMap,
    settings: &Perturbation,
    mut predict: impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Faithfulness, E> {
    settings.predictions()?;
    image.check_side("cell", settings.cell)?;
    let (gone, blurred) = (settings.baseline.samples(image), Baseline::Blurred.samples(image));
    let mut both = |order: &[u32]| -> Result<[Vec<Point>; 2], E> {
        let deletion = curve(image, order, settings, image.samples, &gone, &mut predict)?;
        Ok([deletion, curve(image, order, settings, &blurred, image.samples, &mut predict)?])
    };
    let [deletion, insertion] = both(&hottest_first(image, map)?)?;
    let [mut random_deletion, mut random_insertion] = both(&random_order(image, settings, 0))?;
    for number in 1..settings.random_orders {
        let [deletion, insertion] = both(&random_order(image, settings, number))?;
        for (sum, point) in random_deletion.iter_mut().zip(deletion) {
            sum.score += point.score;
        }
        for (sum, point) in random_insertion.iter_mut().zip(insertion) {
            sum.score += point.score;
        }
    }
    for point in random_deletion.iter_mut().chain(&mut random_insertion) {
        point.score /= settings.random_orders as f64;
    }
    Ok(Faithfulness {
        score: deletion[0].score,
        deletion_area: area(&deletion),
        insertion_area: area(&insertion),
        random_deletion_area: area(&random_deletion),
        random_insertion_area: area(&random_insertion),
        random_orders: settings.random_orders,
        curves: Curves { deletion, insertion, random_deletion, random_insertion },
    })
}

/// The pixels by falling value, those of the same value by position.
fn hottest_first(image: &Image<'_>, map: &HeatMap) -> Result<Vec<u32>, ExplanationError> {
    let sizes = ((map.height(), map.width()), (image.height, image.width));
    if sizes.0 != sizes.1 {
        return Err(ExplanationError::Sizes { map: sizes.0, image: sizes.1 });
    }
    let values = map.values();
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    // Adding 0 makes -0 the 0 that it equals. The sort keeps the order of what is equal.
    order.sort_by(|&a, &b| (values[b as usize] + 0.0).total_cmp(&(values[a as usize] + 0.0)));
    Ok(order)
}

/// All pixels, square after square; the squares in random order. Each order has a random stream of its own.
fn random_order(image: &Image<'_>, settings: &Perturbation, number: usize) -> Vec<u32> {
    let cell = settings.cell;
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    random.set_stream(number as u64);
    let across = image.width.div_ceil(cell);
    let mut cells: Vec<usize> = (0..image.height.div_ceil(cell) * across).collect();
    cells.shuffle(&mut random);
    let pixels = cells.into_iter().flat_map(|place| {
        let (top, left) = (place / across * cell, place % across * cell);
        let (bottom, right) = ((top + cell).min(image.height), (left + cell).min(image.width));
        (top..bottom)
            .flat_map(move |row| (left..right).map(move |column| (row * image.width + column) as u32))
    });
    pixels.collect()
}

/// The score while the pixels of `from` become those of `to`, in the given order.
fn curve<E: From<ExplanationError>>(
    image: &Image<'_>,
    order: &[u32],
    settings: &Perturbation,
    from: &[u8],
    to: &[u8],
    predict: &mut impl FnMut(Batch<'_>) -> Result<Vec<f32>, E>,
) -> Result<Vec<Point>, E> {
    let (pixels, steps, channels) = (order.len(), settings.steps, image.channels);
    // The number of pixels that are changed at a step, rounded to the nearest.
    let changed = |step: usize| (step * pixels + steps / 2) / steps;
    let mut canvas = from.to_vec();
    let change = |step: usize, copy: &mut [u8]| {
        for &pixel in &order[changed(step.saturating_sub(1))..changed(step)] {
            let place = pixel as usize * channels;
            canvas[place..place + channels].copy_from_slice(&to[place..place + channels]);
        }
        copy.copy_from_slice(&canvas);
    };
    let scores = scores(image, steps + 1, settings.batch, change, predict)?;
    let point =
        |(step, score)| Point { share: changed(step) as f64 / pixels as f64, score: f64::from(score) };
    Ok(scores.into_iter().enumerate().map(point).collect())
}
