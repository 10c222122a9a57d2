//! Identity: each object with at most one track, for the whole sequence.

use std::ops::AddAssign;

use super::frames::Frames;
use crate::assignment;

/// The counts of one sequence, or of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    /// Boxes that are found where each object is one track, chosen so that these are the most.
    pub(super) hits: u64,
    /// All boxes that were drawn.
    pub(super) truths: u64,
    /// All boxes that the tracker answered.
    pub(super) hypotheses: u64,
}

impl AddAssign<&Identity> for Identity {
    fn add_assign(&mut self, other: &Identity) {
        self.hits += other.hits;
        self.truths += other.truths;
        self.hypotheses += other.hypotheses;
    }
}

impl Identity {
    /// `together` says of an object and a track in how many frames they agree.
    pub(super) fn new(frames: &Frames, together: impl Iterator<Item = (u32, u32, u32)>) -> Identity {
        let (objects, tracks) = (frames.truths.appearances.len(), frames.hypotheses.appearances.len());
        let mut table = vec![0.0; objects * tracks];
        for (object, track, count) in together {
            table[object as usize * tracks + track as usize] = f64::from(count);
        }
        let pairs = assignment::greatest(objects, tracks, &table);
        Identity {
            hits: pairs.into_iter().map(|(object, track)| table[object * tracks + track] as u64).sum(),
            truths: frames.truths.ids.len() as u64,
            hypotheses: frames.hypotheses.ids.len() as u64,
        }
    }
}
