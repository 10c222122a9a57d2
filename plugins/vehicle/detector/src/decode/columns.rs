//! Columns without objectness: YOLOv8, v9 and v11, and DETR's kin.
//!
//! The tensor is `[4 + classes, anchors]`: all first numbers of the boxes stand beside each other, then all second ones, and so on.
//! Some exports turn it round, `[anchors, 4 + classes]`.

use super::{Candidate, Form, Misfit, Rows, Scoring, Size, add};

/// Numbers of an anchor before those of the classes.
const BEFORE_CLASSES: usize = 4;
/// Anchors that are looked at together: their greatest numbers stay in the processor's nearest memory.
const BLOCK: usize = 512;

/// Columns without objectness.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// How many anchors there are for an image.
    pub rows: Rows,
    /// What the four numbers of a box are.
    pub form: Form,
    /// Whether the tensor is turned round, an anchor a row.
    pub turned: bool,
}

impl Columns {
    pub(super) fn shape(&self, size: Size, classes: usize) -> Result<Vec<usize>, Misfit> {
        let anchors = self.rows.count(size)?;
        let numbers = BEFORE_CLASSES + classes;
        Ok(if self.turned { vec![anchors, numbers] } else { vec![numbers, anchors] })
    }

    pub(super) fn decode(
        &self,
        tensor: &[f32],
        size: Size,
        scoring: &Scoring,
        candidates: &mut Vec<Candidate>,
    ) {
        let numbers = BEFORE_CLASSES + scoring.classes();
        let anchors = tensor.len() / numbers;
        let mut read = |anchor: usize| {
            let number = |place: usize| match self.turned {
                true => tensor[anchor * numbers + place],
                false => tensor[place * anchors + anchor],
            };
            let corners = self.form.corners([0, 1, 2, 3].map(number), size);
            scoring.each(
                1.0,
                |class| number(BEFORE_CLASSES + class),
                |score, label| add(candidates, corners, score, label),
            );
        };
        if self.turned {
            return (0..anchors).for_each(read);
        }
        // Row by row the greatest number of each anchor of a block, which the compiler makes many at a time; nearly all anchors end
        // there.
        let mut greatest = [0.0f32; BLOCK];
        for start in (0..anchors).step_by(BLOCK) {
            let block = &mut greatest[..BLOCK.min(anchors - start)];
            block.fill(f32::NEG_INFINITY);
            for &(class, _) in &scoring.wanted {
                let row = &tensor[(BEFORE_CLASSES + class) * anchors + start..];
                for (greatest, &number) in block.iter_mut().zip(row) {
                    *greatest = if number > *greatest { number } else { *greatest };
                }
            }
            let worth = block.iter().enumerate().filter(|(_, greatest)| **greatest >= scoring.least);
            worth.for_each(|(place, _)| read(start + place));
        }
    }
}
