//! Precision over recall of one label, for any draw of the images.

use std::cmp::Ordering;

use super::THRESHOLDS;
use super::matching::Matches;

/// How many recalls AP is the mean over: 0, 0.01, ... 1.
const RECALLS: usize = 101;

/// The detections of a label, best first, reduced to what a figure needs.
pub(super) struct Curve {
    /// The image of each detection.
    images: Vec<u32>,
    /// For each threshold, the detections that are not false, in order.
    events: [Vec<Event>; THRESHOLDS],
    /// How many truths are counted in an image, for those images that have any.
    wanted: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
struct Event {
    /// The place of the detection.
    place: u32,
    /// Whether it hits a truth. Otherwise, it is not counted at all.
    hits: bool,
}

impl Curve {
    pub(super) fn new(matches: &Matches) -> Curve {
        let outcomes = &matches.outcomes;
        let mut order: Vec<u32> = (0..outcomes.len() as u32).collect();
        // Stable: equal scores stay in the order of images.
        order.sort_by(|&one, &other| {
            let score = |place: u32| outcomes[place as usize].score;
            score(other).partial_cmp(&score(one)).unwrap_or(Ordering::Equal)
        });
        let ordered = || (0..).zip(order.iter().map(|&place| &outcomes[place as usize]));
        let events = |threshold: usize| {
            let bit = 1 << threshold;
            let events = ordered().filter(|(_, outcome)| (outcome.hits | outcome.ignored) & bit != 0);
            events.map(|(place, outcome)| Event { place, hits: outcome.hits & bit != 0 }).collect()
        };
        Curve {
            images: ordered().map(|(_, outcome)| outcome.image).collect(),
            events: std::array::from_fn(events),
            wanted: matches.wanted.clone(),
        }
    }

    /// AP at each threshold when image `i` is there `counts[i]` times; None without a truth.
    ///
    /// Detections of equal score stand beside their own copies.
    pub(super) fn average_precisions(&self, counts: &[u32]) -> Option<[f64; THRESHOLDS]> {
        let count = |image: u32| u64::from(counts[image as usize]);
        let wanted: u64 = self.wanted.iter().map(|&(image, truths)| count(image) * u64::from(truths)).sum();
        if wanted == 0 {
            return None;
        }
        let mut total = 0;
        let better = self.images.iter().map(|&image| {
            total += count(image);
            total
        });
        // How many detections there are up to each place, its own included.
        let up_to: Vec<u64> = better.collect();
        let mut points = Vec::new();
        Some(std::array::from_fn(|threshold| {
            points.clear();
            let (mut hits, mut ignored) = (0, 0);
            for event in &self.events[threshold] {
                let copies = count(self.images[event.place as usize]);
                if event.hits {
                    hits += copies;
                } else {
                    ignored += copies;
                }
                if event.hits && copies > 0 {
                    points.push(Point { hits, counted: up_to[event.place as usize] - ignored });
                }
            }
            mean_precision(&points, wanted)
        }))
    }
}

/// What is reached at one hit.
struct Point {
    /// How many detections hit so far.
    hits: u64,
    /// How many are counted so far.
    counted: u64,
}

/// The mean over recalls of the greatest precision at that recall or more.
///
/// Precision grows only at a hit, so that the greatest precision from some place on is that of a hit; and recall grows only
/// there, so that a recall is first reached at a hit. Nothing is lost by looking at hits alone.
fn mean_precision(points: &[Point], wanted: u64) -> f64 {
    let mut sum = 0.0;
    let mut greatest = 0.0_f64;
    // How many recalls are not yet dealt with, the greatest of them first.
    let mut recalls = RECALLS;
    for (n, point) in points.iter().enumerate().rev() {
        // As in pycocotools, whose divisor has the distance from 1 to the next number added.
        let precision = point.hits as f64 / (point.counted as f64 + f64::EPSILON);
        greatest = greatest.max(precision);
        let reached = point.hits as f64 / wanted as f64;
        let before = n.checked_sub(1).map_or(-1.0, |n| points[n].hits as f64 / wanted as f64);
        while recalls > 0 && recall(recalls - 1) > before {
            recalls -= 1;
            if recall(recalls) <= reached {
                sum += greatest;
            }
        }
    }
    sum / RECALLS as f64
}

fn recall(n: usize) -> f64 {
    n as f64 * 0.01
}

/// The share of the truths that are hit at each threshold by the first `best` detections of each image; None without a truth.
pub(super) fn recalls(matches: &Matches, best: usize) -> Option<[f64; THRESHOLDS]> {
    let wanted: u64 = matches.wanted.iter().map(|&(_, truths)| u64::from(truths)).sum();
    let first = || matches.outcomes.iter().filter(|outcome| usize::from(outcome.rank) < best);
    let hits = |threshold: usize| first().filter(|outcome| outcome.hits >> threshold & 1 == 1).count();
    (wanted > 0).then(|| std::array::from_fn(|threshold| hits(threshold) as f64 / wanted as f64))
}
