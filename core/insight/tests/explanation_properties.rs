//! What must hold for the explanation of any image.

use foretell_insight::explanation::{
    Baseline, Batch, ExplanationError, HeatMap, Image, Occlusion, Perturbation, faithfulness, occlusion,
};
use proptest::prelude::*;

type Scores = Result<Vec<f32>, ExplanationError>;

#[derive(Debug, Clone)]
struct Picture {
    height: usize,
    width: usize,
    channels: usize,
    samples: Vec<u8>,
    /// One for each pixel.
    heat: Vec<f32>,
}

impl Picture {
    fn image(&self) -> Image<'_> {
        Image::new(self.height, self.width, self.channels, &self.samples).expect("an image")
    }

    fn map(&self) -> HeatMap {
        HeatMap::new(self.height, self.width, self.heat.clone()).expect("a map")
    }
}

fn pictures() -> impl Strategy<Value = Picture> {
    (1usize..14, 1usize..14, 1usize..4).prop_flat_map(|(height, width, channels)| {
        let samples = prop::collection::vec(any::<u8>(), height * width * channels);
        // Few values, so that many are tied.
        let heat = prop::collection::vec((-3i8..4).prop_map(f32::from), height * width);
        (samples, heat).prop_map(move |(samples, heat)| Picture { height, width, channels, samples, heat })
    })
}

fn baselines() -> impl Strategy<Value = Baseline> {
    prop_oneof![Just(Baseline::Blurred), Just(Baseline::Mean)]
}

/// A patch and a stride that fit, whatever the image.
fn patches(image: &Image<'_>, (patch, stride): (usize, usize), baseline: Baseline) -> Occlusion {
    let patch = 1 + patch % image.height().min(image.width());
    Occlusion { patch, stride: 1 + stride % patch, baseline, batch: 7 }
}

fn orders(image: &Image<'_>, cell: usize, seed: u64) -> Perturbation {
    let cell = 1 + cell % image.height().min(image.width());
    Perturbation { steps: 9, cell, seed, random_orders: 2, ..Perturbation::default() }
}

/// Something that is neither linear nor the same for two pixels.
fn uneven(image: &[u8]) -> f32 {
    let term = |(place, &sample): (usize, &u8)| f32::from(sample) * ((place * 31 % 17) as f32 - 8.0);
    (image.iter().enumerate().map(term).sum::<f32>() / 999.0).sin()
}

fn model(of: impl Fn(&[u8]) -> f32) -> impl FnMut(Batch<'_>) -> Scores {
    move |batch| Ok(batch.iter().map(&of).collect())
}

proptest! {
    #[test]
    fn a_constant_model_has_no_map_and_flat_curves(
        picture in pictures(), baseline in baselines(), sides in any::<(usize, usize)>(), score in -1e6f32..1e6
    ) {
        let image = picture.image();
        let settings = patches(&image, sides, baseline);
        let found = occlusion(&image, &settings, model(|_| score)).expect("a map");
        prop_assert!(found.map.values().iter().all(|&drop| drop == 0.0));
        let found = faithfulness(&image, &picture.map(), &orders(&image, sides.0, 1), model(|_| score)).expect("curves");
        let curves = &found.curves;
        for curve in [&curves.deletion, &curves.insertion, &curves.random_deletion, &curves.random_insertion] {
            prop_assert!(curve.iter().all(|point| point.score == f64::from(score)));
            prop_assert_eq!((curve[0].share, curve[9].share), (0.0, 1.0));
            prop_assert!(curve.windows(2).all(|pair| pair[0].share <= pair[1].share));
        }
        prop_assert!(!found.is_better_than_random());
    }

    /// What no patch shares with the pixels that are read, is cold to the last bit.
    #[test]
    fn what_the_model_does_not_read_is_zero(
        picture in pictures(), baseline in baselines(), sides in any::<(usize, usize)>()
    ) {
        let image = picture.image();
        let settings = patches(&image, sides, baseline);
        let row_bytes = picture.width * picture.channels;
        let found = occlusion(&image, &settings, model(|image| uneven(&image[..row_bytes]))).expect("a map");
        for row in settings.patch..picture.height {
            for column in 0..picture.width {
                prop_assert_eq!(found.map.at(row, column), 0.0);
            }
        }
    }

    #[test]
    fn batches_do_not_matter_and_predictions_are_as_many_as_was_said(
        picture in pictures(), baseline in baselines(), sides in any::<(usize, usize)>(), batch in 1usize..40
    ) {
        let image = picture.image();
        let mut settings = patches(&image, sides, baseline);
        let mut asked = 0;
        let one = occlusion(&image, &settings, model(uneven)).expect("a map");
        settings.batch = batch;
        let other = occlusion(&image, &settings, |batch| -> Scores {
            asked += batch.images();
            model(uneven)(batch)
        });
        prop_assert_eq!(&one, &other.expect("a map"));
        prop_assert_eq!(Ok(asked), settings.predictions(&image));

        let mut settings = orders(&image, sides.1, 5);
        let one = faithfulness(&image, &picture.map(), &settings, model(uneven)).expect("curves");
        settings.batch = batch;
        let mut asked = 0;
        let other = faithfulness(&image, &picture.map(), &settings, |batch| -> Scores {
            asked += batch.images();
            model(uneven)(batch)
        });
        prop_assert_eq!(&one, &other.expect("curves"));
        prop_assert_eq!(Ok(asked), settings.predictions());
    }

    /// Curves begin and end with pictures that do not depend on the order.
    #[test]
    fn ends_of_curves_are_the_image_and_the_baseline(
        picture in pictures(), baseline in baselines(), cell in any::<usize>(), seed in any::<u64>()
    ) {
        let image = picture.image();
        let settings = Perturbation { baseline, ..orders(&image, cell, seed) };
        let found = faithfulness(&image, &picture.map(), &settings, model(uneven)).expect("curves");
        let score = |samples: &[u8]| f64::from(uneven(samples));
        let (whole, gone) = (score(&picture.samples), score(&baseline.samples(&image)));
        let blurred = score(&Baseline::Blurred.samples(&image));
        for (curve, first, last) in [
            (&found.curves.deletion, whole, gone),
            (&found.curves.random_deletion, whole, gone),
            (&found.curves.insertion, blurred, whole),
            (&found.curves.random_insertion, blurred, whole),
        ] {
            prop_assert_eq!((curve[0].score, curve[9].score), (first, last));
        }
    }

    #[test]
    fn baselines_of_one_colour_are_that_colour(height in 1usize..30, width in 1usize..30, sample: u8) {
        let samples = vec![sample; height * width];
        let image = Image::new(height, width, 1, &samples).expect("an image");
        for baseline in [Baseline::Blurred, Baseline::Mean] {
            prop_assert_eq!(baseline.samples(&image), &samples[..]);
        }
    }

    #[test]
    fn resizing_invents_no_value(picture in pictures(), height in 1usize..40, width in 1usize..40) {
        let map = picture.map();
        let resized = map.resized(height, width).expect("a map");
        let least = map.values().iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = map.values().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assert!(resized.values().iter().all(|value| (least..=greatest).contains(value)));
        prop_assert_eq!(map.resized(picture.height, picture.width), Ok(map));
    }
}
