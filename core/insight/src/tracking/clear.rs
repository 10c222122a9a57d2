//! CLEAR MOT: what goes wrong, frame by frame.

use std::ops::AddAssign;

use super::AGREEMENT_MIN;
use super::frames::{Frame, Frames};
use crate::assignment;

/// The counts of one sequence, or of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Clear {
    /// Truths that were found, switches among them.
    pub(super) found: u64,
    pub(super) misses: u64,
    pub(super) false_positives: u64,
    pub(super) switches: u64,
    pub(super) fragmentations: u64,
    pub(super) mostly_tracked: u64,
    pub(super) partly_tracked: u64,
    pub(super) mostly_lost: u64,
    /// The sum over truths that were found of how far they are from agreeing fully.
    pub(super) distance: f64,
}

impl AddAssign<&Clear> for Clear {
    fn add_assign(&mut self, other: &Clear) {
        self.found += other.found;
        self.misses += other.misses;
        self.false_positives += other.false_positives;
        self.switches += other.switches;
        self.fragmentations += other.fragmentations;
        self.mostly_tracked += other.mostly_tracked;
        self.partly_tracked += other.partly_tracked;
        self.mostly_lost += other.mostly_lost;
        self.distance += other.distance;
    }
}

/// What is known of an object so far.
#[derive(Debug, Clone, Copy, Default)]
struct Object {
    /// The track that it was last found as.
    track: Option<u32>,
    /// Whether it was missed when it was last there.
    lost: bool,
    /// In how many frames it was found.
    found: u32,
}

/// Goes through the frames of one sequence.
pub(super) struct Follower {
    objects: Vec<Object>,
    /// By track: where it stands in the frame at hand.
    place: Vec<Option<usize>>,
    counts: Clear,
}

/// How far boxes are from agreeing, if they agree enough.
fn distance(agreement: f64) -> Option<f64> {
    let distance = 1.0 - agreement;
    (distance <= 1.0 - AGREEMENT_MIN).then_some(distance)
}

/// Whether boxes agree enough.
pub(super) fn agrees(agreement: f64) -> bool {
    distance(agreement).is_some()
}

impl Follower {
    pub(super) fn new(frames: &Frames) -> Follower {
        Follower {
            objects: vec![Object::default(); frames.truths.appearances.len()],
            place: vec![None; frames.hypotheses.appearances.len()],
            counts: Clear::default(),
        }
    }

    /// Takes the next frame, with the agreements of its boxes.
    pub(super) fn follow(&mut self, frames: &Frames, frame: &Frame, agreements: &[f64]) {
        let objects = &frames.truths.ids[frame.truths.clone()];
        let tracks = &frames.hypotheses.ids[frame.hypotheses.clone()];
        let columns = tracks.len();
        // An object that is still where its track is stays with it, though another may be nearer.
        let mut partners = self.kept(objects, tracks, agreements);
        let mut taken = vec![false; columns];
        for column in partners.iter().flatten() {
            taken[*column] = true;
        }
        let distances: Vec<Option<f64>> = agreements.iter().map(|agreement| distance(*agreement)).collect();
        let free = |row: usize, column: usize| {
            let distance = distances[row * columns + column];
            distance.filter(|_| partners[row].is_none() && !taken[column])
        };
        let new: Vec<(usize, usize)> = nearest(objects.len(), columns, free);
        for (row, column) in new {
            partners[row] = Some(column);
        }
        for ((row, &object), partner) in objects.iter().enumerate().zip(&partners) {
            let object = &mut self.objects[object as usize];
            let Some(column) = *partner else {
                object.lost = true;
                self.counts.misses += 1;
                continue;
            };
            let track = tracks[column];
            self.counts.switches += u64::from(object.track.is_some_and(|last| last != track));
            self.counts.fragmentations += u64::from(object.track.is_some() && object.lost);
            *object = Object { track: Some(track), lost: false, found: object.found + 1 };
            self.counts.found += 1;
            self.counts.distance += distances[row * columns + column].unwrap_or(0.0);
        }
        self.counts.false_positives += (columns - partners.iter().flatten().count()) as u64;
    }

    /// For each object, where the track stands that it was last found as, if they still agree.
    fn kept(&mut self, objects: &[u32], tracks: &[u32], agreements: &[f64]) -> Vec<Option<usize>> {
        for (column, &track) in tracks.iter().enumerate() {
            self.place[track as usize] = Some(column);
        }
        let kept = objects.iter().enumerate().map(|(row, &object)| {
            let track = self.objects[object as usize].track? as usize;
            let column = self.place[track]?;
            if !agrees(agreements[row * tracks.len() + column]) {
                return None;
            }
            // Two objects may have been the same track, one after the other: the first row has it.
            self.place[track] = None;
            Some(column)
        });
        let kept = kept.collect();
        for &track in tracks {
            self.place[track as usize] = None;
        }
        kept
    }

    /// The counts of all frames.
    pub(super) fn finish(mut self, frames: &Frames) -> Clear {
        for (object, &appearances) in self.objects.iter().zip(&frames.truths.appearances) {
            let share = f64::from(object.found) / f64::from(appearances);
            let count = match share {
                0.8.. => &mut self.counts.mostly_tracked,
                0.2.. => &mut self.counts.partly_tracked,
                _ => &mut self.counts.mostly_lost,
            };
            *count += 1;
        }
        self.counts
    }
}

/// Pairs rows with columns: as many as possible, and of these pairings the one with the least sum of distances.
fn nearest(
    rows: usize,
    columns: usize,
    distance: impl Fn(usize, usize) -> Option<f64>,
) -> Vec<(usize, usize)> {
    let distances: Vec<Option<f64>> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(row, column)| distance(row, column))
        .collect();
    let Some(greatest) = distances.iter().flatten().copied().reduce(f64::max) else {
        return Vec::new();
    };
    // A pair that must not be costs more than all others together, so that as few as possible are taken.
    let never = 2.0 * rows.min(columns) as f64 * (greatest + 1.0) + 1.0;
    let costs: Vec<f64> = distances.iter().map(|distance| distance.unwrap_or(never)).collect();
    let pairs = assignment::least(rows, columns, &costs).into_iter();
    pairs.filter(|(row, column)| distances[row * columns + column].is_some()).collect()
}
