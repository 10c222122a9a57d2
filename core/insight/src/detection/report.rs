//! What people ask of a detector, in one value that serialises to JSON.

use serde::{Deserialize, Serialize};

use super::curve::{Curve, recalls};
use super::matching::{AREAS, Order, match_label};
use super::{Columns, DETECTIONS_MAX, DetectionError, THRESHOLDS};
use crate::bootstrap::{Bootstrap, Rows};
use crate::report::{Estimate, UndefinedMetric};

/// The version of the JSON form.
pub const DETECTION_REPORT_VERSION: u32 = 1;

/// Places of thresholds: 0.50 and 0.75.
const AT_50: usize = 0;
const AT_75: usize = 5;

/// How good detections are. Figures are from 0 to 1, and null where there is nothing to find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionReport {
    /// [`DETECTION_REPORT_VERSION`].
    pub version: u32,
    /// How many images were looked at.
    pub images: usize,
    /// How many boxes there are to find: crowds are none.
    pub truths: usize,
    /// How many crowds there are.
    pub crowds: usize,
    /// How many boxes were found.
    pub detections: usize,
    /// The mean over labels and over the thresholds 0.50 to 0.95 of AP, called mAP or AP@\[.5:.95\].
    pub map: Option<Estimate>,
    /// The mean over labels of AP at the threshold 0.50.
    pub ap50: Option<Estimate>,
    /// The mean over labels of AP at the threshold 0.75.
    pub ap75: Option<f64>,
    /// As `map`, where only small truths are counted.
    pub ap_small: Option<f64>,
    /// As `map`, where only medium truths are counted.
    pub ap_medium: Option<f64>,
    /// As `map`, where only large truths are counted.
    pub ap_large: Option<f64>,
    /// The mean over labels and thresholds of the recall, with the best detection of a label in each image.
    pub ar1: Option<f64>,
    /// As `ar1`, with the 10 best.
    pub ar10: Option<f64>,
    /// As `ar1`, with the 100 best.
    pub ar100: Option<f64>,
    /// As `ar100`, where only small truths are counted.
    pub ar_small: Option<f64>,
    /// As `ar100`, where only medium truths are counted.
    pub ar_medium: Option<f64>,
    /// As `ar100`, where only large truths are counted.
    pub ar_large: Option<f64>,
    /// One for each label, in the order of the labels.
    pub classes: Vec<LabelReport>,
    /// What is null, and why.
    pub undefined: Vec<UndefinedMetric>,
}

/// How well things of one label are detected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// Its name.
    pub label: String,
    /// How many boxes there are to find.
    pub truths: usize,
    /// How many boxes were found.
    pub detections: usize,
    /// The mean over thresholds of AP.
    pub ap: Option<Estimate>,
    /// AP at the threshold 0.50.
    pub ap50: Option<f64>,
    /// AP at the threshold 0.75.
    pub ap75: Option<f64>,
    /// The mean over thresholds of the recall, with the 100 best detections in each image.
    pub ar100: Option<f64>,
}

impl DetectionReport {
    /// Evaluates what was found against what was drawn. Without a `bootstrap` there are no intervals; with one, images are
    /// drawn.
    ///
    /// # Errors
    /// [`DetectionError`]: columns that do not fit together, boxes or scores that are no numbers, settings outside their range.
    pub fn new(
        columns: &Columns<'_>,
        bootstrap: Option<&Bootstrap>,
    ) -> Result<DetectionReport, DetectionError> {
        columns.check()?;
        let order = Order::new(columns);
        let ones = vec![1; columns.images];
        let (curves, figures): (Vec<Curve>, Vec<Figures>) = (0..columns.labels.len() as u32)
            .map(|label| {
                let matches = match_label(columns, &order, label);
                let [all, small, medium, large] = &matches;
                let curves = matches.each_ref().map(Curve::new);
                let precisions = curves.each_ref().map(|curve| curve.average_precisions(&ones));
                let recalls = [(all, 1), (all, 10), (all, DETECTIONS_MAX)]
                    .into_iter()
                    .chain([small, medium, large].map(|matches| (matches, DETECTIONS_MAX)))
                    .map(|(matches, best)| recalls(matches, best).as_ref().map(mean));
                let [curve, ..] = curves;
                (curve, Figures { precisions, recalls: recalls.collect() })
            })
            .unzip();
        let values = headline(figures.iter().map(|figures| figures.precisions[0]));
        let intervals = match bootstrap {
            Some(bootstrap) => bootstrap.intervals_of_many(&Rows::all(columns.images), |counts| {
                headline(curves.iter().map(|curve| curve.average_precisions(counts)))
            })?,
            None => vec![None; values.len()],
        };
        let estimate = |n: usize| values[n].map(|value| Estimate { value, interval: intervals[n] });
        let area = |n: usize| mean_of(figures.iter().map(|figures| figures.precisions[n].as_ref().map(mean)));
        let recall = |n: usize| mean_of(figures.iter().map(|figures| figures.recalls[n]));
        let counts = Counts::new(columns);
        let classes = columns.labels.iter().zip(&figures).enumerate().map(|(n, (label, figures))| {
            let at = |threshold: usize| figures.precisions[0].map(|precisions| precisions[threshold]);
            LabelReport {
                label: label.clone(),
                truths: counts.truths[n],
                detections: counts.detections[n],
                ap: estimate(OVERALL + n),
                ap50: at(AT_50),
                ap75: at(AT_75),
                ar100: figures.recalls[2],
            }
        });
        let truths: usize = counts.truths.iter().sum();
        let mut report = DetectionReport {
            version: DETECTION_REPORT_VERSION,
            images: columns.images,
            truths,
            crowds: columns.truths.boxes.len() - truths,
            detections: columns.detections.boxes.len(),
            map: estimate(MAP),
            ap50: estimate(AP50),
            ap75: mean_of(figures.iter().map(|figures| Some(figures.precisions[0]?[AT_75]))),
            ap_small: area(1),
            ap_medium: area(2),
            ap_large: area(3),
            ar1: recall(0),
            ar10: recall(1),
            ar100: recall(2),
            ar_small: recall(3),
            ar_medium: recall(4),
            ar_large: recall(5),
            classes: classes.collect(),
            undefined: Vec::new(),
        };
        report.undefined = report.lacking();
        Ok(report)
    }

    /// What is null, and why.
    fn lacking(&self) -> Vec<UndefinedMetric> {
        let images = self.images;
        let nothing = format!("nothing is to be found in {images} images; select images with boxes");
        let of_size = |size: &str| format!("none of {} boxes to be found is {size}", self.truths);
        let all = [
            ("map", self.map.map(|estimate| estimate.value)),
            ("ap50", self.ap50.map(|estimate| estimate.value)),
            ("ap75", self.ap75),
            ("ar1", self.ar1),
            ("ar10", self.ar10),
            ("ar100", self.ar100),
        ];
        let sizes = [
            ("ap_small", self.ap_small, "small"),
            ("ap_medium", self.ap_medium, "medium"),
            ("ap_large", self.ap_large, "large"),
            ("ar_small", self.ar_small, "small"),
            ("ar_medium", self.ar_medium, "medium"),
            ("ar_large", self.ar_large, "large"),
        ];
        let all = all.into_iter().map(|(metric, figure)| (metric.to_owned(), figure, nothing.clone()));
        let sizes =
            sizes.into_iter().map(|(metric, figure, size)| (metric.to_owned(), figure, of_size(size)));
        let classes = self.classes.iter().map(|class| {
            let reason = format!("nothing of the label `{}` is to be found", class.label);
            (format!("classes.{}", class.label), class.ap.map(|estimate| estimate.value), reason)
        });
        let lacking = all.chain(sizes).chain(classes).filter(|(_, figure, _)| figure.is_none());
        lacking.map(|(metric, _, reason)| UndefinedMetric { metric, reason }).collect()
    }
}

/// What is found out of one label.
struct Figures {
    /// AP at each threshold, for each of [`AREAS`].
    precisions: [Option<[f64; THRESHOLDS]>; AREAS.len()],
    /// The recalls in the order of the report.
    recalls: Vec<Option<f64>>,
}

/// Places of the figures that have an interval and are about all labels.
const MAP: usize = 0;
const AP50: usize = 1;
/// How many these are. The AP of each label follow.
const OVERALL: usize = 2;

/// The figures that have an interval, from the AP of each label at each threshold.
fn headline(labels: impl Iterator<Item = Option<[f64; THRESHOLDS]>>) -> Vec<Option<f64>> {
    let labels: Vec<_> = labels.collect();
    let each: Vec<Option<f64>> = labels.iter().map(|precisions| precisions.as_ref().map(mean)).collect();
    let at_50 = labels.iter().map(|precisions| precisions.map(|precisions| precisions[AT_50]));
    [mean_of(each.iter().copied()), mean_of(at_50)].into_iter().chain(each).collect()
}

fn mean(values: &[f64; THRESHOLDS]) -> f64 {
    values.iter().sum::<f64>() / THRESHOLDS as f64
}

/// The mean of those that exist; None if none does.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (count, sum) = values.flatten().fold((0u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

/// How many boxes each label has.
struct Counts {
    /// Crowds are not counted.
    truths: Vec<usize>,
    detections: Vec<usize>,
}

impl Counts {
    fn new(columns: &Columns<'_>) -> Counts {
        let labels = columns.labels.len();
        let mut counts = Counts { truths: vec![0; labels], detections: vec![0; labels] };
        for (row, label) in columns.truths.labels.iter().enumerate() {
            let crowd = columns.truths.crowds.is_some_and(|crowds| crowds[row]);
            counts.truths[*label as usize] += usize::from(!crowd);
        }
        for label in columns.detections.labels {
            counts.detections[*label as usize] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::super::{Detections, Truths};
    use super::*;
    use crate::boxes::BoundingBox;

    const IMAGES: usize = 9;
    const LABELS: u32 = 3;

    #[derive(Default)]
    struct Scene {
        images: Vec<u32>,
        labels: Vec<u32>,
        boxes: Vec<BoundingBox>,
        scores: Vec<f64>,
        crowds: Vec<bool>,
    }

    impl Scene {
        /// Boxes of few sizes at few places, so that many agree.
        fn new(boxes: usize, random: &mut ChaCha8Rng) -> Scene {
            let mut below = |end: u32| random.next_u32() % end;
            let mut scene = Scene::default();
            for _ in 0..boxes {
                scene.images.push(below(IMAGES as u32));
                scene.labels.push(below(LABELS));
                let [x, width, height] = [(below(40)), 60 + below(20), 60 + below(20)].map(f64::from);
                scene.boxes.push(BoundingBox { x, y: 0.0, width, height });
                // No two are alike.
                scene.scores.push(f64::from(below(1 << 20)) + scene.boxes.len() as f64 / 1e6);
                scene.crowds.push(below(8) == 0);
            }
            scene
        }

        /// Image `i` as often as `counts[i]` says, each time as an image of its own.
        fn repeated(&self, counts: &[u32]) -> Scene {
            let mut scene = Scene::default();
            for (row, &image) in self.images.iter().enumerate() {
                let first: u32 = counts[..image as usize].iter().sum();
                for copy in first..first + counts[image as usize] {
                    scene.images.push(copy);
                    scene.labels.push(self.labels[row]);
                    scene.boxes.push(self.boxes[row]);
                    scene.scores.push(self.scores[row]);
                    scene.crowds.push(self.crowds[row]);
                }
            }
            scene
        }
    }

    fn headline_of(images: usize, drawn: &Scene, found: &Scene, counts: &[u32]) -> Vec<Option<f64>> {
        let labels: Vec<String> = (0..LABELS).map(|label| label.to_string()).collect();
        let truths = Truths {
            images: &drawn.images,
            labels: &drawn.labels,
            boxes: &drawn.boxes,
            areas: None,
            crowds: Some(&drawn.crowds),
        };
        let detections = Detections {
            images: &found.images,
            labels: &found.labels,
            boxes: &found.boxes,
            scores: &found.scores,
        };
        let columns = Columns { images, labels: &labels, truths, detections };
        columns.check().expect("good columns");
        let order = Order::new(&columns);
        headline((0..LABELS).map(|label| {
            let [all, ..] = match_label(&columns, &order, label);
            Curve::new(&all).average_precisions(counts)
        }))
    }

    #[test]
    fn a_draw_is_as_the_images_that_it_repeats() {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        for case in 0..60 {
            let (drawn, found) = (Scene::new(2 + case, &mut random), Scene::new(3 * case, &mut random));
            let mut counts = [0; IMAGES];
            for _ in 0..IMAGES {
                counts[random.next_u32() as usize % IMAGES] += 1;
            }
            let by_counts = headline_of(IMAGES, &drawn, &found, &counts);
            let repeated =
                headline_of(IMAGES, &drawn.repeated(&counts), &found.repeated(&counts), &[1; IMAGES]);
            assert_eq!(by_counts.len(), repeated.len());
            for (one, two) in by_counts.iter().zip(&repeated) {
                let close = match (one, two) {
                    (Some(one), Some(two)) => (one - two).abs() < 1e-12,
                    (one, two) => one.is_none() && two.is_none(),
                };
                assert!(close, "case {case}: {by_counts:?} and {repeated:?}");
            }
        }
    }
}
