//! Boxes beside scores: SSD and its kin.
//!
//! One tensor has the boxes, `[rows, 4]`, already moved from their anchors; another the scores, `[rows, classes]`. A network that
//! scores the background too has it among its classes, under the name `background`.

use super::{Candidate, Form, Misfit, Rows, Scoring, Size, add};

/// Boxes beside scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Boxes {
    /// How many there are for an image.
    pub rows: Rows,
    /// What the four numbers of a box are.
    pub form: Form,
}

impl Boxes {
    pub(super) fn shapes(&self, size: Size, classes: usize) -> Result<Vec<Vec<usize>>, Misfit> {
        let rows = self.rows.count(size)?;
        Ok(vec![vec![rows, 4], vec![rows, classes]])
    }

    pub(super) fn decode(
        &self,
        boxes: &[f32],
        scores: &[f32],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) {
        for (numbers, scores) in boxes.chunks_exact(4).zip(scores.chunks_exact(scoring.classes())) {
            let corners = self.form.corners([numbers[0], numbers[1], numbers[2], numbers[3]], size);
            scoring.each(1.0, |class| scores[class], |score, label| add(candidates, corners, score, label));
        }
    }
}
