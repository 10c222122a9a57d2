//! A sequence frame by frame, with ids that count from 0.

use std::ops::Range;

use super::{FRAME_BOXES_MAX, PAIRS_MAX, Sequence, TrackingErrorKind, Tracks};
use crate::boxes::{BoundingBox, Table, check_table};

/// One table, in the order of frames; in a frame, rows are in the order in which they came.
#[derive(Debug)]
pub(super) struct Side {
    /// The id of each row, counted from 0 in the order of ids.
    pub(super) ids: Vec<u32>,
    /// How many rows each id has.
    pub(super) appearances: Vec<u32>,
    boxes: Vec<BoundingBox>,
    labels: Vec<u32>,
    frames: Vec<i64>,
}

/// Where the rows of one frame are.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) truths: Range<usize>,
    pub(super) hypotheses: Range<usize>,
}

/// A sequence in which all is as it must be.
///
/// **Invariant:** in a frame, an id stands at most once on each side.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) truths: Side,
    pub(super) hypotheses: Side,
    /// Every frame with a box, in order.
    pub(super) frames: Vec<Frame>,
}

impl Frames {
    pub(super) fn new(sequence: &Sequence<'_>) -> Result<Frames, TrackingErrorKind> {
        match (sequence.truths.labels, sequence.hypotheses.labels) {
            (None, Some(_)) => return Err(TrackingErrorKind::Labels { missing: Table::Truths }),
            (Some(_), None) => return Err(TrackingErrorKind::Labels { missing: Table::Hypotheses }),
            _ => {}
        }
        let truths = Side::new(Table::Truths, &sequence.truths)?;
        let hypotheses = Side::new(Table::Hypotheses, &sequence.hypotheses)?;
        let (objects, tracks) = (truths.appearances.len(), hypotheses.appearances.len());
        if objects.saturating_mul(tracks) > PAIRS_MAX {
            return Err(TrackingErrorKind::Pairs { objects, tracks });
        }
        let mut frames = Vec::new();
        let (mut truth, mut hypothesis) = (0, 0);
        while let Some(&frame) =
            truths.frames.get(truth).into_iter().chain(hypotheses.frames.get(hypothesis)).min()
        {
            let of_frame = Frame {
                truths: truth..truths.end(truth, frame),
                hypotheses: hypothesis..hypotheses.end(hypothesis, frame),
            };
            (truth, hypothesis) = (of_frame.truths.end, of_frame.hypotheses.end);
            frames.push(of_frame);
        }
        Ok(Frames { truths, hypotheses, frames })
    }

    /// How much each truth of a frame agrees with each hypothesis, from 0 to 1, truth by truth.
    pub(super) fn agreements(&self, frame: &Frame) -> Vec<f64> {
        let agreement = |truth: usize, hypothesis: usize| {
            if self.truths.labels[truth] == self.hypotheses.labels[hypothesis] {
                self.truths.boxes[truth].intersection_over_union(&self.hypotheses.boxes[hypothesis])
            } else {
                0.0
            }
        };
        let of_truth = |truth| frame.hypotheses.clone().map(move |hypothesis| agreement(truth, hypothesis));
        frame.truths.clone().flat_map(of_truth).collect()
    }
}

impl Side {
    fn new(table: Table, tracks: &Tracks<'_>) -> Result<Side, TrackingErrorKind> {
        let columns = [
            ("frames", tracks.frames.len()),
            ("ids", tracks.ids.len()),
            ("labels", tracks.labels.map_or(tracks.boxes.len(), <[u32]>::len)),
        ];
        check_table(table, tracks.boxes, &columns)?;
        let mut order: Vec<usize> = (0..tracks.boxes.len()).collect();
        order.sort_by_key(|&row| tracks.frames[row]);
        let mut names = tracks.ids.to_vec();
        names.sort_unstable();
        names.dedup();
        let number = |row: &usize| names.partition_point(|name| *name < tracks.ids[*row]) as u32;
        let side = Side {
            ids: order.iter().map(number).collect(),
            appearances: vec![0; names.len()],
            boxes: order.iter().map(|&row| tracks.boxes[row]).collect(),
            labels: order.iter().map(|&row| tracks.labels.map_or(0, |labels| labels[row])).collect(),
            frames: order.iter().map(|&row| tracks.frames[row]).collect(),
        };
        side.counted(table, &names)
    }

    /// Counts the rows of each id, and sees that frames are as they must be.
    fn counted(mut self, table: Table, names: &[i64]) -> Result<Side, TrackingErrorKind> {
        // By id: one more than the first row of the last frame in which it stood.
        let mut seen = vec![0; names.len()];
        let mut from = 0;
        while let Some(&frame) = self.frames.get(from) {
            let end = self.end(from, frame);
            if end - from > FRAME_BOXES_MAX {
                return Err(TrackingErrorKind::Crowded { table, frame, found: end - from });
            }
            for &id in &self.ids[from..end] {
                let id = id as usize;
                if std::mem::replace(&mut seen[id], from + 1) == from + 1 {
                    return Err(TrackingErrorKind::Repeated { table, frame, id: names[id] });
                }
                self.appearances[id] += 1;
            }
            from = end;
        }
        Ok(self)
    }

    /// Where a frame ends whose rows begin at `from`, if it has any.
    fn end(&self, from: usize, frame: i64) -> usize {
        from + self.frames[from..].partition_point(|other| *other <= frame)
    }
}
