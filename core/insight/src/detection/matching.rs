//! Which detection hits which truth, in one image at a time.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::{Columns, DETECTIONS_MAX, THRESHOLDS, thresholds};

/// Which truths are counted, by their area in square pixels.
pub(super) const AREAS: [RangeInclusive<f64>; 4] =
    [0.0..=1e5 * 1e5, 0.0..=32.0 * 32.0, 32.0 * 32.0..=96.0 * 96.0, 96.0 * 96.0..=1e5 * 1e5];

/// What became of one detection. Bit `n` is about the `n`-th threshold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) score: f64,
    pub(super) image: u32,
    /// How many detections of its label and image are better.
    pub(super) rank: u8,
    /// Where it hits a truth that is counted.
    pub(super) hits: u16,
    /// Where it is not counted at all.
    pub(super) ignored: u16,
}

/// What became of all detections of a label, for one range of areas.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// By image, and in an image by score.
    pub(super) outcomes: Vec<Outcome>,
    /// How many truths are counted in an image, for those images that have any.
    pub(super) wanted: Vec<(u32, u32)>,
}

/// Rows of truths and of detections, by label, image and, for detections, score.
pub(super) struct Order {
    truths: Vec<u32>,
    detections: Vec<u32>,
}

impl Order {
    pub(super) fn new(columns: &Columns<'_>) -> Order {
        let Columns { truths, detections, .. } = columns;
        let mut order = Order {
            truths: (0..truths.boxes.len() as u32).collect(),
            detections: (0..detections.boxes.len() as u32).collect(),
        };
        // Both sorts are stable, which decides between equal scores and between equal overlaps.
        order.truths.sort_by_key(|&row| (truths.labels[row as usize], truths.images[row as usize]));
        order.detections.sort_by(|&one, &other| {
            let (one, other) = (one as usize, other as usize);
            let place = |row: usize| (detections.labels[row], detections.images[row]);
            let by_score = detections.scores[other].partial_cmp(&detections.scores[one]);
            place(one).cmp(&place(other)).then(by_score.unwrap_or(Ordering::Equal))
        });
        order
    }

    /// The rows of one label.
    fn of_label<'a>(&'a self, columns: &Columns<'_>, label: u32) -> (&'a [u32], &'a [u32]) {
        let Columns { truths, detections, .. } = columns;
        (
            group(&self.truths, |row| truths.labels[row], label),
            group(&self.detections, |row| detections.labels[row], label),
        )
    }
}

/// The rows whose key is `wanted`, among rows that are in the order of that key.
fn group(rows: &[u32], key: impl Fn(usize) -> u32, wanted: u32) -> &[u32] {
    let from = rows.partition_point(|&row| key(row as usize) < wanted);
    let rows = &rows[from..];
    &rows[..rows.partition_point(|&row| key(row as usize) == wanted)]
}

/// Matches all images for one label and each of [`AREAS`].
pub(super) fn match_label(columns: &Columns<'_>, order: &Order, label: u32) -> [Matches; AREAS.len()] {
    let (mut truths, mut detections) = order.of_label(columns, label);
    let mut matches: [Matches; AREAS.len()] = std::array::from_fn(|_| Matches::default());
    let truth_image = |row: usize| columns.truths.images[row];
    let detection_image = |row: usize| columns.detections.images[row];
    loop {
        let next_truth = truths.first().map(|&row| truth_image(row as usize));
        let next_detection = detections.first().map(|&row| detection_image(row as usize));
        let Some(image) = next_truth.into_iter().chain(next_detection).min() else {
            return matches;
        };
        let of_image = group(truths, truth_image, image);
        let found = group(detections, detection_image, image);
        (truths, detections) = (&truths[of_image.len()..], &detections[found.len()..]);
        let scene = Scene::new(columns, of_image, &found[..found.len().min(DETECTIONS_MAX)]);
        for (area, matches) in AREAS.iter().zip(&mut matches) {
            scene.add(image, area, matches);
        }
    }
}

/// The boxes of one label in one image.
struct Scene {
    truths: Vec<Truth>,
    /// By descending score.
    detections: Vec<Detection>,
}

struct Truth {
    area: f64,
    crowd: bool,
}

struct Detection {
    score: f64,
    area: f64,
    /// The truths that it could hit at the lowest threshold, by their place, and how well it agrees with each.
    near: Vec<(usize, f64)>,
}

impl Scene {
    fn new(columns: &Columns<'_>, truths: &[u32], detections: &[u32]) -> Scene {
        let lowest = thresholds()[0];
        let crowd = |row: u32| columns.truths.crowds.is_some_and(|crowds| crowds[row as usize]);
        let truth = |&row: &u32| Truth {
            area: match columns.truths.areas {
                Some(areas) => areas[row as usize],
                None => columns.truths.boxes[row as usize].area(),
            },
            crowd: crowd(row),
        };
        let detection = |&row: &u32| {
            let found = &columns.detections.boxes[row as usize];
            let overlap = |&row: &u32| {
                let drawn = &columns.truths.boxes[row as usize];
                if crowd(row) { found.share_within(drawn) } else { found.intersection_over_union(drawn) }
            };
            let overlaps = truths.iter().map(overlap).enumerate();
            Detection {
                score: columns.detections.scores[row as usize],
                area: found.area(),
                near: overlaps.filter(|(_, overlap)| *overlap >= lowest).collect(),
            }
        };
        Scene {
            truths: truths.iter().map(truth).collect(),
            detections: detections.iter().map(detection).collect(),
        }
    }

    /// Matches the boxes where truths outside of `area` are not counted.
    fn add(&self, image: u32, area: &RangeInclusive<f64>, matches: &mut Matches) {
        let ignored: Vec<bool> =
            self.truths.iter().map(|truth| truth.crowd || !area.contains(&truth.area)).collect();
        let wanted = ignored.iter().filter(|ignored| !**ignored).count() as u32;
        if wanted > 0 {
            matches.wanted.push((image, wanted));
        }
        let first = matches.outcomes.len();
        matches.outcomes.extend((0..).zip(&self.detections).map(|(rank, detection)| Outcome {
            score: detection.score,
            image,
            rank,
            hits: 0,
            ignored: 0,
        }));
        let outcomes = &mut matches.outcomes[first..];
        let mut taken = vec![false; self.truths.len()];
        for (n, threshold) in thresholds().into_iter().enumerate() {
            let bit = 1 << n;
            taken.fill(false);
            for (detection, outcome) in self.detections.iter().zip(outcomes.iter_mut()) {
                let best = |counted: bool| {
                    let mut best = None;
                    let mut least = threshold;
                    for &(truth, overlap) in &detection.near {
                        let free = !taken[truth] || self.truths[truth].crowd;
                        // Of truths that are equally near, the last one.
                        if ignored[truth] != counted && free && overlap >= least {
                            (best, least) = (Some(truth), overlap);
                        }
                    }
                    best
                };
                // A truth that is not counted is only hit where no other can be.
                match best(true).or_else(|| best(false)) {
                    Some(truth) => {
                        taken[truth] = true;
                        if ignored[truth] { outcome.ignored |= bit } else { outcome.hits |= bit }
                    }
                    None if !area.contains(&detection.area) => outcome.ignored |= bit,
                    None => {}
                }
            }
        }
    }
}

const _: () = assert!(THRESHOLDS <= u16::BITS as usize && DETECTIONS_MAX <= u8::MAX as usize);
