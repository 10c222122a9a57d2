//! HOTA: how well boxes are found, and how well those that are found are associated.

use std::collections::HashMap;
use std::ops::AddAssign;

use super::clear::agrees;
use super::frames::{Frame, Frames};
use crate::assignment;

/// How many agreements HOTA is the mean over.
pub(super) const AGREEMENTS: usize = 19;

/// The agreements 0.05, 0.10, ... 0.95, to the last bit those of NumPy's `arange` in TrackEval.
fn agreement(n: usize) -> f64 {
    0.05 + n as f64 * 0.05
}

/// The sums of one sequence, or of several, for each agreement.
#[derive(Debug, Clone, Default)]
pub(super) struct Hota {
    pub(super) hits: [u64; AGREEMENTS],
    pub(super) misses: [u64; AGREEMENTS],
    pub(super) false_positives: [u64; AGREEMENTS],
    /// The sum over hits of how well object and track are associated.
    pub(super) association: [f64; AGREEMENTS],
    /// The sum over hits of how much the boxes agree.
    pub(super) location: [f64; AGREEMENTS],
}

impl AddAssign<&Hota> for Hota {
    fn add_assign(&mut self, other: &Hota) {
        for n in 0..AGREEMENTS {
            self.hits[n] += other.hits[n];
            self.misses[n] += other.misses[n];
            self.false_positives[n] += other.false_positives[n];
            self.association[n] += other.association[n];
            self.location[n] += other.location[n];
        }
    }
}

impl Hota {
    /// DetA, AssA, LocA and HOTA at one agreement. Where nothing is hit, LocA is 1, as TrackEval has it.
    pub(super) fn at(&self, n: usize) -> [f64; 4] {
        let (hits, boxes) = (self.hits[n] as f64, self.hits[n] + self.misses[n] + self.false_positives[n]);
        let detection = hits / boxes.max(1) as f64;
        let association = self.association[n] / hits.max(1.0);
        let location = if self.hits[n] > 0 { self.location[n] / hits } else { 1.0 };
        [detection, association, location, (detection * association).sqrt()]
    }
}

/// An object and a track that have been in one frame, and touched.
struct Pair {
    object: u32,
    track: u32,
    /// The sum over frames of their share of all agreement there.
    potential: f64,
    /// In how many frames they agree enough for CLEAR MOT.
    together: u32,
    /// In how many frames they were matched, for each agreement.
    matches: [u32; AGREEMENTS],
}

/// All pairs that touch.
#[derive(Default)]
pub(super) struct Pairs {
    pairs: Vec<Pair>,
    places: HashMap<(u32, u32), usize>,
}

impl Pairs {
    /// Takes a frame, with the agreements of its boxes.
    pub(super) fn add(&mut self, frames: &Frames, frame: &Frame, agreements: &[f64]) {
        let columns = frame.hypotheses.len();
        let of_truth: Vec<f64> =
            (0..frame.truths.len()).map(|row| agreements[row * columns..][..columns].iter().sum()).collect();
        let mut of_hypothesis = vec![0.0; columns];
        for (place, agreement) in agreements.iter().enumerate() {
            of_hypothesis[place % columns] += agreement;
        }
        for (place, &agreement) in agreements.iter().enumerate() {
            let all = of_hypothesis[place % columns] + of_truth[place / columns] - agreement;
            // The same guard against division by nothing as in TrackEval.
            if agreement > 0.0 && all > f64::EPSILON {
                let pair = self.pair(frames, frame, place);
                pair.potential += agreement / all;
                pair.together += u32::from(agrees(agreement));
            }
        }
    }

    /// The pair at a place in the table of a frame's agreements.
    fn pair(&mut self, frames: &Frames, frame: &Frame, place: usize) -> &mut Pair {
        let key = ids(frames, frame, place);
        let place = *self.places.entry(key).or_insert_with(|| {
            let (object, track) = key;
            self.pairs.push(Pair { object, track, potential: 0.0, together: 0, matches: [0; AGREEMENTS] });
            self.pairs.len() - 1
        });
        &mut self.pairs[place]
    }

    /// In how many frames an object and a track agree enough for CLEAR MOT.
    pub(super) fn together(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.pairs.iter().map(|pair| (pair.object, pair.track, pair.together))
    }

    /// Matches the boxes of every frame, all of which were added before.
    pub(super) fn hota(mut self, frames: &Frames) -> Hota {
        let appearances = |pair: &Pair| {
            let of_object = frames.truths.appearances[pair.object as usize];
            let of_track = frames.hypotheses.appearances[pair.track as usize];
            f64::from(of_object) + f64::from(of_track)
        };
        let alignments: Vec<f64> =
            self.pairs.iter().map(|pair| pair.potential / (appearances(pair) - pair.potential)).collect();
        let mut hota = Hota::default();
        for frame in &frames.frames {
            self.match_frame(frames, frame, &alignments, &mut hota);
        }
        for pair in &self.pairs {
            for (sum, &matches) in hota.association.iter_mut().zip(&pair.matches) {
                let matches = f64::from(matches);
                *sum += matches * matches / (appearances(pair) - matches).max(1.0);
            }
        }
        hota
    }

    /// Pairs of boxes are chosen that agree and whose ids agree over the whole sequence, once for all agreements.
    fn match_frame(&mut self, frames: &Frames, frame: &Frame, alignments: &[f64], hota: &mut Hota) {
        let (rows, columns) = (frame.truths.len(), frame.hypotheses.len());
        let agreements = frames.agreements(frame);
        let pairs: Vec<Option<usize>> =
            (0..agreements.len()).map(|place| self.places.get(&ids(frames, frame, place)).copied()).collect();
        let score =
            |(pair, agreement): (&Option<usize>, &f64)| pair.map_or(0.0, |n| alignments[n] * agreement);
        let scores: Vec<f64> = pairs.iter().zip(&agreements).map(score).collect();
        let chosen = assignment::greatest(rows, columns, &scores);
        for n in 0..AGREEMENTS {
            let mut hits = 0;
            for &(row, column) in &chosen {
                let place = row * columns + column;
                if agreements[place] < agreement(n) - f64::EPSILON {
                    continue;
                }
                hits += 1;
                hota.location[n] += agreements[place];
                if let Some(pair) = pairs[place] {
                    self.pairs[pair].matches[n] += 1;
                }
            }
            hota.hits[n] += hits;
            hota.misses[n] += rows as u64 - hits;
            hota.false_positives[n] += columns as u64 - hits;
        }
    }
}

/// The ids of the boxes at a place in the table of a frame's agreements.
fn ids(frames: &Frames, frame: &Frame, place: usize) -> (u32, u32) {
    let columns = frame.hypotheses.len();
    let object = frames.truths.ids[frame.truths.start + place / columns];
    (object, frames.hypotheses.ids[frame.hypotheses.start + place % columns])
}
